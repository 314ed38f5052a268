"""MTCNN, several times as fast as facenet-pytorch runs it, with the same boxes."""

VERSION = "3"
"""A part of cache keys: raise it with any change that can change a box."""
