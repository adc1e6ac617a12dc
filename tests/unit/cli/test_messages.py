"""The messages of the command line: results, progress and refusals."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.rows import AT, deployment, failure, resource, step
from tier1_engine import resources
from tier1_engine.cli.commands import fault
from tier1_engine.cli.options import Lost, Pace
from tier1_engine.cli.screen import closing, messages
from tier1_engine.cli.screen.streams import clean
from tier1_engine.compose import gone, refusals
from tier1_engine.contract.kind import Problem
from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.record import (
    Attempt,
    AttemptAdd,
    Change,
    Move,
    Note,
    Record,
    ResourceSet,
    StepSet,
)
from tier1_engine.deployment.states import (
    Action,
    FailureClass,
    Goal,
    Outcome,
    ResourceState,
    State,
    StepState,
    Trigger,
)
from tier1_engine.engine.decide.decision import EndReason
from tier1_engine.engine.engine import Ended
from tier1_engine.errors import Blocked, CallError, Refused
from tier1_engine.sandbox.faults.board import ActiveFault
from tier1_engine.sandbox.faults.faults import Cut, Fault
from tier1_engine.sandbox.world import Speed
from tier1_engine.views.prices import Prices

ERROR = Error("NotReady", "It is shut.", failure_class=FailureClass.RECOVERABLE)
FAILURE = failure(code=ERROR.code, message=ERROR.message, failure_class=FailureClass.RECOVERABLE)
FAILED_STEP = step(state=StepState.FAILED, finished_at=AT, error=ERROR)


PRICES = Prices(resources.discover())


def ended(why: EndReason = EndReason.SETTLED, *resources: Any, steps: Any = (), **values: Any) -> Ended:
    rows = {row.id: row for row in resources}
    return Ended(Record(deployment(**values), {s.name: s for s in steps or [step()]}, rows, {}), why)


def text(end: Ended, **more: Any) -> str:
    return "\n".join(line.text for line in closing.closing(end, PRICES, **more))


class TestTheClosing:
    def test_of_an_active_deployment_lists_what_it_offers(self) -> None:
        """It has outputs, warnings, and the command to destroy it."""
        outputs = {"ip": "192.0.2.1", "public_ip": None}
        said = text(ended(state=State.ACTIVE, outputs=outputs, warnings=("slow",)))
        assert "  ip         192.0.2.1\n  public_ip  -\n" in said
        assert said.index("warning: slow") < said.index("tier1 destroy d1")

    def test_of_a_failed_deployment_lists_what_remains_and_every_option(self) -> None:
        """An option that would be refused is not listed."""
        left = resource(aws_id="net-1", state=ResourceState.PRESENT)
        failed: dict[str, Any] = {"state": State.FAILED, "failure": FAILURE}
        said = text(ended(EndReason.SETTLED, left, steps=[FAILED_STEP], **failed))
        for words in ("NotReady: It is shut.", "net net-1", "--retry", "--continue", "tier1 rollback d1"):
            assert words in said
        error = replace(ERROR, failure_class=FailureClass.CRITICAL)
        critical = step(state=StepState.FAILED, finished_at=AT, error=error)
        assert "--continue" not in text(ended(steps=[critical], **failed))

    def test_of_a_blocked_deployment_says_to_sign_in_first(self) -> None:
        """This covers provisioning and rollback."""
        failure = replace(FAILURE, failure_class=FailureClass.BLOCKED)
        blocked: dict[str, Any] = {"state": State.FAILED, "failure": failure}
        assert "sign in or restore the connection, then resume: tier1 resume d1" in text(ended(**blocked))
        back = ended(EndReason.BLOCKED, state=State.ROLLING_BACK, goal=Goal.ROLLED_BACK)
        assert "tier1 resume d1" in text(back)
        known = replace(back, blocked=Problem("MfaCodeNeeded", "the profile ops asks for an MFA code"))
        assert "blocked: MfaCodeNeeded: the profile ops asks for an MFA code" in text(known)

    @pytest.mark.field_case('a replaced script: "Cleanup completed" was printed after a failed rollback')
    def test_of_a_stalled_deletion_says_what_could_not_be_deleted_and_why(self) -> None:
        """It does not claim that everything is deleted."""
        stuck = resource(aws_id="net-1", state=ResourceState.DELETING, error=Error("InUse", "By x."))
        said = text(ended(EndReason.SETTLED, stuck, state=State.FAILED, goal=Goal.DESTROYED, failure=FAILURE))
        assert "net net-1: InUse: By x." in said
        assert "tier1 resume d1" in said
        assert "no resources remain" not in said

    def test_of_a_deleted_deployment_lists_retained_resources(self) -> None:
        """Otherwise it says that all is deleted."""
        rolled: dict[str, Any] = {"state": State.ROLLED_BACK, "goal": Goal.ROLLED_BACK, "failure": FAILURE}
        assert "no resources remain" in text(ended(**rolled))
        kept = resource(aws_id="net-1", state=ResourceState.RETAINED)
        said = text(ended(EndReason.SETTLED, kept, **rolled))
        assert "no resources remain" not in said
        assert "net net-1" in said

    def test_of_a_stopped_command_says_how_to_resume_and_of_a_follower_what_runs(self) -> None:
        """A follower does not suggest a resume that would be refused."""
        assert "tier1 resume d1" in text(ended(EndReason.STOPPED, state=State.LAUNCHING_EC2))
        followed = text(ended(EndReason.STOPPED, state=State.ROLLING_BACK), driven_by="desk (pid 7)")
        assert "the request is recorded, and desk (pid 7) continues" in followed
        assert "resume" not in followed


def test_a_deletion_is_announced_with_what_is_deleted_and_what_stays() -> None:
    """The announcement comes before the confirmation."""
    rows = [resource("r1", "net", aws_id="net-1"), resource("r2", "door", aws_id="door-1")]
    record = ended(EndReason.SETTLED, *rows, state=State.ACTIVE).record
    said = [line.text for line in closing.deletions(record, ["net"], Goal.DESTROYED)]
    assert said[1:] == [
        "To be deleted (1):",
        "  door door-1",
        "To be retained (1), with everything they need:",
        "  net net-1",
    ]


REFUSED = Attempt(
    id="a1",
    deployment_id="d1",
    step="net",
    action=Action.DESCRIBE,
    begun_at=AT,
    term=1,
    ended_at=AT,
    outcome=Outcome.REFUSED,
    operation="DescribeNets",
    code="Throttling",
    message="Slow down.",
)


def test_progress_has_transitions_steps_and_attempts_with_their_countdown() -> None:
    """Each has a line; control characters in AWS's messages do not reach the terminal."""
    changes: list[Change] = [
        Move(Trigger.START, State.PENDING, State.PROVISIONING_NETWORK, Goal.ACTIVE),
        StepSet("net", {"state": StepState.RUNNING}),
        StepSet("door", {"error": Error("NotReady", "Shut.")}),
        Note("done", "disk"),
        ResourceSet("r1", {"state": ResourceState.DELETING}),
        AttemptAdd(REFUSED),
    ]
    record = ended(EndReason.SETTLED, resource(aws_id="net-1")).record
    assert list(messages.messages_of(record, changes, {"net": 12.5}, 10.0)) == [
        "pending -> provisioning_network",
        "net: started",
        "door: not ready: NotReady: Shut.",
        "disk: done",
        "net: deleting net-1",
        "net: DescribeNets: Throttling: Slow down. (retrying in 2.5 s)",
    ]
    assert clean("red \x1b[31malert\nnext\x07") == "red  [31malert next"


