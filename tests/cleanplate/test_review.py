"""The review page's server: what it writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cleanplate.review.security import SessionTokens
from pipeline.runtime.errors import Problems
from tests.fixtures.review_project import (
    HEAD,
    PEOPLE,
    client,
    decide,
    make_project,
    person_of,
    rows_of,
    running,
)

ANNA, BERT, CARA, DIRK, EMMA = PEOPLE
BY = "review by Mina"


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SessionTokens]:
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    with running() as keys:
        yield keys


@pytest.fixture
def page(keys: SessionTokens) -> Iterator[httpx.Client]:
    with client(keys) as browser:
        yield browser


def test_decisions_become_sorted_rows(page: httpx.Client) -> None:
    assert decide(page, DIRK, "correct", "gender", value="female").status_code == 200
    assert decide(page, ANNA, "correct", "gender", value="male", suspect=0).status_code == 200
    assert decide(page, CARA, "correct", "mask", photo="normal.jpg", value="incorrect").status_code == 200
    assert decide(page, BERT, "correct", "age", value=">=60").status_code == 200
    assert decide(page, EMMA, "drop", "drop", photo="mask1.jpg").status_code == 200
    assert decide(page, EMMA, "keep", "age").status_code == 200
    assert rows_of("corrections") == [
        [ANNA, "", "gender", "female", "male", "seen; 7 of 7 photos look male", BY],
        [BERT, "", "age", "59", "60", "seen on the review page; 60 stands for >=60", BY],
        [CARA, "normal.jpg", "mask", "none", "incorrect", "seen on the review page", BY],
        [DIRK, "", "gender", "male", "female", "seen on the review page", BY],
        [EMMA, "mask1.jpg", "drop", "", "", "seen on the review page", BY],
    ]
    assert rows_of("reviewed") == [[EMMA, "", "age", "52", BY]]
    assert b"\r" not in Path("data/corrections.csv").read_bytes()


def test_nobody_is_asked_twice_also_after_a_restart(page: httpx.Client) -> None:
    decide(page, ANNA, "keep", "gender")
    decide(page, CARA, "drop", "drop")
    with running() as again, client(again) as other:
        suspects = other.get("/api/session").json()["suspects"]
    assert [s["decided"] and s["decided"]["kind"] for s in suspects] == ["keep", None, "drop", None]


def test_a_keep_of_a_label_that_changed_since_does_not_count(page: httpx.Client) -> None:
    Path("data/reviewed.csv").write_text(
        f"person,image,field,value,source\n{ANNA},,gender,male,Ole\n{DIRK},,gender,male,Ole\n"
    )
    suspects = page.get("/api/session").json()["suspects"]
    assert [bool(s["decided"]) for s in suspects] == [False, False, False, True]
    assert decide(page, ANNA, "keep", "gender").status_code == 200


def test_undo_takes_the_row_back_and_returns_what_it_replaced(page: httpx.Client) -> None:
    before = Path("data/corrections.csv").read_bytes()
    first, second = "1" * 16, "2" * 16
    decide(page, ANNA, "correct", "gender", value="male", receipt=first)
    decide(page, ANNA, "keep", "gender", receipt=second)
    assert rows_of("corrections") == []
    assert rows_of("reviewed") == [[ANNA, "", "gender", "female", BY]]
    assert page.post("/api/undo", json={"receipt": second}).status_code == 200
    assert [r[4] for r in rows_of("corrections")] == ["male"]
    assert rows_of("reviewed") == []
    assert page.post("/api/undo", json={"receipt": first}).status_code == 200
    assert Path("data/corrections.csv").read_bytes() == before
    assert page.post("/api/undo", json={"receipt": first}).status_code == 409


def test_a_second_tab_that_saw_old_rows_is_told_both(page: httpx.Client) -> None:
    seen = person_of(page, ANNA)
    decide(page, ANNA, "correct", "gender", value="male")
    body = {"person": seen["id"], "version": seen["version"], "action": "keep", "field": "gender"}
    body["receipt"] = "3" * 16
    late = page.post("/api/decide", json=body)
    assert late.status_code == 409
    for part in ("data/corrections.csv line 2", "says gender male", f"you: keeps gender female of {ANNA}"):
        assert part in late.json()["message"]
    assert rows_of("reviewed") == []


def test_another_reviewers_row_is_not_overruled(page: httpx.Client) -> None:
    path = Path("data/corrections.csv")
    theirs = f"{ANNA},,gender,female,male,seen,review by Ole\n"
    path.write_text(path.read_text() + theirs)
    refused = decide(page, ANNA, "keep", "gender")
    assert refused.status_code == 409
    assert "line 2 says gender male" in refused.json()["message"]
    assert "(review by Ole)" in refused.json()["message"]
    assert decide(page, ANNA, "correct", "gender", value="male").status_code == 200
    assert path.read_text().endswith(theirs)
    assert len(rows_of("corrections")) == 1


def test_a_decision_that_contradicts_a_row_about_one_photo_changes_nothing(page: httpx.Client) -> None:
    path = Path("data/corrections.csv")
    path.write_text(path.read_text() + f"{BERT},mask1,age,59,61,,Ole\n")
    before = path.read_bytes()
    refused = decide(page, BERT, "correct", "age", value="60")
    assert refused.status_code == 409
    assert "contradicts" in refused.json()["message"]
    assert path.read_bytes() == before


def test_rows_that_come_by_hand_or_git_stay(page: httpx.Client) -> None:
    decide(page, DIRK, "keep", "gender")
    path = Path("data/corrections.csv")
    path.write_text(path.read_text() + f"{CARA},,drop,,,blurred,Ole\n")
    decide(page, ANNA, "correct", "gender", value="male")
    assert [r[0] for r in rows_of("corrections")] == [ANNA, CARA]


def test_a_table_that_was_broken_meanwhile_is_named_and_not_written(page: httpx.Client) -> None:
    path = Path("data/corrections.csv")
    path.write_text(path.read_text() + f"{ANNA},,gender,male,female,,Ole\n")
    before = path.read_bytes()
    refused = page.get("/api/session")
    assert refused.status_code == 409
    assert "line 2: stale" in refused.json()["message"]
    assert path.read_bytes() == before


def test_columns_of_ones_own_are_not_lost(page: httpx.Client) -> None:
    path = Path("data/corrections.csv")
    path.write_text(f"person,image,field,old,new,ticket\n{ANNA},,gender,female,male,77\n")
    assert "'ticket'" in page.get("/api/session").json()["message"]


def test_two_reviewers_who_contradict_are_named_before_the_page_opens(keys: SessionTokens) -> None:
    corrections, reviewed = Path("data/corrections.csv"), Path("data/reviewed.csv")
    corrections.write_text(corrections.read_text() + f"{ANNA},,gender,female,male,,Ole\n")
    reviewed.write_text(f"person,image,field,value,source\n{ANNA},,gender,female,Mina\n")
    with (
        pytest.raises(Problems, match=r"reviewed.csv line 2 keeps .*corrections.csv line 2 says male") as e,
        running(),
    ):
        pass
    assert len(e.value.problems) == 1


@pytest.mark.parametrize("value", ["abc", "200", "-1", "", "=1+1"])
def test_a_value_that_is_none_is_refused(page: httpx.Client, value: str) -> None:
    assert decide(page, BERT, "correct", "age", value=value).status_code == 409
    assert rows_of("corrections") == []


def test_suspects_about_nobody_are_counted(keys: SessionTokens) -> None:
    Path("reports/suspects.csv").write_text(f"{HEAD}1,{ANNA},,gender,female,male,0.9,w\n2,gone,,age,1,2,,\n")
    with running() as other, client(other) as page:
        session = page.get("/api/session").json()
    assert len(session["suspects"]) == 1
    assert "1 rows of" in session["note"]
