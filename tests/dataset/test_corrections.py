"""Corrections: what fits is applied, what does not is listed with its line, nothing is applied by halves."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.dataset.corrections import read_corrections
from pipeline.runtime.errors import Problems

HEAD = "person,image,field,old,new,reason,source\n"
ANNA, BERT, TWIN = "000001_female_Asian_45", "000002_male_Asian_59", "001498-1_male_Asian_23"


def labels() -> pd.DataFrame:
    rows = []
    for person in (ANNA, BERT, TWIN):
        gender, age = person.split("_")[1], int(person.split("_")[3])
        for stem, mask in (("incorrect_mask", "incorrect"), ("mask1", "worn"), ("normal", "none")):
            rows.append((f"train/images/{person}/{stem}.jpg", person, gender, age, mask))
    return pd.DataFrame(rows, columns=["image", "person", "gender", "age", "mask"])


def read(*rows: str) -> list[tuple[str, str, object]]:
    found = read_corrections((HEAD + "\n".join(rows) + "\n").encode(), "corrections.csv", labels())
    return [(c.image.split("/")[-1], c.field, c.new) for c in found]


def problems(*rows: str) -> list[str]:
    with pytest.raises(Problems) as refused:
        read(*rows)
    return refused.value.problems


def test_a_person_means_all_photos() -> None:
    expected = [
        ("incorrect_mask.jpg", "gender", "male"),
        ("mask1.jpg", "gender", "male"),
        ("normal.jpg", "gender", "male"),
    ]
    assert read(f"{ANNA},,gender,female,male,seen,me") == expected


@pytest.mark.parametrize("image", ["normal", "normal.jpg", f"train/images/{ANNA}/normal.jpg"])
def test_a_photo_is_named_by_key_name_or_stem(image: str) -> None:
    assert read(f"{ANNA},{image},mask,none,worn,,") == [("normal.jpg", "mask", "worn")]


def test_a_swap_is_two_rows_in_any_words() -> None:
    rows = [f"{ANNA},normal,mask,normal,incorrect_mask,,", f"{ANNA},incorrect_mask,mask,incorrect,none,,"]
    expected = [("incorrect_mask.jpg", "mask", "none"), ("normal.jpg", "mask", "incorrect")]
    assert read(*rows) == read(*reversed(rows)) == expected


def test_what_is_harmless_is_accepted() -> None:
    row = f"{BERT},,age,59,60,,"
    assert read(row, row) == read(row)
    assert read(f"{BERT},,Age,59.0,60,,") == read(row)
    assert read() == []
    assert read(f"{BERT},,drop,,,twice,me") == [
        (n, "drop", None) for n in ("incorrect_mask.jpg", "mask1.jpg", "normal.jpg")
    ]
    assert len(read(f"{BERT},,age,59,60,,", f"{BERT},mask1,age,59,60,other words,other team")) == 3
    data = ("\ufeff" + HEAD + f"{BERT},,age,59,60,,\n").replace(",", ";").replace("\n", "\r\n").encode()
    assert len(read_corrections(data, "c", labels())) == 3
    assert (
        len(read_corrections(b"field,new,old,image,person\nage,60,59,," + BERT.encode(), "c", labels())) == 3
    )


def test_everything_wrong_is_listed_with_its_line() -> None:
    found = problems(
        "001498,,gender,male,female,,",
        "000009_male_Asian_20,,gender,male,female,,",
        ",,gender,male,female,,",
        f"{ANNA},mask7,mask,worn,none,,",
        f"{ANNA},,gender,male,female,,",
        f"{ANNA},,gender,male,male,,",
        f"{ANNA},,gendre,female,male,,",
        f"{ANNA},,gender,,male,,",
        f"{ANNA},,age,45,abc,,",
        f"{ANNA},,age,45,200,,",
        f"{ANNA},,mask,worn,none,,",
        f"{ANNA},,drop,yes,,,",
        f"{BERT},,age,59,60,,",
        f"{BERT},mask1,age,59,61,,",
    )
    parts = [
        f"nobody is called '001498'; did you mean {TWIN}?",
        "nobody is called '000009_male_Asian_20'",
        "person is empty",
        "no usable photo 'mask7'; there are: incorrect_mask.jpg, mask1.jpg, normal.jpg",
        "stale: the data folder already says gender female",
        "stale: old is gender male, but the data folder says female",
        "field is 'gendre', did you mean 'gender'?",
        "old is empty; field gender needs it",
        "new: age is 'abc'",
        "new: age is '200'",
        "the data folder says incorrect and none and worn",
        "drop takes no old, got 'yes'",
        "contradicts line 14: age of 000002_male_Asian_59 mask1.jpg: 61 here, 60 there",
    ]
    lines = [*range(2, 14), 15]
    assert len(found) == len(parts)
    for line, part, problem in zip(lines, parts, found, strict=True):
        assert problem.startswith(f"corrections.csv line {line}: "), problem
        assert part in problem


def test_a_correction_that_the_data_already_has_says_so() -> None:
    assert "already says gender female" in problems(f"{ANNA},,gender,male,female,,")[0]


def test_a_table_of_another_encoding_or_without_columns_is_refused() -> None:
    with pytest.raises(Problems, match="cp949"):
        read_corrections((HEAD + f"{BERT},,age,59,60,나이,팀\n").encode("cp949"), "c.csv", labels())
    with pytest.raises(Problems, match="'old' is missing"):
        read_corrections(f"person,image,field,new\n{BERT},,age,60\n".encode(), "c.csv", labels())
    with pytest.raises(Problems, match="empty"):
        read_corrections(b"", "c.csv", labels())
