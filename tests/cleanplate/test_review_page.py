"""The review page in a real browser: keys, reload, two tabs, hostile names, many people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from cleanplate.review.security import SessionTokens
from tests.fixtures.review_browser import asked, opened
from tests.fixtures.review_project import CHROMIUM, HEAD, PEOPLE, make_project, rows_of, running, wait_for

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"
)

ANNA, BERT, CARA, DIRK, EMMA = PEOPLE


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SessionTokens]:
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    with running() as keys:
        yield keys


@pytest.fixture
def page(browser: Browser, keys: SessionTokens) -> Iterator[Page]:
    yield from opened(browser, keys)


def test_accept_keep_another_value_and_undo(page: Page) -> None:
    asked(page, ANNA)
    page.keyboard.press("a")
    asked(page, BERT)
    page.keyboard.type("61")
    page.keyboard.press("Enter")
    asked(page, CARA)
    page.keyboard.press("k")
    asked(page, DIRK)
    page.keyboard.press("2")
    expect(page.locator("#done-title")).to_have_text("All settled")
    assert [r[:5] for r in wait_for("corrections", 3)] == [
        [ANNA, "", "gender", "female", "male"],
        [BERT, "", "age", "59", "61"],
        [DIRK, "", "gender", "male", "female"],
    ]
    assert [r[:4] for r in wait_for("reviewed", 1)] == [[CARA, "normal.jpg", "mask", "none"]]
    page.keyboard.press("u")
    asked(page, DIRK)
    page.keyboard.press("u")
    asked(page, CARA)
    assert [r[0] for r in wait_for("corrections", 2)] == [ANNA, BERT]
    wait_for("reviewed", 0)


def test_the_photo_in_question_is_marked_and_others_can_be_enlarged(page: Page) -> None:
    for _ in range(2):
        page.keyboard.press("n")
    asked(page, CARA)
    expect(page.locator("#strip button")).to_have_count(7)
    expect(page.locator("#strip .asked")).to_have_text("normal")
    expect(page.locator("#caption")).to_contain_text("normal.jpg")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#caption")).to_contain_text("mask5.jpg")
    page.keyboard.press("d")
    assert wait_for("corrections", 1)[0][:3] == [CARA, "mask5.jpg", "drop"]
    asked(page, CARA)  # the question about normal.jpg stands
    expect(page.locator("#strip .dropped")).to_have_text("mask5")
    page.keyboard.press("Shift+D")
    assert wait_for("corrections", 2)[0][:3] == [CARA, "", "drop"]
    asked(page, DIRK)


def test_reload_in_the_middle_goes_on_where_it_was(page: Page) -> None:
    page.keyboard.press("a")
    page.keyboard.press("k")
    wait_for("reviewed", 1)
    page.reload()
    asked(page, CARA)
    assert "token" not in page.url
    expect(page.locator("#pace")).to_contain_text("2 of 4")
    page.keyboard.press("u")  # also after a reload
    asked(page, BERT)
    wait_for("reviewed", 0)
    page.keyboard.press("ArrowLeft")
    asked(page, ANNA)
    expect(page.locator("#decided")).to_contain_text(
        "gender is male (review by Mina, data/corrections.csv line 2)"
    )


def test_two_tabs(page: Page) -> None:
    other = page.context.new_page()
    other.goto(page.url)
    asked(other, ANNA)
    page.keyboard.press("a")
    wait_for("corrections", 1)
    other.keyboard.press("k")  # has not seen the other tab's decision
    expect(other.locator("#banner")).to_contain_text("somebody else decided about " + ANNA)
    expect(other.locator("#banner")).to_contain_text("data/corrections.csv line 2 says gender male")
    asked(other, ANNA)
    expect(other.locator("#decided")).to_contain_text("gender is male")
    assert rows_of("reviewed") == []
    other.keyboard.press("k")  # now it has, and may change its own reviewer's mind
    wait_for("reviewed", 1)
    wait_for("corrections", 0)


def test_filter_and_any_person(page: Page) -> None:
    page.keyboard.press("f")
    page.keyboard.press("f")
    asked(page, BERT)
    expect(page.locator("#filters [aria-pressed=true]")).to_have_text("age1")
    page.keyboard.press("/")
    page.keyboard.type("female 52")
    expect(page.locator("#found-count")).to_have_text("1 of 5 people")
    page.keyboard.press("Enter")
    asked(page, EMMA)
    page.keyboard.press("f")
    page.keyboard.press("f")
    expect(page.locator("#label-term")).to_have_text("Label: age")
    page.keyboard.press("k")
    assert wait_for("reviewed", 1)[0][:4] == [EMMA, "", "age", "52"]
    expect(page.locator("#decided")).to_contain_text("kept 52")
    page.keyboard.press("Escape")
    asked(page, BERT)


def test_a_table_broken_meanwhile_is_told_and_the_question_comes_back(page: Page) -> None:
    path = Path("data/corrections.csv")
    whole = path.read_text()
    path.write_text(whole + "nobody,,gender,male,female,,\n")
    page.keyboard.press("a")
    expect(page.locator("#banner")).to_contain_text("nobody is called 'nobody'")
    path.write_text(whole)
    page.reload()
    asked(page, ANNA)


def test_hostile_names_stay_text(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = (
        '<img src=x onerror="document.title=1">_male_x_20',
        "\"><script>document.title='2'</script>_male_x_21",
        "a\nb\r\nc_female_x_22",
        "'; drop table_female_x_23",
        "=1+1_female_x_24",
        "../../etc/passwd_male_x_25",
        "한국\u202e이름_male_x_26",
    )
    rows = "".join(
        f'{k},"{n.replace(chr(34), chr(34) * 2)}",,gender,x,,,<b>why</b>\n' for k, n in enumerate(names)
    )
    make_project(tmp_path, names, HEAD + rows)
    monkeypatch.chdir(tmp_path)
    with running() as keys:
        for page in opened(browser, keys):
            for done, name in enumerate(names):
                wait_for("reviewed", done)
                expect(page.locator("#name")).to_have_js_property("textContent", name)
                expect(page.locator("#why")).to_have_text("<b>why</b>")
                page.keyboard.press("k")
            expect(page.locator("#done-title")).to_be_visible()
            page.keyboard.press("/")
            expect(page.locator("#found button")).to_have_count(len(names))
            assert page.title() == "Cleanplate review"
            assert (
                page.evaluate(
                    "document.querySelectorAll('main img[src=x], #found img, #found script').length"
                )
                == 0
            )
            assert sorted(r[0] for r in wait_for("reviewed", len(names))) == sorted(names)
    with running():  # and the table can be read again
        pass
