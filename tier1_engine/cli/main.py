"""The commands and their options, as an operator types them.

Each is a thin wrapper: what it does stands in the module of its name, which is imported only when it
runs, so that `tier1 --help` and `tier1 list` start fast.
"""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from tier1_engine import __version__
from tier1_engine.cli.boundary import boundary, install_hook
from tier1_engine.cli.options import (
    GuideOutput,
    LogOutput,
    Lost,
    OnInterrupted,
    OnRecoverable,
    Output,
    Pace,
)
from tier1_engine.cli.signals import Signals
from tier1_engine.states import State


class Commands(TyperGroup):
    """All commands, behind the one boundary that turns errors into sentences and exit codes."""

    def invoke(self, ctx: Any) -> Any:
        with boundary():
            return super().invoke(ctx)


app = typer.Typer(
    name="tier1",
    cls=Commands,
    help="Deploys a small AWS stack as a state machine on a database: resumable and without orphans.",
    epilog="Example: tier1 deploy examples/ai-stack.yaml --sandbox",
    no_args_is_help=True,
    # Plain help starts three times as fast as a drawn one.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
db = typer.Typer(
    help="The database: its schema, and everything in it.", no_args_is_help=True, rich_markup_mode=None
)
sandbox = typer.Typer(help="The local AWS for rehearsal.", no_args_is_help=True, rich_markup_mode=None)
fault = typer.Typer(
    help="What goes wrong in the running local AWS.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(db, name="db", epilog="Example: tier1 db current")
app.add_typer(sandbox, name="sandbox", epilog="Example: tier1 sandbox start")
sandbox.add_typer(
    fault,
    name="fault",
    epilog="Example: tier1 sandbox fault add --operation CreateVpc --cut after",
)

Reference = Annotated[
    str, typer.Argument(metavar="ID", help="A deployment's id, a unique prefix of one, or its name.")
]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How the result is written to stdout.")]
Retain = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Keep this resource (a name that `show` lists) with all that it needs. May be given again.",
    ),
]
LogFileOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Add what happens to this file, as JSON lines; for you alone (0600)."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"tier1 {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """What holds for every command; its help stands at the app."""


def _end(code: int) -> NoReturn:
    raise typer.Exit(code)


SWEEPS_SHOWN = 50
"""Of the history, newest first."""

GARBAGE_THRESHOLD = 50_000
"""Objects made before they are looked through, in a command that ends at once. Python's own 700 costs a
tenth of its time; one that drives keeps it, and so a tenth of its memory."""


def _reading() -> None:
    """What a command that only reads does first: nearly all that it makes stays until its end."""
    gc.set_threshold(GARBAGE_THRESHOLD)


def _listening() -> Signals:
    """Signals of a command that drives, heard from its first moment."""
    signals = Signals()
    signals.install()
    return signals


@app.command(epilog="Example: tier1 deploy examples/ai-stack.yaml --name trial --sandbox")
def deploy(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The YAML file that says what is wanted.")],
    name: Annotated[
        str | None, typer.Option(metavar="N", help="The deployment's name, instead of the spec's.")
    ] = None,
    use_sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Use the local AWS; start it if it is not running.")
    ] = False,
    no_rollback: Annotated[
        bool, typer.Option("--no-rollback", help="Keep everything when it fails, and say what is left.")
    ] = False,
    on_recoverable: Annotated[
        OnRecoverable | None,
        typer.Option(
            help="What follows the failure of a service's health check; by default what the spec says, "
            "and on a terminal you are asked."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan only; ask neither AWS nor the database.")
    ] = False,
    log_file: LogFileOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Create a deployment and drive it until it is active."""
    signals = _listening()
    if dry_run and log_file is not None:
        raise typer.BadParameter("--log-file is for what is driven; a dry run drives nothing.")
    if dry_run:
        from tier1_engine.cli import dry_run as plan_only

        _end(plan_only.run(spec, name=name, rollback=not no_rollback, output=output))
    from tier1_engine.cli import deploy as command

    _end(
        command.run(
            spec,
            name=name,
            use_sandbox=use_sandbox,
            rollback=not no_rollback,
            on_recoverable=on_recoverable,
            log_file=log_file,
            output=output,
            signals=signals,
        )
    )


@app.command(epilog="Example: tier1 resume ai-stack --retry --spec mended.yaml")
def resume(
    id: Reference,
    retry: Annotated[bool, typer.Option("--retry", help="Try what failed again.")] = False,
    go_on: Annotated[
        bool, typer.Option("--continue", help="Go on with a warning, without what failed.")
    ] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Delete all that it made.")] = False,
    spec: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="With --retry: a mended spec, which may change what made nothing yet."
        ),
    ] = None,
    log_file: LogFileOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Go on with a deployment from the database, whatever its goal is."""
    signals = _listening()
    if retry + go_on + rollback > 1:
        raise typer.BadParameter("--retry, --continue and --rollback exclude each other: give one.")
    if spec is not None and not retry:
        raise typer.BadParameter("--spec goes with --retry only: the stored plan counts everywhere else.")
    from tier1_engine.cli import resume as command
    from tier1_engine.engine import Resume

    ways = {Resume.RETRY: retry, Resume.CONTINUE: go_on, Resume.ROLL_BACK: rollback}
    how = next((way for way, given in ways.items() if given), Resume.GO_ON)
    _end(command.run(id, how=how, spec=spec, log_file=log_file, output=output, signals=signals))


@app.command(epilog="Example: tier1 rollback ai-stack --retain file-system")
def rollback(
    id: Reference,
    retain: Retain = None,
    yes: Yes = False,
    log_file: LogFileOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Delete what a deployment made that did not become active, in reverse order."""
    _back("rolled_back", id, retain, yes, log_file, output)


@app.command(epilog="Example: tier1 destroy ai-stack --yes")
def destroy(
    id: Reference,
    retain: Retain = None,
    yes: Yes = False,
    log_file: LogFileOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Take an active deployment down."""
    _back("destroyed", id, retain, yes, log_file, output)


def _back(
    goal: str, id: str, retain: list[str] | None, yes: bool, log_file: Path | None, output: Output
) -> NoReturn:
    signals = _listening()
    from tier1_engine.cli import back
    from tier1_engine.states import Goal

    wanted = Goal(goal)
    _end(
        back.run(id, wanted, retain=retain or (), yes=yes, log_file=log_file, output=output, signals=signals)
    )


@app.command("list", epilog="Example: tier1 list --failed --limit 10")
def list_(
    state: Annotated[
        list[State] | None, typer.Option(metavar="S", help="Only those in this state. May be given again.")
    ] = None,
    failed: Annotated[
        bool,
        typer.Option("--failed", help="Only those with a failure on record, also once it is rolled back."),
    ] = False,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="At most this many.")] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again as it changes, until Ctrl-C.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List deployments, newest first: state, reason of failure, what is left, since when, who drives."""
    _reading()
    from tier1_engine.cli import list_ as command
    from tier1_engine.cli.deployments import Wanted

    _end(command.run(Wanted(tuple(state or ()), failed, limit), output, watch=watch))


@app.command(epilog="Example: tier1 show ai-stack -o json")
def show(
    id: Reference,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it while somebody drives it.")] = False,
    spec: Annotated[
        bool, typer.Option("--spec", help="The spec as it was run, as YAML with secrets masked, instead.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show a deployment: what failed, its steps, resources, warnings and outputs."""
    _reading()
    if spec and (watch or output is not Output.TABLE):
        raise typer.BadParameter("--spec prints YAML, once: it goes with neither --watch nor -o.")
    from tier1_engine.cli import show as command

    if spec:
        _end(command.spec(id))
    _end(command.run(id, watch=watch, output=output))


@app.command(epilog="Example: tier1 log ai-stack --failed --since 2h")
def log(
    id: Reference,
    failed: Annotated[bool, typer.Option("--failed", help="Only what did not go well.")] = False,
    since: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Only from then on: a duration (10m, 2h) or an ISO 8601 time."),
    ] = None,
    resource: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only this step or resource, by its name or by an id of it."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on while somebody drives it.")] = False,
    console: Annotated[
        bool, typer.Option("--console", help="What was archived of its instances' consoles, instead.")
    ] = False,
    output: Annotated[
        LogOutput, typer.Option("--output", "-o", help="How it is written; jsonl is one object a line.")
    ] = LogOutput.TABLE,
) -> None:
    """Show every attempt to create or delete, with its error, and the time line."""
    _reading()
    if console and (failed or follow or since is not None or resource is not None):
        raise typer.BadParameter("--console goes only with -o.")
    from tier1_engine.cli import log as command

    if console:
        _end(command.console(id, output))
    _end(command.run(id, command.Wanted(failed, since, resource), follow=follow, output=output))


