"""How a rehearsal adapts a user's spec, and which traits change a scenario's end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tier1_engine.blueprints.tier1.spec import Spec, load_spec
from tier1_engine.errors import Refused, SpecError
from tier1_engine.sandbox.faults.scenario import Trait
from tier1_engine.sandbox.rehearsal.rehearsal_spec import DEFAULT_SPEC, RehearsalSpec

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
HEAD = "name: mine\nregion: us-east-1\n"


def rehearsed(tmp_path: Path, text: str) -> tuple[RehearsalSpec, Spec]:
    """A spec, and its adaptation for a rehearsal."""
    path = tmp_path / "mine.yaml"
    path.write_text(HEAD + text)
    one = RehearsalSpec(path)
    target = tmp_path / "elsewhere" / "spec.yaml"
    target.parent.mkdir()
    one.write(target)
    return one, load_spec(target)


def without(spec: Spec, *parts: str) -> dict[str, Any]:
    return {name: value for name, value in spec.to_stored().items() if name not in parts}


@pytest.mark.parametrize("path", [DEFAULT_SPEC, *sorted(EXAMPLES.glob("[ams]*.yaml"))], ids=lambda p: p.name)
def test_all_but_times_services_and_policy_stays_as_written(tmp_path: Path, path: Path) -> None:
    """Network, file system, types, markets, tags and script are rehearsed unchanged."""
    one = RehearsalSpec(path)
    one.write(tmp_path / "spec.yaml")
    there = load_spec(tmp_path / "spec.yaml")
    changed = ("network", "health", "timeouts", "policy", "instance")
    assert without(there, *changed) == without(one.spec, *changed)
    assert there.network.zones == one.spec.network.zones
    assert there.network.ingress[: len(one.spec.network.ingress)] == one.spec.network.ingress
    script, scripted = one.spec.instance.user_data, there.instance.user_data
    assert (script and script.text) == (scripted and scripted.text)


def test_a_script_beside_the_spec_is_found_from_elsewhere(tmp_path: Path) -> None:
    """A path in a spec is relative to its folder."""
    (tmp_path / "boot.sh").write_text("#!/bin/sh\necho mine\n")
    _, there = rehearsed(tmp_path, "instance: {user_data: ./boot.sh}\n")
    assert there.instance.user_data is not None
    assert there.instance.user_data.text == "#!/bin/sh\necho mine\n"


def test_times_are_scaled_but_never_too_short_for_this_machine(tmp_path: Path) -> None:
    """They are a thousandth, with a minimum."""
    _, there = rehearsed(tmp_path, "timeouts: {efs: 12h, network: 10m, delete: 40m}\nhealth: {timeout: 3h}\n")
    assert there.timeouts.efs == 43
    assert (there.timeouts.network, there.timeouts.ec2, there.timeouts.delete) == (20, 20, 6)
    assert there.health_seconds == 11


def test_services_are_checked_where_the_sandbox_serves_them(tmp_path: Path) -> None:
    """They are at the public address, in plain HTTP, on unprivileged ports that are let in."""
    services = """\
network: {ingress: [{port: 8080, cidr: 203.0.113.0/24}, {port: 9000-9999, cidr: 203.0.113.0/24}]}
health:
  services:
    - {name: web, url: "https://{public_ip}/healthz?deep=1"}
    - {name: app, url: "http://{private_ip}:8080/"}
    - {name: far, url: "https://status.example.com:9443/x"}
    - {name: db, tcp: "{private_ip}:5432"}
"""
    _, there = rehearsed(tmp_path, services)
    assert [(one.name, one.url or one.tcp) for one in there.health.services] == [
        ("web", "http://{public_ip}:20443/healthz?deep=1"),
        ("app", "http://{public_ip}:8080/"),
        ("far", "http://{public_ip}:9443/x"),
        ("db", "{public_ip}:5432"),
    ]
    # A wide range is for clients; the sandbox serves only single ports.
    assert [rule.port for rule in there.network.ingress] == ["8080", "9000-9999", "5432", "9443", "20443"]


def test_no_policy_of_the_spec_changes_how_a_scenario_ends(tmp_path: Path) -> None:
    """A failed service stops, a critical failure is rolled back, and a call has enough attempts."""
    text = "policy: {rollback: false, on_recoverable: continue, max_attempts: 2}\n"
    _, there = rehearsed(tmp_path, text)
    assert (there.policy.rollback, there.policy.on_recoverable, there.policy.max_attempts) == (
        True,
        "stop",
        5,
    )


@pytest.mark.parametrize(
    ("text", "traits"),
    [
        ("", {Trait.NO_SERVICES}),
        ("network: {zones: 1}\n", {Trait.NO_SERVICES, Trait.ONE_ZONE}),
        ("network: {zones: [us-east-1a]}\n", {Trait.NO_SERVICES, Trait.ONE_ZONE}),
        ("network: {zones: [us-east-1b]}\n", {Trait.NO_SERVICES}),
        ("instance: {market: spot}\n", {Trait.NO_SERVICES, Trait.ONLY_SPOT}),
        (
            "health: {mount_check: ssm}\n",
            {Trait.NO_SERVICES, Trait.SSM_CHECK, Trait.NO_CONSOLE_CHECK, Trait.NO_SCRIPT_CHECK},
        ),
        (
            "health: {mount_check: none}\n",
            {
                Trait.NO_SERVICES,
                Trait.NO_MOUNT_CHECK,
                Trait.NO_CONSOLE_CHECK,
                Trait.NO_SCRIPT_CHECK,
                Trait.UNCHECKED,
            },
        ),
        (
            'health: {mount_check: none, services: [{name: a, tcp: "{public_ip}:1"}]}\n',
            {Trait.NO_MOUNT_CHECK, Trait.NO_CONSOLE_CHECK},
        ),
    ],
)
def test_the_traits_are_those_of_the_spec(tmp_path: Path, text: str, traits: set[Trait]) -> None:
    """Each changes the end of at least one scenario."""
    assert rehearsed(tmp_path, text)[0].traits == traits


def test_the_included_spec_has_what_every_scenario_affects() -> None:
    """So each ends on it as its file says by default."""
    assert RehearsalSpec().traits == frozenset()


def test_resources_of_the_user_cannot_be_rehearsed() -> None:
    """The sandbox is empty: the refusal names everything that it lacks."""
    with pytest.raises(
        Refused, match=r"no network\.vpc_id vpc-.* and no instance\.key_name research: rehearse"
    ):
        RehearsalSpec(EXAMPLES / "bring-your-own.yaml")


def test_an_invalid_spec_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """The message has file and line, as everywhere."""
    with pytest.raises(SpecError, match=r"mine\.yaml:3: instanc is not a key of a spec"):
        rehearsed(tmp_path, "instanc: {}\n")
