"""The int8 variant of an export: calibrated on training photos, shipped only if it loses next to nothing."""
