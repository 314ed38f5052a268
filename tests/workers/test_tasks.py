"""How the items of a run on a cluster are shared out."""

from __future__ import annotations

from pipeline.workers.cluster.tasks import AHEAD, Plan


def test_no_worker_is_given_long_tasks_ahead_of_others() -> None:
    plan = Plan(3, 1)
    assert plan.ahead == 1, "how long they take is not known yet"
    first = plan.take(1)
    plan.learn(first, seconds=4, size=1000)
    assert plan.ahead == 2
    plan.learn(first, seconds=0.2, size=1000)
    assert plan.ahead == AHEAD


def test_every_item_is_handed_out_once_and_in_order() -> None:
    plan, items = Plan(1000, 8), list[int]()
    while plan:
        task = plan.take(workers=3)
        items += range(task.start, task.stop)
        plan.learn(task, seconds=0.1, size=10)
    assert items == list(range(1000))


def test_the_tasks_of_a_dead_worker_come_first_and_who_may_have_killed_it_alone() -> None:
    plan = Plan(100, 8)
    at_hand, ahead = plan.take(2), plan.take(2)
    for part in at_hand.parts():
        plan.put_back(part)
    plan.put_back(ahead)
    assert plan.has_suspect()
    singles = [plan.take(2) for _ in range(at_hand.stop)]
    assert [(t.start, t.stop, t.kills) for t in singles] == [(i, i + 1, 1) for i in range(at_hand.stop)]
    assert plan.take(2) == ahead
    assert not plan.has_suspect()
