"""The report: self-contained, escaped, right about what the stages found."""

from __future__ import annotations

import html
import json
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from dvc.utils.hydra import apply_overrides

from pipeline.labels import CLASSES
from pipeline.params import Params, load_params
from pipeline.runtime.errors import UserError
from tests.conftest import ROOT
from tests.fixtures.report_project import finished, page, parsed, written_background, written_exploration


@pytest.fixture
def done(project: Path) -> Params:
    return finished()


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
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3


def test_it_says_what_the_stages_found(done: Params) -> None:
    text = page(done)
    metrics = json.loads(Path("reports/evaluate.json").read_text())
    assert f"{metrics['macro_f1']['value']:.3f}" in text
    assert f"{metrics['age']['macro_f1']['low']:.3f}" in text
    assert "25.0\u00a0%" in text  # flips
    assert "1 files were quarantined" in text
    assert "3 changes of 1 people" in text
    assert "VGG faces (research only)" in text
    assert "dvc exp run report" in text
    assert "-S train.model=test_resnet" in text
    assert "machine." not in text
    assert text.count("<figcaption>Loss, fold") == 2


def test_errors_stand_at_the_true_age_in_years(done: Params) -> None:
    rows = pd.read_parquet("reports/predictions.parquet").merge(
        pd.read_parquet("build/labels.parquet")[["image", "age"]], on="image"
    )
    assert len(set(rows["age"])) > 1
    text = page(done)
    for age, photos in rows.groupby("age"):
        wrong = (photos["true_class"] % 3 != photos["predicted"] % 3).mean()
        assert f"<title>{age} years: {wrong:.0%} of {len(photos)} photos</title>" in text


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


def test_what_the_data_are_like_is_shown_with_its_figures(done: Params) -> None:
    text = page(done)
    assert "What the data are like" in text
    rows = {
        m[0]: re.sub("<[^>]+>", " ", m[1])
        for m in re.findall(r'<th scope="row">(age|gender)</th>(.*?)</tr>', text)
    }
    for part in ("gives it away", "0.700", "0.610 – 0.790", "0.333", "0.412", "0.006"):
        assert part in rows["age"]
    assert "cannot tell" in rows["gender"]
    for part in ("0.543", "384x512 (96)", "60: 77", "1 pairs of different people's photos"):
        assert html.escape(part) in text or part in text
    assert text.count('class="contact"') == 18
    assert text.count('class="sheet plot"') == 4
    written_exploration(None)
    text = page(done)
    assert "Too few mattes." in text
    assert "gives it away" not in text


def test_label_changes_are_counted_by_class(done: Params) -> None:
    """The table says anna's three photos changed gender; the labels say that nothing moved."""
    text = page(done)
    labels = pd.read_parquet("build/labels.parquet")
    person = labels["person"].iloc[0]
    own = labels["person"] == person
    labels.loc[own, ["true_class", "train_class"]] += 3  # male to female
    labels.to_parquet("build/labels.parquet")
    moved = page(done)
    assert "Photos before and after" in text
    row = re.search(r'<th scope="row">worn female &lt;30</th>(.*?)</tr>', moved)
    assert row
    numbers = [int(n) for n in re.findall(r">(\d+)<", row[1])]
    assert numbers[1] - numbers[0] == own.sum() / 2  # two of four photos show a worn mask
    assert '<th scope="row">worn female &lt;30</th>' not in text[: text.index('id="explore"')]


def test_a_missing_input_names_its_stage(done: Params) -> None:
    Path("reports/reliance.png").unlink()
    with pytest.raises(UserError, match="dvc repro reliance"):
        page(done)
