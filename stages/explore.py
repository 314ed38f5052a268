"""Looks at the data: labels, ages next to the bounds, quality, duplicates, and what backgrounds give away.

Reads the raw photos, build/photos.parquet, build/labels.parquet, build/folds.parquet and build/mattes; writes
reports/explore.json, and figures and contact sheets of every class in reports/explore. How well the
background alone tells a task, on people that the probe has not learnt, says whether removing it can help.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.analysis.contact_sheet import choose_photos
from pipeline.io.atomic import atomic_folder, write_json
from pipeline.io.image_store import matte_name
from pipeline.io.photo import encode_jpeg, read_photo
from pipeline.labels import CLASSES, TASKS
from pipeline.runtime.progress import say
from pipeline.seeds import seed_of
from stages.shared.artefacts import FOLDS, LABELS, MATTES, PHOTOS
from stages.shared.command import Stage, stage_command

if TYPE_CHECKING:
    from pipeline.analysis.explore.photo_stats import PhotoStats

PROBED = {"age": True, "gender": True, "mask": False}  # whether all photos of a person have one label
LISTED = 100  # near-duplicate pairs named in the report
LEAST_PHOTOS = 20  # of the tables' photos must show background, or nothing is probed


def run(stage: Stage) -> None:
    """Runs the stage."""
    photos = PHOTOS.read("image", "person", "split", "width", "height")
    labels = LABELS.read("image", "person", "gender", "age", "mask", "true_class")
    folds = FOLDS.read("person", "fold")
    photos = limited(photos, stage.limit)
    facts = labels.merge(folds, on="person", validate="many_to_one").drop(columns="person")
    train = photos.reset_index(names="row").merge(facts, on="image").sort_values("image")
    say(f"explore: looking at {len(train)} photos")
    import threadpoolctl

    from pipeline.analysis.explore.distributions import count_labels, summary
    from pipeline.analysis.explore.probe import verdict

    with threadpoolctl.threadpool_limits(1):  # sums in one order: the same result on every machine
        looks = looked_at(photos, stage)
        duplicates = duplicates_of(photos, looks, stage)
        probes = probes_of(train, looks, stage)
    report: dict[str, Any] = {
        "labels": count_labels(train),
        "quality": {
            "brightness": summary(looks.brightness),
            "sharpness": summary(looks.sharpness),
            "sizes": sizes_of(photos),
        },
        "background": probes,
        "duplicates": duplicates,
    }
    write_json(stage.out("reports/explore.json"), report)
    draw(report, looks, train, stage)
    for task, probe in probes["probes"].items():
        say(f"explore: {verdict(task, probe)}")
    if probes["note"]:
        say(f"explore: {probes['note']}")


def limited(photos: pd.DataFrame, limit: int | None) -> pd.DataFrame:
    """Photos of the first `limit` people, and as many photos to predict; all of them without a limit."""
    photos = photos.reset_index(drop=True)
    if not limit:
        return photos
    people = sorted(set(photos.loc[photos["split"] == "train", "person"]))[:limit]
    evals = photos[photos["split"] != "train"].head(limit)
    return pd.concat([photos[photos["person"].isin(people)], evals]).reset_index(drop=True)


def looked_at(photos: pd.DataFrame, stage: Stage) -> PhotoStats:
    """What every photo looks like, in the order of `photos`."""
    from pipeline.analysis.explore.photo_stats import Config, Task, compute_photo_stats

    mattes = MATTES.open()
    orders = [Task(image, matte_name(image) in mattes) for image in photos["image"]]
    sight = Config(Path(stage.params.data.root), mattes, stage.params.ingest.transparent_rgb)
    return compute_photo_stats(orders, sight, stage.params.machine.workers)


def probes_of(train: pd.DataFrame, looks: PhotoStats, stage: Stage) -> dict[str, Any]:
    """`probes` by task (none where nothing could be probed), the `photos` used, and a `note` why none."""
    from pipeline.analysis.audit.out_of_fold import reduced
    from pipeline.analysis.explore.probe import Labels, OutOfFoldRidge, Resampling, run_probe, with_verdicts

    explore = stage.params.explore
    seen = looks.background[train["row"]]
    kept = seen.any(axis=1)
    used, features = train[kept], seen[kept]
    found: dict[str, Any] = {"photos": len(used), "left_out": int((~kept).sum()), "note": "", "probes": {}}
    if len(used) < LEAST_PHOTOS or used["fold"].nunique() < 2:
        found["note"] = (
            "too few photos with a matte, so the background was not probed; set segment.method: unet"
        )
        return found
    components = reduced(features, seed_of(explore.seed, "components"))
    who = np.unique(used["person"].to_numpy(dtype=str), return_inverse=True)[1]
    held = used["fold"].to_numpy()
    ridge = OutOfFoldRidge(components, held, explore.l2)
    luck = Resampling(explore.bootstrap, explore.permutations, explore.seed)
    for name, of_people in PROBED.items():
        task = TASKS[name]
        labels = Labels(task.code_of(used["true_class"].to_numpy(np.int64)), task.size, of_people)
        found["probes"][name] = run_probe(ridge, labels, who, held, luck)
    found["probes"] = with_verdicts(found["probes"])
    return found


def duplicates_of(photos: pd.DataFrame, looks: PhotoStats, stage: Stage) -> dict[str, Any]:
    """Pairs of photos that show the same, of two people, or on both sides of train and eval."""
    from pipeline.analysis.audit.duplicates import near_duplicates
    from pipeline.analysis.audit.out_of_fold import reduced

    explore = stage.params.explore
    # photos to predict have no known person, so pairs of them are not compared
    owners = photos["person"].where(photos["split"] == "train", "").tolist()
    components = reduced(looks.features, seed_of(explore.seed, "features"))
    twins = near_duplicates(looks.hashes, components, owners, explore.max_hash_distance, explore.min_cosine)
    images = photos["image"].tolist()
    pairs = [(images[t.first], images[t.second]) for t in twins]
    mixed = [bool(owners[t.first]) != bool(owners[t.second]) for t in twins]
    return {
        "between_people": mixed.count(False),
        "between_train_and_eval": mixed.count(True),
        "pairs": [list(pair) for pair in pairs[:LISTED]],
    }


def sizes_of(photos: pd.DataFrame) -> dict[str, int]:
    """How many photos have which size, most frequent first, twenty at most."""
    words = [f"{w}x{h}" for w, h in zip(photos["width"], photos["height"], strict=True)]
    counts = {word: words.count(word) for word in sorted(set(words))}
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:20])


def draw(report: dict[str, Any], looks: PhotoStats, train: pd.DataFrame, stage: Stage) -> None:
    """Publishes reports/explore: figures, and sheets/<class>.jpg."""
    from pipeline.analysis.explore import plots
    from pipeline.analysis.explore.plots import contact_sheet

    explore, root = stage.params.explore, Path(stage.params.data.root)
    with atomic_folder(stage.out("reports/explore")) as folder:
        plots.draw_labels(report["labels"], folder / "labels.png")
        plots.draw_ages(report["labels"], folder / "ages.png")
        columns = {"brightness": looks.brightness, "log10 of sharpness": np.log10(looks.sharpness + 1)}
        if np.isfinite(looks.person).any():
            columns["share of the photo that is person"] = looks.person
        plots.draw_quality(columns, folder / "quality.png")
        plots.draw_background(report["background"], folder / "background.png")
        (folder / "sheets").mkdir()
        for code in range(CLASSES):
            own = train[train["true_class"] == code]
            known = [
                (image, person, False) for image, person in zip(own["image"], own["person"], strict=True)
            ]
            shown = choose_photos(known, explore.sheet_photos, explore.seed)
            if shown:
                sheet = contact_sheet(
                    [read_photo(root / i, stage.params.ingest.transparent_rgb) for i in shown]
                )
                (folder / "sheets" / f"{code:02d}.jpg").write_bytes(encode_jpeg(sheet))


if __name__ == "__main__":
    stage_command("explore", run, __doc__ or "")
