"""Remedies for codes that no kind or check owns: credentials, an unreachable AWS, tier1's own codes.

Pure data. Source: "Common errors" of AWS's API references, and botocore's models. Codes that occur only in
the calls of one kind or check are in `Kind.remedies` and `Check.remedies`.
"""

from __future__ import annotations

from tier1_engine.contract.remedy import Remedies, Remedy

_WHO = ("sts", "get-caller-identity")
_WHO_AT_HOME = (*_WHO, "--region", "{home}")
"""A region that is not enabled knows nobody."""
_SIGN_IN = "Sign in again to account {account}, check who you are with the command below, then resume."
_NOT_SIGNED_IN = Remedy("The credentials have expired, so AWS refuses all calls.", (_SIGN_IN,), (_WHO,))
_ENABLE_REGION = "If the identity is right, enable {region} for the account; AWS then knows it there, too."
_REGIONS = (
    "ec2",
    "describe-regions",
    "--all-regions",
    "--region-names",
    "{region}",
    "--query",
    "Regions[].OptInStatus",
    "--output",
    "text",
    "--region",
    "{home}",
)
_WRONG_KEYS = Remedy(
    "AWS does not know these credentials, or {region} is not enabled for the account.",
    (_SIGN_IN, _ENABLE_REGION),
    (_WHO_AT_HOME, _REGIONS),
)
_UNREACHED = Remedy(
    "AWS, or the endpoint of this deployment, could not be reached from this host.",
    ("Check the network, DNS and proxy of this host, or start the local AWS, then resume.",),
    (_WHO,),
)

