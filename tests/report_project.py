"""A project in which everything that the report reads is there, by the real stages where they are quick."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipeline.labels import CLASSES
from pipeline.params import Params
from pipeline.publish import published_folder, write_json
from stages import evaluate, predict, report, train
from stages.command import Stage
from stages.report_data import FIGURES
from tests.small_set import small_params, write_build

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
REPORT = Path("reports/report.html")


def png(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((40, 1000, 3), 200, np.uint8)).save(path)


def share(value: float) -> dict[str, Any]:
    score = {"value": value, "low": value / 2, "high": min(1.0, value * 1.5)}
    return {**score, **dict.fromkeys(("mask", "gender", "age"), score)}


def written_background(flips: float | None) -> None:
    found: dict[str, Any] = {"flip_rate": None, "same_background": None, "cam_outside": None}
    if flips is not None:
        found = {"flip_rate": share(flips), "same_background": share(0.01), "cam_outside": share(0.31)}
    found |= {"background_area": 0.5, "swaps": 3, "people": 6, "photos": 24, "without_person": 0}
    Path("reports/background.json").write_text(json.dumps({"background": found}))


def written_exploration(told: float | None, folder: Path = Path("reports")) -> None:
    """What `explore` finds: backgrounds that tell the age with balanced accuracy `told`; None: no mattes."""
    probe = {
        "balanced_accuracy": {"value": told, "low": 0.61, "high": 0.79},
        "chance": 1 / 3, "by_chance": 0.4123, "p_value": 0.002, "p_corrected": 0.0061, "told": True,
    }  # fmt: skip
    luck = {**probe, "p_corrected": 0.77, "told": False}
    background: dict[str, Any] = {"photos": 0, "left_out": 96, "note": "too few mattes", "probes": {}}
    if told is not None:
        background = {"photos": 96, "left_out": 0, "note": "", "probes": {"age": probe, "gender": luck}}
    spread = {"least": 0.1, "q05": 0.2, "median": 0.5432, "q95": 0.8, "most": 0.9}
    found = {
        "labels": {"around_bounds": {"30": {"29": 4, "30": 5}, "60": {"59": 6, "60": 77}}},
        "quality": {"brightness": spread, "sharpness": spread, "sizes": {"384x512": 96}},
        "background": background,
        "duplicates": {
            "between_people": 1,
            "between_train_and_eval": 0,
            "pairs": [[f"{HOSTILE}.jpg", "b.jpg"]],
        },
    }
    write_json(folder / "explore.json", found)
    with published_folder(folder / "explore") as out:
        for name in FIGURES:
            png(out / f"{name}.png")
        for code in range(CLASSES):
            png(out / f"sheets/{code:02d}.jpg")


def page(params: Params) -> str:
    report.run(Stage("report", params))
    return REPORT.read_text(encoding="utf-8")


def finished() -> Params:
    """Everything that the report reads, in the current folder; names are hostile."""
    table = write_build()
    params = small_params(epochs=2, folds="all")
    for name, run in (("train", train.run), ("evaluate", evaluate.run), ("predict", predict.run)):
        run(Stage(name, params))
    index = table.assign(split="train", width=384, height=512, bytes=1, sha256="0" * 64, position=-1)
    index.drop(columns=["fold", "true_class", "train_class"]).to_parquet("build/index.parquet")
    Path("build/quarantine.csv").write_text(f"path,reason,fix\n{HOSTILE}.jpg,no JPEG,copy it again\n")
    rows = [f"a{k}.jpg,anna,gender,male,female,{HOSTILE},team" for k in range(3)]
    Path("build/relabel.csv").write_text(
        "image,person,field,before,after,reason,source\n" + "\n".join(rows) + "\n"
    )
    counts = {"found": 90, "person_median": 6, "whole_frame": 0, "not_asked": 0}
    Path("reports/detect.json").write_text(json.dumps({"train": counts, "eval": dict.fromkeys(counts, 0)}))
    written_background(0.25)
    png(Path("reports/stages.png"))
    png(Path("reports/gradcam.png"))
    png(Path("reports/augmentations.png"))
    written_exploration(0.7)
    return params


class Sources(HTMLParser):
    """Everything that a page could load, and its tags."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "data", "poster", "action") or (name == "href" and tag != "a"):
                self.loads.append(value or "")
            if name == "id":
                self.ids.add(value or "")
            assert not name.startswith("on"), f"{tag} {name}"


def parsed(text: str) -> Sources:
    sources = Sources()
    sources.feed(text)
    return sources
