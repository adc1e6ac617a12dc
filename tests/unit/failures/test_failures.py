"""What a failed call means: the table of failures, code by code."""

from __future__ import annotations

import pytest

from tests.support.our_calls import calls, modelled
from tests.support.simulation.kinds import SimKind
from tier1_engine import resources
from tier1_engine.contract.kind import Kind
from tier1_engine.deployment.states import Action
from tier1_engine.errors import Acted, CallError
from tier1_engine.failures.calls import CALLS, Verdict, judge, row_of
from tier1_engine.failures.codes import (
    BLOCKED_CODES,
    NEVER_ANSWERED,
    SERVER_CODES,
    THROTTLE_CODES,
    UNSUPPORTED_CODES,
    about_of,
    is_unsupported,
)
from tier1_engine.failures.ec2_codes import EC2_CODES, EC2_COMMON
from tier1_engine.failures.final_codes import FINAL_CODES, About

KIND = SimKind("net")


def error(
    code: str, acted: Acted = Acted.REFUSED, status: int | None = 400, operation: str = "Do"
) -> CallError:
    return CallError(code, "never matched", operation=operation, acted=acted, http_status=status)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize(
    ("codes", "verdict"),
    [
        (BLOCKED_CODES, Verdict.BLOCKED),
        (THROTTLE_CODES | NEVER_ANSWERED | SERVER_CODES, Verdict.TRANSIENT),
        ({"PermitRefused"}, Verdict.STOPPED),
        (
            {"UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "VpcLimitExceeded"},
            Verdict.FATAL,
        ),
    ],
)
def test_common_codes_mean_the_same_for_every_call(codes: set[str], verdict: Verdict, action: Action) -> None:
    """Credentials block, throttles and time-outs are retried, and a missing permission is final."""
    for code in codes:
        assert judge(error(code), action, KIND, young=False) is verdict
        assert judge(error(code), action, None, young=True) is verdict


def test_the_contracts_blocked_codes_are_all_there() -> None:
    """The codes that mean "no access"."""
    assert {
        "RequestExpired",
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "OptInRequired",
        "SubscriptionRequiredException",
        "NoCredentials",
    } <= BLOCKED_CODES


@pytest.mark.parametrize(
    ("operation", "code", "status", "verdict"),
    [
        ("RunInstances", "AuthFailure", 400, Verdict.FATAL),
        ("DescribeImages", "AuthFailure", 400, Verdict.FATAL),
        ("RunInstances", "OptInRequired", 401, Verdict.FATAL),
        ("RunInstances", "AuthFailure", 401, Verdict.BLOCKED),
        ("RunInstances", "AuthFailure", None, Verdict.BLOCKED),
        ("CreateVpc", "AuthFailure", 400, Verdict.BLOCKED),
        ("CreateVpc", "OptInRequired", 401, Verdict.BLOCKED),
    ],
)
def test_a_launch_refused_for_its_image_is_told_from_refused_credentials(
    operation: str, code: str, status: int | None, verdict: Verdict
) -> None:
    """AWS uses one code for both; the operation and the HTTP status tell them apart."""
    failed = error(code, status=status, operation=operation)
    instance = resources.discover()["instance"]
    assert judge(failed, Action.CREATE, instance, young=True) is verdict


@pytest.mark.parametrize(
    ("status", "acted"), [(500, Acted.REFUSED), (503, Acted.REFUSED), (None, Acted.UNKNOWN)]
)
def test_unknown_codes_are_retried_when_aws_itself_failed(status: int | None, acted: Acted) -> None:
    """A server error or an unknown outcome justifies another attempt."""
    assert judge(error("Odd", acted, status), Action.CREATE, KIND, young=False) is Verdict.TRANSIENT


@pytest.mark.parametrize(
    ("code", "action", "young", "verdict"),
    [
        ("AlreadyExists", Action.CREATE, False, Verdict.EXISTS),
        ("AlreadyExists", Action.CONFIGURE, False, Verdict.FATAL),
        ("IdempotentParameterMismatch", Action.CREATE, False, Verdict.EXISTS),
        ("TokenSpent", Action.CREATE, True, Verdict.SPENT),
        ("TokenSpent", Action.DELETE, False, Verdict.FATAL),
        ("NoCapacity", Action.CREATE, False, Verdict.EXHAUSTED),
        ("NoCapacity", Action.DELETE, False, Verdict.FATAL),
        ("DependencyViolation", Action.DELETE, False, Verdict.IN_USE),
        ("DependencyViolation", Action.CREATE, False, Verdict.FATAL),
        ("Thing.NotFound", Action.DELETE, False, Verdict.GONE),
        ("Thing.NotFound", Action.DESCRIBE, False, Verdict.FATAL),
        ("InvalidReference.NotFound", Action.CREATE, True, Verdict.UNSEEN),
        ("InvalidReference.NotFound", Action.CONFIGURE, True, Verdict.UNSEEN),
        ("InvalidReference.NotFound", Action.CREATE, False, Verdict.FATAL),
    ],
)
def test_a_kind_s_declaration_applies_to_its_own_calls(
    code: str, action: Action, young: bool, verdict: Verdict
) -> None:
    """The same code of another call has no special meaning."""
    assert judge(error(code), action, KIND, young=young) is verdict


def test_a_call_that_an_endpoint_lacks_is_recognised_by_code_or_status() -> None:
    """Only an emulator answers like this."""
    assert all(is_unsupported(error(code)) for code in UNSUPPORTED_CODES)
    assert is_unsupported(error("Odd", status=501))
    assert not is_unsupported(error("UnauthorizedOperation"))


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ReservationCapacityExceeded", 400),
        ("ReservationCapacityExceeded", 500),
        ("InsufficientVolumeCapacity", 500),
        ("InsufficientInstanceCapacity", 500),
        ("InsufficientCapacityOnOutpost", 400),
        ("UnfulfillableCapacity", 500),
        ("VolumeTypeNotAvailableInZone", 400),
        ("InvalidParameterCombination", 400),
        ("UnsupportedOperation", 400),
        ("Unsupported", 400),
    ],
)
def test_what_another_candidate_may_avoid_leads_to_the_next(code: str, status: int) -> None:
    """No capacity, in all its spellings and with any status, and a type that AWS refuses to the account."""
    instance = resources.discover()["instance"]
    assert judge(error(code, status=status), Action.CREATE, instance, young=False) is Verdict.EXHAUSTED


