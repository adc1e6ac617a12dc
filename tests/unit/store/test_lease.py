"""One driver at a time: which holder is replaced at once, which is waited for, and by which clock."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.rows import SteppedClock, deployment, step
from tier1_engine.errors import DrivenByAnother, LeaseLost, NoSuchDeployment
from tier1_engine.store import holder as holder_module
from tier1_engine.store import lease
from tier1_engine.store.holder import Holder, this_process
from tier1_engine.store.lease import Lease, driven, release, renew, take
from tier1_engine.store.store import Store

pytestmark = pytest.mark.promise(6)

LEASE_SECONDS = 60.0


@pytest.fixture
def store(any_database_url: str) -> Iterator[Store]:
    store = Store.open(any_database_url)
    store.create(deployment(), [step()], "")
    yield store
    store.close()


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock()


def taken(
    store: Store, clock: SteppedClock, holder: Holder | None = None, seconds: float = LEASE_SECONDS
) -> Lease:
    return take(store, "d1", holder or this_process(), seconds, clock)


def elsewhere() -> Holder:
    return replace(this_process(), host="elsewhere")


# --- replaced at once


@pytest.mark.field_case(
    "hashicorp/terraform#25776, hashicorp/terraform#30650, hashicorp/terraform#28710: a dead process "
    "keeps its lock"
)
def test_a_holder_whose_process_is_gone_is_replaced_at_once(store: Store, clock: SteppedClock) -> None:
    """Host, boot and namespace are the same and the process has ended: the lease is not waited for."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = holder_module._started(process.pid)  # noqa: SLF001 - who the other process is
        assert started is not None
        other = replace(this_process(), pid=process.pid, started=started, nonce="other")
        taken(store, clock, other)
        with pytest.raises(DrivenByAnother, match=rf"\(pid {process.pid}\)"):
            taken(store, clock)
        process.communicate(b"\n")
    assert taken(store, clock).term == 2


def test_a_reused_process_id_does_not_count(store: Store, clock: SteppedClock) -> None:
    """The start time distinguishes the processes."""
    taken(store, clock, replace(this_process(), started="1"))
    assert taken(store, clock).term == 2


def test_a_zombie_process_does_not_hold_a_lease(store: Store, clock: SteppedClock) -> None:
    """It has ended, and its parent has not waited for it yet."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = holder_module._started(process.pid)  # noqa: SLF001 - who the other process is
        taken(store, clock, replace(this_process(), pid=process.pid, started=started or ""))
        process.send_signal(signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended and is a zombie
        assert taken(store, clock).term == 2


@pytest.mark.parametrize("other", [{"host": "elsewhere"}, {"boot": "another"}, {"namespace": "pid:[1]"}])
def test_a_process_id_of_another_host_boot_or_namespace_proves_nothing(
    store: Store, clock: SteppedClock, other: dict[str, Any]
) -> None:
    """Such a holder may be alive, so its lease has to expire."""
    holder = replace(this_process(), pid=2**22 + 1, started="1", **other)
    taken(store, clock, holder, seconds=1e6)
    with pytest.raises(DrivenByAnother):
        taken(store, clock)


# --- waited for


def test_two_drivers_in_one_process_are_two_holders(store: Store, clock: SteppedClock) -> None:
    """Each has its own nonce; the second waits until the first has ended."""
    first = taken(store, clock)
    with pytest.raises(DrivenByAnother):
        taken(store, clock)
    clock.sleep(LEASE_SECONDS - 1)
    with pytest.raises(DrivenByAnother):
        taken(store, clock)
    clock.sleep(1.0)
    second = taken(store, clock)
    assert second.term == first.term + 1
    assert second.fence != first.fence


@pytest.mark.parametrize("hours", [-1, 1])
def test_on_one_boot_a_lease_expires_by_the_steady_clock(
    store: Store, clock: SteppedClock, hours: int
) -> None:
    """Changing the wall clock by an hour neither shortens nor extends it."""
    taken(store, clock)
    clock.wall += timedelta(hours=hours)
    with pytest.raises(DrivenByAnother):
        taken(store, clock)
    clock.seconds += LEASE_SECONDS
    assert taken(store, clock).term == 2


def test_a_holder_elsewhere_is_replaced_by_the_databases_clock(store: Store, clock: SteppedClock) -> None:
    """Its steady clock means nothing here; on Postgres the local wall clock does not count either."""
    postgres = store.engine.dialect.name == "postgresql"
    taken(store, clock, elsewhere(), seconds=0.0 if postgres else LEASE_SECONDS)
    if not postgres:
        with pytest.raises(DrivenByAnother):
            taken(store, clock)
        clock.sleep(LEASE_SECONDS)
    assert taken(store, clock).term == 2


@pytest.mark.postgres
def test_a_wrong_local_wall_clock_ends_no_lease_on_postgres(postgres_url: str, clock: SteppedClock) -> None:
    """It is years ahead, and the holder is still alive by the server's clock."""
    store = Store.open(postgres_url)
    store.create(deployment(), [step()], "")
    taken(store, clock, elsewhere())
    clock.wall += timedelta(days=9999)
    with pytest.raises(DrivenByAnother):
        taken(store, clock)
    summary = store.summaries()[0]
    assert driven(store, summary.holder, summary.lease_expires_at, clock)
    store.close()


def test_the_holder_is_named_with_host_process_and_since_when(store: Store, clock: SteppedClock) -> None:
    """The message says what to do."""
    taken(store, clock, replace(this_process(), host="build-7", pid=4711))
    with pytest.raises(
        DrivenByAnother, match=r"locked by build-7 \(pid 4711\) since 20.* UTC: wait for it, or"
    ):
        taken(store, clock)
    assert "since" not in lease.sentence("d1", {"pid": 1, "host": "h"}, None)


