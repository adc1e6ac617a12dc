"""Setbacks of a step in provisioning: a call failed, or the created resource died.

Owns the reaction: a later retry, the next candidate, a new key, the step left out, or its failure. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tier1_engine.contract.kind import COMPANIONS, FORMER_COMPANIONS, Observation, Presence, Problem
from tier1_engine.deployment.failure import Error
from tier1_engine.deployment.record import DeploymentSet, Note, Resource, ResourceSet, Step, StepSet
from tier1_engine.deployment.standing import is_left_out
from tier1_engine.deployment.states import Mode, ResourceState, StepState
from tier1_engine.engine.effects import Effect, Forget, Learn
from tier1_engine.engine.protocol.actions import Check, Configure, Create, Failed, Observe, Settle, kind_of
from tier1_engine.engine.protocol.case import (
    Case,
    access_refused,
    end_in_error,
    error_of,
    unproved,
    unproved_for_good,
    without_access,
)
from tier1_engine.engine.protocol.proof import NOT_OURS
from tier1_engine.errors import CallError
from tier1_engine.failures.calls import Verdict, judge
from tier1_engine.failures.codes import UNREACHABLE_CODES

MAX_GENERATIONS = 3
"""How often one resource may be recreated after it disappeared."""


def failed_call(case: Case, step: Step, failed: Failed) -> list[Effect]:
    """Record a failed call by its verdict: wait, retry, choose something else, or fail the step."""
    error, resource = failed.error, case.record.resource_of(step.name)
    effects = end_in_error(case, failed)
    effects += _look_again(case, failed)
    noted = error_of(error, step.on_failure)
    match _verdict(case, step, error):
        case Verdict.STOPPED:
            return [*effects, case.poll()]
        case Verdict.BLOCKED:
            return [*effects, *access_refused(case, error, step.name), StepSet(step.name, {"error": noted})]
        case Verdict.SPENT if resource is not None:
            return effects + recreate(case, step, resource, Observation(Presence.GONE))
        case (Verdict.EXHAUSTED | Verdict.NOT_OFFERED) as verdict if resource is not None:
            instead = next_candidate if verdict is Verdict.EXHAUSTED else leave_out
            return effects + instead(case, step, resource, noted)
        case Verdict.EXISTS:
            since = case.pace.exists_since.get(step.name, case.now)
            effects.append(Learn("exists_since", step.name, since))
            if case.now - since < case.pace.settings.consistency_seconds:
                return [*effects, case.poll(), StepSet(step.name, {"error": noted})]
        case Verdict.UNSEEN:
            return [*effects, case.back_off(), StepSet(step.name, {"error": noted})]
        case Verdict.TRANSIENT:
            if retried := _retried(case, step, failed, noted):
                return effects + retried
            noted = replace(noted, message=f"{noted.message} (after {step.tries + 1} attempts)")
        case _:
            pass
    return effects + fail(case, step, noted)


def _look_again(case: Case, failed: Failed) -> list[Effect]:
    """After a failed configure: what was seen before it is stale, so look before anything else is set."""
    if not isinstance(failed.asked, Configure):
        return []
    since = unproved(case) if failed.error.code == NOT_OURS else []
    return [Forget("unset", case.subject), *since]


def _retried(case: Case, step: Step, failed: Failed, noted: Error) -> list[Effect]:
    """Try again what may succeed by itself; empty after the last attempt.

    What cannot be reached was sent nothing, and could not be rolled back either: it counts as refused access.
    """
    again, looking = StepSet(step.name, {"error": noted}), _was_a_read(failed)
    if failed.error.code in UNREACHABLE_CODES:
        if looking:
            return [without_access(case), case.back_off(), again]
        return [*access_refused(case, failed.error, step.name), again]
    if looking:
        return [case.back_off(), again]
    if step.tries + 1 >= case.record.deployment.max_attempts:
        return []
    return [case.back_off(), StepSet(step.name, {"error": noted, "tries": step.tries + 1})]


def _was_a_read(failed: Failed) -> bool:
    """Whether the failed call was a read, including the one before a create.

    Reads do not count as attempts: they are repeated until the step's deadline. To give up on a file system
    because describing it was throttled would discard a resource that is nearly ready.
    """
    if isinstance(failed.asked, Create):
        return not failed.in_change
    return isinstance(failed.asked, Observe | Settle | Check)


def _verdict(case: Case, step: Step, error: CallError) -> Verdict:
    if error.code == NOT_OURS and not unproved_for_good(case, case.pace.settings.consistency_seconds):
        return Verdict.UNSEEN
    young = _youngest(case, {step.name, *step.needs}) < case.pace.settings.consistency_seconds
    return judge(error, case.asked.action, kind_of(case.asked), young=young)


def _youngest(case: Case, names: set[str]) -> float:
    """Return the seconds since the youngest owned resource of these names was created."""
    ages = (
        case.pace.age(resource.id)
        for resource in case.record.resources.values()
        if resource.owned and resource.name in names
    )
    return min(ages, default=float("inf"))


def fail(case: Case, step: Step, error: Error) -> list[Effect]:
    """Fail the step permanently."""
    values = {"state": StepState.FAILED, "finished_at": case.wall, "error": error}
    return [StepSet(step.name, values), Note(f"failed: {error.code}: {error.message}", step.name)]


def next_candidate(case: Case, step: Step, resource: Resource, error: Error) -> list[Effect]:
    """Request the next candidate (type, zone, market); if none is left, fail the step."""
    kind, following = kind_of(case.asked), resource.candidate + 1
    if kind is None or following >= (count := kind.candidates(resource.request)):
        return fail(case, step, error)
    refused, chosen = (kind.candidate_name(resource.request, n) for n in (resource.candidate, following))
    return [
        case.at_once(),
        ResourceSet(resource.id, {"candidate": following, **_not_made(resource)}),
        StepSet(step.name, {"error": error, "tries": 0}),
        Note(f"{error.code}: not {refused}; trying {chosen} ({following + 1} of {count})", step.name),
    ]


def leave_out(case: Case, step: Step, resource: Resource, error: Error) -> list[Effect]:
    """Continue without the step, if all steps that need it can do without; otherwise fail it.

    The step ends and the others change their inputs in one transaction, before any of them begins.
    """
    place = _place(case, step)
    others = [other for other in case.record.steps.values() if step.name in other.needs]
    reduced = [_without(case, other, step) for other in others]
    possible = [one for one in reduced if one is not None]
    if not others or len(possible) < len(others):
        before = [
            _place(case, other)
            for other in case.record.steps.values()
            if other.kind == step.kind and is_left_out(other, case.kinds[step.kind].not_offered)
        ]
        message = f"{error.message.rstrip('.')} (refused: {', '.join([*before, place])})"
        return fail(case, step, replace(error, message=message))
    consequences = "; ".join(said for _, said in possible)
    warning = (
        f"{step.name} was left out, because AWS does not offer it in {place} ({error.code}): {consequences}"
    )
    return [
        ResourceSet(resource.id, {"state": ResourceState.DELETED, "deleted_at": case.wall}),
        StepSet(
            step.name,
            {
                "state": StepState.SKIPPED,
                "finished_at": case.wall,
                "error": replace(error, failure_class=None),
            },
        ),
        *(
            StepSet(other.name, {"inputs": inputs})
            for other, (inputs, _) in zip(others, possible, strict=True)
        ),
        DeploymentSet({"warnings": (*case.record.deployment.warnings, warning)}),
        Note(f"{error.code}: not {place}; continuing without {step.name}", step.name),
    ]


def _without(case: Case, other: Step, missing: Step) -> tuple[dict[str, Any], str] | None:
    """Return what the kind of a step that has not begun says about doing without another step."""
    kind = case.kinds.get(other.kind)
    if kind is None or other.mode is not Mode.CREATE or other.state is not StepState.WAITING:
        return None
    return kind.without(other.inputs, missing.inputs)


def _place(case: Case, step: Step) -> str:
    """Return what people call the place of a step, such as its zone."""
    return case.kinds[step.kind].candidate_name(step.inputs, 0)


def _not_made(resource: Resource) -> Mapping[str, Any]:
    """Return the values of a resource whose object is gone; what AWS made with that may have outlived it."""
    gone = [resource.facts.get(fact, {}) for fact in (FORMER_COMPANIONS, COMPANIONS)]
    former = {
        kind: sorted({id for one in gone for id in one.get(kind, ())}) for kind in {**gone[0], **gone[1]}
    }
    facts = {FORMER_COMPANIONS: former} if former else {}
    return {"aws_id": None, "arn": None, "made_at": None, "facts": facts}


def recreate(case: Case, step: Step, resource: Resource, spent: Observation) -> list[Effect]:
    """Recreate, with the next key, a resource that is gone; limited to `MAX_GENERATIONS`."""
    if resource.generation >= MAX_GENERATIONS:
        message = (
            f"{in_words(spent)}; it was created {MAX_GENERATIONS} times, so tier1 does not create it again"
        )
        return fail(case, step, Error("GoneByHand", message, failure_class=step.on_failure))
    return [
        case.at_once(),
        ResourceSet(resource.id, {"generation": resource.generation + 1, **_not_made(resource)}),
        Note(f"{in_words(spent)}: it is recreated", step.name),
    ]


def in_words(spent: Observation) -> str:
    """Describe what happened to the created resource."""
    return f"{spent.aws_id or 'what was created'} is {spent.presence}"


def note_reason(step: Step, problem: Problem | None) -> list[Effect]:
    """Record why the resource is not ready, if the reason has changed."""
    if problem is None:
        return []
    error = error_of(problem, step.on_failure)
    if step.error is not None and step.error.message == error.message:
        return []
    return [StepSet(step.name, {"error": error})]
