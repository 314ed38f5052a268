"""MTCNN, several times as fast as facenet-pytorch runs it, with the same boxes."""

VERSION = "3"
"""Of the whole pass: a part of cache keys. To be raised with any change that can change a box."""
