"""Random accounts: a sweep deletes exactly what the written rules say.

The oracle reads neither rows nor tags: it knows each resource because it had it created, and implements the
rules of `docs/sweeps.md` on its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.rows import resource
from tests.support.simulation.databases import fast_store
from tests.support.simulation.estate import HOUR, Estate
from tests.support.simulation.rig import Rig
from tests.support.simulation.together import together_estate
from tests.support.simulation.world import Thing, World, refused, unknown
from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, TAG_RESOURCE
from tier1_engine.deployment.record import FOR_EVER, Deployment
from tier1_engine.deployment.states import Goal, ResourceState, State
from tier1_engine.errors import CallError
from tier1_engine.sweep.rules import Interrupted
from tier1_engine.sweep.sweep import Swept

pytestmark = pytest.mark.promise(3, 7)

LIMIT_HOURS = 24.0


class Story(Enum):
    """The history of a deployment."""

    FAILED = auto()
    STALLED = auto()  # its rollback failed
    FORWARD = auto()  # cut while provisioning
    BACK = auto()  # cut while rolling back
    ACTIVE = auto()
    DESTROYING = auto()  # cut while destroying
    ENDED = auto()


ROWS: dict[Story, tuple[State, Goal, bool]] = {
    Story.FAILED: (State.FAILED, Goal.ACTIVE, False),
    Story.STALLED: (State.FAILED, Goal.ROLLED_BACK, False),
    Story.FORWARD: (State.PROVISIONING_EFS, Goal.ACTIVE, False),
    Story.BACK: (State.ROLLING_BACK, Goal.ROLLED_BACK, False),
    Story.ACTIVE: (State.ACTIVE, Goal.ACTIVE, True),
    Story.DESTROYING: (State.DESTROYING, Goal.DESTROYED, True),
    Story.ENDED: (State.ROLLED_BACK, Goal.ROLLED_BACK, False),
}
GOING_BACK = {Story.STALLED, Story.BACK, Story.DESTROYING}


class Extra(Enum):
    """A resource besides the rows of a deployment."""

    STRAY = auto()  # owned, created late
    RETAINED = auto()  # owned, retained on request
    BROUGHT = auto()  # the user's, referenced by a row
    GUEST = auto()  # the user's, inside an owned resource
    UNTAGGED = auto()  # the user's, elsewhere
    COPY = auto()  # the user's, with all tags of tier1
    HALF_TAGGED = auto()  # the user's, with some tags of tier1
    OTHER_DATABASE = auto()  # under the id of an own deployment
    UNKNOWN = auto()  # of an unknown deployment
    ELSEWHERE = auto()  # with tags of tier1, in another region


class Protection(Enum):
    """How an operator protected it."""

    NONE = auto()
    KEPT = auto()
    KEPT_FOR_NOW = auto()
    WAS_KEPT = auto()
    BY_SPEC = auto()


PROTECTING = {Protection.KEPT, Protection.KEPT_FOR_NOW, Protection.BY_SPEC}
OWNED = ("net", "door-1", "door-2", "disk", "machine")


@dataclass(frozen=True)
class Case:
    """One random deployment."""

    story: Story
    hours: float
    owned: tuple[str, ...]
    extras: tuple[Extra, ...]
    protection: Protection
    expires_in_hours: float | None
    driven: bool
    begun_by_a_sweep: bool
    moved: bool


@dataclass(frozen=True)
class SweepRequest:
    """One random sweep."""

    orphans: bool
    interrupted: Interrupted | None


CASES = st.builds(
    Case,
    story=st.sampled_from(Story),
    hours=st.sampled_from([0.5, 30.0, 100.0]),
    owned=st.sets(st.sampled_from(OWNED)).map(lambda names: tuple(n for n in OWNED if n in names)),
    extras=st.lists(st.sampled_from(Extra), max_size=3).map(tuple),
    protection=st.sampled_from([Protection.NONE, Protection.NONE, *Protection]),
    expires_in_hours=st.sampled_from([None, None, -1.0, 5.0]),
    driven=st.sampled_from([False, False, False, True]),
    begun_by_a_sweep=st.sampled_from([False, False, True]),
    moved=st.booleans(),
)
WISHES = st.builds(SweepRequest, orphans=st.booleans(), interrupted=st.sampled_from([None, *Interrupted]))


@dataclass
class OracleFacts:
    """What the oracle recorded when a deployment was created."""

    case: Case
    owned: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    guests: list[str] = field(default_factory=list)


# --- making it so


def made(estate: Estate, case: Case) -> OracleFacts:
    """Create one deployment with all that belongs to it and all that does not."""
    state, goal, once_active = ROWS[case.story]
    now = estate.clock.now()
    values: dict[str, Any] = {"spec": {"policy": {"keep": case.protection is Protection.BY_SPEC}}}
    if case.expires_in_hours is not None:
        values["expires_at"] = now + case.expires_in_hours * HOUR
    if case.begun_by_a_sweep and case.story in GOING_BACK:
        values["swept_by"] = "an earlier one"
    values["keep_until"] = {
        Protection.KEPT: FOR_EVER,
        Protection.KEPT_FOR_NOW: now + HOUR,
        Protection.WAS_KEPT: now - HOUR,
    }.get(case.protection)
    owned = () if case.story is Story.ENDED else case.owned
    whole = estate.plant(state, goal, age_hours=case.hours, owned=owned, once_active=once_active, **values)
    facts = OracleFacts(case, owned=[thing.id for thing in estate.things_of(whole)])
    if case.moved and facts.owned:
        # The user moved it into another network, which does not change its owner.
        users = estate.thing("net")
        thing = estate.world().things[facts.owned[-1]]
        thing.needs = (*thing.needs, users.id)
    for extra in case.extras:
        add(estate, whole, facts, extra)
    if case.driven:
        estate.drive_elsewhere(whole)
    return facts


def add(estate: Estate, whole: Deployment, facts: OracleFacts, extra: Extra) -> None:
    ours = estate.tags(whole, estate.rig.ids(), "disk")
    key = f"{ours[TAG_RESOURCE]}-1-0"
    if extra is Extra.STRAY:
        facts.strays.append(estate.stray(whole).id)
    elif extra is Extra.RETAINED:
        retained(estate, whole, facts.case.story)
    elif extra is Extra.BROUGHT:
        brought(estate, whole)
    elif extra is Extra.GUEST and facts.owned:
        facts.guests.append(estate.thing("machine", inside=(facts.owned[0],)).id)
    elif extra in FALSE:
        tags, its_key, region = FALSE[extra](ours, key)
        estate.thing("disk", tags, its_key, region)
    else:
        estate.thing("disk")


Tags = dict[str, str]
FALSE: dict[Extra, Callable[[Tags, str], tuple[Tags, str, str]]] = {
    Extra.COPY: lambda ours, key: (ours, "made-by-hand", "us-east-1"),
    Extra.HALF_TAGGED: lambda ours, key: (
        {tag: value for tag, value in ours.items() if tag != TAG_RESOURCE},
        key,
        "us-east-1",
    ),
    Extra.OTHER_DATABASE: lambda ours, key: ({**ours, TAG_DATABASE: "another"}, key, "us-east-1"),
    Extra.UNKNOWN: lambda ours, key: ({**ours, TAG_DEPLOYMENT: "nobody"}, key, "us-east-1"),
    Extra.ELSEWHERE: lambda ours, key: (ours, key, "eu-west-1"),
}
"""Resources that only resemble owned ones: tags, key and region."""


def retained(estate: Estate, whole: Deployment, story: Story) -> None:
    rows = estate.rig.store.load(whole.id).resources.values()
    if story is Story.ENDED and not any(row.name == "disk" for row in rows):
        estate.own(whole, "disk", ResourceState.RETAINED)


def brought(estate: Estate, whole: Deployment) -> Thing:
    users = estate.thing("net")
    name = f"alive~{users.id}"
    row = resource(estate.rig.ids(), name, whole.id, kind="net", state=ResourceState.PRESENT, owned=False)
    estate.row(replace(row, aws_id=users.id))
    return users


# --- the written rules, as the oracle implements them


def taken_down(case: Case, sweep_request: SweepRequest, owned: list[str]) -> bool:
    """Whether a sweep takes the deployment down."""
    if case.protection in PROTECTING or case.driven or case.story is Story.ENDED:
        return False
    if case.story is Story.FAILED and not owned:
        return False
    expired = case.expires_in_hours is not None and case.expires_in_hours < 0
    old = case.hours >= LIMIT_HOURS
    if expired or (case.begun_by_a_sweep and case.story in GOING_BACK):
        return True
    if not old or case.story is Story.ACTIVE:
        return False
    if case.story is Story.FORWARD:
        return sweep_request.interrupted is Interrupted.ROLLBACK
    if case.story in (Story.BACK, Story.DESTROYING):
        return sweep_request.interrupted is not Interrupted.REPORT
    return True


def to_go(facts: OracleFacts, sweep_request: SweepRequest) -> set[str]:
    """The ids that the rules require to be deleted; no other may be."""
    case = facts.case
    if taken_down(case, sweep_request, facts.owned):
        # The user's own resource inside it stops all of it.
        return set() if facts.guests else {*facts.owned, *facts.strays}
    free = case.protection not in PROTECTING and not case.driven
    # A resumed deployment looks for what its lost creates made before it is active.
    looks = sweep_request.orphans or resumed(case, sweep_request)
    return set(facts.strays) if looks and free else set()


def resumed(case: Case, sweep_request: SweepRequest) -> bool:
    """Whether a sweep resumes it, which may create resources."""
    return (
        case.story is Story.FORWARD
        and sweep_request.interrupted is Interrupted.RESUME
        and case.hours >= LIMIT_HOURS
    )


def plain_estate(name: str, source: Path) -> Estate:
    estate = Estate(Rig(fast_store(name, source)))
    estate.world("us-east-1"), estate.world("eu-west-1")
    return estate


def holds(estate: Estate, cases: list[Case], sweep_request: SweepRequest) -> None:
    """Assert that a sweep deletes what the oracle says, and that a second one deletes nothing."""
    facts = [made(estate, case) for case in cases]
    before = {thing.id: dict(thing.tags) for world in estate.worlds.values() for thing in world.living()}
    swept = estate.sweep(
        regions=("eu-west-1",),
        orphans=sweep_request.orphans,
        interrupted=sweep_request.interrupted,
        older_than_seconds=LIMIT_HOURS * 3600,
    )
    gone = set(before) - estate.living
    expected = {id for one in facts for id in to_go(one, sweep_request)}
    assert gone == expected
    assert not [id for id in gone if TAG_DEPLOYMENT not in before[id]], "something untagged is gone"
    if not any(resumed(case, sweep_request) for case in cases):
        assert estate.living <= set(before), "a sweep made something"
    stopped = [one for one in facts if one.guests and taken_down(one.case, sweep_request, one.owned)]
    assert (swept.exit_code == 5) is bool(stopped)
    # A resumed deployment is not resumed twice. Where a guest stops a deletion, it does so again.
    finishing = (
        Interrupted.ROLLBACK if sweep_request.interrupted is Interrupted.RESUME else sweep_request.interrupted
    )
    again = estate.sweep(regions=("eu-west-1",), orphans=sweep_request.orphans, interrupted=finishing)
    assert again.counts["deleted"] == 0
    take_spared_away(estate, facts)


def take_spared_away(estate: Estate, facts: list[OracleFacts]) -> None:
    """Remove the strays that the rules spare: the census after the test compares objects with rows."""
    spared = estate.living & {id for one in facts for id in one.strays}
    for world in estate.worlds.values():
        for thing in [world.things[id] for id in spared if id in world.things]:
            world.remove_by_hand(thing)


@pytest.mark.leaves("strays that the rules spare", "unknown")
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases=st.lists(CASES, min_size=1, max_size=5), sweep_request=WISHES)
def test_a_sweep_deletes_exactly_what_the_rules_say(
    sqlite_template: Path, cases: list[Case], sweep_request: SweepRequest
) -> None:
    """A second sweep has nothing to do, except for what still blocks a deletion."""
    holds(plain_estate("property", sqlite_template), cases, sweep_request)


@pytest.mark.leaves("strays that the rules spare", "unknown")
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases=st.lists(CASES, min_size=4, max_size=8), sweep_request=WISHES)
def test_concurrent_deletions_with_shared_reads_delete_the_same(
    sqlite_template: Path, cases: list[Case], sweep_request: SweepRequest
) -> None:
    """No deployment takes another's answer, or its absence, for its own."""
    holds(together_estate("property-together", sqlite_template), cases, sweep_request)


