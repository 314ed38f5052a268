"""Checks of params, data and weights. Each returns sentences about its problems; none decodes a photo."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.io.url_folder import is_url
from pipeline.params import Params
from pipeline.runtime.errors import Problems, UserError, nearest

if TYPE_CHECKING:
    from pipeline.dataset.corrections import Correction
    from pipeline.dataset.listing import Candidate, Listing


def collect_problems(check: Callable[[], object]) -> list[str]:
    """Calls `check`; returns the error that it raises as one or several problems, or []."""
    try:
        check()
    except Problems as e:
        return [*e.problems]
    except UserError as e:
        return ["; ".join(" ".join(line.split()) for line in str(e).splitlines())]
    return []


def weight_problems(params: Params, root: Path, lock: Path) -> tuple[list[str], list[str]]:
    """Problems and notes about the weights of detect, segment and fit_segmenter; fetches nothing."""
    from pipeline.networks.weights import State, read_lock, state_of, weights_folder

    wanted: dict[str, str] = {}
    if params.detect.method == "retinaface":
        wanted["detect.retinaface.weights"] = params.detect.retinaface.weights
    if params.detect.method == "blazeface":
        wanted["detect.blazeface.weights"] = params.detect.blazeface.weights
    if params.detect.method == "yolov8":
        wanted["detect.yolov8.weights"] = params.detect.yolov8.weights
    if params.segment.method == "unet" and params.segment.unet.weights != "demo":
        wanted["segment.unet.weights"] = params.segment.unet.weights
    elif params.segment.method == "unet" and params.fit_segmenter.encoder_weights:
        wanted["fit_segmenter.encoder_weights"] = params.fit_segmenter.encoder_weights
    if params.segment.method == "selfie":
        wanted["segment.selfie.weights"] = params.segment.selfie.weights
    problems: list[str] = []
    notes: list[str] = []
    entries = read_lock(lock)
    for param, name in wanted.items():
        entry = entries.get(name)
        if entry is None:
            if not Path(name).expanduser().exists():
                close = nearest(name, entries)
                hint = f"; did you mean `{close}`?" if close else ""
                problems.append(
                    f"{param}: {name!r} is neither in weights.lock ({', '.join(entries)}) nor a file{hint}"
                )
            continue
        state = state_of(name, entry, root)
        if state is State.UNKNOWN:
            problems.append(
                f"{param}: the sha256 of {name} is not in weights.lock, so it will be refused; "
                f"`cleanplate weights pin {name}`"
            )
        elif state is State.MISSING:
            problems.append(f"{param}: {entry.origin}, which holds {name}, is not installed; `make setup`")
        elif state is State.NOT_FETCHED:
            notes.append(f"{name} will be fetched ({entry.size}) from {entry.origin}")
        elif state is State.WRONG:
            place = weights_folder(root) / name
            notes.append(f"{place} is damaged; {name} will be fetched again ({entry.size})")
    return problems, notes


def list_photos(params: Params) -> tuple[Listing | None, list[str]]:
    """The contents of the data folder, and all problems with its names and tables."""
    from pipeline.dataset.ingest import list_data

    listings: list[Listing] = []
    problems = collect_problems(lambda: listings.append(list_data(params.data, None)[1]))
    return (listings[0] if listings else None), problems


def absent_photos(params: Params, listing: Listing) -> list[str]:
    """Photos in a table that do not exist; one in a shard was seen there."""
    root = Path(params.data.root)
    return [p.image for p in listing.photos if p.place is None and not os.path.lexists(root / p.image)]


def is_stage_output(root: Path, place: str) -> bool:
    """Whether a stage, such as the demo's, makes the folder `place`, so that it need not exist yet."""
    from cleanplate.integrity.dvc_records import stage_output_paths

    if "\0" in place:
        return False
    wanted = Path(os.path.realpath(root / place))  # unlike `resolve`, it accepts circular links
    return any(wanted == output or output in wanted.parents for output in stage_output_paths(root))


