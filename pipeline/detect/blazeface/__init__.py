"""BlazeFace (Bazarevsky et al., 2019, arXiv:1907.05047) as MediaPipe ships it, on OpenVINO."""

VERSION = "1"
"""A part of cache keys: raise it with any change that can change a box."""
