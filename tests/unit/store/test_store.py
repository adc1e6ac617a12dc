"""The store, on SQLite and on Postgres: commits are fenced, atomic, and recognised when repeated."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import pytest
from sqlalchemy import CheckConstraint, Table, insert, text
from sqlalchemy.exc import IntegrityError

from tests.support.rows import AT, SteppedClock, deployment, driven, resource, step
from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.record import (
    Attempt,
    AttemptAdd,
    AttemptSet,
    Change,
    Console,
    Deployment,
    DeploymentSet,
    Move,
    Note,
    Resource,
    ResourceAdd,
    ResourceSet,
    StepSet,
)
from tier1_engine.deployment.states import Action, Goal, Outcome, ResourceState, State, StepState, Trigger
from tier1_engine.errors import (
    DatabaseUnavailable,
    DrivenByAnother,
    LeaseLost,
    NameInUse,
    NoSuchDeployment,
    Refused,
)
from tier1_engine.store import database, sweeps
from tier1_engine.store.columns import TEXT_CHARACTERS
from tier1_engine.store.holder import this_process
from tier1_engine.store.lease import release, take, take_with
from tier1_engine.store.store import GoalChanged, Store
from tier1_engine.store.sweeps import Sweep
from tier1_engine.store.tables import Base
from tier1_engine.store.transactions import WRITERS_LIMIT, Transaction

pytestmark = pytest.mark.promise(6)


@pytest.fixture
def store(any_database_url: str) -> Iterator[Store]:
    store = Store.open(any_database_url)
    yield store
    store.close()


def attempt(id: str = "a1", **values: object) -> Attempt:
    whole = Attempt(id, "d1", "net", Action.CREATE, AT, 1, resource_id="r1", key="r1-1-0")
    return replace(whole, **values)  # type: ignore[arg-type]


def rolled_back(_: Deployment) -> Goal:
    """The choice of a rollback that nothing forbids."""
    return Goal.ROLLED_BACK


# --- what is written is what is read


def test_every_change_is_read_back_as_it_was_applied(store: Store) -> None:
    """The driver's record equals the one that a new process would load."""
    record, held = driven(store)
    changes: list[Change] = [
        ResourceAdd(resource(request={"a": [1, {"b": None}]})),
        AttemptAdd(attempt()),
        StepSet("net", {"state": StepState.RUNNING, "started_at": AT, "error": Error("x", "It is x.")}),
        ResourceSet("r1", {"aws_id": "vpc-1", "facts": {"ip": "1"}, "made_at": AT}),
        AttemptSet("a1", {"ended_at": AT, "outcome": Outcome.DONE, "aws_id": "vpc-1"}),
        DeploymentSet({"warnings": ("one", "two"), "outputs": {"o": 1}}),
        Move(Trigger.START, State.PENDING, State.PROVISIONING_NETWORK, Goal.ACTIVE, "go"),
        Note("said", "net"),
        Console("r1", "kernel: héllo\x1b[0m"),
    ]
    after = store.commit(record, changes, held.fence, AT)
    assert after == store.load("d1")
    assert after.deployment.revision == record.deployment.revision + 1
    assert store.console("d1", "r1") == "kernel: héllo\x1b[0m"
    assert store.console("d1", "r2") is None
    lines = [(e.trigger, e.to_state, e.step, e.message) for e in store.events("d1")]
    assert lines[1:] == [(Trigger.START, State.PROVISIONING_NETWORK, None, "go"), (None, None, "net", "said")]


