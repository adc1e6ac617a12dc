"""The summary of a deployment: what happened, what is safe, and what still costs money. Pure.

Owns the sentences about the deployment as a whole; each states a recorded fact.
"""

from __future__ import annotations

from collections.abc import Iterator

from tier1_engine.deployment.record import Deployment
from tier1_engine.deployment.states import FailureClass, Goal, State
from tier1_engine.guidance.facts import NEEDS_A_PERSON, GuideFacts, Situation, waits
from tier1_engine.views.prices import CAVEAT


def summary(facts: GuideFacts) -> str:
    """One paragraph on what happened."""
    return " ".join(filter(None, (_cause(facts), _now(facts), _left(facts))))


def _cause(facts: GuideFacts) -> str:
    failure, deployment = facts.failure, facts.deployment
    if failure is None:
        return ""
    step = f" at {failure.step}" if failure.step else ""
    call = f" ({failure.operation})" if failure.operation else ""
    said = f"{facts.title} failed{step}: {failure.code}: {failure.message}{call}."
    if failure.failure_class is FailureClass.BLOCKED:
        return said
    how = f"That is a {failure.failure_class} failure"
    if deployment.goal is Goal.ACTIVE and not deployment.rollback_enabled:
        return f"{said} {how}, and because rollback is off, nothing was deleted."
    return f"{said} {how}."


def _now(facts: GuideFacts) -> str:
    deployment = facts.deployment
    if facts.situation is Situation.DRIVEN:
        return (
            f"{facts.title} is {deployment.state}, and {facts.driven_by} is working on it: "
            "there is nothing to do."
        )
    if facts.situation is Situation.INTERRUPTED:
        return (
            f"{facts.title} is {deployment.state} (target state {deployment.goal}), but its process "
            "is gone; everything it did is recorded, and it can be resumed."
        )
    if facts.situation is Situation.BLOCKED:
        return f"It is {deployment.state}, and blocked: {_blocked(deployment)}."
    if facts.situation is Situation.UNDECIDED:
        return "It is waiting for your decision."
    if facts.situation is Situation.STALLED:
        names = ", ".join(r.name for r in facts.stuck if not waits(r))
        verb = "Teardown" if deployment.goal is Goal.DESTROYED else "Rollback"
        waiting = ", ".join(r.name for r in facts.stuck if waits(r))
        also = f"; {waiting} cannot be deleted before that" if waiting and names else ""
        return f"{verb} was blocked by {names or 'the final check of the account'}{also}."
    if facts.situation is Situation.ENDED:
        verb = "destroyed" if deployment.state is State.DESTROYED else "rolled back"
        kept = "; only what you retained remains" if facts.kept else ": no resources remain"
        return f"{facts.title} is {verb}{kept}. There is nothing to do."
    return f"{facts.title} is active, as intended: there is nothing to do."


def _blocked(deployment: Deployment) -> str:
    """What stopped the last run; a failed deployment has said it already."""
    why = deployment.blocked
    if why is None or why == deployment.failure:
        return "AWS cannot be reached or refuses access"
    call = f" ({why.operation})" if why.operation else ""
    return f"{why.code}: {why.message.rstrip('.')}{call}"


def _left(facts: GuideFacts) -> str:
    standing = facts.standing
    if not standing or facts.situation is Situation.DRIVEN:
        return ""
    unknown = [r.name for r in standing if r.aws_id is None]
    verb = "resource remains" if len(standing) == 1 else "resources remain"
    said = f"{len(standing)} {verb}."
    if unknown:
        said += f" It is not known whether {', '.join(unknown)} exists: the create call got no reply."
    return said


def safe(facts: GuideFacts) -> list[str]:
    """Facts that the operator does not need to worry about."""
    found = []
    if facts.gone:
        found.append(f"Resources deleted, each confirmed with AWS: {len(facts.gone)}.")
    if facts.brought:
        names = ", ".join(f"{r.name} {r.aws_id}" for r in facts.brought)
        found.append(f"Resources that you provided are only referenced, never changed: {names}.")
    if facts.kept:
        names = ", ".join(f"{r.name} {r.aws_id}" for r in facts.kept)
        found.append(f"Retained on request, and untouched by everything below: {names}.")
    found += _still_safe(facts)
    if facts.situation in NEEDS_A_PERSON:
        found.append("Nothing is running: nothing changes until you act.")
    found.append("Every id, attempt and error is in the database; no command below deletes that record.")
    return found


def _still_safe(facts: GuideFacts) -> Iterator[str]:
    """The safety note of each kind, once, for its first remaining resource."""
    first = {r.kind: r.aws_id for r in reversed(facts.standing) if r.aws_id}
    for name, kind in facts.kinds.items():
        if kind.still_safe and name in first:
            yield kind.still_safe.format(id=first[name])


def cost(facts: GuideFacts) -> str:
    """What still costs money; empty when nothing remains."""
    standing = facts.standing
    return f"{facts.prices.in_sum(standing)} ({CAVEAT})" if standing else ""
