"""The states of deployments, steps, resources and attempts. The moves between them are in `transitions`."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """The state of a deployment."""

    PENDING = "pending"
    PROVISIONING_NETWORK = "provisioning_network"
    PROVISIONING_EFS = "provisioning_efs"
    LAUNCHING_EC2 = "launching_ec2"
    HEALTH_CHECK = "health_check"
    ACTIVE = "active"
    FAILED = "failed"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    DESTROYING = "destroying"
    DESTROYED = "destroyed"


class Goal(StrEnum):
    """The target state of a deployment. It never returns to `active`."""

    ACTIVE = "active"
    ROLLED_BACK = "rolled_back"
    DESTROYED = "destroyed"


class Phase(StrEnum):
    """A phase of provisioning; a deployment's state names the earliest incomplete one."""

    NETWORK = "network"
    EFS = "efs"
    EC2 = "ec2"
    HEALTH = "health"


class Trigger(StrEnum):
    """An event that moves a deployment to another state."""

    START = "start"
    NETWORK_READY = "network_ready"
    EFS_READY = "efs_ready"
    INSTANCE_LAUNCHED = "instance_launched"
    HEALTHY = "healthy"
    FAIL = "fail"
    RETRY = "retry"
    ACCEPT = "accept"
    ROLL_BACK = "roll_back"
    ROLLED_BACK = "rolled_back"
    STALL = "stall"
    DESTROY = "destroy"
    DESTROYED = "destroyed"


class Mode(StrEnum):
    """The action of a step."""

    CREATE = "create"  # creates a resource of its kind
    REFERENCE = "reference"  # reads an existing resource of the user's, and never changes it
    CHECK = "check"  # runs a health check of its kind


class StepState(StrEnum):
    """The state of a step."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class ResourceState(StrEnum):
    """The state of an AWS object, as far as the database knows."""

    CREATING = "creating"  # the intent is committed; the object may or may not exist
    PRESENT = "present"  # ready, configured as requested
    DELETING = "deleting"  # the intent to delete is committed
    DELETED = "deleted"  # a read confirmed that it is gone
    RETAINED = "retained"  # left in place at the operator's request
    STRAY = "stray"  # a duplicate: created in addition to the step's resource; will be deleted


class Action(StrEnum):
    """The action of an attempt."""

    CREATE = "create"
    ADOPT = "adopt"
    CONFIGURE = "configure"
    DESCRIBE = "describe"
    CHECK = "check"
    ARCHIVE = "archive"
    DELETE = "delete"
    CENSUS = "census"


class Outcome(StrEnum):
    """How an attempt ended. An attempt in progress has no outcome."""

    DONE = "done"
    REFUSED = "refused"  # AWS provably did not act
    UNKNOWN = "unknown"  # AWS may have acted


class FailureClass(StrEnum):
    """The severity of a failure, which determines what follows."""

    CRITICAL = "critical"
    RECOVERABLE = "recoverable"
    BLOCKED = "blocked"


STATE_OF_PHASE: dict[Phase, State] = {
    Phase.NETWORK: State.PROVISIONING_NETWORK,
    Phase.EFS: State.PROVISIONING_EFS,
    Phase.EC2: State.LAUNCHING_EC2,
    Phase.HEALTH: State.HEALTH_CHECK,
}
PHASE_OF_STATE: dict[State, Phase] = {state: phase for phase, state in STATE_OF_PHASE.items()}
FORWARD: tuple[State, ...] = tuple(STATE_OF_PHASE.values())
ENDED: frozenset[State] = frozenset({State.ROLLED_BACK, State.DESTROYED})
GOING_BACK: frozenset[State] = frozenset({State.ROLLING_BACK, State.DESTROYING})
