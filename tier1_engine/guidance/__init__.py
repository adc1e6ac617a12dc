"""What to tell a person: the guide of one deployment, from the database alone.

Owns the guide as a value. It asks neither AWS nor the database: `story` is all that it is told. What it
advises is a fact of the record, a remedy of the catalogues, or a command that works as printed; the
script is made in `script`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tier1_engine.deployment.record import Resource
from tier1_engine.guidance.advice import Advice, inspections_of, of_failure, of_resource
from tier1_engine.guidance.lines import Command, signing_in
from tier1_engine.guidance.story import NEEDS_A_PERSON, Situation, Story
from tier1_engine.guidance.telling import cost, safe, told
from tier1_engine.guidance.ways import Way, by_hand, ways


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that stands, and may have to be looked at.

    Attributes:
        aws_id: None when the create was never answered.
        price: what it costs while it stands, an estimate.
        look: the commands that show it; by its tags where it has no id.
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
    """The whole guide.

    Attributes:
        needed: whether a person has to decide or fix something.
        told: what happened, one paragraph.
        cause: the root cause; what went wrong on the way back is beside it.
        first: what the `aws` lines need before; None where there are none, or they need nothing.
        cost: of what stands, an estimate; empty when nothing does.
        ways: the alternatives, the likeliest first.
        by_hand: one more, line by line: what the script does; None when nothing stands.
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
    ways: tuple[Way, ...]
    by_hand: Way | None

    def as_json(self) -> dict[str, Any]:
        """The guide as `guide -o json` prints it."""
        return asdict(self)


def guide(story: Story) -> Guide:
    """What to tell a person of this deployment."""
    deployment = story.deployment
    cause = of_failure(story)
    stuck = (of_resource(story, resource) for resource in story.stuck)
    asks_aws = bool(story.standing or (cause and cause.commands))
    return Guide(
        id=deployment.id,
        name=deployment.name,
        region=deployment.region,
        account_id=deployment.account_id,
        state=deployment.state.value,
        goal=deployment.goal.value,
        situation=story.situation,
        needed=story.situation in NEEDS_A_PERSON,
        told=told(story),
        safe=tuple(safe(story)),
        cause=cause,
        on_the_way_back=tuple(one for one in stuck if one is not None),
        first=signing_in(deployment) if asks_aws else None,
        standing=tuple(_item(story, resource) for resource in story.standing),
        cost=cost(story),
        ways=tuple(ways(story)),
        by_hand=by_hand(story),
    )


def _item(story: Story, resource: Resource) -> Item:
    kind, aws_id = story.kinds.get(resource.kind), resource.aws_id
    return Item(
        name=resource.name,
        kind=resource.kind,
        title=story.title_of(resource.kind),
        aws_id=aws_id,
        state=resource.state.value,
        price=story.prices.of_resource(resource).words,
        console_url=kind.console_url(story.deployment.region, aws_id) if kind and aws_id else None,
        look=inspections_of(story, resource),
    )


__all__ = ["Guide", "Item", "Situation", "Story", "guide"]
