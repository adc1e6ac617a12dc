"""A stored spec is printed as YAML: the same spec without its secrets."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.rows import deployment
from tier1_engine.blueprints.tier1.spec import Spec, load_spec
from tier1_engine.cli.commands import spec_text
from tier1_engine.spec.part import durations_of

DATA = Path(__file__).parents[2] / "data"
EXAMPLES = Path(__file__).parents[4] / "examples"
ODD = """\
name: odd
region: us-east-1
tags: {answer: "yes", time: "22:30", number: "0o14", sum: "1e3", text: "a: b", empty: ""}
ttl: 90s
network: {cidr: 10.0.0.0/20, zones: [us-east-1b, us-east-1a], ingress: [{port: "8000-8010", cidr: "::/0"}]}
timeouts: {network: 3600s, delete: 1d}
health: {timeout: 61s, services: [{name: door, tcp: "{private_ip}:5432"}]}
policy: {rollback: false, on_recoverable: continue, max_attempts: 7}
"""


def as_yaml(stored: Any) -> tuple[str, list[str]]:
    return spec_text.as_yaml(stored, frozenset(durations_of(Spec)))


def of(spec: Spec, **values: Any) -> Any:
    """The deployment of a spec, as `deploy` records it without options."""
    policy = {"rollback_enabled": spec.policy.rollback, "on_recoverable": spec.policy.on_recoverable}
    return deployment(spec=spec.to_stored(), **{**policy, **values})


@pytest.mark.parametrize("path", [DATA / "contract.yaml", *sorted(EXAMPLES.glob("*.yaml"))], ids=str)
def test_it_is_the_same_spec_again(path: Path, tmp_path: Path) -> None:
    """This covers every example and the contract's; a script keeps its path."""
    folder = shutil.copytree(path.parent, tmp_path / "copy")
    spec = load_spec(folder / path.name)
    again = folder / "again.yaml"
    again.write_text(as_yaml(of(spec))[0], encoding="utf-8")
    assert load_spec(again) == spec


def test_texts_that_yaml_could_misread_are_quoted(tmp_path: Path) -> None:
    """Words, times and numbers that are text stay text."""
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(ODD, encoding="utf-8")
    text, hidden = as_yaml(of(load_spec(first)))
    second.write_text(text, encoding="utf-8")
    assert load_spec(second) == load_spec(first)
    assert hidden == []
    assert "network: 1h" in text
    assert "timeout: 61s" in text


def test_secrets_are_not_in_it_and_what_is_missing_is_reported(tmp_path: Path) -> None:
    """A script is shown as its path, and a password as three stars."""
    (tmp_path / "boot.sh").write_text("echo hidden-script\n", encoding="utf-8")
    path = tmp_path / "spec.yaml"
    service = 'services: [{name: door, url: "http://me:hidden@{public_ip}/"}]'
    path.write_text(
        f"name: demo\nregion: us-east-1\ninstance: {{user_data: boot.sh}}\nhealth: {{{service}}}\n",
        encoding="utf-8",
    )
    text, hidden = as_yaml(of(load_spec(path)))
    assert "hidden" not in text
    assert "user_data: boot.sh" in text
    assert [sentence.partition(":")[0] for sentence in hidden] == [
        "instance.user_data",
        "health.services[0].url",
    ]


def test_options_of_the_deploy_are_in_it(tmp_path: Path) -> None:
    """It is the spec as it was run."""
    path = tmp_path / "spec.yaml"
    path.write_text("name: demo\nregion: us-east-1\n", encoding="utf-8")
    text, _ = as_yaml(of(load_spec(path), rollback_enabled=False, on_recoverable="retry"))
    assert "rollback: false" in text
    assert "on_recoverable: retry" in text
