"""Finds labels that are probably wrong, for a person to set_deterministic with `cleanplate review`.

Reads build/images, build/boxes.parquet, build/labels.parquet, build/folds.parquet, the data folder's
train/train.csv and, beside the corrections, reviewed.csv (what was looked at and kept, which is not asked
again); writes reports/suspects.csv and reports/audit.json. The model behind it is fitted anew on frozen
features of the faces and answers for people of a fold that it has not learnt; `train` has no part in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.dataset.competition_tables import COLUMNS, TABLE, rows_of
from pipeline.dataset.corrections_table import Kept, read_entries
from pipeline.dataset.listing import Listing
from pipeline.io.atomic import write_report
from pipeline.io.tables import write_csv
from pipeline.params.schema import Audit
from pipeline.runtime.errors import Problems
from pipeline.runtime.progress import say
from stages.shared.audit_evidence import Evidence, gathered, photo_table
from stages.shared.command import Stage, stage_command

KEPT = "reviewed.csv"
SURE = 0.95  # agreement below which a doubt is more likely the model's mistake than the label's


def run(stage: Stage) -> None:
    """Describes the faces, asks the models, applies the rules, publishes."""
    photos = photo_table(stage)
    kept = kept_labels(stage)
    say(f"audit: looking at {len(photos)} photos")
    import threadpoolctl

    with threadpoolctl.threadpool_limits(1):  # sums in one order: the same result on every machine
        evidence = gathered(photos, stage)
        found, counts = suspects_of(evidence, stage)
        report = report_of(evidence, stage.params.audit)
    from pipeline.analysis.audit.suspects import ranked, without_kept

    table = ranked(without_kept(found, kept))
    report |= {"rows": len(table), **counts}
    write_csv(stage.out("reports/suspects.csv"), table)
    write_report(stage.out("reports/audit.json"), {"suspects": len(table)}, report)
    for task in ("mask", "gender", "age"):
        listed = int((table["field"] == task).sum())
        say(f"audit: {task}: {rate_words(report[task])}, {listed} listed")
    say(f"audit: {len(table)} suspects in {stage.out('reports/suspects.csv')}; see `cleanplate review`")


def rate_words(task: dict[str, Any]) -> str:
    """How many labels are wrong, in words that promise no more than the model behind them can know."""
    rate = task["error_rate"]
    interval = f"95 % {rate['low']:.1%} to {rate['high']:.1%}"
    if not task["upper_bound"]:
        return f"{rate['value']:.1%} of the labels wrong ({interval})"
    return (
        f"at most about {rate['value']:.1%} of the labels wrong ({interval}): the model agrees with only "
        f"{task['agreement']:.0%} of them, so most of what it doubts may be its own mistakes"
    )


def kept_labels(stage: Stage) -> list[Kept]:
    """What reviewers have looked at and found right."""
    path = Path(stage.params.relabel.corrections).with_name(KEPT)
    if not path.is_file():
        return []
    return [row for _, row in read_entries(Kept, path.read_bytes(), str(path))]


def suspects_of(evidence: Evidence, stage: Stage) -> tuple[list[Any], dict[str, int]]:
    """Every suspicion, and how many of each rule."""
    from pipeline.analysis.audit.duplicates import near_duplicates
    from pipeline.analysis.audit.rules import same_ids, same_people, table_differences
    from pipeline.analysis.audit.suspects import Predictions, find_label_issues

    audit, photos = stage.params.audit, evidence.photos
    people = photos.drop_duplicates("who").sort_values("who")
    found = swapped(evidence, audit)
    taken = {s.image for s in found}
    counts = {"swaps": len(found) // 2}
    for name in ("mask", "gender", "age"):
        table = photos if name == "mask" else people
        images = list(table["image"]) if name == "mask" else [""] * len(table)
        predictions = Predictions(
            name,
            evidence.p[name],
            evidence.codes[name],
            list(table["person"]),
            images,
            [str(v) for v in table[name]],
        )
        found += [
            s
            for s in find_label_issues(predictions, audit.min_confidence)
            if not s.image or s.image not in taken
        ]
    twins = near_duplicates(
        evidence.hashes,
        evidence.components,
        list(photos["person"]),
        audit.max_hash_distance,
        audit.min_cosine,
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
    from pipeline.analysis.audit.rules import mislabelled_pairs
    from pipeline.analysis.audit.suspects import Suspect

    photos, found = evidence.photos, []
    said, images, people = (photos[c].tolist() for c in ("mask", "image", "person"))
    pairs = mislabelled_pairs(
        evidence.p["mask"], evidence.codes["mask"], photos["who"].to_numpy(), audit.min_confidence
    )
    for pair in pairs:
        for own, other in ((pair.first, pair.second), (pair.second, pair.first)):
            why = f"looks {said[other]}, and {Path(images[other]).name} looks {said[own]}: swapped?"
            found.append(
                Suspect(people[own], images[own], "mask", said[own], said[other], pair.confidence, why)
            )
    return found


def report_of(evidence: Evidence, audit: Audit) -> dict[str, Any]:
    """Details of reports/audit.json: by task, how many labels are wrong, how well the model knows the task.

    Where it knows it badly, the rate is an upper bound: wrong labels and wrong answers look the same, and
    no calibration against the same labels tells them apart.
    """
    from pipeline.analysis.audit.error_rate import error_rate

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
            "upper_bound": bool(np.mean(recalls) < SURE),
        }
    return report


if __name__ == "__main__":
    stage_command("audit", run, __doc__ or "")
