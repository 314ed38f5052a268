"""A run on a cluster: each worker has a few tasks ahead, and results come back in order.

Ray could start a dead actor and its task again by itself, but not tell a photo that kills every worker from a
node that went away. So a dead worker is replaced here, and its tasks are handed out again; the task that it
was at counts a kill if its node lives, and is cut into single items.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from pipeline.params.machine import Machine
from pipeline.runtime.errors import UserError
from pipeline.workers.cluster.bench import Outcome
from pipeline.workers.cluster.connection import Cluster
from pipeline.workers.cluster.order import Order
from pipeline.workers.cluster.tasks import AHEAD, Plan, Task
from pipeline.workers.cluster.workers import KILLS, LOOK_SECONDS, Worker, Workers
from pipeline.workers.order import Work

WINDOW = 4  # x AHEAD x workers: tasks between the oldest result that is awaited and the newest task


class Pool:
    """One run of `work`."""

    def __init__(self, cluster: Cluster, work: Work, machine: Machine) -> None:
        self.ray, self.work = cluster.ray, work
        self.order = Order(cluster.ray, work)
        self.plan = Plan(len(work.items), work.chunk)
        self.workers = Workers(cluster, self.order, machine)
        self.done: dict[int, tuple[list[Any], Exception | None]] = {}

    def results(self) -> Iterator[Any]:
        """The results of all items, in order.

        Raises:
            UserError, Exception: see `pipeline.workers.engines`.
        """
        at = 0
        while at < len(self.work.items):
            self.workers.look()
            self._hand_out()
            self._wait()
            while at in self.done:
                results, error = self.done.pop(at)
                yield from results
                if error is not None:
                    raise error
                at += len(results)

    def close(self) -> None:
        """Ends all workers, and says which node did what."""
        self.workers.close()
        self.order.close()

    def _hand_out(self) -> None:
        ready = self.workers.ready()
        limit = WINDOW * AHEAD * max(1, len(ready))
        while self.plan and (free := [w for w in ready if not any(task.kills for task, _ in w.tasks)]):
            worker = min(free, key=lambda w: len(w.tasks))
            under_way = len(self.done) + sum(len(w.tasks) for w in ready)
            if len(worker.tasks) >= self.plan.ahead or (under_way >= limit and not self.plan.again):
                return
            # a suspect is alone: a worker that dies may have finished the task before, and not said so
            if worker.tasks and self.plan.has_suspect():
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
                self._lose(worker, e)
                continue
            if worker.ready:
                self._take(worker, answer)
            else:
                self.workers.begin(worker, answer)

    def _take(self, worker: Worker, answer: bytes) -> None:
        task, _ = worker.tasks.popleft()
        outcome: Outcome = self.order.loader.load(answer)
        for write in outcome.written:
            write()
        self.plan.learn(task, outcome.seconds, len(answer) + self.order.parcel_bytes(task.start, worker.away))
        self.done[task.start] = (outcome.results, outcome.error)
        self.workers.shares[worker.place] += len(outcome.results)

    def _lose(self, worker: Worker, error: Exception) -> None:
        """Hands out again what a dead worker had, and blames the item that it was at."""
        died_alone = self.workers.bury(worker, error)
        for number, (task, _) in enumerate(worker.tasks):
            if number == 0 and died_alone:
                self._blame(task)
            else:
                self.plan.put_back(task)

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
