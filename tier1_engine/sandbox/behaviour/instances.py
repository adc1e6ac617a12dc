"""Life cycle of an instance: pending, running, shutting-down, terminated, shown for about an hour, gone.

Owns the times of the transitions. The boot (`boot`) and the services (`services`) follow the life cycle.
Source: EC2 user guide, "Instance lifecycle", "Status checks for your instances", "Terminate instances", and
"Instance terminates immediately" for an instance that terminates by itself.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.exceptions import EC2ClientError, InvalidSecurityGroupNotFoundError
from moto.ec2.models.instances import Instance, InstanceBackend, StateReason

from tier1_engine.sandbox.behaviour.agenda import Agenda
from tier1_engine.sandbox.behaviour.interfaces import Interfaces
from tier1_engine.sandbox.behaviour.keys import opens_volumes
from tier1_engine.sandbox.behaviour.patching import around, put
from tier1_engine.sandbox.behaviour.tags import forget
from tier1_engine.sandbox.world import World

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
DIES = "dies:"
"""Prefix in `World.wrong["instance"]`, before the state reason code of an instance that terminates
by itself.
"""
BY_USER = "Client.UserInitiatedShutdown"
KEY_REFUSED = "Client.InternalError"
REASONS = {
    BY_USER: "User initiated shutdown",
    "Client.VolumeLimitExceeded": "Volume limit exceeded",
    "Client.InternalError": "Client error on launch",
    "Client.InvalidSnapshot.NotFound": "The specified snapshot was not found",
    "Server.InternalError": "Internal error on launch",
    "Server.InsufficientInstanceCapacity": "There was insufficient capacity available",
    "Server.SpotInstanceTermination": "Spot instance termination",
}
"""Source: `StateReason` in botocore's ec2 model."""


@dataclass
class Life:
    """The life cycle of one instance.

    Attributes:
        step: the number of its transitions; a superseded transition is skipped.
        ran_at: AWS second at which it was first running.
        checks_pass_at: AWS second from which its status checks pass.
    """

    backend: Any
    instance: Any
    reservation: Any
    step: int = 0
    ran_at: float | None = None
    checks_pass_at: float | None = None

    @property
    def runs(self) -> bool:
        """Whether it is running now."""
        return bool(self.instance.state == "running")

    def become(self, state: str) -> None:
        """Change the state to `state`."""
        shown = self.instance.instance_state
        shown.name, shown.code = state, CODES[state]


class Lives:
    """All instances that AWS still shows, by id.

    Attributes:
        on_running: called with the life cycle of an instance that starts to run.
        on_ended: called with the life cycle of an instance that is terminated now.
        on_purged: called with the id of an instance that is no longer shown.
    """

    def __init__(
        self, world: World, agenda: Agenda, interfaces: Interfaces, terminate_at_once: Callable[[Any], Any]
    ) -> None:
        self.by_id: dict[str, Life] = {}
        self.on_running: list[Callable[[Life], None]] = []
        self.on_ended: list[Callable[[Life], None]] = []
        self.on_purged: list[Callable[[str], None]] = []
        self._world = world
        self._agenda = agenda
        self._interfaces = interfaces
        self._terminate_at_once = terminate_at_once

    def begin(self, backend: Any, reservation: Any) -> None:
        """Begin a launch: pending, then terminated by itself if the scenario says so."""
        fate = self._world.wrong.get("instance", "")
        for instance in reservation.instances:
            life = self.by_id[instance.id] = Life(backend, instance, reservation)
            life.become("pending")
            if fate.startswith(DIES):
                self._then(life, "instance.dies", partial(self._end, life, fate.removeprefix(DIES)))
            elif not opens_volumes(backend, instance):
                self._then(life, "instance.dies", partial(self._end, life, KEY_REFUSED))
            else:
                self._then(life, "instance.run", partial(self._run, life))

    def start(self, life: Life) -> Any:
        """Start a stopped instance.

        Raises:
            EC2ClientError: the instance is not stopped.
        """
        before = copy.copy(life.instance.instance_state)
        if before.name not in ("pending", "running", "stopped"):
            raise _incorrect_state(life.instance, "started")
        if before.name == "stopped":
            life.become("pending")
            life.instance.state_reason = StateReason()
            self._then(life, "instance.run", partial(self._run, life))
        return before

    def stop(self, life: Life, release: Callable[[], None]) -> Any:
        """Stop an instance; `release` performs moto's part.

        Raises:
            EC2ClientError: the instance is being terminated.
        """
        before = copy.copy(life.instance.instance_state)
        if before.name in ("shutting-down", "terminated"):
            raise _incorrect_state(life.instance, "stopped")
        if before.name in ("pending", "running"):
            life.become("stopping")
            self._then(life, "instance.stop", release)
        return before

    def terminate(self, life: Life) -> Any:
        """Terminate an instance; repeating it succeeds."""
        before = copy.copy(life.instance.instance_state)
        if before.name not in ("shutting-down", "terminated"):
            life.become("shutting-down")
            _explain(life.instance, BY_USER)
            self._then(life, "instance.terminate", partial(self._end, life, BY_USER))
        return before

    def checks(self, instance: Any) -> dict[str, Any]:
        """The status check of an instance, as DescribeInstanceStatus shows it."""
        life = self.by_id.get(instance.id)
        if life is None or not life.runs:
            return {"Status": "not-applicable"}
        passed = life.checks_pass_at is not None and self._agenda.now >= life.checks_pass_at
        word, detail = ("ok", "passed") if passed else ("initializing", "initializing")
        return {"Status": word, "Details": [{"Name": "reachability", "Status": detail}]}

    def _then(self, life: Life, figure: str, action: Callable[[], None]) -> None:
        """Schedule the next transition; it is skipped if another one supersedes it."""
        life.step += 1
        step = life.step

        def unless_superseded() -> None:
            if life.step == step:
                action()

        self._agenda.after(self._world.takes(figure), unless_superseded)

    def _run(self, life: Life) -> None:
        life.become("running")
        life.checks_pass_at = self._agenda.now + self._world.takes("instance.checks")
        for interface in life.instance.nics.values():
            interface.start()
        if life.ran_at is None:
            life.ran_at = self._agenda.now
            for tell in self.on_running:
                tell(life)

    def _end(self, life: Life, code: str) -> None:
        self._take_down(life)
        _explain(life.instance, code)
        for tell in self.on_ended:
            tell(life)
        life.step += 1
        self._agenda.after(self._world.takes("instance.shown"), partial(self._purge, life))

    def _take_down(self, life: Life) -> None:
        """Perform moto's part of a termination, except that the interfaces remain for a while."""
        instance = life.instance
        attached = list(instance.nics.values())
        ending = [one for one in attached if one.delete_on_termination]
        for one in ending:
            one.delete_on_termination = False
        self._terminate_at_once(instance)
        for one in attached:
            if one in ending:
                one.delete_on_termination = True
                self._interfaces.linger(life.backend, one)
            else:
                one.instance, one.attachment_id, one.status = None, None, "available"

    def _purge(self, life: Life) -> None:
        instances = life.reservation.instances
        instances.remove(life.instance)
        if not instances:
            life.backend.reservations.pop(life.reservation.id, None)
        del self.by_id[life.instance.id]
        forget(life.backend, life.instance.id)
        for tell in self.on_purged:
            tell(life.instance.id)


