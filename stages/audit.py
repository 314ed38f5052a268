"""Finds labels that are probably wrong, for a person to settle with `cleanplate review`.

Reads build/images, build/boxes.parquet, build/labels.parquet, build/folds.parquet, the data folder's
train/train.csv and, beside the corrections, reviewed.csv (what was looked at and kept, which is not asked
again); writes reports/suspects.csv and reports/audit.json. The model behind it is fitted anew on frozen
features of the faces and answers for people of a fold that it has not learnt; `train` has no part in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.corrections_table import Kept, read_entries
from pipeline.errors import Problems, UserError
from pipeline.listing import Listing
from pipeline.params.audit import Audit
from pipeline.progress import say
from pipeline.publish import write_json
from pipeline.seeds import seed_of
from pipeline.tables import read_table, write_csv
from pipeline.tasks import TASKS
from pipeline.train_table import COLUMNS, TABLE, rows_of
from stages.command import Stage, stage_command

BUILD = Path("build")
FACTS = ("image", "person", "gender", "age", "mask", "true_class")
KEPT = "reviewed.csv"


@dataclass(frozen=True)
class Evidence:
    """Photos with labels, what they look like, and out-of-fold probabilities by task.

    Args:
        photos: columns FACTS, fold, `who` (the person's number) and the geometry of the crop.
        components: float64 [N, C], principal components of the features.
        hashes: uint64 [N, 4].
        p: by task; mask per photo [N, 3], gender and age group per person [P, K].
        codes: by task, as said, in the rows of `p`.
    """

    photos: pd.DataFrame
    components: np.ndarray
    hashes: np.ndarray
    p: dict[str, np.ndarray]
    codes: dict[str, np.ndarray]


def run(stage: Stage) -> None:
    """Describes the faces, asks the models, applies the rules, publishes."""
    photos = photo_table(stage)
    kept = kept_labels(stage)
    import threadpoolctl

    with threadpoolctl.threadpool_limits(1):  # sums in one order: the same result on every machine
        evidence = gathered(photos, stage)
        found, counts = suspects_of(evidence, stage)
        report = report_of(evidence, stage.params.audit)
    from pipeline.audit.suspects import ranked, without_kept

    table = ranked(without_kept(found, kept))
    report |= {"rows": len(table), **counts}
    write_csv(stage.out("reports/suspects.csv"), table)
    write_json(stage.out("reports/audit.json"), report)
    for task in ("mask", "gender", "age"):
        rate = report[task]["error_rate"]
        say(
            f"audit: {task}: {rate['value']:.1%} of the labels wrong "
            f"(95 % {rate['low']:.1%} to {rate['high']:.1%}), {int((table['field'] == task).sum())} listed"
        )
    say(f"audit: {len(table)} suspects in {stage.out('reports/suspects.csv')}; see `cleanplate review`")


def photo_table(stage: Stage) -> pd.DataFrame:
    """Photos to train on, by image, with fold, box, crop and the number of their person."""
    labels = read_table(BUILD / "labels.parquet", "relabel", FACTS)[list(FACTS)]
    folds = read_table(BUILD / "folds.parquet", "split", ("person", "fold"))
    boxes = read_table(BUILD / "boxes.parquet", "detect", ("image", "landmarks"))
    crops = read_table(BUILD / "images/images.parquet", "compose", ("image", "scale"))
    photos = labels.merge(folds, on="person", validate="many_to_one").sort_values("image")
    photos = photos[photos["person"].isin(list(photos["person"].drop_duplicates())[: stage.limit])]
    table = photos.merge(boxes, on="image").merge(crops, on="image", suffixes=("", "_square"))
    if len(table) != len(photos) or table.empty:
        raise UserError(
            "not every photo has a box and a composed picture",
            where=BUILD / "images/images.parquet",
            got=f"{len(table)} of {len(photos)}",
            fix="run `dvc repro compose`",
        )
    return table.assign(who=np.unique(table["person"].to_numpy(dtype=str), return_inverse=True)[1])


def kept_labels(stage: Stage) -> list[Kept]:
    """What reviewers have looked at and found right."""
    path = Path(stage.params.relabel.corrections).with_name(KEPT)
    if not path.is_file():
        return []
    return [row for _, row in read_entries(Kept, path.read_bytes(), str(path))]


def gathered(photos: pd.DataFrame, stage: Stage) -> Evidence:
    """Features of every photo, and probabilities from models that have not learnt its person."""
    from pipeline.audit.face import face_matrix
    from pipeline.audit.features import Order, describe
    from pipeline.audit.out_of_fold import out_of_fold, reduced
    from pipeline.audit.pooled import pooled, sharpened
    from pipeline.picture_store import PictureStore, composed_name

    audit, pictures = stage.params.audit, PictureStore.verified(BUILD / "images", "compose")
    boxes = photos[["x1", "y1", "x2", "y2"]].to_numpy(np.float64).tolist()
    squares = photos[[f"{c}_square" for c in ("x1", "y1", "x2", "y2")]].to_numpy(np.float64).tolist()
    facts = zip(photos["image"], boxes, photos["landmarks"], squares, photos["scale"], strict=True)
    orders = [
        Order(composed_name(image), face_matrix(box, list(marks), square, scale, audit.size))
        for image, box, marks, square, scale in facts
    ]
    seen = describe(pictures, orders, audit, stage.params.machine.workers)
    components = reduced(seen.features, seed_of(audit.seed, "components"))
    who, folds = photos["who"].to_numpy(), photos["fold"].to_numpy()
    first = np.unique(who, return_index=True)[1]
    p, codes = {}, {}
    for name in ("mask", "gender", "age"):
        task = TASKS[name]
        said = task.code_of(photos["true_class"].to_numpy(np.int64))
        p[name] = out_of_fold(components, said, folds, task.size, audit.strength)
        codes[name] = said if name == "mask" else said[first]
        answers = p[name] if name == "mask" else pooled(p[name], who, len(first))
        p[name] = sharpened(answers, codes[name])
    return Evidence(photos, components, seen.hashes, p, codes)


def suspects_of(evidence: Evidence, stage: Stage) -> tuple[list[Any], dict[str, int]]:
    """Every suspicion, and how many of each rule."""
    from pipeline.audit.duplicates import near_duplicates
    from pipeline.audit.rules import same_ids, same_people, table_differences
    from pipeline.audit.suspects import Answers, doubted

    audit, photos = stage.params.audit, evidence.photos
    people = photos.drop_duplicates("who").sort_values("who")
    found = swapped(evidence, audit)
    taken = {s.image for s in found}
    counts = {"swaps": len(found) // 2}
    for name in ("mask", "gender", "age"):
        table = photos if name == "mask" else people
        images = list(table["image"]) if name == "mask" else [""] * len(table)
        answers = Answers(
            name,
            evidence.p[name],
            evidence.codes[name],
            list(table["person"]),
            images,
            [str(v) for v in table[name]],
        )
        found += [s for s in doubted(answers, audit.least) if not s.image or s.image not in taken]
    twins = near_duplicates(
        evidence.hashes, evidence.components, list(photos["person"]), audit.hash_bits, audit.cosine
    )
    listing = Listing()
    rows = rows_of(Path(stage.params.data.root).resolve(), TABLE, COLUMNS, (), listing) or []
    if listing.problems:
        raise Problems(f"{TABLE} cannot be read", listing.problems, fix="correct the table")
    rules = {
        "same_photos": same_people(twins, photos),
        "same_ids": same_ids(photos, evidence.components),
        "table_differences": table_differences(rows, photos, TABLE),
    }
    for name, suspects in rules.items():
        found += suspects
        counts[name] = len(suspects)
    return found, counts


def swapped(evidence: Evidence, audit: Audit) -> list[Any]:
    """Two rows for each pair of photos whose masks look exchanged."""
    from pipeline.audit.suspects import Suspect
    from pipeline.audit.swaps import likely_swaps

    photos, found = evidence.photos, []
    said, images, people = (photos[c].tolist() for c in ("mask", "image", "person"))
    swaps = likely_swaps(evidence.p["mask"], evidence.codes["mask"], photos["who"].to_numpy(), audit.least)
    for swap in swaps:
        for own, other in ((swap.first, swap.second), (swap.second, swap.first)):
            why = f"looks {said[other]}, and {Path(images[other]).name} looks {said[own]}: swapped?"
            found.append(
                Suspect(people[own], images[own], "mask", said[own], said[other], swap.confidence, why)
            )
    return found


def report_of(evidence: Evidence, audit: Audit) -> dict[str, Any]:
    """reports/audit.json: by task, how many labels are wrong, and how well the model knows the task."""
    from pipeline.audit.error_rate import error_rate

    who = evidence.photos["who"].to_numpy()
    people = int(who.max()) + 1
    report: dict[str, Any] = {"people": people, "photos": len(who)}
    for name in ("mask", "gender", "age"):
        owner = who if name == "mask" else np.arange(people)
        p, codes = evidence.p[name], evidence.codes[name]
        recalls = [float((p[codes == k].argmax(axis=1) == k).mean()) for k in np.unique(codes)]
        report[name] = {
            "labels": len(codes),
            "error_rate": error_rate(p, codes, owner, audit.bootstrap, audit.seed),
            "agreement": round(float(np.mean(recalls)), 6),
        }
    return report


if __name__ == "__main__":
    stage_command("audit", run, __doc__ or "")
