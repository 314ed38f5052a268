"""The background alone, as numbers: colours and textures of what the matte leaves out, without its shape."""

from __future__ import annotations

import cv2
import numpy as np

SIDE = 256  # longest side that is looked at, pixels
CLEAR = 12  # alpha up to which a pixel is background
EDGE = 17  # pixels around the person that are left out: mattes are soft and mistaken there
LEVELS = 6  # per channel of the colour histogram
DIRECTIONS = 8
STEPS = (2.0, 8.0, 24.0)  # bounds between faint and strong gradients, gray levels
LEAST = 0.01  # share of the photo; less background says nothing


def background_features(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """float32 [262]: Lab histogram, gradient histogram, mean and spread of the background's pixels.

    Where the person stands and how large they are has no part in it: it would tell who it is. All zeros
    where the matte leaves less than 1 % of the photo.

    Args:
        photo: uint8 [H, W, 3] RGB.
        alpha: uint8 [H, W], 255 = person.
    """
    factor = SIDE / max(photo.shape[:2])
    size = (max(1, round(photo.shape[1] * factor)), max(1, round(photo.shape[0] * factor)))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    person = (cv2.resize(alpha, size, interpolation=cv2.INTER_AREA) > CLEAR).astype(np.uint8)
    away = cv2.dilate(person, np.ones((EDGE, EDGE), np.uint8)) == 0
    count = LEVELS**3 + DIRECTIONS * (len(STEPS) + 1) + 6 + DIRECTIONS
    if away.mean() < LEAST:
        return np.zeros(count, np.float32)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    pixels = lab[away]
    bins = (pixels.astype(np.int64) * LEVELS) // 256
    colour = np.bincount((bins[:, 0] * LEVELS + bins[:, 1]) * LEVELS + bins[:, 2], minlength=LEVELS**3)
    dy, dx = np.gradient(lab[..., 0].astype(np.float32))
    strength = np.hypot(dx, dy)[away]
    turn = ((np.arctan2(dy, dx)[away] % np.pi) * (DIRECTIONS / np.pi)).astype(np.int64) % DIRECTIONS
    level = np.digitize(strength, STEPS)
    texture = np.bincount(level * DIRECTIONS + turn, minlength=DIRECTIONS * (len(STEPS) + 1))
    weight = np.bincount(turn, strength, DIRECTIONS)
    moments = np.concatenate([pixels.mean(axis=0), pixels.std(axis=0)]) / 255
    parts = [np.sqrt(part / max(part.sum(), 1e-9)) for part in (colour, texture, weight)]
    return np.concatenate([*parts, moments]).astype(np.float32)
