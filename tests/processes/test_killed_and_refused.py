"""The real command as processes on a local AWS: killed, stopped, refused and cut off.

`make crash` runs all of it (about six minutes on one core); CI runs a sample here and in tests/commands,
kills and stops included. `make crash-points` kills a deployment before and after every changing call (about
ten minutes); `tests.processes.test_every_call` does that for a rollback and a destroy.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable

import pytest

from tests.support.command import Result
from tests.support.processes.checks import (
    AT_ONCE_SECONDS,
    DELETING,
    MAX_SECONDS_TO_HEED_A_SIGNAL,
    Undisturbed,
    check_gone,
    check_whole,
    id_of,
)
from tests.support.processes.proxy import (
    Act,
    Call,
    cut_after,
    executed_then,
    failed_after,
    first,
    killed_after,
    killed_before,
    refused,
)
from tests.support.processes.rules import FIRST, Hold, at, at_number, each_first, times
from tests.support.processes.stage import EVENT_SECONDS, NAME, SHORT_LEASE, Stage, wait_until

pytestmark = [
    pytest.mark.crash,
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("TIER1_TEST_PROCESSES"), reason="`make crash` runs it"),
]

MAX_RESUMES = 60
MAX_FREEZES = 100

KILLED: dict[str, Callable[[Callable[[], object]], Act]] = {"before": killed_before, "after": killed_after}
WAYS: dict[str, Callable[[Stage], Result]] = {"resume": Stage.resume, "rollback": Stage.roll_back}
POINTS = [
    ("before", FIRST),
    ("after", "CreateVpc"),
    ("after", "CreateFileSystem"),
    ("after", "CreateMountTarget"),
    ("before", "AddRoleToInstanceProfile"),
    ("after", "RunInstances"),
]
DELETED = [("before", "TerminateInstances"), ("after", "DeleteFileSystem"), ("after", "DeleteVpc")]


# --- the stage


# --- the rules


# --- killed


def kill_and_recover(stage: Stage, moment: str, chosen: Callable[[Call], bool], way: str) -> Result:
    stage.proxy.rule = times(1, chosen, KILLED[moment](stage.kill_latest))
    assert stage.deploy().code == -signal.SIGKILL
    return WAYS[way](stage)


def check_recovered(stage: Stage, way: str, done: Result, undisturbed: Undisturbed) -> None:
    if way == "resume":
        check_whole(stage, done, undisturbed)
    else:
        assert (done.code, done.json["state"]) == (0, "rolled_back"), done.err
        check_gone(stage)


@pytest.mark.field_case(
    "hashicorp/terraform#33358, hashicorp/terraform-provider-aws#39741: an interrupted run leaks resources"
)
@pytest.mark.promise(2)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("moment", "point"), POINTS)
def test_a_killed_process_is_recovered_from_the_database(
    stage: Stage,
    undisturbed: Undisturbed,
    moment: str,
    point: str,
    way: str,
    record_property: Callable[[str, object], None],
) -> None:
    """After SIGKILL around a call, a resume completes it, a rollback leaves nothing, and nothing is created
    twice.
    """
    done = kill_and_recover(stage, moment, at(point), way)
    check_recovered(stage, way, done, undisturbed)
    record_property("points", 1)


@pytest.mark.promise(5)
@pytest.mark.parametrize("way", ["resume", "destroy", "sweep"])
@pytest.mark.parametrize(("moment", "point"), DELETED)
def test_a_destroy_whose_process_was_killed_is_completed_from_the_database(
    stage: Stage, moment: str, point: str, way: str, record_property: Callable[[str, object], None]
) -> None:
    """After SIGKILL around a deletion, a resume, a destroy or a sweep leaves nothing."""
    assert stage.deploy().code == 0
    stage.proxy.rule = times(1, at(point), KILLED[moment](stage.kill_latest))
    assert stage.destroy().code == -signal.SIGKILL
    done = ENDINGS[way](stage)
    assert done.code == 0, done.err
    assert stage.listed()["state"] == "destroyed"
    check_gone(stage)
    record_property("points", 1)


@pytest.mark.promise(7)
def test_a_rollback_whose_process_was_killed_is_completed_by_a_sweep(
    stage: Stage, record_property: Callable[[str, object], None]
) -> None:
    """The launch is refused, and the automatic rollback is killed after its first deletion."""
    refusing = refused(403, "UnauthorizedOperation")
    killing = times(1, lambda call: call.operation.startswith(DELETING), KILLED["after"](stage.kill_latest))
    stage.proxy.rule = lambda call: refusing if call.operation == "RunInstances" else killing(call)
    assert stage.deploy().code == -signal.SIGKILL
    done = swept(stage)
    assert done.code == 0, done.err
    assert stage.listed()["state"] == "rolled_back"
    check_gone(stage)
    record_property("points", 1)


def swept(stage: Stage) -> Result:
    """Complete an interrupted deletion by a sweep, which needs no minimum age for it."""
    return stage.run("sweep", "--older-than", "0s", "--interrupted", "rollback", "--orphans", "--yes")


ENDINGS: dict[str, Callable[[Stage], Result]] = {
    "resume": Stage.resume,
    "destroy": Stage.destroy,
    "sweep": swept,
}


@pytest.mark.promise(2)
@pytest.mark.skipif(
    "TIER1_TEST_ALL_POINTS" not in os.environ, reason="ten minutes; `make crash-points` runs it"
)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("moment", KILLED)
def test_a_kill_at_every_changing_call_is_recovered(
    new_stage: Callable[[], Stage],
    undisturbed: Undisturbed,
    moment: str,
    way: str,
    record_property: Callable[[str, object], None],
) -> None:
    """The recovery also works after a kill at every changing call of a deployment."""
    for number in range(1, undisturbed.calls + 1):
        stage = new_stage()
        try:
            done = kill_and_recover(stage, moment, at_number(number), way)
            check_recovered(stage, way, done, undisturbed)
        except BaseException as error:
            error.add_note(f"killed {moment} changing call {number} of {undisturbed.calls}, then {way}")
            raise
    record_property("points", undisturbed.calls)


# --- cut off and refused


@pytest.mark.parametrize("act", [cut_after, failed_after])
def test_every_first_reply_may_be_lost(stage: Stage, undisturbed: Undisturbed, act: Act) -> None:
    """Each create and each delete is executed and appears to fail: nothing is created twice, and all is
    deleted.
    """
    stage.proxy.rule = each_first(lambda call: call.making, act)
    check_whole(stage, stage.deploy(), undisturbed)
    stage.proxy.rule = each_first(lambda call: call.operation.startswith(DELETING), act)
    done = stage.destroy()
    assert (done.code, done.json["state"]) == (0, "destroyed"), done.err
    check_gone(stage)


def test_a_denied_launch_is_rolled_back(stage: Stage) -> None:
    """It exits with 3, nothing remains, and `list` shows AWS's code and the operation."""
    stage.proxy.rule = lambda call: (
        refused(403, "UnauthorizedOperation") if call.operation == "RunInstances" else None
    )
    assert stage.deploy().code == 3
    check_gone(stage)
    listed = stage.listed()
    assert (listed["state"], listed["remaining"]) == ("rolled_back", 0)
    failure = listed["failure"]
    assert (failure["step"], failure["class"]) == ("instance", "critical")
    assert (failure["code"], failure["operation"]) == ("UnauthorizedOperation", "RunInstances")


