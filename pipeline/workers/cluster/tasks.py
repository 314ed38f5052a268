"""Which items go together, and in which order they are handed out: sizes by time and bytes, retries first."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

SECONDS = 0.25  # of work in a task: handing over costs a hundredth of that
BYTES = 8 << 20  # of a task's files or results, so that what is on its way fits in memory
ITEMS = 1024
AHEAD = 3  # tasks of a worker
LONG_SECONDS = 1.0  # of a task of single items, which cannot be made smaller


@dataclass(order=True)
class Task:
    """Items `start` to `stop`; `kills`: workers that were killed while at it."""

    start: int
    stop: int
    kills: int = 0

    def parts(self) -> list[Task]:
        """A task for each item, after one more kill: who is killed again is to blame."""
        return [Task(i, i + 1, self.kills + 1) for i in range(self.start, self.stop)]


class Plan:
    """Hands out `count` items in order, as tasks whose size follows what earlier ones took.

    Args:
        count: of items.
        first: items of a task while nothing is known.

    Attributes:
        ahead: tasks of a worker: the one at hand, and what hides the hand-over. Of long tasks few, so that
            none waits for one worker while another has nothing to do.
    """

    def __init__(self, count: int, first: int) -> None:
        self.count, self.next, self.size = count, 0, first
        self.again: list[Task] = []
        self.ahead = 1

    def __bool__(self) -> bool:
        return bool(self.again) or self.next < self.count

    def take(self, workers: int) -> Task:
        """The next task for one of so many workers; towards the end smaller, so that all end together."""
        if self.again:
            return heapq.heappop(self.again)
        size = max(1, min(self.size, (self.count - self.next) // (2 * workers)))
        task = Task(self.next, self.next + size)
        self.next += size
        return task

    def has_suspect(self) -> bool:
        """Whether the next task may have killed a worker."""
        return bool(self.again) and self.again[0].kills > 0

    def put_back(self, task: Task) -> None:
        """Hands the task out again, before new ones."""
        heapq.heappush(self.again, task)

    def learn(self, task: Task, seconds: float, size: int) -> None:
        """Adapts to a finished task: its seconds, and the bytes that went there and back."""
        self.ahead = AHEAD if seconds < LONG_SECONDS else 2
        count = task.stop - task.start
        fits = count * min(SECONDS / max(seconds, 1e-6), BYTES / max(size, 1))
        # at most twice as many as before: one task may have been lucky
        self.size = max(1, min(ITEMS, round(fits), 2 * max(self.size, count)))
