"""Process support that never affects results: errors, progress, locks, disk space, plugins by name."""