@pytest.mark.field_case(
    "hashicorp/terraform-provider-aws#43193: a lack of capacity with HTTP 500 is retried 25 times"
)
def test_without_capacity_the_next_candidate_is_requested(stage: Stage, undisturbed: Undisturbed) -> None:
    """AWS answers InsufficientInstanceCapacity with 500: the second launch requests another candidate."""
    stage.proxy.rule = times(1, at("RunInstances"), refused(500, "InsufficientInstanceCapacity"))
    check_whole(stage, stage.deploy(), undisturbed)
    launches = [call.parameters for call in stage.proxy.changing if call.operation == "RunInstances"]
    assert len(launches) == 2
    asked = [{k: v for k, v in launch.items() if k != "ClientToken"} for launch in launches]
    assert asked[0] != asked[1]


def test_throttling_is_waited_out(stage: Stage, undisturbed: Undisturbed) -> None:
    """After three RequestLimitExceeded with 503 the VPC is created, and the log has each attempt."""
    stage.proxy.rule = times(3, at("CreateVpc"), refused(503, "RequestLimitExceeded"))
    check_whole(stage, stage.deploy(), undisturbed)
    assert sum(call.operation == "CreateVpc" for call in stage.proxy.changing) == 4
    log = stage.run("log", NAME, "-o", "json").json
    assert [a["outcome"] for a in log["attempts"] if a["code"] == "RequestLimitExceeded"] == ["refused"] * 3


def test_an_expired_token_deletes_nothing(stage: Stage, undisturbed: Undisturbed) -> None:
    """It exits with 7; after sign-in, resume exits with 0."""
    expired = threading.Event()

    def rule(call: Call) -> Act | None:
        if call.operation == "AttachInternetGateway":
            expired.set()
        return refused(400, "ExpiredToken") if expired.is_set() else None

    stage.proxy.rule = rule
    assert stage.deploy().code == 7
    kept = stage.account.census() - stage.account.new
    assert kept["vpc"] == 1
    assert kept["internet gateway"] == 1
    assert not [call for call in stage.proxy.changing if call.operation.startswith(DELETING)]
    stage.proxy.rule = lambda call: None
    check_whole(stage, stage.resume(), undisturbed)