CATALOGUE: Remedies = {
    # --- credentials
    "NoCredentials": Remedy(
        "This host has no usable AWS credentials for the deployment's profile.",
        (
            (
                "Sign in to account {account}, or set AWS_PROFILE or AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, then resume."
            ),
        ),
        (_WHO,),
    ),
    "CredentialsUnusable": Remedy(
        "The source of this host's AWS credentials failed, so no call was sent.",
        (
            (
                "Run the source by itself (`credential_process`, the file of the web identity token, or what "
                "AWS_PROFILE names), and correct it as the message says."
            ),
            "Check who you are with the command below, then resume.",
        ),
        (_WHO,),
    ),
    "CredentialSourceSilent": Remedy(
        "The source of this host's AWS credentials did not answer in time, so no call was sent.",
        (
            "Run the source by itself (`credential_process`, or what AWS_PROFILE names): it may wait.",
            "Check who you are with the command below, then resume.",
        ),
        (_WHO,),
    ),
    "MfaCodeNeeded": Remedy(
        "The deployment's profile asks for an MFA code, which only a person at a terminal can give.",
        ("Resume in a terminal: it asks for the code first.",),
    ),
    "SignInNeeded": Remedy(
        "The deployment's profile is signed in by browser, and its session has ended.",
        ("Run the `aws` command in the message, then resume. In a terminal, `resume` offers to run it.",),
    ),
    "CredentialSourceBusy": Remedy(
        "The source of this host's AWS credentials did not answer, or throttled the request, for a minute.",
        ("Check who you are with the command below; as soon as it answers, resume.",),
        (_WHO,),
    ),
    "ExpiredToken": _NOT_SIGNED_IN,
    "ExpiredTokenException": _NOT_SIGNED_IN,
    "RequestExpired": Remedy(
        "The request has expired: most often, the credentials have.",
        ("Sign in again to account {account}, then resume.",),
    ),
    "InvalidClientTokenId": _WRONG_KEYS,
    "UnrecognizedClientException": _WRONG_KEYS,
    "SignatureDoesNotMatch": Remedy("The secret key does not match its key id.", (_SIGN_IN,), (_WHO,)),
    "ClockSkew": Remedy(
        "The clock of this host is wrong, so AWS refuses what it signs; the credentials may be good.",
        ("Set the clock, best by NTP (`timedatectl set-ntp true`), then resume.",),
        (_WHO,),
    ),
    "AuthFailure": Remedy(
        "EC2 could not validate the credentials, or {region} is not enabled for the account.",
        (_SIGN_IN, _ENABLE_REGION),
        (_WHO_AT_HOME, _REGIONS),
    ),
    "WrongAccount": Remedy(
        "These credentials belong to another account than the deployment.",
        ("Sign in to account {account}, then resume.",),
        (_WHO,),
    ),
    # --- the account
    "PendingVerification": Remedy(
        "AWS is still verifying the account for {region}; this takes minutes, at most four hours.",
        (
            "Everything that exists remains for the retry, and costs money meanwhile.",
            "Resume once AWS has confirmed the account by email, or roll back.",
        ),
    ),
    "OptInRequired": Remedy(
        "The account is not signed up for the service, or {region} is not enabled for it.",
        ("Enable the region or service in the account's settings, then resume.",),
    ),
    "RegionNotEnabled": Remedy(
        "{region} is not enabled for the account; its credentials are good.",
        (
            "Enable {region} in the account's settings (it takes minutes), then resume.",
            "Or roll back, and deploy with another `region` in the spec.",
        ),
        (_REGIONS,),
    ),
    "RegionDisabledException": Remedy(
        "{region} is not enabled for the account.",
        ("Enable {region} in the account's settings, then resume; it takes minutes.",),
        (_REGIONS,),
    ),
    "TagLimitExceeded": Remedy(
        "A resource can have at most 50 tags; those of the spec and tier1's own exceed that.",
        ("Remove tags from `tags` in the spec.",),
    ),
    # --- AWS did not answer, or answered unexpectedly
    "ConnectionRefused": _UNREACHED,
    "ConnectTimeout": _UNREACHED,
    "NameNotResolved": _UNREACHED,
    "CallTimeout": Remedy(
        "AWS did not respond in time, even after retries.",
        ("Retry; TIER1_CALL_TIMEOUT_SECONDS sets the time limit of one call.",),
    ),
    "UnreadableReply": Remedy(
        "The reply is not from AWS: a proxy answered, or the endpoint is wrong.",
        ("Check the proxy of this host and the endpoint of the deployment, then resume.",),
        (_WHO,),
    ),
    "RequestLimitExceeded": Remedy(
        "AWS throttled this account's calls in {region}, even after retries.",
        ("Find out what else makes so many calls in this account, and retry in a few minutes.",),
    ),
    "IdempotentParameterMismatch": Remedy(
        "An earlier call with the same token had other parameters, and what it created was not found.",
        ("Roll back, which looks for it by its tags, and deploy again.",),
    ),
    # --- tier1's own codes
    "NotOurs": Remedy(
        "The existing resource does not have this deployment's tags, so tier1 does not touch it.",
        ("Find out who owns it; if somebody removed its tags, put them back, then resume.",),
    ),
    "GoneByHand": Remedy(
        "Somebody else deleted it every time tier1 created it.",
        ("Find out who deletes it (CloudTrail shows that), then retry.",),
    ),
    "DeadlineExceeded": Remedy(
        "It was not ready, or not deleted, in time.",
        ("Check it with the commands below, then retry; you can raise `timeouts` in the spec.",),
    ),
    "NotVisibleYet": Remedy(
        "AWS still does not show the resource that it created, long after it should.",
        ("Retry in a few minutes.",),
    ),
    "BlockedBy": Remedy(
        "It depends on something that could not be deleted.",
        ("Fix that one, then resume: this one is deleted after it, unless something else holds it.",),
    ),
    "KindMissing": Remedy(
        "The package for this kind of resource is not installed on this host.",
        ("Install it, then resume.",),
    ),
    "Defect": Remedy(
        "A bug in tier1 or in a plug-in.",
        ("Report it with the output of `tier1 log {id}`; the record is complete.",),
    ),
}
