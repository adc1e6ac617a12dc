"""The contract of `kinds.Kind`, checked for every resource kind on a local AWS.

The suite runs over everything that `resources/` defines: a new kind is tested by being added.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest

from tests.support.conformance import command_lines
from tests.support.conformance.clouds import KINDS, empty_account
from tests.support.conformance.judging import Counting, api_operations, deleted, failure_of, gone, operations
from tests.support.conformance.surroundings import REFERENCE_INPUTS, UNTAGGED, World
from tier1_engine.contract.cloud import Cloud, Reply
from tier1_engine.contract.kind import (
    TAG_DATABASE,
    TAG_DEPLOYMENT,
    TAG_RESOURCE,
    Kind,
    Observation,
    Presence,
    Target,
)
from tier1_engine.errors import Acted, CallError, Refused

ABSENT_IDS = {"instance_profile": "tier1-never-made", "role": "tier1-never-made"}
REFERENCED = sorted(name for name, kind in KINDS.items() if type(kind).reference is not Kind.reference)


@dataclass(frozen=True)
class Standing:
    """A resource that no test changes, and the deployment that created it."""

    world: World
    target: Target
    observation: Observation


@pytest.fixture(scope="module")
def cloud(kind: Kind, behaviour: str) -> Iterator[Cloud]:
    """An account for each kind, because moto slows down with the size of an account."""
    with empty_account(behaviour) as account:
        yield account


@pytest.fixture(scope="module")
def surroundings(cloud: Cloud) -> World:
    """What all tests of a kind refer to: creating it for each would take longer than the tests."""
    return World(cloud, KINDS, deployment_id=uuid4().hex[:12], database_id=uuid4().hex[:12])


@pytest.fixture
def world(surroundings: World) -> World:
    """The test's own deployment and database, among other people's resources."""
    return surroundings.beside(deployment_id=uuid4().hex[:12], database_id=uuid4().hex[:12])


@pytest.fixture(scope="module")
def standing(kind: Kind, surroundings: World) -> Standing:
    """A resource that is ready, for all tests that only read it."""
    world = surroundings.beside(deployment_id=uuid4().hex[:12], database_id=uuid4().hex[:12])
    return Standing(world, *world.bring_up(kind.name))


def ids(observations: Sequence[Observation]) -> set[str]:
    return {observation.aws_id for observation in observations if not observation.dead}


def test_a_resource_whose_reply_was_lost_is_found_by_its_key(kind: Kind, world: World) -> None:
    """`find` returns exactly one, which proves to be owned, and returns it again the next time."""
    target = world.target(kind.name)
    assert [s for s in kind.find(world.cloud, target) if kind.owns(target, s)] == []
    made = kind.create(world.cloud, target)
    first, second = kind.find(world.cloud, target), kind.find(world.cloud, target)
    assert [s.aws_id for s in first] == [s.aws_id for s in second] == [made.aws_id]
    assert kind.owns(target, first[0])
    assert first[0].key in (None, target.key)
    assert not first[0].dead


def test_the_reply_of_a_create_names_the_resource(kind: Kind, world: World) -> None:
    """The reply is judged like a read: it has the id that later calls use, and the resource is not dead."""
    made = kind.create(world.cloud, world.target(kind.name))
    assert made.aws_id
    assert made.presence in {Presence.PENDING, Presence.UNSET, Presence.READY}


def test_a_create_is_exactly_one_change(kind: Kind, world: World) -> None:
    """Anything else a create did would be lost with its reply, so it belongs to the configuration."""
    target, counting = world.target(kind.name), Counting(world.cloud)
    kind.create(counting, target)
    assert len(counting.changes) == 1


def test_it_is_ready_once_it_is_configured(kind: Kind, world: World) -> None:
    """Reads and `configure` lead to ready within a bounded number of reads, and then nothing is unset."""
    _, observation = world.bring_up(kind.name)
    assert observation.presence is Presence.READY
    assert observation.unset == ()
    assert observation.problem is None


def test_configuring_twice_succeeds(kind: Kind, world: World) -> None:
    """The reply of a configuration can be lost as well, so setting it again is success."""
    target = world.target(kind.name)
    target = replace(target, aws_id=kind.create(world.cloud, target).aws_id)
    before = kind.describe(world.cloud, target)
    kind.configure(world.cloud, target, before)
    kind.configure(world.cloud, target, before)
    world.settle(kind.name, target)


def test_reads_change_nothing(kind: Kind, standing: Standing) -> None:
    """`request`, `find`, `describe` and `list_owned` only call read operations."""
    world, target = standing.world, standing.target
    counting = Counting(world.cloud)
    kind.request(counting, world.inputs(kind.name))
    kind.find(counting, target)
    kind.describe(counting, target)
    kind.list_owned(counting, {TAG_DATABASE: world.database_id})
    assert counting.changes == []


def test_a_read_shows_exactly_the_expected_tags(kind: Kind, standing: Standing) -> None:
    """The five tags of tier1 and the user's are on it, and no others."""
    if kind.name in UNTAGGED:
        return
    target, observation = standing.target, standing.observation
    assert dict(observation.tags) == dict(target.tags)


