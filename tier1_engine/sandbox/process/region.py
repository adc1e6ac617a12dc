"""What a region of AWS has and moto's lacks: the images of newer regions. And what moto looks up in each
call, found faster.

Owns every place where moto is fixed without being given behaviours; the process of the sandbox calls
`mend` once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

IMAGES_OF_REGION = "us-east-1"
"""The region whose Amazon Linux images stand in where moto has none."""


def mend() -> None:
    """Mend moto in this process, for good."""
    _lend_images()
    _look_up_keys_quickly()
    _look_up_services_and_methods_quickly()


def _lend_images() -> None:
    """The default image resolves in every region: through its public parameter, to an image that is there.

    moto ships both lists by region and takes a missing file for an empty one.
    """
    from moto.ec2.models import amis
    from moto.ssm import models as parameters

    def lending(path: str) -> Any:
        try:
            return _resource(path)
        except FileNotFoundError:
            folder, _, _ = path.rpartition("/")
            if not folder.endswith(("latest_amis", "ami-amazon-linux-latest")):
                raise
            return _resource(f"{folder}/{IMAGES_OF_REGION}.json")

    _put(amis, "load_resource", lending)
    _put(parameters, "load_resource", lending)


def _resource(path: str) -> Any:
    from moto.utilities.utils import load_resource

    return load_resource(path)


def _look_up_keys_quickly() -> None:
    """Whose access key it is, without making an IAM of every partition of AWS.

    moto makes all five to look into them, each with every policy of AWS's own: seconds, at the first call.
    """
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.iam import models

    def account_of(access_key: str) -> str:
        for account_id, partitions in list(models.iam_backends.items()):
            if any(access_key in backend.access_keys for backend in list(partitions.values())):
                return account_id
        return DEFAULT_ACCOUNT_ID

    _put(models, "get_account_id_from", account_of)


def _look_up_services_and_methods_quickly() -> None:
    """Which services and methods moto has, without listing all of them.

    For each call moto walks through the folders of its package twice, and through every method of the
    service: two fifths of the time of the call.
    """
    from moto import backends
    from moto.core import responses

    services = frozenset(backends.list_of_moto_modules())
    _put(backends, "list_of_moto_modules", lambda: services)
    _put(responses, "method_names_from_class", _Methods)


class _Methods:
    """The names of the methods of a class, as it is now: manners come to classes and leave them."""

    def __init__(self, owner: type) -> None:
        self._owner = owner

    def __contains__(self, name: str) -> bool:
        return inspect.isfunction(getattr(self._owner, name, None))


def _put(owner: object, name: str, function: Callable[..., Any]) -> None:
    """Replace what is there; a name that moto no longer has is a defect to be seen at once.

    Raises:
        AttributeError: there is nothing of this name.
    """
    getattr(owner, name)
    setattr(owner, name, function)
