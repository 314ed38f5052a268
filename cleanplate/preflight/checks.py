"""What `cleanplate check` looks at. A check returns sentences about what is wrong; none decodes a photo."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.params import Params
from pipeline.runtime.errors import Problems, UserError, nearest

if TYPE_CHECKING:
    from pipeline.dataset.corrections import Correction
    from pipeline.dataset.listing import Listing

MOST_BYTES = 64 << 20


def said(check: Callable[[], object]) -> list[str]:
    """The error that `check` raises as one or several problems; [] where it raises none."""
    try:
        check()
    except Problems as e:
        return [*e.problems]
    except UserError as e:
        return ["; ".join(" ".join(line.split()) for line in str(e).splitlines())]
    return []


def weight_problems(params: Params, root: Path, lock: Path) -> tuple[list[str], list[str]]:
    """Problems and notes about the weights that detect and segment want; nothing is fetched."""
    from pipeline.networks.weights import State, read_lock, state_of, weights_folder

    wanted: dict[str, str] = {}
    if params.detect.method == "yolov8":
        wanted["detect.yolov8.weights"] = params.detect.yolov8.weights
    if params.segment.method == "unet" and params.segment.unet.weights != "demo":
        wanted["segment.unet.weights"] = params.segment.unet.weights
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


def listed(params: Params) -> tuple[Listing | None, list[str]]:
    """What the data folder holds, and everything wrong with its names and tables."""
    from pipeline.dataset.ingest import list_data

    found: list[Listing] = []
    problems = said(lambda: found.append(list_data(params.data, None)[1]))
    return (found[0] if found else None), problems


def absent_photos(params: Params, listing: Listing) -> list[str]:
    """Photos that a table names and that are not there; a layout of folders lists only what is."""
    root = Path(params.data.root)
    return [p.image for p in listing.photos if not os.path.lexists(root / p.image)]


def drawn_later(root: Path, place: str) -> bool:
    """Whether a stage, such as demo/dvc.yaml's, makes the folder `place`: it need not be there yet."""
    from cleanplate.integrity.dvc_records import made_paths

    if "\0" in place:
        return False
    wanted = Path(os.path.realpath(root / place))  # unlike `resolve`, it takes links that lead to themselves
    return any(wanted == made or made in wanted.parents for made in made_paths(root))


def correction_problems(params: Params, listing: Listing) -> list[str]:
    """Rows of the table of corrections that do not fit the data."""
    import pandas as pd

    from pipeline.dataset.corrections import read_corrections
    from pipeline.dataset.safe_files import Unusable, read_regular

    where = params.relabel.corrections
    if not Path(where).exists():
        return [f"relabel.corrections: there is no such file; got {where}"]
    try:
        data = read_regular(Path(where), MOST_BYTES)
    except Unusable as e:
        return [f"{where}: {e.reason}; {e.advice}"]
    rows = [(p.image, p.person, p.gender, p.age, p.mask) for p in listing.photos if p.split == "train"]
    labels = pd.DataFrame(rows, columns=["image", "person", "gender", "age", "mask"])
    corrections: list[Correction] = []
    problems = said(lambda: corrections.extend(read_corrections(data, where, labels)))
    dropped = {c.image for c in corrections if c.field == "drop"}
    left = [p for p in listing.photos if p.split == "train" and p.image not in dropped]
    if left and all(p.age in params.relabel.drop_train_ages for p in left):
        problems.append("relabel.drop_train_ages: nobody is left to train on")
    return problems or fold_problems(params, sorted({p.person for p in left}))


def fold_problems(params: Params, people: list[str]) -> list[str]:
    """Too few people to train on some and validate on others."""
    import numpy as np

    from pipeline.dataset.folds import folds_of, person_hashes
    from stages.split import refuse_empty

    if not people:
        return ["not one photo to train on is there; check data.root, data.layout and relabel.corrections"]
    split = params.split
    sizes = np.bincount(folds_of(person_hashes(people), split.folds, split.seed), minlength=split.folds)
    if params.train.folds == "all" and not sizes.all():
        return [f"train.folds: all, but {len(people)} people make folds of {', '.join(map(str, sizes))}"]
    return said(lambda: refuse_empty(sizes, split))


def segmenter_problems(params: Params, root: Path) -> list[str]:
    """Folders that fit_segmenter reads and nobody makes."""
    if params.segment.method != "unet" or params.segment.unet.weights != "demo":
        return []
    fit = params.fit_segmenter
    folders = {"fit_segmenter.photos": fit.photos, "fit_segmenter.mattes": fit.mattes}
    return [
        f"{param}: the folder {place} is missing, and no stage makes it"
        for param, place in folders.items()
        if not Path(place).is_dir() and not drawn_later(root, place)
    ]


def background_problems(params: Params) -> list[str]:
    """A folder of backgrounds that is not there."""
    synthesize = params.synthesize
    folder = synthesize.folder or ""
    if synthesize.backgrounds != "folder" or synthesize.copies == 0 or Path(folder).is_dir():
        return []
    return [f"synthesize.folder: there is no such folder; got {folder}"]