@dataclass(frozen=True)
class Trouble:
    """A run of failing calls: from which one, how many, and of one operation or of all."""

    operation: str
    error: Callable[[], CallError]
    skipped: int
    times: int
    executed: bool

    def into(self, world: World) -> None:
        """Inject the failures; an `executed` one fails after AWS has acted."""
        met = itertools.count()

        def fault(_: World, called: str, parameters: object) -> None:
            if self.operation in (called, "any") and self.skipped <= next(met) < self.skipped + self.times:
                raise self.error()

        (world.after if self.executed else world.before).append(fault)


ALWAYS = 1_000_000
TROUBLES = st.builds(
    Trouble,
    operation=st.sampled_from(["find", "describe", "inside", "delete", "look", "any"]),
    error=st.sampled_from(
        [
            lambda: refused("RequestLimitExceeded"),
            lambda: refused("UnauthorizedOperation"),
            lambda: refused("ExpiredToken"),
            lambda: refused("DependencyViolation"),
            lambda: refused("Thing.NotFound"),
            unknown,
        ]
    ),
    skipped=st.integers(0, 40),
    times=st.sampled_from([1, 3, 30, ALWAYS]),
    executed=st.booleans(),
)


@pytest.mark.parametrize("how", [plain_estate, together_estate], ids=["one by one", "sharing looks"])
@pytest.mark.leaves("strays that the rules spare", "unknown")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cases=st.lists(CASES, min_size=1, max_size=5), sweep_request=WISHES, trouble=TROUBLES)
def test_failing_calls_cause_no_wrong_deletion_and_the_next_sweep_completes(
    sqlite_template: Path,
    how: Callable[[str, Path], Estate],
    cases: list[Case],
    sweep_request: SweepRequest,
    trouble: Trouble,
) -> None:
    """A refused, throttled or unanswered call proves neither absence nor ownership."""
    if sweep_request.interrupted is Interrupted.RESUME:
        sweep_request = replace(
            sweep_request, interrupted=None
        )  # a resumed deployment may fail for good and roll itself back
    estate = how("property-trouble", sqlite_template)
    facts = [made(estate, case) for case in cases]
    before = estate.living
    expected = {id for one in facts for id in to_go(one, sweep_request)}
    trouble.into(estate.world())

    def sweep() -> Swept:
        return estate.sweep(
            orphans=sweep_request.orphans,
            interrupted=sweep_request.interrupted,
            older_than_seconds=LIMIT_HOURS * 3600,
        )

    swept = sweep()
    gone = before - estate.living
    assert gone <= expected
    assert gone == expected or swept.exit_code in (5, 7)
    estate.world().before.clear()
    estate.world().after.clear()
    sweep()
    assert before - estate.living == expected
    take_spared_away(estate, facts)


@pytest.mark.leaves("what looks like ours, and is reported", "unknown")
def test_reads_of_many_deployments_are_really_shared(sqlite_template: Path) -> None:
    """Twelve are deleted and four stay: most reads by id serve several of them at once."""
    estate = together_estate("together", sqlite_template)
    plain = Case(Story.FAILED, 30.0, OWNED, (Extra.STRAY,), Protection.NONE, None, False, False, False)
    cases = [plain] * 10 + [
        replace(plain, extras=(Extra.GUEST, Extra.STRAY)),
        replace(plain, extras=(Extra.UNTAGGED, Extra.COPY, Extra.BROUGHT)),
        replace(plain, extras=(Extra.HALF_TAGGED, Extra.OTHER_DATABASE, Extra.UNKNOWN), hours=0.5),
        replace(plain, protection=Protection.KEPT),
        replace(plain, driven=True),
        replace(plain, story=Story.ENDED),
    ]
    holds(estate, cases, SweepRequest(orphans=True, interrupted=None))
    named = [number for number in estate.shared.askers if number]
    assert max(named) >= 4
    assert sum(named) > 1.5 * len(named)
