"""What a region of AWS has and moto's lacks: the images of newer regions.

Owns every place where moto is mended without being given manners; the process of the sandbox calls
`mend` once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

IMAGES_OF_REGION = "us-east-1"
"""The region whose Amazon Linux images stand in where moto has none."""


def mend() -> None:
    """Mend moto in this process, for good."""
    _lend_images()
    _look_up_keys_quickly()


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


def _put(owner: object, name: str, function: Callable[..., Any]) -> None:
    """Replace what is there; a name that moto no longer has is a defect to be seen at once.

    Raises:
        AttributeError: there is nothing of this name.
    """
    getattr(owner, name)
    setattr(owner, name, function)