def test_capacity_is_transient_for_a_kind_without_candidates() -> None:
    """EFS answers InsufficientThroughputCapacity with 503: another attempt may succeed."""
    file_system = resources.discover()["file_system"]
    lack = error("InsufficientThroughputCapacity", status=503)
    assert judge(lack, Action.CREATE, file_system, young=False) is Verdict.TRANSIENT


@pytest.mark.parametrize("action", Action)
def test_an_account_that_is_being_verified_loses_nothing(action: Action) -> None:
    """It takes up to four hours: everything remains for a retry."""
    assert judge(error("PendingVerification"), action, KIND, young=False) is Verdict.BLOCKED


# --- the whole table


def test_no_modelled_error_of_a_call_is_unclassified() -> None:
    """The models of botocore cover EFS, IAM, KMS, SSM and STS."""
    ours = [(service, operation) for service, operation in calls() if service != "ec2"]
    assert {service for service, _ in ours} == {"efs", "iam", "kms", "ssm", "sts"}
    unclassed = {
        (operation, code)
        for service, operation in ours
        for code in modelled(service, operation)
        if about_of(code) is None
    }
    assert unclassed == set()


def test_every_ec2_call_has_its_codes_and_each_is_classified() -> None:
    """AWS's own list has them: a new EC2 call is added there, and a removed one taken out."""
    assert {operation for service, operation in calls() if service == "ec2"} == EC2_CODES.keys()
    for operation, codes in EC2_CODES.items():
        assert codes > EC2_COMMON or codes == EC2_COMMON, operation
        assert {code for code in codes if about_of(code) is None} == set(), operation


def test_what_a_kind_declares_is_classified_too() -> None:
    """A kind's codes have a class where its declaration does not apply."""
    for kind in resources.discover().values():
        create = kind.already_exists | kind.token_spent | kind.next_candidate
        declared = create | kind.not_visible_yet | kind.gone | kind.in_use
        assert {code for code in declared if about_of(code) is None} == set(), kind.name


def test_no_final_code_has_two_meanings() -> None:
    """None of them blocks or is retried."""
    every = [code for codes in FINAL_CODES.values() for code in codes]
    assert len(every) == len(set(every))
    assert not set(every) & (BLOCKED_CODES | THROTTLE_CODES | NEVER_ANSWERED | SERVER_CODES)
    assert About.CREDENTIALS not in FINAL_CODES


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("kind", [None, *resources.discover().values()], ids=lambda k: k and k.name)
def test_every_own_code_has_a_row_and_every_action_its_verdict(kind: Kind | None, action: Action) -> None:
    """No failed call is unclassified; a final code matches a row of its own."""
    for codes in (*FINAL_CODES.values(), BLOCKED_CODES, THROTTLE_CODES):
        for code in codes:
            row = row_of(error(code), action, kind, young=False)
            assert not row.any_code, code


def test_an_unknown_code_is_critical_at_a_create_and_transient_with_5xx() -> None:
    """These are the last row and the one for AWS's own failures."""
    odd = row_of(error("Odd"), Action.CREATE, KIND, young=True)
    assert (odd.any_code, odd.verdict) == (True, Verdict.FATAL)
    assert row_of(error("Odd", status=503), Action.CREATE, KIND, young=True).without_end


def test_every_row_is_reached() -> None:
    """No row is hidden by an earlier one."""
    codes = [
        *(
            "PermitRefused",
            "AuthFailure",
            "Throttling",
            "CallTimeout",
            "ConnectionRefused",
            "PendingVerification",
            "Unavailable",
            "Odd",
        ),
        *("UnauthorizedOperation", "VpcLimitExceeded", "IncorrectInstanceState"),
        *("InvalidInstanceID.NotFound", "IdempotentParameterMismatch", "InsufficientInstanceCapacity"),
        *("InvalidParameterValue", "IdempotentInstanceTerminated", "UnsupportedAvailabilityZone"),
    ]
    kind, mount_target = (resources.discover()[name] for name in ("instance", "mount_target"))
    tried = {
        row_of(error(code, acted, operation=operation), action, one, young=young).failure
        for code in (*codes, "OptInRequired")
        for operation in ("Do", "RunInstances")
        for action in (Action.CREATE, Action.DELETE)
        for acted in Acted
        for one in (kind, mount_target, None)
        for young in (True, False)
    }
    assert tried == {row.failure for row in CALLS}
