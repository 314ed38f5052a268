"""Does the model look at the background? Swaps backgrounds behind people, and draws Grad-CAM.

Reads build/model, build/images, build/mattes, build/labels.parquet, build/folds.parquet and the raw photos of
build/photos.parquet; writes reports/reliance.json, reports/reliance.parquet (a row per photo) and
reports/reliance.png. Uses the model that was not trained on the photo's person; other backgrounds come from
the same fold or are procedural. Without mattes (`segment.method: none`) the numbers are null, and only the
maps are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice

import numpy as np
import pandas as pd
from PIL import Image

from pipeline.analysis.contact_sheet import CELL, Row, draw_contact_sheet
from pipeline.analysis.reliance.gradcam_sheet import sheet_row
from pipeline.analysis.reliance.summary import summary, young_to_old
from pipeline.analysis.reliance.swap_views import Config, Task, make_viewer, sources_of
from pipeline.compose.backgrounds import Candidate, Sources
from pipeline.io.atomic import atomic_file, write_report
from pipeline.io.image_store import ImageStore
from pipeline.labels import TASKS
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import say, track
from pipeline.seeds import seed_of
from pipeline.train.face_features import APPEND, FEATURES
from pipeline.workers.run import run_parallel
from stages.shared.artefacts import COMPOSED, CROPS, FOLDS, LABELS, MATTES, MODEL, RELIANCE
from stages.shared.command import Stage, stage_command
from stages.shared.face_numbers import faces_to_append
from stages.shared.model import ModelConfig, read_config
from stages.shared.photos import open_photo_store

REPORT, SHEET = "reports/reliance.json", "reports/reliance.png"
BATCH = 16  # photos per batch, each with its swapped backgrounds
SHEET_ROWS = 10
NO_MATTES = "segment.method is none: without mattes no background can be swapped, and nothing is outside"

SAME_FACE = (
    "train.face_features is append: the face networks saw the photo itself, so another background changes "
    "the picture and not their numbers"
)
NO_PICTURES = "train.model is features: it sees no composed picture whose background could be swapped"


def run(stage: Stage) -> None:
    """Runs the stage."""
    config = read_config()
    if config.train.model == FEATURES:
        skip(stage)
        return
    photos = validation_photos(stage, config)
    say(f"reliance: loading the model for {len(photos)} photos")
    view_config = make_view_config(stage, config)
    rows = measure(stage, config, view_config, photos)
    report = summary(rows, stage.params.evaluate.bootstrap, stage.params.reliance.seed)
    matted = stage.params.segment.method != "none"
    report |= {
        "backgrounds_per_photo": stage.params.reliance.backgrounds_per_photo if matted else 0,
        "people": int(rows["person"].nunique()),
    }
    report |= {
        "photos": len(rows),
        "without_person": int(rows["background"].isna().sum()) if matted else None,
    }
    if config.train.face_features == APPEND:
        say(f"reliance: {SAME_FACE}")
        report |= {"face_features": SAME_FACE}
    draw_sheet(stage, config, view_config, photos, rows)
    RELIANCE.write(stage.out(RELIANCE.path), rows)
    rate = report["flip_rate"]
    write_report(stage.out(REPORT), {"flip_rate": rate and rate["value"]}, report)
    if not matted:
        say(f"reliance: {NO_MATTES}; the numbers are null")
    elif report["flip_rate"]:
        rate, own = report["flip_rate"], report["same_background"]
        say(
            f"reliance: another background changes the class of {rate['value']:.1%} of the photos "
            f"(95 % {rate['low']:.1%} to {rate['high']:.1%}); cutting out alone {own['value']:.1%}"
        )


def skip(stage: Stage) -> None:
    """Writes null metrics, an empty table and an empty sheet: face networks saw the photo itself."""
    say(f"reliance: {NO_PICTURES}; the numbers are null")
    columns = {name: pd.Series([], dtype=kind.to_pandas_dtype()) for name, kind in RELIANCE.columns.items()}
    rows = pd.DataFrame(columns)
    RELIANCE.write(stage.out(RELIANCE.path), rows)
    nothing = {"backgrounds_per_photo": 0, "people": 0, "photos": 0, "without_person": None}
    report = summary(rows, stage.params.evaluate.bootstrap, stage.params.reliance.seed) | nothing
    write_report(stage.out(REPORT), {"flip_rate": None}, report | {"reason": NO_PICTURES})
    with atomic_file(stage.out(SHEET)) as part:
        Image.new("RGB", (CELL, CELL), "white").save(part, "PNG")


def validation_photos(stage: Stage, config: ModelConfig) -> pd.DataFrame:
    """`image, person, fold, age, true_class, x1, y1, x2, y2` of the chosen people, by image."""
    labels = LABELS.read("image", "person", "age", "true_class")
    folds = FOLDS.read("person", "fold")
    squares = CROPS.read("image", "x1", "y1", "x2", "y2")
    table = labels.merge(folds, on="person").merge(squares, on="image")
    table = table[table["fold"].isin(config.folds)].sort_values("image", ignore_index=True)
    if table.empty:
        raise UserError("the held-out folds contain nobody", got=f"folds {config.folds}")
    reliance = stage.params.reliance
    people = sorted(set(table["person"]), key=lambda p: (seed_of(reliance.seed, "reliance", p), p))
    kept = people[: stage.limit or reliance.max_people]
    return table[table["person"].isin(kept)].reset_index(drop=True)


def make_tasks(stage: Stage, view_config: Config, photos: pd.DataFrame) -> list[Task]:
    """A task for each photo; without mattes only the unchanged photo."""
    columns = ["image", "person", "fold", "x1", "y1", "x2", "y2"]
    rows = list(zip(*(photos[c].tolist() for c in columns), strict=True))
    if stage.params.segment.method == "none":
        return [Task(image, (x1, y1, x2, y2), None) for image, _, _, x1, y1, x2, y2 in rows]
    reliance = stage.params.reliance
    people = photos[["fold", "person"]].drop_duplicates()
    if reliance.backgrounds == "others" and people["fold"].value_counts().min() < 2:
        raise UserError(
            "a fold has only one person, so it contains no other background",
            where="reliance.backgrounds",
            got="others",
            fix="set reliance.backgrounds: procedural, or reliance.max_people higher",
        )
    candidates = [Candidate(image, person, fold) for image, person, fold, *_ in rows]
    choose = load_plugin("compose.backgrounds", reliance.backgrounds).chooser(view_config.sources, candidates)
    tasks = []
    for photo, (*_, x1, y1, x2, y2) in zip(candidates, rows, strict=True):
        draws = [
            seed_of(reliance.seed, "swap", photo.image, k) for k in range(reliance.backgrounds_per_photo)
        ]
        tasks.append(Task(photo.image, (x1, y1, x2, y2), [choose(photo, draw) for draw in draws]))
    return tasks


def make_view_config(stage: Stage, config: ModelConfig) -> Config:
    """Settings for all photos."""
    params = stage.params
    matted = params.segment.method != "none"
    mattes = MATTES.open() if matted else ImageStore(MATTES.path)
    return Config(
        sources=Sources(
            open_photo_store(params.data.root), mattes, background_rgb=params.ingest.transparent_rgb
        ),
        images=COMPOSED.open(),
        backgrounds=params.reliance.backgrounds if matted else "procedural",
        fill=params.compose.fill,
        size=params.compose.size,
        network_size=config.train.size,
        fill_seed=params.compose.seed,
        seed=params.reliance.seed,
    )


def measure(stage: Stage, config: ModelConfig, view_config: Config, photos: pd.DataFrame) -> pd.DataFrame:
    """`photos` with the measurements of `pipeline.analysis.reliance.swap_views`."""
    tasks = make_tasks(stage, view_config, photos)
    batches = predict_batches(stage, config, view_config, photos, tasks)
    parts = [table for table, _ in track(batches, -(-len(tasks) // BATCH), "reliance", "batches")]
    facts = photos[["image", "person", "fold", "age", "true_class"]]
    rows = facts.merge(pd.concat(parts, ignore_index=True), on="image", validate="one_to_one")
    return rows.sort_values("image", ignore_index=True)


def predict_batches(
    stage: Stage, config: ModelConfig, view_config: Config, photos: pd.DataFrame, tasks: list[Task]
) -> Iterator[tuple[pd.DataFrame, list[Row]]]:
    """For each batch of a fold's photos, the predictions of its model and the rows of the sheet."""
    from pipeline.analysis.reliance.swap_predictions import predict_views
    from pipeline.train.config import resolve_config
    from pipeline.train.inference import load_model

    facts, resolved = photos.set_index("image"), resolve_config(config.train)
    faces = faces_to_append(config.train, list(facts.index))
    row_of = {image: row for row, image in enumerate(facts.index)}
    for fold in config.folds:
        of_fold = [task for task in tasks if facts.loc[task.image, "fold"] == fold]
        if not of_fold:
            continue
        model = load_model(MODEL, resolved, fold)
        views = run_parallel(
            partial(make_viewer, view_config),
            of_fold,
            machine=stage.params.machine,
            name=_name,
            reads=partial(sources_of, view_config),
        )
        while batch := list(islice(views, BATCH)):
            own = faces and faces.of(np.array([row_of[view.image] for view in batch]))
            table, maps = predict_views(model, resolved, batch, own)
            yield (
                table,
                [
                    sheet_row(
                        view,
                        facts.loc[view.image],
                        int(predicted),
                        maps and {t: m[at] for t, m in maps.items()},
                    )
                    for at, (view, predicted) in enumerate(zip(batch, table["predicted"], strict=True))
                ],
            )


def draw_sheet(
    stage: Stage, config: ModelConfig, view_config: Config, photos: pd.DataFrame, rows: pd.DataFrame
) -> None:
    """Draws reports/reliance.png: right answers, then wrong ones, each from young to old."""
    images = young_to_old(rows, SHEET_ROWS, stage.params.reliance.seed)
    tasks = {
        task.image: task._replace(donors=task.donors and [])
        for task in make_tasks(stage, view_config, photos)
    }
    drawn: dict[str, Row] = {}
    batches = predict_batches(stage, config, view_config, photos, [tasks[image] for image in sorted(images)])
    for table, sheet_rows in batches:
        drawn |= dict(zip(table["image"], sheet_rows, strict=True))
    picture = draw_contact_sheet(("picture", *TASKS), [drawn[image] for image in images])
    with atomic_file(stage.out(SHEET)) as part:
        Image.fromarray(picture).quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(
            part, "PNG", optimize=True
        )


def _name(task: Task) -> str:
    return task.image


if __name__ == "__main__":
    stage_command("reliance", run, __doc__ or "")
