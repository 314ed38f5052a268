"""The report in a real browser: phone, desk, dark, print."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from pipeline.params import Params
from tests.fixtures.report_project import REPORT, finished, page


@pytest.fixture
def done(project: Path) -> Params:
    return finished()


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
