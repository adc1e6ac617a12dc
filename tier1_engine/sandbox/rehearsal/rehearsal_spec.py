"""The spec for a rehearsal: its time-outs on the sandbox's clock, its services at the sandbox's addresses.

Owns the changes to a spec for a rehearsal, and the traits of it that change how a scenario ends. Everything
else stays as the user wrote it: network, zones, types, markets, script and checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from tier1_engine.blueprints.tier1.parts import Timeouts
from tier1_engine.blueprints.tier1.spec import load_spec
from tier1_engine.errors import Refused
from tier1_engine.sandbox.catalogue import IMAGES, RESERVATIONS
from tier1_engine.sandbox.faults.scenario import Trait
from tier1_engine.sandbox.world import MAX_FACTOR
from tier1_engine.spec.document import read_document

if TYPE_CHECKING:
    from tier1_engine.blueprints.tier1.spec import Spec

DEFAULT_SPEC: Final = Path(__file__).with_name("ai-stack.yaml")
STEP_SECONDS: Final = 20
"""Real seconds: the minimum time-out of a step in a rehearsal. A thousandth of the usual time-out would be
less than this machine needs for the calls.
"""
WAIT_SECONDS: Final = 6
"""The minimum for what scenarios make fail: a check that never passes, a deletion that is never accepted."""
LEAST_ATTEMPTS: Final = 5
"""The minimum of `max_attempts`: tier1's default, which the scenarios assume."""
LOCAL_CIDR: Final = "127.0.0.1/32"
FIRST_FREE_PORT: Final = 1024
"""Only root may listen on lower ports."""
PORT_SHIFT: Final = 20_000
"""The sandbox serves lower ports at this offset."""


class RehearsalSpec:
    """A user's spec, validated, and its form in a rehearsal.

    Args:
        path: the spec's file; the packaged one by default.
        any_ami: an image that the sandbox does not know is replaced by a stand-in.

    Attributes:
        stand_in: the image that a stand-in replaces, if any.

    Raises:
        SpecError: the spec is invalid.
        Refused: it references existing resources, which the sandbox does not have.
    """

    def __init__(self, path: Path | None = None, *, any_ami: bool = False) -> None:
        self.path = path or DEFAULT_SPEC
        self.spec = load_spec(self.path)
        _refuse_brought(self.path, self.spec)
        self.stand_in = _unknown_image(self.spec)
        if self.stand_in is not None and not any_ami:
            raise Refused(
                f"{self.path}: the local AWS does not know instance.ami {self.stand_in}: rehearse with "
                "--any-ami, which launches a stand-in, or with one of the images that docs/sandbox.md lists."
            )
        self.traits = frozenset(_traits(self.spec))

    def write(self, target: Path) -> None:
        """Write the spec of a rehearsal, private (mode 0600)."""
        import yaml

        target.touch(mode=0o600)
        target.write_text(yaml.safe_dump(self._document(), sort_keys=False), encoding="utf-8")

    def _document(self) -> dict[str, Any]:
        document = read_document(self.path).values
        instance, health = _part(document, "instance"), _part(document, "health")
        if instance.get("user_data"):
            script = Path(self.path.parent, Path(instance["user_data"]).expanduser())
            document["instance"] = {**instance, "user_data": str(script.resolve())}
        services, ports = _served(self.spec)
        document["health"] = {
            **health,
            "timeout": _shortened(self.spec.health_seconds, WAIT_SECONDS),
            "services": services,
        }
        rules = [{"port": port, "cidr": LOCAL_CIDR} for port in sorted(ports - _let_in(self.spec))]
        network = _part(document, "network")
        document["network"] = {**network, "ingress": [*(network.get("ingress") or ()), *rules]}
        document["timeouts"] = _timeouts(self.spec.timeouts)
        # The expected end of a scenario assumes that no operator intervenes.
        tries = max(LEAST_ATTEMPTS, self.spec.policy.max_attempts)
        policy = {"rollback": True, "on_recoverable": "stop", "max_attempts": tries}
        document["policy"] = {**_part(document, "policy"), **policy}
        return document


