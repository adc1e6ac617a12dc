"""The real command on a copy of the database from before the deployment was completed."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.account import standing
from tests.support.command import Command
from tests.support.processes.proxy import Call, Proxy, passes
from tests.support.sweeps import OLD, failed

pytestmark = pytest.mark.promise(3)


def copied(database: Path, path: Path) -> None:
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)


def test_a_backup_from_before_the_first_resource_deletes_all_of_them(
    operator: Command, line: Proxy, aws: str
) -> None:
    """It is adopted, as docs/backup.md says: also mount targets, which have no tags of their own."""
    path = operator.folder / "backup.db"

    def back_up(call: Call) -> None:
        if call.operation == "CreateVpc" and not path.exists():
            copied(operator.database, path)

    line.rule = back_up
    assert operator("deploy", operator.spec()).code == 0
    line.rule = passes
    shutil.rmtree(operator.database.with_name("seen"))
    backup = operator.with_(TIER1_DATABASE_URL=f"sqlite:///{path}")
    adopted = backup("db", "adopt-copy", "--yes")
    assert (adopted.code, adopted.out.count("fsmt-")) == (0, 2), adopted
    done = backup("rollback", "demo", "--yes")
    assert (done.code, standing(aws)) == (0, {}), done


def test_a_copy_is_refused_until_it_is_adopted(tier1: Command) -> None:
    """Whatever acts exits with 7 (a sweep with 5) and changes nothing; then all of it can be deleted."""
    id = failed(tier1)
    path = tier1.folder / "copy.db"
    copied(tier1.database, path)
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
