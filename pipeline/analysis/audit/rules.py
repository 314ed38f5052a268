"""Suspicions that need no model: one person under two names, an id used twice, a table that differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from pipeline.analysis.audit.duplicates import DuplicatePair
from pipeline.analysis.audit.suspects import Suspect
from pipeline.dataset.user_csv import Row
from pipeline.io.spelling import nfc
from pipeline.labels import read_age, read_gender

TABLE_CONFIDENCE = 0.5  # either value may be right


def same_people(duplicates: Sequence[DuplicatePair], photos: pd.DataFrame) -> list[Suspect]:
    """One row per pair of people who share a photo: the later person, in the field where the two differ.

    Args:
        duplicates: rows of `photos`.
        photos: columns person, gender, age.
    """
    people = photos["person"].tolist()
    pairs: dict[tuple[str, str], list[DuplicatePair]] = {}
    for t in duplicates:
        first, second = sorted((people[t.first], people[t.second]))
        pairs.setdefault((first, second), []).append(t)
    facts = photos.drop_duplicates("person").set_index("person")
    suspects: list[Suspect] = []
    for (first, second), shared in sorted(pairs.items()):
        cosine = max(t.cosine for t in shared)
        why = f"{len(shared)} of the photos nearly the same as of {first}: one person under two names?"
        suspects.append(_differing(facts, first, second, min(1.0, cosine), why))
    return suspects


def same_ids(photos: pd.DataFrame, features: np.ndarray) -> list[Suspect]:
    """One row per pair of folders with the same id (`003397`, also `001498-1`) that look alike.

    Alike: the cosine of the people's mean features [N photos, D] is above that of 99 % of all pairs.
    """
    names, person_ids = np.unique(photos["person"].to_numpy(dtype=str), return_inverse=True)
    means = np.zeros((len(names), features.shape[1]))
    np.add.at(means, person_ids, features)
    means -= means.sum(axis=0) / len(photos) * np.bincount(person_ids)[:, None]
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    ids: dict[str, list[int]] = {}
    for row, name in enumerate(names.tolist()):
        ids.setdefault(name.split("_")[0].split("-")[0], []).append(row)
    groups = [rows for rows in ids.values() if len(rows) > 1]
    if not groups or len(names) < 3:
        return []
    sample = means[: min(len(names), 2000)]
    cosines = (sample @ sample.T)[np.triu_indices(len(sample), 1)]
    facts = photos.drop_duplicates("person").set_index("person")
    suspects: list[Suspect] = []
    for a, b in (pair for rows in groups for pair in combinations(rows, 2)):
        share = float((cosines <= means[a] @ means[b]).mean())
        if share >= 0.99:
            why = f"has the id of {names[a]} and looks more alike than {share:.1%} of pairs: the same person?"
            suspects.append(_differing(facts, str(names[a]), str(names[b]), 0.5, why))
    return suspects


def _differing(facts: pd.DataFrame, first: str, second: str, confidence: float, why: str) -> Suspect:
    for field in ("gender", "age"):
        old, other = str(facts.loc[second, field]), str(facts.loc[first, field])
        if old != other:
            return Suspect(second, "", field, old, other, confidence, why)
    return Suspect(second, "", "drop", "", "drop", confidence, why)


def table_differences(rows: Sequence[Row], labels: pd.DataFrame, where: str) -> list[Suspect]:
    """People with another gender or age in the data folder's table than in their folder's name.

    Args:
        rows: of train.csv, which has the columns path, gender, age.
        labels: columns person, gender, age, as the photos' labels have them.
        where: the table's name.
    """
    facts = labels.drop_duplicates("person").set_index("person")
    keys = {nfc(str(person)): str(person) for person in facts.index}
    suspects: list[Suspect] = []
    for row in rows:
        person = keys.get(nfc(row["path"].strip("/").split("/")[-1]))
        if person is None:
            continue
        for field, read in (("gender", read_gender), ("age", read_age)):
            try:
                table_value = str(read(row[field]))
            except ValueError:
                continue  # ingest has refused such a table
            old = str(facts.loc[person, field])
            if table_value != old:
                why = f"{where} line {row.line} says {table_value}"
                suspects.append(Suspect(person, "", field, old, table_value, TABLE_CONFIDENCE, why))
    return suspects


EXCHANGE_PRIOR = 0.01  # prior share of people with two labels exchanged; teams found 1 in 300 to 1 in 30


@dataclass(frozen=True)
class MislabelledPair:
    """Two photos of a person, by row, and the probability that each has the other's label."""

    first: int
    second: int
    confidence: float


def mislabelled_pairs(
    p: np.ndarray, codes: np.ndarray, person_ids: np.ndarray, min_confidence: float
) -> list[MislabelledPair]:
    """Each person's likeliest pair of exchanged labels, where it is likelier than `min_confidence`.

    For two photos of a person with different labels it compares the likelihood of the given labels with that
    of the labels exchanged. An exchange keeps the number of photos per label, so it is much surer than two
    separate doubts.

    Args:
        p: out-of-fold probabilities of the mask codes, [N, K].
        codes: int [N], the given labels.
        person_ids: int [N], the photo's person.
        min_confidence: probability, in [0, 1].
    """
    logs = np.log(p)
    order = np.argsort(person_ids, kind="stable")
    pairs: list[MislabelledPair] = []
    for rows in np.split(order, np.flatnonzero(np.diff(person_ids[order])) + 1) if len(order) else []:
        best = MislabelledPair(-1, -1, -1.0)
        for a, b in combinations(rows.tolist(), 2):
            if codes[a] == codes[b]:
                continue
            exchanged = logs[a, codes[b]] + logs[b, codes[a]]
            as_given = logs[a, codes[a]] + logs[b, codes[b]]
            odds = float(exchanged - as_given) + np.log(EXCHANGE_PRIOR / (1 - EXCHANGE_PRIOR))
            confidence = float(1 / (1 + np.exp(-odds)))
            if confidence > best.confidence:
                best = MislabelledPair(min(a, b), max(a, b), confidence)
        if best.confidence >= min_confidence:
            pairs.append(best)
    return pairs
