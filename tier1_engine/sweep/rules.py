"""What a sweep may delete: a pure function of the database's rows and of what AWS showed.

Owns the rules of `docs/sweeps.md`, and nothing else. It reads no database, calls no AWS and deletes nothing;
what it marks is checked again just before each deletion (`carry_out`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, TAG_NAME, TAG_RESOURCE, Presence
from tier1_engine.deployment.overview import Known
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.record import FOR_EVER, Resource
from tier1_engine.deployment.states import ENDED, Goal, State
from tier1_engine.survey.around import TaggedResource, same_place
from tier1_engine.views.prices import Prices

DEPLOYMENT = "deployment"
"""The kind of an item that represents a whole deployment."""
NOT_THERE = frozenset({Presence.ABSENT, Presence.LEAVING, Presence.GONE})


class Act(StrEnum):
    """What a sweep does with the deployment of an item."""

    ROLL_BACK = "rollback"
    DESTROY = "destroy"
    FINISH = "finish"  # continue a rollback or teardown that was started
    RESUME = "resume"  # continue to `active`
    CLEAR = "clear"  # delete only its orphans and duplicates
    FOREIGN = "foreign"  # delete resources of another or a lost database


DELETING = frozenset(Act) - {Act.RESUME}
TAKING_DOWN = frozenset({Act.ROLL_BACK, Act.DESTROY, Act.FINISH})


class Interrupted(StrEnum):
    """What a sweep does with an interrupted deployment."""

    RESUME = "resume"
    ROLLBACK = "rollback"
    REPORT = "report"


@dataclass(frozen=True, slots=True)
class Choice:
    """The options of an operator.

    Attributes:
        older_than_seconds: the minimum time since the last event of a failed or interrupted deployment.
        interrupted: None finishes interrupted rollbacks and teardowns, and only reports the others.
    """

    older_than_seconds: float = 86_400.0
    orphans: bool = False
    foreign: bool = False
    interrupted: Interrupted | None = None

    @property
    def reads_aws(self) -> bool:
        return self.orphans or self.foreign


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of an object, by the database or by its tags."""

    database: str
    deployment: str
    name: str


@dataclass(frozen=True, slots=True)
class Item:
    """One object (or one deployment as a whole) that a sweep marked, or only reports.

    Attributes:
        id: the id of its row, or the AWS id of an object without one.
        state, goal, last_event: of its deployment when marked; if they change, it is left alone.
        tags: of a foreign object when marked; if they change, it is left alone.
        age_seconds: since the last event of a deployment, or the creation of an object.
        cost: estimated US dollars a month, by list prices; None if unknown.
        order: the position in which its deletion starts; 0 if it is only reported.
    """

    act: Act | None
    id: str
    kind: str
    name: str
    aws_id: str | None
    place: Place
    owner: Owner
    age_seconds: float | None
    reason: str
    state: State | None = None
    goal: Goal | None = None
    last_event: int | None = None
    tags: Mapping[str, str] | None = None
    cost: float | None = None
    order: int = 0

    @property
    def counts(self) -> bool:
        """Whether it counts as a deletion for `--max-deletions`."""
        return self.act in DELETING and self.kind != DEPLOYMENT


@dataclass(frozen=True, slots=True)
class Marking:
    """The items that a sweep would act on, in order, and those that it only reports."""

    items: tuple[Item, ...]
    reported: tuple[Item, ...]


def mark(
    known: Iterable[Known],
    seen: Iterable[TaggedResource],
    choice: Choice,
    now: datetime,
    database_id: str,
    prices: Prices,
) -> Marking:
    """Mark what to sweep, by the rules of `docs/sweeps.md`.

    Args:
        seen: everything that names a deployment in its tags, of every place that was listed.
    """
    by_id = {one.deployment.id: one for one in known}
    found: list[Item] = []
    acts: dict[str, Act] = {}
    for one in by_id.values():
        items = list(_of_deployment(one, choice, now, database_id))
        found += items
        if items and items[0].act is not None:
            acts[one.deployment.id] = items[0].act
    held = {(one.place.endpoint, one.place.account_id, *pair) for one in by_id.values() for pair in one.holds}
    for thing in _each_once(seen, by_id):
        place = thing.place
        mine = (place.endpoint, place.account_id, thing.kind, thing.observation.aws_id) in held
        if not mine and thing.observation.presence not in NOT_THERE:
            found += _of_observation(thing, by_id, acts, choice, now, database_id)
    return _ordered(_priced(found, by_id, prices), by_id)


