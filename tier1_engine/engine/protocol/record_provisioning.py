"""What an answer changes on the way forward: the second half of the crash protocol.

Each function turns one answer into the changes that record it, and tells the pacer when to look
again. None asks AWS and none commits: the engine commits a whole turn at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tier1_engine.contract.kind import CONSOLE_FACT, Presence, Problem, Sight
from tier1_engine.deployment.record import (
    ENDED_FACT,
    Change,
    DeploymentSet,
    Note,
    Resource,
    ResourceAdd,
    ResourceSet,
    Step,
    StepSet,
)
from tier1_engine.deployment.states import Action, Outcome, ResourceState, StepState
from tier1_engine.engine.protocol.assignment import NOT_OURS
from tier1_engine.engine.protocol.case import (
    Case,
    adopted,
    end_attempt,
    end_in_error,
    error_of,
    identified,
    keep_looking,
    problem_of,
    settled_attempts,
    stray_rows,
)
from tier1_engine.engine.tasks import Do
from tier1_engine.errors import CallError
from tier1_engine.failures.calls import Verdict, judge
from tier1_engine.masking import masked_text

MAX_GENERATIONS = 3
"""How often one resource may be made anew because what was made is gone."""


def absorb(case: Case) -> list[Change]:
    """The changes that record one answer of the way forward."""
    if case.assignment.task.do is Do.IDENTIFY:
        return identified(case)
    step = case.record.steps[case.subject]
    case.pacer.looked.add(step.name)
    case.pacer.counted_from.setdefault(step.name, case.now)
    if case.answer.error is not None:
        return _failed_call(case, step, case.answer.error)
    return _FORWARD[case.assignment.task.do](case, step)


# --- calls that failed


def _failed_call(case: Case, step: Step, error: CallError) -> list[Change]:
    pacer = case.pacer
    changes = end_in_error(case, error)
    noted = error_of(error, step.on_failure)
    match _verdict(case, step, error):
        case Verdict.STOPPED:
            case.poll()
            return changes
        case Verdict.BLOCKED:
            pacer.blocked, pacer.blocked_step = problem_of(error), step.name
            return [*changes, StepSet(step.name, {"error": noted})]
        case Verdict.SPENT:
            return changes + _make_anew(case, step, Sight(Presence.GONE))
        case Verdict.EXHAUSTED:
            return changes + _next_candidate(case, step, noted)
        case Verdict.EXISTS:
            since = pacer.exists_since.setdefault(step.name, case.now)
            if case.now - since < pacer.settings.consistency_seconds:
                case.poll()
                return [*changes, StepSet(step.name, {"error": noted})]
        case Verdict.UNSEEN:
            pacer.back_off(step.name, case.now)
            return [*changes, StepSet(step.name, {"error": noted})]
        case Verdict.TRANSIENT:
            looking = _only_looked(case)
            tries = step.tries if looking else step.tries + 1
            if looking or tries < case.record.deployment.max_attempts:
                pacer.back_off(step.name, case.now)
                return [*changes, StepSet(step.name, {"error": noted, "tries": tries})]
            noted["message"] += f" (after {tries} attempts)"
        case _:
            pass
    return changes + _fail(case, step, noted)


def _only_looked(case: Case) -> bool:
    """Whether it was a look at what exists that failed, the one before a create included.

    Looks are no tries: they go on until the step's deadline. Giving up on a file system because describing
    it was throttled would throw away what is nearly ready.
    """
    do = case.assignment.task.do
    return do in _LOOKS or (do is Do.CREATE and not case.answer.in_change)


_LOOKS = frozenset({Do.OBSERVE, Do.SETTLE, Do.CHECK})


def _verdict(case: Case, step: Step, error: CallError) -> Verdict:
    young = _youngest(case, {step.name, *step.needs}) < case.pacer.settings.consistency_seconds
    if error.code == NOT_OURS and young:
        return Verdict.UNSEEN  # tags may show later than the object
    return judge(error, case.assignment.action, case.assignment.kind, young=young)


def _youngest(case: Case, names: set[str]) -> float:
    """Seconds since the youngest of our resources of these names was made."""
    ages = (
        case.pacer.age(resource.id, case.now)
        for resource in case.record.resources.values()
        if resource.owned and resource.name in names
    )
    return min(ages, default=float("inf"))


def _fail(case: Case, step: Step, error: Mapping[str, Any]) -> list[Change]:
    values = {"state": StepState.FAILED, "finished_at": case.wall, "error": dict(error)}
    return [StepSet(step.name, values), Note(f"failed: {error['code']}: {error['message']}", step.name)]


def _next_candidate(case: Case, step: Step, error: Mapping[str, Any]) -> list[Change]:
    """Ask for the next (type, zone, market) of the request; when none is left, the step has failed."""
    resource, kind = case.resource, case.assignment.kind
    following = resource.candidate + 1
    if kind is None or following >= kind.candidates(resource.request):
        return _fail(case, step, error)
    case.at_once()
    return [
        ResourceSet(resource.id, {"candidate": following, **_NOT_MADE}),
        StepSet(step.name, {"error": dict(error), "tries": 0}),
        Note(f"{error['code']}: trying the next candidate ({following + 1})", step.name),
    ]


_NOT_MADE: Mapping[str, Any] = {"aws_id": None, "arn": None, "made_at": None, "facts": {}}


# --- calls that answered


def _prepared(case: Case, step: Step) -> list[Change]:
    assert case.answer.request is not None
    case.pacer.prepared[step.name] = case.answer.request
    case.at_once()
    return []


def _created(case: Case, step: Step) -> list[Change]:
    """The answer of a create: it was made, found, or found to be spent."""
    if spent := case.answer.spent:
        end = end_attempt(case, Outcome.REFUSED, code="KeySpent", message=_words(spent))
        return [*end, *_make_anew(case, step, spent)]
    action: dict[str, Any] = {} if case.answer.changed else {"action": Action.ADOPT}
    return [*end_attempt(case, aws_id=case.sight.aws_id, **action), *_take(case, step)]


def _settled(case: Case, step: Step) -> list[Change]:
    """A look for what an unknown try may have made."""
    if case.answer.sight is not None:
        return adopted(case) + _take(case, step)
    if spent := case.answer.spent:
        return settled_attempts(case) + _make_anew(case, step, spent)
    return keep_looking(case)


def _take(case: Case, step: Step) -> list[Change]:
    """It exists: record its id, then judge what was seen of it."""
    resource, sight, made = case.resource, case.sight, case.answer.changed
    kind, target = case.assignment.kind, case.assignment.target
    assert kind is not None and target is not None
    case.at_once()
    case.pacer.exists_since.pop(step.name, None)
    values: dict[str, Any] = {"aws_id": sight.aws_id, "arn": sight.arn, "facts": dict(sight.facts)}
    if kind.may_reference and not made and not kind.owns(target, sight):
        values |= {"owned": False, "state": ResourceState.PRESENT}
        found = f"found {sight.aws_id}, which tier1 does not own: it is used, never changed"
        return [ResourceSet(resource.id, values), *_done(case, step, found)]
    values["made_at"] = case.wall
    if made:
        case.pacer.made_at[resource.id] = case.now
    changes: list[Change] = [ResourceSet(resource.id, values)]
    changes += stray_rows(case.after(changes), resource, case.answer.strays)
    if not made:
        return [*changes, Note(f"found what an earlier attempt created: {sight.aws_id}", step.name)]
    if sight.presence is Presence.READY:
        changes += [ResourceSet(resource.id, {"state": ResourceState.PRESENT}), *_done(case, step)]
    return changes


def _observed(case: Case, step: Step) -> list[Change]:
    """A look at what exists (also the one after it was configured)."""
    resource, sight = case.resource, case.answer.sight
    case.pacer.unset.pop(step.name, None)
    changes = end_attempt(case, aws_id=resource.aws_id)
    if sight is None:
        case.at_once()
        return changes
    if sight.dead:
        return changes + _dead(case, step)
    if sight.presence is Presence.ABSENT:
        return changes + _absent(case, step)
    facts = {**resource.facts, **sight.facts}
    values: dict[str, Any] = {} if facts == resource.facts else {"facts": facts}
    if sight.arn and sight.arn != resource.arn:
        values["arn"] = sight.arn
    if sight.presence is Presence.READY:
        case.at_once()
        present = ResourceSet(resource.id, {**values, "state": ResourceState.PRESENT})
        return [*changes, present, *_done(case, step)]
    if values:
        changes.append(ResourceSet(resource.id, values))
    # What was just set and is not yet seen is given time; what differs otherwise is set at once.
    just_set = case.assignment.task.do is Do.CONFIGURE
    if sight.presence is Presence.UNSET:
        case.pacer.unset[step.name] = sight
    if sight.presence is Presence.UNSET and not just_set:
        case.at_once()
    else:
        case.poll()
    return changes + _noted(step, sight.problem)


def _absent(case: Case, step: Step) -> list[Change]:
    """AWS does not show what it made: too young to be seen, or gone by somebody else's hand."""
    resource = case.resource
    case.poll()
    if case.pacer.age(resource.id, case.now) < case.pacer.settings.consistency_seconds:
        return _noted(step, Problem("NotVisibleYet", f"AWS does not show {resource.aws_id} yet"))
    return _make_anew(case, step, Sight(Presence.GONE, aws_id=resource.aws_id or ""))


