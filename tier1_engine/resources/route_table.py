"""A route table with a default route to a gateway, associated with subnets.

Route and associations are its configuration. The VPC's main table is never changed: default associations
(`Main`) are neither counted nor removed. An association that its request does not name is somebody else's: it
stays, and the table with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from tier1_engine.contract.kind import ABSENT, Holder, Kind, Observation, Presence, Problem, Target
from tier1_engine.contract.manual import Freeing, Recipe
from tier1_engine.contract.price import FREE
from tier1_engine.contract.remedy import Quota, Remedies, Remedy
from tier1_engine.errors import CallError
from tier1_engine.resources import _ec2

NOT_FOUND = "InvalidRouteTableID.NotFound"
EVERYWHERE = "0.0.0.0/0"
NO_ROUTE = "default-route"
OTHER_ROUTE = "default-route-target"
ASSOCIATION = "association:"
ALREADY_SO = frozenset({"RouteAlreadyExists", "Resource.AlreadyAssociated"})
NOT_ASSOCIATED = "InvalidAssociationID.NotFound"
OTHERS = "associated_by_others"
LEAVING_ASSOCIATION = frozenset({"disassociating", "disassociated"})


_TABLES_PER_VPC = Quota("vpc", "L-589F43AA", "Route tables per VPC", 20)
_ROUTES_PER_TABLE = Quota("vpc", "L-93826ACB", "Routes per route table", 10)
_TOO_MANY_ROUTES = Remedy(
    "The route table has reached its limit of routes.",
    ("Remove routes that are no longer needed, or ask AWS for a higher quota.",),
    quota=_ROUTES_PER_TABLE,
)
REMEDIES: Remedies = {
    **_ec2.REMEDIES,
    "RouteTableLimitExceeded": Remedy(
        "The VPC has reached its limit of route tables.",
        ("Delete route tables that are no longer needed, or ask AWS for a higher quota.",),
        quota=_TABLES_PER_VPC,
    ),
    "RouteLimitExceeded": _TOO_MANY_ROUTES,
    "ResourceCountLimitExceeded": _TOO_MANY_ROUTES,
    "AssociationFailed": Remedy(
        "AWS could not associate the route table with a subnet.",
        ("Retry.",),
    ),
}


FIXED = {"vpc_id": "vpc_id"}


class RouteTable(Kind):
    """Inputs: `{vpc_id, gateway_id, subnet_ids}`."""

    name = "route_table"
    title = "route table"
    not_visible_yet = frozenset(
        {NOT_FOUND, "InvalidVpcID.NotFound", "InvalidSubnetID.NotFound", "InvalidGatewayID.NotFound"}
    )
    gone = frozenset({NOT_FOUND})
    iam_actions = (
        "ec2:AssociateRouteTable",
        "ec2:CreateRoute",
        "ec2:CreateRouteTable",
        "ec2:CreateTags",
        "ec2:DeleteRouteTable",
        "ec2:DescribeRouteTables",
        "ec2:DisassociateRouteTable",
        "ec2:ReplaceRoute",
    )
    implied_actions = (("CreateRouteTable", "ec2:CreateTags"),)
    remedies = REMEDIES
    list_price = FREE
    fixed = FIXED

    def find(self, cloud: Cloud, target: Target) -> Sequence[Observation]:
        return self._list(cloud, resource_filters(target))

    def create(self, cloud: Cloud, target: Target) -> Observation:
        reply = cloud.change(
            "ec2",
            "create_route_table",
            VpcId=target.request["vpc_id"],
            ClientToken=target.key,
            TagSpecifications=tag_specifications(target.tags, "route-table"),
        )
        part(reply, "RouteTable", "RouteTableId", operation="CreateRouteTable")
        # Only this reply shows the token; DescribeRouteTables leaves it out.
        return _observation(cloud, reply["RouteTable"], key=reply.get("ClientToken"))

    def describe(self, cloud: Cloud, target: Target) -> Observation:
        table_id = target.aws_id or ""
        try:
            hits = list(cloud.pages("ec2", "describe_route_tables", "RouteTables", RouteTableIds=[table_id]))
        except CallError as error:
            if error.code == NOT_FOUND:
                return ABSENT
            raise
        table = next((hit for hit in hits if hit.get("RouteTableId") == table_id), None)
        return ABSENT if table is None else _observation(cloud, table, target.request or None)

    def configure(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        for name in observation.unset:
            try:
                self._set(cloud, name, observation.aws_id, target.request)
            except CallError as error:
                if error.code not in ALREADY_SO:
                    raise

    def delete(self, cloud: Cloud, target: Target, observation: Observation) -> None:
        """Remove the associations of its request, then delete it. While another one is there, nothing is
        changed: without the table, what it routes for is cut off.
        """
        if others := observation.facts.get(OTHERS):
            message = f"it is associated with {', '.join(others)}"
            raise CallError("DependencyViolation", message, operation="DeleteRouteTable")
        for association_id in observation.facts["association_ids"]:
            try:
                cloud.change("ec2", "disassociate_route_table", AssociationId=association_id)
            except CallError as error:
                if error.code != NOT_ASSOCIATED:
                    raise
        cloud.change("ec2", "delete_route_table", RouteTableId=observation.aws_id)

    def list_owned(self, cloud: Cloud, tags: Mapping[str, str]) -> Sequence[Observation]:
        return [
            observation
            for observation in self._list(cloud, tag_filters(tags))
            if carries(observation.tags, tags)
        ]

    def others_inside(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[str]:
        """Foreign subnets that it routes for."""
        subnets = _subnets(self._associations(cloud, target), "associated", "associating") - {None}
        return [f"subnet {subnet_id}" for subnet_id in sorted(subnets) if subnet_id not in ours]

    def holders(self, cloud: Cloud, target: Target, ours: frozenset[str]) -> Sequence[Holder]:
        """Foreign subnets, and gateways, that somebody associated with it."""
        return [
            Holder(
                f"the association of {_what(one)} with it",
                aws("ec2", "disassociate-route-table", "--association-id", one["RouteTableAssociationId"]),
            )
            for one in _strange(self._associations(cloud, target), target.request)
            if one.get("SubnetId") not in ours
        ]

    def console_url(self, region: str, aws_id: str) -> str:
        return console(region, "vpcconsole", f"RouteTableDetails:RouteTableId={aws_id}")

    def commands(self, aws_id: str, facts: Mapping[str, Any]) -> dict[str, list[str]]:
        disassociate = [
            aws("ec2", "disassociate-route-table", "--association-id", association_id)
            for association_id in facts.get("association_ids", ())
        ]
        return {
            "look": [aws("ec2", "describe-route-tables", "--route-table-ids", aws_id)],
            "delete": [*disassociate, aws("ec2", "delete-route-table", "--route-table-id", aws_id)],
        }

    def recipe(self, target: Target) -> Recipe:
        named = ", ".join(f"'{subnet_id}'" for subnet_id in target.request.get("subnet_ids") or ())
        condition = f"contains([{named}], SubnetId)" if named else "!Main"
        associated = f"RouteTables[].Associations[?{condition}][].RouteTableAssociationId"
        return Recipe(
            find=find_line(
                "describe-route-tables",
                "RouteTables",
                "RouteTableId",
                target,
                *fixed_filters(target, vpc_id="vpc-id"),
            ),
            free=(
                Freeing(
                    'aws ec2 describe-route-tables --route-table-ids "$id" '
                    f'--query "{associated}" --output text',
                    'aws ec2 disassociate-route-table --association-id "$it"',
                    frozenset({NOT_ASSOCIATED}),
                ),
            ),
            delete='aws ec2 delete-route-table --route-table-id "$id"',
        )

    def _associations(self, cloud: Cloud, target: Target) -> list[Mapping[str, Any]]:
        filters = [{"Name": "route-table-id", "Values": [target.aws_id or ""]}]
        tables = cloud.pages("ec2", "describe_route_tables", "RouteTables", Filters=filters)
        ours = (table for table in tables if table.get("RouteTableId") == target.aws_id)
        return [one for table in ours for one in table.get("Associations") or ()]

    def _list(self, cloud: Cloud, filters: list[dict[str, Any]]) -> list[Observation]:
        hits = list(cloud.pages("ec2", "describe_route_tables", "RouteTables", Filters=filters))
        return [_observation(cloud, hit) for hit in oldest_first(hits, "RouteTableId")]

    def _set(self, cloud: Cloud, name: str, table_id: str, request: Mapping[str, Any]) -> None:
        if name.startswith(ASSOCIATION):
            subnet_id = name.removeprefix(ASSOCIATION)
            cloud.change("ec2", "associate_route_table", RouteTableId=table_id, SubnetId=subnet_id)
            return
        cloud.change(
            "ec2",
            "create_route" if name == NO_ROUTE else "replace_route",
            RouteTableId=table_id,
            DestinationCidrBlock=EVERYWHERE,
            GatewayId=request["gateway_id"],
        )


def _observation(
    cloud: Cloud, table: Mapping[str, Any], wanted: Mapping[str, Any] | None = None, key: str | None = None
) -> Observation:
    """The observation of a table; pending when the expected configuration is not given."""
    associations = [
        association
        for association in table.get("Associations") or ()
        if not association.get("Main") and _state(association) not in LEAVING_ASSOCIATION
    ]
    strange = list(_strange(associations, wanted or {}))
    unset = () if wanted is None else _unset(table, associations, wanted)
    presence = Presence.PENDING
    if unset:
        presence = Presence.UNSET
    elif wanted is not None and _subnets(associations, "associated").issuperset(wanted["subnet_ids"]):
        presence = Presence.READY
    return Observation(
        presence,
        table["RouteTableId"],
        arn=arn(cloud, "ec2", f"route-table/{table['RouteTableId']}"),
        tags=tag_dict(table.get("Tags")),
        facts={
            **({"vpc_id": table["VpcId"]} if "VpcId" in table else {}),
            "association_ids": sorted(
                association["RouteTableAssociationId"]
                for association in associations
                if "RouteTableAssociationId" in association and association not in strange
            ),
            **({OTHERS: sorted(map(_what, strange))} if strange else {}),
        },
        key=key,
        problem=_problem(associations) if unset else None,
        unset=unset,
    )


def _strange(
    associations: Sequence[Mapping[str, Any]], request: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """The associations that the request does not name; none for a table whose request is unknown."""
    for one in associations if "subnet_ids" in request else ():
        leaving = _state(one) in {*LEAVING_ASSOCIATION, "failed"}
        if not one.get("Main") and not leaving and one.get("SubnetId") not in request["subnet_ids"]:
            yield one


def _what(association: Mapping[str, Any]) -> str:
    return str(association.get("SubnetId") or association.get("GatewayId"))


def _unset(
    table: Mapping[str, Any], associations: Sequence[Mapping[str, Any]], wanted: Mapping[str, Any]
) -> tuple[str, ...]:
    unset = []
    gateways = [
        route.get("GatewayId")
        for route in table.get("Routes") or ()
        if route.get("DestinationCidrBlock") == EVERYWHERE
    ]
    if not gateways:
        unset.append(NO_ROUTE)
    elif wanted["gateway_id"] not in gateways:
        unset.append(OTHER_ROUTE)
    # A failed association is set again: AWS keeps listing it for a while.
    there = _subnets(associations, "associated", "associating")
    missing = [subnet_id for subnet_id in wanted["subnet_ids"] if subnet_id not in there]
    return (*unset, *(ASSOCIATION + subnet_id for subnet_id in missing))


def _subnets(associations: Sequence[Mapping[str, Any]], *states: str) -> set[Any]:
    return {association.get("SubnetId") for association in associations if _state(association) in states}


def _state(association: Mapping[str, Any]) -> str:
    """The state of an association; an endpoint that leaves it out has associated it."""
    state: str = (association.get("AssociationState") or {}).get("State") or "associated"
    return state


def _problem(associations: Sequence[Mapping[str, Any]]) -> Problem | None:
    for association in associations:
        if _state(association) == "failed":
            said = (association.get("AssociationState") or {}).get("StatusMessage")
            return Problem("AssociationFailed", said or "an association failed", "AssociateRouteTable")
    return None
