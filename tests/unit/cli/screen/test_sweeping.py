"""What a sweep prints: results by deployment, each reason once, and the commands for what remains."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.rows import AT, deployment, failure, resource
from tier1_engine import resources
from tier1_engine.cli.screen.render.sweeping import done, planned, remembered
from tier1_engine.contract.kind import Observation, Presence
from tier1_engine.deployment.overview import Known
from tier1_engine.deployment.place import Place
from tier1_engine.deployment.record import FOR_EVER, Deployment, Resource
from tier1_engine.deployment.states import FailureClass, Goal, State
from tier1_engine.survey.around import TaggedResource
from tier1_engine.sweep.outcome import ItemOutcome, Result
from tier1_engine.sweep.plan import Plan, narrowed, of_item, of_plan, unfitting
from tier1_engine.sweep.rules import Choice, Interrupted, mark
from tier1_engine.sweep.sweep import Swept, of_result
from tier1_engine.views.prices import Prices

NOW = AT + timedelta(hours=30)
PRICES = Prices(resources.discover())
MACHINE = {
    "candidates": [{"type": "t3.medium", "market": "on-demand"}],
    "root_volume_gib": 30,
    "associate_public_ip": True,
}
MONTHLY = round(730 * 0.0416 + 30 * 0.08 + 730 * 0.005, 2)
"""The monthly price of a t3.medium, its volume and its address in us-east-1."""


def row(kind: str, aws_id: str | None, **values: object) -> Resource:
    return resource(f"row-of-{aws_id}", kind, "d1", kind=kind, aws_id=aws_id, **values)


def known(*remaining: Resource, at: Deployment | None = None) -> Known:
    failed = failure("web", failure_class=FailureClass.RECOVERABLE)
    whole = at or deployment("d1", name="one", state=State.FAILED, failure=failed)
    return Known(whole, 7, AT, remaining=remaining)


def plan(*all_known: Known, choice: Choice | None = None, seen: tuple[TaggedResource, ...] = ()) -> Plan:
    return Plan("db", NOW, mark(all_known, seen, choice or Choice(), NOW, "db", PRICES))


def test_an_instance_has_its_cost_in_the_plan_and_on_the_screen() -> None:
    """It is a month of machine, volume and address; a free resource shows no cost."""
    whole = plan(
        known(row("instance", "i-1", request=MACHINE), row("vpc", "vpc-1"), row("file_system", "fs-1"))
    )
    costs = {item["kind"]: item["estimated_cost"] for item in of_plan(whole)["items"]}
    assert costs == {"instance": pytest.approx(MONTHLY), "vpc": 0.0, "file_system": None}
    text = planned(of_plan(whole))
    assert f"To be swept (3 deletions, at least ${MONTHLY:.2f} a month)" in text
    assert f"i-1, 30h 00m old, ${MONTHLY:.2f} a month" in text
    assert text.count("a month") == 2


def test_the_cost_of_a_plan_is_that_of_all_its_machines() -> None:
    """All deployments are included."""
    other = known(row("instance", "i-2", request=MACHINE), at=deployment("d2", name="two", expires_at=AT))
    text = planned(of_plan(plan(known(row("instance", "i-1", request=MACHINE)), other)))
    assert f"${2 * MONTHLY:.2f} a month" in text


def test_a_resource_without_an_id_is_shown_by_name() -> None:
    """The id of a row means nothing to an operator."""
    text = planned(of_plan(plan(known(row("role", None)))))
    assert "role (no reply to its create call)" in text
    assert "row-of" not in text


def test_a_reported_item_has_its_owner_and_advice() -> None:
    """A deployment is named, and a foreign resource is shown with its tags."""
    over = deployment("d2", name="two", state=State.ACTIVE, activated_at=AT, expires_at=AT)
    kept = known(row("vpc", "vpc-1"), at=replace(over, keep_until=FOR_EVER))
    lost = known(row("vpc", "vpc-2"), at=deployment("d3", name="three", state=State.PROVISIONING_EFS))
    tags = {"tier1:database": "other", "tier1:deployment": "f1", "tier1:name": "theirs"}
    place = Place("123456789012", "eu-west-1", "", "")
    foreign = TaggedResource("vpc", place, Observation(Presence.READY, "vpc-9", tags=tags), proved=False)
    text = planned(of_plan(plan(kept, lost, seen=(foreign,), choice=Choice(orphans=True))))
    assert "two (d2) in us-east-1: it expired at" in text
    assert "but it is protected" in text
    assert "theirs (f1) in eu-west-1: it belongs to another database" in text
    assert "--foreign --dry-run --save PLAN" in text
    assert "--interrupted resume" in text
    quiet = planned(of_plan(plan(kept)))
    assert "--foreign" not in quiet
    assert "--interrupted" not in quiet


def swept(whole: Plan, *results: Result) -> str:
    found = Swept("s1", whole, results)
    return done(
        {
            "items": [of_result(result) for result in results],
            "left_out": [of_item(item) for item in whole.left_out],
            "reports": [],
            "not_looked_at": [],
            **found.counts,
        }
    )


def test_a_reason_shared_by_a_whole_deployment_is_printed_once() -> None:
    """Repeating it would hide a different reason."""
    whole = plan(known(row("vpc", "vpc-1"), row("subnet", "subnet-1")))
    why = "i-9 in subnet-1 is not this deployment's"
    first, second = whole.items
    text = swept(whole, Result(first, ItemOutcome.REMAINED, why), Result(second, ItemOutcome.REMAINED, why))
    assert text.count(why) == 1
    assert f"all 2 remained: {why}" in text
    assert "vpc-1" in text
    assert "subnet-1, 30h" in text
    mixed = swept(whole, Result(first, ItemOutcome.REMAINED, why), Result(second, ItemOutcome.DELETED))
    assert "all" not in mixed
    assert mixed.count(why) == 1


def test_filtered_items_are_shown_by_deployment_in_a_dry_run_too() -> None:
    """A prefix of an id is accepted as elsewhere; a filter without a match is reported."""
    whole = plan(
        known(
            row("vpc", "vpc-1"), row("subnet", "subnet-1"), at=deployment("abcdef", name="one", expires_at=AT)
        )
    )
    part = narrowed(whole, [], ["vpc-1", "nobody"])
    assert [item.aws_id for item in part.items] == ["subnet-1"]
    text = planned(of_plan(part), [of_item(item) for item in part.left_out])
    head, _, rest = text.partition("Excluded by --only or --exclude (1)")
    assert "one (abcdef)" in head
    assert "one (abcdef)" in rest
    assert "vpc-1" in rest
    for word in ("abc", "abcdef", "one"):
        assert narrowed(whole, [], [word]).items == ()
    assert len(narrowed(whole, [], ["bcd", ""]).items) == 2
    assert unfitting(whole, ["abc", "vpc-1", "nobody", ""]) == ["nobody", ""]


def test_the_history_says_why_resources_remain() -> None:
    """Each reason has its count; of many some are shown, with where to find the rest."""
    whole = plan(known(*(row("subnet", f"subnet-{n}") for n in range(7))))
    results = [
        of_result(Result(item, ItemOutcome.REMAINED, "DependencyViolation: x")) for item in whole.items
    ]
    one = {"begun_at": "2026-01-01T00:00:00Z", "id": "s1", "exit_code": 5, "items": results}
    figures = dict.fromkeys(("marked", "deleted", "skipped", "remained", "reported"), 7)
    text = remembered([{**one, **figures}])
    assert "  one (d1): 7 remained: DependencyViolation: x" in text
    several = [{**result, "why": f"reason {n}"} for n, result in enumerate(results)]
    text = remembered([{**one, **figures, "items": several}])
    assert "reason 4" in text
    assert "reason 5" not in text
    assert "and 2 more: see them with -o json" in text


def test_the_interrupted_option_does_not_apply_to_rollbacks() -> None:
    """The hint is only for what is reported."""
    back = known(row("vpc", "vpc-1"), at=deployment("d4", state=State.ROLLING_BACK, goal=Goal.ROLLED_BACK))
    text = planned(of_plan(plan(replace(back), choice=Choice(interrupted=Interrupted.ROLLBACK))))
    assert "Only reported" not in text
    assert "--interrupted" not in text