def test_a_lease_of_an_unknown_deployment_is_refused(store: Store, clock: SteppedClock) -> None:
    """There is no such deployment."""
    with pytest.raises(NoSuchDeployment):
        take(store, "nope", this_process(), LEASE_SECONDS, clock)


# --- renewed, released, lost


def test_a_renewal_extends_the_lease_from_before_it_was_sent(store: Store, clock: SteppedClock) -> None:
    """The new end counts for every process; the term stays."""
    held = taken(store, clock)
    assert held.trusted_until == 1000.0 + LEASE_SECONDS
    assert held.renewal_due == pytest.approx(1020.0)
    clock.sleep(50.0)
    renewed = renew(store, held, clock)
    assert (renewed.term, renewed.taken_at, renewed.trusted_until) == (
        held.term,
        1000.0,
        1050.0 + LEASE_SECONDS,
    )
    clock.sleep(LEASE_SECONDS - 1)
    with pytest.raises(DrivenByAnother):
        taken(store, clock)


def test_an_expired_lease_that_was_not_taken_over_may_be_renewed(store: Store, clock: SteppedClock) -> None:
    """No other process acquired it in between."""
    held = taken(store, clock)
    clock.sleep(10 * LEASE_SECONDS)
    assert renew(store, held, clock).term == held.term


def test_a_lost_lease_cannot_be_renewed_and_its_release_leaves_the_new_one(
    store: Store, clock: SteppedClock
) -> None:
    """The new holder keeps it."""
    old = taken(store, clock)
    clock.sleep(LEASE_SECONDS)
    new = taken(store, clock)
    with pytest.raises(LeaseLost):
        renew(store, old, clock)
    release(store, old)
    assert store.goal("d1", new.fence)
    release(store, new)
    release(store, new)
    summary = store.summaries()[0]
    assert (summary.holder, summary.lease_expires_at, summary.lease_since) == (None, None, None)
    assert taken(store, clock).term == new.term + 1


def test_a_summary_names_the_current_holder(store: Store, clock: SteppedClock) -> None:
    """It names nobody if there is none, or if the holder is gone or its lease has expired."""
    assert not driven(store, None, None, clock)
    taken(store, clock)
    row = store.summaries()[0]
    assert driven(store, row.holder, row.lease_expires_at, clock)
    clock.sleep(LEASE_SECONDS)
    assert not driven(store, row.holder, row.lease_expires_at, clock)
    gone = asdict(replace(this_process(), pid=2**22 + 1, steady_end=1e12))
    assert not driven(store, gone, row.lease_expires_at, clock)


def test_a_system_without_a_boot_id_relies_on_time(
    store: Store, clock: SteppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without /proc no process is known to be gone, so nothing is replaced at once."""
    monkeypatch.setattr(holder_module, "_boot", lambda: "")
    monkeypatch.setattr(holder_module, "_namespace", lambda: "")
    taken(store, clock, replace(this_process(), pid=2**22 + 1), seconds=1e6)
    with pytest.raises(DrivenByAnother):
        taken(store, clock)


# --- a process that cannot be seen


HIDDEN = """
import json, os, sys
from tests.support.rows import SteppedClock
from tier1_engine.store import holder
os.setgroups([]); os.setgid(65534); os.setuid(65534)
asked = json.loads(sys.argv[1])
clock = SteppedClock()
print(json.dumps([holder._text(f"/proc/{one['pid']}/stat") == "" for one in asked]))
print(json.dumps([holder.is_alive(one, clock.now(), clock.now(), clock) for one in asked]))
"""


@pytest.mark.field_case("a trial: a living process was replaced where `/proc` hides those of other users")
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="only root can hide processes")
@pytest.mark.parametrize("option", ["hidepid=1", "hidepid=2"])
def test_the_hidden_process_of_another_user_is_not_taken_for_gone(option: str) -> None:
    """Not with `hidepid`, nor with systemd's `ProtectProc`: only ESRCH proves that a process has ended."""
    mine = asdict(replace(this_process(), steady_end=1e12))
    gone = {**mine, "pid": 2**22 + 1}
    shell = f'mount -t proc -o {option} proc /proc && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", shell, "sh", sys.executable, "-c", HIDDEN]
    done = subprocess.run(
        [*command, json.dumps([mine, gone])],
        cwd=Path(lease.__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [[True, True], [True, False]]


@pytest.mark.parametrize(
    ("error", "alive"),
    [(ProcessLookupError, False), (PermissionError, True), (None, True)],
)
def test_without_its_entry_only_esrch_proves_that_a_process_has_ended(
    monkeypatch: pytest.MonkeyPatch, error: type[OSError] | None, alive: bool
) -> None:
    """A read of `/proc` may fail for many reasons (no file descriptor left, too): none is proof."""

    def kill(*_: object) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(holder_module, "_text", lambda _: "")
    monkeypatch.setattr(os, "kill", kill)
    assert holder_module._has_ended(1, "5") is not alive  # noqa: SLF001


def test_a_holder_that_could_not_read_its_own_start_is_not_taken_for_gone(
    store: Store, clock: SteppedClock
) -> None:
    """It recorded none, so another start time proves nothing: it is waited for."""
    taken(store, clock, replace(this_process(), started=""))
    with pytest.raises(DrivenByAnother):
        taken(store, clock)


def test_unreadable_facts_of_the_system_are_empty() -> None:
    """Reading about a process that is gone raises nothing."""
    assert holder_module._started(2**22 + 1) is None  # noqa: SLF001
    assert holder_module._text("/nonexistent/file") == ""  # noqa: SLF001
