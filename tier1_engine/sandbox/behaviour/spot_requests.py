"""A launch on the spot market has a request: active with its instance, then closed, and shown for a while.

Source: EC2 user guide, "Spot Instance request states" and "Cancel a Spot Instance request": cancelling one
does not end its instance, and a persistent one opens again when that is terminated. Here it finds no capacity
then, and launches nothing. moto makes no request at `RunInstances`, and forgets one that is cancelled.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from moto.core.utils import iso_8601_datetime_with_milliseconds
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.spot_requests import SpotInstanceRequest, SpotRequestBackend
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.utils import convert_tag_spec, random_spot_request_id

from tier1_engine.sandbox.behaviour.agenda import Agenda
from tier1_engine.sandbox.behaviour.instances import Life, Lives
from tier1_engine.sandbox.behaviour.patching import around, asked, put
from tier1_engine.sandbox.behaviour.tags import forget
from tier1_engine.sandbox.world import World

OPEN = ("open", "active", "disabled")
_OPTIONS = "InstanceMarketOptions.SpotOptions"


class LaunchedRequest(SpotInstanceRequest):
    """The request of an instance that `RunInstances` has launched."""

    def __init__(self, instance: Any, response: Any) -> None:
        self._launched = instance
        super().__init__(
            instance.ec2_backend,
            random_spot_request_id(),
            asked(response, f"{_OPTIONS}.MaxPrice"),
            instance.image_id,
            asked(response, f"{_OPTIONS}.SpotInstanceType", "one-time"),
            None,
            None,
            None,
            None,
            instance.key_name,
            [group.id for group in instance.security_groups],
            None,
            instance.instance_type,
            instance.availability_zone,
            None,
            None,
            monitoring_enabled=False,
            subnet_id=instance.subnet_id,
            tags=convert_tag_spec(asked(response, "TagSpecifications", [])),
            spot_fleet_id=None,
            instance_interruption_behaviour=asked(response, f"{_OPTIONS}.InstanceInterruptionBehavior"),
        )

    @property
    def made_with(self) -> str | None:
        """The id of the instance, until that ends; one that a user asks for by itself is no part of any."""
        return None if self._launched.state == "terminated" else str(self._launched.id)

    def launch_instance(self) -> Any:
        """It is there already."""
        self._launched.spot_instance_request_id = self.id
        return self._launched


def install(world: World, agenda: Agenda, lives: Lives) -> None:
    """Give spot instances their requests, and requests their ends."""
    put(SpotInstanceRequest, "create_time", property(_created_at))
    end = partial(_end, world, agenda)
    lives.on_ended.append(partial(_close, end))

    @around(InstanceResponse, "run_instances")
    def run_instances(before: Callable[..., Any], response: Any) -> Any:
        reply = before(response)
        if asked(response, "InstanceMarketOptions.MarketType") == "spot":
            requests = response.ec2_backend.spot_instance_requests
            made = [LaunchedRequest(instance, response) for instance in reply.result.instances]
            requests.update({one.id: one for one in made})
        return reply

    @around(SpotRequestBackend, "cancel_spot_instance_requests")
    def cancel(before: Callable[..., Any], backend: Any, request_ids: list[str]) -> list[Any]:
        requests = [_known(backend, one) for one in request_ids]
        for request in requests:
            if request.state in OPEN:
                runs = request.state == "active"
                code = "request-canceled-and-instance-running" if runs else "canceled-before-fulfillment"
                end(request, "cancelled", code)
        return requests


End = Callable[[Any, str, str], None]


def _close(end: End, life: Life) -> None:
    """The instance is terminated."""
    for request in life.backend.spot_instance_requests.values():
        if request.instance is life.instance and request.state in OPEN:
            if request.type == "persistent":
                _become(request, "open", "capacity-not-available")
            else:
                end(request, "closed", "instance-terminated-by-user")


def _end(world: World, agenda: Agenda, request: Any, state: str, code: str) -> None:
    _become(request, state, code)
    agenda.after(world.takes("instance.shown"), partial(_purge, request))


def _known(backend: Any, request_id: str) -> Any:
    request = backend.spot_instance_requests.get(request_id)
    if request is None:
        words = f"The spot instance request ID '{request_id}' does not exist"
        raise EC2ClientError("InvalidSpotInstanceRequestID.NotFound", words)
    return request


def _become(request: Any, state: str, code: str) -> None:
    request.state = state
    vars(request)["_status_code"] = code


def _created_at(request: Any) -> str:
    """When its instance was launched; moto has one time for all."""
    return str(iso_8601_datetime_with_milliseconds(request.instance.launch_time))


def _purge(request: Any) -> None:
    if request.ec2_backend.spot_instance_requests.pop(request.id, None) is not None:
        forget(request.ec2_backend, request.id)
