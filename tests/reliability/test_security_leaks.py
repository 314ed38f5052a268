"""Nothing leaves: no secret in an output, no connection of a stage."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.reliability.network_repository import make_network_repository
from tests.reliability.repository import STAGES, cleanplate, dvc, make_repository, run, stage
from tests.reliability.soak import SOAK

SECRET = "hunter2-correct-horse"


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A small project run with a secret in the environment and in DVC's config; all that was printed."""
    folder = make_repository(tmp_path_factory.mktemp("leaky") / "project", people=2, photos=1)
    (folder / ".dvc/config.local").write_text(
        f"['remote \"far\"']\n    url = s3://far\n    secret_access_key = {SECRET}\n", encoding="utf-8"
    )
    said = ""
    for command in (dvc("repro", "compose", "relabel", "split"), cleanplate("verify"), cleanplate("doctor")):
        code, text = run(folder, *command, AWS_SECRET_ACCESS_KEY=SECRET, HF_TOKEN=SECRET)
        assert code == 0, text
        said += text
    code, text = run(folder, *stage("relabel", "--debug"), HF_TOKEN=SECRET)
    return folder, said + text


def test_a_planted_secret_is_in_no_output(leaky: tuple[Path, str]) -> None:
    folder, said = leaky
    assert SECRET not in said
    looked = 0
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "config.local":
            looked += 1
            assert SECRET.encode() not in path.read_bytes(), path
    assert looked > 20


WITHOUT = ("unshare", "-n")
SPY = """
import os, sys
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        address = arguments[1] if event in ("socket.connect", "socket.sendto") else arguments[0]
        if not isinstance(address, (str, bytes)) or event.startswith("socket.get"):
            with open(os.environ["SPY_LOG"], "a") as f:
                f.write(f"{event} {address!r} {sys.argv[:2]}\\n")
sys.addaudithook(hook)
"""


@pytest.fixture
def spy(tmp_path: Path) -> Path:
    """A folder whose `sitecustomize` writes every connection of a Python below it into `log`; or a skip."""
    if subprocess.run([*WITHOUT, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a network namespace cannot be made here (unshare -n)")
    (tmp_path / "spy").mkdir()
    (tmp_path / "spy/sitecustomize.py").write_text(SPY)
    return tmp_path / "spy"


def test_the_stages_open_no_connection_and_need_none(spy: Path, tmp_path: Path) -> None:
    """Watched from inside (Python's audit events), and run where there is no network at all."""
    folder = make_repository(tmp_path / "project", people=4, photos=2, git=False)
    log = spy / "log"
    for name in STAGES:
        code, said = run(folder, *WITHOUT, *stage(name), PYTHONPATH=str(spy), SPY_LOG=str(log))
        assert code == 0, said
    assert not log.exists(), log.read_text()
    probe = "import socket; socket.create_connection(('127.0.0.1', 9))"
    code, said = run(folder, *WITHOUT, sys.executable, "-c", probe, PYTHONPATH=str(spy), SPY_LOG=str(log))
    assert code != 0
    assert "socket.connect" in log.read_text(), "the spy sees nothing"


CONVERSION = (
    "import sys, torch; sys.path.insert(0, {root!r}); import {first}, openvino\n"
    "openvino.convert_model(torch.nn.Linear(2, 2), example_input=torch.zeros(1, 2))"
)


def test_openvino_reports_to_nobody(spy: Path, tmp_path: Path) -> None:
    """By itself it does, in a test's environment too, unless that calls itself CI."""
    for first, reports in (("pipeline", False), ("sys", True)):
        code = CONVERSION.format(root=str(ROOT), first=first)
        watched = {"PYTHONPATH": str(spy), "SPY_LOG": str(spy / "log"), "CI": "", "HOME": str(tmp_path)}
        done, said = run(tmp_path, *WITHOUT, sys.executable, "-c", code, **watched)
        assert done == 0, said
        end = time.monotonic() + 10 * reports  # it reports from a process of its own
        while time.monotonic() < end and not (spy / "log").exists():
            time.sleep(0.1)
        assert (spy / "log").exists() == reports


@pytest.mark.skipif(not SOAK, reason="every stage with its networks takes minutes: make soak")
@pytest.mark.timeout(3600)
def test_a_whole_run_opens_no_connection(spy: Path, tmp_path: Path) -> None:
    """`dvc repro` of every stage on people of the demo; DVC itself is watched too."""
    folder = make_network_repository(tmp_path / "project")
    watched = {"PYTHONPATH": str(spy), "SPY_LOG": str(spy / "log"), "CI": ""}
    code, said = run(folder, *WITHOUT, *dvc("repro"), timeout=3000, **watched)
    assert code == 0, said
    assert (folder / "reports/report.html").exists()
    assert not (spy / "log").exists(), (spy / "log").read_text()


def test_the_settings_keep_libraries_from_phoning_home() -> None:
    config = (ROOT / ".dvc/config").read_text(encoding="utf-8")
    assert "analytics = false" in config
    assert "check_update = false" in config
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for setting in ("DVC_NO_ANALYTICS := 1", "YOLO_AUTOINSTALL := false", "HF_HUB_DISABLE_TELEMETRY := 1"):
        assert setting in makefile