def _part(document: dict[str, Any], name: str) -> dict[str, Any]:
    return document.get(name) or {}


def _refuse_brought(path: Path, spec: Spec) -> None:
    brought = {
        "network.vpc_id": spec.network.vpc_id,
        "efs.file_system_id": spec.efs.file_system_id,
        "instance.iam_profile": spec.instance.iam_profile,
        "instance.key_name": spec.instance.key_name,
        "efs.kms_key_id": spec.efs.kms_key_id,
        "instance.kms_key_id": spec.instance.kms_key_id,
        "instance.permissions_boundary": spec.instance.permissions_boundary,
        "instance.capacity_reservation_id": spec.instance.capacity_reservation_id,
    }
    named = [f"{key} {value}" for key, value in brought.items() if value is not None and not _known(value)]
    if named:
        raise Refused(
            f"{path}: a rehearsal uses new, empty accounts, which have no {' and no '.join(named)}: "
            "rehearse a copy of the spec in which tier1 creates them."
        )


def _known(value: str) -> bool:
    """Whether every account has it: AWS's own keys and policies, and the catalogue's reservation."""
    return "alias/aws/" in value or ":iam::aws:policy/" in value or value in RESERVATIONS


def _unknown_image(spec: Spec) -> str | None:
    ami = spec.instance.ami
    return ami if ami is not None and ami.startswith("ami-") and ami not in IMAGES else None


def _timeouts(given: Timeouts) -> dict[str, str]:
    least = {"network": STEP_SECONDS, "efs": STEP_SECONDS, "ec2": STEP_SECONDS, "delete": WAIT_SECONDS}
    return {name: _shortened(getattr(given, name), seconds) for name, seconds in least.items()}


def _shortened(seconds: float, least: int) -> str:
    return f"{max(least, round(seconds / MAX_FACTOR))}s"


# --- services


def _served(spec: Spec) -> tuple[list[dict[str, str]], set[int]]:
    """The services at the instance's public address, over plain HTTP, and their ports."""
    services, ports = [], set()
    for service in spec.health.services:
        if service.url is not None:
            parts = urlsplit(service.url.replace("{public_ip}", "host").replace("{private_ip}", "host"))
            port = _free(parts.port or (443 if parts.scheme == "https" else 80))
            query = f"?{parts.query}" if parts.query else ""
            services.append({"name": service.name, "url": f"http://{{public_ip}}:{port}{parts.path}{query}"})
        else:
            port = _free(int(str(service.tcp).rpartition(":")[2]))
            services.append({"name": service.name, "tcp": f"{{public_ip}}:{port}"})
        ports.add(port)
    return services, ports


def _free(port: int) -> int:
    return port if port >= FIRST_FREE_PORT else port + PORT_SHIFT


def _let_in(spec: Spec) -> set[int]:
    """The single ports that the spec itself opens."""
    ranges = (rule.port_range for rule in spec.network.ingress if rule.protocol == "tcp")
    return {first for first, last in ranges if first == last}


# --- traits


def _traits(spec: Spec) -> Iterator[Trait]:
    console = spec.health.mount_check == "console"
    mount, services = spec.health.mount_check != "none", bool(spec.health.services)
    for trait, holds in {
        Trait.UNCHECKED: not mount and not services,
        Trait.NO_SERVICES: not services,
        Trait.SSM_CHECK: spec.health.mount_check == "ssm",
        Trait.NO_MOUNT_CHECK: not mount,
        Trait.NO_CONSOLE_CHECK: not console,
        Trait.NO_SCRIPT_CHECK: not console and not services,
        Trait.ONE_ZONE: _in_first_zone(spec),
        Trait.ONLY_SPOT: spec.instance.market == "spot",
    }.items():
        if holds:
            yield trait


def _in_first_zone(spec: Spec) -> bool:
    zones = spec.network.zones
    if isinstance(zones, tuple):
        return all(zone == f"{spec.region}a" for zone in zones)
    return zones == 1