@pytest.mark.field_case(
    "a trial: a NUL in the console could not be stored, and ended every run of the deployment"
)
@pytest.mark.parametrize(
    "text", ["a\0b", "a\ud800b", "\0" * 70_000, "x" * 300_000], ids=["NUL", "surrogate", "NULs", "long"]
)
def test_no_text_of_aws_prevents_a_driver_from_recording(store: Store, text: str) -> None:
    """Postgres refuses NUL in text and JSON, and any driver a lone surrogate; columns have their limits.

    Field case: a boot loader wrote NUL to the console, and the failure of that deployment could not be
    recorded by any driver.
    """
    record, held = driven(store)
    changes: list[Change] = [
        ResourceAdd(resource(tagged_as=text, request={"a": [text, {text: 1}]})),
        AttemptAdd(attempt(message=text, code=text, operation=text, request_id=text, aws_id=text)),
        StepSet("net", {"error": Error(text, text)}),
        ResourceSet("r1", {"aws_id": text, "arn": text, "facts": {"ip": text}}),
        DeploymentSet({"warnings": (text,), "outputs": {"o": text}}),
        Note(text, "net"),
        Console("r1", text),
    ]
    store.commit(record, changes, held.fence, AT)
    after = store.load("d1")
    row, made = after.resources["r1"], after.attempts["a1"]
    for column, limit in ((row.tagged_as, 32), (row.aws_id, 256), (row.arn, 512), (made.code, 256)):
        assert column == expected(text)[:limit]
    assert made.message == expected(text)[:TEXT_CHARACTERS]
    assert store.console("d1", "r1") == expected(text)[:TEXT_CHARACTERS]
    assert row.facts == {"ip": expected(text)}
    assert row.request == {"a": [expected(text), {expected(text): 1}]}
    error = after.steps["net"].error
    assert error is not None
    assert error.message == expected(text)


def expected(text: str) -> str:
    """The text with U+FFFD for what cannot be stored; a surrogate has three bytes."""
    return text.replace("\0", "\ufffd").replace("\ud800", "\ufffd" * 3)


def test_decisions_get_the_relevant_attempts_and_the_log_gets_all(store: Store) -> None:
    """Relevant are creates, archives, and open attempts."""
    record, held = driven(store)
    ended = {"ended_at": AT, "outcome": Outcome.REFUSED}
    changes: list[Change] = [ResourceAdd(resource())]
    changes += [AttemptAdd(attempt(f"a{n}", action=action, **ended)) for n, action in enumerate(Action)]
    changes.append(AttemptAdd(attempt("open", action=Action.DELETE)))
    store.commit(record, changes, held.fence, AT)
    kinds = {a.action for a in store.load("d1").attempts.values()}
    assert kinds == {Action.CREATE, Action.ADOPT, Action.ARCHIVE, Action.DELETE}
    assert len(store.attempts("d1")) == len(Action) + 1


def test_there_is_no_deployment_of_an_unknown_id(store: Store) -> None:
    """Load and request report it."""
    with pytest.raises(NoSuchDeployment, match="see `tier1 list`"):
        store.load("nope")
    with pytest.raises(NoSuchDeployment):
        store.request_goal("nope", rolled_back, now=AT)


def test_the_database_has_an_id_of_its_own(store: Store) -> None:
    """The first migration creates it, and it never changes."""
    assert len(store.database_id) == 16
    assert Store(store.engine).database_id == store.database_id


# --- the fence


def test_a_commit_with_another_fence_writes_nothing(store: Store) -> None:
    """The term is old, the nonce differs, or the lease was released."""
    record, held = driven(store)
    for fence in (replace(held.fence, term=0), replace(held.fence, nonce="x")):
        with pytest.raises(LeaseLost):
            store.commit(record, [Note("never")], fence, AT)
        with pytest.raises(LeaseLost):
            store.goal("d1", fence)
    release(store, held)
    with pytest.raises(LeaseLost):
        store.commit(record, [Note("never")], held.fence, AT)
    assert [e.message for e in store.events("d1")] == ["asked for"]


def test_a_superseded_driver_cannot_commit_what_it_began_before(store: Store, any_database_url: str) -> None:
    """It has an open read of the old record while another takes over on its own connection."""
    record, old = driven(store)
    other = Store.open(any_database_url)
    clock = SteppedClock()
    clock.sleep(61.0)
    with store.reading() as snapshot:
        assert snapshot.execute(text("SELECT lease_term FROM deployments")).scalar() == old.term
        new = take(other, "d1", replace(this_process(), host="elsewhere"), 60.0, _Later())
        with pytest.raises(LeaseLost):
            store.commit(record, [StepSet("net", {"attempts": 9})], old.fence, AT)
    assert new.term == old.term + 1
    assert other.load("d1").steps["net"].attempts == 0
    other.commit(other.load("d1"), [StepSet("net", {"attempts": 1})], new.fence, AT)
    other.close()


