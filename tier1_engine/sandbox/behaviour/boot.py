"""The boot of an instance: its user data runs, mounts the file system and reports on the console.

Owns the state of a boot: the console, Systems Manager and the services all answer from it. Source:
`tier1_engine/boot/userdata.py` and `userdata.sh` for what the user data does and which marks it writes; EFS
user guide, "Mounting file systems": a mount succeeds once the zone has an available mount target.
"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from moto.efs.models import efs_backends

from tier1_engine.boot import userdata
from tier1_engine.sandbox.behaviour.agenda import Agenda
from tier1_engine.sandbox.behaviour.instances import Life, Lives
from tier1_engine.sandbox.world import World

BEGIN, MOUNTED, READY = "tier1: begin", "tier1: mounted", "tier1: ready"
FAILED = "tier1: user-data-failed {code}"
NOT_MOUNTED_CODE, SCRIPT_CODE = "302", "1"
MOUNT_TRIES = 30
MOUNT_PAUSE_SECONDS = 10.0
"""The marks that `userdata.sh` writes."""
FAILS = "fails"
"""Values in `World.wrong` for `mount` and `user_data`; a code may follow (`fails:7`)."""

_MARKS = "tier1: %s"
"""Identifies user data that writes tier1's marks."""
_SETTING = re.compile(r"^(FS|MP|SCRIPT)=(.*)$", re.MULTILINE)


@dataclass
class Boot:
    """The progress of one instance's boot.

    Attributes:
        life: its instance.
        settings: FS, MP and SCRIPT of tier1's user data; empty for any other.
        marks: AWS second and text of each mark, in order.
        mounted: whether the file system is mounted.
        ended_at: AWS second at which the user data ended; None while it runs.
        failed: whether the user data failed.
    """

    life: Life
    settings: dict[str, str] = field(default_factory=dict)
    marks: list[tuple[float, str]] = field(default_factory=list)
    mounted: bool = False
    ended_at: float | None = None
    failed: bool = False


class Boots:
    """The boots of all instances that AWS still shows, by instance id.

    Attributes:
        on_ended: called with a boot whose user data ended, successfully or not.
    """

    def __init__(self, world: World, agenda: Agenda) -> None:
        self.by_id: dict[str, Boot] = {}
        self.on_ended: list[Callable[[Boot], None]] = []
        self._world = world
        self._agenda = agenda

    def begin(self, life: Life) -> None:
        """Start the boot of an instance that is running for the first time."""
        boot = self.by_id[life.instance.id] = Boot(life, settings_of(life.instance.user_data))
        self._after("boot.begin", boot, partial(self._begin, boot))

    def forget(self, instance_id: str) -> None:
        """Remove an instance that AWS no longer shows."""
        self.by_id.pop(instance_id, None)

    def _after(self, figure: str, boot: Boot, action: Callable[[], None]) -> None:
        """Schedule the next part of a boot; it is skipped if the instance is not running then."""
        self._later(self._world.takes(figure), boot, action)

    def _later(self, seconds: float, boot: Boot, action: Callable[[], None]) -> None:
        self._agenda.after(seconds, lambda: action() if boot.life.runs else None)

    def _begin(self, boot: Boot) -> None:
        if not boot.settings:
            self._ended(boot)
            return
        self._mark(boot, BEGIN)
        self._after("boot.mount", boot, partial(self._mount, boot, MOUNT_TRIES))

    def _mount(self, boot: Boot, tries: int) -> None:
        wrong = self._world.wrong.get("mount", "")
        if not wrong.startswith(FAILS) and _can_mount(boot):
            boot.mounted = True
            self._mark(boot, MOUNTED)
            self._after("boot.script", boot, partial(self._end_script, boot))
        elif tries > 1:
            self._later(MOUNT_PAUSE_SECONDS, boot, partial(self._mount, boot, tries - 1))
        else:
            self._end(boot, _code(wrong, NOT_MOUNTED_CODE))

    def _end_script(self, boot: Boot) -> None:
        wrong = self._world.wrong.get("user_data", "")
        self._end(boot, _code(wrong, SCRIPT_CODE) if wrong.startswith(FAILS) else None)

    def _end(self, boot: Boot, code: str | None) -> None:
        boot.failed = code is not None
        self._mark(boot, READY if code is None else FAILED.format(code=code))
        self._ended(boot)

    def _ended(self, boot: Boot) -> None:
        boot.ended_at = self._agenda.now
        for tell in self.on_ended:
            tell(boot)

    def _mark(self, boot: Boot, text: str) -> None:
        boot.marks.append((self._agenda.now, text))


def install(world: World, agenda: Agenda, lives: Lives) -> Boots:
    """Boot instances that start to run."""
    boots = Boots(world, agenda)
    lives.on_running.append(boots.begin)
    lives.on_purged.append(boots.forget)
    return boots


def settings_of(user_data: Any) -> dict[str, str]:
    """The settings at the start of tier1's user data; empty for any other user data."""
    if user_data is None:
        return {}
    try:
        text = userdata.unpacked(base64.b64decode(str(user_data)))
    except ValueError:
        return {}
    if _MARKS not in text:
        return {}
    found = {name: "".join(shlex.split(value)) for name, value in _SETTING.findall(text)}
    return found if {"FS", "MP"} <= found.keys() else {}


def _can_mount(boot: Boot) -> bool:
    """Whether the file system has an available mount target in the instance's zone."""
    backend, instance = boot.life.backend, boot.life.instance
    file_system = efs_backends[backend.account_id][backend.region_name].file_systems_by_id.get(
        boot.settings["FS"]
    )
    return file_system is not None and any(
        one.life_cycle_state == "available" and one.availability_zone_name == instance.availability_zone
        for one in file_system.iter_mount_targets()
    )


def _code(wrong: str, usual: str) -> str:
    return wrong.partition(":")[2] or usual