# --- stopped


def test_a_process_that_slept_past_its_lease_changes_nothing(stage: Stage, undisturbed: Undisturbed) -> None:
    """A frozen process that a resume replaced exits with 6 when it wakes, and makes no changing call."""
    stage.settings |= SHORT_LEASE
    hold = Hold.at(stage, "CreateRouteTable")
    sleeper = stage.begin_deploy()
    hold.wait()
    for _ in range(MAX_FREEZES):  # frozen inside a commit it would hold the lock on the file
        sleeper.freeze()
        if stage.writable():
            break
        sleeper.send(signal.SIGCONT)
    hold.gone.set()
    tries = [stage.resume()]
    while tries[-1].code == 6 and len(tries) < MAX_RESUMES:
        tries.append(stage.resume())
    assert tries[0].code == 6
    check_whole(stage, tries[-1], undisturbed)
    before = len(stage.proxy.changing)
    sleeper.send(signal.SIGCONT)
    assert sleeper.end().code == 6
    assert len(stage.proxy.changing) == before
    check_whole(stage, tries[-1], undisturbed)


def test_the_first_signal_ends_the_command(stage: Stage, undisturbed: Undisturbed) -> None:
    """Deploy and resume exit with 130, and a second later no changing call is started any more."""
    stop_at(stage, "CreateRouteTable", signal.SIGTERM, stage.deploy)
    stop_at(stage, "CreateMountTarget", signal.SIGHUP, stage.resume)
    stop_at(stage, "RunInstances", signal.SIGINT, stage.resume)
    check_whole(stage, stage.resume(), undisturbed)


def stop_at(stage: Stage, operation: str, number: signal.Signals, command: Callable[[], Result]) -> None:
    sent: list[float] = []

    def send() -> None:
        stage.latest.send(number)
        sent.append(time.monotonic())

    stage.proxy.rule = times(1, at(operation), first(send))
    assert command().code == 130, number
    latest = max(call.began for call in stage.proxy.changing)
    assert latest <= sent[0] + MAX_SECONDS_TO_HEED_A_SIGNAL


def test_the_second_signal_does_not_wait_for_a_call(stage: Stage, undisturbed: Undisturbed) -> None:
    """It exits with 130 at once, during a create that AWS executes afterwards; resume adopts the resource."""
    hold = Hold.at(stage, "CreateRouteTable")
    stopped = stage.begin_deploy()
    hold.wait()
    stopped.send(signal.SIGTERM)
    stopped.send(signal.SIGINT)  # a different signal: two pending signals of one kind are delivered as one
    assert stopped.end(AT_ONCE_SECONDS).code == 130
    hold.gone.set()
    check_whole(stage, stage.resume(), undisturbed)


def test_a_rollback_redirects_a_running_deployment(stage: Stage) -> None:
    """The deploy exits with 3, the rollback command with 0, and nothing remains."""
    hold = Hold.at(stage, "CreateRouteTable")
    deploying = stage.begin_deploy()
    hold.wait()
    asking = stage.begin("rollback", NAME, "--yes", "-o", "json")
    wait_until(lambda: stage.stored("SELECT goal FROM deployments") == ["rolled_back"])
    hold.gone.set()
    assert (deploying.end().code, asking.end().code) == (3, 0)
    check_gone(stage)


# --- the database is locked


def test_a_write_that_fails_is_reported(stage: Stage, undisturbed: Undisturbed) -> None:
    """The file is locked past the lease: it exits with 9, and each AWS id is recorded or on stderr."""
    stage.settings |= SHORT_LEASE
    locks: list[sqlite3.Connection] = []

    def lock() -> None:
        locks.append(
            sqlite3.connect(
                stage.database, timeout=EVENT_SECONDS, isolation_level=None, check_same_thread=False
            )
        )
        locks[0].execute("BEGIN IMMEDIATE")

    stage.proxy.rule = times(1, at("CreateVpc"), executed_then(lock))
    done = stage.deploy()
    assert done.code == 9
    made = {id_of(call, reply) for call, reply in stage.proxy.executed if call.making}
    reported = {id for id in made if id in done.err}
    assert made == reported | set(stage.stored("SELECT aws_id FROM resources WHERE aws_id IS NOT NULL"))
    assert [id for id in reported if id.startswith("vpc-")]
    locks[0].execute("ROLLBACK")
    locks[0].close()
    check_whole(stage, stage.resume(), undisturbed)
