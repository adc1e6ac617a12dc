"""A security group with the requested ingress rules. Its rules are its configuration.

Rules that were added by hand stay while the group exists. Before a deletion, rules that refer to other groups
are revoked: the group's own, and those of this deployment's other groups that refer to it. AWS deletes no
group that a rule refers to. A VPC's default group has no tier1 tags, so it is never changed. The name of a
group contains the deployment's id, so `InvalidGroup.Duplicate` proves an earlier call of this deployment.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from tier1_engine.aws.words import (
    arn,
    aws,
    carries,
    console,
    find_line,
    fixed_filters,
    oldest_first,
    part,
    resource_filters,
    tag_dict,
    tag_filters,
    tag_specifications,
)
from tier1_engine.contract.cloud import Cloud
from tier1_engine.contract.kind import (
    ABSENT,
    DEPLOYMENT_PROOF,
    TAG_DEPLOYMENT,
    Holder,
    Kind,
    Observation,
    Presence,
    Target,
)
from tier1_engine.contract.manual import Freeing, Recipe
from tier1_engine.contract.price import FREE
from tier1_engine.contract.remedy import Quota, Remedies, Remedy
from tier1_engine.errors import CallError
from tier1_engine.resources import _ec2, _holders

NOT_FOUND = "InvalidGroup.NotFound"
ALREADY_ALLOWED = "InvalidPermission.Duplicate"
NOT_ALLOWED = "InvalidPermission.NotFound"
ALL_PROTOCOLS = "-1"
# AWS returns the name of a protocol that was given by its number (IANA).
PROTOCOL_NAMES = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "all": ALL_PROTOCOLS}
FACTS = {"name": "GroupName", "vpc_id": "VpcId"}
MEMBER = {"ingress": "IpPermissions", "egress": "IpPermissionsEgress"}
"""The members of DescribeSecurityGroups that hold the rules of each direction."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One ingress rule: a protocol, its ports, and one source. Equal when AWS treats them as equal."""

    protocol: str
    from_port: int | None
    to_port: int | None
    source: str

    @property
    def name(self) -> str:
        ports = "" if self.from_port is None else f" {self.from_port}-{self.to_port}"
        return f"ingress {self.protocol}{ports} from {self.source}"

    @property
    def permission(self) -> dict[str, Any]:
        """The rule as a parameter of AuthorizeSecurityGroupIngress."""
        permission: dict[str, Any] = {"IpProtocol": self.protocol}
        if self.from_port is not None:
            permission |= {"FromPort": self.from_port, "ToPort": self.to_port}
        if self.source.startswith("sg-"):
            return permission | {"UserIdGroupPairs": [{"GroupId": self.source}]}
        if ":" in self.source:
            return permission | {"Ipv6Ranges": [{"CidrIpv6": self.source}]}
        return permission | {"IpRanges": [{"CidrIp": self.source}]}


_RULES_PER_GROUP = Quota("vpc", "L-0EA8095F", "Inbound or outbound rules per security group", 20)
REMEDIES: Remedies = {
    **_ec2.REMEDIES,
    "RulesPerSecurityGroupLimitExceeded": Remedy(
        "The security group has reached its limit of rules.",
        ("Use fewer rules or wider ranges in `network.ingress`, or ask AWS for a higher quota.",),
        quota=_RULES_PER_GROUP,
    ),
    "InvalidGroup.Duplicate": Remedy(
        "A group with this name, which tier1 does not own, already exists in the VPC.",
        ("Find out who owns it, rename or delete it, then retry.",),
        (("ec2", "describe-security-groups", "--filters", "Name=vpc-id,Values={vpc_id}"),),
    ),
    "InvalidGroup.InUse": Remedy(
        "A rule of another group, or an interface, still refers to the security group.",
        ("Remove the rule, or remove the group from the interface, then resume.",),
        (_ec2.IN_VPC,),
    ),
}


FIXED = {"vpc_id": "vpc_id"}


