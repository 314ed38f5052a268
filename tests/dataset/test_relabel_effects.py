"""reports/relabel.md: the counts by hand, contested corrections by name, and names that mean nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from pipeline.dataset.relabel_page import code, render_page
from pipeline.dataset.relabel_summary import summarize_effects
from tests.conftest import ROOT
from tests.fixtures.data_folder import ANNA, BERT, add_person, run_ingest, run_relabel

HEAD = "person,image,field,old,new,reason,source\n"
CARA, DORA = "000003_female_Asian_20", "000004_female_Asian_29"
TABLE = ("table", "thead", "tbody", "tr", "th", "td")
HOSTILE = ("<script>alert(1)</script>", "a|b\\|c`d``e", "[x](javascript:alert(2))", "two\nlines", "\u202eold")


@pytest.fixture
def root(project: Path) -> Path:
    place = project / "photos"
    for name in (ANNA, BERT, CARA, DORA):
        add_person(place, name)
    run_ingest(place)
    return place


def cells(row: str) -> list[str]:
    """The row of the page that begins with `row`, without what is emphasised, as cells."""
    text = Path("reports/relabel.md").read_text(encoding="utf-8").replace("**", "")
    (line,) = [one for one in text.splitlines() if one.startswith(f"| {row} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def correct(*rows: str) -> None:
    Path("data/corrections.csv").write_text(HEAD + "".join(f"{r}\n" for r in rows))


def test_counts_sources_and_moves_by_hand(root: Path) -> None:
    correct(
        f"{ANNA},,gender,female,male,seen; contested by team 2,team 1",
        f"{CARA},incorrect_mask,mask,incorrect,none,swapped,team 1",
        f"{CARA},normal,mask,none,incorrect,swapped,team 1",
        f"{CARA},mask5,drop,,,blurred,",
    )
    run_relabel(root, drop_train_ages=[29], age_rules=[{"from": 59, "to": 60}])
    assert cells("worn female 30-59")[1:] == ["5 → 0 (-5)", "1 → 0 (-1)"]
    assert cells("worn male 30-59")[1:] == ["5 → 10 (+5), learnt 5", "1 → 2 (+1), learnt 1"]
    assert cells("worn male >=60")[1:] == ["0, learnt 5", "0, learnt 1"]
    assert cells("worn female <30")[1:] == ["10 → 9 (-1), learnt 4", "2, learnt 1"]
    assert cells("incorrect female <30")[1:] == ["2, learnt 1", "2, learnt 1"]  # a swap keeps the numbers
    assert cells("female")[1:] == ["21 → 13 (-8), learnt 6", "3 → 2 (-1), learnt 1"]
    assert cells("`team 1` | gender")[2:4] == ["7", "1"]
    assert cells("(no source) | drop")[2:] == ["1", "1", "worn female <30 → dropped (1)"]
    assert cells("`drop_train_ages: 29`")[1:4] == ["rule", "7", "1"]
    assert "worn female <30 → not learnt (5)" in cells("`drop_train_ages: 29`")[4]
    assert "worn male 30-59 → worn male >=60 (5)" in cells("`age_rules: 59 counts as 60`")[4]
    assert cells(f"`{ANNA}`")[1:5] == ["all", "gender", "`female` → `male`", "7"]
    assert cells(f"`{ANNA}`")[6] == "contested; `seen; contested by team 2`; `team 1`"
    swapped = cells(f"`{CARA}` | `normal`")
    assert swapped[3:6] == ["`none` → `incorrect`", "1", "none female <30 → incorrect female <30 (1)"]
    text = Path("reports/relabel.md").read_text()
    assert "10 photos of 2 people another class or dropped them (1 dropped)" in text
    assert "14 photos are learnt as another class than they are validated on, or not at all (7)" in text
    assert f"**contested**, says the reason or source of 1 of them: `{ANNA}`." in text


def test_without_changes_it_says_so(root: Path) -> None:
    run_relabel(root)
    assert cells("worn male 30-59")[1:] == ["5", "1"]
    text = Path("reports/relabel.md").read_text()
    assert "there are no corrections, and no rule applies" in text
    assert "What each correction did" not in text


def test_limit_counts_the_people_that_it_takes(root: Path) -> None:
    correct(f"{BERT},,gender,male,female,,")
    run_relabel(root, limit=1)
    assert not Path("reports/relabel.md").exists()
    assert "Of 7 photos of 1 people" in Path("quick/reports/relabel.md").read_text()


def test_what_people_wrote_stays_text() -> None:
    folder = pd.DataFrame(
        [(f"{k}/{n}.jpg", n, "male", 30, "none") for k, n in enumerate(HOSTILE)],
        columns=["image", "person", "gender", "age", "mask"],
    )
    labels = folder.assign(true_class=13, train_class=13)
    rows = [
        (f"{k}/{n}.jpg", n, "gender", "female", "male", n, f"{n} contested") for k, n in enumerate(HOSTILE)
    ]
    columns = ["image", "person", "field", "before", "after", "reason", "source"]
    changes = pd.DataFrame([*rows, ("gone.jpg", "", "mask", "worn", "none", "", "")], columns=columns)
    html = (
        MarkdownIt("commonmark", {"html": True})
        .enable("table")
        .render(render_page(summarize_effects(folder, labels, changes)))
    )
    tags = set(re.findall(r"</?([a-zA-Z]\w*)", html))
    assert tags <= {"h1", "h2", "h3", "p", "code", "strong", "br", *TABLE}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "\u202e" not in html
    for table in re.findall(r"<table>.*?</table>", html, re.S):
        widths = {len(re.findall("<t[dh]", row)) for row in re.findall(r"<tr>.*?</tr>", table, re.S)}
        assert len(widths) == 1


def test_a_code_span_holds_any_text() -> None:
    for text in (*HOSTILE, "`", "``", "ends with `", "a\\", "\\|"):
        html = (
            MarkdownIt("commonmark")
            .enable("table")
            .render(f"| a | b |\n| --- | --- |\n| {code(text)} | x |\n")
        )
        assert len(re.findall("<td>", html)) == 2, text
        assert html.count("<code>") == 1, text
    assert code(" ") == ""


def test_label_stages_import_no_network() -> None:
    heavy = "('torch', 'sklearn', 'cv2')"
    code_ = f"import sys, stages.relabel, stages.split; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code_], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
