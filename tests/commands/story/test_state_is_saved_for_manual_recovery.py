"""Criterion: state is saved for manual recovery: the database alone contains the whole record."""

from __future__ import annotations

from tests.support.command import Command
from tests.support.processes.proxy import Proxy
from tests.support.story import REFUSED_TYPE, failed
from tests.support.terminal import Terminal

NOWHERE = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def test_without_aws_and_without_credentials(operator: Command, line: Proxy) -> None:
    """`show`, `log`, `show --spec` and `db export` call no AWS API and print everything."""
    failed(operator)
    calls = len(line.calls)
    alone = operator.without(*KEYS).with_(**NOWHERE)
    shown = alone.show("demo")
    made = [r for r in shown["resources"] if r["aws_id"]]
    assert len(made) == 12
    table = alone.here("show", "demo").out
    log = alone.here("log", "demo").out
    for resource in made:
        assert resource["aws_id"] in table
        assert resource["aws_id"] in log
    failure = shown["failure"]
    for word in (failure["code"], failure["message"], failure["operation"], failure["request_id"]):
        assert word in table
        assert word in log
    exported = alone.here("db", "export").json["deployments"][0]
    assert exported["failure"]["code"] == failure["code"]
    assert {row["aws_id"] for row in exported["resources"]} >= {r["aws_id"] for r in made}
    assert len(exported["attempts"]) == len(alone.here("log", "demo", "-o", "json").json["attempts"])
    with Terminal(alone, "show", "demo") as terminal:
        assert terminal.end() == 0
    assert failure["code"] in terminal.screen
    assert len(line.calls) == calls

    spec = alone.here("show", "demo", "--spec")
    assert spec.code == 0
    assert f"- {REFUSED_TYPE}" in spec.out
    assert "rollback: false" in spec.out  # because of the flag: the spec is shown as it was run
    again = operator.folder / "again.yaml"
    again.write_text(spec.out.replace(REFUSED_TYPE, "t3.medium"), encoding="utf-8")
    plan = operator("deploy", str(again), "--dry-run", "-o", "json").json
    assert (plan["name"], plan["rollback_enabled"]) == ("demo", False)
    assert operator.here("show", "demo", "--spec", "-o", "json").code == 2