@app.command(epilog="Example: tier1 guide ai-stack -o shell >undo.sh && bash undo.sh")
def guide(
    id: Reference,
    output: Annotated[
        GuideOutput,
        typer.Option(
            "--output", "-o", help="How the guide is written; `shell` is a script that deletes by `aws`."
        ),
    ] = GuideOutput.TABLE,
) -> None:
    """Say what happened, what is safe, what it costs, and the commands that mend or remove it."""
    _reading()
    from tier1_engine.cli import guide as command

    _end(command.run(id, output))


@app.command(epilog="Example: tier1 sweep --orphans --dry-run --save plan.json")
def sweep(
    older_than: Annotated[
        str,
        typer.Option(metavar="TIME", help="Failed and interrupted ones whose last event is this long ago."),
    ] = "24h",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="PLAN", help="Write the plan to this file, for review.")
    ] = None,
    apply: Annotated[
        Path | None, typer.Option(metavar="PLAN", help="Do exactly what this saved plan says.")
    ] = None,
    orphans: Annotated[
        bool, typer.Option("--orphans", help="Also what AWS has with our tags and no row knows.")
    ] = False,
    foreign: Annotated[
        bool, typer.Option("--foreign", help="Put what other databases made into the saved plan.")
    ] = False,
    interrupted: Annotated[
        OnInterrupted | None,
        typer.Option(
            help="What becomes of those that lost their driver; by default a rollback or destruction is "
            "finished, and what went forward is reported."
        ),
    ] = None,
    max_deletions: Annotated[
        int, typer.Option(metavar="N", min=0, help="Refuse a plan with more deletions than this.")
    ] = 200,
    only: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Only this kind. May be given again.")
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Not this AWS id or deployment. May be given again."),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option(metavar="R", help="Look for orphans here, too. May be given again."),
    ] = None,
    plan_max_age: Annotated[
        str, typer.Option(metavar="TIME", help="Refuse a saved plan that is older than this.")
    ] = "24h",
    history: Annotated[bool, typer.Option("--history", help="Print the sweeps so far.")] = False,
    yes: Yes = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Clean up failed, interrupted and expired deployments, and orphans."""
    signals = _listening()
    from tier1_engine.cli import sweep as command
    from tier1_engine.sweep_rules import Interrupted

    if history:
        _end(command.history(SWEEPS_SHOWN, output))
    asked = command.Asked(
        older_than=older_than,
        dry_run=dry_run,
        save=save,
        apply=apply,
        orphans=orphans,
        foreign=foreign,
        interrupted=Interrupted(interrupted.value) if interrupted else None,
        max_deletions=max_deletions,
        only=only or (),
        exclude=exclude or (),
        regions=region or (),
        plan_max_age=plan_max_age,
        yes=yes,
        output=output,
    )
    _end(command.run(asked, signals))


@app.command(epilog="Example: tier1 keep ai-stack --until 7d")
def keep(
    id: Reference,
    until: Annotated[
        str | None,
        typer.Option(metavar="T", help="Until then: a time (ISO 8601), or how long from now, such as 7d."),
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="Let sweeps touch it again.")] = False,
) -> None:
    """Protect a deployment from sweeps."""
    from tier1_engine.cli import keep as command

    _end(command.keep(id, until=until, off=off))


@app.command(epilog="Example: tier1 extend ai-stack 24h")
def extend(
    id: Reference,
    by: Annotated[str, typer.Argument(metavar="TIME", help="How much later, such as 24h or 3d.")],
) -> None:
    """Move the expiry of a deployment."""
    from tier1_engine.cli import keep as command

    _end(command.extend(id, by))


@db.command(epilog="Example: TIER1_DATABASE_URL=postgresql://tier1@db/tier1 tier1 db upgrade")
def upgrade() -> None:
    """Bring the schema to the one that this program knows."""
    from tier1_engine.cli import db as command

    _end(command.upgrade())


@db.command(epilog="Example: tier1 db current")
def current(output: OutputOption = Output.TABLE) -> None:
    """Print the schema that the database has, and the one that this program knows."""
    from tier1_engine.cli import db as command

    _end(command.current(output))


@db.command(epilog="Example: tier1 db export > tier1.json")
def export() -> None:
    """Print everything as JSON, with user data and secrets masked."""
    from tier1_engine.cli import db as command

    _end(command.export())


@sandbox.command(epilog="Example: tier1 sandbox start --port 5000 --speed 100 --seed 7")
def start(
    port: Annotated[
        int | None, typer.Option(metavar="P", help="The port on 127.0.0.1; by default any free one.")
    ] = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay until it is ended.")] = False,
    speed: Annotated[
        Pace | None, typer.Option(help="How fast AWS's time passes, in seconds a second; by default max.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Of all ids, delays and chances; by default one is drawn."),
    ] = None,
    strict: Annotated[
        bool | None,
        typer.Option("--strict/--plain", help="With AWS's manners, or as kind as moto; by default strict."),
    ] = None,
    scenario: Annotated[
        str | None, typer.Option(metavar="FILE|NAME", help="The bad day that it plays.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", hidden=True, help="Write every call down in this file.")
    ] = None,
) -> None:
    """Start the local AWS, and return when it answers."""
    from tier1_engine.cli import sandbox as command

    _end(
        command.start(
            port,
            foreground=foreground,
            speed=speed,
            seed=seed,
            strict=strict,
            scenario=scenario,
            record=record,
        )
    )


@sandbox.command(epilog="Example: tier1 sandbox stop")
def stop() -> None:
    """Stop the local AWS, and nothing else."""
    from tier1_engine.cli import sandbox as command

    _end(command.stop())


@sandbox.command(epilog="Example: tier1 sandbox status -o json")
def status(output: OutputOption = Output.TABLE) -> None:
    """Say whether the local AWS runs, and where."""
    from tier1_engine.cli import sandbox as command

    _end(command.status(output))


@sandbox.command(epilog="Example: tier1 sandbox rehearse my.yaml --scenario capacity --scenario lost-reply")
def rehearse(
    spec: Annotated[
        Path | None,
        typer.Argument(metavar="[SPEC]", help="The YAML file to deploy; by default one that comes along."),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A scenario's name or file; by default all that have a name. Again for more."
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Deploy a spec on bad days of AWS, each in a sandbox and a database of its own."""
    from tier1_engine.cli import rehearse as command

    _end(command.run(spec, scenario or [], output))


