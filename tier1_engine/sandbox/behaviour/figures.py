"""How long things take on AWS: the table from which every delay of the sandbox is drawn.

Owns the numbers. A scenario replaces some of them by name (`figures: {mount_target.create: 720}`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tier1_engine.sandbox.world import Figure

_FIELD = "measured in the field by the maintainers"
_LIFE_CYCLE = "EC2 user guide, Instance lifecycle; waits of terraform-provider-aws's aws_instance"
_CONSISTENCY = "EC2 API reference, Eventual consistency: seconds as a rule, minutes at worst"
_IAM = "IAM user guide, Changes that I make are not always immediately visible"
_BOOT = "EC2 user guide, Run commands at launch: cloud-init runs user data at the end of the first boot"

HOUR: Final = 3600.0

FIGURES: Final[Mapping[str, Figure]] = {
    # name: least, usual and most AWS seconds
    "vpc.create": Figure(6, 8, 22, _FIELD),
    "subnet.create": Figure(2, 6, 12, _FIELD),
    "nat_gateway.create": Figure(60, 100, 240, "VPC user guide, Work with NAT gateways: minutes"),
    "nat_gateway.delete": Figure(20, 45, 120, "VPC user guide, Work with NAT gateways: minutes"),
    "file_system.create": Figure(5, 12, 30, _FIELD),
    "file_system.delete": Figure(5, 15, 60, "EFS API reference, DeleteFileSystem: a life cycle of its own"),
    "mount_target.create": Figure(60, 90, 120, _FIELD),
    "mount_target.interface": Figure(
        1, 4, 12, "EFS API reference, DescribeMountTargetSecurityGroups: only once its interface is made"
    ),
    "mount_target.delete": Figure(15, 40, 90, "EFS API reference, DeleteMountTarget: asynchronous"),
    "interface.linger": Figure(
        2, 20, 120, "hashicorp/terraform-provider-aws#10044: subnets wait for the interfaces of what is gone"
    ),
    "instance.run": Figure(6, 12, 30, _LIFE_CYCLE),
    "instance.checks": Figure(90, 130, 200, "EC2 user guide, Status checks: minutes after running"),
    "instance.dies": Figure(2, 5, 15, "EC2 user guide, Instance terminates immediately"),
    "instance.terminate": Figure(15, 35, 90, _LIFE_CYCLE),
    "instance.stop": Figure(10, 25, 60, _LIFE_CYCLE),
    "instance.shown": Figure(
        HOUR, HOUR, HOUR, "EC2 user guide, Terminate instances: visible for a while, about an hour"
    ),
    "nat_gateway.shown": Figure(HOUR, HOUR, HOUR, "VPC user guide: deleted ones are shown for an hour"),
    "profile.usable": Figure(3, 8, 15, "hashicorp/terraform#15341; IAM user guide, as below"),
    "ec2.visible": Figure(0, 0.3, 3, _CONSISTENCY),
    "ec2.vanish": Figure(0, 0.3, 3, _CONSISTENCY),
    "iam.visible": Figure(0, 0.5, 5, _IAM),
    "iam.vanish": Figure(0, 0.5, 5, _IAM),
    "boot.begin": Figure(12, 20, 40, _BOOT),
    "boot.mount": Figure(10, 25, 60, f"{_FIELD}: a file system's name resolves late; installing the helper"),
    "boot.script": Figure(2, 10, 40, _BOOT),
    "ssm.register": Figure(15, 30, 90, "Systems Manager user guide: the agent registers after it starts"),
    "ssm.command": Figure(1, 2, 5, "Systems Manager user guide, Run Command: the agent polls"),
    "service.up": Figure(20, 45, 120, "how long a container of this size takes to pull and start"),
    "service.flap": Figure(15, 30, 60, "a process that its supervisor restarts with backoff"),
}
"""Figures by name, `what.event`. `World.takes` draws from it."""
