"""RetinaFace (Deng et al., 2019, arXiv:1905.00641) with MobileNet-0.25, on OpenVINO."""

VERSION = "3"
"""A part of cache keys: raise it with any change that can change a box."""
