"""Shared by the tests of `tier1 sweep`: a deployment to sweep, and the counts of its last line."""

from __future__ import annotations

from tests.support.command import Command, Result
from tests.support.forked_aws import REFUSED_TYPE

OLD = ("--older-than", "0s")


def failed(tier1: Command, name: str = "demo") -> str:
    """The id of a failed deployment whose resources remain."""
    done = tier1.staged("deploy", tier1.spec(name, type=REFUSED_TYPE), "--no-rollback")
    assert done.code == 4, done
    return done.id


def summary(result: Result) -> dict[str, int]:
    (line,) = [line for line in (result.out + result.err).splitlines() if line.startswith("tier1 sweep: ")]
    return {name: int(count) for name, _, count in (word.partition("=") for word in line.split()[2:])}
