"""The tables. No behaviour, no queries: those are in `store` and `lease`.

Invariants are named constraints here, so that no program can store a wrong state. A test compares the
migrations with this module on SQLite and on Postgres.
"""

# Annotations are objects here, not strings: SQLAlchemy would evaluate each string at every start.

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Connection,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    event,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tier1_engine.deployment.actor import Actor
from tier1_engine.deployment.failure import Error, Failure
from tier1_engine.deployment.states import (
    Action,
    FailureClass,
    Goal,
    Mode,
    Outcome,
    Phase,
    ResourceState,
    State,
    StepState,
    Trigger,
)
from tier1_engine.store.columns import CleanText, JsonDocument, JsonOf, UtcTime, one_of

SCHEMA_REVISION = "0005"
"""The newest migration. A test checks that it is alembic's head; a database must have it to be opened."""


_Json = JsonDocument(none_as_null=True)
_Key = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    """The base class of all tables."""


def _unique_where(name: str, *columns: str, where: str) -> Index:
    """Return a unique index over the rows that match `where`.

    The option for Postgres is set when a schema is created: to set it here would load that dialect at every
    start of every command.
    """
    return Index(name, *columns, unique=True, sqlite_where=text(where), info={"where": where})


_CLUSTERED = {"sqlite_with_rowid": False}
"""Table arguments: SQLite stores the rows in key order, so that the rows of one deployment are adjacent. A
turn then writes a few pages instead of one for each row and each of its indexes."""


@event.listens_for(Base.metadata, "before_create")
def _tell_postgres(metadata: MetaData, connection: Connection, **_: Any) -> None:
    if connection.dialect.name == "postgresql":
        for table in metadata.tables.values():
            for index in table.indexes:
                if "where" in index.info:
                    index.dialect_kwargs["postgresql_where"] = text(index.info["where"])


