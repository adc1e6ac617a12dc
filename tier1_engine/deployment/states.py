"""What a deployment, a step, a resource and an attempt can be. Values only: the moves are `transitions`."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """What a deployment is."""

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
    """What is wanted of a deployment. It never returns to `active`."""

    ACTIVE = "active"
    ROLLED_BACK = "rolled_back"
    DESTROYED = "destroyed"


class Phase(StrEnum):
    """A stretch of the way to `active`; a deployment's state names the earliest incomplete one."""

    NETWORK = "network"
    EFS = "efs"
    EC2 = "ec2"
    HEALTH = "health"


class Trigger(StrEnum):
    """What makes a deployment move."""

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
    """What a step does."""

    CREATE = "create"  # makes a resource of its kind
    REFERENCE = "reference"  # looks at a resource that the user brought, and never changes it
    CHECK = "check"  # runs a health check of its kind


class StepState(StrEnum):
    """What one step of the plan is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class ResourceState(StrEnum):
    """What one AWS object is, as far as the database knows."""

    CREATING = "creating"  # the intent is on disk; it may or may not exist yet
    PRESENT = "present"  # ready, with the configuration that was wanted
    DELETING = "deleting"  # the intent to delete is on disk
    DELETED = "deleted"  # a read-back said that it is gone
    RETAINED = "retained"  # kept on the operator's word
    STRAY = "stray"  # made by us beside the one that counts; will be deleted


class Action(StrEnum):
    """What one attempt tries to do."""

    CREATE = "create"
    ADOPT = "adopt"
    CONFIGURE = "configure"
    DESCRIBE = "describe"
    CHECK = "check"
    ARCHIVE = "archive"
    DELETE = "delete"
    CENSUS = "census"


class Outcome(StrEnum):
    """How an attempt ended. One without an end yet has none."""

    DONE = "done"
    REFUSED = "refused"  # AWS provably did not act
    UNKNOWN = "unknown"  # AWS may have acted


class FailureClass(StrEnum):
    """How bad a failure is, and so what follows it."""

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
