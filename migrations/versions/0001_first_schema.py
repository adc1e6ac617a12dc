"""The first schema: deployments, steps, resources, attempts, events, consoles, and the database's own id.

Revision: 0001, after none.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

DEPLOYMENT_STATES = [
    "pending",
    "provisioning_network",
    "provisioning_efs",
    "launching_ec2",
    "health_check",
    "active",
    "failed",
    "rolling_back",
    "rolled_back",
    "destroying",
    "destroyed",
]


def _json() -> sa.types.TypeEngine[Any]:
    return sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def _time() -> sa.types.TypeEngine[Any]:
    return sa.String(32).with_variant(sa.DateTime(timezone=True), "postgresql")


def _one_of(column: str, values: list[str], claim: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(
        column,
        sa.String(length=32),
        sa.CheckConstraint(" OR ".join(f"{column} = '{value}'" for value in values), name=claim),
        nullable=nullable,
    )


def upgrade() -> None:
    op.create_table(
        "deployments",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("blueprint", sa.String(length=64), nullable=False),
        sa.Column("blueprint_version", sa.Integer(), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("profile", sa.String(length=128), nullable=False),
        sa.Column("endpoint", sa.String(length=512), nullable=False),
        sa.Column("account_id", sa.String(length=32), nullable=False),
        _one_of("state", DEPLOYMENT_STATES, "deployment_state_is_known"),
        _one_of("goal", ["active", "rolled_back", "destroyed"], "goal_is_known"),
        sa.Column("spec", _json(), nullable=False),
        sa.Column("tags", _json(), nullable=False),
        sa.Column("output_templates", _json(), nullable=False),
        sa.Column("delete_seconds", sa.Float(), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("rollback_enabled", sa.Boolean(), nullable=False),
        sa.Column("on_recoverable", sa.String(length=16), nullable=False),
        sa.Column("failure", _json(), nullable=True),
        sa.Column("warnings", _json(), nullable=False),
        sa.Column("outputs", _json(), nullable=False),
        sa.Column("retain", _json(), nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("updated_at", _time(), nullable=False),
        sa.Column("activated_at", _time(), nullable=True),
        sa.Column("finished_at", _time(), nullable=True),
        sa.Column("expires_at", _time(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("holder", _json(), nullable=True),
        sa.Column("lease_term", sa.Integer(), nullable=False),
        sa.Column("lease_since", _time(), nullable=True),
        sa.Column("lease_expires_at", _time(), nullable=True),
        sa.CheckConstraint("state <> 'active' OR activated_at IS NOT NULL", name="active_knows_since_when"),
        sa.CheckConstraint("state <> 'failed' OR failure IS NOT NULL", name="failed_has_a_reason"),
        sa.CheckConstraint(
            "state NOT IN ('destroying', 'destroyed') OR goal = 'destroyed'", name="destroyed_was_the_goal"
        ),
        sa.CheckConstraint(
            "state NOT IN ('rolling_back', 'rolled_back') OR goal = 'rolled_back'",
            name="rolled_back_was_the_goal",
        ),
        sa.CheckConstraint(
            "(holder IS NULL) = (lease_expires_at IS NULL)", name="a_lease_has_a_holder_and_an_end"
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "a_living_name_is_unique",
        "deployments",
        ["account_id", "region", "endpoint", "name"],
        unique=True,
        sqlite_where=sa.text("state NOT IN ('rolled_back', 'destroyed')"),
        postgresql_where=sa.text("state NOT IN ('rolled_back', 'destroyed')"),
    )
    op.create_index("deployments_by_age", "deployments", ["created_at"], unique=False)
    op.create_index("deployments_by_name", "deployments", ["name"], unique=False)
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("database_id", sa.String(length=32), nullable=False),
        sa.Column("made_at", _time(), nullable=False),
        sa.CheckConstraint("id = 1", name="there_is_one_installation"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "events",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("deployment_id", sa.String(length=32), nullable=False),
        sa.Column("at", _time(), nullable=False),
        _one_of(
            "trigger",
            [
                "start",
                "network_ready",
                "efs_ready",
                "instance_launched",
                "healthy",
                "fail",
                "retry",
                "accept",
                "roll_back",
                "rolled_back",
                "stall",
                "destroy",
                "destroyed",
            ],
            "trigger_is_known",
            nullable=True,
        ),
        _one_of("from_state", DEPLOYMENT_STATES, "from_state_is_known", nullable=True),
        _one_of("to_state", DEPLOYMENT_STATES, "to_state_is_known", nullable=True),
        sa.Column("step", sa.String(length=128), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.CheckConstraint("(trigger IS NULL) = (to_state IS NULL)", name="a_move_names_where_it_led"),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["deployments.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("events_by_deployment", "events", ["deployment_id", "id"], unique=False)
    op.create_table(
        "steps",
        sa.Column("deployment_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        _one_of("phase", ["network", "efs", "ec2", "health"], "phase_is_known"),
        sa.Column("kind", sa.String(length=64), nullable=False),
        _one_of("mode", ["create", "reference", "check"], "mode_is_known"),
        sa.Column("needs", _json(), nullable=False),
        sa.Column("inputs", _json(), nullable=False),
        sa.Column("deadline_seconds", sa.Float(), nullable=False),
        _one_of("on_failure", ["critical", "recoverable", "blocked"], "failure_class_is_known"),
        _one_of("state", ["waiting", "running", "done", "failed", "skipped"], "step_state_is_known"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("driven_seconds", sa.Float(), nullable=False),
        sa.Column("started_at", _time(), nullable=True),
        sa.Column("finished_at", _time(), nullable=True),
        sa.Column("error", _json(), nullable=True),
        sa.CheckConstraint(
            "(state IN ('done', 'failed', 'skipped')) = (finished_at IS NOT NULL)",
            name="an_ended_step_knows_when",
        ),
        sa.CheckConstraint("state <> 'failed' OR error IS NOT NULL", name="a_failed_step_has_an_error"),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["deployments.id"],
        ),
        sa.PrimaryKeyConstraint("deployment_id", "name"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "resources",
        sa.Column("deployment_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("step", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        _one_of(
            "state",
            ["creating", "present", "deleting", "deleted", "retained", "stray"],
            "resource_state_is_known",
        ),
        sa.Column("owned", sa.Boolean(), nullable=False),
        sa.Column("tagged_as", sa.String(length=32), nullable=False),
        sa.Column("request", _json(), nullable=False),
        sa.Column("created_at", _time(), nullable=False),
        sa.Column("aws_id", sa.String(length=256), nullable=True),
        sa.Column("arn", sa.String(length=512), nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("candidate", sa.Integer(), nullable=False),
        sa.Column("facts", _json(), nullable=False),
        sa.Column("error", _json(), nullable=True),
        sa.Column("driven_seconds", sa.Float(), nullable=False),
        sa.Column("made_at", _time(), nullable=True),
        sa.Column("deleted_at", _time(), nullable=True),
        sa.CheckConstraint(
            "(state = 'deleted') = (deleted_at IS NOT NULL)", name="what_is_deleted_knows_since_when"
        ),
        sa.CheckConstraint(
            "aws_id IS NOT NULL OR state IN ('creating', 'deleted', 'deleting')",
            name="what_is_there_has_an_id",
        ),
        sa.CheckConstraint("owned OR state = 'present'", name="what_was_brought_is_never_changed"),
        sa.ForeignKeyConstraint(
            ["deployment_id", "step"],
            ["steps.deployment_id", "steps.name"],
        ),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["deployments.id"],
        ),
        sa.PrimaryKeyConstraint("deployment_id", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index("a_resource_name_is_unique", "resources", ["deployment_id", "name"], unique=True)
    op.create_index(
        "one_row_for_one_object",
        "resources",
        ["deployment_id", "kind", "aws_id"],
        unique=True,
        sqlite_where=sa.text("owned AND state <> 'deleted'"),
        postgresql_where=sa.text("owned AND state <> 'deleted'"),
    )
    op.create_table(
        "attempts",
        sa.Column("deployment_id", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("step", sa.String(length=128), nullable=False),
        _one_of(
            "action",
            ["create", "adopt", "configure", "describe", "check", "archive", "delete", "census"],
            "action_is_known",
        ),
        sa.Column("begun_at", _time(), nullable=False),
        sa.Column("term", sa.Integer(), nullable=False),
        sa.Column("resource_id", sa.String(length=32), nullable=True),
        sa.Column("key", sa.String(length=64), nullable=True),
        sa.Column("ended_at", _time(), nullable=True),
        _one_of("outcome", ["done", "refused", "unknown"], "outcome_is_known", nullable=True),
        sa.Column("operation", sa.String(length=128), nullable=True),
        sa.Column("code", sa.String(length=256), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.Column("aws_id", sa.String(length=256), nullable=True),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "action NOT IN ('create', 'adopt', 'delete') OR key IS NOT NULL",
            name="a_try_that_changes_something_has_a_key",
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name="an_ended_attempt_has_an_outcome"),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["deployments.id"],
        ),
        sa.ForeignKeyConstraint(
            ["deployment_id", "resource_id"],
            ["resources.deployment_id", "resources.id"],
        ),
        sa.PrimaryKeyConstraint("deployment_id", "id"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "one_open_attempt_of_a_resource",
        "attempts",
        ["resource_id", "action"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL AND resource_id IS NOT NULL"),
        postgresql_where=sa.text("ended_at IS NULL AND resource_id IS NOT NULL"),
    )
    op.create_table(
        "consoles",
        sa.Column("deployment_id", sa.String(length=32), nullable=False),
        sa.Column("resource_id", sa.String(length=32), nullable=False),
        sa.Column("captured_at", _time(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deployment_id"],
            ["deployments.id"],
        ),
        sa.ForeignKeyConstraint(
            ["deployment_id", "resource_id"],
            ["resources.deployment_id", "resources.id"],
        ),
        sa.PrimaryKeyConstraint("deployment_id", "resource_id"),
    )

    installation = sa.table(
        "installation", sa.column("id"), sa.column("database_id"), sa.column("made_at", _time())
    )
    now = datetime.now(UTC)
    made_at = now if op.get_bind().dialect.name == "postgresql" else now.isoformat(timespec="microseconds")
    op.bulk_insert(installation, [{"id": 1, "database_id": secrets.token_hex(8), "made_at": made_at}])


def downgrade() -> None:
    raise NotImplementedError("Schemas only go forward; a copy was put beside the file before the upgrade.")