def test_it_is_gone_after_its_deletion(kind: Kind, world: World) -> None:
    """A read after the deletion shows it as absent or ended, and no key finds a living one."""
    target, _ = world.bring_up(kind.name)
    deleted(kind, world.cloud, target)
    assert all(observation.dead for observation in kind.find(world.cloud, target))
    assert ids(kind.list_owned(world.cloud, {TAG_DEPLOYMENT: world.deployment_id})).isdisjoint(
        {target.aws_id}
    )


def test_deleting_it_again_is_answered_by_a_code_that_means_gone(kind: Kind, world: World) -> None:
    """A second deletion succeeds, or meets a code that the kind declares as `gone`."""
    target, observation = world.bring_up(kind.name)
    if deleted(kind, world.cloud, target).presence is Presence.GONE:
        return  # AWS still shows it as ended: nothing deletes it again
    answer = failure_of(kind, world.cloud, target, observation)
    assert answer is None or answer in kind.gone


def test_an_unknown_id_is_absent(kind: Kind, standing: Standing) -> None:
    """Reading an id that AWS does not know gives an answer, not an error."""
    world, target = standing.world, standing.target
    assert target.aws_id
    unknown = ABSENT_IDS.get(kind.name) or re.sub(r"[0-9a-f]{8,}$", "0123456789abcdef0", target.aws_id)
    assert unknown != target.aws_id
    assert kind.describe(world.cloud, replace(target, aws_id=unknown)).presence is Presence.ABSENT


def test_another_deployments_resource_is_not_owned(kind: Kind, standing: Standing) -> None:
    """Under another deployment or database, the same object does not prove to be owned."""
    world, target = standing.world, standing.target
    for tag in (TAG_DATABASE, TAG_DEPLOYMENT):
        tags = {**target.tags, tag: "ffffffffffff"}
        other = replace(target, tags=tags, deployment_id=tags[TAG_DEPLOYMENT])
        assert not kind.owns(other, kind.describe(world.cloud, other)), f"owned in spite of another {tag}"


@pytest.mark.parametrize("tag", [TAG_DATABASE, TAG_DEPLOYMENT, TAG_RESOURCE])
def test_a_tag_that_differs_or_is_missing_is_no_proof(kind: Kind, standing: Standing, tag: str) -> None:
    """Each of the three tags that prove ownership must be present and match."""
    if kind.name in UNTAGGED:
        return
    target, observation = standing.target, standing.observation
    assert kind.owns(target, observation)
    assert not kind.owns(target, replace(observation, tags={**observation.tags, tag: "ffffffffffff"}))
    if kind.name not in ABSENT_IDS:  # names and paths prove ownership where an endpoint shows no tags
        assert not kind.owns(
            target, replace(observation, tags={k: v for k, v in observation.tags.items() if k != tag})
        )


