"""The review page opened in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

from playwright.sync_api import Browser, Page, expect

from review.security import Keys

BLOB = re.compile("^blob:")


def opened(browser: Browser, keys: Keys) -> Iterator[Page]:
    """A page on the session, which must raise no error; 4xx answers are the page's to handle."""
    context = browser.new_context()
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.on("console", lambda m: errors.append(m.text) if "Content Security Policy" in m.text else None)
    page.goto(keys.address)
    expect(page.locator("#name")).not_to_be_empty()
    yield page
    context.close()
    assert not errors


def asked(page: Page, name: str) -> None:
    expect(page.locator("#name")).to_have_text(name)
    expect(page.locator("#photo")).to_have_attribute("src", BLOB)
