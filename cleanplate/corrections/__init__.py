"""Lists of label corrections in and out of the project."""
