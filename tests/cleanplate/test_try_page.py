"""`cleanplate try` in a real browser: files, clipboard, camera, other backgrounds, phones, strangers."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from cleanplate.predict import Model
from cleanplate.review.security import SessionTokens
from pipeline.io.photo import encode_jpeg, read_photo
from tests.fixtures.review_project import CHROMIUM, FLAGS
from tests.fixtures.trial_page import FAKE_CAMERA, running, write_film

pytestmark = [
    pytest.mark.timeout(900),  # the first test of a session trains the demo
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def keys(trained_demo: Path) -> Iterator[SessionTokens]:
    with running(trained_demo / "build/export") as keys:
        yield keys


@pytest.fixture(scope="module")
def photos(trained_demo: Path) -> list[Path]:
    """Eval photos in which the stage finds a face."""
    boxes = pd.read_parquet(trained_demo / "build/boxes.parquet").query("status == 'found'")
    images = boxes[boxes["image"].str.startswith("eval")]["image"]
    return [trained_demo / "demo/data" / image for image in images]


@pytest.fixture(scope="module")
def browser(photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A Chromium whose camera shows two of the photos in turn."""
    film = tmp_path_factory.mktemp("film") / "people.mjpeg"
    write_film(film, [read_photo(path) for path in photos[:2]])
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[*FLAGS, *FAKE_CAMERA, f"--use-file-for-fake-video-capture={film}"],
            env={"HOME": profile, "TMPDIR": profile},
        )
        yield started
        started.close()


def opened(browser: Browser, keys: SessionTokens, **options: object) -> Iterator[Page]:
    context = browser.new_context(**options)  # pyright: ignore[reportArgumentType]
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.on("console", lambda m: errors.append(m.text) if "Content Security Policy" in m.text else None)
    page.goto(keys.address)
    expect(page.locator("#status")).to_have_text("Ready")
    yield page
    context.close()
    assert not errors


@pytest.fixture
def page(browser: Browser, keys: SessionTokens) -> Iterator[Page]:
    yield from opened(browser, keys)


def best(page: Page) -> list[str]:
    """What the first card answers: mask, gender, age group."""
    return page.locator("article").first.locator(".best span:first-of-type").all_inner_texts()


def test_a_photo_is_answered_as_on_the_command_line(
    page: Page, photos: list[Path], trained_demo: Path
) -> None:
    page.set_input_files("#file", photos[0])
    expect(page.locator("article")).to_have_count(1)
    (person, *_) = Model.load(trained_demo / "build/export").photo(photos[0].read_bytes())
    words = {"incorrect": "wrongly", "<30": "under 30", "30-59": "30–59", ">=60": "60 +"}
    assert best(page) == [words.get(w, w) for w in (person.mask, person.gender, person.age_group)]
    for name in ("seen", "matte"):
        image = page.locator(f"article .{name}")
        expect(image).to_be_visible()
        assert image.evaluate("i => i.decode().then(() => i.naturalWidth)") > 0
    expect(page.locator("#spoken")).to_contain_text("Person 1: Mask")
    expect(page.locator("#picture")).to_have_attribute("aria-label", "Picture with 1 person")
    shares = page.locator("article dd").first.locator("span:last-of-type").all_inner_texts()
    assert sum(int(text.rstrip("%")) for text in shares) == pytest.approx(100, abs=2)


def test_keys_change_the_background_and_show_where_it_looked(page: Page, photos: list[Path]) -> None:
    page.set_input_files("#file", photos[0])
    seen = page.locator("article .seen")
    expect(seen).to_be_visible()
    before = corner(page)
    page.keyboard.press("b")
    expect(page.locator("#background")).to_have_text("black")
    expect(page.locator("#status")).to_contain_text("1 person")
    page.wait_for_function("() => !document.querySelector('#status').textContent.includes('Looking')")
    assert sum(corner(page)) < 60
    assert sum(before) > 60
    page.keyboard.press("w")
    expect(page.locator("article .map")).to_be_visible()
    expect(page.locator("#map")).to_have_attribute("aria-pressed", "true")


def corner(page: Page) -> list[int]:
    """The upper left pixel of what the network sees."""
    return page.locator("article .seen").evaluate(
        """async i => { await i.decode(); const c = document.createElement('canvas'); c.width = c.height = 9;
        const p = c.getContext('2d'); p.drawImage(i, 0, 0);
        return [...p.getImageData(1, 1, 1, 1).data].slice(0, 3); }"""
    )


