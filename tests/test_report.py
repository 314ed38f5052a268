"""The report: self-contained, escaped, right about the numbers, and readable in a real browser."""

from __future__ import annotations

import html
import json
import re
import shlex
import tempfile
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from dvc.utils.hydra import apply_overrides
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from pipeline.errors import UserError
from pipeline.labels import CLASSES
from pipeline.params import Params, load_params
from pipeline.report import chart, scores, tables
from pipeline.tasks import TASKS
from stages import evaluate, predict, report, train
from stages.command import Stage
from tests.conftest import ROOT
from tests.review_project import CHROMIUM, FLAGS
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


@pytest.fixture
def done(project: Path) -> Params:
    """Everything that the report reads, by the real stages where they are quick; names are hostile."""
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
    return params


def page(params: Params) -> str:
    report.run(Stage("report", params))
    return REPORT.read_text(encoding="utf-8")


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


def test_one_file_without_scripts_or_anything_to_load(done: Params) -> None:
    text = page(done)
    found = parsed(text)
    assert "script" not in found.tags
    assert "link" not in found.tags
    assert len(found.loads) > 3
    assert all(source.startswith("data:image/") for source in found.loads)
    assert not re.search(r"url\(|@import|https?://", text)
    assert set(re.findall(r'href="#(\w+)"', text)) <= found.ids


def test_what_people_wrote_is_text(done: Params) -> None:
    text = page(done)
    assert "<script>" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2


def test_it_says_what_the_stages_found(done: Params) -> None:
    text = page(done)
    metrics = json.loads(Path("reports/metrics.json").read_text())
    assert f"{metrics['macro_f1']['value']:.3f}" in text
    assert f"{metrics['age']['macro_f1']['low']:.3f}" in text
    assert "25.0\u00a0%" in text  # flips
    assert "1 files were set aside" in text
    assert "3 changes of 1 people" in text
    assert "dvc exp run report" in text
    assert "-S train.model=test_resnet" in text
    assert "machine." not in text
    assert text.count("<figcaption>Loss, fold") == 2


def test_the_command_sets_every_param_whatever_the_file_says(done: Params) -> None:
    (command,) = [
        text for text in re.findall(r"<pre>(.*?)</pre>", page(done), re.S) if text.startswith("dvc exp run")
    ]
    words = shlex.split(html.unescape(command).replace("\\\n", " "))
    assert words[:4] == ["dvc", "exp", "run", "report"]
    other = Path("other.yaml")
    other.write_bytes((ROOT / "params.yaml").read_bytes())
    assert load_params(other).train != done.train
    apply_overrides(other, words[5::2])
    machine = {"machine": done.machine}
    assert load_params(other).model_copy(update=machine) == done


def test_same_bytes_again_and_other_params_show(done: Params) -> None:
    first = page(done)
    assert page(done) == first
    assert page(done.model_copy(update={"split": done.split.model_copy(update={"seed": 9})})) != first


def test_what_was_not_measured_is_said(done: Params) -> None:
    written_background(None)
    Path("build/relabel.csv").write_text("image,person,field,before,after,reason,source\n")
    Path("build/quarantine.csv").write_text("path,reason,fix\n")
    segment = done.segment.model_copy(update={"method": "none"})
    text = page(done.model_copy(update={"segment": segment}))
    assert "segment.method is none" in text
    assert "Every file was usable" in text
    assert "every label is the data folder" in text