def is_to_be_made(root: Path, data: str) -> bool:
    """Whether the data folder is not there yet, and a stage makes it."""
    return not is_url(data) and not Path(data).exists() and is_stage_output(root, data)


def correction_problems(params: Params, listing: Listing) -> list[str]:
    """Rows of the table of corrections that do not fit the data."""
    import pandas as pd

    from pipeline.dataset.corrections import COLUMNS, read_corrections
    from pipeline.dataset.user_csv import table_bytes

    where, read = params.relabel.corrections, list[bytes]()
    if not Path(where).exists():
        return [f"relabel.corrections: there is no such file; got {where}"]
    unreadable = collect_problems(
        lambda: read.append(table_bytes(Path(where), "the table of corrections", COLUMNS))
    )
    if unreadable:
        return unreadable
    rows = [(p.image, p.person, p.gender, p.age, p.mask) for p in listing.photos if p.split == "train"]
    labels = pd.DataFrame(rows, columns=["image", "person", "gender", "age", "mask"])
    corrections: list[Correction] = []
    problems = collect_problems(lambda: corrections.extend(read_corrections(read[0], where, labels)))
    dropped = {c.image for c in corrections if c.field == "drop"}
    left = [p for p in listing.photos if p.split == "train" and p.image not in dropped]
    if left and all(p.age in params.relabel.drop_train_ages for p in left):
        problems.append("relabel.drop_train_ages: nobody is left to train on")
    return problems or fold_problems(params, left)


def fold_problems(params: Params, photos: Sequence[Candidate]) -> list[str]:
    """A table of folds that does not fit, or too few people for both sides of the split."""
    import numpy as np
    import pandas as pd

    from pipeline.dataset.extra import is_extra_key
    from pipeline.dataset.folds import stratify
    from stages.split import fold_of, refuse_empty

    rows = [(p.person, p.gender, p.age) for p in photos if not is_extra_key(p.person)]
    if not rows:
        return ["there is no photo to train on; check data.root, data.layout and relabel.corrections"]
    split = params.split
    people = stratify(pd.DataFrame(rows, columns=["person", "gender", "age"]))
    folds: list[np.ndarray] = []
    problems = collect_problems(lambda: folds.append(fold_of(people, split)))
    if problems:
        return problems
    sizes = np.bincount(folds[0], minlength=split.folds)
    if params.train.folds == "all" and not sizes.all():
        return [f"train.folds: all, but {len(people)} people make folds of {', '.join(map(str, sizes))}"]
    return collect_problems(lambda: refuse_empty(sizes, split))


def segmenter_problems(params: Params, root: Path) -> list[str]:
    """Missing input folders of fit_segmenter that no stage makes."""
    if params.segment.method != "unet" or params.segment.unet.weights != "demo":
        return []
    fit = params.fit_segmenter
    folders = {"fit_segmenter.photos": fit.photos, "fit_segmenter.mattes": fit.mattes}
    return [
        f"{param}: the folder {place} is missing, and no stage makes it"
        for param, place in folders.items()
        if not Path(place).is_dir() and not is_stage_output(root, place)
    ]


def segmenter_notes(params: Params) -> list[str]:
    """That the U-Net of fit_segmenter was fitted to other photos than those of the run."""
    from pipeline.segment.agreement import is_fitted_to

    fitted, data = params.fit_segmenter.photos, params.data.root
    if params.segment.method != "unet" or params.segment.unet.weights != "demo" or "\0" in fitted + data:
        return []
    if is_fitted_to(Path(fitted), Path(data)):
        return []
    return [
        f"segment.unet.weights: demo is a U-Net fitted to {fitted}, not to {data}; for photographs, take the "
        "selfie network: dvc exp run -S segment.method=selfie"
    ]


def background_problems(params: Params) -> list[str]:
    """A missing folder of backgrounds."""
    synthesize = params.synthesize
    folder = synthesize.folder or ""
    if synthesize.backgrounds != "folder" or synthesize.copies == 0 or Path(folder).is_dir():
        return []
    return [f"synthesize.folder: there is no such folder; got {folder}"]
