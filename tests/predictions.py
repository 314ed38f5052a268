"""Made-up predictions with known properties, for the tests of what compares them."""

from __future__ import annotations

import numpy as np
import pandas as pd


def people_and_truth(people: int, photos: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Person of each photo and its true class; gender and age are the person's, as in life."""
    random = np.random.default_rng([seed, 0])
    person = np.repeat([f"p{i:04d}" for i in range(people)], photos)
    identity = np.repeat(random.integers(0, 6, people), photos)
    mask = np.tile([0] * (photos - 2) + [1, 2], people)
    return person, 6 * mask + identity


def answers(truth: np.ndarray, photos: int, skill: float, seed: int, difficulty: int) -> np.ndarray:
    """Classes 0-17, right in a share of about `skill`; who is hard depends on `difficulty` alone."""
    people = len(truth) // photos
    shared = np.random.default_rng([difficulty, 1]).normal(0, 0.15, people)
    chance = np.repeat(np.clip(skill + shared, 0.02, 0.98), photos)
    random = np.random.default_rng([seed, 2])
    wrong = (truth // 3) * 3 + (truth + random.integers(1, 3, len(truth))) % 3
    return np.where(random.random(len(truth)) < chance, truth, wrong)


def table(person: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> pd.DataFrame:
    """Like reports/predictions.parquet, without probabilities."""
    return pd.DataFrame(
        {
            "image": [f"train/images/{p}/{i:05d}.jpg" for i, p in enumerate(person)],
            "person": person,
            "fold": 0,
            "true_class": truth.astype(np.int64),
            "predicted": predicted.astype(np.int64),
        }
    )
