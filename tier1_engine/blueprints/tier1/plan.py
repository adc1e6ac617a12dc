"""The Tier 1 stack: a network, a shared file system, an instance that mounts it, and health checks.

Owns the steps, their dependencies and their inputs. `survey` reads AWS and refuses a spec that cannot
work before anything is created; `plan` is pure. Nothing here changes AWS.

    vpc ── internet-gateway ─┐
     ├──── subnet-N ─────────┴─ route-table ───────┐
     ├──── instance-security-group ────────────────┤
     └──── efs-security-group ─┐                   │
           subnet-N ───────────┴─ mount-target-N ──┼── instance ── instance-status, efs-mount, service-NAME
           file-system ────────┘                   │
           role ── instance-profile ───────────────┘

With an existing VPC there is no gateway and no route table, and `vpc` and `subnet-N` are references.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tier1_engine.aws.words import partition
from tier1_engine.blueprints.tier1.failures import class_of
from tier1_engine.blueprints.tier1.parts import Service
from tier1_engine.blueprints.tier1.spec import Spec
from tier1_engine.blueprints.tier1.survey import IAM_ACTIONS, survey
from tier1_engine.contract.blueprint import Blueprint
from tier1_engine.contract.cloud import Cloud
from tier1_engine.deployment.plan import StepPlan, ref
from tier1_engine.deployment.record import Record
from tier1_engine.deployment.states import Mode, Phase
from tier1_engine.spec.values import subnet_cidrs

NFS_PORT = 2049
MANAGED_POLICIES = ("AmazonSSMManagedInstanceCore", "AmazonElasticFileSystemClientReadWriteAccess")
"""AWS managed policies: log in by Session Manager instead of a key; mount and write EFS by IAM identity."""


class ChosenZones(tuple[str, ...]):
    """Zones that the survey chose at deployment, unlike those that the user names."""


class Tier1(Blueprint[Spec]):
    """The blueprint `tier1`."""

    name = "tier1"
    version = 1
    spec_model = Spec
    iam_actions = IAM_ACTIONS

    def survey(self, cloud: Cloud, spec: Spec) -> dict[str, Any]:
        return survey(cloud, spec)

    def steps(self, spec: Spec, survey: Mapping[str, Any] | None) -> Sequence[StepPlan]:
        """Return the steps; in a dry run, zones are placeholders."""
        site = _site(spec, survey)
        return (
            *_network(spec, site),
            *_security_groups(spec),
            *_file_system(spec, site),
            *_identity(spec),
            _instance(spec, site),
            *_health(spec),
        )

    def outputs(self, spec: Spec) -> Mapping[str, Any]:
        return _outputs(spec)

    def delete_seconds(self, spec: Spec) -> float:
        return spec.timeouts.delete

    def as_deployed(self, spec: Spec, record: Record) -> Spec:
        """Return the spec with the zones chosen at deployment, if it asks for the same number of zones.

        A survey prefers zones that offer the wanted instance types; other types must not move the subnets.
        """
        before = record.deployment.spec.get("network") or {}
        zones = tuple(
            str(step.inputs["zone"])
            for step in record.steps.values()
            if step.kind == "subnet" and "zone" in step.inputs
        )
        if not zones or isinstance(spec.network.zones, tuple) or spec.network.zones != before.get("zones"):
            return spec
        # A plan from before `zone_chosen` existed stays the same without it.
        chosen = any(step.inputs.get("zone_chosen") for step in record.steps.values())
        placed = ChosenZones(zones) if chosen else zones
        return spec.model_copy(update={"network": spec.network.model_copy(update={"zones": placed})})


@dataclass(frozen=True, slots=True)
class _Site:
    """The placement of subnets and mount targets in zones.

    Attributes:
        subnet_zones: the zone of each subnet step.
        mounts: (mount target step, subnet step, zone); AWS allows one mount target per zone.
    """

    subnet_zones: Mapping[str, str]
    mounts: tuple[tuple[str, str, str], ...]

    @property
    def subnets(self) -> tuple[str, ...]:
        return tuple(self.subnet_zones)


def _site(spec: Spec, survey: Mapping[str, Any] | None) -> _Site:
    zones: Sequence[str]
    if survey is not None:
        zones = survey["zones"]
    elif isinstance(spec.network.zones, tuple):
        zones = spec.network.zones
    else:
        zones = [f"(zone {n})" for n in range(1, spec.network.zone_count + 1)]
    subnet_zones = {f"subnet-{n}": zone for n, zone in enumerate(zones, start=1)}
    only = survey.get("file_system_zone") if survey is not None else None
    first_in: dict[str, str] = {}
    for subnet, zone in subnet_zones.items():
        if only in (None, zone):
            first_in.setdefault(zone, subnet)
    mounts = tuple(
        (f"mount-target-{n}", subnet, zone) for n, (zone, subnet) in enumerate(first_in.items(), start=1)
    )
    return _Site(subnet_zones, mounts)


def _network(spec: Spec, site: _Site) -> list[StepPlan]:
    network, vpc = spec.network, {"vpc_id": ref("vpc")}
    if network.subnet_ids is not None:
        brought = zip(site.subnets, network.subnet_ids, strict=True)
        return [
            _network_step(spec, "vpc", "vpc", {"reference": network.vpc_id}, mode=Mode.REFERENCE),
            *(
                _network_step(spec, step, "subnet", {"reference": id, **vpc}, "vpc", mode=Mode.REFERENCE)
                for step, id in brought
            ),
        ]
    blocks = subnet_cidrs(str(network.cidr), len(site.subnets))
    routes = {"gateway_id": ref("internet-gateway"), "subnet_ids": [ref(step) for step in site.subnets]}
    return [
        _network_step(spec, "vpc", "vpc", {"cidr": network.cidr}),
        _network_step(spec, "internet-gateway", "internet_gateway", vpc, "vpc"),
        *(
            _network_step(spec, step, "subnet", {**vpc, "cidr": block, "zone": zone}, "vpc")
            for (step, zone), block in zip(site.subnet_zones.items(), blocks, strict=True)
        ),
        _network_step(
            spec, "route-table", "route_table", {**vpc, **routes}, "vpc", "internet-gateway", *site.subnets
        ),
    ]


def _security_groups(spec: Spec) -> list[StepPlan]:
    ingress = [
        {
            "protocol": rule.protocol,
            "from_port": rule.port_range[0],
            "to_port": rule.port_range[1],
            "cidr": rule.cidr,
            **({"description": rule.description} if rule.description else {}),
        }
        for rule in spec.network.ingress
    ]
    from_instance = {
        "protocol": "tcp",
        "from_port": NFS_PORT,
        "to_port": NFS_PORT,
        "source_group": ref("instance-security-group"),
    }
    about = f"tier1 {spec.name}:"
    return [
        _network_step(
            spec,
            "instance-security-group",
            "security_group",
            {"vpc_id": ref("vpc"), "description": f"{about} the instance", "ingress": ingress},
            "vpc",
        ),
        _network_step(
            spec,
            "efs-security-group",
            "security_group",
            {
                "vpc_id": ref("vpc"),
                "description": f"{about} NFS from the instance only",
                "ingress": [from_instance],
            },
            "vpc",
            "instance-security-group",
        ),
    ]


def _network_step(
    spec: Spec, name: str, kind: str, inputs: Mapping[str, Any], *needs: str, mode: Mode = Mode.CREATE
) -> StepPlan:
    return StepPlan(
        name, Phase.NETWORK, kind, mode, needs, dict(inputs), deadline_seconds=spec.timeouts.network
    )


def _file_system(spec: Spec, site: _Site) -> list[StepPlan]:
    efs, limit = spec.efs, spec.timeouts.efs
    if efs.file_system_id is None:
        modes = {
            "performance_mode": efs.performance_mode,
            "throughput_mode": efs.throughput_mode,
            **_given(kms_key_id=efs.kms_key_id),
        }
        file_system = StepPlan("file-system", Phase.EFS, "file_system", inputs=modes, deadline_seconds=limit)
    else:
        file_system = StepPlan(
            "file-system",
            Phase.EFS,
            "file_system",
            Mode.REFERENCE,
            ("vpc",),
            {"reference": efs.file_system_id, "vpc_id": ref("vpc")},
            deadline_seconds=limit,
        )
    return [
        file_system,
        *(
            StepPlan(
                step,
                Phase.EFS,
                "mount_target",
                needs=("file-system", subnet, "efs-security-group"),
                inputs={
                    "file_system_id": ref("file-system"),
                    "subnet_id": ref(subnet),
                    "zone": zone,
                    "security_group_ids": [ref("efs-security-group")],
                    **_given(zone_chosen=isinstance(spec.network.zones, int | ChosenZones) or None),
                },
                deadline_seconds=limit,
            )
            for step, subnet, zone in site.mounts
        ),
    ]


def _identity(spec: Spec) -> list[StepPlan]:
    limit, brought = spec.timeouts.ec2, spec.instance.iam_profile
    if brought is not None:
        inputs = {"reference": brought}
        return [
            StepPlan("instance-profile", Phase.EC2, "instance_profile", Mode.REFERENCE, (), inputs, limit)
        ]
    policies = [f"arn:{partition(spec.region)}:iam::aws:policy/{name}" for name in MANAGED_POLICIES]
    role = {"policies": policies, **_given(permissions_boundary=spec.instance.permissions_boundary)}
    return [
        StepPlan("role", Phase.EC2, "role", inputs=role, deadline_seconds=limit),
        StepPlan(
            "instance-profile",
            Phase.EC2,
            "instance_profile",
            needs=("role",),
            inputs={"role_name": ref("role", "name")},
            deadline_seconds=limit,
        ),
    ]


def _instance(spec: Spec, site: _Site) -> StepPlan:
    wanted = spec.instance
    mounts = [step for step, _, _ in site.mounts]
    routes = () if spec.network.brought else ("route-table",)
    return StepPlan(
        "instance",
        Phase.EC2,
        "instance",
        needs=(
            *site.subnets,
            *routes,
            "instance-security-group",
            "instance-profile",
            "file-system",
            *mounts,
        ),
        inputs={
            "types": list(wanted.types),
            "market": wanted.market,
            "ami": wanted.ami,
            "subnets": [{"id": ref(step), "zone": zone} for step, zone in site.subnet_zones.items()],
            "security_group_ids": [ref("instance-security-group")],
            "profile_name": ref("instance-profile", "name"),
            "key_name": wanted.key_name,
            "root_volume_gib": wanted.root_volume_gib,
            **_given(kms_key_id=wanted.kms_key_id, capacity_reservation_id=wanted.capacity_reservation_id),
            # In an existing VPC the subnet's own setting decides.
            "associate_public_ip": not spec.network.brought,
            "user_data": {
                "script": wanted.user_data.text if wanted.user_data is not None else None,
                "file_system_id": ref("file-system"),
                "mount_path": spec.efs.mount_path,
                "mount_targets": {zone: ref(step, "ip_address") for step, _, zone in site.mounts},
                **_given(iam=spec.efs.iam or None),
            },
        },
        deadline_seconds=spec.timeouts.ec2,
    )


def _given(**inputs: Any) -> dict[str, Any]:
    """Return the inputs that the spec sets; a plan from before they existed stays the same without them."""
    return {name: value for name, value in inputs.items() if value is not None}


def _health(spec: Spec) -> list[StepPlan]:
    instance_id, wanted = {"instance_id": ref("instance")}, spec.health
    steps: list[StepPlan] = []
    if wanted.instance_status:
        steps.append(_check(spec, "instance-status", "instance_status", instance_id))
    if wanted.mount_check != "none":
        mount = {"method": wanted.mount_check, "mount_path": spec.efs.mount_path}
        steps.append(_check(spec, "efs-mount", "efs_mount", {**instance_id, **mount}))
    return [*steps, *(_service(spec, service) for service in wanted.services)]


def _service(spec: Spec, service: Service) -> StepPlan:
    kind, template = (
        ("http", {"url": service.url}) if service.url is not None else ("tcp", {"tcp": service.tcp})
    )
    addresses = {name: ref("instance", name) for name in ("public_ip", "private_ip")}
    return _check(spec, f"service-{service.name}", kind, {**template, **addresses})


def _check(spec: Spec, name: str, kind: str, inputs: Mapping[str, Any]) -> StepPlan:
    on_failure = class_of(Phase.HEALTH, kind)
    return StepPlan(
        name, Phase.HEALTH, kind, Mode.CHECK, ("instance",), dict(inputs), spec.health_seconds, on_failure
    )


def _outputs(spec: Spec) -> dict[str, Any]:
    session = ["aws", "ssm", "start-session", "--region", spec.region, "--target", ref("instance")]
    return {
        "instance_id": ref("instance"),
        "public_ip": ref("instance", "public_ip"),
        "private_ip": ref("instance", "private_ip"),
        "file_system_id": ref("file-system"),
        "mount_path": spec.efs.mount_path,
        "vpc_id": ref("vpc"),
        "ssm_session": session,
    }