class _Later(SteppedClock):
    """A clock at which the lease of this process has expired."""

    def __init__(self) -> None:
        super().__init__(seconds=10_000.0)


def test_a_record_changed_by_another_is_not_overwritten(store: Store) -> None:
    """Two commits start from one record: the second is refused, although its fence is right."""
    record, held = driven(store)
    store.commit(record, [Note("first")], held.fence, AT)
    second = store.commit(store.load("d1"), [Note("second")], held.fence, AT)
    with pytest.raises(LeaseLost, match="changed by another process"):
        store.commit(record, [Note("third")], held.fence, AT)
    assert second.deployment.revision == 2


def test_a_commit_whose_reply_was_lost_is_not_applied_twice(store: Store) -> None:
    """The repeated call is recognised by the revision, and returns the same."""
    record, held = driven(store)
    changes: list[Change] = [ResourceAdd(resource()), AttemptAdd(attempt()), Note("once")]
    first = store.commit(record, changes, held.fence, AT)
    assert store.commit(record, changes, held.fence, AT) == first == store.load("d1")
    assert [e.message for e in store.events("d1")] == ["asked for", "once"]


def test_the_last_commit_releases_the_lease_and_is_recognised_too(store: Store) -> None:
    """The lease is free; the repeated call returns the same and adds nothing."""
    record, held = driven(store)
    first = store.commit(record, [Note("last")], held.fence, AT, gives_back=True)
    assert store.summaries(deployment_id="d1")[0].holder is None
    assert store.commit(record, [Note("last")], held.fence, AT, gives_back=True) == first == store.load("d1")
    assert [e.message for e in store.events("d1")] == ["asked for", "last"]


def test_a_last_commit_detects_a_later_holder(store: Store) -> None:
    """It was applied, then another acquired the lease and wrote: the retry is a loss, never a success."""
    record, held = driven(store)
    store.commit(record, [Note("last")], held.fence, AT, gives_back=True)
    new = take(store, "d1", this_process(), 60.0, SteppedClock())
    store.commit(store.load("d1"), [Note("new")], new.fence, AT)
    with pytest.raises(LeaseLost):
        store.commit(record, [Note("last")], held.fence, AT, gives_back=True)


def test_a_deployment_is_created_with_its_lease(store: Store) -> None:
    """One transaction writes it with plan and lease, so nobody can come between."""
    lease = take_with(store, deployment(), [step()], "asked for", this_process(), 60.0, SteppedClock())
    with pytest.raises(DrivenByAnother):
        take(store, "d1", this_process(), 60.0, SteppedClock())
    after = store.commit(store.load("d1"), [Note("driven")], lease.fence, AT)
    assert after.deployment.revision == 1
    release(store, lease)
    assert take(store, "d1", this_process(), 60.0, SteppedClock()).term == lease.term + 1


def test_a_failed_transaction_leaves_its_connection_usable(store: Store) -> None:
    """A refused statement affects nothing else."""
    record, held = driven(store)
    for _ in range(3):
        with pytest.raises(IntegrityError):
            store.commit(record, [StepSet("net", {"state": StepState.FAILED})], held.fence, AT)
    assert store.commit(record, [Note("after")], held.fence, AT).deployment.revision == 1


def test_another_process_that_ends_does_not_remove_the_log(sqlite_url: str) -> None:
    """A store that reads next to its writing connection keeps SQLite's locks, so commits stay."""
    store = Store.open(sqlite_url)
    record, held = driven(store)
    with store.reading() as beside:
        beside.execute(text("SELECT 1"))
        for number in range(3):
            record = store.commit(record, [Note(str(number))], held.fence, AT)
            assert lines_seen_elsewhere(sqlite_url) == number + 2
    store.close()


