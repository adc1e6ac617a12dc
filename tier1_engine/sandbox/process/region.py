"""Additions to moto: the images of newer regions, and faster code for each call and account.

Owns every patch of moto that is not a behaviour of AWS; the process of the sandbox calls `patch_moto` once.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache, wraps
from typing import Any, TypeVar

from tier1_engine.sandbox.process.images import complete_images

Made = TypeVar("Made")
COLLECTIONS = frozenset({dict, list, set})
IMAGES_OF_REGION = "us-east-1"
"""The region whose Amazon Linux images are used where moto has none."""


def patch_moto() -> None:
    """Patch moto permanently in this process."""
    _lend_images()
    complete_images()
    _look_up_keys_quickly()
    _look_up_services_and_methods_quickly()
    make_accounts_quickly()


def _lend_images() -> None:
    """Make the default image available in every region: its public parameter, and the image that it names.

    moto ships both lists by region and treats a missing file as an empty list.
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
    """Find the account of an access key without creating IAM for every AWS partition.

    moto creates all five, each with every AWS managed policy: seconds, at the first call.
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
    """Look up moto's services and methods without listing all of them.

    For each call moto lists the folders of its package twice, and every method of the service: two fifths of
    the call's time.
    """
    from moto import backends
    from moto.core import responses

    services = frozenset(backends.list_of_moto_modules())
    _put(backends, "list_of_moto_modules", lambda: services)
    _put(responses, "method_names_from_class", _Methods)


class _Methods:
    """The current method names of a class: patches add and remove methods."""

    def __init__(self, owner: type) -> None:
        self._owner = owner

    def __contains__(self, name: str) -> bool:
        return inspect.isfunction(getattr(self._owner, name, None))


@cache
def make_accounts_quickly() -> None:
    """Copy AWS's own objects of every account, instead of creating them each time an account is emptied.

    moto parses some 1,500 policies and creates as many images, each with a snapshot: most of a second.
    """
    _copy_policies()
    _copy_images()


def _copy_policies() -> None:
    from moto.iam import models
    from moto.settings import load_iam_aws_managed_policies

    before = models.IAMBackend._init_aws_policies  # noqa: SLF001 - moto has no public access
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
    before = amis.AmiBackend._load_amis  # noqa: SLF001 - moto has no public access
    made: dict[tuple[str, str, int, int], tuple[Any, list[tuple[_Pattern, _Pattern, _Pattern]]]] = {}

    @wraps(before)
    def load(backend: Any) -> None:
        if not ec2_load_default_amis():
            before(backend)
            return
        # A replaced list of images is used. The cached images keep their ids.
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
    """Create something without drawing moto's random numbers, so that later accounts get the same ids."""
    from moto.moto_api._internal import mock_random

    drawn = mock_random.getstate()
    try:
        return make()
    finally:
        mock_random.setstate(drawn)


class _Pattern:
    """A template of a moto object; its copies share no mutable state.

    Copied by hand, because there are thousands, and moto's constructor registers every instance.
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
    """Replace an attribute.

    Raises:
        AttributeError: moto no longer has an attribute of this name.
    """
    getattr(owner, name)
    setattr(owner, name, function)
