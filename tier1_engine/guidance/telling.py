"""What happened, in one paragraph, and what is safe. Pure.

Owns the sentences about a deployment as a whole; every one is a fact of the record.
"""

from __future__ import annotations

from tier1_engine.deployment.states import Goal, State
from tier1_engine.guidance.story import NEEDS_A_PERSON, Situation, Story
from tier1_engine.views import prices


def told(story: Story) -> str:
    """What happened, in one paragraph."""
    return " ".join(filter(None, (_cause(story), _now(story), _left(story))))


def _cause(story: Story) -> str:
    failure, deployment = story.failure, story.deployment
    if failure is None:
        return ""
    step = f" at {failure['step']}" if failure.get("step") else ""
    call = f" ({failure['operation']})" if failure.get("operation") else ""
    said = f"{story.title} failed{step}: {failure.get('code')}: {failure.get('message')}{call}."
    how = f"That is a {failure.get('class')} failure" if failure.get("class") else "That is a failure"
    if deployment.goal is Goal.ACTIVE and not deployment.rollback_enabled:
        return f"{said} {how}, and with rollback switched off everything was kept."
    return f"{said} {how}."


def _now(story: Story) -> str:
    deployment = story.deployment
    if story.situation is Situation.DRIVEN:
        return (
            f"{story.title} is {deployment.state}, and {story.driven_by} works on it: nothing is to be done."
        )
    if story.situation is Situation.INTERRUPTED:
        return (
            f"{story.title} is {deployment.state}, wanted {deployment.goal}, and whoever drove it is gone; "
            "all that it did is on record, and it can go on from there."
        )
    if story.situation is Situation.BLOCKED:
        return f"It is {deployment.state}, and AWS did not let it act any further."
    if story.situation is Situation.UNDECIDED:
        return "It waits for your decision."
    if story.situation is Situation.STALLED:
        names = ", ".join(r.name for r in story.stuck if (r.error or {}).get("code") != "BlockedBy")
        verb = "destroying" if deployment.goal is Goal.DESTROYED else "rolling back"
        return f"While {verb}, {names or 'the last look at the account'} stood in the way; the rest is gone."
    if story.situation is Situation.ENDED:
        verb = "destroyed" if deployment.state is State.DESTROYED else "rolled back"
        kept = "; what you kept stands" if story.kept else ": nothing that it made is left"
        return f"{story.title} is {verb}{kept}. Nothing is to be done."
    return f"{story.title} is active, as it should be: nothing is to be done."


def _left(story: Story) -> str:
    standing = story.standing
    if not standing or story.situation is Situation.DRIVEN:
        return ""
    unknown = [r.name for r in standing if r.aws_id is None]
    verb = "stands" if len(standing) == 1 else "stand"
    said = f"{len(standing)} of what it made still {verb}."
    if unknown:
        said += f" Whether {', '.join(unknown)} exists is not known: the create was never answered."
    return said


def safe(story: Story) -> list[str]:
    """What nobody needs to worry about."""
    found = []
    if story.gone:
        found.append(f"{len(story.gone)} resources are gone; a look at AWS confirmed each.")
    if story.brought:
        names = ", ".join(f"{r.name} {r.aws_id}" for r in story.brought)
        found.append(f"What you brought is referenced and never changed: {names}.")
    if story.kept:
        names = ", ".join(f"{r.name} {r.aws_id}" for r in story.kept)
        found.append(f"Kept on your word, and left alone by everything below: {names}.")
    files = [r for r in story.standing if r.kind == "file_system" and r.aws_id]
    if files:
        found.append(f"The files on {files[0].aws_id} are there until the file system is deleted.")
    if story.situation in NEEDS_A_PERSON:
        found.append("Nobody works on it: nothing changes until you say so.")
    found.append("Every id, every try and its error is in the database; no command below loses one.")
    return found


def cost(story: Story) -> str:
    """What still costs, in words; empty when nothing stands."""
    standing = story.standing
    return f"{prices.in_sum(standing)} ({prices.CAVEAT})" if standing else ""
