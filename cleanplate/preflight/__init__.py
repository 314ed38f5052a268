"""The checks of `cleanplate check`."""
