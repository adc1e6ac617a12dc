"""What a region of AWS has from the start: the images of newer regions, which moto lacks. And what moto does
in each call and for each account, done faster.

Owns every place where moto is fixed without being given AWS's behaviour; the process of the sandbox calls
`patch_moto` once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar

Made = TypeVar("Made")
COLLECTIONS = frozenset({dict, list, set})
IMAGES_OF_REGION = "us-east-1"
"""The region whose Amazon Linux images stand in where moto has none."""


def patch_moto() -> None:
    """Patch moto in this process, for good."""
    _lend_images()
    _look_up_keys_quickly()
    _look_up_services_and_methods_quickly()
    make_accounts_quickly()


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
    """Finds the owner of an access key without making an IAM of every partition of AWS.

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


@cache
def make_accounts_quickly() -> None:
    """Copy what every account has of AWS's own, instead of making it anew each time one is emptied.

    moto parses some 1,500 policies and makes as many images, each with a snapshot: most of a second.
    """
    _copy_policies()
    _copy_images()


def _copy_policies() -> None:
    from moto.iam import models
    from moto.settings import load_iam_aws_managed_policies

    before = models.IAMBackend._init_aws_policies  # noqa: SLF001 - moto has no other door
    made: dict[tuple[str, str], list[tuple[_Pattern, list[_Pattern]]]] = {}

    @wraps(before)
    def policies(backend: Any) -> list[Any]:
        if not load_iam_aws_managed_policies():
            return before(backend)
        key = (backend.account_id, backend.region_name)
        if key not in made:
            own = _off_the_record(lambda: before(backend))
            made[key] = [(_Pattern(one), [_Pattern(version) for version in one.versions]) for one in own]
        fresh = []
        for pattern, versions in made[key]:
            one = pattern.copy()
            one.versions = [version.copy() for version in versions]
            fresh.append(one)
        return fresh

    _put(models.IAMBackend, "_init_aws_policies", policies)


def _copy_images() -> None:
    from moto.ec2.models import amis
    from moto.settings import ec2_load_default_amis

    module: Any = amis
    before = amis.AmiBackend._load_amis  # noqa: SLF001 - moto has no other door
    made: dict[tuple[str, str, int, int], tuple[Any, list[tuple[_Pattern, _Pattern, _Pattern]]]] = {}

    @wraps(before)
    def load(backend: Any) -> None:
        if not ec2_load_default_amis():
            before(backend)
            return
        # Whoever replaces a list of images gets those. What is kept with them keeps its id.
        lists = (module.AMIS, module.load_resource)
        key = (backend.account_id, backend.region_name, id(lists[0]), id(lists[1]))
        if key not in made:
            _off_the_record(lambda: before(backend))
            made[key] = (
                lists,
                [
                    (_Pattern(one), _Pattern(one.ebs_snapshot), _Pattern(one.ebs_snapshot.volume))
                    for one in backend.amis.values()
                ],
            )
            backend.snapshots.clear()
        for image, snapshot, volume in ([one.copy() for one in patterns] for patterns in made[key][1]):
            snapshot.volume = volume
            image.ec2_backend = snapshot.ec2_backend = snapshot.volume.ec2_backend = backend
            image.ebs_snapshot = backend.snapshots[snapshot.id] = snapshot
            backend.amis[image.id] = image

    _put(amis.AmiBackend, "_load_amis", load)


def _off_the_record(make: Callable[[], Made]) -> Made:
    """Make something without drawing from moto's dice: the first account gets the ids that later ones get."""
    from moto.moto_api._internal import mock_random

    drawn = mock_random.getstate()
    try:
        return make()
    finally:
        mock_random.setstate(drawn)


class _Pattern:
    """An object of moto's of which there are copies that share nothing that changes.

    By hand, because there are thousands, and moto keeps a list of all that come by the usual way.
    """

    __slots__ = ("_kind", "_names", "_values")

    def __init__(self, one: Any) -> None:
        self._kind, self._values = type(one), dict(vars(one))
        self._names = [name for name, value in self._values.items() if type(value) in COLLECTIONS]

    def copy(self) -> Any:
        made = object.__new__(self._kind)
        made.__dict__ = values = self._values.copy()
        for name in self._names:
            values[name] = values[name].copy()
        return made


def _put(owner: object, name: str, function: Callable[..., Any]) -> None:
    """Replace what is there; a name that moto no longer has is a defect to be seen at once.

    Raises:
        AttributeError: there is nothing of this name.
    """
    getattr(owner, name)
    setattr(owner, name, function)