def test_a_call_that_was_not_sent_because_of_a_stop_is_no_failed_attempt() -> None:
    """It is not announced for another attempt, and the stop is reported already."""
    held = replace(REFUSED, code="PermitRefused", message="a signal asked this process to stop")
    assert list(messages.messages_of(ended().record, [AttemptAdd(held)], {"net": 10.1}, 10.0)) == []


@pytest.mark.parametrize(
    ("endpoint", "command"),
    [
        ("http://127.0.0.1:5000", "tier1 sandbox start --port 5000"),
        ("http://localhost:5000", "tier1 sandbox start --port 5000"),
        ("https://127.0.0.1:5000", None),
        ("http://10.0.0.1:5000", None),
        ("http://127.0.0.1", None),
        ("http://127.0.0.1:port", None),
        ("", None),
    ],
)
def test_only_an_endpoint_on_this_host_may_be_a_missing_sandbox(endpoint: str, command: str | None) -> None:
    """The command to start it again has its port."""
    assert gone.command_to_start(endpoint) == command
    if command is None:
        assert not gone.nobody_listens(endpoint)
    error = CallError("ConnectionRefused", "No.", operation="DescribeVpcs")
    assert (command or "start it, or") in str(refusals.of_call(error, endpoint=endpoint or "http://here"))