def lines_seen_elsewhere(url: str) -> int:
    """How many events a process of its own sees, which then ends."""
    program = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1])\n"
        "print(connection.execute('SELECT count(*) FROM events').fetchone()[0])\n"
        "connection.close()\n"
    )
    path = url.removeprefix("sqlite:///")
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.postgres
def test_a_lost_connection_is_replaced(postgres_url: str) -> None:
    """The commit reports an unavailable database; the same call succeeds when repeated."""
    store = Store.open(postgres_url)
    record, held = driven(store)
    with store.engine.connect() as other:
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        other.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))  # noqa: S608
    with pytest.raises(DatabaseUnavailable):
        store.commit(record, [Note("once")], held.fence, AT)
    store.commit(record, [Note("once")], held.fence, AT)
    assert [e.message for e in store.events("d1")] == ["asked for", "once"]
    store.close()


def test_a_commit_is_atomic(store: Store) -> None:
    """The last change violates a constraint: nothing before it is written."""
    record, held = driven(store)
    bad = StepSet("net", {"state": StepState.FAILED})
    with pytest.raises(IntegrityError):
        store.commit(record, [ResourceAdd(resource()), Note("never"), bad], held.fence, AT)
    assert store.load("d1") == record
    assert len(store.events("d1")) == 1


def test_a_state_that_changed_behind_the_driver_is_not_moved(store: Store) -> None:
    """The compare-and-swap includes the state."""
    record, held = driven(store)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE deployments SET state = 'health_check'"))
    with pytest.raises(LeaseLost, match="state of d1 was changed"):
        store.commit(record, [Note("never")], held.fence, AT)


# --- goals


@pytest.mark.parametrize(("goal", "retain"), [(Goal.ROLLED_BACK, ()), (Goal.ROLLED_BACK, ("net",))])
def test_a_concurrent_goal_stops_a_commit_and_is_reported(
    store: Store, goal: Goal, retain: tuple[str, ...]
) -> None:
    """Nothing is written; applied to the new record, the same changes succeed."""
    record, held = driven(store)
    store.request_goal("d1", lambda _: goal, retain=retain, now=AT)
    with pytest.raises(GoalChanged) as news:
        store.commit(record, [Note("later")], held.fence, AT)
    assert (news.value.goal, news.value.retain) == (goal, retain)
    assert store.goal("d1", held.fence) == (goal, retain)
    later = record.apply([DeploymentSet({"goal": goal, "retain": retain})])
    assert store.commit(later, [Note("later")], held.fence, AT).deployment.goal is goal


def test_a_read_of_the_goal_waits_for_no_writer_and_leaves_no_transaction_open(store: Store) -> None:
    """It does not even wait for its own process's writer, and always shows what was committed."""
    _, held = driven(store)
    with Transaction(store.writers):
        assert store.goal("d1", held.fence) == (Goal.ACTIVE, ())
    store.request_goal("d1", rolled_back, now=AT)
    for _ in range(WRITERS_LIMIT + 1):
        assert store.goal("d1", held.fence) == (Goal.ROLLED_BACK, ())
    with ThreadPoolExecutor(2 * WRITERS_LIMIT) as pool:
        looks = [pool.submit(store.goal, "d1", held.fence) for _ in range(50)]
    assert {look.result() for look in looks} == {(Goal.ROLLED_BACK, ())}
    assert len(store.writers.idle) <= WRITERS_LIMIT
    store.request_goal("d1", rolled_back, retain=("net",), now=AT)
    assert store.goal("d1", held.fence) == (Goal.ROLLED_BACK, ("net",))


def test_a_concurrent_retain_is_reported_too(store: Store) -> None:
    """Earlier ones stay retained."""
    record, held = driven(store)
    for name in ("net", "disk", "net"):
        store.request_goal("d1", rolled_back, retain=(name,), now=AT)
    later = record.apply([DeploymentSet({"goal": Goal.ROLLED_BACK, "retain": ("net",)})])
    with pytest.raises(GoalChanged) as news:
        store.commit(later, [], held.fence, AT)
    assert news.value.retain == ("net", "disk")
    assert [e.message for e in store.events("d1")][1:] == [
        "requested: rolled_back, retaining net",
        "requested: rolled_back, retaining net, disk",
    ]