@sandbox.command(epilog="Example: tier1 sandbox census -o json")
def census(output: OutputOption = Output.TABLE) -> None:
    """List everything that exists in the running local AWS, with its owner tags."""
    from tier1_engine.cli import census as command

    _end(command.run(output))


@fault.command(
    epilog="Example: tier1 sandbox fault add --operation RunInstances --code InsufficientInstanceCapacity"
)
def add(
    operation: Annotated[
        str, typer.Option(metavar="NAME", help="As AWS names it, like RunInstances; '*' for every one.")
    ],
    code: Annotated[
        str | None, typer.Option(metavar="C", help="Refuse its calls with this error code.")
    ] = None,
    message: Annotated[
        str | None, typer.Option(metavar="M", help="Beside the code; by default AWS's own words.")
    ] = None,
    times: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="How many calls it strikes; by default one.")
    ] = None,
    always: Annotated[bool, typer.Option("--always", help="Strike every call.")] = False,
    after: Annotated[
        int, typer.Option(metavar="K", min=0, help="How many fitting calls pass before it strikes.")
    ] = 0,
    cut: Annotated[
        Lost | None,
        typer.Option(help="Cut the connection: before, AWS does not act; after, its reply is lost."),
    ] = None,
    delay: Annotated[
        float, typer.Option(metavar="S", min=0, help="AWS seconds by which the reply comes late.")
    ] = 0.0,
    late: Annotated[
        float | None,
        typer.Option(metavar="S", min=0, help="Cut the connection, and execute so many AWS seconds later."),
    ] = None,
    share: Annotated[
        float, typer.Option(metavar="F", min=0, max=1, help="The share of its calls that is struck.")
    ] = 1.0,
    after_execution: Annotated[
        bool, typer.Option("--after-execution", help="Act, then answer the code; by default a 500.")
    ] = False,
    match: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Only calls with this parameter, by its dotted name; '*' stands for any text. "
            "May be given again.",
        ),
    ] = None,
) -> None:
    """Set a fault in the running local AWS."""
    if always and times is not None:
        raise typer.BadParameter("--times and --always exclude each other: give one.")
    from tier1_engine.cli import fault as command
    from tier1_engine.sandbox.faults import Cut, Fault

    _end(
        command.add(
            Fault(
                operation,
                code=code,
                message=message,
                after_execution=after_execution,
                times=None if always else times or 1,
                after=after,
                share=share,
                cut=Cut(cut.value) if cut else None,
                delay_seconds=delay,
                execute_late_seconds=late,
                match=command.matches(match or ()),
            )
        )
    )


@fault.command("list", epilog="Example: tier1 sandbox fault list -o json")
def list_faults(output: OutputOption = Output.TABLE) -> None:
    """List the faults, and how often each came and struck."""
    from tier1_engine.cli import fault as command

    _end(command.list_(output))


@fault.command(epilog="Example: tier1 sandbox fault clear")
def clear() -> None:
    """Take all faults away."""
    from tier1_engine.cli import fault as command

    _end(command.clear())


def main() -> None:
    """The entry point `tier1`."""
    install_hook()
    # Not `app()`: that would put a hook of its own in the place of ours.
    typer.main.get_command(app)(prog_name="tier1")


if __name__ == "__main__":
    main()
