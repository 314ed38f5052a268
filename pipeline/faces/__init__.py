"""Faces as numbers: networks that look at the face in every photo once, for `audit` and `train`."""
