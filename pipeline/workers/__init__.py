"""One function over many items, on the workers of an engine."""