def test_a_blocked_sandbox_deployment_is_told_to_start_it() -> None:
    """The advice appears if it could not be reached, not if a sign-in is needed."""
    texts = {}
    for code in ("ConnectionRefused", "ExpiredToken"):
        failure = replace(FAILURE, failure_class=FailureClass.BLOCKED, code=code)
        end = ended(state=State.FAILED, failure=failure, endpoint="http://127.0.0.1:5000")
        texts[code] = text(end)
    assert "start it: tier1 sandbox start --port 5000" in texts["ConnectionRefused"]
    assert "sandbox start" not in texts["ExpiredToken"]


def test_a_fault_is_described_in_a_sentence() -> None:
    """It says which calls, what happens to them, and how often."""
    faults = [
        (
            Fault("*", code="X", share=0.05, times=None),
            "every operation: refused with X, always, 5% of calls",
        ),
        (Fault("CreateVpc", cut=Cut.BEFORE, after=2), "CreateVpc: request lost, 1 more time, from call 3 on"),
        (Fault("CreateVpc", execute_late_seconds=30, times=2), "executed 30 s later, 2 more times"),
        (Fault("CreateVpc", after_execution=True), "executed, then fails with a server error"),
        (Fault("CreateVpc", delay_seconds=1.5, match={"a": "b"}), "CreateVpc with a=b: 1.5 s delay"),
        (Fault("CreateVpc"), "CreateVpc: nothing"),
    ]
    for one, words in faults:
        assert words in fault.in_words(ActiveFault(1, one).to_json())


def test_options_have_the_values_of_the_sandbox() -> None:
    """The commands list them without loading the sandbox."""
    assert {one.value for one in Pace} == {one.value for one in Speed}
    assert {one.value for one in Lost} == {one.value for one in Cut}


@pytest.mark.parametrize(
    ("code", "exit_code", "words"),
    [
        ("NoCredentials", 7, "AWS_PROFILE"),
        ("ExpiredToken", 7, "sign in again"),
        ("InvalidClientTokenId", 7, "does not accept these credentials"),
        ("ConnectionRefused", 7, "http://here cannot be reached"),
        ("UnreadableReply", 7, "does not respond like AWS"),
        ("CallTimeout", 7, "try again later"),
        ("UnauthorizedOperation", 2, "DescribeVpcs: UnauthorizedOperation"),
    ],
)
def test_a_failed_read_is_a_sentence_and_an_exit_code(code: str, exit_code: int, words: str) -> None:
    """A blocked one exits with 7, and one that AWS refuses with 2."""
    refusal = refusals.of_call(
        CallError(code, "No.\nNot now.", operation="DescribeVpcs"), endpoint="http://here"
    )
    assert refusal.exit_code == exit_code
    assert words in str(refusal)
    assert "\n" not in str(refusal)


class TestARead:
    def look(self, *codes: str) -> tuple[Any, list[float]]:
        """Run a read that meets `codes` in turn; return its result and the time waited."""
        left: list[str] = list(codes)
        waits: list[float] = []

        def once() -> str:
            if left:
                raise CallError(left.pop(0), "No.", operation="DescribeVpcs")
            return "seen"

        try:
            return refusals.looking(once, endpoint="", poll_seconds=1.0, sleep=waits.append), waits
        except (Blocked, Refused) as refusal:
            return refusal, waits

    def test_is_retried_when_aws_is_busy(self) -> None:
        """The waits grow."""
        assert self.look("Throttling", "RequestLimitExceeded") == ("seen", [2.0, 4.0])

    def test_is_given_up_after_a_bounded_number_of_attempts(self) -> None:
        """The message has the last error."""
        refusal, waits = self.look(*["Throttling"] * refusals.TRIES)
        assert "Throttling" in str(refusal)
        assert len(waits) == refusals.TRIES - 1

    @pytest.mark.parametrize(
        "code", ["ConnectionRefused", "UnreadableReply", "AccessDenied", "NoCredentials"]
    )
    def test_is_not_retried_where_that_would_not_help(self, code: str) -> None:
        """The error is reported at once."""
        refusal, waits = self.look(code)
        assert code in str(refusal) or "credentials" in str(refusal)
        assert waits == []
