"""DVC experiments and git revisions: their contents and cost, and running a sweep."""
