"""Running a network over photos once: backends, weights checked by sha256, the cache of results."""
