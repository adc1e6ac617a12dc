"""One process at a time, with real processes: on Postgres, frozen, in another pid namespace, hung up."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time

import pytest

from tests.support.account import WHOLE, standing
from tests.support.command import LIMIT_SECONDS, Command, Running
from tests.support.gated_service import listening, waits_for
from tests.support.terminal import Terminal

pytestmark = pytest.mark.promise(6)

SHORT_LEASE = {"TIER1_LEASE_SECONDS": "3", "TIER1_CALL_TIMEOUT_SECONDS": "1"}


@pytest.fixture
def shared(newcomer: Command, postgres_url: str) -> Command:
    """The command of an operator whose database is a shared Postgres."""
    return newcomer.with_(TIER1_DATABASE_URL=postgres_url)


@pytest.fixture
def upgraded(newcomer: Command, empty_postgres_url: str) -> Command:
    """The same, after the first command created the tables there."""
    upgraded = newcomer.with_(TIER1_DATABASE_URL=empty_postgres_url)
    assert upgraded.here("db", "upgrade").code == 0
    return upgraded


@pytest.mark.postgres
def test_on_postgres_the_running_process_is_named_and_a_killed_one_is_replaced_at_once(
    upgraded: Command, aws: str, closed_port: int
) -> None:
    """`resume` is refused with 6 and the process; after its SIGKILL the next one does not wait for
    the lease.
    """
    running = upgraded.begin("deploy", upgraded.spec(more=waits_for(closed_port)))
    running.hear("service-door: started")
    upgraded("resume", "demo").refused(6, str(running.process.pid))
    running.signal(signal.SIGKILL)
    assert running.end().code == -signal.SIGKILL
    with listening(closed_port):
        assert upgraded("resume", "demo", "-o", "json").json["state"] == "active"
    assert standing(aws) == WHOLE


def resumed_once_free(command: Command) -> None:
    """Resume as soon as the lease of a silent process has expired."""
    end = time.monotonic() + LIMIT_SECONDS
    while (done := command("resume", "demo")).code == 6:
        assert time.monotonic() < end, done.err
    assert done.code == 0, done.err


@pytest.mark.postgres
def test_on_postgres_a_process_that_slept_past_its_lease_changes_nothing(
    shared: Command, aws: str, closed_port: int
) -> None:
    """A frozen process that was replaced says so when it wakes, and exits with 6; the new process's state
    stays. Frozen within a transaction, which Postgres then ends, it exits with 9: its lease expired before it
    could check it.
    """
    quick = shared.with_(**SHORT_LEASE)
    frozen = quick.begin("deploy", quick.spec(more=waits_for(closed_port)))
    frozen.hear("service-door: started")
    frozen.signal(signal.SIGSTOP)
    with listening(closed_port):
        resumed_once_free(quick)
    before = quick.here("log", "demo", "-o", "json").json
    frozen.signal(signal.SIGCONT)
    ended = frozen.end()
    assert ended.code in (6, 9)
    assert ("another process has taken over" in ended.err.lower()) is (ended.code == 6)
    assert quick.here("log", "demo", "-o", "json").json == before
    assert standing(aws) == WHOLE


UNSHARE = shutil.which("unshare")
IN_A_NAMESPACE = ("--pid", "--fork", "--mount-proc", "--kill-child=SIGTERM")


def can_unshare() -> bool:
    if UNSHARE is None:
        return False
    done = subprocess.run([UNSHARE, *IN_A_NAMESPACE, "true"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture
def in_a_namespace(tier1: Command, closed_port: int) -> Running:
    """A waiting deploy in its own pid namespace: its process id means nothing outside."""
    if not can_unshare():
        pytest.skip("no pid namespace can be made here")
    spec = tier1.spec(more=waits_for(closed_port))
    return tier1.begin("deploy", spec, within=(str(UNSHARE), *IN_A_NAMESPACE))


def test_a_holder_in_another_pid_namespace_is_not_taken_for_dead(
    tier1: Command, in_a_namespace: Running, closed_port: int, aws: str
) -> None:
    """Its process id is unused here or belongs to another process, so only its lease counts."""
    in_a_namespace.hear("service-door: started")
    holder = tier1.show("demo")["holder"]
    tier1("resume", "demo").refused(6, str(holder["pid"]))
    with listening(closed_port):
        assert in_a_namespace.end().code == 0
    assert standing(aws) == WHOLE


@pytest.mark.parametrize(
    "command",
    ["rollback", *(pytest.param(one, marks=pytest.mark.long) for one in ("deploy", "resume", "destroy"))],
)
def test_closing_a_terminal_ends_the_command_in_it(
    tier1: Command, aws: str, closed_port: int, command: str
) -> None:
    """It exits with 130, every call in flight is recorded, and it can be resumed."""
    spec = tier1.spec(more=waits_for(closed_port))
    seen, arguments = "service-door", ("deploy", spec)
    if command != "deploy":
        first = tier1.begin(*arguments)
        first.hear("service-door: started")
        first.signal(signal.SIGTERM)
        assert first.end().code == 130
        arguments = (command, "demo", *(() if command == "resume" else ("--yes",)))
        seen = seen if command == "resume" else "of 13 deleted"
    with Terminal(tier1, *arguments) as terminal:
        terminal.see(seen)
        assert terminal.hang_up() == 130
    shown = tier1.show("demo")
    assert shown["holder"] is None
    assert not [a for a in tier1.here("log", "demo", "-o", "json").json["attempts"] if a["ended_at"] is None]
    assert tier1("rollback", "demo", "--yes").code == 0
    assert standing(aws) == {}


def test_an_open_question_holds_no_lock(tier1: Command, aws: str, closed_port: int) -> None:
    """Another operator rolls back overnight; the answer in the morning changes nothing and says why."""
    with Terminal(tier1, "deploy", tier1.spec(more=waits_for(closed_port, "1s"))) as terminal:
        terminal.see("What do you want to do with demo?")
        assert tier1("rollback", "demo", "--yes").code == 0
        terminal.enter("r\n")
        assert terminal.end() == 3
        assert "rolled_back" in terminal.screen or "rolled back" in terminal.screen
    assert standing(aws) == {}
