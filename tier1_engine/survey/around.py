"""Finds everything in AWS whose tags name a deployment, in every place where one was deployed.

Owns which accounts and regions are searched, and which objects there have a row. It only reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, Kind, Observation
from tier1_engine.deployment.overview import Known
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.record import Record
from tier1_engine.engine.protocol import duplicates
from tier1_engine.engine.protocol.actions import Failed
from tier1_engine.survey.access import Access, Gap, gap_of, identify, in_turn, listed
from tier1_engine.survey.remembered import Remembered

ANY = "*"
CLAIMS = {TAG_DEPLOYMENT: ANY}
"""The tags on every resource of every deployment of every database."""


@dataclass(frozen=True, slots=True)
class TaggedResource:
    """One object in AWS whose tags name a deployment.

    Attributes:
        proved: whether the rows of its deployment prove that it was created by it; see `with_proofs`.
    """

    kind: str
    place: Place
    observation: Observation
    proved: bool = False


def places(known: Iterable[Known], regions: Sequence[str], here: Place | None) -> list[Place]:
    """Return every place that a deployment used, and `regions` in each account that one used.

    Args:
        here: the place from the environment; used only for `regions`, if there is no deployment.
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


def find_untracked(
    where: Sequence[Place], known: Sequence[Known], access: Access
) -> tuple[list[TaggedResource], list[Gap]]:
    """Find everything in these places that names a deployment but has no row, and the gaps."""
    gaps: list[Gap] = []
    open_places: list[Place] = []
    for place, gap in zip(where, in_turn(lambda p: identify(access, p), where, access), strict=True):
        if gap is None:
            open_places.append(place)
        else:
            gaps.append(gap)
    jobs = [
        (place, kind) for place in open_places for kind in access.equipment(place).registry.kinds.values()
    ]
    held = _held(known)
    remembered = {place: Remembered() for place in open_places}

    def list_kind(job: tuple[Place, Kind]) -> tuple[list[TaggedResource], Gap | None]:
        place, kind = job
        at = (place.endpoint, place.account_id, kind.name)
        answer = listed(access, place, kind, CLAIMS, held.get(at, {}), remembered[place])
        if isinstance(answer, Failed):
            return [], gap_of(place, kind.title, answer.error)
        return [TaggedResource(kind.name, place, observation) for _, observation in answer.seen], None

    seen: list[TaggedResource] = []
    for found, gap in in_turn(list_kind, jobs, access):
        seen += found
        if gap is not None:
            gaps.append(gap)
    return seen, gaps


def with_proofs(
    seen: Sequence[TaggedResource],
    known: Iterable[Known],
    access: Access,
    load: Callable[[str], Record],
    database_id: str,
) -> list[TaggedResource]:
    """Mark what the rows of its deployment prove, by the rules of `duplicates.proved`.

    Args:
        load: returns the record of a deployment. Only those are read of which something without a row exists.
    """
    by_id = {one.deployment.id: one for one in known}
    of: dict[tuple[str, str], list[TaggedResource]] = {}
    for thing in seen:
        tags = thing.observation.tags
        one = by_id.get(tags.get(TAG_DEPLOYMENT, ""))
        if one is None or tags.get(TAG_DATABASE) != database_id or not same_place(thing.place, one.place):
            continue
        if (thing.kind, thing.observation.aws_id) not in one.holds:
            of.setdefault((one.deployment.id, thing.kind), []).append(thing)
    proved: set[tuple[str, str, Place]] = set()
    records = {deployment_id: load(deployment_id) for deployment_id in {id for id, _ in of}}
    for (deployment_id, kind_name), things in of.items():
        place = things[0].place
        kind = access.equipment(place).registry.kinds[kind_name]
        observations = [thing.observation for thing in things]
        found = duplicates.proved(records[deployment_id], database_id, kind, observations)
        proved |= {(kind_name, aws_id, place) for aws_id in found}
    return [
        replace(thing, proved=(thing.kind, thing.observation.aws_id, thing.place) in proved) for thing in seen
    ]


def same_place(one: Place, other: Place) -> bool:
    """Whether both are the same region of the same account."""
    return (one.account_id, one.region, one.endpoint) == (other.account_id, other.region, other.endpoint)


def _held(known: Iterable[Known]) -> dict[tuple[str, str, str], dict[str, Mapping[str, Any]]]:
    """Return the AWS ids in rows, with their requests, by endpoint, account and kind."""
    held: dict[tuple[str, str, str], dict[str, Mapping[str, Any]]] = {}
    for one in known:
        for (kind, aws_id), request in one.holds.items():
            held.setdefault((one.place.endpoint, one.place.account_id, kind), {})[aws_id] = request
    return held
