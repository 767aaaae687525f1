from __future__ import annotations

from holdfast.control.scheduler.queue import RELEASED_MAX, PodQueue
from tests.control.scheduler.clusters import many, pending, pod


def test_pods_are_taken_in_the_order_they_came() -> None:
    queue = PodQueue()
    pods = many(5)
    for each in pods:
        queue.offer(each)
    queue.offer(pods[0])
    queue.withdraw(pods[1].key)
    assert queue.take(2, 0.0) == [pods[0], pods[2]]
    assert queue.take(9, 0.0) == pods[3:]
    assert len(queue) == 0


def test_a_pod_put_aside_stays_until_released_or_changed() -> None:
    queue = PodQueue()
    (first,) = many(1)
    assert queue.put_aside(first, "no room", 0.0)
    assert not queue.put_aside(first, "no room", 1.0)
    queue.offer(first)
    assert queue.take(9, 0.0) == []
    other = first._replace(shape=pending(pod(cpu="1")).shape)
    queue.offer(other)
    assert queue.take(9, 0.0) == [other]
    assert not queue.aside


def test_pods_are_released_a_part_at_a_time() -> None:
    queue = PodQueue()
    pods = many(RELEASED_MAX + 10)
    for each in pods:
        queue.put_aside(each, "no room", 0.0)
    assert queue.release(pods[0].shape) == RELEASED_MAX
    assert len(queue.take(10**6, 0.0)) == RELEASED_MAX
    assert queue.release(pods[0].shape) == 10
    assert not queue.aside


def test_a_refused_pod_waits_longer_each_time() -> None:
    queue = PodQueue()
    (first,) = many(1)
    waits, now = [], 0.0
    for _ in range(12):
        queue.refuse(first, now)
        assert queue.take(9, now) == []
        due = queue.deadline()
        assert due is not None
        waits.append(due - now)
        now = due
        assert queue.take(9, now) == [first]
    assert waits == sorted(waits)
    queue.refuse(first, now)
    queue.withdraw(first.key)
    assert queue.deadline() is None
