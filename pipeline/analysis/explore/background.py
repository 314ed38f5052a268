"""Features of the background alone: its colours and textures, without its shape."""

from __future__ import annotations

import cv2
import numpy as np

SIDE = 256  # longest side, pixels
MAX_BACKGROUND_ALPHA = 12  # alpha
EDGE_PIXELS = 17  # left out around the person, where mattes are soft and often wrong
LEVELS = 6  # per channel of the colour histogram
DIRECTIONS = 8
STEPS = (2.0, 8.0, 24.0)  # bounds between faint and strong gradients, gray levels
MIN_SHARE = 0.01  # of the photo; less background gives no features


def background_features(photo: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """float32 [262]: Lab histogram, gradient histogram, mean and spread of the background's pixels.

    They exclude the person's position and size, which would leak the identity. All zeros where the background
    is less than 1 % of the photo.

    Args:
        photo: uint8 [H, W, 3] RGB.
        alpha: uint8 [H, W], 255 = person.
    """
    factor = SIDE / max(photo.shape[:2])
    size = (max(1, round(photo.shape[1] * factor)), max(1, round(photo.shape[0] * factor)))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
    person = (cv2.resize(alpha, size, interpolation=cv2.INTER_AREA) > MAX_BACKGROUND_ALPHA).astype(np.uint8)
    is_background = cv2.dilate(person, np.ones((EDGE_PIXELS, EDGE_PIXELS), np.uint8)) == 0
    count = LEVELS**3 + DIRECTIONS * (len(STEPS) + 1) + 6 + DIRECTIONS
    if is_background.mean() < MIN_SHARE:
        return np.zeros(count, np.float32)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)
    pixels = lab[is_background]
    bins = (pixels.astype(np.int64) * LEVELS) // 256
    colour = np.bincount((bins[:, 0] * LEVELS + bins[:, 1]) * LEVELS + bins[:, 2], minlength=LEVELS**3)
    dy, dx = np.gradient(lab[..., 0].astype(np.float32))
    strength = np.hypot(dx, dy)[is_background]
    turn = ((np.arctan2(dy, dx)[is_background] % np.pi) * (DIRECTIONS / np.pi)).astype(np.int64) % DIRECTIONS
    level = np.digitize(strength, STEPS)
    texture = np.bincount(level * DIRECTIONS + turn, minlength=DIRECTIONS * (len(STEPS) + 1))
    weight = np.bincount(turn, strength, DIRECTIONS)
    moments = np.concatenate([pixels.mean(axis=0), pixels.std(axis=0)]) / 255
    parts = [np.sqrt(part / max(part.sum(), 1e-9)) for part in (colour, texture, weight)]
    return np.concatenate([*parts, moments]).astype(np.float32)
