"""Names, cells and links: what is written harms neither a spreadsheet, a terminal nor a file elsewhere."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from pipeline.dataset.corrections_table import CorrectionRow, format_entries
from pipeline.io.atomic import atomic_folder, write_text
from pipeline.io.tables import write_csv
from pipeline.runtime.errors import UserError, printable
from tests.conftest import ROOT
from tests.fixtures.data_folder import ANNA, add_eval, add_person, run_ingest, run_relabel
from tests.reliability.repository import printed


def test_formulas_in_names_and_reasons_are_text_in_every_table(project: Path) -> None:
    root = project / "photos"
    folder = add_person(root, ANNA)
    (folder / "=cmd|'calc'!A1.jpg").write_bytes(b"x")
    (root / "+SUM(A1).jpg").write_bytes(b"x")
    run_ingest(root)
    reason = '=HYPERLINK("http://x")'
    table = pd.DataFrame([[ANNA, "mask1", "gender", "female", "male", reason, "@me"]])
    table.columns = ["person", "image", "field", "old", "new", "reason", "source"]
    table.to_csv("data/corrections.csv", index=False)
    run_relabel(root)
    for name in ("quarantine.csv", "relabel.csv"):
        cells = pd.read_csv(f"build/{name}", dtype=str, keep_default_na=False)
        for cell in cells.to_numpy().ravel():
            assert not str(cell).startswith(("=", "+", "-", "@", "\t", "\r")), (name, cell)
    assert "'" + reason in Path("build/relabel.csv").read_text().replace('""', '"')


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1+1", "@a", " =1", "\t=1", "\r=1", "\n=1", "\uff1d1"])
def test_no_cell_is_a_formula_whatever_stands_before_it(cell: str, tmp_path: Path) -> None:
    write_csv(tmp_path / "t.csv", pd.DataFrame({"a": [cell, "fine"], "b": [-1, 2]}))
    found = pd.read_csv(tmp_path / "t.csv", keep_default_na=False, lineterminator="\n")
    assert found["a"][0].startswith("'")
    assert found["a"][1] == "fine"
    assert list(found["b"]) == [-1, 2]


def test_every_table_for_people_is_written_by_the_writer_that_guards_it() -> None:
    """Tables of corrections are written elsewhere: they name people, who may not be called like formulas."""
    unguarded = re.compile(r"\.to_csv\(|csv\.(Dict)?[wW]riter\(")
    # predict's rows go to standard output, guarded by themselves: tests/cleanplate/test_predict_command.py
    allowed = {
        "pipeline/io/tables.py",
        "pipeline/dataset/corrections_table.py",
        "cleanplate/predict/writing.py",
    }
    digests = re.compile(r"digest|\.encode\(")  # tables that are hashed, not written
    for folder in ("pipeline", "stages", "cleanplate"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for line in path.read_text(encoding="utf-8").splitlines():
                if unguarded.search(line) and not digests.search(line):
                    assert path.relative_to(ROOT).as_posix() in allowed, f"{path.name}: {line.strip()}"


@pytest.mark.parametrize("name", ["=cmd|x_male_Asian_30", "+1_male_Asian_30", "\uff1d1_female_Asian_30"])
def test_nobody_is_called_like_a_formula(project: Path, name: str) -> None:
    add_person(project / "photos", ANNA)
    add_person(project / "photos", name)
    with pytest.raises(UserError, match="a spreadsheet would run as a formula"):
        run_ingest(project / "photos")


@pytest.mark.parametrize("image", ['=HYPERLINK("x").jpg', "./-a1b.jpg", "\uff0b1/a.jpg"])
@pytest.mark.parametrize("split", ["train", "eval"])
def test_no_photo_of_a_table_is_called_like_a_formula(project: Path, image: str, split: str) -> None:
    """Its name would stand in data/corrections.csv, or in the submission, where nobody finds it changed."""
    (project / "photos/p").mkdir(parents=True)
    labels = pd.DataFrame([[image, "Anna", "female", 45, "worn", split]])
    labels.columns = ["image", "person", "gender", "age", "mask", "split"]
    labels.to_csv("photos/photos.csv", index=False)
    with pytest.raises(UserError, match="a spreadsheet would run as a formula; rename it"):
        run_ingest(project / "photos", data={"layout": "csv", "table": "photos.csv"})


@pytest.mark.parametrize("listed", [None, []], ids=["listed", "by name"])
def test_no_photo_to_predict_is_called_like_a_formula(project: Path, listed: list[str] | None) -> None:
    add_person(project / "photos", ANNA)
    add_eval(project / "photos", ["a1.jpg", "-a1b.jpg"], listed)
    with pytest.raises(UserError, match=r"-a1b\.jpg.* a spreadsheet would run as a formula; rename it"):
        run_ingest(project / "photos")


def test_a_stray_photo_that_nobody_asks_about_stops_nothing(project: Path) -> None:
    add_person(project / "photos", ANNA)
    add_eval(project / "photos", ["a1.jpg", "-a1b.jpg"], ["a1.jpg"])
    run_ingest(project / "photos")
    assert pd.read_parquet("build/eval.parquet")["ImageID"].tolist() == ["a1.jpg"]


@pytest.mark.parametrize("reason", ["=1+1", "\uff1d1+1", "\uff20a"])
def test_no_reason_in_the_table_of_corrections_is_a_formula(reason: str) -> None:
    row = CorrectionRow(ANNA, "", "gender", "female", "male", reason, reason)
    text = format_entries(CorrectionRow, [row])
    assert text.splitlines()[1].endswith(f",'{reason},'{reason}")


def test_a_name_cannot_draw_on_the_terminal() -> None:
    assert printable("\x1b[2Jmask\u202egpj.\udcff\n") == "\\x1b[2Jmask\\u202egpj.\\udcff\\n"
    assert "\x1b" not in str(UserError("x", where="\x1b[31m", got="\x1b]0;title\x07"))


def test_an_output_that_is_a_link_is_replaced_not_written_through(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "out.csv").symlink_to(victim)
    write_text(tmp_path / "out.csv", "new")
    assert victim.read_text() == "precious"
    assert not (tmp_path / "out.csv").is_symlink()


def test_a_folder_that_is_a_link_is_replaced_not_emptied(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "a").write_text("precious")
    for target in (victim, tmp_path / "nowhere"):
        (tmp_path / "out").unlink() if (tmp_path / "out").is_symlink() else None
        (tmp_path / "out").symlink_to(target)
        with atomic_folder(tmp_path / "out") as part:
            (part / "b").write_text("new")
        assert (tmp_path / "out" / "b").exists()
        shutil.rmtree(tmp_path / "out")
    (tmp_path / ".out.1.part").symlink_to(victim)
    with atomic_folder(tmp_path / "out"):
        pass
    assert [p.name for p in victim.iterdir()] == ["a"]
    assert (victim / "a").read_text() == "precious"


def test_the_item_cache_believes_no_entry_that_was_changed(tmp_path: Path) -> None:
    from pipeline.io.result_cache import ResultCache

    cache = ResultCache(tmp_path, "segment", {})
    entry = cache.add_file("ab" * 32, b"matte", ".png")
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    entry.unlink()
    entry.symlink_to(secret)
    assert cache.read(entry) is None
    assert secret.exists()


def test_a_picture_made_to_explode_is_refused_in_time_and_memory(tmp_path: Path) -> None:
    from tests.reliability.corpus import huge

    (tmp_path / "bomb.png").write_bytes(huge(60_000))
    code = (
        "import resource\nfrom pathlib import Path\n"
        "from pipeline.dataset.photo_opening import Listed, make_opener\n"
        "from pipeline.io.result_cache import ResultCache\nfrom pipeline.params.schema import Ingest\n"
        "cache = ResultCache(Path('items'), 'ingest', {})\n"
        "open_photo = make_opener(Path.cwd(), Ingest(), cache)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))\n"
        "print(open_photo(Listed('bomb.png')).reason)\n"
    )
    assert "max_pixels" in printed(code, tmp_path, timeout=60)  # most of it imports, on a busy machine
