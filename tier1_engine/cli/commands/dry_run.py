"""`tier1 deploy --dry-run`: prints the plan of a spec. Contacts neither AWS nor the database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tier1_engine.cli.options import Output
from tier1_engine.cli.screen.streams import complain, put, put_json
from tier1_engine.compose import plugins
from tier1_engine.contract.kind import TAG_DATABASE, TAG_DEPLOYMENT, TAG_NAME, TAG_RESOURCE, Registry
from tier1_engine.deployment.plan import ordered
from tier1_engine.deployment.states import Mode
from tier1_engine.masking import masked

if TYPE_CHECKING:
    from tier1_engine.deployment.plan import Plan, StepPlan
    from tier1_engine.spec.base import BaseSpec

UNKNOWN = "(set at deployment)"


def run(path: Path, *, name: str | None, rollback: bool, output: Output) -> int:
    """Print the plan; return the exit code."""
    from tier1_engine.contract.blueprint import refuse_impossible

    loaded = plugins.load_spec(path, name=name)
    spec, plan = loaded.spec, loaded.blueprint.plan(loaded.spec)
    known = plugins.registry(complain)
    refuse_impossible(plan, known)
    found = of_plan(spec, plan, known, rollback=rollback and spec.policy.rollback)
    if output is Output.JSON:
        put_json(found)
    else:
        from tier1_engine.cli.screen.render.plan import planned

        put(planned(found))
    return 0


def of_plan(spec: BaseSpec, plan: Plan, registry: Registry, *, rollback: bool) -> dict[str, Any]:
    """Return the plan as JSON values, with user data masked."""
    return {
        "name": spec.name,
        "region": spec.region,
        "blueprint": plan.blueprint,
        "rollback_enabled": rollback,
        "tags": {
            **plan.tags,
            TAG_DATABASE: UNKNOWN,
            TAG_DEPLOYMENT: UNKNOWN,
            TAG_RESOURCE: UNKNOWN,
            TAG_NAME: spec.name,
            "Name": f"{spec.name}-STEP",
        },
        "steps": [_of_step(spec, step, registry) for step in ordered(plan.steps)],
    }


def _of_step(spec: BaseSpec, step: StepPlan, registry: Registry) -> dict[str, Any]:
    known = registry.checks if step.mode is Mode.CHECK else registry.kinds
    return {
        "name": step.name,
        "phase": step.phase.value,
        "kind": step.kind,
        "title": known[step.kind].title,
        "mode": step.mode.value,
        "needs": list(step.needs),
        "aws_name": f"{spec.name}-{step.name}" if step.mode is Mode.CREATE else None,
        "reference": step.inputs.get("reference"),
        "inputs": masked(step.inputs),
        "deadline_seconds": step.deadline_seconds,
        "on_failure": step.on_failure.value,
    }
