"""The real command on a copy of the database from before the deployment was completed."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing

import pytest

from tests.support.command import Command
from tests.support.sweeps import OLD, failed

pytestmark = pytest.mark.promise(3)


def test_a_copy_is_refused_until_it_is_adopted(tier1: Command) -> None:
    """Whatever acts exits with 7 (a sweep with 5) and changes nothing; then all of it can be deleted."""
    id = failed(tier1)
    path = tier1.folder / "copy.db"
    with closing(sqlite3.connect(tier1.database)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)
    copy = tier1.with_(TIER1_DATABASE_URL=f"sqlite:///{path}")
    done = tier1("resume", id, "--retry", "--spec", tier1.spec("demo"), "-o", "json")
    assert (done.code, done.json["state"]) == (0, "active"), done
    (instance,) = [one["aws_id"] for one in done.json["resources"] if one["name"] == "instance"]
    copy("rollback", id, "--yes").refused(7, "This host has seen revision")
    shutil.rmtree(tier1.database.with_name("seen"))
    for command in (("rollback", id, "--yes"), ("resume", id, "--retry")):
        copy(*command).refused(7, instance, "tier1 db adopt-copy")
    assert copy("sweep", *OLD, "--yes").code == 5
    assert tier1("show", id, "-o", "json").json["state"] == "active"
    copy("db", "adopt-copy").refused(2, "--yes")
    adopted = copy("db", "adopt-copy", "--yes")
    assert adopted.code == 0, adopted
    assert instance in adopted.out
    assert copy("rollback", id, "--yes").code == 0
    assert tier1("show", id, "-o", "json").code == 0
