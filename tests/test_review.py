"""The review page's server: what it writes, and whom it refuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.errors import Problems, UserError
from review.security import Keys
from tests.data_folder import picture
from tests.review_project import HEAD, PEOPLE, client, free_port, make_project, rows_of, running

ROOT = Path(__file__).parent.parent
ANNA, BERT, CARA, DIRK, EMMA = PEOPLE
BY = "review by Mina"


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keys]:
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    with running() as keys:
        yield keys


@pytest.fixture
def page(keys: Keys) -> Iterator[httpx.Client]:
    with client(keys) as browser:
        yield browser


def person_of(page: httpx.Client, name: str) -> dict[str, Any]:
    ids = {n: i for i, n in page.get("/api/people").json()}
    return page.get(f"/api/person/{ids[name]}").json()


def decide(page: httpx.Client, name: str, action: str, field: str, **more: Any) -> httpx.Response:
    person = person_of(page, name)
    photo = more.pop("photo", "")
    ids = {p["name"]: p["id"] for p in person["photos"]}
    body = {"person": person["id"], "version": person["version"], "action": action, "field": field}
    body["receipt"] = more.pop("receipt", "0" * 16)
    return page.post("/api/decide", json={**body, "photo": ids[photo] if photo else "", **more})


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


def test_two_reviewers_who_contradict_are_named_before_the_page_opens(keys: Keys) -> None:
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


def test_suspects_about_nobody_are_counted(keys: Keys) -> None:
    Path("reports/suspects.csv").write_text(f"{HEAD}1,{ANNA},,gender,female,male,0.9,w\n2,gone,,age,1,2,,\n")
    with running() as other, client(other) as page:
        session = page.get("/api/session").json()
    assert len(session["suspects"]) == 1
    assert "1 rows of" in session["note"]


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


def raw(keys: Keys, method: str = "GET", path: str = "/api/session", **headers: str) -> httpx.Response:
    """A request with exactly these headers."""
    base = f"http://127.0.0.1:{keys.port}"
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.request(method, base + path, headers=given, json={} if method == "POST" else None)


def cookie(keys: Keys) -> str:
    return f"{keys.cookie}={keys.token}"


def test_without_the_token_nothing_is_answered(keys: Keys) -> None:
    for path in ("/", "/api/session", "/page/page.js", "/photo/x", "/?token=", f"/?token={keys.token[:-1]}"):
        assert raw(keys, path=path).status_code == 403
    assert raw(keys, path=f"/?token={keys.token}&token={keys.token}").status_code == 403
    assert raw(keys, path=f"/api/session?token={keys.token}").status_code == 403
    assert raw(keys, cookie=f"{keys.cookie}=x").status_code == 403
    assert raw(keys, cookie=f"cleanplate={keys.token}").status_code == 403
    assert raw(keys, cookie=cookie(keys)).status_code == 200


def test_the_token_becomes_a_cookie_that_no_script_and_no_other_site_gets(keys: Keys) -> None:
    given = raw(keys, path=f"/?token={keys.token}").headers["set-cookie"]
    assert "HttpOnly" in given
    assert "samesite=strict" in given.lower()
    assert "domain" not in given.lower()


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example", "[::1]", ""]
)
def test_another_host_name_is_refused(keys: Keys, host: str) -> None:
    assert raw(keys, cookie=cookie(keys), host=host).status_code in (400, 403)
    assert raw(keys, cookie=cookie(keys), host=f"localhost:{keys.port}").status_code == 200


def test_a_post_needs_origin_and_csrf_token(keys: Keys) -> None:
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


def test_every_answer_carries_the_policy(keys: Keys) -> None:
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
    for path in (ROOT / "review/page").iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text
        assert "https:" not in text
        assert "innerHTML" not in text
        assert " style=" not in text
        assert "onclick=" not in text
    assert "<script>" not in (ROOT / "review/page/page.html").read_text()


def test_the_command_prints_an_address_and_ends_with_a_sentence(tmp_path: Path) -> None:
    make_project(tmp_path)
    port = free_port()
    command = [
        sys.executable,
        "-c",
        "from stages.cli import app; app()",
        "review",
        "--no-browser",
        "--port",
        str(port),
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        address = process.stdout.readline().strip()
        assert address.startswith(f"http://127.0.0.1:{port}/?token=")
        assert httpx.get(address).status_code == 200
        again = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert again.returncode == 1
        assert f"port {port} cannot be used" in again.stderr
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "closed; 0 decisions written" in err
    assert "Traceback" not in err + out
    assert address.split("=")[1] not in err


def test_a_heat_map_of_the_model_that_did_not_learn_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    with running() as keys, client(keys) as page:
        assert page.get("/api/session").json()["heatmaps"] is False
        photo = person_of(page, BERT)["photos"][0]["id"]
        assert page.get(f"/heatmap/{photo}?field=gender").status_code == 404
    add_model(BERT)
    with running() as keys, client(keys) as page:
        assert page.get("/api/session").json()["heatmaps"] is True
        photos = [p["id"] for name in (ANNA, BERT) for p in person_of(page, name)["photos"][:1]]
        maps = [page.get(f"/heatmap/{p}?field=gender") for p in photos]
        assert [m.status_code for m in maps] == [200, 200]
        assert maps[0].content != maps[1].content  # one picture, two models
        assert maps[0].content != page.get(f"/photo/{photos[0]}").content
        assert page.get(f"/heatmap/{photos[0]}?field=mask").status_code == 200


def add_model(other: str) -> None:
    """Two untrained networks and the composed pictures; person `other` is in fold 1, the rest in fold 0."""
    import pandas as pd
    import torch
    from safetensors.torch import save_file

    from pipeline.params.training import Train
    from pipeline.publish import published_folder, write_json
    from pipeline.tables import write_table
    from pipeline.training.network import classifier

    index = pd.read_parquet("build/index.parquet")
    people = index["person"].unique()
    write_table(
        Path("build/folds.parquet"), pd.DataFrame({"person": people, "fold": (people == other).astype(int)})
    )
    with published_folder(Path("build/images")) as images:
        for image in index["image"]:
            (images / image).parent.mkdir(parents=True, exist_ok=True)
            (images / image).write_bytes(picture(width=64, height=64))
    train = Train(model="resnet10t", size=128)
    with published_folder(Path("build/model")) as model:
        for fold in (0, 1):
            torch.manual_seed(fold)
            (model / f"fold{fold}").mkdir()
            weights = classifier(train, weights=False).net.state_dict()
            path = model / f"fold{fold}" / "model.safetensors"
            save_file({name: w.contiguous() for name, w in weights.items()}, path)
        write_json(
            model / "config.json",
            {
                "train": train.model_dump(mode="json"),
                "folds": [0, 1],
                "class_counts": [1] * 18,
                "learnt_mix": {},
            },
        )


def test_what_is_missing_is_said(project: Path) -> None:
    with pytest.raises(UserError, match="dvc repro ingest"), running():
        pass
