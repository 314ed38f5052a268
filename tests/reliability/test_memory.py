"""Memory that runs out, for real: in a control group of its own the kernel kills a worker."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.fixtures.data_folder import ANNA, BERT, add_person
from tests.reliability.corpus import saved
from tests.reliability.corpus_project import link_code, write_params
from tests.reliability.repository import run, stage

MEGABYTES = 360  # a stage with two workers has less than 300; a photo of 49 million pixels wants 150 more
GROUPS = Path("/sys/fs/cgroup")


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group with little memory, or a skip where one cannot be made."""
    first = (GROUPS / "memory").is_dir()  # the first version of control groups, or the second
    place = GROUPS / ("memory" if first else ".") / f"cleanplate-test-{os.getpid()}"
    limit = "memory.limit_in_bytes" if first else "memory.max"
    try:
        place.mkdir()
    except OSError as e:
        pytest.skip(f"no control group can be made here: {e}")
    try:
        (place / limit).write_text(str(MEGABYTES << 20))
    except OSError as e:
        place.rmdir()
        pytest.skip(f"the memory of a control group cannot be limited here: {e}")
    yield place
    end = time.monotonic() + 10
    while (place / "cgroup.procs").read_text() and time.monotonic() < end:
        time.sleep(0.1)
    place.rmdir()


def test_a_worker_that_the_kernel_kills_names_its_photo(group: Path, tmp_path: Path) -> None:
    link_code(tmp_path)
    write_params(tmp_path, machine={"workers": 2})
    people = [ANNA, BERT, *(f"{k:06d}_male_Asian_30" for k in range(10, 14))]
    for person in people:
        add_person(tmp_path / "photos", person)
    large = f"train/images/{BERT}/mask3.jpg"
    picture = Image.new("RGB", (7000, 7000))
    (tmp_path / "photos" / large).write_bytes(saved(picture, progressive=True))
    inside = ("sh", "-c", 'echo $$ > "$0" && exec "$@"', str(group / "cgroup.procs"))
    begun = time.monotonic()
    code, said = run(tmp_path, *inside, *stage("ingest"), timeout=120)
    assert code == 1, said
    assert "a worker process was killed, probably because memory ran out" in said
    assert large in said
    assert "Traceback" not in said
    assert not (tmp_path / "build/index.parquet").exists()
    assert time.monotonic() - begun < 90  # 30 s, and the imports on a busy machine
