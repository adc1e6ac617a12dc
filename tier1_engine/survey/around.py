"""Finds everything in AWS whose tags name a deployment, in every place where one was deployed.

Owns which accounts and regions are searched, and which objects there have a row. It only reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tier1_engine.contract.kind import (
    RESOURCE_ID_CHARACTERS,
    TAG_DATABASE,
    TAG_DEPLOYMENT,
    TAG_NAME,
    TAG_RESOURCE,
    Kind,
    Observation,
    Target,
)
from tier1_engine.deployment.overview import Known
from tier1_engine.deployment.place import Place
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
        proved: whether its kind accepts this as proof that the deployment created it.
    """

    kind: str
    place: Place
    observation: Observation
    proved: bool


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
    where: Sequence[Place], known: Sequence[Known], access: Access, database_id: str
) -> tuple[list[TaggedResource], list[Gap]]:
    """Find everything in these places that names a deployment but has no row, and the gaps."""
    by_id = {one.deployment.id: one for one in known}
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
        return [_seen(kind, place, observation, by_id, database_id) for _, observation in answer.seen], None

    seen: list[TaggedResource] = []
    for found, gap in in_turn(list_kind, jobs, access):
        seen += found
        if gap is not None:
            gaps.append(gap)
    return seen, gaps


def seen_of(
    access: Access, one: Known, kind: Kind, tags: Mapping[str, str], database_id: str
) -> list[TaggedResource] | Gap:
    """Read again which objects of a kind have `tags` in the place of a deployment."""
    answer = listed(access, one.place, kind, tags)
    if isinstance(answer, Failed):
        return gap_of(one.place, kind.title, answer.error)
    by_id = {one.deployment.id: one}
    return [_seen(kind, one.place, observation, by_id, database_id) for _, observation in answer.seen]


def _held(known: Iterable[Known]) -> dict[tuple[str, str, str], dict[str, Mapping[str, Any]]]:
    """Return the AWS ids in rows, with their requests, by endpoint, account and kind."""
    held: dict[tuple[str, str, str], dict[str, Mapping[str, Any]]] = {}
    for one in known:
        for (kind, aws_id), request in one.holds.items():
            held.setdefault((one.place.endpoint, one.place.account_id, kind), {})[aws_id] = request
    return held


def _seen(
    kind: Kind, place: Place, observation: Observation, by_id: Mapping[str, Known], database_id: str
) -> TaggedResource:
    one = by_id.get(observation.tags.get(TAG_DEPLOYMENT, ""))
    return TaggedResource(
        kind.name, place, observation, one is not None and _proves(kind, one, observation, database_id)
    )


def _proves(kind: Kind, one: Known, observation: Observation, database_id: str) -> bool:
    """Whether the kind accepts the object as this deployment's, for whichever of its resources."""
    tag = observation.tags.get(TAG_RESOURCE, "")
    tags = {
        TAG_DATABASE: database_id,
        TAG_DEPLOYMENT: one.deployment.id,
        TAG_RESOURCE: tag,
        TAG_NAME: one.deployment.name,
    }
    return len(tag) <= RESOURCE_ID_CHARACTERS and kind.owns(
        Target(one.deployment.id, tag, "", tags, {}, key="", aws_id=observation.aws_id), observation
    )
