"""The guide of one deployment: what happened, what remains, and what the operator can do next.

Owns the guide as a value, built from a `GuideFacts` alone; it calls neither AWS nor the database. Every piece
of advice is a recorded fact, a remedy of the catalogues, or a command that works as printed. `script` makes
the deletion script.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tier1_engine.deployment.record import Resource
from tier1_engine.guidance.advice import Advice, inspections_of, of_failure, of_resource
from tier1_engine.guidance.facts import NEEDS_A_PERSON, GuideFacts, Situation
from tier1_engine.guidance.lines import Command, signing_in
from tier1_engine.guidance.summary import cost, safe, summary
from tier1_engine.guidance.ways import GuideOption, by_hand, ways


@dataclass(frozen=True, slots=True)
class Item:
    """One remaining resource, which the operator may have to check.

    Attributes:
        aws_id: None when the create call was never answered.
        price: estimated cost while it exists.
        look: commands that show it; they search by its tags when it has no id.
    """

    name: str
    kind: str
    title: str
    aws_id: str | None
    state: str
    price: str
    console_url: str | None
    look: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Guide:
    """The complete guide of one deployment.

    Attributes:
        needed: whether the operator has to decide or fix something.
        told: one paragraph on what happened.
        cause: the root cause; failures of the rollback are listed apart from it.
        first: the command to run before the `aws` lines; None when there are no lines or nothing is needed.
        cost: estimated cost of the remaining resources; empty when there are none.
        ways: the alternatives, the most likely first.
        by_hand: the manual alternative, with the steps of the script line by line; None when nothing remains.
    """

    id: str
    name: str
    region: str
    account_id: str
    state: str
    goal: str
    situation: Situation
    needed: bool
    told: str
    safe: tuple[str, ...]
    cause: Advice | None
    on_the_way_back: tuple[Advice, ...]
    first: Command | None
    standing: tuple[Item, ...]
    cost: str
    ways: tuple[GuideOption, ...]
    by_hand: GuideOption | None

    def as_json(self) -> dict[str, Any]:
        """The guide as `tier1 guide -o json` prints it."""
        return asdict(self)


def guide(facts: GuideFacts) -> Guide:
    """Build the guide of a deployment."""
    deployment = facts.deployment
    cause = of_failure(facts)
    stuck = (of_resource(facts, resource) for resource in facts.stuck)
    asks_aws = bool(facts.standing or (cause and cause.commands))
    return Guide(
        id=deployment.id,
        name=deployment.name,
        region=deployment.region,
        account_id=deployment.account_id,
        state=deployment.state.value,
        goal=deployment.goal.value,
        situation=facts.situation,
        needed=facts.situation in NEEDS_A_PERSON,
        told=summary(facts),
        safe=tuple(safe(facts)),
        cause=cause,
        on_the_way_back=tuple(one for one in stuck if one is not None),
        first=signing_in(deployment) if asks_aws else None,
        standing=tuple(_item(facts, resource) for resource in facts.standing),
        cost=cost(facts),
        ways=tuple(ways(facts)),
        by_hand=by_hand(facts),
    )


def _item(facts: GuideFacts, resource: Resource) -> Item:
    kind, aws_id = facts.kinds.get(resource.kind), resource.aws_id
    return Item(
        name=resource.name,
        kind=resource.kind,
        title=facts.title_of(resource.kind),
        aws_id=aws_id,
        state=resource.state.value,
        price=facts.prices.of_resource(resource).words,
        console_url=kind.console_url(facts.deployment.region, aws_id) if kind and aws_id else None,
        look=inspections_of(facts, resource),
    )


__all__ = ["Guide", "Item", "Situation", "GuideFacts", "guide"]
