"""The contract of a blueprint: what turns a spec into a plan.

A blueprint owns the keys of its spec, their defaults, and what is checked at AWS before anything is made.
Another package adds one through the entry-point group `tier1_engine.blueprints`; the entry point's name is
the blueprint's. A spec asks for it by `blueprint: NAME`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import Registry
from tier1_engine.deployment.plan import Plan, StepPlan, ordered
from tier1_engine.deployment.record import Record
from tier1_engine.deployment.states import Mode
from tier1_engine.errors import Refused
from tier1_engine.spec.base import BaseSpec

Spec = TypeVar("Spec", bound=BaseSpec)

DELETE_SECONDS = 2_400.0


class Blueprint(ABC, Generic[Spec]):
    """One kind of stack. `name`, `spec_model` and `steps` are all that a blueprint must have.

    A blueprint holds no state, and everything but `survey` is pure: the plan is stored with the deployment,
    and resume, rollback and destroy follow the stored one, whatever the program says by then.

    **Phases.** A deployment passes through four phases, whose names are fixed because they are stored
    and shown as its states: `network`, `efs`, `ec2`, `health`. Read them as *what others stand on*,
    *storage*, *compute* and *checks*. Give a step the phase whose place it takes (a bucket that everything
    is written to stands in `network` or `efs`), and put checks into `health`. A phase without steps is
    passed at once. A phase orders nothing: a step starts as soon as the steps that it `needs` are done.

    Class attributes:
        name: what a spec says after `blueprint:`. Also the name of the entry point.
        version: raised when a plan changes in a way that a stored spec of before does not fit.
        spec_model: the model of its spec: a frozen pydantic model that extends `BaseSpec`.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    spec_model: type[Spec]

    @abstractmethod
    def steps(self, spec: Spec, survey: Mapping[str, Any] | None) -> Sequence[StepPlan]:
        """The steps of the plan.

        Args:
            survey: what `survey` answered; None for a dry run, which asks nobody: what only AWS knows is
                a placeholder then, such as `(zone 1)`.
        """

    def outputs(self, spec: Spec) -> Mapping[str, Any]:
        """What `show` prints of an active deployment; values may be `ref(step, fact)`, or hold some."""
        return {}

    def delete_seconds(self, spec: Spec) -> float:
        """How long one deletion may take once nothing uses the resource any more."""
        return DELETE_SECONDS

    def survey(self, cloud: Cloud, spec: Spec) -> dict[str, Any]:
        """Look at what the plan depends on, and refuse what cannot work before anything is made.

        Reads only. The answer is JSON values, handed to `steps`.

        Raises:
            SpecError: something that the spec names is not there or will not do; a line for each.
            CallError: a look failed; the command says what it means, and repeats it where AWS was busy.
        """
        return {}

    def as_deployed(self, spec: Spec, record: Record) -> Spec:
        """A corrected spec (`resume --retry --spec`) with the choices that were made when it was deployed.

        A blueprint whose survey chooses something (zones, say) puts the first choice into the spec here,
        so that a second survey does not choose otherwise and move what exists. By default nothing is.
        """
        return spec

    def plan(self, spec: Spec, survey: Mapping[str, Any] | None = None) -> Plan:
        """The whole plan: the steps, with what every plan takes from the spec."""
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
    """Refuse a plan that no engine could carry out, before anything is made.

    Raises:
        Refused: a step is of a kind or check that is not installed, or the steps do not fit together.
    """
    ordered(plan.steps)
    for step in plan.steps:
        what, known = ("check", registry.checks) if step.mode is Mode.CHECK else ("kind", registry.kinds)
        if step.kind not in known:
            raise Refused(
                f"The blueprint {plan.blueprint} plans the step {step.name} of the {what} {step.kind}, which "
                "no installed package provides: install the package that does."
            )
