"""What all tests share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from playwright.sync_api import Browser

from pipeline.runtime.deferred_dynamo import defer_dynamo
from pipeline.runtime.process import configure_threads

ROOT = Path(__file__).parent.parent

# as every stage does, before torch is loaded: threads that spin at barriers keep the other worker waiting
configure_threads()
defer_dynamo()


# `make test` begins with these (--no-loadscope-reorder), or one worker would be left alone with them
LONGEST = ("test_pipeline.py", "test_every_choice.py", "test_kills.py", "test_train_resume.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real photos and weights, or a skip."""
    place = os.environ.get("CLEANPLATE_TEST_DATA")
    if not place:
        pytest.skip("CLEANPLATE_TEST_DATA is not set: no real photos here")
    return Path(place)


@pytest.fixture(scope="session")
def trained_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small demo project, run to its end, with its export in build/export; not to be changed.

    The first of pytest-xdist's workers that needs it makes it for all.
    """
    pytest.importorskip("onnx", reason="onnx is not installed: run `make setup`")
    from tests.fixtures.trained_demo import make_trained_demo

    alone = "PYTEST_XDIST_WORKER" not in os.environ
    shared = tmp_path_factory.getbasetemp() if alone else tmp_path_factory.getbasetemp().parent
    place, made = shared / "trained", shared / "trained.made"
    with FileLock(shared / "trained.lock"):
        if not made.exists():
            make_trained_demo(place)
            made.touch()
    return place


@pytest.fixture(scope="session")
def photo_project(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project on real photos, run to its end, with its export in build/export; not to be changed."""
    pytest.importorskip("onnx", reason="onnx is not installed: run `make setup`")
    from tests.fixtures.photo_project import make_photo_project

    place = tmp_path_factory.mktemp("photographs")
    make_photo_project(test_data, place)
    return place


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder with the project's params.yaml and corrections, as the current directory."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "corrections.csv").write_bytes((ROOT / "data" / "corrections.csv").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium with a profile of its own."""
    from playwright.sync_api import sync_playwright

    from tests.fixtures.review_project import CHROMIUM, FLAGS

    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=FLAGS, env={"HOME": profile, "TMPDIR": profile}
        )
        yield started
        started.close()
