"""A work order on its way: pickled once, and with each task the files that a node does not see."""

from __future__ import annotations

import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pipeline.io.parcel import Held, Source
from pipeline.params.machine import Machine
from pipeline.runtime.disk import main_root
from pipeline.runtime.process import keep_freed_memory
from pipeline.workers.cluster import actor
from pipeline.workers.cluster.pickles import PROTOCOL, Loader, dump_order, main_module
from pipeline.workers.cluster.site import Site
from pipeline.workers.order import Work

READERS = 4  # threads that read files to be sent
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
GLIBC = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_")


class Order:
    """One run of `work` on a cluster.

    Attributes:
        site: the project, for workers elsewhere.
        pickled: a reference to the factory and what it is compared by, pickled.
        loader: of workers' answers.
    """

    def __init__(self, ray: Any, work: Work) -> None:
        self.ray, self.work = ray, work
        sources = list(work.reads(work.items[0]))
        files = [Path(s.key).absolute() for s in sources if Path(s.key).is_file()]
        module = getattr(work.factory, "func", work.factory).__module__
        self.site = Site(ray, module, files, work.needs)
        self.facts = work.same()
        self.pickled = ray.put(dump_order((work.factory, work.same), main_root()))
        script = main_module()
        self.loader = Loader({script: "__main__"} if script else {})
        self.readers = ThreadPoolExecutor(READERS)
        self._parcels: dict[int, int] = {}

    def close(self) -> None:
        """Ends the threads and removes what was written for the time of the run."""
        self.readers.shutdown(cancel_futures=True)
        self.site.close()

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
        every = (source for item in self.work.items[start:stop] for source in self.work.reads(item))
        sources = {source.key: source for source in every if source.travels}
        held: dict[str, Held] = dict(
            zip(sources, self.readers.map(Source.hold, sources.values()), strict=True)
        )
        self._parcels[start] = sum(len(data) for data in held.values() if isinstance(data, bytes))
        return self.ray.put(held)

    def parcel_bytes(self, start: int, away: bool) -> int:
        """Bytes of the files that were sent with the task from `start` on."""
        return self._parcels.pop(start, 0) if away else 0
