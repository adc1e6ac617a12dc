"""The contract of a blueprint, which turns a spec into a plan.

A blueprint owns the keys of its spec, their defaults, and the checks against AWS before anything is created.
Another package adds one through the entry-point group `tier1_engine.blueprints`; the name of the entry point
is the name of the blueprint. A spec selects it with `blueprint: NAME`.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import Registry
from tier1_engine.deployment.plan import Plan, StepPlan, ordered, refs_in
from tier1_engine.deployment.record import Record
from tier1_engine.deployment.states import FailureClass, Mode, Phase
from tier1_engine.errors import Refused
from tier1_engine.spec.base import BaseSpec

Spec = TypeVar("Spec", bound=BaseSpec)

DELETE_SECONDS = 2_400.0


class Blueprint(ABC, Generic[Spec]):
    """One type of stack. A blueprint must define `name`, `spec_model` and `steps`.

    A blueprint is stateless, and everything except `survey` is pure. The plan is stored with the deployment,
    and resume, rollback and destroy use the stored plan even if the blueprint has changed since.

    **Phases.** A deployment passes through four phases, whose names are fixed because they are stored
    and shown as its states: `network`, `efs`, `ec2`, `health`. Read them as *foundations*, *storage*,
    *compute* and *checks*. Give a step the phase that matches its role (a bucket that everything is written
    to belongs in `network` or `efs`), and put checks into `health`. A phase without steps completes
    immediately. Phases do not order steps: a step starts as soon as the steps that it `needs` are done.

    Class attributes:
        name: the value of `blueprint:` in a spec, and the name of the entry point.
        version: incremented when the blueprint can no longer use specs stored by earlier versions.
        spec_model: the model of its spec, a frozen pydantic model that extends `BaseSpec`.
        iam_actions: the IAM actions of `survey` that none of its kinds declares.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    spec_model: type[Spec]
    iam_actions: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def steps(self, spec: Spec, survey: Mapping[str, Any] | None) -> Sequence[StepPlan]:
        """Return the steps of the plan.

        Args:
            survey: the result of `survey`. None in a dry run, which does not call AWS: use a placeholder
                such as `(zone 1)` for what only AWS knows.
        """

    def outputs(self, spec: Spec) -> Mapping[str, Any]:
        """Return the outputs of an active deployment; values may be or contain `ref(step, fact)`."""
        return {}

    def delete_seconds(self, spec: Spec) -> float:
        """Return how long one deletion may take once nothing uses the resource."""
        return DELETE_SECONDS

    def survey(self, cloud: Cloud, spec: Spec) -> dict[str, Any]:
        """Read what the plan depends on, and refuse a spec that cannot work before anything is created.

        Read-only. The result consists of JSON values and is passed to `steps`. Sentences under `warnings` are
        shown to the operator: what could not be checked, such as by a call that is denied.

        Raises:
            SpecError: something that the spec names does not exist or is not suitable; one line each.
            CallError: a read failed. The command retries it while AWS is busy, and explains it otherwise.
        """
        return {}

    def as_deployed(self, spec: Spec, record: Record) -> Spec:
        """Return a corrected spec (`resume --retry --spec`) with the choices made at deployment.

        A blueprint whose survey makes choices, such as zones, puts the original choices into the spec, so
        that a second survey cannot move existing resources. By default, returns the spec unchanged.
        """
        return spec

    def plan(self, spec: Spec, survey: Mapping[str, Any] | None = None) -> Plan:
        """Return the complete plan: the steps, and what every plan takes from the spec."""
        return Plan(
            blueprint=self.name,
            version=self.version,
            steps=tuple(self.steps(spec, survey)),
            tags=dict(spec.tags),
            outputs=dict(self.outputs(spec)),
            delete_seconds=self.delete_seconds(spec),
            max_attempts=spec.policy.max_attempts,
        )


def refuse_impossible(plan: Plan, registry: Registry) -> None:
    """Refuse a plan that no engine could carry out, before anything is created.

    Raises:
        Refused: a step or output is malformed, a step is of a kind or check that is not installed, or the
            steps do not fit together.
    """
    _refuse_malformed(plan)
    ordered(plan.steps)
    for step in plan.steps:
        what, known = ("check", registry.checks) if step.mode is Mode.CHECK else ("kind", registry.kinds)
        if step.kind not in known:
            raise Refused(
                f"The blueprint {plan.blueprint} plans the step {step.name} of the {what} {step.kind}, which "
                "no installed package provides in a usable form: install or correct the package that does."
            )


def _refuse_malformed(plan: Plan) -> None:
    """Refuse what the contract excludes, in words that name the blueprint: the author has to correct it."""
    faulty = f"The blueprint {plan.blueprint} is faulty"
    for step in plan.steps:
        if not isinstance(step, StepPlan):
            raise Refused(f"{faulty}: {step!r} is not a StepPlan.")
        wrong = [
            name
            for name, member in (("phase", Phase), ("mode", Mode), ("on_failure", FailureClass))
            if not isinstance(getattr(step, name), member)
        ]
        if wrong:
            raise Refused(f"{faulty}: the {wrong[0]} of step {step.name} is {getattr(step, wrong[0])!r}.")
        _refuse_values(f"{faulty}: the inputs of step {step.name}", step.inputs)
    _refuse_values(f"{faulty}: its outputs", plan.outputs)
    unknown = {at.rpartition(".")[0] for at in refs_in(plan.outputs)} - {step.name for step in plan.steps}
    if unknown:
        raise Refused(f"{faulty}: its outputs refer to {min(unknown)}, which is not a step of the plan.")


def _refuse_values(whose: str, values: Mapping[str, Any]) -> None:
    try:
        json.dumps(values)
    except (TypeError, ValueError) as error:
        raise Refused(f"{whose} are not JSON values ({error}).") from error
