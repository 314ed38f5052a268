"""Verifies outputs, caches and inputs, and finds leftovers of killed runs."""