def test_predicted_and_learnt_distribution_stand_side_by_side(done: Params) -> None:
    told = json.loads(Path("reports/predict.json").read_text())
    section = page(done).split('id="predicted"')[1].split("</section>")[0]
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", section)
    assert len(rows) == CLASSES
    for c, row in zip(told["classes"], rows, strict=True):
        cells = [html.unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        shares = [f"{c[key]:.1%}".replace("%", "\u00a0%") for key in ("predicted_share", "training_share")]
        assert cells == [c["name"], str(c["predicted"]), shares[0], str(c["training"]), shares[1]]
    told["prior"] = {"learnt_mix": [], "estimated_mix": [0.4321] + [0.0] * 17, "changed_answers": 77}
    Path("reports/predict.json").write_text(json.dumps(told))
    text = page(done)
    assert "that changed 77" in text
    assert "43.2\u00a0%" in text


def test_findings_about_the_data_appear_where_there_are_any(done: Params) -> None:
    assert "About the data" not in page(done)
    Path("reports/explore.json").write_text(json.dumps({"probe": {"age": 0.71234}, "near": ["a", "b"]}))
    text = page(done)
    assert "probe.age" in text
    assert "0.7123" in text


def test_a_missing_input_names_its_stage(done: Params) -> None:
    Path("reports/gradcam.png").unlink()
    with pytest.raises(UserError, match="dvc repro reliance"):
        page(done)


def test_calibration_by_hand() -> None:
    p = np.zeros((4, CLASSES))
    p[:, 0], p[:, 1] = 0.75, 0.25  # sure to 0.75, right in 3 of 4
    rows = pd.DataFrame(p, columns=[f"p{c}" for c in range(CLASSES)]).assign(true_class=[0, 0, 0, 1])
    found = scores.calibration(rows, TASKS["class"])
    assert (found["confidence"], found["accuracy"], found["photos"]) == ([0.75], [0.75], [4])
    assert found["ece"] == pytest.approx(0)
    rows["true_class"] = 1
    assert scores.calibration(rows, TASKS["class"])["ece"] == pytest.approx(0.75)


def test_worst_mistakes_are_the_surest_one_a_person() -> None:
    p = np.full((4, CLASSES), 0.01)
    p[[0, 1, 2, 3], 5] = [0.5, 0.9, 0.7, 0.99]
    rows = pd.DataFrame(p, columns=[f"p{c}" for c in range(CLASSES)]).assign(
        image=list("abcd"), person=["x", "x", "y", "z"], predicted=5, true_class=[0, 0, 0, 5]
    )
    assert [m["image"] for m in scores.worst(rows, 9)] == ["b", "c"]


def test_errors_by_age_and_changes_by_hand() -> None:
    rows = pd.DataFrame({"image": list("abc"), "true_class": [2, 2, 1], "predicted": [2, 1, 1]})
    found = scores.errors_by_age(rows, pd.Series([60, 60, 59], index=list("abc")))
    assert found.to_dict("list") == {"age": [59, 60], "photos": [1, 2], "wrong": [0.0, 0.5]}
    columns = ["image", "person", "field", "before", "after", "reason", "source"]
    table = pd.DataFrame(
        [[f"{k}.jpg", "p", "gender", "male", "female", "seen", "t"] for k in range(7)], columns=columns
    )
    groups = tables.changes(table)["groups"]
    assert len(groups) == 1
    assert (groups[0]["photos"], groups[0]["people"]) == (7, 1)


def test_charts_keep_their_points_inside_and_escape_names() -> None:
    drawn = str(chart.lines([chart.Line("<b>", [1, 2, 3], [0.0, 7.2, 3.0])], "loss", "epoch"))
    assert "<b>" not in drawn
    points = re.findall(r'points="([^"]+)"', drawn)[0].split()
    for point in points:
        x, y = map(float, point.split(","))
        assert 0 <= x <= chart.WIDTH
        assert 0 <= y <= chart.HEIGHT
    assert len({y.split(",")[1] for y in points}) == 3


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, env={"HOME": profile, "TMPDIR": profile}
        )
        yield started
        started.close()


def test_phone_desk_dark_and_print_in_a_browser(done: Params, browser: Browser) -> None:
    page(done)
    papers = set()
    for width, scheme in ((360, "light"), (1200, "light"), (1200, "dark")):
        tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)  # type: ignore[arg-type]
        asked: list[str] = []
        said: list[str] = []
        tab.on(
            "request", lambda r, asked=asked: asked.append(r.url) if not r.url.startswith("data:") else None
        )
        tab.on("console", lambda m, said=said: said.append(m.text))
        tab.goto(REPORT.resolve().as_uri())
        assert asked == [REPORT.resolve().as_uri()]
        assert said == []
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.evaluate("[...document.images].every(i => i.naturalWidth > 0)")
        # no cell is a column of single letters
        assert (
            tab.evaluate("Math.max(...[...document.querySelectorAll('tr')].map(r => r.offsetHeight))") < 220
        )
        papers.add(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
        tab.close()
    assert len(papers) == 2
    content = "getComputedStyle(document.querySelector('details'), '::details-content').contentVisibility"
    tab = browser.new_page()
    tab.goto(REPORT.resolve().as_uri())
    assert tab.evaluate(content) == "hidden"
    tab.emulate_media(media="print")
    assert tab.evaluate(content) == "visible"
    assert tab.pdf().startswith(b"%PDF")
    tab.close()