def _priced(found: Iterable[Item], by_id: Mapping[str, Known], prices: Prices) -> list[Item]:
    rows = {row.id: row for one in by_id.values() for row in one.remaining}
    return [replace(item, cost=prices.monthly(item.kind, rows.get(item.id))) for item in found]


def _ordered(found: Sequence[Item], by_id: Mapping[str, Known]) -> Marking:
    """Order by deployment, the longest unchanged first; within one, in reverse order of creation."""

    def rank(item: Item) -> tuple[datetime, str, int, str]:
        one = by_id.get(item.owner.deployment)
        at = one.last_event_at if one else FOR_EVER
        position = one.positions.get(item.kind, 0) if one else 0
        return (at, item.owner.deployment, -position, "")

    marked = sorted((item for item in found if item.act is not None), key=rank)
    numbered = tuple(replace(item, order=number) for number, item in enumerate(marked, start=1))
    return Marking(numbered, tuple(sorted((i for i in found if i.act is None), key=rank)))


# --- deployments


def due(one: Known, choice: Choice, now: datetime) -> tuple[Act | None, str] | None:
    """Return what to do with a deployment, and why; None if a sweep ignores it.

    Without an act it is only reported. Protection and drivers are not checked here.
    """
    deployment = one.deployment
    state, goal = deployment.state, deployment.goal
    if state in ENDED:
        begun = "it ended, but some of its resources found later still exist"
        return (Act.CLEAR, begun) if one.remaining and choice.orphans else None
    expired = deployment.expires_at is not None and deployment.expires_at <= now
    old = now - one.last_event_at >= timedelta(seconds=choice.older_than_seconds)
    if state is State.FAILED and goal is Goal.ACTIVE and not one.remaining:
        return None
    if goal is not Goal.ACTIVE:
        if deployment.swept_by is not None or expired:
            return Act.FINISH, "a sweep began to delete it" if deployment.swept_by else "it has expired"
        if not old:
            return None
        if state is State.FAILED:
            return Act.FINISH, "retries what could not be deleted last time"
        act = None if choice.interrupted is Interrupted.REPORT else Act.FINISH
        return act, f"it was interrupted while {state}"
    down = Act.DESTROY if deployment.activated_at is not None else Act.ROLL_BACK
    if expired:
        return down, f"it expired at {deployment.expires_at:%Y-%m-%dT%H:%M:%SZ}"
    if state is State.ACTIVE or not old:
        return None
    if state is State.FAILED:
        return down, "it failed, and its resources remain"
    acts = {Interrupted.RESUME: Act.RESUME, Interrupted.ROLLBACK: down}
    return acts.get(choice.interrupted or Interrupted.REPORT), f"it was interrupted while {state}"


def spared(one: Known, now: datetime) -> str | None:
    """Return why a deployment must be left alone in any case; None if nothing protects it."""
    if one.deployment.protected(now):
        until = one.deployment.keep_until
        if until is None or until <= now:
            return "protected by its spec (policy.keep)"
        return "it is protected" if until == FOR_EVER else f"it is protected until {until:%Y-%m-%dT%H:%M:%SZ}"
    return f"it is locked by {one.driver}" if one.driver else None


def _of_deployment(one: Known, choice: Choice, now: datetime, database_id: str) -> Iterator[Item]:
    verdict, why = due(one, choice, now), spared(one, now)
    act = verdict[0] if verdict and why is None else None
    if verdict is not None:
        reason = verdict[1] if why is None else f"{verdict[1]}, but {why}"
        whole = act in (None, Act.RESUME) or not one.remaining
        for resource in (None,) if whole else one.remaining:
            yield _item(one, resource, act, reason, now, database_id)
    if choice.orphans and why is None and act in (None, Act.RESUME):
        # Duplicates that an earlier sweep recorded but could not delete: nothing else would retry them.
        for duplicate in (resource for resource in one.remaining if resource.is_duplicate):
            yield _item(one, duplicate, Act.CLEAR, _untracked_of(one), now, database_id)


