"""The console of an instance: boot messages, and the marks that its user data has written so far.

Source: EC2 API reference, GetConsoleOutput (the last 64 KB; `Latest` for instances on Nitro only, else
`UnsupportedOperation`); the lines are shortened from what Amazon Linux 2023 and cloud-init print.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses.general import General

from tier1_engine.sandbox.behaviour.boot import Boot, Boots
from tier1_engine.sandbox.behaviour.patching import around, asked

XEN = re.compile(r"(t[12]|m[1-4]|c[134]|r[34]|i[23]|d2|h1|x1e?|p[23]|g3s?|f1)\.")
"""Instance types that are not built on Nitro (EC2 instance types guide)."""

KERNEL_LINES = (
    "[    0.000000] Linux version 6.1.0-amazon (mockbuild@sandbox) #1 SMP PREEMPT_DYNAMIC",
    "[    0.000000] Command line: root=UUID=sandbox ro console=tty0 console=ttyS0,115200n8",
    "[    2.412905] systemd[1]: Detected virtualization amazon.",
    "[    4.118230] systemd[1]: Reached target network.target - Network.",
)
CLOUD_INIT_LINES = (
    "[    6.870041] cloud-init[1613]: Cloud-init v. 22.2.2 running 'init'.",
    "[    9.305117] cloud-init[1655]: Cloud-init v. 22.2.2 running 'modules:config'.",
    "[   11.024386] cloud-init[1702]: Cloud-init v. 22.2.2 running 'modules:final'.",
)


def install(boots: Boots) -> None:
    """Serve console output built from the boots."""

    @around(General, "get_console_output")
    def get_console_output(before: Callable[..., Any], response: Any) -> Any:
        instance = response.ec2_backend.get_instance(asked(response, "InstanceId"))
        if asked(response, "Latest") and XEN.match(instance.instance_type):
            raise EC2ClientError(
                "UnsupportedOperation",
                "This instance type does not support retrieving the latest console logs.",
            )
        shown: dict[str, Any] = {"InstanceId": instance.id, "Timestamp": utcnow()}
        boot = boots.by_id.get(instance.id)
        if boot is not None:
            shown["Output"] = Base64EncodedString.from_raw_string(text_of(boot))
        return ActionResult(shown)


def text_of(boot: Boot) -> str:
    """The console output so far. Each mark is on a line of its own, as `userdata.sh` writes it."""
    lines = [*KERNEL_LINES]
    if boot.marks or boot.ended_at is not None:
        lines += CLOUD_INIT_LINES
    ran_at = boot.life.ran_at or 0.0
    for at, mark in boot.marks:
        lines += [mark, f"[{at - ran_at:12.6f}] cloud-init[1702]: {mark.partition(': ')[2].split()[0]} done"]
    if boot.ended_at is not None:
        up = boot.ended_at - ran_at
        lines.append(f"[{up:12.6f}] cloud-init[1702]: Cloud-init v. 22.2.2 finished. Up {up:.2f} seconds")
        lines.append("Amazon Linux 2023\nip-sandbox login: ")
    return "\n".join(lines) + "\n"