class SecurityGroup(Kind):
    """Inputs: `{vpc_id, description, ingress: [{protocol, from_port, to_port, cidr or source_group}]}`."""

    name = "security_group"
    title = "security group"
    already_exists = frozenset({"InvalidGroup.Duplicate"})
    not_visible_yet = frozenset({NOT_FOUND, "InvalidVpcID.NotFound"})
    gone = frozenset({NOT_FOUND})
    in_use = frozenset({"DependencyViolation", "InvalidGroup.InUse"})
    holds_interfaces = True
    iam_actions = (
        *_holders.INTERFACES,
        "ec2:AuthorizeSecurityGroupIngress",
        "ec2:CreateSecurityGroup",
        "ec2:CreateTags",
        "ec2:DeleteSecurityGroup",
        "ec2:DescribeSecurityGroups",
        "ec2:RevokeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupIngress",
    )
    implied_actions = (("CreateSecurityGroup", "ec2:CreateTags"),)
    remedies = REMEDIES
    list_price = FREE
    fixed = FIXED

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        return self._list(cloud, resource_filters(target))

    def create(self, cloud: Cloud, target: Target) -> Observation:
        reply = cloud.change(
            "ec2",
            "create_security_group",
            GroupName=_name(target.deployment_id, target.step),
            Description=target.request["description"],
            VpcId=target.request["vpc_id"],
            TagSpecifications=tag_specifications(target.tags, "security-group"),
        )
        part(reply, "GroupId", operation="CreateSecurityGroup")
        return _observation(cloud, reply)

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        group_id = target.aws_id or ""
        try:
            hits = list(cloud.pages("ec2", "describe_security_groups", "SecurityGroups", GroupIds=[group_id]))
        except CallError as error:
            if error.code == NOT_FOUND:
                return ABSENT
            raise
        group = next((hit for hit in hits if hit.get("GroupId") == group_id), None)
        return ABSENT if group is None else _observation(cloud, group, wanted_rules(target.request))

    def configure(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        """Add the missing rules, one per call: a duplicate among several would make AWS refuse them all."""
        for rule in wanted_rules(target.request):
            if rule.name not in observation.unset:
                continue
            try:
                cloud.change(
                    "ec2",
                    "authorize_security_group_ingress",
                    GroupId=observation.aws_id,
                    IpPermissions=[rule.permission],
                )
            except CallError as error:
                if error.code != ALREADY_ALLOWED:
                    raise

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        others = self._owned_groups(cloud, target, observation.aws_id)
        for direction in MEMBER:
            self._revoke(
                cloud, direction, observation.aws_id, observation.facts["rules_to_groups"][direction]
            )
            for other in others:
                pointing_here = list(_to_groups(other, direction, only=observation.aws_id))
                self._revoke(cloud, direction, other["GroupId"], pointing_here)
        cloud.change("ec2", "delete_security_group", GroupId=observation.aws_id)

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        return [
            observation
            for observation in self._list(cloud, tag_filters(tags))
            if carries(observation.tags, tags)
        ]

    def holders(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[Holder]:
        """Foreign interfaces that use it, and rules of other groups that refer to it."""
        where = {"Name": "group-id", "Values": [target.aws_id or ""]}
        used = _holders.interfaces(cloud, where, ours)
        return [*used, *_holders.rules(cloud, target, ours)]

    def owns(self, target: Target, observation: Observation) -> bool:
        """It is also named for its deployment and step."""
        name = _name(target.deployment_id, target.step)
        named = observation.facts.get("name", name) == name
        return named and super().owns(target, observation)

    def console_url(self, region: str, aws_id: str) -> str:
        return console(region, "ec2", f"SecurityGroup:groupId={aws_id}")

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        group = ("--group-id", aws_id)
        revoke = [
            aws("ec2", f"revoke-security-group-{direction}", *group, "--ip-permissions", json.dumps(rules))
            for direction, rules in facts.get("rules_to_groups", {}).items()
            if rules
        ]
        return {
            "look": [aws("ec2", "describe-security-groups", "--group-ids", aws_id)],
            "delete": [*revoke, aws("ec2", "delete-security-group", *group)],
        }

    def recipe(self, target: Target) -> Recipe:
        """The recipe; rules that refer from one group to another go first, including those of our other
        groups.
        """
        return Recipe(
            find=find_line(
                "describe-security-groups",
                "SecurityGroups",
                "GroupId",
                target,
                f"Name=group-name,Values={_name(target.deployment_id, target.step)}",
                *fixed_filters(target, vpc_id="vpc-id"),
            ),
            free=tuple(_freeing(direction, target) for direction in MEMBER),
            delete='aws ec2 delete-security-group --group-id "$id"',
        )

    def _list(self, cloud: Cloud, filters: list[dict[str, Any]]) -> list[Observation]:
        hits = list(cloud.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=filters))
        return [_observation(cloud, hit) for hit in oldest_first(hits, "GroupId")]

    def _owned_groups(self, cloud: Cloud, target: Target, group_id: str) -> list[Mapping[str, Any]]:
        """The other groups that this deployment created. Their names say so, because nobody can change the
        name of a group; a tool may have copied our tags to a group of the user's.
        """
        ours = {tag: target.tags[tag] for tag in DEPLOYMENT_PROOF}
        name = _name(ours[TAG_DEPLOYMENT], "")
        groups = cloud.pages("ec2", "describe_security_groups", "SecurityGroups", Filters=tag_filters(ours))
        return [
            group
            for group in groups
            if group.get("GroupId", group_id) != group_id
            and carries(tag_dict(group.get("Tags")), ours)
            and str(group.get("GroupName")).startswith(name)
        ]

    def _revoke(
        self, cloud: Cloud, direction: str, group_id: str, permissions: Sequence[Mapping[str, Any]]
    ) -> None:
        if not permissions:
            return
        try:
            cloud.change(
                "ec2",
                f"revoke_security_group_{direction}",
                GroupId=group_id,
                IpPermissions=list(permissions),
            )
        except CallError as error:
            if error.code not in (NOT_ALLOWED, NOT_FOUND):
                raise


def _name(deployment_id: str, step: str) -> str:
    return f"tier1-{deployment_id}-{step}"


def _freeing(direction: str, target: Target) -> Freeing:
    """How a script revokes the rules of one direction in owned groups: each as `GROUP:RULE`."""
    ours = " ".join(
        (
            *(f"Name=tag:{tag},Values={target.tags[tag]}" for tag in DEPLOYMENT_PROOF),
            f"'Name=group-name,Values={_name(target.tags[TAG_DEPLOYMENT], '*')}'",
        )
    )
    groups = (
        f"$(aws ec2 describe-security-groups --filters {ours} "
        "--query 'SecurityGroups[].GroupId' --output text | tr '\\t' ,)"
    )
    egress = "IsEgress" if direction == "egress" else "!IsEgress"
    points = "(GroupId=='$id' || ReferencedGroupInfo.GroupId=='$id')"
    query = (
        f"SecurityGroupRules[?ReferencedGroupInfo && {egress} && {points}]"
        ".join(':', [GroupId, SecurityGroupRuleId])"
    )
    return Freeing(
        f'aws ec2 describe-security-group-rules --filters "Name=group-id,Values={groups}" '
        f'--query "{query}" --output text',
        f'aws ec2 revoke-security-group-{direction} --group-id "${{it%%:*}}" '
        '--security-group-rule-ids "${it#*:}"',
        frozenset({NOT_ALLOWED, NOT_FOUND, "InvalidSecurityGroupRuleId.NotFound"}),
    )


def wanted_rules(request: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The ingress rules of a request, in AWS's canonical form."""
    rules = (
        _rule(
            rule["protocol"],
            rule.get("from_port"),
            rule.get("to_port"),
            rule.get("source_group") or rule["cidr"],
        )
        for rule in request.get("ingress") or ()
    )
    return tuple(dict.fromkeys(rules))


def _rule(protocol: str, from_port: int | None, to_port: int | None, source: str) -> Rule:
    protocol = PROTOCOL_NAMES.get(str(protocol).lower(), str(protocol).lower())
    if protocol == ALL_PROTOCOLS:
        from_port = to_port = None  # AWS ignores ports of `all` and does not show them
    if not source.startswith("sg-"):
        source = str(ip_network(source, strict=False))  # AWS drops the host bits
    return Rule(protocol, from_port, to_port, source)


def _ingress(group: Mapping[str, Any]) -> Iterator[Rule]:
    """The ingress rules of a group: AWS merges the sources of one protocol and port range into one
    permission.
    """
    for permission in group.get("IpPermissions") or ():
        sources = [
            *(pair.get("GroupId") for pair in permission.get("UserIdGroupPairs") or ()),
            *(cidr.get("CidrIp") for cidr in permission.get("IpRanges") or ()),
            *(cidr.get("CidrIpv6") for cidr in permission.get("Ipv6Ranges") or ()),
        ]
        ports = permission.get("FromPort"), permission.get("ToPort")
        for source in filter(None, sources):
            yield _rule(permission.get("IpProtocol", ALL_PROTOCOLS), *ports, source)


def _to_groups(group: Mapping[str, Any], direction: str, only: str | None = None) -> Iterator[dict[str, Any]]:
    """The rules of a group that refer to another group (only to `only`, if given), as parameters of
    a revoke.
    """
    for permission in group.get(MEMBER[direction]) or ():
        pairs = [
            {"GroupId": pair["GroupId"]}
            for pair in permission.get("UserIdGroupPairs") or ()
            if pair.get("GroupId") and pair["GroupId"] != group["GroupId"] and only in (None, pair["GroupId"])
        ]
        if pairs:
            ports = {name: permission[name] for name in ("FromPort", "ToPort") if name in permission}
            protocol = permission.get("IpProtocol", ALL_PROTOCOLS)
            yield {"IpProtocol": protocol, **ports, "UserIdGroupPairs": pairs}


def _observation(cloud: Cloud, group: Mapping[str, Any], wanted: Sequence[Rule] | None = None) -> Observation:
    """The observation of a group; pending when the expected rules are not given."""
    allowed = set(_ingress(group))
    unset = tuple(rule.name for rule in wanted or () if rule not in allowed)
    presence = Presence.PENDING
    if wanted is not None:
        presence = Presence.UNSET if unset else Presence.READY
    return Observation(
        presence,
        group["GroupId"],
        arn=group.get("SecurityGroupArn") or arn(cloud, "ec2", f"security-group/{group['GroupId']}"),
        tags=tag_dict(group.get("Tags")),
        facts={
            **{fact: group[member] for fact, member in FACTS.items() if member in group},
            "rules_to_groups": {d: list(_to_groups(group, d)) for d in MEMBER},
        },
        unset=unset,
    )