def test_a_refused_goal_is_not_written(store: Store) -> None:
    """The guard sees the locked row."""
    driven(store)

    def refuse(seen: Deployment) -> Goal:
        raise Refused(f"it is {seen.state}")

    with pytest.raises(Refused, match="it is pending"):
        store.request_goal("d1", refuse, now=AT)
    assert store.load("d1").deployment.goal is Goal.ACTIVE


def test_a_request_that_must_be_repeated_writes_nothing(store: Store) -> None:
    """It returns None, and there is no event."""
    record, _ = driven(store)
    assert store.request_goal("d1", lambda _: None, retain=("net",), now=AT) is None
    assert store.load("d1").deployment == record.deployment
    assert len(store.events("d1")) == 1


# --- names


def test_a_living_name_is_unique_in_its_account_region_and_endpoint(store: Store) -> None:
    """The name is free elsewhere, and once the deployment has ended."""
    driven(store)
    with pytest.raises(NameInUse, match="in use by d1, which is pending"):
        store.create(deployment("d2"), [step(deployment_id="d2")], "")
    for number, other in enumerate(({"account_id": "9"}, {"region": "eu"}, {"endpoint": "http://x"})):
        id = f"other{number}"
        store.create(deployment(id, **other), [step(deployment_id=id)], "")
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE deployments SET state = 'rolled_back', goal = 'rolled_back'"))
    store.create(deployment("d2"), [step(deployment_id="d2")], "")


def test_a_refused_name_leaves_nothing_of_its_deployment(store: Store) -> None:
    """Rows and events are written in one transaction."""
    driven(store)
    with pytest.raises(NameInUse):
        store.create(deployment("d2"), [step(deployment_id="d2")], "")
    with pytest.raises(NoSuchDeployment):
        store.load("d2")
    assert not store.events("d2")


# --- reads for people


def test_summaries_are_newest_first_and_can_be_filtered(store: Store) -> None:
    """Filters are state, name, id and number."""
    for number in range(3):
        id = f"d{number}"
        made = deployment(id, name=f"n{number}", created_at=AT.replace(hour=number))
        store.create(made, [step(deployment_id=id)], "")
    ids = [s.deployment.id for s in store.summaries()]
    assert ids == ["d2", "d1", "d0"]
    assert [s.deployment.id for s in store.summaries(limit=1)] == ["d2"]
    assert [s.deployment.id for s in store.summaries(name="n1")] == ["d1"]
    assert [s.deployment.id for s in store.summaries(deployment_id="d0")] == ["d0"]
    assert not store.summaries(states=[State.ACTIVE])
    assert len(store.summaries(states=[State.PENDING, State.ACTIVE])) == 3


def test_what_remains_is_owned_and_not_deleted(store: Store) -> None:
    """An unknown create counts; referenced, deleted and retained resources do not."""
    steps = [step(f"s{n}", position=n) for n in range(7)]
    record, held = driven(store, None, *steps)
    rows = [
        resource("r0", "s0", aws_id="a", state=ResourceState.PRESENT),
        resource("r1", "s1", aws_id="b", state=ResourceState.PRESENT, owned=False),
        resource("r2", "s2", aws_id="c", state=ResourceState.DELETED, deleted_at=AT),
        resource("r3", "s3", aws_id="d", state=ResourceState.RETAINED),
        resource("r4", "s4"),
        resource("r5", "s5"),
        resource("r6", "s6", aws_id="e", state=ResourceState.STRAY),
    ]
    unknown = attempt(resource_id="r5", step="s5", ended_at=AT, outcome=Outcome.UNKNOWN)
    refused = attempt("a2", resource_id="r4", step="s4", ended_at=AT, outcome=Outcome.REFUSED)
    changes: list[Change] = [*map(ResourceAdd, rows), AttemptAdd(unknown), AttemptAdd(refused)]
    store.commit(record, changes, held.fence, AT)
    assert store.summaries()[0].remaining == 3


