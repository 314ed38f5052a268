"""What the page shows about a picture: answers, and the pictures on the way to them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from cleanplate.predict import Model, Person, View
from pipeline.compose.composite import person_of
from pipeline.io.photo import encode_jpeg, encode_matte
from pipeline.labels import TASKS
from pipeline.runtime.plugins import load_plugin
from pipeline.seeds import generator

OWN = "own"
BACKGROUNDS = (OWN, "black", "mean", "blur", "noise")  # files of compose.fills, but for the first
MOST = 20  # people
MAX_MAPPED = 3  # each asks the network 49 times
CELLS = 7  # of a picture's side, covered one after the other
GRAY = (124, 116, 104)
SHOWN = ("mask", "gender", "age")


def look(
    model: Model, data: bytes, background: str = OWN, mapped: bool = False, live: bool = False
) -> dict[str, Any]:
    """Everything about a photo's people, as JSON values; pictures as base64.

    Args:
        model: the exported chain.
        data: the bytes of a JPEG or PNG.
        background: one of BACKGROUNDS; other than `own`, people are put on it.
        mapped: also make a map of where the network looked, of the first MAX_MAPPED people.
        live: from a camera: small faces beside a large one may be left out.

    Raises:
        pipeline.io.photo.PhotoError, pipeline.dataset.safe_files.Unusable: it is no usable photo.
    """
    found = model.look(data, most=MOST, small=not live)
    swapped = background != OWN and model.segment is not None
    people: list[dict[str, Any]] = []
    for person, view in found:
        own = {task: int(p.argmax()) for task, p in person.tasks.items()}
        picture = on_background(model, view, background) if swapped else view.picture
        shown = model.answer(picture[None])[0] if swapped else person
        facts = {
            "face": person.face,
            "box": [round(float(edge), 1) for edge in person.box],
            "status": person.status,
            "tasks": {task: _answer(task, shown, own[task]) for task in SHOWN},
            "seen": _encoded(encode_jpeg(picture)),
            "matte": None if view.matte is None else _encoded(encode_matte(view.matte)),
        }
        if mapped and person.face < MAX_MAPPED:
            facts["map"] = _encoded(encode_jpeg(occlusion_map(model, picture, shown)))
        people.append(facts)
    return {"background": background if swapped else OWN, "people": people}


def on_background(model: Model, view: View, background: str) -> np.ndarray:
    """What the classifier sees of a person whose background is filled, uint8 [S, S, 3] RGB."""
    assert view.matte is not None
    person = person_of(view.crop, view.matte, view.valid)
    fill = load_plugin("compose.fills", background)
    plate = fill.background(person.picture, person.old_background, generator(0, "trial", background))
    return model.on_background(view, plate)


def occlusion_map(model: Model, picture: np.ndarray, person: Person) -> np.ndarray:
    """The picture under a map of how much each part matters to the answer about the class.

    Each of 7 x 7 cells, half a cell larger on every side, is covered in turn; what the probability of the
    answer loses is how much the network looked there (Zeiler and Fergus 2014, arXiv:1311.2901, section 4.2).

    Args:
        picture: uint8 [S, S, 3] RGB, what the classifier sees.
        person: its answer.

    Returns:
        uint8 [S, S, 3] RGB, blue = nothing lost, red = most.
    """
    covered = np.repeat(picture[None], CELLS**2, axis=0)
    step = picture.shape[0] / CELLS
    for n, image in enumerate(covered):
        row, column = divmod(n, CELLS)
        edges = [round(max((k + shift) * step, 0)) for k in (row, column) for shift in (-0.5, 1.5)]
        image[edges[0] : edges[1], edges[2] : edges[3]] = GRAY
    lost = person.raw[person.code] - np.array([p.raw[person.code] for p in model.answer(covered)])
    level = np.maximum(lost, 0).reshape(CELLS, CELLS) / max(float(lost.max()), 1e-9)
    large = cv2.resize(level.astype(np.float32), picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    colours = cv2.applyColorMap(np.rint(large.clip(0, 1) * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
    return cv2.addWeighted(picture, 0.5, np.ascontiguousarray(colours[..., ::-1]), 0.5, 0)


def _answer(task: str, person: Person, own: int) -> dict[str, Any]:
    """A task's values with their probabilities, and whether the background changed the answer."""
    p = person.tasks[task]
    best = int(p.argmax())
    return {
        "values": list(TASKS[task].values),
        "p": [round(float(value), 4) for value in p],
        "best": best,
        "changed": best != own,
    }


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def names_of(backgrounds: Sequence[str], model: Model) -> list[str]:
    """The backgrounds that this model can put people on."""
    return list(backgrounds) if model.segment is not None else [OWN]
