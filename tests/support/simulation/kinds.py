"""The kinds of the simulated account, which implement the real contract of a kind.

They differ as real ones do: with a token or without, with later configuration, with a console to archive, or
found where a foreign one may already be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from tests.support.simulation.world import SimCloud, Thing
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import (
    ABSENT,
    TAG_RESOURCE,
    Check,
    Holder,
    Kind,
    Observation,
    Presence,
    Problem,
    Registry,
    Target,
)


class SimKind(Kind):
    """A kind of the simulated cloud. Subclasses differ in tokens, settings and candidates."""

    gone = frozenset({"Thing.NotFound"})
    not_visible_yet = frozenset({"InvalidReference.NotFound"})
    next_candidate = frozenset({"NoCapacity"})
    not_offered = frozenset({"NotOffered"})
    already_exists = frozenset({"AlreadyExists"})
    token_spent = frozenset({"TokenSpent"})
    settings: tuple[str, ...] = ()
    token = False

    def __init__(
        self, name: str, *, token: bool = False, settings: tuple[str, ...] = (), console: bool = False
    ) -> None:
        self.name = name  # type: ignore[misc]
        self.title = name  # type: ignore[misc]
        self.token = token
        self.settings = settings
        self.archives_console = console  # type: ignore[misc]

    def candidates(self, request: Mapping[str, Any]) -> int:
        return int(request.get("candidates", 1))

    def candidate_name(self, request: Mapping[str, Any], candidate: int) -> str:
        return str(request.get("place", f"candidate {candidate + 1}"))

    def without(
        self, inputs: Mapping[str, Any], missing: Mapping[str, Any]
    ) -> tuple[dict[str, Any], str] | None:
        doors = {place: id for place, id in inputs.get("doors", {}).items() if place != missing.get("place")}
        return ({**inputs, "doors": doors}, f"it only had {', '.join(doors)}") if doors else None

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        reply = cloud.read(
            "sim", "find", kind=self.name, tags={TAG_RESOURCE: target.resource_id}, step=target.step
        )
        return [self._observation(cloud, thing) for thing in reply["things"]]

    def create(self, cloud: Cloud, target: Target) -> Observation:
        reply = cloud.change(
            "sim",
            "create",
            kind=self.name,
            step=target.step,
            tags=dict(target.tags),
            key=target.key,
            needs=[*target.request.get("needs", ()), *target.request.get("doors", {}).values()],
            token=self.token,
        )
        return Observation(Presence.PENDING, aws_id=reply["id"], tags=target.tags, key=target.key)

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        return self._look_at(cloud, str(target.aws_id))

    def reference(self, cloud: Cloud, inputs: Mapping[str, Any]) -> Observation:
        return self._look_at(cloud, inputs["reference"])

    def configure(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        for setting in observation.unset:
            cloud.change("sim", "set", id=target.aws_id, setting=setting)

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        cloud.change("sim", "delete", id=target.aws_id)

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        return [
            self._observation(cloud, cast("Thing", thing))
            for thing in cloud.pages("sim", "find", "things", kind=self.name, tags=tags)
        ]

    def others_inside(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[str]:
        return [t.id for t in cloud.read("sim", "inside", id=target.aws_id)["things"] if t.id not in ours]

    def holders(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[Holder]:
        return [
            Holder(one, f"aws sim remove --id {one}", leaves=one.startswith("eni-"))
            for one in self.others_inside(cloud, target, ours)
        ]

    def console(self, cloud: Cloud, target: Target) -> str:
        return str(cloud.read("sim", "console", id=target.aws_id)["text"])

    def console_url(self, region: str, aws_id: str) -> str:
        return f"https://{region}.example/{aws_id}"

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        return {"look": [f"look {aws_id}"], "delete": [f"delete {aws_id}"]}

    def _look_at(self, cloud: Cloud, id: str) -> Observation:
        thing = cloud.read("sim", "describe", id=id)["thing"]
        return ABSENT if thing is None else self._observation(cloud, thing)

    def _observation(self, cloud: Cloud, thing: Thing) -> Observation:
        world = cast("SimCloud", getattr(cloud, "cloud", cloud)).world  # a look around may stand between
        unset = tuple(s for s in self.settings if s not in thing.settings)
        presence, problem = Presence.READY, None
        if thing.deleting_since is not None:
            presence = Presence.LEAVING if world.exists(thing) else Presence.GONE
        elif thing.broken is not None:
            presence, problem = Presence.BROKEN, Problem(thing.broken, "it broke")
        elif world.clock.seconds < thing.born + world.ready_after:
            presence = Presence.PENDING
        elif unset:
            presence = Presence.UNSET
        return Observation(
            presence,
            aws_id=thing.id,
            tags=thing.tags,
            facts={"needs": list(thing.needs)} if thing.needs else {},
            key=thing.key if self.token else None,
            made_at=f"{thing.born:012.3f}",
            problem=problem,
            unset=unset,
        )


class SimCheck(Check):
    """A check whose answers a test writes."""

    name = "sim_check"
    title = "check"

    def __init__(self) -> None:
        self.answers: list[Observation] = []

    def look(self, cloud: Cloud, inputs: Mapping[str, Any]) -> Observation:
        cloud.read("sim", "look")
        return (
            self.answers.pop(0)
            if len(self.answers) > 1
            else (self.answers or [Observation(Presence.READY)])[0]
        )


class Outlet(SimKind):
    """Like a mount target: AWS allows one per place, so a foreign one may be found there."""

    may_reference = True

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        reply = cloud.read("sim", "find", kind=self.name, tags={}, step=target.step)
        return [self._observation(cloud, thing) for thing in reply["things"]]


def registry(check: SimCheck | None = None) -> Registry:
    """One kind of each nature, and one check."""
    kinds = [
        SimKind("net", settings=("dns",)),
        SimKind("disk", token=True),
        SimKind("door", settings=("rule", "route")),
        SimKind("machine", token=True, console=True),
        Outlet("outlet"),
    ]
    return Registry({kind.name: kind for kind in kinds}, {"sim_check": check or SimCheck()})
