"""The queries of sweeps, on SQLite and on Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.support.rows import AT, SteppedClock, deployment, driven, resource, step
from tier1_engine.contract.kind import COMPANIONS
from tier1_engine.deployment.record import Attempt, AttemptAdd, Change, Deployment, ResourceAdd
from tier1_engine.deployment.states import Action, Goal, Mode, Outcome, ResourceState
from tier1_engine.errors import NoSuchDeployment, Refused
from tier1_engine.store import sweeps
from tier1_engine.store.lease import release
from tier1_engine.store.store import Store
from tier1_engine.store.sweeps import Sweep


@pytest.fixture
def store(any_database_url: str) -> Iterator[Store]:
    opened = Store.open(any_database_url)
    yield opened
    opened.close()


def create_of(row: str) -> Attempt:
    """A create whose outcome is unknown."""
    return Attempt(
        id=f"try-{row}",
        deployment_id="d1",
        step="net",
        action=Action.CREATE,
        begun_at=AT,
        term=1,
        resource_id=row,
        key=f"{row}-1-0",
        ended_at=AT,
        outcome=Outcome.UNKNOWN,
    )


def test_a_sweep_reads_everything_it_judges(store: Store) -> None:
    """It reads remaining resources, rows, open creates, steps and the last event."""
    record, held = driven(
        store, deployment(), step(), step("look", position=7, kind="disk", mode=Mode.REFERENCE)
    )
    rows = [
        resource("r1", state=ResourceState.PRESENT, aws_id="net-1", request={"cidr": "x"}),
        resource("r2", "net~1", state=ResourceState.DELETED, aws_id="net-2", deleted_at=AT),
        resource("r3", "look", kind="disk", state=ResourceState.PRESENT, aws_id="disk-1", owned=False),
        resource(
            "r4",
            "net~2",
            state=ResourceState.RETAINED,
            aws_id="net-3",
            facts={COMPANIONS: {"volume": ["vol-1"]}},
        ),
        resource("r5", "net~3"),
    ]
    changes: list[Change] = [ResourceAdd(row) for row in rows]
    changes.append(AttemptAdd(create_of("r5")))
    store.commit(record, changes, held.fence, AT)
    clock = SteppedClock()
    (one,) = sweeps.all_known(store, lambda holder, end: "somebody" if holder else None)
    assert {row.id for row in one.remaining} == {"r1", "r5"}
    assert dict(one.holds) == {
        ("net", "net-1"): {"cidr": "x"},
        ("disk", "disk-1"): {},
        ("net", "net-3"): {},
        ("volume", "vol-1"): {},  # what AWS made with a resource belongs to it, also while it is detached
    }
    assert one.expects == {("net", "r5")}
    assert one.positions == {"net": 0}
    assert (one.retains, one.driver, one.last_event_at) == (True, "somebody", AT)
    release(store, held)
    (one,) = sweeps.all_known(store, lambda holder, end: "x" if holder else None, only="d1")
    assert one.driver is None
    assert sweeps.all_known(store, lambda holder, end: None, only="d2") == []
    assert sweeps.database_time(store, clock.now()) == AT  # the earlier of the two


def test_a_claim_writes_goal_sweep_and_event_or_nothing(store: Store) -> None:
    """A refused claim leaves the row unchanged."""
    store.create(deployment(), [step()], "asked for")

    def refuse(found: Deployment, last_event: int) -> None:
        raise Refused("no")

    with pytest.raises(Refused):
        sweeps.claim(store, "d1", "s1", Goal.ROLLED_BACK, refuse, AT)
    assert store.load("d1").deployment.goal is Goal.ACTIVE
    seen: list[int] = []
    sweeps.claim(store, "d1", "s1", Goal.ROLLED_BACK, lambda found, last: seen.append(last), AT)
    found = store.load("d1").deployment
    assert (found.goal, found.swept_by) == (Goal.ROLLED_BACK, "s1")
    assert len(seen) == 1
    assert "s1" in store.events("d1")[-1].message


def test_protection_is_written_with_its_event(store: Store) -> None:
    """It is read back unchanged; for an unknown deployment it is an error."""
    store.create(deployment(), [step()], "asked for")
    end = AT + timedelta(days=3)
    kept = sweeps.protect(store, "d1", lambda found: ({"keep_until": end}, "kept"), AT)
    assert kept == store.load("d1").deployment
    assert kept.protected(AT)
    assert not kept.protected(end)
    assert store.events("d1")[-1].message == "kept"
    with pytest.raises(NoSuchDeployment):
        sweeps.protect(store, "d2", lambda found: ({}, ""), AT)


def test_sweeps_are_listed_newest_first(store: Store) -> None:
    """They have their results; an interrupted one has no end."""
    for number in range(3):
        sweeps.begin(store, Sweep(f"s{number}", AT + timedelta(hours=number), "here", 1, {"items": []}))
    ended = {"results": [{"outcome": "deleted"}], "deleted": 1, "ended_at": AT, "exit_code": 0}
    sweeps.update(store, "s2", ended)
    newest, older = sweeps.history(store, 2)
    assert (newest.id, newest.exit_code, newest.deleted, newest.results) == (
        "s2",
        0,
        1,
        [{"outcome": "deleted"}],
    )
    assert (older.id, older.exit_code, older.ended_at) == ("s1", None, None)