def install(world: World, agenda: Agenda, interfaces: Interfaces) -> Lives:
    """Give instances their life cycles."""
    lives = Lives(world, agenda, interfaces, Instance.terminate)
    _launches(lives)
    _transitions(lives)
    put(Instance, "instance_status", property(lives.checks))
    put(Instance, "system_status", property(lives.checks))
    put(Instance, "network_interfaces", property(_interfaces))
    return lives


def _launches(lives: Lives) -> None:
    @around(InstanceBackend, "run_instances")
    def run_instances(before: Callable[..., Any], backend: Any, *given: Any, **named: Any) -> Any:
        asked = named.get("nics") or []
        _refuse_unknown_groups(backend, asked)
        known = set(backend.reservations)
        try:
            reservation = before(backend, *given, **named)
        finally:
            # moto keeps the empty reservation of a refused launch.
            for made in set(backend.reservations) - known:
                if not backend.reservations[made].instances:
                    del backend.reservations[made]
        for instance in reservation.instances:
            _finish_interfaces(instance, asked, (named.get("tags") or {}).get("network-interface", {}))
        lives.begin(backend, reservation)
        return reservation


def _transitions(lives: Lives) -> None:
    @around(Instance, "start")
    def start(before: Callable[..., Any], instance: Any) -> Any:
        return lives.start(lives.by_id[instance.id])

    @around(Instance, "stop")
    def stop(before: Callable[..., Any], instance: Any) -> Any:
        return lives.stop(lives.by_id[instance.id], lambda: before(instance))

    @around(Instance, "terminate")
    def terminate(before: Callable[..., Any], instance: Any) -> Any:
        return lives.terminate(lives.by_id[instance.id])

    @around(Instance, "reboot")
    def reboot(before: Callable[..., None], instance: Any) -> None:
        if not instance.is_running():
            raise _incorrect_state(instance, "rebooted")


def _refuse_unknown_groups(backend: Any, interfaces: Any) -> None:
    """Refuse unknown groups, which moto would create."""
    for interface in interfaces:
        for group_id in interface.get("Groups") or ():
            if backend.get_security_group_from_id(group_id) is None:
                raise InvalidSecurityGroupNotFoundError(group_id)


def _finish_interfaces(instance: Any, asked: Sequence[Mapping[str, Any]], tags: Mapping[str, str]) -> None:
    """Complete the interfaces of a launch: its tags, the groups that the instance shows, and deletion with
    the instance unless the launch says otherwise.
    """
    kept = {int(one.get("DeviceIndex", 0)) for one in asked if not one.get("DeleteOnTermination", True)}
    brought = {one.get("NetworkInterfaceId") for one in asked}
    for index, interface in instance.nics.items():
        if interface.id not in brought:
            interface.add_tags(tags)
            interface.delete_on_termination = index not in kept
    if not instance.security_groups and 0 in instance.nics:
        instance.security_groups = list(instance.nics[0].group_set)


def _explain(instance: Any, code: str) -> None:
    words = REASONS.get(code, "The instance ended by itself")
    instance.state_reason = StateReason(f"{code}: {words}", code)
    by_user = f"User initiated ({utcnow():%Y-%m-%d %H:%M:%S} GMT)"
    vars(instance)["_reason"] = by_user if code == BY_USER else code


def _interfaces(instance: Any) -> list[Any]:
    """The interfaces that an instance shows: none once it is terminated."""
    return [] if instance.state == "terminated" else list(instance.nics.values())


def _incorrect_state(instance: Any, done: str) -> EC2ClientError:
    return EC2ClientError(
        "IncorrectInstanceState",
        f"The instance '{instance.id}' is not in a state from which it can be {done}.",
    )
