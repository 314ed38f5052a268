"""Does the model look at the background? The person stays, the background is swapped; and Grad-CAM.

Reads build/model, build/images, build/mattes, build/labels.parquet, build/folds.parquet and the raw photos of
build/photos.parquet; writes reports/reliance.json, reports/reliance.parquet (a row per photo) and
reports/reliance.png. Each photo is asked about by the model that did not learn its person, and the other
backgrounds come from its own fold or from nothing. Without mattes (`segment.method: none`) there is nothing
to swap and no outside: the numbers are null, and the maps are drawn all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from pipeline.analysis.contact_sheet import CELL, Row, draw_contact_sheet
from pipeline.analysis.reliance.gradcam_sheet import overlaid
from pipeline.analysis.reliance.summary import summary, young_to_old
from pipeline.analysis.reliance.swap_views import Config, Result, Task, make_viewer
from pipeline.compose.backgrounds import Candidate, Sources
from pipeline.io.atomic import atomic_file, write_report
from pipeline.io.image_store import ImageStore
from pipeline.labels import CLASS_NAMES, TASKS
from pipeline.runtime.errors import UserError
from pipeline.runtime.plugins import load_plugin
from pipeline.runtime.progress import say, track
from pipeline.seeds import seed_of
from pipeline.workers import run_parallel
from stages.shared.artefacts import COMPOSED, CROPS, FOLDS, LABELS, MATTES, MODEL, RELIANCE
from stages.shared.command import Stage, stage_command
from stages.shared.model import ModelConfig, read_config

REPORT, SHEET = "reports/reliance.json", "reports/reliance.png"
TOGETHER = 16  # photos asked about at a time, each with its swaps
SHOWN = 10  # photos on the sheet
NO_MATTES = "segment.method is none: without mattes no background can be swapped, and nothing is outside"


def run(stage: Stage) -> None:
    """Runs the stage."""
    config = read_config()
    photos = validation_photos(stage, config)
    say(f"reliance: loading the model for {len(photos)} photos")
    setting = setting_of(stage, config)
    rows = measured(stage, config, setting, photos)
    found = summary(rows, stage.params.evaluate.bootstrap, stage.params.reliance.seed)
    matted = stage.params.segment.method != "none"
    found |= {
        "backgrounds_per_photo": stage.params.reliance.backgrounds_per_photo if matted else 0,
        "people": int(rows["person"].nunique()),
    }
    found |= {"photos": len(rows), "without_person": int(rows["background"].isna().sum()) if matted else None}
    draw_sheet(stage, config, setting, photos, rows)
    RELIANCE.write(stage.out(RELIANCE.path), rows)
    rate = found["flip_rate"]
    write_report(stage.out(REPORT), {"flip_rate": rate and rate["value"]}, found)
    if not matted:
        say(f"reliance: {NO_MATTES}; the numbers are null")
    elif found["flip_rate"]:
        rate, own = found["flip_rate"], found["same_background"]
        say(
            f"reliance: another background changes the class of {rate['value']:.1%} of the photos "
            f"(95 % {rate['low']:.1%} to {rate['high']:.1%}); cutting out alone {own['value']:.1%}"
        )


def validation_photos(stage: Stage, config: ModelConfig) -> pd.DataFrame:
    """`image, person, fold, age, true_class, x1, y1, x2, y2` of the people who are looked at, by image."""
    labels = LABELS.read("image", "person", "age", "true_class")
    folds = FOLDS.read("person", "fold")
    squares = CROPS.read("image", "x1", "y1", "x2", "y2")
    table = labels.merge(folds, on="person").merge(squares, on="image")
    table = table[table["fold"].isin(config.folds)].sort_values("image", ignore_index=True)
    if table.empty:
        raise UserError("nobody is in the folds that the model did not learn", got=f"folds {config.folds}")
    reliance = stage.params.reliance
    people = sorted(set(table["person"]), key=lambda p: (seed_of(reliance.seed, "reliance", p), p))
    kept = people[: stage.limit or reliance.max_people]
    return table[table["person"].isin(kept)].reset_index(drop=True)


def jobs_of(stage: Stage, setting: Config, photos: pd.DataFrame) -> list[Task]:
    """What is to be drawn of each photo; without mattes the photo as it is and nothing else."""
    columns = ["image", "person", "fold", "x1", "y1", "x2", "y2"]
    rows = list(zip(*(photos[c].tolist() for c in columns), strict=True))
    if stage.params.segment.method == "none":
        return [Task(image, (x1, y1, x2, y2), None) for image, _, _, x1, y1, x2, y2 in rows]
    reliance = stage.params.reliance
    people = photos[["fold", "person"]].drop_duplicates()
    if reliance.backgrounds == "others" and people["fold"].value_counts().min() < 2:
        raise UserError(
            "a fold holds one person only, so there is no other background in it",
            where="reliance.backgrounds",
            got="others",
            fix="set reliance.backgrounds: procedural, or reliance.max_people higher",
        )
    known = [Candidate(image, person, fold) for image, person, fold, *_ in rows]
    choose = load_plugin("compose.backgrounds", reliance.backgrounds).chooser(setting.sources, known)
    jobs = []
    for me, (*_, x1, y1, x2, y2) in zip(known, rows, strict=True):
        draws = [seed_of(reliance.seed, "swap", me.image, k) for k in range(reliance.backgrounds_per_photo)]
        jobs.append(Task(me.image, (x1, y1, x2, y2), [choose(me, draw) for draw in draws]))
    return jobs


def setting_of(stage: Stage, config: ModelConfig) -> Config:
    """What is the same for all photos."""
    params = stage.params
    matted = params.segment.method != "none"
    mattes = MATTES.open() if matted else ImageStore(MATTES.path)
    return Config(
        sources=Sources(Path(params.data.root), mattes, background_rgb=params.ingest.transparent_rgb),
        images=COMPOSED.open(),
        backgrounds=params.reliance.backgrounds if matted else "procedural",
        fill=params.compose.fill,
        size=params.compose.size,
        network_size=config.train.size,
        fill_seed=params.compose.seed,
        seed=params.reliance.seed,
    )


def measured(stage: Stage, config: ModelConfig, setting: Config, photos: pd.DataFrame) -> pd.DataFrame:
    """`photos` with what was measured on each; see `pipeline.analysis.reliance.swap_views`."""
    jobs = jobs_of(stage, setting, photos)
    asked = answers(stage, config, setting, photos, jobs)
    parts = [table for table, _ in track(asked, -(-len(jobs) // TOGETHER), "reliance", "batches")]
    facts = photos[["image", "person", "fold", "age", "true_class"]]
    rows = facts.merge(pd.concat(parts, ignore_index=True), on="image", validate="one_to_one")
    return rows.sort_values("image", ignore_index=True)


def answers(
    stage: Stage, config: ModelConfig, setting: Config, photos: pd.DataFrame, jobs: list[Task]
) -> Iterator[tuple[pd.DataFrame, list[Row]]]:
    """For each few photos of a fold what the fold's model says about them, and their rows of the sheet."""
    from pipeline.analysis.reliance.swap_predictions import predict_views
    from pipeline.train.inference import load_model

    facts = photos.set_index("image")
    for fold in config.folds:
        here = [job for job in jobs if facts.loc[job.image, "fold"] == fold]
        if not here:
            continue
        model = load_model(MODEL, config.train, fold)
        views = run_parallel(
            partial(make_viewer, setting), here, workers=stage.params.machine.workers, name=_name
        )
        while batch := list(islice(views, TOGETHER)):
            table, maps = predict_views(model, config.train, batch)
            yield (
                table,
                [
                    sheet_row(
                        view, facts.loc[view.image], int(said), maps and {t: m[at] for t, m in maps.items()}
                    )
                    for at, (view, said) in enumerate(zip(batch, table["predicted"], strict=True))
                ],
            )


