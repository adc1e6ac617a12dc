"""Shared by the tests of `tier1 sweep`: a deployment to sweep, and the counts of its last line."""

from __future__ import annotations

from tests.support.command import Command, Result
from tests.support.forked_aws import REFUSED_TYPE
from tier1_engine.store.store import Store

OLD = ("--older-than", "0s")


def failed(tier1: Command, name: str = "demo") -> str:
    """The id of a failed deployment whose resources remain."""
    done = tier1.staged("deploy", tier1.spec(name, type=REFUSED_TYPE), "--no-rollback")
    assert done.code == 4, done
    return done.id


def summary(result: Result) -> dict[str, int]:
    (line,) = [line for line in (result.out + result.err).splitlines() if line.startswith("tier1 sweep: ")]
    return {name: int(count) for name, _, count in (word.partition("=") for word in line.split()[2:])}


def without_reply(tier1: Command, step: str) -> str:
    """The `tier1:resource` tag of a step, whose create now has no known outcome and no id on record."""
    store = Store.open(f"sqlite:///{tier1.database}")
    with store.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE attempts SET outcome = 'unknown', aws_id = NULL, settled = 1 "
            "WHERE step = ? AND action = 'create'",
            (step,),
        )
        query = "SELECT tagged_as FROM resources WHERE name = ?"
        tagged_as: str = connection.exec_driver_sql(query, (step,)).scalar_one()
    store.close()
    return tagged_as
