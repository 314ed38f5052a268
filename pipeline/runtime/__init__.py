"""What a process needs and no result depends on: errors, progress, locks, disk room, plugins by name."""
