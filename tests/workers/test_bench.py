"""What a worker of a cluster does with a task."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil

from pipeline.io.image_store import ImageStore, ImageWriter, atomic_images
from pipeline.workers.cluster.bench import Bench
from pipeline.workers.cluster.pickles import dump_order
from pipeline.workers.order import nothing_compared


def make(writer: ImageWriter) -> Callable[[str], None]:
    return lambda name: writer.write(name, name.encode())


def test_what_it_wrote_is_closed_when_its_task_is_back(tmp_path: Path) -> None:
    """Over a network, another machine sees all of a file only then."""
    with atomic_images(tmp_path / "mattes", 2) as writer:
        bench = Bench(dump_order((partial(make, writer), nothing_compared), tmp_path), "", tmp_path)
        for task in (["a.png"], ["b.png", "c.png"]):
            outcome = pickle.loads(bench.run(pickle.dumps(task), None))
            assert outcome.error is None
            assert not [f for f in psutil.Process().open_files() if Path(f.path).parent == writer.folder]
    store = ImageStore.verified(tmp_path / "mattes", "segment")
    assert [store.read(name) for name in ("a.png", "b.png", "c.png")] == [b"a.png", b"b.png", b"c.png"]
