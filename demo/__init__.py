"""The embedded demo: drawn people, so that a fresh clone has photographs to work on."""
