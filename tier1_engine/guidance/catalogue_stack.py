"""Remedies for what runs on the instance, and for what tier1 itself found. Pure data.

Source: the marks of the user data (`userdata`), and "Troubleshooting Amazon EFS" of its user guide.
"""

from __future__ import annotations

from tier1_engine.guidance.remedies import Catalogue, Remedy

_MOUNTS = ("efs", "describe-mount-targets", "--file-system-id", "{file_system_id}")
_CONSOLE = ("ec2", "get-console-output", "--instance-id", "{instance_id}", "--output", "text")
_NOT_MOUNTED = Remedy(
    "The user data runs, but the file system was not mounted in time.",
    (
        "See on the console whether it still installs packages: raise `health.timeout` then.",
        (
            "See that each zone has a mount target that is `available`, and that the instance reaches the "
            "internet for its packages."
        ),
        "In a VPC that you brought, DNS support and host names must be on.",
    ),
    (_CONSOLE, _MOUNTS),
)

CATALOGUE: Catalogue = {
    # --- the instance
    "NotMounted": _NOT_MOUNTED,
    "NoConsoleOutput": Remedy(
        "The console showed no sign of the user data in time.",
        (
            "EC2 shows the console some minutes late: try again, or raise `health.timeout`.",
            (
                "If it stays empty, the AMI does not run cloud-init, or does not write to the console: use "
                "`health.mount_check: ssm`."
            ),
        ),
        (_CONSOLE,),
    ),
    "UserDataRunning": Remedy(
        "EFS is mounted, and your script was not over in time.",
        ("See on the console where it is; raise `health.timeout`, or let it do less.",),
        (_CONSOLE,),
    ),
    "UserDataFailed": Remedy(
        "The user data ended badly; the code says where: 301 the mount path, 302 the mount, 303 unpacking, "
        "300 a signal, any other the exit status of your script.",
        (
            "Read the console: the lines before the mark say why.",
            "302: each zone needs a mount target that is `available`, and the instance a way to packages.",
            "Mend `instance.user_data`, roll back, and deploy again: user data runs once.",
        ),
        (_CONSOLE, _MOUNTS),
    ),
    "CommandRunning": Remedy(
        "The command that asks about the mount did not end in time.",
        ("Try again, or use `health.mount_check: console`.",),
        (("ssm", "list-commands", "--instance-id", "{instance_id}"),),
    ),
    # --- services
    "NotConnected": Remedy(
        "The service takes no connections from this host.",
        (
            "See that it runs on the instance and listens on all addresses, not on 127.0.0.1 only.",
            "See that `network.ingress` lets this host in, on that port.",
            "Try again once it is up, go on without it, or roll back.",
        ),
        (_CONSOLE,),
    ),
    "NotHttp": Remedy(
        "What listens there does not speak HTTP.",
        ("Check the port and scheme in `health.services`, or use `tcp` for it.",),
    ),
    "HTTP": Remedy(
        "The service answers, with a status that is neither 2xx nor 3xx.",
        ("See its own log on the instance; check the path in `health.services`. Then try again.",),
    ),
    "AddressUnknown": Remedy(
        "The check needs an address that the instance does not have.",
        ("Use `{{private_ip}}`, or subnets that give out public addresses.",),
    ),
    # --- tier1's own
    "NotOurs": Remedy(
        "What stands in the place carries no tags of this deployment, so it is not touched.",
        ("Find whose it is; tags that somebody took off can be put back, then go on.",),
    ),
    "GoneByHand": Remedy(
        "It was deleted by somebody else as often as tier1 made it.",
        ("Find what deletes it (CloudTrail names who), then try again.",),
    ),
    "DeadlineExceeded": Remedy(
        "It was not ready, or not gone, within its time.",
        ("Look at it with the commands below, then try again; `timeouts` in the spec can be raised.",),
    ),
    "NotVisibleYet": Remedy(
        "AWS did not show what it had made for longer than it ever should.",
        ("Try again in some minutes.",),
    ),
    "SubnetFailed": Remedy(
        "AWS could not make the subnet and marks it as failed.",
        ("Roll back and deploy again, if need be in other zones.",),
    ),
    "AssociationFailed": Remedy(
        "AWS could not associate the route table with a subnet.",
        ("Try again.",),
    ),
    "BlockedBy": Remedy(
        "It waits for what would not delete.",
        ("Mend that one; this goes by itself then.",),
    ),
    "KindMissing": Remedy(
        "This host lacks the package that knows this kind of resource.",
        ("Install it, then go on.",),
    ),
    "Defect": Remedy(
        "A part of tier1, or a plug-in, met something that it was not built for.",
        ("Report it with `tier1 log {id}`; nothing that was recorded is lost.",),
    ),
}
