"""Remedies for what runs on the instance, and for what tier1 itself found. Pure data.

Source: the marks of the user data (`userdata`), and "Troubleshooting Amazon EFS" of its user guide.
"""

from __future__ import annotations

from tier1_engine.guidance.remedies import Catalogue, Remedy

_MOUNTS = ("efs", "describe-mount-targets", "--file-system-id", "{file_system_id}")
_CONSOLE = ("ec2", "get-console-output", "--instance-id", "{instance_id}", "--output", "text")
_NOT_MOUNTED = Remedy(
    "The user data is running, but the file system was not mounted in time.",
    (
        "Check the console: if it is still installing packages, raise `health.timeout`.",
        (
            "Check that each zone has a mount target that is `available`, and that the instance reaches the "
            "internet to download packages."
        ),
        "In your own VPC, DNS support and DNS hostnames must be enabled.",
    ),
    (_CONSOLE, _MOUNTS),
)

CATALOGUE: Catalogue = {
    # --- the instance
    "NotMounted": _NOT_MOUNTED,
    "NoConsoleOutput": Remedy(
        "The console showed no sign of the user data in time.",
        (
            "EC2 shows the console some minutes late: retry, or raise `health.timeout`.",
            (
                "If it stays empty, the AMI does not run cloud-init, or does not write to the console: use "
                "`health.mount_check: ssm`."
            ),
        ),
        (_CONSOLE,),
    ),
    "UserDataRunning": Remedy(
        "EFS is mounted, but your script did not finish in time.",
        ("Check its progress on the console; raise `health.timeout`, or let the script do less.",),
        (_CONSOLE,),
    ),
    "UserDataFailed": Remedy(
        "The user data failed; the code says where: 301 the mount path, 302 the mount, 303 unpacking, "
        "300 a signal, any other the exit status of your script.",
        (
            "Read the console: the lines before the mark say why.",
            "302: each zone needs a mount target that is `available`, and the instance access to packages.",
            "Fix `instance.user_data`, roll back, and deploy again: user data runs once.",
        ),
        (_CONSOLE, _MOUNTS),
    ),
    "CommandRunning": Remedy(
        "The command that checks the mount did not finish in time.",
        ("Retry, or use `health.mount_check: console`.",),
        (("ssm", "list-commands", "--instance-id", "{instance_id}"),),
    ),
    # --- services
    "NotConnected": Remedy(
        "The service does not accept connections from this host.",
        (
            "Check that it runs on the instance and listens on all addresses, not only on 127.0.0.1.",
            "Check that `network.ingress` allows this host on that port.",
            "Retry once it is up, continue without it, or roll back.",
        ),
        (_CONSOLE,),
    ),
    "NotHttp": Remedy(
        "What listens on that port does not speak HTTP.",
        ("Check the port and scheme in `health.services`, or use `tcp` for it.",),
    ),
    "HTTP": Remedy(
        "The service responds, but with a status that is neither 2xx nor 3xx.",
        ("Check its log on the instance and the path in `health.services`, then retry.",),
    ),
    "AddressUnknown": Remedy(
        "The check needs an address that the instance does not have.",
        ("Use `{{private_ip}}`, or subnets that assign public addresses.",),
    ),
    # --- tier1's own
    "NotOurs": Remedy(
        "What exists in its place does not have this deployment's tags, so it is not touched.",
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
        "AWS did not show what it had created for longer than it ever should.",
        ("Retry in a few minutes.",),
    ),
    "SubnetFailed": Remedy(
        "AWS could not create the subnet and marks it as failed.",
        ("Roll back and deploy again, if necessary in other zones.",),
    ),
    "AssociationFailed": Remedy(
        "AWS could not associate the route table with a subnet.",
        ("Retry.",),
    ),
    "BlockedBy": Remedy(
        "It depends on something that could not be deleted.",
        ("Fix that one; this one is then deleted automatically.",),
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
