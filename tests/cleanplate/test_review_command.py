"""`cleanplate review` from the shell, and where the model looked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from pipeline.runtime.errors import UserError
from tests.fixtures.review_project import (
    PEOPLE,
    add_model,
    client,
    free_port,
    make_project,
    person_of,
    running,
)

ROOT = Path(__file__).parents[2]
ANNA, BERT, *_ = PEOPLE


def test_the_command_prints_an_address_and_ends_with_a_sentence(tmp_path: Path) -> None:
    make_project(tmp_path)
    port = free_port()
    command = [
        sys.executable,
        "-c",
        "from cleanplate.cli import app; app()",
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


def test_what_is_missing_is_said(project: Path) -> None:
    with pytest.raises(UserError, match="dvc repro ingest"), running():
        pass
