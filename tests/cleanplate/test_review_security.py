"""Whom the review page refuses, and what it never gives away."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cleanplate.review.security import SessionTokens
from tests.fixtures.review_project import (
    PEOPLE,
    client,
    make_project,
    person_of,
    running,
)

ROOT = Path(__file__).parents[2]
ANNA, *_ = PEOPLE


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


def test_photos_are_small_and_without_metadata(page: httpx.Client) -> None:
    photo = page.get(f"/photo/{person_of(page, ANNA)['photos'][0]['id']}")
    assert photo.headers["content-type"] == "image/jpeg"
    assert photo.headers["cache-control"] == "no-store"
    assert b"Exif" not in photo.content


@pytest.mark.parametrize(
    "address",
    [
        "/photo/train/images/0/mask1.jpg",
        "/photo/..%2f..%2fparams.yaml",
        "/photo/%2fetc%2fpasswd",
        "/photo/0",
        "/photo/../../../etc/passwd",
        "/page/../server.py",
        "/page/..%2fserver.py",
        "/page/%2e%2e/server.py",
        "/api/person/..%2f..",
        "/heatmap/..%2f..?field=mask",
        "/openapi.json",
        "/docs",
    ],
)
def test_nothing_is_found_by_path(page: httpx.Client, address: str) -> None:
    assert page.get(address).status_code == 404


def test_a_path_in_the_index_that_leads_out_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas as pd

    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    table = pd.read_parquet("build/index.parquet")
    (tmp_path / "outside.jpg").write_bytes((tmp_path / "photos" / table["image"][0]).read_bytes())
    (tmp_path / "photos/link.jpg").symlink_to(tmp_path / "outside.jpg")
    table.loc[0, "image"], table.loc[1, "image"] = "../outside.jpg", "link.jpg"
    table.to_parquet("build/index.parquet")
    with running() as keys, client(keys) as page:
        answers = {p["name"]: page.get(f"/photo/{p['id']}") for p in person_of(page, ANNA)["photos"]}
    assert [answers[n].status_code for n in ("outside.jpg", "link.jpg", "mask3.jpg")] == [404, 404, 200]
    assert str(tmp_path) not in answers["outside.jpg"].text


def raw(
    keys: SessionTokens, method: str = "GET", path: str = "/api/session", **headers: str
) -> httpx.Response:
    """A request with exactly these headers."""
    base = f"http://127.0.0.1:{keys.port}"
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.request(method, base + path, headers=given, json={} if method == "POST" else None)


def cookie(keys: SessionTokens) -> str:
    return f"{keys.cookie}={keys.token}"


def test_without_the_token_nothing_is_answered(keys: SessionTokens) -> None:
    for path in ("/", "/api/session", "/page/page.js", "/photo/x", "/?token=", f"/?token={keys.token[:-1]}"):
        assert raw(keys, path=path).status_code == 403
    assert raw(keys, path=f"/?token={keys.token}&token={keys.token}").status_code == 403
    assert raw(keys, path=f"/api/session?token={keys.token}").status_code == 403
    assert raw(keys, cookie=f"{keys.cookie}=x").status_code == 403
    assert raw(keys, cookie=f"cleanplate={keys.token}").status_code == 403
    assert raw(keys, cookie=cookie(keys)).status_code == 200


def test_the_token_becomes_a_cookie_that_no_script_and_no_other_site_gets(keys: SessionTokens) -> None:
    given = raw(keys, path=f"/?token={keys.token}").headers["set-cookie"]
    assert "HttpOnly" in given
    assert "samesite=strict" in given.lower()
    assert "domain" not in given.lower()


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example", "[::1]", ""]
)
def test_another_host_name_is_refused(keys: SessionTokens, host: str) -> None:
    assert raw(keys, cookie=cookie(keys), host=host).status_code in (400, 403)
    assert raw(keys, cookie=cookie(keys), host=f"localhost:{keys.port}").status_code == 200


def test_a_post_needs_origin_and_csrf_token(keys: SessionTokens) -> None:
    good = {"cookie": cookie(keys), "origin": f"http://127.0.0.1:{keys.port}", "x_csrf": keys.csrf}
    assert raw(keys, "POST", "/api/undo", **good).status_code == 422  # let in, and then not understood
    for wrong in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"http://localhost:{keys.port}"},
        {"origin": f"https://127.0.0.1:{keys.port}"},
        {"x_csrf": "x"},
        {"x_csrf": keys.token},
        {"cookie": ""},
    ):
        assert raw(keys, "POST", "/api/undo", **{**good, **wrong}).status_code == 403
    for missing in good:
        rest = {name: value for name, value in good.items() if name != missing}
        assert raw(keys, "POST", "/api/undo", **rest).status_code == 403
    assert raw(keys, "PUT", "/api/undo", **good).status_code == 403
    assert raw(keys, "GET", "/api/undo", **good).status_code == 405


def test_a_huge_body_is_refused(page: httpx.Client) -> None:
    assert page.post("/api/undo", json={"receipt": "x" * 100_000}).status_code == 403
    assert page.post("/api/undo", content=iter([b'{"receipt": "x"}'])).status_code == 403  # chunked


def test_every_answer_carries_the_policy(keys: SessionTokens) -> None:
    for answer in (
        raw(keys),
        raw(keys, cookie=cookie(keys)),
        raw(keys, path="/nothing", cookie=cookie(keys)),
    ):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in answer.headers


def test_ids_of_one_session_mean_nothing_in_the_next(page: httpx.Client) -> None:
    photo = person_of(page, ANNA)["photos"][0]["id"]
    with running() as other, client(other) as again:
        assert again.get(f"/photo/{photo}").status_code == 404


def test_the_page_holds_no_inline_script_or_style_and_no_other_address() -> None:
    for path in (ROOT / "cleanplate/review/page").iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text
        assert "innerHTML" not in text
        assert " style=" not in text
        assert "onclick=" not in text
    assert "<script>" not in (ROOT / "cleanplate/review/page/page.html").read_text()
