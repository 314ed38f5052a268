"""Explores the data: labels, ages near the bounds, quality, duplicates, and leakage through backgrounds.

Reads the raw photos, build/photos.parquet, build/labels.parquet, build/folds.parquet and build/mattes; writes
reports/explore.json, and figures and contact sheets of every class in reports/explore. If a probe on the
background alone predicts a task, on held-out people, then removing the background may help.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.analysis.contact_sheet import choose_photos
from pipeline.io.atomic import atomic_folder, write_json
from pipeline.io.image_store import matte_name
from pipeline.io.photo import encode_jpeg
from pipeline.labels import CLASSES, TASKS
from pipeline.runtime.progress import say
from pipeline.seeds import seed_of
from stages.shared.artefacts import FOLDS, LABELS, MATTES, PHOTOS
from stages.shared.command import Stage, stage_command
from stages.shared.photos import open_photo_store

if TYPE_CHECKING:
    from pipeline.analysis.explore.photo_stats import PhotoStats

PROBED = {"age": True, "gender": True, "mask": False}  # task -> whether a person has one label
MAX_LISTED_PAIRS = 100  # near-duplicate pairs in the report
MIN_PHOTOS = 20  # photos with background, below which there is no probe


def run(stage: Stage) -> None:
    """Runs the stage."""
    photos = PHOTOS.read("image", "person", "split", "width", "height")
    labels = LABELS.read("image", "person", "gender", "age", "mask", "true_class")
    folds = FOLDS.read("person", "fold")
    photos = limit_photos(photos, stage.limit)
    facts = labels.merge(folds, on="person", validate="many_to_one").drop(columns="person")
    train = photos.reset_index(names="row").merge(facts, on="image").sort_values("image")
    say(f"explore: looking at {len(train)} photos")
    import threadpoolctl

    from pipeline.analysis.explore.distributions import count_labels, summary
    from pipeline.analysis.explore.probe import verdict

    with threadpoolctl.threadpool_limits(1):  # sums in one order: the same result on every machine
        stats = compute_stats(photos, stage)
        duplicates = find_duplicates(photos, stats, stage)
        probes = probe_background(train, stats, stage)
    report: dict[str, Any] = {
        "labels": count_labels(train),
        "quality": {
            "brightness": summary(stats.brightness),
            "sharpness": summary(stats.sharpness),
            "sizes": count_sizes(photos),
        },
        "background": probes,
        "duplicates": duplicates,
    }
    write_json(stage.out("reports/explore.json"), report)
    draw(report, stats, train, stage)
    for task, probe in probes["probes"].items():
        say(f"explore: {verdict(task, probe)}")
    if probes["note"]:
        say(f"explore: {probes['note']}")


def limit_photos(photos: pd.DataFrame, limit: int | None) -> pd.DataFrame:
    """Photos of the first `limit` people, and as many photos to predict; all of them without a limit."""
    photos = photos.reset_index(drop=True)
    if not limit:
        return photos
    people = sorted(set(photos.loc[photos["split"] == "train", "person"]))[:limit]
    evals = photos[photos["split"] != "train"].head(limit)
    return pd.concat([photos[photos["person"].isin(people)], evals]).reset_index(drop=True)


def compute_stats(photos: pd.DataFrame, stage: Stage) -> PhotoStats:
    """Statistics of every photo, in the order of `photos`."""
    from pipeline.analysis.explore.photo_stats import Config, Task, compute_photo_stats

    mattes = MATTES.open()
    tasks = [Task(image, matte_name(image) in mattes) for image in photos["image"]]
    config = Config(open_photo_store(stage.params.data.root), mattes, stage.params.ingest.transparent_rgb)
    return compute_photo_stats(tasks, config, stage.params.machine)


def probe_background(train: pd.DataFrame, stats: PhotoStats, stage: Stage) -> dict[str, Any]:
    """`probes` by task (empty if there are too few photos), `photos` used, and a `note` with the reason."""
    from pipeline.analysis.audit.out_of_fold import reduced
    from pipeline.analysis.explore.probe import Labels, OutOfFoldRidge, Resampling, run_probe, with_verdicts

    explore = stage.params.explore
    backgrounds = stats.background[train["row"]]
    visible = backgrounds.any(axis=1)
    used, features = train[visible], backgrounds[visible]
    result: dict[str, Any] = {
        "photos": len(used),
        "left_out": int((~visible).sum()),
        "note": "",
        "probes": {},
    }
    if len(used) < MIN_PHOTOS or used["fold"].nunique() < 2:
        result["note"] = (
            "too few photos with a matte, so the background was not probed; set segment.method: unet"
        )
        return result
    components = reduced(features, seed_of(explore.seed, "components"))
    person_ids = np.unique(used["person"].to_numpy(dtype=str), return_inverse=True)[1]
    folds = used["fold"].to_numpy()
    ridge = OutOfFoldRidge(components, folds, explore.l2)
    resampling = Resampling(explore.bootstrap, explore.permutations, explore.seed)
    for name, of_people in PROBED.items():
        task = TASKS[name]
        labels = Labels(task.code_of(used["true_class"].to_numpy(np.int64)), task.size, of_people)
        result["probes"][name] = run_probe(ridge, labels, person_ids, folds, resampling)
    result["probes"] = with_verdicts(result["probes"])
    return result


def find_duplicates(photos: pd.DataFrame, stats: PhotoStats, stage: Stage) -> dict[str, Any]:
    """Near-duplicates between two people, or between train and eval."""
    from pipeline.analysis.audit.duplicates import near_duplicates
    from pipeline.analysis.audit.out_of_fold import reduced

    explore = stage.params.explore
    # photos to predict have no known person, so pairs of them are not compared
    owners = photos["person"].where(photos["split"] == "train", "").tolist()
    components = reduced(stats.features, seed_of(explore.seed, "features"))
    duplicates = near_duplicates(
        stats.hashes, components, owners, explore.max_hash_distance, explore.min_cosine
    )
    images = photos["image"].tolist()
    pairs = [(images[t.first], images[t.second]) for t in duplicates]
    mixed = [bool(owners[t.first]) != bool(owners[t.second]) for t in duplicates]
    return {
        "between_people": mixed.count(False),
        "between_train_and_eval": mixed.count(True),
        "pairs": [list(pair) for pair in pairs[:MAX_LISTED_PAIRS]],
    }


def count_sizes(photos: pd.DataFrame) -> dict[str, int]:
    """Number of photos by size, most frequent first, at most twenty."""
    words = [f"{w}x{h}" for w, h in zip(photos["width"], photos["height"], strict=True)]
    counts = {word: words.count(word) for word in sorted(set(words))}
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:20])


def draw(report: dict[str, Any], stats: PhotoStats, train: pd.DataFrame, stage: Stage) -> None:
    """Publishes reports/explore: figures, and sheets/<class>.jpg."""
    from pipeline.analysis.explore import plots
    from pipeline.analysis.explore.plots import contact_sheet

    explore, store = stage.params.explore, open_photo_store(stage.params.data.root)
    with atomic_folder(stage.out("reports/explore")) as folder:
        plots.draw_labels(report["labels"], folder / "labels.png")
        plots.draw_ages(report["labels"], folder / "ages.png")
        columns = {"brightness": stats.brightness, "log10 of sharpness": np.log10(stats.sharpness + 1)}
        if np.isfinite(stats.person).any():
            columns["share of the photo that is person"] = stats.person
        plots.draw_quality(columns, folder / "quality.png")
        plots.draw_background(report["background"], folder / "background.png")
        (folder / "sheets").mkdir()
        for code in range(CLASSES):
            own = train[train["true_class"] == code]
            candidates = [
                (image, person, False) for image, person in zip(own["image"], own["person"], strict=True)
            ]
            shown = choose_photos(candidates, explore.sheet_photos, explore.seed)
            if shown:
                sheet = contact_sheet([store.photo(i, stage.params.ingest.transparent_rgb) for i in shown])
                (folder / "sheets" / f"{code:02d}.jpg").write_bytes(encode_jpeg(sheet))


if __name__ == "__main__":
    stage_command("explore", run, __doc__ or "")
