"""The real pool runs calls concurrently on daemon threads and has one place to wait."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tier1_engine.clock import SystemClock
from tier1_engine.engine.pool import MAX_WORKERS, ThreadPool
from tier1_engine.engine.protocol.actions import Answer, Identified, Identify

CLOCK = SystemClock()
LONG_SECONDS = 20.0


def answer(name: str = "x") -> Answer:
    return Answer(Identified(Identify(subject=name), "123456789012"))


def gather(pool: ThreadPool, count: int) -> list[Answer]:
    answers: list[Answer] = []
    for _ in range(count):
        if len(answers) < count:
            answers += pool.wait(CLOCK.steady() + LONG_SECONDS)
    return answers


def test_every_call_is_answered_once() -> None:
    """There are more calls than workers."""
    pool = ThreadPool(CLOCK)

    def call(number: int) -> Callable[[], Answer]:
        return lambda: answer(str(number))

    for number in range(3 * MAX_WORKERS):
        pool.submit(call(number))
    names = {a.asked.subject for a in gather(pool, 3 * MAX_WORKERS)}
    pool.close()
    assert names == {str(n) for n in range(3 * MAX_WORKERS)}


def test_calls_run_concurrently() -> None:
    """Each waits for all the others, so in sequence they would never end."""
    pool, meet = ThreadPool(CLOCK, workers=3), threading.Barrier(3, timeout=LONG_SECONDS)

    def call() -> Answer:
        meet.wait()
        return answer()

    for _ in range(3):
        pool.submit(call)
    assert len(gather(pool, 3)) == 3
    pool.close()


def test_a_wait_ends_at_its_time_or_when_woken() -> None:
    """It needs no answer."""
    pool = ThreadPool(CLOCK)
    assert pool.wait(CLOCK.steady() - 1.0) == []
    pool.wake()
    assert pool.wait(None) == []


def test_workers_are_daemons_and_end_when_the_pool_is_closed() -> None:
    """A hanging call cannot keep the process alive; one thread serves consecutive calls."""
    before = set(threading.enumerate())
    pool = ThreadPool(CLOCK)
    for _ in range(5):
        pool.submit(answer)
        gather(pool, 1)
    mine = set(threading.enumerate()) - before
    assert len(mine) == 1
    assert all(thread.daemon for thread in mine)
    pool.close()
    for thread in mine:
        thread.join(LONG_SECONDS)
        assert not thread.is_alive()
