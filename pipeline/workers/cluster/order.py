"""A work order on its way: pickled once, with what a worker needs that does not see the project.

Such a worker gets the code, the networks that the head has fetched or converted (`SENT`), and with each task
the bytes of the photos. Ray's object store carries them, once per node.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import secrets
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline.io.parcel import Held, Source
from pipeline.params.machine import Machine
from pipeline.runtime.disk import main_root
from pipeline.runtime.errors import UserError
from pipeline.runtime.process import keep_freed_memory
from pipeline.workers.cluster import actor
from pipeline.workers.cluster.pickles import PROTOCOL, Loader, dump_order, main_module
from pipeline.workers.order import Work

CODE = Path(__file__).resolve().parents[3]
PARTS = ("pipeline", "stages", "cleanplate")  # of the code, and the one that holds the function
SENT = (".cache/weights", ".cache/compiled", "build/segmenter")
DECIDE = ("numpy", "opencv-python-headless", "pillow", "simplejpeg", "openvino", "torch", "dlib-bin", "scipy")
READERS = 4  # threads that read files to be sent
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
GLIBC = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_")


class Order:
    """One run of `work` on a cluster.

    Attributes:
        site: where project and code are, for `PhotoWorker`.
        packages: whose versions decide results.
        pickled: the factory and what it is compared by.
        loader: of workers' answers.
    """

    def __init__(self, ray: Any, work: Work) -> None:
        self.ray, self.work, self.packages = ray, work, list(DECIDE)
        module, main = main_module(), main_root().absolute()
        self.probe = Path(".cache") / f"seen-{secrets.token_hex(8)}"
        self.probe.parent.mkdir(exist_ok=True)
        self.probe.write_text("", encoding="utf-8")
        sources = list(work.reads(work.items[0]))
        files = [Path(s.key).absolute() for s in sources if Path(s.key).is_file()]
        self.site = {
            "project": str(Path.cwd()),
            "main": str(main),
            "code": str(CODE),
            "module": module,
            "files": [(str(p), p.stat().st_size) for p in (self.probe.absolute(), Path(__file__), *files)],
        }
        self.facts = work.same()
        self.pickled = dump_order((work.factory, work.same), main_root())
        self.loader = Loader({module: "__main__"} if module else {})
        self.readers = ThreadPoolExecutor(READERS)
        self._parcels: dict[int, int] = {}
        self._sent: dict[str, Any] | None = None

    def close(self) -> None:
        """Ends the threads and removes what was written for the time of the run."""
        self.readers.shutdown(cancel_futures=True)
        self.probe.unlink(missing_ok=True)

    def actor_class(self, machine: Machine) -> Any:
        """The actor's class with what it needs of a node."""
        self.ray.cloudpickle.register_pickle_by_value(actor)
        keep_freed_memory()
        variables = dict.fromkeys(THREADS, "1") | {name: os.environ[name] for name in GLIBC}
        return self.ray.remote(actor.PhotoWorker).options(
            num_cpus=1,
            num_gpus=machine.gpus_per_worker,
            max_restarts=0,
            max_task_retries=0,
            scheduling_strategy="SPREAD",
            runtime_env={"env_vars": variables},
        )

    def items(self, start: int, stop: int) -> bytes:
        """These items, pickled."""
        return pickle.dumps(list(self.work.items[start:stop]), PROTOCOL)

    def parcel(self, start: int, stop: int) -> Any:
        """A reference to the files that these items read."""
        sources = {s.key: s for item in self.work.items[start:stop] for s in self.work.reads(item)}
        held: dict[str, Held] = dict(
            zip(sources, self.readers.map(Source.hold, sources.values()), strict=True)
        )
        self._parcels[start] = sum(len(data) for data in held.values() if isinstance(data, bytes))
        return self.ray.put(held)

    def parcel_bytes(self, start: int, away: bool) -> int:
        """Bytes of the files that were sent with the task from `start` on."""
        return self._parcels.pop(start, 0) if away else 0

    def sent(self) -> dict[str, Any]:
        """Code and networks for a worker that does not see the project, by reference."""
        if self._sent is None:
            code, files = self._code(), {}
            for root in SENT:
                base = main_root() if root.startswith(".cache") else Path()
                for path in sorted(p for p in (base / root).rglob("*") if p.is_file()):
                    content = path.read_bytes()
                    name = path.relative_to(base).as_posix()
                    files[name] = (hashlib.sha256(content).hexdigest(), [self.ray.put(content)])
            self._sent = {
                "code": (hashlib.sha256(code).hexdigest()[:16], [self.ray.put(code)]),
                "files": files,
            }
        return self._sent

    def _code(self) -> bytes:
        """A zip of the code, the same bytes for the same code."""
        function = getattr(self.work.factory, "func", self.work.factory)
        module = function.__module__ if function.__module__ != "__main__" else main_module()
        parts = sorted({*PARTS, module.partition(".")[0]})
        files = [CODE / "weights.lock", *(p for part in parts for p in sorted((CODE / part).rglob("*")))]
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
            for path in files:
                if path.is_file() and path.suffix != ".pyc":
                    name = path.relative_to(CODE).as_posix()
                    packed.writestr(zipfile.ZipInfo(name), path.read_bytes())
        return buffer.getvalue()

    def require_same_packages(self, address: str, versions: dict[str, str]) -> None:
        """Raises UserError if a node has other versions of what decides results."""
        here = {name: _version(name) for name in self.packages}
        other = [
            f"{name} {versions[name]} (here {here[name]})" for name in here if versions[name] != here[name]
        ]
        if other:
            raise UserError(
                "a node of the cluster has other versions of packages, and would give other results",
                where=f"node {address}, {sys.version_info.major}.{sys.version_info.minor}",
                got=", ".join(other),
                fix="run `make setup EXTRAS=cluster` of this commit there",
            )

    def require_same_facts(self, address: str, facts: dict[str, Any]) -> None:
        """Raises UserError if a node would compute in another way, e.g. in another precision."""
        other = [
            f"{key}: {facts.get(key)} (here {value})"
            for key, value in self.facts.items()
            if facts.get(key) != value
        ]
        if other:
            raise UserError(
                "a node of the cluster would compute in another way, and give other results",
                where=f"node {address}",
                got=", ".join(other),
                fix="set backend and precision in params.yaml to what every node has, instead of auto",
            )


def _version(name: str) -> str:
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return "not installed"