def test_a_reference_is_a_prefix_of_an_id_or_a_whole_name(store: Store) -> None:
    """A prefix is literal: `%` and `_` have no special meaning."""
    store.create(deployment("abc123", name="demo"), [step(deployment_id="abc123")], "")
    assert [d.id for d in store.matching("abc")] == ["abc123"]
    assert [d.id for d in store.matching("demo")] == ["abc123"]
    for pattern in ("dem", "a%", "ab_", "%", "' OR 1=1 --"):
        assert not store.matching(pattern)


def test_events_can_be_read_from_a_position(store: Store) -> None:
    """A live view reads only new ones."""
    record, held = driven(store)
    store.commit(record, [Note("new")], held.fence, AT)
    with store.reading() as connection:
        first = connection.execute(text("SELECT min(id) FROM events")).scalar()
    assert first is not None
    assert [e.message for e in store.events("d1", after=first)] == ["new"]


@pytest.mark.postgres
def test_a_lost_connection_is_reported_as_unavailable(postgres_url: str) -> None:
    """The server ended the session: the driver may try again."""
    store = Store.open(postgres_url)
    record, held = driven(store)
    with store.engine.connect() as first, store.engine.connect() as second:
        victim = first.execute(text("SELECT pg_backend_pid()")).scalar()
        second.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": victim})
        with (
            pytest.raises(DatabaseUnavailable, match="cannot be reached"),
            database.translated(store.engine),
        ):
            first.execute(text("SELECT 1"))
    assert store.commit(record, [Note("after")], held.fence, AT).deployment.revision == 1
    store.close()


# --- constraints


DEPLOYMENTS, STEPS, RESOURCES, ATTEMPTS, SWEEPS = (
    Base.metadata.tables[name] for name in ("deployments", "steps", "resources", "attempts", "sweeps")
)
VIOLATIONS: dict[str, tuple[Table, dict[str, object]]] = {
    "deployment_state_is_known": (DEPLOYMENTS, {"state": "sleeping"}),
    "goal_is_known": (DEPLOYMENTS, {"goal": "sleeping"}),
    "failed_has_a_reason": (DEPLOYMENTS, {"state": "failed"}),
    "rolled_back_was_the_goal": (DEPLOYMENTS, {"state": "rolling_back"}),
    "destroyed_was_the_goal": (DEPLOYMENTS, {"state": "destroying"}),
    "active_knows_since_when": (DEPLOYMENTS, {"state": "active"}),
    "a_lease_has_a_holder_and_an_end": (DEPLOYMENTS, {"holder": "{}"}),
    "phase_is_known": (STEPS, {"phase": "x"}),
    "mode_is_known": (STEPS, {"mode": "x"}),
    "failure_class_is_known": (STEPS, {"on_failure": "x"}),
    "step_state_is_known": (STEPS, {"state": "x"}),
    "an_ended_step_knows_when": (STEPS, {"state": "done"}),
    "a_failed_step_has_an_error": (STEPS, {"state": "failed", "finished_at": AT.isoformat()}),
    "resource_state_is_known": (RESOURCES, {"state": "x", "aws_id": "i"}),
    "what_is_there_has_an_id": (RESOURCES, {"state": "present"}),
    "what_was_brought_is_never_changed": (RESOURCES, {"owned": False, "state": "deleting"}),
    "what_is_deleted_knows_since_when": (RESOURCES, {"state": "deleted"}),
    "action_is_known": (ATTEMPTS, {"action": "x"}),
    "outcome_is_known": (ATTEMPTS, {"outcome": "x", "ended_at": AT.isoformat()}),
    "an_ended_attempt_has_an_outcome": (ATTEMPTS, {"outcome": "done"}),
    "a_try_that_changes_something_has_a_key": (ATTEMPTS, {"key": None}),
    "an_ended_sweep_has_a_code": (SWEEPS, {"exit_code": 0}),
}
IN_EVENTS = {
    "trigger_is_known": "'x', NULL, 'active'",
    "from_state_is_known": "'start', 'x', 'active'",
    "to_state_is_known": "'start', NULL, 'x'",
    "a_move_names_where_it_led": "'start', NULL, NULL",
}