def test_a_pasted_and_a_dropped_picture(page: Page, photos: list[Path]) -> None:
    handle = """([kind, bytes]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], 'a.jpg', { type: 'image/jpeg' }));
        const event = kind === 'paste' ? new ClipboardEvent(kind, { clipboardData: data })
            : new DragEvent(kind, { dataTransfer: data, cancelable: true });
        dispatchEvent(event);
    }"""
    page.evaluate(handle, ["drop", list(photos[0].read_bytes())])
    expect(page.locator("article")).to_have_count(1)
    page.evaluate(handle, ["paste", list(encode_jpeg(np.full((90, 90, 3), 60, np.uint8)))])
    expect(page.locator("#people")).to_contain_text("Nobody found")
    page.evaluate(handle, ["drop", list(b"\\xff\\xd8\\xff no photo")])
    expect(page.locator("#banner")).to_contain_text("no picture")


def test_a_photo_that_ingest_refuses_gets_its_words(page: Page, tmp_path: Path) -> None:
    (tmp_path / "small.jpg").write_bytes(encode_jpeg(np.full((9, 300, 3), 60, np.uint8)))
    page.set_input_files("#file", tmp_path / "small.jpg")
    expect(page.locator("#banner")).to_contain_text("a side below ingest.min_side")


def test_the_camera_is_answered_live(browser: Browser, keys: SessionTokens) -> None:
    for page in opened(browser, keys):
        page.keyboard.press("c")
        expect(page.locator("article")).to_have_count(1, timeout=20_000)
        expect(page.locator("#status")).to_have_text(re.compile(r"Camera: 1 person, [1-9][\d.]* pictures/s"))
        page.keyboard.press("b")
        expect(page.locator("#background")).to_have_text("black")
        expect(page.locator("#camera")).to_have_attribute("aria-pressed", "true")
        page.evaluate("window.lens = document.querySelector('#video').srcObject.getTracks()[0]")
        page.keyboard.press("c")
        expect(page.locator("#status")).to_have_text("Camera off")
        assert page.evaluate("window.lens.readyState") == "ended", "its light goes out"
        page.wait_for_timeout(700)  # answers that were on the way come, and change nothing
        expect(page.locator("#status")).to_have_text("Camera off")
        assert page.evaluate("document.querySelector('#video').srcObject") is None


def test_a_phone_s_width_and_names_for_everything(
    browser: Browser, keys: SessionTokens, photos: list[Path]
) -> None:
    for page in opened(browser, keys, viewport={"width": 360, "height": 740}):
        page.set_input_files("#file", photos[0])
        expect(page.locator("article")).to_have_count(1)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        for image in page.locator("img:visible").all():
            assert image.get_attribute("alt")
        for button in page.locator("button").all():
            assert button.inner_text().strip()
            assert button.bounding_box()["height"] >= 44  # pyright: ignore[reportOptionalSubscript]


def test_strangers_get_nothing(keys: SessionTokens, photos: list[Path]) -> None:
    base = f"http://127.0.0.1:{keys.port}"
    data = photos[0].read_bytes()
    with httpx.Client(base_url=base) as stranger:
        assert stranger.get("/").status_code == 403
        assert "cleanplate try" in stranger.get("/").text
        own = {"origin": base, "x-csrf": keys.csrf}
        assert stranger.post("/api/look", content=data, headers=own).status_code == 403
        stranger.get(f"/?token={keys.token}")
        assert stranger.post("/api/look", content=data, headers=own).status_code == 200
        assert (
            stranger.post("/api/look", content=data, headers=own | {"origin": "http://x"}).status_code == 403
        )
        assert stranger.post("/api/look", content=data, headers={"origin": base}).status_code == 403
        endless = stranger.post("/api/look", content=iter([data]), headers=own)  # no content-length
        assert endless.status_code == 403
        assert stranger.post("/api/look?mapped=much", content=data, headers=own).status_code == 422


def test_a_photo_chosen_while_the_camera_runs_stays(
    browser: Browser, keys: SessionTokens, tmp_path: Path
) -> None:
    """Answers about the camera's last pictures come later than the photo is chosen."""
    (tmp_path / "nobody.jpg").write_bytes(encode_jpeg(np.full((90, 90, 3), 60, np.uint8)))
    for page in opened(browser, keys):
        for _ in range(3):
            page.keyboard.press("c")
            expect(page.locator("#status")).to_have_text(
                re.compile(r"Camera: 1 person, [1-9]"), timeout=20_000
            )
            page.set_input_files("#file", tmp_path / "nobody.jpg")
            expect(page.locator("#people")).to_contain_text("Nobody found")
            page.wait_for_timeout(700)
            expect(page.locator("#people")).to_contain_text("Nobody found")
            expect(page.locator("#status")).to_contain_text("0 people")
            expect(page.locator("#banner")).to_be_hidden()
