"""Which photo shows whom: layouts, tables that people wrote, corrections, labels, folds."""
