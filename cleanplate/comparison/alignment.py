"""Predictions of several models about the same photos, scored by one set of true labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from pipeline.runtime.errors import UserError

COLUMNS = ("image", "person", "true_class", "predicted")


@dataclass(frozen=True)
class AlignedPredictions:
    """N photos, sorted by name, with every model's predictions.

    Args:
        image, person: str [N].
        truth: int64 [N], classes 0-17, the same for every model.
        predicted: int64 [N] per model.
        left_out: sentences about photos that not all models have answered.
        relabelled: sentences about photos without a label, or with another one than a model had.
        runs: of each recipe, the models that are its runs with several seeds; empty: each model by itself.
    """

    image: np.ndarray
    person: np.ndarray
    truth: np.ndarray
    predicted: dict[str, np.ndarray]
    left_out: list[str] = field(default_factory=list)
    relabelled: list[str] = field(default_factory=list)
    runs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def recipes(self) -> list[str]:
        """What is compared: names of models, or of several runs of one recipe."""
        return list(self.runs or self.predicted)

    def answers(self, recipe: str) -> np.ndarray:
        """int64 [S, N]: a row for each run of the recipe."""
        return np.stack([self.predicted[run] for run in self.runs.get(recipe, (recipe,))])

    @property
    def people(self) -> int:
        return len(np.unique(self.person))


def align(
    tables: Mapping[str, pd.DataFrame],
    truth: pd.DataFrame | None = None,
    truth_name: str = "",
    runs: Mapping[str, tuple[str, ...]] | None = None,
) -> AlignedPredictions:
    """The photos that all `tables` have in common, on which their scores are comparable.

    Args:
        tables: predictions (`COLUMNS`) by the name of the model.
        truth: `image, true_class` for scoring all models; None: those of the first table. Models scored by
            different labels would not be comparable.
        truth_name: name of `truth` for messages.
        runs: see AlignedPredictions.

    Raises:
        UserError: a photo occurs twice, or no photo is common to all.
    """
    indexed = {name: _by_image(name, table) for name, table in tables.items()}
    first = next(iter(indexed))
    common = _common(indexed)
    labels, name = (indexed[first], first) if truth is None else (_by_image(truth_name, truth), truth_name)
    kept = common.intersection(labels.index).sort_values()
    relabelled = []
    if len(kept) < len(common):
        relabelled.append(
            f"{len(common) - len(kept)} photos are not in the labels of {name} and are left out"
        )
    if len(kept) == 0:
        raise UserError("predictions and labels have no photo in common", got=name, fix="name other --labels")
    true_class = labels["true_class"].loc[kept].to_numpy(np.int64)
    relabelled += _relabelled(indexed, kept, true_class, name)
    return AlignedPredictions(
        kept.to_numpy(str),
        indexed[first]["person"].loc[kept].to_numpy(str),
        true_class,
        {n: t["predicted"].loc[kept].to_numpy(np.int64) for n, t in indexed.items()},
        _left_out(indexed, common),
        relabelled,
        runs or {},
    )


def align_pairs(
    tables: Mapping[str, pd.DataFrame],
    pairs: Sequence[tuple[str, str]],
    data: AlignedPredictions,
    truth: pd.DataFrame | None = None,
    truth_name: str = "",
) -> dict[tuple[str, str], AlignedPredictions]:
    """Of each pair whose sides have more photos in common than all tables together: these photos.

    A run that was validated on one fold then takes no people from two that were validated on all.

    Args:
        tables, truth, truth_name: as given to `align`.
        pairs: recipes, (reference, variant).
        data: what `align` returned.
    """
    found: dict[tuple[str, str], AlignedPredictions] = {}
    first = next(iter(tables))
    for pair in pairs:
        runs = {name: tuple(data.runs.get(name, (name,))) for name in pair}
        own = {run: tables[run] for of_name in runs.values() for run in of_name}
        if truth is None and labels_differ({first: tables[first]} | own):
            continue  # all are scored by the labels of the first table, which need not have these photos
        if min(len(table) for table in own.values()) > len(data.image):
            aligned = align(own, truth, truth_name, runs)
            if len(aligned.image) > len(data.image):
                found[pair] = aligned
    return found


def labels_differ(tables: Mapping[str, pd.DataFrame]) -> bool:
    """Whether two of the tables give one photo different true classes."""
    stacked = pd.concat([t[["image", "true_class"]] for t in tables.values()])
    return bool(stacked.groupby("image")["true_class"].nunique().gt(1).any())


def _by_image(name: str, table: pd.DataFrame) -> pd.DataFrame:
    twice = table["image"][table["image"].duplicated()]
    if len(twice):
        raise UserError(
            f"{name} has a photo twice", got=str(twice.iloc[0]), fix="run `dvc repro --force evaluate`"
        )
    return table.set_index("image")


def _common(indexed: Mapping[str, pd.DataFrame]) -> pd.Index:
    common: pd.Index | None = None
    for table in indexed.values():
        common = table.index if common is None else common.intersection(table.index)
    if common is None or len(common) == 0:
        sizes = [f"{name}: {len(t)} photos of {t['person'].nunique()} people" for name, t in indexed.items()]
        raise UserError(
            "these have no validated photo in common, so they cannot be compared",
            got="; ".join(sizes),
            fix="compare runs with the same data.root, split.seed and split.validation_fold",
        )
    return common


def _left_out(indexed: Mapping[str, pd.DataFrame], common: pd.Index) -> list[str]:
    wider: dict[str, list[str]] = {}
    for name, table in indexed.items():
        more = len(table) - len(common)
        if more:
            people = table["person"].nunique() - table["person"].loc[common].nunique()
            wider.setdefault(f"{more} more photos ({people} more people)", []).append(name)
    return [
        f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''} "
        f"answered about {more}, which the scores leave out: they are of the photos that all have in common"
        for more, names in wider.items()
    ]


def _relabelled(
    indexed: Mapping[str, pd.DataFrame], kept: pd.Index, truth: np.ndarray, labels_name: str
) -> list[str]:
    notes = []
    for name, table in indexed.items():
        other = int((table["true_class"].loc[kept].to_numpy(np.int64) != truth).sum())
        if other:
            notes.append(
                f"{name} had other true labels for {other} photos; it is scored by those of {labels_name}"
            )
    return notes


def flipped_people(data: AlignedPredictions, reference: str, variant: str) -> pd.DataFrame:
    """`person, photos, mended, broken, other` of people with changed predictions, largest net change first.

    `mended`: photos that are wrong under the reference, right under the variant; `broken`: the other way
    round; `other`: wrong under both, differently. Whole numbers, or means over the pairs of their runs.
    """
    before, after = (data.answers(name) for name in (reference, variant))
    pairs = len(before) * len(after)
    was, is_ = before[:, None] == data.truth, after[None] == data.truth  # [S, 1, N], [1, S', N]
    table = pd.DataFrame(
        {
            "person": data.person,
            "photos": np.ones(len(data.truth), dtype=np.int64),
            "mended": (~was & is_).sum(axis=(0, 1)),
            "broken": (was & ~is_).sum(axis=(0, 1)),
            "other": (~was & ~is_ & (before[:, None] != after[None])).sum(axis=(0, 1)),
        }
    )
    people = table.groupby("person", sort=True).sum().astype(np.int64).reset_index()
    if pairs > 1:
        people[["mended", "broken", "other"]] = people[["mended", "broken", "other"]] / pairs
    people = people[people[["mended", "broken", "other"]].any(axis=1)]
    net = (people["mended"] - people["broken"]).abs()
    flips = people[["mended", "broken", "other"]].sum(axis=1)
    order = np.lexsort((people["person"].to_numpy(str), -flips.to_numpy(), -net.to_numpy()))
    return people.iloc[order].reset_index(drop=True)