def _untracked_of(one: Known) -> str:
    what = "an orphan" if one.deployment.state in ENDED else "a duplicate"
    return f"{what} of {one.deployment.name}, which is {one.deployment.state}"


def _item(
    one: Known, resource: Resource | None, act: Act | None, reason: str, now: datetime, database_id: str
) -> Item:
    deployment = one.deployment
    since = one.last_event_at if resource is None else resource.made_at or resource.created_at
    return Item(
        act=act,
        id=resource.id if resource else deployment.id,
        kind=resource.kind if resource else DEPLOYMENT,
        name=resource.name if resource else deployment.name,
        aws_id=resource.aws_id if resource else None,
        place=one.place,
        owner=Owner(database_id, deployment.id, deployment.name),
        age_seconds=(now - since).total_seconds(),
        reason=reason,
        state=deployment.state,
        goal=deployment.goal,
        last_event=one.last_event,
    )


# --- what AWS shows


def _each_once(seen: Iterable[TaggedResource], by_id: Mapping[str, Known]) -> Iterator[TaggedResource]:
    """Yield each object once: IAM shows it in every region, and the region of its deployment counts."""
    best: dict[tuple[str, str, str, str], TaggedResource] = {}
    for thing in seen:
        place = thing.place
        key = (place.endpoint, place.account_id, thing.kind, thing.observation.aws_id)
        one = by_id.get(thing.observation.tags.get(TAG_DEPLOYMENT, ""))
        if key not in best or (one is not None and one.place.region == place.region):
            best[key] = thing
    yield from best.values()


def _of_observation(
    thing: TaggedResource,
    by_id: Mapping[str, Known],
    acts: Mapping[str, Act],
    choice: Choice,
    now: datetime,
    database_id: str,
) -> Iterator[Item]:
    tags = thing.observation.tags
    one = by_id.get(tags.get(TAG_DEPLOYMENT, ""))
    if one is None or tags.get(TAG_DATABASE) != database_id:
        whose = "an unknown deployment" if tags.get(TAG_DATABASE) == database_id else "another database"
        act = Act.FOREIGN if choice.foreign else None
        yield _of_thing(thing, one, act, f"it belongs to {whose}", now, foreign=True)
        return
    if _expected(one, thing):
        return
    reason = _untracked_of(one)
    if (why := unproved(one, thing) or spared(one, now)) is not None:
        yield _of_thing(thing, one, None, f"{reason}, but {why}", now)
    elif choice.orphans:
        taken = acts.get(one.deployment.id)
        act = taken if taken in TAKING_DOWN else Act.CLEAR
        yield _of_thing(thing, one, act, reason, now)


def _expected(one: Known, thing: TaggedResource) -> bool:
    """Whether a create without a reply may have created it: a resume will adopt it."""
    tag = thing.observation.tags.get(TAG_RESOURCE)
    return any(kind == thing.kind and tag in (None, expected) for kind, expected in one.expects)


def unproved(one: Known, thing: TaggedResource) -> str | None:
    """Return why an object with the tags of a deployment is not proven to be its own; None if it is."""
    lives = one.place
    if not same_place(thing.place, lives):
        return f"the deployment is in {lives.region} of account {lives.account_id}"
    if not thing.proved:
        return "no create on record proves that it is its own: its tags may be copies"
    return None


def _of_thing(
    thing: TaggedResource,
    one: Known | None,
    act: Act | None,
    reason: str,
    now: datetime,
    *,
    foreign: bool = False,
) -> Item:
    tags, known = thing.observation.tags, None if foreign else one
    return Item(
        act=act,
        id=thing.observation.aws_id,
        kind=thing.kind,
        name=tags.get("Name", ""),
        aws_id=thing.observation.aws_id,
        place=thing.place,
        owner=Owner(tags.get(TAG_DATABASE, ""), tags.get(TAG_DEPLOYMENT, ""), tags.get(TAG_NAME, "")),
        age_seconds=_age(thing.observation.made_at, now),
        reason=reason,
        state=known.deployment.state if known else None,
        goal=known.deployment.goal if known else None,
        last_event=known.last_event if known else None,
        tags=dict(tags) if foreign else None,
    )


def _age(made_at: str | None, now: datetime) -> float | None:
    try:
        made = datetime.fromisoformat(made_at or "")
    except ValueError:
        return None
    return (now - made).total_seconds() if made.tzinfo else None
