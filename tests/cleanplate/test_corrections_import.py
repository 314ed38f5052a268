"""`cleanplate corrections import`: lists that teams made become rows, or are refused with their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanplate.corrections.person_search import PersonSearch, UnknownPerson
from pipeline.labels import true_class
from pipeline.runtime.errors import Problems, UserError
from tests.fixtures.corrections_project import (
    ANNA,
    BERT,
    CARA,
    OTHER,
    TWINS,
    Corrections,
    commands_in,
    labels_of,
    table,
    write,
)


@pytest.fixture
def run(project: Path) -> Corrections:
    return commands_in(project)


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
        ("gendr:female:male", "is not a rule"),
        ("gender:female", "is not a rule"),
        ("gender:female:mal", "did you mean 'male'"),
        ("mask:worn:none", "is not a rule"),
        ("age:1:999", "age is '999'"),
        ("drop:1:2", "is not a rule"),
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


def test_who_is_meant() -> None:
    search = PersonSearch([ANNA, *TWINS, OTHER, "000007-1_male_Asian_20", "000007_male_Asian_30"])
    assert search.find("1") == search.find("000001") == search.find("1.0") == ANNA
    assert search.find("7") == "000007_male_Asian_30"
    assert search.find("7-1") == "000007-1_male_Asian_20"
    assert search.short(ANNA) == "000001"
    assert search.short(TWINS[0]) == TWINS[0]
    for wrong in ("3397", "1498", "1498-2", "", "000001_male_Asian_45"):
        with pytest.raises(UnknownPerson):
            search.find(wrong)


def test_a_table_of_photos_gives_what_was_mended_in_it(run: Corrections) -> None:
    """`path,label` of all photos: one person is a man, another's photos are swapped, the rest agree."""
    swapped = {"normal": "incorrect", "incorrect_mask": "none"}
    rows = []
    for row in labels_of([ANNA, BERT, CARA, *TWINS, OTHER]).itertuples(index=False):
        image, mask, person = str(row.image), str(row.mask), str(row.person)
        gender = "male" if person == ANNA else str(row.gender)
        mask = swapped.get(Path(image).stem, mask) if person == BERT else mask
        rows.append(f"{image},{true_class(mask, gender, int(str(row.age)))}\n")
    assert run("import", "--form", "photos", write("photos.csv", "path,label\n" + "".join(rows))) == 0
    assert table() == [
        (ANNA, "", "gender", "female", "male"),
        (BERT, "incorrect_mask.jpg", "mask", "incorrect", "none"),
        (BERT, "normal.jpg", "mask", "none", "incorrect"),
    ]


def test_photos_by_person_and_name_or_by_path_with_columns_of_their_own(run: Corrections) -> None:
    run(
        "import",
        "--form",
        "photos",
        write("p.csv", f"person,image,mask,age\n1,normal,worn,\n{BERT},mask1,,61\n"),
    )
    assert table() == [(ANNA, "normal", "mask", "none", "worn"), (BERT, "mask1", "age", "59", "61")]
    run("import", "--form", "photos", write("q.csv", f"path,label\n/data/train/images/{CARA}/mask2.jpg,5\n"))
    assert (CARA, "mask2.jpg", "age", "18", "60") in table()  # worn female, from 60


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path,label\n{cara}/mask1.jpg,18\n", r"line 2: label is '18'; allowed: a class from 0 to 17"),
        ("path,label\nmask1.jpg,3\n", "line 2: 'mask1.jpg' names no photo of a person"),
        ("path,label\n{cara}/mask9.jpg,3\n", "line 2: .* has no usable photo 'mask9.jpg'"),
        ("path,label\n{cara}x/mask1.jpg,3\n", "line 2: nobody"),
        ("path,label,mask\n{cara}/mask1.jpg,3,worn\n", "line 2: says both label and mask"),
        ("path,mask\n{cara}/mask1.jpg,wrn\n", "line 2: .*did you mean 'worn'"),
        ("path,race\n{cara}/mask1.jpg,x\n", "is not a table of photos"),
    ],
)
def test_a_table_of_photos_that_is_not_certain_is_refused(run: Corrections, text: str, says: str) -> None:
    with pytest.raises(Problems, match=says):
        run("import", "--form", "photos", write("p.csv", text.format(cara=CARA)))
    assert table() == []
