"""The workers of a run: as many as the cluster has room for, each with a few tasks ahead.

Ray could start a dead actor and its task again by itself, but not tell a photo that kills every worker from a
node that went away. So a dead worker is replaced here, and its tasks are handed out again; the task that it
was at counts a kill if its node lives, and is cut into single items.
"""

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
from pipeline.workers.cluster.bench import Outcome
from pipeline.workers.cluster.connection import Cluster
from pipeline.workers.cluster.order import Order
from pipeline.workers.cluster.tasks import Plan, Task
from pipeline.workers.order import Work

AHEAD = 3  # tasks of a worker: the one at hand, and what hides the hand-over
WINDOW = 4  # x AHEAD x workers: tasks between the oldest result that is awaited and the newest task
KILLS = 2  # of workers by one item, until it is refused
LOOK_SECONDS = 1.0  # between looks at the cluster: nodes that came, a head that went
PATIENCE = 60.0  # seconds without any worker


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


class Pool:
    """The workers of one run of `work`."""

    def __init__(self, cluster: Cluster, work: Work, machine: Machine) -> None:
        self.cluster, self.ray, self.work, self.machine = cluster, cluster.ray, work, machine
        self.order = Order(cluster.ray, work)
        self.plan = Plan(len(work.items), work.chunk)
        self.workers: list[Worker] = []
        self.done: dict[int, tuple[list[Any], Exception | None]] = {}
        self.started = self.seen = time.monotonic()
        self.looked = 0.0
        self.shares: dict[str, int] = {}  # node → items that it did
        self.stillborn = 0  # workers in a row that were killed while they loaded
        self.actor_class = self.order.actor_class(machine)

    def results(self) -> Iterator[Any]:
        """The results of all items, in order.

        Raises:
            UserError, Exception: see `pipeline.workers.engines`.
        """
        at = 0
        while at < len(self.work.items):
            self._look()
            self._hand_out(at)
            self._wait()
            while at in self.done:
                results, error = self.done.pop(at)
                yield from results
                if error is not None:
                    raise error
                at += len(results)

    def close(self) -> None:
        """Ends all workers, and says which node did what."""
        if len(self.shares) > 1 or any(worker.away for worker in self.workers):
            parts = (f"{place} {count}" for place, count in sorted(self.shares.items()))
            say(f"ray: work by node: {', '.join(parts)}")
        for worker in self.workers:
            self._kill(worker)
        self.workers.clear()
        self.order.close()

    def _look(self) -> None:
        """Once a second: is the head there, and is there room for more workers?"""
        now = time.monotonic()
        if now - self.looked < LOOK_SECONDS:
            return
        self.looked = now
        if self.cluster.is_there():
            self._hire()
        if any(worker.ready for worker in self.workers):
            self.seen = now
        elif now - self.seen > PATIENCE:
            raise UserError(
                f"no worker started within {PATIENCE:.0f} s",
                where=f"the Ray cluster at {self.cluster.address}",
                got=f"{self.ray.cluster_resources().get('CPU', 0):g} CPUs, "
                f"{self.ray.available_resources().get('CPU', 0):g} of them free",
                fix="wait for other work on the cluster, add nodes, or set machine.engine: local",
            )

    def _hire(self) -> None:
        """Starts workers: `machine.workers`, or as many as CPUs or GPUs are there."""
        room, share = self.ray.cluster_resources(), self.machine.gpus_per_worker
        fit = int(room.get("GPU", 0) / share) if share else int(room.get("CPU", 0))
        wanted = self.machine.workers or max(1, fit)
        tasks = -(-len(self.work.items) // self.work.chunk)
        for _ in range(min(wanted, tasks) - len(self.workers)):
            actor = self.actor_class.remote()
            self.workers.append(Worker(actor, actor.look.remote(self.order.site, self.order.packages)))

    def _hand_out(self, at: int) -> None:
        ready = [worker for worker in self.workers if worker.ready]
        limit = WINDOW * AHEAD * max(1, len(ready))
        while self.plan and ready:
            worker = min(ready, key=lambda w: len(w.tasks))
            under_way = len(self.done) + sum(len(w.tasks) for w in ready)
            if len(worker.tasks) >= AHEAD or (under_way >= limit and not self.plan.again):
                return
            task = self.plan.take(len(ready))
            items = self.order.items(task.start, task.stop)
            held = self.order.parcel(task.start, task.stop) if worker.away else None
            worker.tasks.append((task, worker.actor.work.remote(items, held)))

    def _wait(self) -> None:
        """Takes what is ready: of each worker its first reference, since it works in order."""
        first = {w.tasks[0][1] if w.ready else w.began: w for w in self.workers if w.tasks or not w.ready}
        if not first:
            time.sleep(0.05)
            return
        ready, _ = self.ray.wait(list(first), num_returns=len(first), timeout=0)
        if not ready:
            ready, _ = self.ray.wait(list(first), num_returns=1, timeout=LOOK_SECONDS)
        for reference in ready:
            worker = first[reference]
            try:
                answer = self.ray.get(reference)
            except self.ray.exceptions.RayTaskError:
                raise
            except self.ray.exceptions.RayError as e:
                self._lost(worker, e)
                continue
            if worker.ready:
                self._take(worker, answer)
            else:
                self._begin(worker, answer)

    def _begin(self, worker: Worker, answer: Any) -> None:
        """Two steps: what it sees, then whether the function is loaded and the same as here."""
        if not worker.node:
            worker.node, worker.address, worker.away = answer["node"], answer["address"], not answer["sees"]
            self.order.require_same_packages(worker.address, answer["versions"])
            sent = self.order.sent() if worker.away else None
            worker.began = worker.actor.begin.remote(self.order.site, self.order.pickled, sent)
            return
        if isinstance(answer, Exception):
            raise answer
        self.order.require_same_facts(worker.address, answer)
        worker.ready, self.stillborn = True, 0
        if not self.shares:
            seconds = time.monotonic() - self.started
            say(f"ray: the first of {len(self.workers)} workers is ready after {seconds:.1f} s")
        self.shares.setdefault(worker.place, 0)

    def _take(self, worker: Worker, answer: bytes) -> None:
        task, _ = worker.tasks.popleft()
        outcome: Outcome = self.order.loader.load(answer)
        for write in outcome.written:
            write()
        self.plan.learn(task, outcome.seconds, len(answer) + self.order.parcel_bytes(task.start, worker.away))
        self.done[task.start] = (outcome.results, outcome.error)
        self.shares[worker.place] += len(outcome.results)

    def _lost(self, worker: Worker, error: Exception) -> None:
        """Hands out again what a dead worker had, and blames the item that it was at."""
        self.workers.remove(worker)
        self._kill(worker)
        self.looked = 0.0  # hire another at once
        say(f"ray: lost a worker on {worker.address or 'a node'}; others do its work")
        alive = {node["NodeID"] for node in self.ray.nodes() if node["Alive"]}
        died_alone = worker.node in alive and not isinstance(error, self.ray.exceptions.ActorUnavailableError)
        if not worker.ready:
            self._stillborn(worker, error, died_alone)
            return
        first = True
        for task, _ in worker.tasks:
            if first and died_alone:
                self._blame(task)
            else:
                self.plan.put_back(task)
            first = False

    def _blame(self, task: Task) -> None:
        if task.kills + 1 < KILLS or task.stop - task.start > 1:
            for part in task.parts():
                self.plan.put_back(part)
            return
        refused = UserError(
            f"a worker process was killed {KILLS} times at the same place, probably because memory ran out",
            where=self.work.name(self.work.items[task.start]),
            fix="look at this photo, free memory, or lower `machine.workers` in params.yaml",
        )
        self.done[task.start] = ([], refused)

    def _stillborn(self, worker: Worker, error: Exception, died_alone: bool) -> None:
        self.stillborn += died_alone
        if self.stillborn > KILLS:
            raise UserError(
                "worker processes are killed while they start, probably because memory ran out",
                where=f"node {worker.address}",
                got=str(error).strip().splitlines()[0],
                fix="free memory, or lower `machine.workers` in params.yaml",
            )

    def _kill(self, worker: Worker) -> None:
        with contextlib.suppress(Exception):  # it may be gone already, with its node
            self.ray.kill(worker.actor, no_restart=True)