@pytest.mark.field_case(
    "a replaced script: file systems and security groups were untagged, so that no search found them"
)
def test_a_census_finds_it_by_deployment_and_by_database(kind: Kind, standing: Standing) -> None:
    """`list_owned` returns it for its deployment, its database or any, and for no other."""
    world, target = standing.world, standing.target
    ours: tuple[Mapping[str, str], ...] = (
        {TAG_DEPLOYMENT: world.deployment_id},
        {TAG_DATABASE: world.database_id},
        {TAG_DATABASE: world.database_id, TAG_DEPLOYMENT: world.deployment_id},
        {TAG_DATABASE: world.database_id, TAG_DEPLOYMENT: "*"},
        {TAG_DATABASE: "*"},
    )
    for tags in ours:
        assert target.aws_id in ids(kind.list_owned(world.cloud, tags)), f"not found by {tags}"
    others: tuple[Mapping[str, str], ...] = (
        {TAG_DEPLOYMENT: "ffffffffffff"},
        {TAG_DATABASE: "ffffffffffff"},
        {TAG_DATABASE: "ffffffffffff", TAG_DEPLOYMENT: world.deployment_id},
    )
    for tags in others:
        assert target.aws_id not in ids(kind.list_owned(world.cloud, tags)), f"found by {tags}"


def test_a_census_shows_enough_to_delete_what_it_found(kind: Kind, world: World) -> None:
    """What only a census knows can be read and deleted by its id."""
    target, _ = world.bring_up(kind.name)
    (found,) = (
        s
        for s in kind.list_owned(world.cloud, {TAG_DEPLOYMENT: world.deployment_id})
        if s.aws_id == target.aws_id
    )
    deleted(kind, world.cloud, replace(target, aws_id=found.aws_id, facts=found.facts))


def test_one_that_the_user_provided_is_referenced(kind: Kind, standing: Standing) -> None:
    """An existing one is accepted with the facts that later steps need; reading it changes nothing."""
    if kind.name not in REFERENCED:
        return
    world, target, made = standing.world, standing.target, standing.observation
    counting = Counting(world.cloud)
    observation = kind.reference(counting, REFERENCE_INPUTS[kind.name](world, target.aws_id or ""))
    assert (observation.presence, observation.aws_id) == (Presence.READY, target.aws_id)
    assert set(observation.facts) == set(made.facts)
    assert counting.changes == []


def test_a_reference_to_what_is_not_there_is_broken_and_says_so(kind: Kind, standing: Standing) -> None:
    """The answer names what the user specified."""
    if kind.name not in REFERENCED:
        return
    world, target = standing.world, standing.target
    unknown = ABSENT_IDS.get(kind.name) or re.sub(r"[0-9a-f]{8,}$", "0123456789abcdef0", target.aws_id or "")
    observation = kind.reference(world.cloud, REFERENCE_INPUTS[kind.name](world, unknown))
    assert observation.presence is Presence.BROKEN
    assert observation.problem is not None
    assert unknown in observation.problem.message


def test_a_kind_that_cannot_be_referenced_refuses(kind: Kind, world: World) -> None:
    """A kind without a referenced mode says that it is always created."""
    if kind.name in REFERENCED:
        assert kind.name in REFERENCE_INPUTS
        return
    with pytest.raises(Refused):
        kind.reference(world.cloud, {"reference": "x"})


def test_a_read_that_fails_is_an_error_and_never_an_empty_answer(kind: Kind, standing: Standing) -> None:
    """Without permission to read, nothing may be taken for absent: it would be created twice, or
    left behind.
    """
    world, target = standing.world, standing.target
    denied = Denied(world.cloud)
    looks: tuple[Callable[[], object], ...] = (
        lambda: kind.find(denied, target),
        lambda: kind.describe(denied, target),
        lambda: list(kind.list_owned(denied, {TAG_DATABASE: world.database_id})),
    )
    for look in looks:
        with pytest.raises(CallError) as caught:
            look()
        assert caught.value.code == "UnauthorizedOperation"