def draw_sheet(
    stage: Stage, config: ModelConfig, setting: Config, photos: pd.DataFrame, rows: pd.DataFrame
) -> None:
    """Draws reports/reliance.png: right answers, then wrong ones, each from young to old."""
    images = young_to_old(rows, SHOWN, stage.params.reliance.seed)
    jobs = {job.image: job._replace(donors=job.donors and []) for job in jobs_of(stage, setting, photos)}
    drawn: dict[str, Row] = {}
    asked = answers(stage, config, setting, photos, [jobs[image] for image in sorted(images)])
    for table, sheet_rows in asked:
        drawn |= dict(zip(table["image"], sheet_rows, strict=True))
    picture = draw_contact_sheet(("picture", *TASKS), [drawn[image] for image in images])
    with atomic_file(stage.out(SHEET)) as part:
        Image.fromarray(picture).quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(
            part, "PNG", optimize=True
        )


def sheet_row(view: Result, facts: Any, said: int, maps: dict[str, np.ndarray] | None) -> Row:
    """A photo with the map of each task."""
    truth = int(facts["true_class"])
    verdict = "right" if said == truth else f"wrong: said {CLASS_NAMES[said]}"
    cells: list[np.ndarray | str] = [
        "no maps here" if maps is None else overlaid(view.pictures[0], maps[task], view.alpha)
        for task in TASKS
    ]
    large = cv2.resize(view.pictures[0], (CELL, CELL), interpolation=cv2.INTER_CUBIC)
    return Row(f"{verdict} · {CLASS_NAMES[truth]} · {facts['age']} years · {view.image}", [large, *cells])


def _name(job: Task) -> str:
    return job.image


if __name__ == "__main__":
    stage_command("reliance", run, __doc__ or "")
