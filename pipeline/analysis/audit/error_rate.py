"""The share of wrong labels, estimated from confident out-of-fold predictions.

The confident joint of Northcutt, Jiang & Chuang, Confident Learning (2021, arXiv:1911.00068), as in cleanlab:
a label counts as truly j where the probability of j is at least its mean over the labels j. The interval is a
bootstrap over people, since a person's photos err together.
"""

from __future__ import annotations

import numpy as np
from cleanlab.count import compute_confident_joint

from pipeline.evaluate.bootstrap import interval, resample_counts


def error_rate(
    p: np.ndarray, codes: np.ndarray, person_ids: np.ndarray, resamples: int, seed: int
) -> dict[str, float]:
    """`{"value", "low", "high"}`: the share of labels that are wrong, with a 95 % interval.

    Args:
        p: out-of-fold probabilities, [N, K].
        codes: int [N], the given labels.
        person_ids: int [N], the person, 0 to P - 1.
        resamples: resamples of people.
        seed: of the resampling.
    """
    p, codes = _occurring(p, codes)
    size = p.shape[1]
    if size < 2:
        return {"value": 0.0, "low": 0.0, "high": 0.0}
    joint = compute_confident_joint(codes, p, calibrate=False)
    confident_codes = _confident(p, codes)
    people = int(person_ids.max()) + 1
    by_person = np.zeros((people, size, size + 1))
    np.add.at(by_person, (person_ids, codes, np.where(confident_codes < 0, size, confident_codes)), 1)
    point = _rate(np.asarray(joint, dtype=float)[None], np.bincount(codes, minlength=size)[None])[0]
    counts = resample_counts(people, resamples, seed).astype(np.float64)
    tables = np.einsum("dp,pij->dij", counts, by_person)
    rates = _rate(tables[:, :, :size] + 1e-9, tables.sum(axis=2))
    low, high = interval(rates)
    result = {"value": float(point), "low": low, "high": high}
    return {name: round(max(0.0, value), 6) for name, value in result.items()}


def _occurring(p: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The columns of codes that occur, and the codes renumbered without gaps, for cleanlab."""
    occurring, renumbered = np.unique(codes, return_inverse=True)
    kept = p[:, occurring]
    return kept / kept.sum(axis=1, keepdims=True), renumbered


def _confident(p: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """int [N]: the confident code, -1 where there is none."""
    bounds = np.array([p[codes == k, k].mean() for k in range(p.shape[1])])
    above = np.where(p >= bounds - 1e-6, p, -1.0)
    return np.where(above.max(axis=1) > 0, above.argmax(axis=1), -1)


def _rate(joints: np.ndarray, given_counts: np.ndarray) -> np.ndarray:
    """[B] off-diagonal shares of confident joints [B, K, K], each row scaled to its count of given labels."""
    rows = np.maximum(joints.sum(axis=2), 1e-12)
    right = np.diagonal(joints, axis1=1, axis2=2) / rows
    return 1 - (right * given_counts).sum(axis=1) / given_counts.sum(axis=1)
