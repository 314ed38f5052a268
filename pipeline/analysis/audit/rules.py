"""Suspicions that need no model: one person under two names, an id used twice, a table that differs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from pipeline.analysis.audit.duplicates import Twins
from pipeline.analysis.audit.suspects import Suspect
from pipeline.dataset.csv_reading import Row
from pipeline.labels import read_age, read_gender

TABLE_CONFIDENCE = 0.5  # either of the two that differ may be right


def same_people(twins: Sequence[Twins], photos: pd.DataFrame) -> list[Suspect]:
    """One row per pair of people who share a photo; about the later one, in the field in which they differ.

    Args:
        twins: rows of `photos`.
        photos: columns person, gender, age.
    """
    people = photos["person"].tolist()
    pairs: dict[tuple[str, str], list[Twins]] = {}
    for t in twins:
        first, second = sorted((people[t.first], people[t.second]))
        pairs.setdefault((first, second), []).append(t)
    facts = photos.drop_duplicates("person").set_index("person")
    found: list[Suspect] = []
    for (first, second), shared in sorted(pairs.items()):
        cosine = max(t.cosine for t in shared)
        why = f"{len(shared)} of the photos nearly the same as of {first}: one person under two names?"
        found.append(_differing(facts, first, second, min(1.0, cosine), why))
    return found


def same_ids(photos: pd.DataFrame, features: np.ndarray) -> list[Suspect]:
    """One row per pair of folders with the same id (`003397`, also `001498-1`) that look alike.

    Alike: the cosine of the people's mean features [N photos, D] is above that of 99 % of all pairs.
    """
    names, who = np.unique(photos["person"].to_numpy(dtype=str), return_inverse=True)
    means = np.zeros((len(names), features.shape[1]))
    np.add.at(means, who, features)
    means -= means.sum(axis=0) / len(photos) * np.bincount(who)[:, None]
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    ids: dict[str, list[int]] = {}
    for row, name in enumerate(names.tolist()):
        ids.setdefault(name.split("_")[0].split("-")[0], []).append(row)
    groups = [rows for rows in ids.values() if len(rows) > 1]
    if not groups or len(names) < 3:
        return []
    some = means[: min(len(names), 2000)]
    usual = (some @ some.T)[np.triu_indices(len(some), 1)]
    facts = photos.drop_duplicates("person").set_index("person")
    found: list[Suspect] = []
    for a, b in (pair for rows in groups for pair in combinations(rows, 2)):
        share = float((usual <= means[a] @ means[b]).mean())
        if share >= 0.99:
            why = f"has the id of {names[a]} and looks more alike than {share:.1%} of pairs: the same person?"
            found.append(_differing(facts, str(names[a]), str(names[b]), 0.5, why))
    return found


def _differing(facts: pd.DataFrame, first: str, second: str, confidence: float, why: str) -> Suspect:
    for field in ("gender", "age"):
        old, other = str(facts.loc[second, field]), str(facts.loc[first, field])
        if old != other:
            return Suspect(second, "", field, old, other, confidence, why)
    return Suspect(second, "", "drop", "", "drop", confidence, why)


def table_differences(rows: Sequence[Row], labels: pd.DataFrame, where: str) -> list[Suspect]:
    """People of whom the data folder's own table says another gender or age than the name of their folder.

    Args:
        rows: of train.csv, which has the columns path, gender, age.
        labels: columns person, gender, age, as the photos' labels have them.
        where: the table's name.
    """
    facts = labels.drop_duplicates("person").set_index("person")
    found: list[Suspect] = []
    for row in rows:
        person = row["path"].strip("/").split("/")[-1]
        if person not in facts.index:
            continue
        for field, read in (("gender", read_gender), ("age", read_age)):
            try:
                said = str(read(row[field]))
            except ValueError:
                continue  # ingest has refused such a table
            old = str(facts.loc[person, field])
            if said != old:
                why = f"{where} line {row.line} says {said}"
                found.append(Suspect(person, "", field, old, said, TABLE_CONFIDENCE, why))
    return found
