"""Class-prior correction: it finds a planted shift, and leaves alone what has none."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluate import prior


def calibrated(photos: int, mix: np.ndarray, trained: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """True classes drawn from `mix`, and the exact p(class | x) of one who believes the mix is `trained`."""
    random = np.random.default_rng(seed)
    truth = random.choice(len(mix), photos, p=mix)
    x = truth * 1.5 + random.normal(size=photos)
    density = np.exp(-0.5 * (x[:, None] - 1.5 * np.arange(len(mix))) ** 2) * trained
    return truth, density / density.sum(axis=1, keepdims=True)


def test_planted_shift_is_found_and_correcting_for_it_helps() -> None:
    trained, shifted = np.array([0.6, 0.3, 0.1]), np.array([0.15, 0.25, 0.6])
    truth, p = calibrated(4000, shifted, trained, 1)
    found = prior.estimated_prior(p, trained)
    assert np.abs(found - shifted).max() < 0.04
    assert np.abs(p.mean(axis=0) - shifted).max() > 0.1  # without EM: far off
    after = prior.corrected(p, trained, found)
    np.testing.assert_allclose(after.sum(axis=1), 1)
    assert (after.argmax(axis=1) == truth).mean() > (p.argmax(axis=1) == truth).mean() + 0.05


def test_without_a_shift_the_training_mix_comes_back() -> None:
    trained = np.array([0.6, 0.3, 0.1])
    _, p = calibrated(20_000, trained, trained, 2)
    assert np.abs(prior.estimated_prior(p, trained * 1000) - trained).max() < 0.03  # counts will do


def test_hand_computed_correction() -> None:
    # p = (0.5, 0.5) trained on (0.8, 0.2), now (0.2, 0.8): weights 0.25 and 4 -> 0.125 : 2
    found = prior.corrected(np.array([[0.5, 0.5]]), np.array([0.8, 0.2]), np.array([0.2, 0.8]))
    assert found[0].tolist() == pytest.approx([0.125 / 2.125, 2 / 2.125])


def test_estimate_raises_the_likelihood() -> None:
    trained, shifted = np.array([0.5, 0.5]), np.array([0.9, 0.1])
    _, p = calibrated(500, shifted, trained, 3)
    found = prior.estimated_prior(p, trained)

    def likelihood(mix: np.ndarray) -> float:
        return float(np.log((p * mix / trained).sum(axis=1)).sum())

    best = max(likelihood(np.array([a, 1 - a])) for a in np.linspace(0.01, 0.99, 99))
    assert likelihood(found) >= best - 1e-3


def test_class_that_training_lacked_stays_impossible() -> None:
    p = np.array([[0.7, 0.3, 0.0], [0.2, 0.8, 0.0]])
    found = prior.estimated_prior(p, np.array([10, 10, 0]))
    assert found[2] == 0
    assert found.sum() == pytest.approx(1)
    assert np.isfinite(prior.corrected(p, np.array([10, 10, 0]), found)).all()


def test_photo_of_which_the_new_mix_allows_nothing_keeps_its_probabilities() -> None:
    p = np.array([[1.0, 0.0]])
    assert prior.corrected(p, np.array([0.5, 0.5]), np.array([0.0, 1.0])).tolist() == p.tolist()
