"""The words of the command line: closing lines, progress, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.rows import AT, deployment, resource, step
from tier1_engine.cli import closing, progress, refusals
from tier1_engine.cli.streams import clean
from tier1_engine.decision import Why
from tier1_engine.engine import Ended
from tier1_engine.errors import Blocked, CallError, Refused
from tier1_engine.record import Attempt, AttemptAdd, Change, Move, Note, Record, ResourceSet, StepSet
from tier1_engine.states import Action, Goal, Outcome, ResourceState, State, StepState, Trigger

FAILURE = {
    "step": "net",
    "class": "recoverable",
    "code": "NotReady",
    "message": "It is shut.",
    "operation": None,
}
FAILED_STEP = step(state=StepState.FAILED, finished_at=AT, error=FAILURE)


def ended(why: Why = Why.SETTLED, *resources: Any, steps: Any = (), **values: Any) -> Ended:
    rows = {row.id: row for row in resources}
    return Ended(Record(deployment(**values), {s.name: s for s in steps or [step()]}, rows, {}), why)


def text(end: Ended, **more: Any) -> str:
    return "\n".join(line.text for line in closing.closing(end, **more))


class TestTheClosing:
    def test_of_an_active_one_tells_what_it_offers(self) -> None:
        """Outputs, warnings, and how it is taken down."""
        said = text(ended(state=State.ACTIVE, outputs={"ip": "192.0.2.1"}, warnings=("slow",)))
        assert "ip  192.0.2.1" in said
        assert said.index("warning: slow") < said.index("tier1 destroy d1")

    def test_of_a_failed_one_tells_what_is_left_and_every_way_on(self) -> None:
        """A way that would be refused is not offered."""
        left = resource(aws_id="net-1", state=ResourceState.PRESENT)
        failed: dict[str, Any] = {"state": State.FAILED, "failure": FAILURE}
        said = text(ended(Why.SETTLED, left, steps=[FAILED_STEP], **failed))
        for words in ("NotReady: It is shut.", "net net-1", "--retry", "--continue", "tier1 rollback d1"):
            assert words in said
        critical = step(state=StepState.FAILED, finished_at=AT, error={**FAILURE, "class": "critical"})
        assert "--continue" not in text(ended(steps=[critical], **failed))

    def test_of_a_blocked_one_says_to_sign_in_first(self) -> None:
        """On the way forward and on the way back."""
        blocked: dict[str, Any] = {"state": State.FAILED, "failure": {**FAILURE, "class": "blocked"}}
        assert "sign in, or reach AWS, then go on: tier1 resume d1" in text(ended(**blocked))
        back = ended(Why.BLOCKED, state=State.ROLLING_BACK, goal=Goal.ROLLED_BACK)
        assert "tier1 resume d1" in text(back)

    def test_of_a_stalled_one_says_what_would_not_delete_and_why(self) -> None:
        """It never says that all is gone."""
        stuck = resource(
            aws_id="net-1", state=ResourceState.DELETING, error={"code": "InUse", "message": "By x."}
        )
        said = text(ended(Why.SETTLED, stuck, state=State.FAILED, goal=Goal.DESTROYED, failure=FAILURE))
        assert "net net-1: InUse: By x." in said
        assert "tier1 resume d1" in said
        assert "nothing that it made is left" not in said

    def test_of_what_is_gone_says_so_but_for_what_was_kept(self) -> None:
        """Kept things are named."""
        gone: dict[str, Any] = {"state": State.ROLLED_BACK, "goal": Goal.ROLLED_BACK, "failure": FAILURE}
        assert "nothing that it made is left" in text(ended(**gone))
        kept = resource(aws_id="net-1", state=ResourceState.RETAINED)
        said = text(ended(Why.SETTLED, kept, **gone))
        assert "nothing that it made is left" not in said
        assert "net net-1" in said

    def test_of_a_stopped_one_says_how_to_go_on_and_of_a_follower_who_does(self) -> None:
        """A follower must not send the operator to a resume that is refused."""
        assert "tier1 resume d1" in text(ended(Why.STOPPED, state=State.LAUNCHING_EC2))
        followed = text(ended(Why.STOPPED, state=State.ROLLING_BACK), driven_by="process 7 on host desk")
        assert "process 7 on host desk goes on with it" in followed
        assert "resume" not in followed


def test_a_deletion_is_announced_with_what_goes_and_what_stays() -> None:
    """Before it is confirmed."""
    rows = [resource("r1", "net", aws_id="net-1"), resource("r2", "door", aws_id="door-1")]
    record = ended(Why.SETTLED, *rows, state=State.ACTIVE).record
    said = [line.text for line in closing.deletions(record, ["net"], Goal.DESTROYED)]
    assert said[1:] == [
        "Deleted (1):",
        "  door door-1",
        "Kept (1), with all that they need:",
        "  net net-1",
    ]


def test_progress_tells_moves_steps_and_tries_with_their_countdown() -> None:
    """A line for each; control characters of AWS's words do not reach the terminal."""
    refused = Attempt(
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
    changes: list[Change] = [
        Move(Trigger.START, State.PENDING, State.PROVISIONING_NETWORK, Goal.ACTIVE),
        StepSet("net", {"state": StepState.RUNNING}),
        StepSet("door", {"error": {"code": "NotReady", "message": "Shut."}}),
        Note("done", "disk"),
        ResourceSet("r1", {"state": ResourceState.DELETING}),
        AttemptAdd(refused),
    ]
    record = ended(Why.SETTLED, resource(aws_id="net-1")).record
    assert list(progress.told(record, changes, {"net": 12.5}, 10.0)) == [
        "pending -> provisioning_network",
        "net: begun",
        "door: not yet: NotReady: Shut.",
        "disk: done",
        "net: deleting net-1",
        "net: DescribeNets: Throttling: Slow down. (again in 2.5 s)",
    ]
    assert clean("red \x1b[31malert\nnext\x07") == "red  [31malert next"


@pytest.mark.parametrize(
    ("code", "exit_code", "words"),
    [
        ("NoCredentials", 7, "AWS_PROFILE"),
        ("ExpiredToken", 7, "sign in again"),
        ("InvalidClientTokenId", 7, "does not accept these credentials"),
        ("ConnectionRefused", 7, "http://here cannot be reached"),
        ("UnreadableReply", 7, "does not answer like AWS"),
        ("CallTimeout", 7, "try again later"),
        ("UnauthorizedOperation", 2, "DescribeVpcs: UnauthorizedOperation"),
    ],
)
def test_a_failed_look_is_a_sentence_and_an_exit_code(code: str, exit_code: int, words: str) -> None:
    """Blocked ones are 7; what AWS will not do is 2."""
    refusal = refusals.of_call(
        CallError(code, "No.\nNot now.", operation="DescribeVpcs"), endpoint="http://here"
    )
    assert refusal.exit_code == exit_code
    assert words in str(refusal)
    assert "\n" not in str(refusal)


class TestALook:
    def look(self, *codes: str) -> tuple[Any, list[float]]:
        """What comes of a look that runs into `codes`, one after the other, and how long was waited."""
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

    def test_is_made_again_when_aws_is_busy(self) -> None:
        """With longer and longer waits."""
        assert self.look("Throttling", "RequestLimitExceeded") == ("seen", [2.0, 4.0])

    def test_is_given_up_after_a_bounded_number(self) -> None:
        """And says what the last one ran into."""
        refusal, waits = self.look(*["Throttling"] * refusals.TRIES)
        assert "Throttling" in str(refusal)
        assert len(waits) == refusals.TRIES - 1

    @pytest.mark.parametrize(
        "code", ["ConnectionRefused", "UnreadableReply", "AccessDenied", "NoCredentials"]
    )
    def test_is_not_made_again_where_that_would_not_help(self, code: str) -> None:
        """The operator is told at once."""
        refusal, waits = self.look(code)
        assert code in str(refusal) or "credentials" in str(refusal)
        assert waits == []
