"""Labels: codes, bounds and words; whatever is typed, the answer is a label or one sentence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dataset.person import PersonError, read_person
from pipeline.labels import (
    AGE_GROUPS,
    CLASS_NAMES,
    CLASSES,
    GENDERS,
    MASKS,
    age_group,
    age_group_of,
    class_of,
    gender_of,
    mask_of,
    read_age,
    read_gender,
    read_mask,
    true_class,
)


def test_the_classes_are_the_competitions() -> None:
    assert true_class("worn", "male", 29) == 0
    assert true_class("worn", "female", 60) == 5
    assert true_class("incorrect", "male", 30) == 7
    assert true_class("none", "female", 60) == 17
    assert true_class("none", "female", 59, old_from=58) == 17


@pytest.mark.parametrize(("age", "group"), [(0, 0), (29, 0), (30, 1), (59, 1), (60, 2), (120, 2)])
def test_the_bounds_are_30_and_60(age: int, group: int) -> None:
    assert age_group(age) == group


def test_codes_and_class_are_inverse_also_on_arrays() -> None:
    classes = np.arange(CLASSES)
    assert (class_of(mask_of(classes), gender_of(classes), age_group_of(classes)) == classes).all()
    assert len(set(CLASS_NAMES)) == CLASSES == len(MASKS) * len(GENDERS) * len(AGE_GROUPS)
    assert CLASS_NAMES[7] == "incorrect male 30-59"


@pytest.mark.parametrize(
    ("word", "mask"),
    [
        ("worn", "worn"),
        ("Mask", "worn"),
        ("mask3", "worn"),
        ("incorrect_mask", "incorrect"),
        ("normal", "none"),
    ],
)
def test_words_of_other_tables_are_known(word: str, mask: str) -> None:
    assert read_mask(word) == mask


@settings(deadline=None)
@given(st.text(max_size=20))
def test_any_text_is_a_label_or_one_sentence(text: str) -> None:
    for read in (read_mask, read_gender, read_age):
        try:
            found = read(text)
        except ValueError as e:
            found = str(e)
        assert found in (*MASKS, *GENDERS, *range(121)) or "; allowed: " in str(found)


@settings(deadline=None)
@given(st.text(alphabet="_-0123456789malefAsin ", max_size=40) | st.text(max_size=20))
def test_any_folder_name_is_a_person_or_says_why_not(name: str) -> None:
    try:
        person = read_person(name)
    except PersonError:
        return
    assert f"{person.id}_{person.gender}_{person.race}_{person.age}" == name == person.key


def test_a_person() -> None:
    person = read_person("001498-1_male_Asian_23")
    assert (person.key, person.id, person.gender, person.age) == (
        "001498-1_male_Asian_23",
        "001498-1",
        "male",
        23,
    )
