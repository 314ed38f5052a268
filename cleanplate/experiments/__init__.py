"""DVC experiments and git revisions: what they hold, what they cost, and running a sweep."""
