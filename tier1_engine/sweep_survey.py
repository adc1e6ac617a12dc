"""What AWS shows that claims to be of some deployment, in every place that a deployment used.

Owns which places are looked at and how a look that fails is told apart from one that finds nothing:
what could not be looked at is a gap, and nothing follows from it. It only reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, TypeVar

from tier1_engine.driver import Parts
from tier1_engine.errors import CallError, Tier1Error
from tier1_engine.failures import UNREACHABLE_CODES, Verdict, judge
from tier1_engine.intent import Assignment
from tier1_engine.kinds import (
    TAG_DATABASE,
    TAG_DEPLOYMENT,
    TAG_NAME,
    TAG_RESOURCE,
    Cloud,
    Kind,
    Sight,
    Target,
)
from tier1_engine.pace import CENSUS, IDENTITY, Do, Task
from tier1_engine.permits import AlwaysPermitted
from tier1_engine.runner import Answer, perform
from tier1_engine.states import Action
from tier1_engine.sweep_plan import Gap
from tier1_engine.sweep_rules import Known, Place, Seen

TRIES = 8
"""Of a look that AWS throttled or cut; a look may be several calls, each of which can be throttled."""
ANY = "*"
WRONG_ACCOUNT = "WrongAccount"
CLAIMS = {TAG_DEPLOYMENT: ANY}
"""What everything of any deployment of any database carries."""

NONE_KNOWN: Mapping[str, Mapping[str, Any]] = {}

Job = TypeVar("Job")
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Looks:
    """How AWS is looked at.

    Attributes:
        parts: the engine's parts for a place.
        sleep: waits some seconds before another try.
        side_by_side: how many looks at once; 1: in the calling thread.
    """

    parts: Callable[[Place], Parts]
    sleep: Callable[[float], None]
    side_by_side: int = 8


@dataclass(slots=True)
class Remembered:
    """The lists that one look around a place has read: kinds that need the same one share it."""

    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    locks: dict[str, Lock] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def read(self, key: str, read: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """The list of this key, read once; one that failed is read again by who asks next."""
        with self.lock:
            own = self.locks.setdefault(key, Lock())
        with own:
            if key not in self.lists:
                self.lists[key] = read()
            return self.lists[key]


@dataclass(frozen=True, slots=True)
class OneLook:
    """A cloud for the length of one look around: it reads, and no list twice."""

    cloud: Cloud
    remembered: Remembered

    @property
    def region(self) -> str:
        return self.cloud.region

    @property
    def account_id(self) -> str:
        return self.cloud.account_id

    def read(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """As the cloud reads."""
        return self.cloud.read(service, operation, **parameters)

    def pages(
        self, service: str, operation: str, result_key: str, **parameters: Any
    ) -> Iterator[dict[str, Any]]:
        """As the cloud lists; the same list is read once."""
        key = json.dumps([service, operation, result_key, parameters], sort_keys=True, default=str)
        pages = self.cloud.pages
        yield from self.remembered.read(
            key, lambda: list(pages(service, operation, result_key, **parameters))
        )

    def change(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        """Never: a look changes nothing."""
        raise Tier1Error("A look around must not change anything.")


def places(known: Iterable[Known], regions: Sequence[str], here: Place | None) -> list[Place]:
    """Every place that a deployment used, and `regions` of each account that one used.

    Args:
        here: where the environment points; looked at only for `regions`, when there is no deployment.
    """
    used: dict[tuple[str, str, str], Place] = {}
    for one in sorted(known, key=lambda one: one.deployment.created_at, reverse=True):
        place = one.place
        used.setdefault((place.endpoint, place.account_id, place.region), place)
    accounts = {(p.endpoint, p.account_id): p for p in used.values()}
    if not accounts and here is not None:
        accounts = {(here.endpoint, here.account_id): here}
    for (endpoint, account_id), place in accounts.items():
        for region in regions:
            used.setdefault((endpoint, account_id, region), replace(place, region=region))
    return list(used.values())


def look_around(
    where: Sequence[Place], known: Sequence[Known], looks: Looks, database_id: str
) -> tuple[list[Seen], list[Gap]]:
    """Everything in these places that claims a deployment and is in no row, and what could not be seen."""
    by_id = {one.deployment.id: one for one in known}
    gaps: list[Gap] = []
    open_places: list[Place] = []
    for place, gap in zip(where, in_turn(lambda p: identify(looks, p), where, looks), strict=True):
        if gap is None:
            open_places.append(place)
        else:
            gaps.append(gap)
    jobs = [(place, kind) for place in open_places for kind in looks.parts(place).registry.kinds.values()]
    held = _held(known)
    remembered = {place: Remembered() for place in open_places}

    def one_look(job: tuple[Place, Kind]) -> tuple[list[Seen], Gap | None]:
        place, kind = job
        at = (place.endpoint, place.account_id, kind.name)
        answer = listed(looks, place, kind, CLAIMS, held.get(at, {}), remembered[place])
        if answer.error is not None:
            return [], _gap(place, kind.title, answer.error)
        return [_seen(kind, place, sight, by_id, database_id) for _, sight in answer.census], None

    seen: list[Seen] = []
    for found, gap in in_turn(one_look, jobs, looks):
        seen += found
        if gap is not None:
            gaps.append(gap)
    return seen, gaps


def identify(looks: Looks, place: Place) -> Gap | None:
    """Why AWS does not let us act in a place; None when it does, and says that the account is the one."""
    answer = _tried(looks, place, Assignment(Task(Do.IDENTIFY, IDENTITY), Action.DESCRIBE))
    if answer.error is not None:
        return replace(_gap(place, None, answer.error), blocked=True)
    if answer.account_id != place.account_id:
        message = f"these credentials are of account {answer.account_id}, not of {place.account_id}"
        return Gap(place, None, WRONG_ACCOUNT, message, blocked=True)
    return None


def listed(
    looks: Looks,
    place: Place,
    kind: Kind,
    tags: Mapping[str, str],
    known: Mapping[str, Mapping[str, Any]] = NONE_KNOWN,
    remembered: Remembered | None = None,
) -> Answer:
    """What of a kind carries `tags` in a place, without those whose AWS id is known."""
    task = Task(Do.CENSUS, CENSUS)
    census = Assignment(task, Action.CENSUS, kinds=(kind,), wanted_tags=tags, known=known)
    return _tried(looks, place, census, remembered)


def seen_of(
    looks: Looks, one: Known, kind: Kind, tags: Mapping[str, str], database_id: str
) -> list[Seen] | Gap:
    """What of a kind carries `tags` where a deployment lives, read anew."""
    answer = listed(looks, one.place, kind, tags)
    if answer.error is not None:
        return _gap(one.place, kind.title, answer.error)
    by_id = {one.deployment.id: one}
    return [_seen(kind, one.place, sight, by_id, database_id) for _, sight in answer.census]


def _tried(
    looks: Looks, place: Place, assignment: Assignment, remembered: Remembered | None = None
) -> Answer:
    """The answer of a look; one that AWS throttled or cut is tried again."""
    parts = looks.parts(place)
    for attempt in range(1, TRIES + 1):
        cloud = parts.cloud(AlwaysPermitted())
        answer = perform(assignment, cloud if remembered is None else OneLook(cloud, remembered))
        if answer.error is None or attempt == TRIES or not _worth_another_try(answer.error):
            return answer
        _rest(looks, parts, attempt)
    raise AssertionError("the last try answers")


def patiently(looks: Looks, parts: Parts, look: Callable[[], Done]) -> Done:
    """What a look answers; one that AWS throttled or cut is tried again.

    Raises:
        CallError: the last try failed, or no other would help.
    """
    for attempt in range(1, TRIES):
        try:
            return look()
        except CallError as error:
            if not _worth_another_try(error):
                raise
        _rest(looks, parts, attempt)
    return look()


def _rest(looks: Looks, parts: Parts, attempt: int) -> None:
    settings = parts.settings
    looks.sleep(min(settings.poll_seconds * 2.0**attempt, settings.poll_limit_seconds))


def _worth_another_try(error: CallError) -> bool:
    if error.code in UNREACHABLE_CODES:
        return False
    return judge(error, Action.CENSUS, None, young=False) is Verdict.TRANSIENT


def _gap(place: Place, kind: str | None, error: CallError) -> Gap:
    blocked = judge(error, Action.CENSUS, None, young=False) is Verdict.BLOCKED
    return Gap(place, kind, error.code, f"{error.operation}: {error.message}", blocked=blocked)


def _held(known: Iterable[Known]) -> dict[tuple[str, str, str], dict[str, Mapping[str, Any]]]:
    """AWS ids that are in rows, with their requests, by endpoint, account and kind."""
    held: dict[tuple[str, str, str], dict[str, Mapping[str, Any]]] = {}
    for one in known:
        for (kind, aws_id), request in one.holds.items():
            held.setdefault((one.place.endpoint, one.place.account_id, kind), {})[aws_id] = request
    return held


def _seen(kind: Kind, place: Place, sight: Sight, by_id: Mapping[str, Known], database_id: str) -> Seen:
    one = by_id.get(sight.tags.get(TAG_DEPLOYMENT, ""))
    return Seen(kind.name, place, sight, one is not None and _proves(kind, one, sight, database_id))


def _proves(kind: Kind, one: Known, sight: Sight, database_id: str) -> bool:
    """Whether the kind takes what is shown for this deployment's, whatever resource it was made for."""
    tag = sight.tags.get(TAG_RESOURCE, "")
    tags = {
        TAG_DATABASE: database_id,
        TAG_DEPLOYMENT: one.deployment.id,
        TAG_RESOURCE: tag,
        TAG_NAME: one.deployment.name,
    }
    return kind.owns(Target(one.deployment.id, tag, "", tags, {}, key="", aws_id=sight.aws_id), sight)


def in_turn(work: Callable[[Job], Done], jobs: Sequence[Job], looks: Looks) -> Iterator[Done]:
    """What each job answers, in the order of the jobs; side by side where that is allowed."""
    if looks.side_by_side == 1 or len(jobs) < 2:
        yield from map(work, jobs)
        return
    with ThreadPoolExecutor(looks.side_by_side, thread_name_prefix="tier1-sweep") as threads:
        yield from threads.map(work, jobs)