def _dead(case: Case, step: Step) -> list[Change]:
    """It died. With a reason of its own the step fails or its next candidate is asked for; without
    one, somebody deleted it, and it is made anew. What is left of it becomes a stray.
    """
    resource, sight, kind = case.resource, case.sight, case.assignment.kind
    if sight.problem is None:
        changes = _make_anew(case, step, sight)
    else:
        error = error_of(sight.problem, step.on_failure)
        tried_out = kind is None or sight.problem.code not in kind.next_candidate
        changes = _fail(case, step, error) if tried_out else _next_candidate(case, step, error)
    let_go = any(isinstance(change, ResourceSet) for change in changes)
    if sight.presence is Presence.GONE:
        changes = [ResourceSet(resource.id, {"facts": {**resource.facts, ENDED_FACT: True}}), *changes]
    if let_go and sight.presence is not Presence.GONE:
        changes += stray_rows(case.after(changes), resource, [sight])
    return changes


def _make_anew(case: Case, step: Step, spent: Sight) -> list[Change]:
    """What this key made is gone: the next key makes another, within bounds."""
    resource = case.resource
    if resource.generation >= MAX_GENERATIONS:
        message = f"{_words(spent)}; it was created {MAX_GENERATIONS} times and is not created again"
        return _fail(case, step, {"code": "GoneByHand", "message": message, "class": step.on_failure.value})
    case.at_once()
    case.pacer.made_at.pop(resource.id, None)
    return [
        ResourceSet(resource.id, {"generation": resource.generation + 1, **_NOT_MADE}),
        Note(f"{_words(spent)}: it is recreated", step.name),
    ]