@pytest.fixture
def full(store: Store) -> Store:
    """A deployment with one row of everything."""
    record, held = driven(store)
    store.commit(record, [ResourceAdd(resource()), AttemptAdd(attempt())], held.fence, AT)
    release(store, held)
    sweeps.begin(store, Sweep("s1", AT, "here", 1, {}))
    return store


@pytest.mark.parametrize("name", VIOLATIONS)
def test_an_invalid_row_cannot_be_stored(full: Store, name: str) -> None:
    """The named constraint refuses it, whoever writes it."""
    table, values = VIOLATIONS[name]
    setting = ", ".join(f"{column} = {_literal(value)}" for column, value in values.items())
    with pytest.raises(IntegrityError, match=name), full.engine.begin() as connection:
        connection.execute(text(f"UPDATE {table.name} SET {setting}"))  # noqa: S608 - our own words


def _literal(value: object) -> str:
    return "NULL" if value is None else str(value).upper() if isinstance(value, bool) else f"'{value}'"


@pytest.mark.parametrize("name", IN_EVENTS)
def test_an_invalid_event_cannot_be_written(full: Store, name: str) -> None:
    """A transition has a trigger and a target."""
    columns = "deployment_id, at, message, trigger, from_state, to_state"
    values = f"'d1', '2026-01-01', '', {IN_EVENTS[name]}"
    statement = f"INSERT INTO events ({columns}) VALUES ({values})"  # noqa: S608 - our own words
    with pytest.raises(IntegrityError, match=name), full.engine.begin() as connection:
        connection.execute(text(statement))


def test_there_is_one_installation(full: Store) -> None:
    """A database has one id."""
    statement = text("INSERT INTO installation (id, database_id, made_at) VALUES (2, 'x', '2026-01-01')")
    with pytest.raises(IntegrityError, match="there_is_one_installation"), full.engine.begin() as connection:
        connection.execute(statement)


def test_every_named_check_is_violated_by_a_test() -> None:
    """A new constraint must be added here."""
    named = {
        str(constraint.name)
        for table in Base.metadata.tables.values()
        for part in (table, *table.columns)
        for constraint in part.constraints
        if isinstance(constraint, CheckConstraint)
    }
    assert named == {*VIOLATIONS, *IN_EVENTS, "there_is_one_installation"}


@pytest.mark.parametrize(
    ("table", "row"),
    [
        (RESOURCES, resource("r2", "net")),
        (RESOURCES, resource("r2", "net~1", aws_id="vpc-1", state=ResourceState.STRAY)),
        (ATTEMPTS, attempt("a2")),
    ],
    ids=["a_resource_name_is_unique", "one_row_for_one_object", "one_open_attempt_of_a_resource"],
)
def test_a_duplicate_row_cannot_be_stored(full: Store, table: Table, row: Resource | Attempt) -> None:
    """Names, objects and open attempts are unique."""
    with full.engine.begin() as connection:
        connection.execute(text("UPDATE resources SET aws_id = 'vpc-1', state = 'present'"))
    values = {f.name: getattr(row, f.name) for f in fields(row)}
    with pytest.raises(IntegrityError), full.engine.begin() as connection:
        connection.execute(insert(table), values)


def test_rows_refer_to_rows_that_exist(full: Store) -> None:
    """Foreign keys are enforced, on SQLite too."""
    with pytest.raises(IntegrityError), full.engine.begin() as connection:
        connection.execute(text("UPDATE attempts SET resource_id = 'nobody'"))


def test_concurrent_writers_leave_connections_to_readers(store: Store) -> None:
    """A sweep's hundred drivers do not each wait in a connection of their own."""
    store.create(deployment("d1"), [step("net")], "made")
    writers = 40
    gate = threading.Barrier(writers)

    def write_and_read(number: int) -> int:
        gate.wait()
        sweeps.take(store, "d1", f"s{number}", "something", AT)
        return len(store.events("d1"))

    with ThreadPoolExecutor(writers) as threads:
        seen = list(threads.map(write_and_read, range(writers)))
    assert max(seen) == writers + 1