def test_a_create_whose_reply_has_no_id_is_no_success(kind: Kind, world: World) -> None:
    """An endpoint may omit members: AWS may have acted, so the engine reads again."""
    target = world.target(kind.name)
    try:
        made = kind.create(Stripped(world.cloud), target)
    except CallError as error:
        assert (error.code, error.acted) == ("UnreadableReply", Acted.UNKNOWN)  # noqa: PT017 - or no id
    else:
        assert made.aws_id == ""


def test_its_console_link_names_it(kind: Kind, standing: Standing) -> None:
    """The link leads to the console of its region (IAM has one for all regions) and contains its id."""
    world, target = standing.world, standing.target
    aws_id = target.aws_id or ""
    url = kind.console_url(world.cloud.region, aws_id)
    assert re.match(rf"https://({world.cloud.region}\.)?console\.aws\.amazon\.com/", url)
    assert aws_id in url


def test_its_printed_commands_name_it(kind: Kind, standing: Standing) -> None:
    """There is a line to show it and a line to delete it, and both name it."""
    target, observation = standing.target, standing.observation
    aws_id = target.aws_id or ""
    commands = kind.commands(aws_id, observation.facts)
    assert {"look", "delete"} <= set(commands)
    assert any(aws_id in line for line in commands["look"])
    assert aws_id in commands["delete"][-1]


def test_its_printed_commands_delete_it(kind: Kind, world: World) -> None:
    """Run as printed, in order, they are real commands and leave nothing of it."""
    target, observation = world.bring_up(kind.name)
    commands = kind.commands(target.aws_id or "", observation.facts)
    for line in (*commands["look"], *commands["delete"]):
        command_lines.run(world.cloud, line)
    gone(kind, world.cloud, target)


def test_its_codes_do_not_contradict_each_other(kind: Kind) -> None:
    """No code of a create or of a deletion has two meanings."""
    creates = (kind.already_exists, kind.token_spent, kind.next_candidate, kind.not_offered)
    deletes = (kind.gone, kind.in_use)
    for group in (creates, deletes):
        assert sum(map(len, group)) == len(frozenset().union(*group))
    assert kind.already_exists.isdisjoint(kind.not_visible_yet)
    assert kind.next_candidate.isdisjoint(kind.not_visible_yet)


def test_its_iam_actions_are_real(kind: Kind) -> None:
    """Every action is an operation of botocore's service of that name, or a further one that IAM knows."""
    permissions_only = {"iam:PassRole", "elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"}
    services = {"elasticfilesystem": "efs"}
    assert kind.iam_actions
    assert len(set(kind.iam_actions)) == len(kind.iam_actions)
    for action in set(kind.iam_actions) - permissions_only:
        service, _, operation = action.partition(":")
        assert operation in api_operations(services.get(service, service)), f"{action} is no operation"


def test_every_change_it_makes_is_among_its_iam_actions(kind: Kind, world: World) -> None:
    """Creating, configuring and deleting it uses no permission that the preflight would not check."""
    target = world.target(kind.name)
    counting = Counting(world.cloud)
    watched = replace(world, cloud=counting)
    target, _ = watched.bring_up(kind.name, target)
    deleted(kind, counting, target)
    prefixes = {"efs": "elasticfilesystem"}
    used = {f"{prefixes.get(service, service)}:{operation}" for service, operation in counting.calls}
    assert used <= set(kind.iam_actions)


class Denied(Counting):
    """A cloud that denies every read."""

    def read(self, service: str, operation: str, **parameters: Any) -> dict[str, Any]:
        raise CallError("UnauthorizedOperation", "No.", operation=operations(service)[operation])

    def pages(self, service: str, operation: str, result_key: str, **parameters: Any) -> Iterator[Any]:
        raise CallError("UnauthorizedOperation", "No.", operation=operations(service)[operation])


class Stripped(Counting):
    """A cloud that acts and returns empty replies."""

    def change(self, service: str, operation: str, **parameters: Any) -> Reply:
        reply = super().change(service, operation, **parameters)
        reply.clear()
        return reply