def _words(spent: Sight) -> str:
    return f"{spent.aws_id or 'what was created'} is {spent.presence}"


def _looked(case: Case, step: Step) -> list[Change]:
    """A health check, or a look at what the user brought."""
    sight = case.sight
    if sight.presence is Presence.READY:
        return [*_brought(case, step), *_done(case, step)]
    problem = sight.problem or Problem(str(sight.presence), f"it is {sight.presence}")
    if sight.presence is Presence.UNKNOWN:
        error = error_of(problem)
        skipped = {"state": StepState.SKIPPED, "finished_at": case.wall, "error": error}
        warnings = (*case.record.deployment.warnings, f"{step.name}: {error['message']}")
        return [
            StepSet(step.name, skipped),
            DeploymentSet({"warnings": warnings}),
            Note(f"skipped: {error['message']}", step.name),
        ]
    if sight.dead or sight.presence is Presence.ABSENT:
        told = {CONSOLE_FACT: masked_text(sight.facts[CONSOLE_FACT])} if CONSOLE_FACT in sight.facts else {}
        return _fail(case, step, {**error_of(problem, step.on_failure), **told})
    case.poll()
    return _noted(step, problem)


def _brought(case: Case, step: Step) -> list[Change]:
    if case.assignment.task.do is not Do.REFERENCE:
        return []
    sight = case.sight
    row = Resource(
        id=case.new_id(),
        deployment_id=case.record.deployment.id,
        step=step.name,
        name=step.name,
        kind=step.kind,
        state=ResourceState.PRESENT,
        owned=False,
        tagged_as="",
        request=dict(step.inputs),
        created_at=case.wall,
        aws_id=sight.aws_id,
        arn=sight.arn,
        facts=dict(sight.facts),
    )
    return [ResourceAdd(row)]


def _done(case: Case, step: Step, message: str = "done") -> list[Change]:
    values = {"state": StepState.DONE, "finished_at": case.wall, "error": None}
    return [StepSet(step.name, values), Note(message, step.name)]


def _noted(step: Step, problem: Problem | None) -> list[Change]:
    """Keep why it is not ready, when that is news."""
    if problem is None:
        return []
    error = error_of(problem, step.on_failure)
    if (step.error or {}).get("message") == error["message"]:
        return []
    return [StepSet(step.name, {"error": error})]


_FORWARD: dict[Do, Callable[[Case, Step], list[Change]]] = {
    Do.REFERENCE: _looked,
    Do.CHECK: _looked,
    Do.PREPARE: _prepared,
    Do.CREATE: _created,
    Do.SETTLE: _settled,
    Do.OBSERVE: _observed,
    Do.CONFIGURE: _observed,
}
