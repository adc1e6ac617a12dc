"""Last step of an attempt in provisioning: what its answer changes in the record and in the pace.

Each function turns one answer into effects. None calls AWS or commits: the driver commits a whole turn
at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tier1_engine.contract.kind import CONSOLE_FACT, Kind, Observation, Presence, Problem
from tier1_engine.deployment.record import (
    ENDED_FACT,
    DeploymentSet,
    Note,
    Resource,
    ResourceAdd,
    ResourceSet,
    Step,
    StepSet,
)
from tier1_engine.deployment.standing import configured_without_reply
from tier1_engine.deployment.states import Action, Outcome, ResourceState, StepState
from tier1_engine.engine.effects import Effect, Forget, Learn
from tier1_engine.engine.pace import grace_end
from tier1_engine.engine.protocol.actions import (
    Checked,
    Configured,
    Create,
    Created,
    Failed,
    Found,
    Identified,
    Identify,
    Made,
    Observed,
    Prepared,
    Referenced,
    Settle,
    Settled,
    TokenSpent,
)
from tier1_engine.engine.protocol.case import (
    Case,
    adopted,
    duplicate_rows,
    end_attempt,
    error_of,
    first_facts,
    identified,
    keep_searching,
    known_facts,
    settled_attempts,
)
from tier1_engine.engine.protocol.setbacks import (
    fail,
    failed_call,
    in_words,
    next_candidate,
    note_reason,
    recreate,
)
from tier1_engine.masking import masked_text


def record_provisioning(case: Case) -> list[Effect]:
    """Return the effects of one answer in provisioning."""
    result = case.answer.result
    match result:
        case Identified() | Failed(asked=Identify()):
            return identified(case, result)
    step = case.record.steps[case.subject]
    return [case.looked(), *case.counted(), *_recorded(case, step)]


def _recorded(case: Case, step: Step) -> list[Effect]:
    match case.answer.result:
        case Failed() as failed:
            return failed_call(case, step, failed)
        case Referenced() | Checked() as result:
            return _looked(case, step, result)
        case Prepared(request=request):
            return _prepared(case, step, request)
        case Created() as result:
            return _created(case, step, result)
        case Settled() as result:
            return _settled(case, step, result)
        case Observed() | Configured() as result:
            return _observed(case, step, result)
        case result:
            raise TypeError(f"provisioning does not ask to {result.asked.do}")


def _prepared(case: Case, step: Step, request: Mapping[str, Any]) -> list[Effect]:
    """Keep the request for the create, or begin the step with the resource that a later state made for it."""
    resource = case.record.resource_of(step.name)
    if resource is None or resource.aws_id is None:
        return [Learn("prepared", step.name, request), case.at_once()]
    running = {"state": StepState.RUNNING, "started_at": case.wall, "attempts": step.attempts + 1}
    return [
        case.at_once(),
        ResourceSet(resource.id, {"request": request}),
        StepSet(step.name, running),
        *adopted(case, resource, resource.aws_id),
        Note(f"continues with what a later state made: {resource.aws_id}", step.name),
    ]


def _created(case: Case, step: Step, result: Created) -> list[Effect]:
    """Record the answer of a create: the resource was created or found, or its key is spent."""
    resource = case.record.resources[result.asked.resource_id]
    match result.outcome:
        case TokenSpent(spent):
            end = end_attempt(case, Outcome.REFUSED, code="KeySpent", message=in_words(spent))
            return [*end, *recreate(case, step, resource, spent)]
        case Made(seen) as made:
            return [*end_attempt(case, aws_id=seen.aws_id), *_take(case, step, result.asked, made)]
        case Found(seen) as found:
            ended = end_attempt(case, aws_id=seen.aws_id, action=Action.ADOPT)
            return [*ended, *_take(case, step, result.asked, found)]


def _settled(case: Case, step: Step, result: Settled) -> list[Effect]:
    """Record a search for what an unknown attempt may have created."""
    resource = case.record.resources[result.asked.resource_id]
    match result.outcome:
        case Found(seen) as found:
            return adopted(case, resource, seen.aws_id) + _take(case, step, result.asked, found)
        case TokenSpent(spent):
            return settled_attempts(case, resource) + recreate(case, step, resource, spent)
        case None:
            return keep_searching(case, resource)


def _take(case: Case, step: Step, asked: Create | Settle, outcome: Made | Found) -> list[Effect]:
    """Record the id of a created or found resource, then its state."""
    resource, seen = case.record.resources[asked.resource_id], outcome.seen
    effects: list[Effect] = [case.at_once(), Forget("exists_since", step.name)]
    values: dict[str, Any] = {"aws_id": seen.aws_id, "arn": seen.arn, "facts": first_facts(resource, seen)}
    if isinstance(outcome, Found) and outcome.foreign:
        values |= {"owned": False, "state": ResourceState.PRESENT}
        found = f"found {seen.aws_id}, which tier1 does not own: it is used, never changed"
        return [*effects, ResourceSet(resource.id, values), *_done(case, step, found)]
    values["made_at"] = case.wall
    effects.append(ResourceSet(resource.id, values))
    if isinstance(outcome, Found):
        effects += duplicate_rows(case.after(effects), resource, outcome.duplicates)
        return [*effects, Note(f"found what an earlier attempt created: {seen.aws_id}", step.name)]
    if seen.presence is Presence.READY:
        effects += [ResourceSet(resource.id, {"state": ResourceState.PRESENT}), *_done(case, step)]
    return effects


def _observed(case: Case, step: Step, result: Observed | Configured) -> list[Effect]:
    """Record an observation of an existing resource (also the one after configuring it)."""
    resource, seen = case.record.resources[result.asked.resource_id], result.seen
    effects = [
        Forget("unset", step.name),
        *end_attempt(case, aws_id=resource.aws_id),
    ]
    if seen is None:
        return [*effects, case.at_once()]
    if seen.dead:
        return effects + _dead(case, step, resource, result.asked.kind, seen)
    if seen.presence is Presence.ABSENT:
        return effects + _absent(case, step, resource)
    facts = known_facts(case.record, resource, seen)
    values: dict[str, Any] = {} if facts == resource.facts else {"facts": facts}
    if seen.arn and seen.arn != resource.arn:
        values["arn"] = seen.arn
    if seen.presence is Presence.READY:
        present = ResourceSet(resource.id, {**values, "state": ResourceState.PRESENT})
        proved = Forget("unproved_since", step.name)
        return [*effects, proved, case.at_once(), present, *_done(case, step)]
    if values:
        effects.append(ResourceSet(resource.id, values))
    if (
        seen.presence is Presence.UNSET
        and isinstance(result, Observed)
        and not _may_be_set_late(case, resource)
    ):
        effects += [Learn("unset", step.name, seen), case.at_once()]
    else:
        effects.append(case.poll())  # a value that was just set may not be visible yet: look again
    return effects + note_reason(step, seen.problem)


def _may_be_set_late(case: Case, resource: Resource) -> bool:
    """Whether AWS may still execute a configuration that had no reply: sent again, it might be set twice."""
    unknown = resource.id in configured_without_reply(case.record)
    return unknown and case.now < grace_end(case.pace, resource)


def _absent(case: Case, step: Step, resource: Resource) -> list[Effect]:
    """AWS does not show a resource that it created: it is not visible yet, or somebody deleted it."""
    if case.pace.age(resource.id) < case.pace.settings.consistency_seconds:
        young = Problem("NotVisibleYet", f"AWS does not show {resource.aws_id} yet")
        return [case.poll(), *note_reason(step, young)]
    gone = Observation(Presence.GONE, aws_id=resource.aws_id or "")
    return [case.poll(), *recreate(case, step, resource, gone)]


def _dead(case: Case, step: Step, resource: Resource, kind: Kind, seen: Observation) -> list[Effect]:
    """Record a dead resource.

    If AWS gives a reason, the step fails or requests its next candidate. If there is none, somebody deleted
    the resource, and it is recreated. What remains of it becomes a duplicate.
    """
    if seen.problem is None:
        effects = recreate(case, step, resource, seen)
    else:
        error = error_of(seen.problem, step.on_failure)
        if seen.problem.code in kind.next_candidate:
            effects = next_candidate(case, step, resource, error)
        else:
            effects = fail(case, step, error)
    let_go = any(isinstance(effect, ResourceSet) for effect in effects)
    if seen.presence is Presence.GONE:
        return [ResourceSet(resource.id, {"facts": {**resource.facts, ENDED_FACT: True}}), *effects]
    if let_go:
        effects += duplicate_rows(case.after(effects), resource, [seen])
    return effects


def _looked(case: Case, step: Step, result: Referenced | Checked) -> list[Effect]:
    """Record a health check, or an observation of a provided resource."""
    seen = result.seen
    if seen.presence is Presence.READY:
        brought = _brought(case, step, seen) if isinstance(result, Referenced) else []
        return [*brought, *_done(case, step)]
    problem = seen.problem or Problem(str(seen.presence), f"it is {seen.presence}")
    if seen.presence is Presence.UNKNOWN:
        error = error_of(problem)
        skipped = {"state": StepState.SKIPPED, "finished_at": case.wall, "error": error}
        warnings = (*case.record.deployment.warnings, f"{step.name}: {error.message}")
        return [
            StepSet(step.name, skipped),
            DeploymentSet({"warnings": warnings}),
            Note(f"skipped: {error.message}", step.name),
        ]
    if seen.dead or seen.presence is Presence.ABSENT:
        console = masked_text(seen.facts.get(CONSOLE_FACT, ""))
        return fail(case, step, replace(error_of(problem, step.on_failure), console=console))
    return [case.poll(), *note_reason(step, problem)]


def _brought(case: Case, step: Step, seen: Observation) -> list[Effect]:
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
        aws_id=seen.aws_id,
        arn=seen.arn,
        facts=dict(seen.facts),
    )
    return [ResourceAdd(row)]


def _done(case: Case, step: Step, message: str = "done") -> list[Effect]:
    values = {"state": StepState.DONE, "finished_at": case.wall, "error": None}
    return [StepSet(step.name, values), Note(message, step.name)]
