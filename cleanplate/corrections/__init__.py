"""Imports and exports lists of label corrections."""