class Installation(Base):
    """This database itself: one row, created by the first migration."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="there_is_one_installation"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    database_id: Mapped[str] = mapped_column(CleanText(32))
    made_at: Mapped[datetime] = mapped_column(UtcTime)


class DeploymentRow(Base):
    """One deployment: its spec, its state, its target state, and the holder of its lease."""

    __tablename__ = "deployments"
    __table_args__ = (
        CheckConstraint("state <> 'failed' OR failure IS NOT NULL", name="failed_has_a_reason"),
        CheckConstraint(
            "state NOT IN ('rolling_back', 'rolled_back') OR goal = 'rolled_back'",
            name="rolled_back_was_the_goal",
        ),
        CheckConstraint(
            "state NOT IN ('destroying', 'destroyed') OR goal = 'destroyed'", name="destroyed_was_the_goal"
        ),
        CheckConstraint("state <> 'active' OR activated_at IS NOT NULL", name="active_knows_since_when"),
        CheckConstraint(
            "(holder IS NULL) = (lease_expires_at IS NULL)", name="a_lease_has_a_holder_and_an_end"
        ),
        _unique_where(
            "a_living_name_is_unique",
            "account_id",
            "region",
            "endpoint",
            "name",
            where="state NOT IN ('rolled_back', 'destroyed')",
        ),
        Index("deployments_by_age", "created_at"),
        Index("deployments_by_name", "name"),
    )

    id: Mapped[str] = mapped_column(CleanText(32), primary_key=True)
    name: Mapped[str] = mapped_column(CleanText(64))
    blueprint: Mapped[str] = mapped_column(CleanText(64))
    blueprint_version: Mapped[int] = mapped_column(Integer)
    region: Mapped[str] = mapped_column(CleanText(32))
    profile: Mapped[str] = mapped_column(CleanText(128))
    endpoint: Mapped[str] = mapped_column(CleanText(512))
    account_id: Mapped[str] = mapped_column(CleanText(32))
    state: Mapped[State] = one_of(State, "state", "deployment_state_is_known")
    goal: Mapped[Goal] = one_of(Goal, "goal", "goal_is_known")
    spec: Mapped[dict[str, Any]] = mapped_column(_Json)
    tags: Mapped[dict[str, str]] = mapped_column(_Json)
    output_templates: Mapped[dict[str, Any]] = mapped_column(_Json)
    delete_seconds: Mapped[float] = mapped_column(Float)
    max_attempts: Mapped[int] = mapped_column(Integer)
    rollback_enabled: Mapped[bool] = mapped_column(Boolean)
    on_recoverable: Mapped[str] = mapped_column(CleanText(16))
    failure: Mapped[Failure | None] = mapped_column(JsonOf(Failure))
    warnings: Mapped[list[str]] = mapped_column(_Json)
    outputs: Mapped[dict[str, Any]] = mapped_column(_Json)
    retain: Mapped[list[str]] = mapped_column(_Json)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    updated_at: Mapped[datetime] = mapped_column(UtcTime)
    activated_at: Mapped[datetime | None] = mapped_column(UtcTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime)
    revision: Mapped[int] = mapped_column(Integer)
    holder: Mapped[dict[str, Any] | None] = mapped_column(_Json)
    lease_term: Mapped[int] = mapped_column(Integer)
    lease_since: Mapped[datetime | None] = mapped_column(UtcTime)
    lease_expires_at: Mapped[datetime | None] = mapped_column(UtcTime)
    keep_until: Mapped[datetime | None] = mapped_column(UtcTime)
    swept_by: Mapped[str | None] = mapped_column(CleanText(32))
    tags_as_deployed: Mapped[dict[str, str] | None] = mapped_column(_Json)
    created_by: Mapped[Actor | None] = mapped_column(JsonOf(Actor))
    asked_by: Mapped[Actor | None] = mapped_column(JsonOf(Actor))
    blocked: Mapped[Failure | None] = mapped_column(JsonOf(Failure))


class StepRow(Base):
    """One step of the stored plan."""

    __tablename__ = "steps"
    __table_args__ = (
        CheckConstraint(
            "(state IN ('done', 'failed', 'skipped')) = (finished_at IS NOT NULL)",
            name="an_ended_step_knows_when",
        ),
        CheckConstraint("state <> 'failed' OR error IS NOT NULL", name="a_failed_step_has_an_error"),
        _CLUSTERED,
    )

    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    name: Mapped[str] = mapped_column(CleanText(128), primary_key=True)
    position: Mapped[int] = mapped_column(Integer)
    phase: Mapped[Phase] = one_of(Phase, "phase", "phase_is_known")
    kind: Mapped[str] = mapped_column(CleanText(64))
    mode: Mapped[Mode] = one_of(Mode, "mode", "mode_is_known")
    needs: Mapped[list[str]] = mapped_column(_Json)
    inputs: Mapped[dict[str, Any]] = mapped_column(_Json)
    deadline_seconds: Mapped[float] = mapped_column(Float)
    on_failure: Mapped[FailureClass] = one_of(FailureClass, "on_failure", "failure_class_is_known")
    state: Mapped[StepState] = one_of(StepState, "state", "step_state_is_known")
    attempts: Mapped[int] = mapped_column(Integer)
    tries: Mapped[int] = mapped_column(Integer)
    driven_seconds: Mapped[float] = mapped_column(Float)
    started_at: Mapped[datetime | None] = mapped_column(UtcTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime)
    error: Mapped[Error | None] = mapped_column(JsonOf(Error))


class ResourceRow(Base):
    """One AWS object, or the intent to create one. Its id is globally unique: 80 random bits."""

    __tablename__ = "resources"
    __table_args__ = (
        ForeignKeyConstraint(["deployment_id", "step"], ["steps.deployment_id", "steps.name"]),
        CheckConstraint(
            "aws_id IS NOT NULL OR state IN ('creating', 'deleted', 'deleting')",
            name="what_is_there_has_an_id",
        ),
        CheckConstraint("owned OR state = 'present'", name="what_was_brought_is_never_changed"),
        CheckConstraint(
            "(state = 'deleted') = (deleted_at IS NOT NULL)", name="what_is_deleted_knows_since_when"
        ),
        Index("a_resource_name_is_unique", "deployment_id", "name", unique=True),
        _unique_where(
            "one_row_for_one_object",
            "deployment_id",
            "kind",
            "aws_id",
            where="owned AND state <> 'deleted'",
        ),
        _CLUSTERED,
    )

    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    id: Mapped[str] = mapped_column(CleanText(32), primary_key=True)
    step: Mapped[str] = mapped_column(CleanText(128))
    name: Mapped[str] = mapped_column(CleanText(160))
    kind: Mapped[str] = mapped_column(CleanText(64))
    state: Mapped[ResourceState] = one_of(ResourceState, "state", "resource_state_is_known")
    owned: Mapped[bool] = mapped_column(Boolean)
    tagged_as: Mapped[str] = mapped_column(CleanText(32))
    request: Mapped[dict[str, Any]] = mapped_column(_Json)
    created_at: Mapped[datetime] = mapped_column(UtcTime)
    aws_id: Mapped[str | None] = mapped_column(CleanText(256))
    arn: Mapped[str | None] = mapped_column(CleanText(512))
    generation: Mapped[int] = mapped_column(Integer)
    candidate: Mapped[int] = mapped_column(Integer)
    facts: Mapped[dict[str, Any]] = mapped_column(_Json)
    error: Mapped[Error | None] = mapped_column(JsonOf(Error))
    driven_seconds: Mapped[float] = mapped_column(Float)
    made_at: Mapped[datetime | None] = mapped_column(UtcTime)
    deleted_at: Mapped[datetime | None] = mapped_column(UtcTime)


class AttemptRow(Base):
    """One attempt of one call."""

    __tablename__ = "attempts"
    __table_args__ = (
        CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="an_ended_attempt_has_an_outcome"),
        CheckConstraint(
            "action NOT IN ('create', 'adopt', 'delete') OR key IS NOT NULL",
            name="a_try_that_changes_something_has_a_key",
        ),
        ForeignKeyConstraint(["deployment_id", "resource_id"], ["resources.deployment_id", "resources.id"]),
        _unique_where(
            "one_open_attempt_of_a_resource",
            "resource_id",
            "action",
            where="ended_at IS NULL AND resource_id IS NOT NULL",
        ),
        _CLUSTERED,
    )

    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    id: Mapped[str] = mapped_column(CleanText(32), primary_key=True)
    step: Mapped[str] = mapped_column(CleanText(128))
    action: Mapped[Action] = one_of(Action, "action", "action_is_known")
    begun_at: Mapped[datetime] = mapped_column(UtcTime)
    term: Mapped[int] = mapped_column(Integer)
    resource_id: Mapped[str | None] = mapped_column(CleanText(32))
    key: Mapped[str | None] = mapped_column(CleanText(64))
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    outcome: Mapped[Outcome | None] = one_of(Outcome, "outcome", "outcome_is_known")
    operation: Mapped[str | None] = mapped_column(CleanText(128))
    code: Mapped[str | None] = mapped_column(CleanText(256))
    message: Mapped[str | None] = mapped_column(CleanText())
    request_id: Mapped[str | None] = mapped_column(CleanText(128))
    aws_id: Mapped[str | None] = mapped_column(CleanText(256))
    settled: Mapped[bool] = mapped_column(Boolean)


class EventRow(Base):
    """One line of the timeline; that of a transition is written in the same transaction."""

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint("(trigger IS NULL) = (to_state IS NULL)", name="a_move_names_where_it_led"),
        Index("events_by_deployment", "deployment_id", "id"),
    )

    id: Mapped[int] = mapped_column(_Key, primary_key=True, autoincrement=True)
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id"))
    at: Mapped[datetime] = mapped_column(UtcTime)
    trigger: Mapped[Trigger | None] = one_of(Trigger, "trigger", "trigger_is_known")
    from_state: Mapped[State | None] = one_of(State, "from_state", "from_state_is_known")
    to_state: Mapped[State | None] = one_of(State, "to_state", "to_state_is_known")
    step: Mapped[str | None] = mapped_column(CleanText(128))
    message: Mapped[str] = mapped_column(CleanText())
    sweep_id: Mapped[str | None] = mapped_column(CleanText(32))  # the sweep that asked for it
    actor: Mapped[Actor | None] = mapped_column(JsonOf(Actor))


class ConsoleRow(Base):
    """The console output of an instance, saved before tier1 terminated it."""

    __tablename__ = "consoles"
    __table_args__ = (
        ForeignKeyConstraint(["deployment_id", "resource_id"], ["resources.deployment_id", "resources.id"]),
    )

    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id"), primary_key=True)
    resource_id: Mapped[str] = mapped_column(CleanText(32), primary_key=True)
    captured_at: Mapped[datetime] = mapped_column(UtcTime)
    text: Mapped[str] = mapped_column(CleanText())


class SweepRow(Base):
    """One sweep: its plan, and the result of each item."""

    __tablename__ = "sweeps"
    __table_args__ = (
        CheckConstraint("(ended_at IS NULL) = (exit_code IS NULL)", name="an_ended_sweep_has_a_code"),
        Index("sweeps_by_age", "begun_at"),
    )

    id: Mapped[str] = mapped_column(CleanText(32), primary_key=True)
    begun_at: Mapped[datetime] = mapped_column(UtcTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime)
    host: Mapped[str] = mapped_column(CleanText(256))
    pid: Mapped[int] = mapped_column(Integer)
    plan: Mapped[dict[str, Any]] = mapped_column(_Json)
    results: Mapped[list[dict[str, Any]]] = mapped_column(_Json)
    marked: Mapped[int] = mapped_column(Integer)
    deleted: Mapped[int] = mapped_column(Integer)
    skipped: Mapped[int] = mapped_column(Integer)
    remained: Mapped[int] = mapped_column(Integer)
    reported: Mapped[int] = mapped_column(Integer)
    exit_code: Mapped[int | None] = mapped_column(Integer)
