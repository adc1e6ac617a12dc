"""One read of AWS for a survey: retries throttled calls, and reports what could not be read.

Owns the difference between a read that fails and one that finds nothing: what could not be read is a gap, and
no conclusion is drawn from it. It only reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from tier1_engine.contract.cloud import AlwaysPermitted
from tier1_engine.contract.kind import Kind
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.states import Action
from tier1_engine.engine.equipment import Equipment
from tier1_engine.engine.protocol.actions import (
    Assignment,
    Census,
    Failed,
    Identified,
    Identify,
    Listed,
    Result,
)
from tier1_engine.engine.protocol.attempt import carry_out
from tier1_engine.errors import Blocked, CallError
from tier1_engine.failures.calls import Verdict, judge
from tier1_engine.failures.codes import DOUBTFUL_CREDENTIALS, UNREACHABLE_CODES, WRONG_ACCOUNT
from tier1_engine.survey.remembered import CachedReads, Remembered

ATTEMPTS = 8
"""Attempts of a read that AWS throttles or cuts off; a read may be several calls, each of which can fail."""

WRONG_ENDPOINT = "WrongEndpoint"

NONE_KNOWN: Mapping[str, Mapping[str, Any]] = {}

Job = TypeVar("Job")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Access:
    """How AWS is read.

    Attributes:
        equipment: the engine's equipment for a place.
        sleep: waits some seconds before the next attempt.
        side_by_side: the number of concurrent reads; 1 reads in the calling thread.
    """

    equipment: Callable[[Place], Equipment]
    sleep: Callable[[float], None]
    side_by_side: int = 8


@dataclass(frozen=True, slots=True)
class Gap:
    """A place, or a kind in a place, that could not be read.

    Attributes:
        kind: None if nothing in the place could be read.
        blocked: whether credentials, account or endpoint prevent all calls there.
    """

    place: Place
    kind: str | None
    code: str
    message: str
    blocked: bool = False


def identify(access: Access, place: Place) -> Gap | None:
    """Return why AWS cannot be used in a place; None if it can, and the account is the expected one."""
    try:
        result = _with_retries(access, place, Identify())
    except Blocked as why:  # another program answers at the endpoint of the local AWS
        return Gap(place, None, WRONG_ENDPOINT, str(why), blocked=True)
    match result:
        case Failed(error=error):
            return replace(gap_of(place, None, error), blocked=True)
        case Identified(account_id=account_id) if account_id != place.account_id:
            message = f"these credentials belong to account {account_id}, not of {place.account_id}"
            return Gap(place, None, WRONG_ACCOUNT, message, blocked=True)
    return None


def listed(
    access: Access,
    place: Place,
    kind: Kind,
    tags: Mapping[str, str],
    known: Mapping[str, Mapping[str, Any]] = NONE_KNOWN,
    remembered: Remembered | None = None,
) -> Listed | Failed:
    """List the objects of a kind with `tags` in a place, except those whose AWS id is known."""
    match _with_retries(access, place, Census((kind,), tags, known), remembered):
        case (Listed() | Failed()) as result:
            return result
        case other:
            raise TypeError(f"a census does not answer {type(other).__name__}")


def _with_retries(
    access: Access, place: Place, assignment: Assignment, remembered: Remembered | None = None
) -> Result:
    """Return the result of a read; one that AWS throttled or cut off is retried."""
    equipment = access.equipment(place)
    for attempt in range(1, ATTEMPTS + 1):
        cloud = equipment.cloud(AlwaysPermitted())
        answer = carry_out(assignment, cloud if remembered is None else CachedReads(cloud, remembered))
        result = answer.result
        if not isinstance(result, Failed) or attempt == ATTEMPTS or not _is_transient(result.error):
            return result
        _rest(access, equipment, attempt)
    raise AssertionError("the last attempt answers")


def patiently(access: Access, equipment: Equipment, look: Callable[[], Done]) -> Done:
    """Return the result of a read; one that AWS throttled or cut off is retried.

    Raises:
        CallError: the last attempt failed, or no further attempt would help.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return look()
        except CallError as error:
            if not _is_transient(error):
                raise
        _rest(access, equipment, attempt)
    return look()


def _rest(access: Access, equipment: Equipment, attempt: int) -> None:
    settings = equipment.settings
    access.sleep(min(settings.poll_seconds * 2.0**attempt, settings.poll_limit_seconds))


def _is_transient(error: CallError) -> bool:
    if error.code in UNREACHABLE_CODES:
        return False
    doubtful = error.code in DOUBTFUL_CREDENTIALS
    return doubtful or judge(error, Action.CENSUS, None, young=False) is Verdict.TRANSIENT


def gap_of(place: Place, kind: str | None, error: CallError) -> Gap:
    """Return the gap that a failed call leaves."""
    blocked = judge(error, Action.CENSUS, None, young=False) is Verdict.BLOCKED
    return Gap(place, kind, error.code, f"{error.operation}: {error.message}", blocked=blocked)


def in_turn(work: Callable[[Job], Done], jobs: Sequence[Job], access: Access) -> Iterator[Done]:
    """Yield the result of each job in order; runs them concurrently if `access` allows it."""
    if access.side_by_side == 1 or len(jobs) < 2:
        yield from map(work, jobs)
        return
    with ThreadPoolExecutor(access.side_by_side, thread_name_prefix="tier1-sweep") as threads:
        yield from threads.map(work, jobs)
