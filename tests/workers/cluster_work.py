"""Some work for a cluster: `python -m tests.workers.cluster_work ADDRESS COUNT [WHAT]` in a project folder.

Each item reads the file `read/<item>`, takes a while, writes `out/<item>`, and its line is printed as soon as
it is back: the item, and the host whose network it was done in.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pipeline.io.image_store import ImageWriter, atomic_images
from pipeline.io.parcel import file_source, read_file
from pipeline.params.machine import Machine
from pipeline.runtime.errors import format_error
from pipeline.workers.run import run_parallel

SECONDS = 0.1


def make(what: str, writer: ImageWriter) -> Callable[[int], tuple[int, str]]:
    """The function; `kill` kills its worker at item 13, `eat` takes memory there until it is killed."""

    def work(item: int) -> tuple[int, str]:
        content = read_file(path_of(item))
        if what == "kill" and item == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(SECONDS)
        writer.write(str(item), content)
        import ray

        return item, ray.util.get_node_ip_address()

    return work


def path_of(item: int) -> Path:
    """The file of an item, which the head alone may see."""
    return Path("read") / str(item)


def main() -> int:
    """Runs the work; 1 and a sentence for an error."""
    address, count, what = sys.argv[1], int(sys.argv[2]), (*sys.argv[3:], "")[0]
    try:
        with atomic_images(Path("out"), None) as writer:
            for item, host in run_parallel(
                partial(make, what, writer),
                range(count),
                machine=Machine(engine="ray", address=address),
                chunk=1,
                name=lambda item: f"item-{item}",
                reads=lambda item: [file_source(path_of(item))],
            ):
                print(item, host, flush=True)
    except Exception as e:
        if "--debug" in sys.argv:
            raise
        print(format_error(e), file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
