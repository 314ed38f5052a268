"""Finds labels that are probably wrong, for review with `cleanplate review`.

Reads build/images, build/boxes.parquet, build/labels.parquet, build/folds.parquet, the data folder's
train/train.csv and reviewed.csv (confirmed labels, which are not suspected again); writes
reports/suspects.csv and reports/audit.json. Fits its own models on frozen features of the faces and predicts
out of fold; independent of `train`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.dataset.competition_tables import COLUMNS, TABLE, read_optional_table
from pipeline.dataset.corrections_table import ReviewedLabel, read_entries
from pipeline.dataset.listing import Listing
from pipeline.io.atomic import write_report
from pipeline.io.tables import write_csv
from pipeline.io.url_folder import folder_of
from pipeline.params.schema import Audit
from pipeline.runtime.errors import Problems
from pipeline.runtime.progress import say
from stages.shared.audit_evidence import Evidence, gather_evidence, photo_table, read_face_networks
from stages.shared.command import Stage, stage_command

REVIEWED = "reviewed.csv"
MIN_AGREEMENT = 0.95  # below, a disagreement is more likely the model's mistake than the label's


def run(stage: Stage) -> None:
    """Describes the faces, asks the models, applies the rules, publishes."""
    photos = photo_table(stage)
    reviewed = read_reviewed(stage)
    say(f"audit: looking at {len(photos)} photos")
    import threadpoolctl

    with threadpoolctl.threadpool_limits(1):  # sums in one order: the same result on every machine
        evidence = gather_evidence(photos, stage)
        suspects, counts = find_suspects(evidence, stage)
        report = build_report(evidence, stage.params.audit)
    from pipeline.analysis.audit.suspects import ranked, without_kept

    table = ranked(without_kept(suspects, reviewed))
    report |= {"rows": len(table), **counts, "face_networks": read_face_networks()}
    write_csv(stage.out("reports/suspects.csv"), table)
    write_report(stage.out("reports/audit.json"), {"suspects": len(table)}, report)
    for task in ("mask", "gender", "age"):
        listed = int((table["field"] == task).sum())
        say(f"audit: {task}: {format_rate(report[task])}, {listed} listed")
    say(f"audit: {len(table)} suspects in {stage.out('reports/suspects.csv')}; see `cleanplate review`")


def format_rate(task: dict[str, Any]) -> str:
    """The estimated label error rate in words; an upper bound if the model is weak."""
    rate = task["error_rate"]
    interval = f"95 % {rate['low']:.1%} to {rate['high']:.1%}"
    if not task["upper_bound"]:
        return f"{rate['value']:.1%} of the labels wrong ({interval})"
    return (
        f"at most about {rate['value']:.1%} of the labels wrong ({interval}): the model agrees with only "
        f"{task['agreement']:.0%} of them, so most of what it doubts may be its own mistakes"
    )


def read_reviewed(stage: Stage) -> list[ReviewedLabel]:
    """The labels that reviewers confirmed."""
    path = Path(stage.params.relabel.corrections).with_name(REVIEWED)
    if not path.is_file():
        return []
    return [row for _, row in read_entries(ReviewedLabel, path.read_bytes(), str(path))]


def find_suspects(evidence: Evidence, stage: Stage) -> tuple[list[Any], dict[str, int]]:
    """All suspects, and the number found by each rule."""
    from pipeline.analysis.audit.duplicates import near_duplicates
    from pipeline.analysis.audit.rules import same_ids, same_people, table_differences
    from pipeline.analysis.audit.suspects import Predictions, find_label_issues

    audit, photos = stage.params.audit, evidence.photos
    people = photos.drop_duplicates("person_id").sort_values("person_id")
    suspects = find_swaps(evidence, audit)
    swapped_images = {s.image for s in suspects}
    counts = {"swaps": len(suspects) // 2}
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
        suspects += [
            s
            for s in find_label_issues(predictions, audit.min_confidence)
            if not s.image or s.image not in swapped_images
        ]
    duplicates = near_duplicates(
        evidence.hashes,
        evidence.components,
        list(photos["person"]),
        audit.max_hash_distance,
        audit.min_cosine,
    )
    listing = Listing()
    rows = read_optional_table(folder_of(stage.params.data.root).resolve(), TABLE, COLUMNS, (), listing) or []
    if listing.problems:
        raise Problems(f"{TABLE} cannot be read", listing.problems, fix="correct the table")
    rules = {
        "same_photos": same_people(duplicates, photos),
        "same_ids": same_ids(photos, evidence.components),
        "table_differences": table_differences(rows, photos, TABLE),
    }
    for name, of_rule in rules.items():
        suspects += of_rule
        counts[name] = len(of_rule)
    return suspects, counts


def find_swaps(evidence: Evidence, audit: Audit) -> list[Any]:
    """Two rows for each pair of photos with probably swapped mask labels."""
    from pipeline.analysis.audit.rules import mislabelled_pairs
    from pipeline.analysis.audit.suspects import Suspect

    photos, suspects = evidence.photos, []
    given, images, people = (photos[c].tolist() for c in ("mask", "image", "person"))
    pairs = mislabelled_pairs(
        evidence.p["mask"], evidence.codes["mask"], photos["person_id"].to_numpy(), audit.min_confidence
    )
    for pair in pairs:
        for own, other in ((pair.first, pair.second), (pair.second, pair.first)):
            why = f"looks {given[other]}, and {Path(images[other]).name} looks {given[own]}: swapped?"
            suspects.append(
                Suspect(people[own], images[own], "mask", given[own], given[other], pair.confidence, why)
            )
    return suspects


def build_report(evidence: Evidence, audit: Audit) -> dict[str, Any]:
    """Details of reports/audit.json: by task, the label error rate and the model's agreement.

    With a weak model the rate is an upper bound: wrong labels and wrong predictions look the same, even after
    calibration against the same labels.
    """
    from pipeline.analysis.audit.error_rate import error_rate

    person_ids = evidence.photos["person_id"].to_numpy()
    people = int(person_ids.max()) + 1
    report: dict[str, Any] = {"people": people, "photos": len(person_ids)}
    for name in ("mask", "gender", "age"):
        owner = person_ids if name == "mask" else np.arange(people)
        p, codes = evidence.p[name], evidence.codes[name]
        recalls = [float((p[codes == k].argmax(axis=1) == k).mean()) for k in np.unique(codes)]
        report[name] = {
            "labels": len(codes),
            "error_rate": error_rate(p, codes, owner, audit.bootstrap, audit.seed),
            "agreement": round(float(np.mean(recalls)), 6),
            "upper_bound": bool(np.mean(recalls) < MIN_AGREEMENT),
        }
    return report


if __name__ == "__main__":
    stage_command("audit", run, __doc__ or "")
