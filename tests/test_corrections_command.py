"""`cleanplate corrections`: lists of other teams come in whole or not at all, and go out again."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.corrections import read_corrections
from pipeline.corrections_table import Entry, Kept, entries_text, read_entries
from pipeline.errors import Problems, UserError
from pipeline.labels import MASK_OF_STEM
from pipeline.person import read_person
from pipeline.person_search import NotFound, PersonSearch
from pipeline.tables import write_table

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
ANNA, BERT, CARA = "000001_female_Asian_45", "000002_male_Asian_59", "006359_female_Asian_18"
TWINS = ("003397_female_Asian_19", "003397_female_Asian_20")
OTHER = "001498-1_male_Asian_23"
HEAD = "person,image,field,old,new,reason,source\n"

Corrections = Callable[..., int]


def labels_of(people: list[str]) -> pd.DataFrame:
    """The index of people with seven photos each."""
    rows = [
        (f"train/images/{name}/{stem}.jpg", "train", name, p.gender, p.age, mask)
        for name in people
        for p in [read_person(name)]
        for stem, mask in sorted(MASK_OF_STEM.items())
    ]
    return pd.DataFrame(rows, columns=["image", "split", "person", "gender", "age", "mask"])


@pytest.fixture
def run(project: Path) -> Corrections:
    """Runs `cleanplate corrections …` in a project of six people and returns the exit code."""
    from typer import Exit

    from commands.corrections import app

    write_table(project / "build/index.parquet", labels_of([ANNA, BERT, CARA, *TWINS, OTHER]))

    def call(*args: object) -> int:
        try:
            return int(app([str(a) for a in args], standalone_mode=False) or 0)
        except Exit as e:
            return int(e.exit_code)

    return call


def table() -> list[tuple[str, ...]]:
    rows = read_entries(Entry, Path("data/corrections.csv").read_bytes(), "c")
    return [(e.person, e.image, e.field, e.old, e.new) for _, e in rows]


def write(name: str, text: str) -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_ids_under_a_rule(run: Corrections) -> None:
    ids = write("ids.txt", f"6359  # lost its zeros\n{ANNA}, 1498-1\n")
    assert run("import", "--rule", "gender:female:male", ids) == 0
    assert table() == [(ANNA, "", "gender", "female", "male"), (CARA, "", "gender", "female", "male")]
    before = Path("data/corrections.csv").read_bytes()
    assert run("import", "--rule", "gender:female:male", ids) == 0
    assert Path("data/corrections.csv").read_bytes() == before


def test_every_uncertain_id_is_named_and_nothing_is_imported(run: Corrections) -> None:
    ids = write("ids.txt", "1\n3397\n001498\n777777\n2\n")
    with pytest.raises(Problems) as refused:
        run("import", "--rule", "gender:female:male", ids)
    for line, part in zip(
        (2, 3, 4, 5),
        (
            f"is the id of 2 people: {TWINS[0]} and {TWINS[1]}",
            f"nobody has the id '001498'; {OTHER} only looks like it",
            "nobody is called '777777'",
        ),
        strict=False,
    ):
        assert any(p.startswith(f"ids.txt line {line}: ") and part in p for p in refused.value.problems), part
    assert table() == []


def test_a_list_that_disagrees_with_the_labels_is_refused(run: Corrections) -> None:
    with pytest.raises(Problems, match="the list says age was 58, but the data folder says 59"):
        run("import", "--rule", "age:58:60", write("ids.txt", "2"))


def test_rules_in_the_list_swaps_drops_and_stand_ins(run: Corrections) -> None:
    text = "[swap:incorrect_mask:normal]\n1\n[drop]\n3397_not\n[age::<30]\n2\n[mask:worn:none@mask3]\n6359\n"
    with pytest.raises(Problems, match="nobody is called"):
        run("import", write("ids.txt", text))
    run("import", write("ids.txt", text.replace("3397_not", TWINS[1])))
    assert table() == [
        (ANNA, "incorrect_mask", "mask", "incorrect", "none"),
        (ANNA, "normal", "mask", "none", "incorrect"),
        (BERT, "", "age", "59", "20"),
        (TWINS[1], "", "drop", "", ""),
        (CARA, "mask3", "mask", "worn", "none"),
    ]


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("gendr:female:male", "is no rule"),
        ("gender:female", "is no rule"),
        ("gender:female:mal", "did you mean 'male'"),
        ("mask:worn:none", "is no rule"),
        ("age:1:999", "age is '999'"),
        ("drop:1:2", "is no rule"),
    ],
)
def test_a_rule_that_is_none_says_what_is_allowed(run: Corrections, rule: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        run("import", "--rule", rule, write("ids.txt", "1"))


def test_a_list_without_a_rule(run: Corrections) -> None:
    with pytest.raises(Problems, match="give --rule, one of"):
        run("import", write("ids.txt", "1\n"))


def test_a_table_of_right_values_with_lost_zeros(run: Corrections) -> None:
    run("import", "--form", "values", write("v.csv", "\ufeffid,gender,age\r\n1,Male,45\r\n2,male,60\r\n"))
    assert table() == [(ANNA, "", "gender", "female", "male"), (BERT, "", "age", "59", "60")]
    with pytest.raises(Problems, match="neither a column"):
        run("import", "--form", "values", write("v.csv", "id,race\n1,x\n"))


def test_folder_renames(run: Corrections) -> None:
    text = (
        "old,new\n"
        f"{ANNA},000001_male_Asian_45\n"
        f"mv train/images/{BERT} train/images/000002_male_Asian_60\n"
        f"{CARA} -> 006359_female_Asian_18\n"
    )
    run("import", "--form", "renames", write("r.csv", text))
    assert table() == [(ANNA, "", "gender", "female", "male"), (BERT, "", "age", "59", "60")]
    wrong = f"{ANNA},000009_male_Asian_45\n{BERT},000002_mal_Asian_60\n{CARA}\n"
    with pytest.raises(Problems) as refused:
        run("import", "--form", "renames", write("r.csv", wrong))
    assert [p.split(": ")[0] for p in refused.value.problems] == [f"r.csv line {k}" for k in (1, 2, 3)]


def test_check_lists_what_both_tables_have_wrong(
    run: Corrections, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("check") == 0
    assert "0 rows about 0 photos" in capsys.readouterr().err
    write("data/corrections.csv", f"{HEAD}{ANNA},,gender,female,male,,Ole\n{BERT},,age,58,60,,\n")
    with pytest.raises(Problems) as refused:
        run("check")
    assert ["line 3: stale" in p for p in refused.value.problems] == [True]
    write("data/corrections.csv", f"{HEAD}{ANNA},,gender,female,male,,Ole\n")
    write("data/reviewed.csv", f"person,image,field,value,source\n{ANNA},mask1,gender,female,Mina\n")
    with pytest.raises(
        Problems, match=r"reviewed.csv line 2 keeps gender female of .* mask1 \(Mina\), .* line 2 says"
    ):
        run("check")


def test_export_and_import_again(run: Corrections, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        Entry(ANNA, "", "gender", "female", "male"),
        Entry(ANNA, "", "age", "45", "60"),
        Entry(CARA, "mask1", "mask", "worn", "incorrect"),
        Entry(OTHER, "mask2", "drop", "", ""),
        Entry(TWINS[0], "", "gender", "female", "male"),
    ]
    write("data/corrections.csv", entries_text(Entry, rows))
    before = table()
    run("export")
    ids = capsys.readouterr().out
    assert f"[gender:female:male]\n000001\n{TWINS[0]}\n" in ids
    run("export", "--form", "renames")
    shown = capsys.readouterr()
    assert shown.out == f"old,new\n{ANNA},000001_male_Asian_60\n{TWINS[0]},003397_male_Asian_19\n"
    assert shown.err.count("left out") == 2
    write("data/corrections.csv", HEAD)
    run("import", write("ids.txt", ids))
    assert table() == before


def test_diff(run: Corrections, capsys: pytest.CaptureFixture[str]) -> None:
    first = write(
        "a.csv", f"{HEAD}{ANNA},,gender,female,male,x,\n{BERT},,age,59,60,,\n{CARA},normal,drop,,,,\n"
    )
    second = write(
        "b.csv",
        f"{HEAD}{BERT},,age,59,61,,\n{ANNA},,gender,female,male,y,\n{OTHER},normal.jpg,mask,none,worn,,\n",
    )
    assert run("diff", first, second) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"+ {OTHER} normal.jpg: mask none → worn",
        f"- {CARA} normal: drop",
        f"! {BERT}: age 59 → 60 (a.csv line 3) against 61 (b.csv line 2)",
        "1 added, 1 removed, 1 contradicting",
    ]
    assert run("diff", first, first) == 0


def test_who_is_meant() -> None:
    search = PersonSearch([ANNA, *TWINS, OTHER, "000007-1_male_Asian_20", "000007_male_Asian_30"])
    assert search.find("1") == search.find("000001") == search.find("1.0") == ANNA
    assert search.find("7") == "000007_male_Asian_30"
    assert search.find("7-1") == "000007-1_male_Asian_20"
    assert search.short(ANNA) == "000001"
    assert search.short(TWINS[0]) == TWINS[0]
    for wrong in ("3397", "1498", "1498-2", "", "000001_male_Asian_45"):
        with pytest.raises(NotFound):
            search.find(wrong)


@pytest.fixture(scope="module")
def competition(test_data: Path) -> pd.DataFrame:
    names = pd.read_csv(test_data / "competition_photos.csv")["photo"].str.split("/").str[0]
    return labels_of(sorted(set(names)))


def test_the_examples_fit_the_real_set_and_are_what_the_list_gives(
    competition: pd.DataFrame, test_data: Path, project: Path
) -> None:
    from commands.corrections import app

    write_table(project / "build/index.parquet", competition)
    known, source = (
        test_data.parent / "known-label-errors.csv",
        "known label errors of 73 public team repositories",
    )
    for name, more in (("corrections", ["", ""]), ("contested", ["; contested", "--contested"])):
        args = ["import", known, "--form", "known", "--source", source + more[0], "--out", f"{name}.csv"]
        app([str(a) for a in [*args, *filter(None, more[1:])]], standalone_mode=False)
        assert Path(f"{name}.csv").read_bytes() == (EXAMPLES / f"mask-dataset-{name}.csv").read_bytes()
    sure = read_corrections((EXAMPLES / "mask-dataset-corrections.csv").read_bytes(), "sure", competition)
    contested = read_corrections(
        (EXAMPLES / "mask-dataset-contested.csv").read_bytes(), "contested", competition
    )
    assert len({c.person for c in sure}) == 24
    assert len({c.person for c in contested}) == 13
    assert not any("contested" in c.reason + c.source for c in sure)
    assert all("contested" in c.reason and "contested" in c.source for c in contested)
    assert {c.new for c in sure if c.field == "age"} == {20, 60}


def test_rows_are_sorted_each_once_and_no_spreadsheet_runs_them() -> None:
    rows = [Entry(BERT, "", "age", "59", "60", "=cmd()", "two\nlines"), Entry(ANNA, "", "drop", "", "")]
    text = entries_text(Entry, [*rows, rows[0]])
    assert text == f"{HEAD}{ANNA},,drop,,,,\n{BERT},,age,59,60,'=cmd(),two lines\n"
    assert next(e for _, e in read_entries(Entry, text.encode(), "c")) == rows[1]


def merged(base: str, ours: str, theirs: str, *options: str) -> tuple[int, str]:
    files = [write(name, text) for name, text in (("ours", ours), ("base", base), ("theirs", theirs))]
    done = subprocess.run(
        ["git", "merge-file", "-p", *options, *files], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_two_reviewers_files_merge(project: Path) -> None:
    """Rows apart from each other merge anyhow; rows side by side by the union driver of .gitattributes."""
    people = [f"{k:06d}_female_Asian_20" for k in range(40)]
    base = entries_text(Entry, [Entry(p, "", "gender", "female", "male") for p in people[::4]])

    def with_rows(*numbers: int) -> str:
        rows = [e for _, e in read_entries(Entry, base.encode(), "b")]
        return entries_text(
            Entry, [*rows, *(Entry(people[k], "", "drop", "", "", "", "me") for k in numbers)]
        )

    code, text = merged(base, with_rows(1, 2, 22), with_rows(13, 30))
    assert (code, text) == (0, with_rows(1, 2, 13, 22, 30))
    assert merged(base, with_rows(1), with_rows(2))[0] == 1
    code, text = merged(base, with_rows(1), with_rows(2), "--union")
    assert (code, text) == (0, with_rows(1, 2))
    empty = entries_text(Kept, [])
    mine, theirs = (entries_text(Kept, [Kept(p, "", "age", "20", "x")]) for p in people[:2])
    code, text = merged(empty, mine, theirs, "--union")
    assert [k.person for _, k in read_entries(Kept, text.encode(), "k")] == people[:2]


def test_git_merges_both_tables_with_the_projects_attributes(tmp_path: Path) -> None:
    def git(*args: str) -> str:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "init.defaultBranch=main"]
        return subprocess.run(
            ["git", *who, *args], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    git("init", "-q")
    (tmp_path / ".gitattributes").write_bytes((ROOT / ".gitattributes").read_bytes())
    path = tmp_path / "data/corrections.csv"
    path.parent.mkdir()
    path.write_text(HEAD)
    git("add", ".")
    git("commit", "-qm", "base")
    for branch, person in (("ole", ANNA), ("mina", BERT)):
        git("checkout", "-qb", branch, "main")
        path.write_text(f"{HEAD}{person},,drop,,,,{branch}\n")
        git("commit", "-qam", branch)
    git("merge", "-q", "ole", "-m", "both")
    assert {e.person for _, e in read_entries(Entry, path.read_bytes(), "c")} == {ANNA, BERT}
