"""Which photo shows whom: layouts, user tables, corrections, labels, folds."""
