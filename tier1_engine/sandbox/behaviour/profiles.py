"""A new instance profile is visible in IAM some seconds before EC2 can use it.

Source: IAM user guide, "Changes that I make are not always immediately visible"; hashicorp/terraform#15341
for the message of the refusal. The wait restarts when a role is added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.responses.instances import InstanceResponse
from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend, iam_backends

from tier1_engine.sandbox.behaviour.agenda import Agenda
from tier1_engine.sandbox.behaviour.patching import around, asked
from tier1_engine.sandbox.world import World

USABLE_AT = "_usable_at"
"""Attribute of moto's profile: the AWS second from which EC2 accepts it."""


def install(world: World, agenda: Agenda) -> None:
    """Delay the visibility of profiles in EC2."""

    def begin(profile: Any) -> None:
        vars(profile)[USABLE_AT] = agenda.now + world.takes("profile.usable")

    @around(IAMBackend, "create_instance_profile")
    def create_instance_profile(before: Callable[..., Any], backend: Any, *given: Any, **named: Any) -> Any:
        profile = before(backend, *given, **named)
        begin(profile)
        return profile

    @around(IAMBackend, "add_role_to_instance_profile")
    def add_role(before: Callable[..., None], backend: Any, profile_name: str, role_name: str) -> None:
        before(backend, profile_name, role_name)
        begin(backend.get_instance_profile(profile_name))

    @around(InstanceResponse, "run_instances")
    def run_instances(before: Callable[..., Any], response: Any) -> Any:
        wanted = asked(response, "IamInstanceProfile") or {}
        if wanted:
            profile = _profile(response, wanted)
            if profile is None or agenda.now < vars(profile).get(USABLE_AT, 0.0):
                raise _invalid(wanted)
            if not profile.roles:
                raise EC2ClientError(
                    "InvalidParameterValue",
                    f'IAM Instance Profile "{profile.arn}" has no associated IAM Roles',
                )
        return before(response)


def _profile(response: Any, wanted: Any) -> Any:
    backend = iam_backends[response.current_account][response.partition]
    try:
        if "Name" in wanted:
            return backend.get_instance_profile(wanted["Name"])
        return backend.get_instance_profile_by_arn(wanted.get("Arn", ""))
    except NotFoundException:
        return None


def _invalid(wanted: Any) -> EC2ClientError:
    member = "name" if "Name" in wanted else "arn"
    return EC2ClientError(
        "InvalidParameterValue",
        f"Value ({wanted.get('Name') or wanted.get('Arn')}) for parameter iamInstanceProfile.{member} is "
        f"invalid. Invalid IAM Instance Profile {'name' if member == 'name' else 'ARN'}",
    )
