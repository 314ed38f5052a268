"""The workers of a run: as many as the cluster has room for; one that would compute otherwise is refused."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.params.machine import Machine
from pipeline.runtime.errors import UserError
from pipeline.runtime.progress import say
from pipeline.workers.cluster.connection import Cluster
from pipeline.workers.cluster.order import Order
from pipeline.workers.cluster.site import require_same_facts, require_same_packages
from pipeline.workers.cluster.tasks import Task

KILLS = 2  # of workers, by one item or in a row while they load, until the run ends
LOOK_SECONDS = 1.0  # between looks at the cluster: nodes that came, a head that went
PATIENCE = 60.0  # seconds without any worker
WAIT_SECONDS = 0.2  # between knocks at a head that does not answer


@dataclass
class Worker:
    """An actor. `away`: it does not see the project, so files travel."""

    actor: Any
    began: Any  # the reference that is awaited before it can work
    node: str = ""
    address: str = ""
    away: bool = False
    ready: bool = False
    tasks: deque[tuple[Task, Any]] = field(default_factory=deque)  # with their references, in order

    @property
    def place(self) -> str:
        """Its node, for a message."""
        return f"{self.address} (files travel)" if self.away else self.address


class Workers:
    """The workers of one run, those that are still starting too.

    Attributes:
        shares: items that each node did, by `Worker.place`.
    """

    def __init__(self, cluster: Cluster, order: Order, machine: Machine) -> None:
        self.cluster, self.ray, self.order, self.machine = cluster, cluster.ray, order, machine
        self.actor_class = order.actor_class(machine)
        self.shares: dict[str, int] = {}
        self._all: list[Worker] = []
        self._started = self._seen = time.monotonic()
        self._looked = 0.0
        self._stillborn = 0  # workers in a row that were killed while they loaded

    def __iter__(self) -> Iterator[Worker]:
        return iter(self._all)

    def ready(self) -> list[Worker]:
        """Those that can work."""
        return [worker for worker in self._all if worker.ready]

    def look(self) -> None:
        """Once a second: is the head there, and is there room for more workers?

        Raises:
            UserError: the head is gone, or there has been no worker for `PATIENCE`.
        """
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        if self.cluster.is_there():
            self._hire()
        if self.ready():
            self._seen = now
        elif now - self._seen > PATIENCE:
            raise UserError(
                f"no worker started within {PATIENCE:.0f} s",
                where=f"the Ray cluster at {self.cluster.address}",
                got=f"{self.ray.cluster_resources().get('CPU', 0):g} CPUs, "
                f"{self.ray.available_resources().get('CPU', 0):g} of them free",
                fix="wait for other work on the cluster, run fewer experiments at once (--jobs), add nodes, "
                "or set machine.engine: local",
            )

    def begin(self, worker: Worker, answer: Any) -> None:
        """Takes its answer in two steps: what it sees, then whether it would compute as here.

        Raises:
            UserError, Exception: it would not, or the function cannot be loaded.
        """
        if not worker.node:
            worker.node, worker.address, worker.away = answer["node"], answer["address"], not answer["sees"]
            require_same_packages(worker.address, answer["versions"], self.order.site.versions)
            sent = self.order.site.sent() if worker.away else None
            worker.began = worker.actor.begin.remote(self.order.site.facts, self.order.pickled, sent)
            return
        if isinstance(answer, Exception):
            raise answer
        require_same_facts(worker.address, answer, self.order.facts)
        worker.ready, self._stillborn = True, 0
        if not self.shares:
            seconds = time.monotonic() - self._started
            say(f"ray: the first of {len(self._all)} workers is ready after {seconds:.1f} s")
        self.shares.setdefault(worker.place, 0)

    def bury(self, worker: Worker, error: Exception) -> bool:
        """Removes a dead worker; whether it died alone, and its node lives.

        Raises:
            UserError: workers are killed again and again while they start, or the head is gone.
        """
        self._all.remove(worker)
        self._kill(worker)
        self._looked = 0.0  # hire another at once
        say(f"ray: lost a worker on {worker.address or 'a node'}; others do its work")
        while not self.cluster.is_there():  # whom Ray would ask, and wait for five minutes
            time.sleep(WAIT_SECONDS)
        alive = {node["NodeID"] for node in self.ray.nodes() if node["Alive"]}
        alone = worker.node in alive and not isinstance(error, self.ray.exceptions.ActorUnavailableError)
        self._stillborn += alone and not worker.ready
        if self._stillborn > KILLS:
            raise UserError(
                "worker processes are killed while they start, probably because memory ran out",
                where=f"node {worker.address}",
                got=str(error).strip().splitlines()[0],
                fix="free memory, or lower `machine.workers` in params.yaml",
            )
        return alone

    def close(self) -> None:
        """Ends all workers, and says which node did what."""
        if len(self.shares) > 1 or any(worker.away for worker in self._all):
            parts = (f"{place} {count}" for place, count in sorted(self.shares.items()))
            say(f"ray: work by node: {', '.join(parts)}")
        for worker in self._all:
            self._kill(worker)
        self._all.clear()

    def _hire(self) -> None:
        """Starts workers: `machine.workers`, or this experiment's share of all CPUs or GPUs."""
        part, work = self.machine.gpus_per_worker, self.order.work
        fit = self.cluster.share("GPU") / part if part else self.cluster.share("CPU")
        wanted = self.machine.workers or max(1, int(fit))
        tasks = -(-len(work.items) // work.chunk)
        for _ in range(min(wanted, tasks) - len(self._all)):
            actor = self.actor_class.remote()
            self._all.append(
                Worker(actor, actor.look.remote(self.order.site.facts, list(self.order.site.versions)))
            )

    def _kill(self, worker: Worker) -> None:
        with contextlib.suppress(Exception):  # it may be gone already, with its node
            self.ray.kill(worker.actor, no_restart=True)
