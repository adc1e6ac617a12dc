"""Declares the commands and their options.

Each function is a thin wrapper. The module of its name implements the command and is imported only when
it runs, so that `tier1 --help` and `tier1 list` start fast.
"""

# No `from __future__ import annotations`: typer would evaluate each string at every start.

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from tier1_engine import __version__
from tier1_engine.cli.boundary import boundary, install_hook
from tier1_engine.cli.declare import sweep
from tier1_engine.cli.declare.declared import (
    LogFileOption,
    OutputOption,
    Reference,
    Retain,
    Yes,
    end,
    listening,
    reading,
)
from tier1_engine.cli.declare.sandbox import sandbox
from tier1_engine.cli.options import ExportOutput, GuideOutput, LogOutput, OnRecoverable, Output
from tier1_engine.cli.screen.streams import fill
from tier1_engine.deployment.states import State


class Commands(TyperGroup):
    """Runs all commands inside the boundary that turns errors into messages and exit codes."""

    def invoke(self, ctx: Any) -> Any:
        with boundary():
            return super().invoke(ctx)


app = typer.Typer(
    name="tier1",
    cls=Commands,
    help="Deploy a small AWS stack as a state machine backed by a database: resumable, without orphans.",
    epilog="Example: tier1 deploy examples/ai-stack.yaml --sandbox",
    no_args_is_help=True,
    # Plain help starts three times as fast as help formatted by rich.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
db = typer.Typer(help="Manage the database: schema and export.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(db, name="db", epilog="Example: tier1 db current")
app.add_typer(sandbox, name="sandbox", epilog="Example: tier1 sandbox start")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"tier1 {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Handle the options common to all commands; the help text is set on the app."""


@app.command(epilog="Example: tier1 deploy examples/ai-stack.yaml --name trial --sandbox")
def deploy(
    spec: Annotated[Path, typer.Argument(metavar="SPEC", help="The YAML file that describes the stack.")],
    name: Annotated[
        str | None, typer.Option(metavar="N", help="The deployment's name, instead of the spec's.")
    ] = None,
    use_sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Use the local AWS; start it if it is not running.")
    ] = False,
    no_rollback: Annotated[
        bool, typer.Option("--no-rollback", help="On failure, delete nothing and list what remains.")
    ] = False,
    on_recoverable: Annotated[
        OnRecoverable | None,
        typer.Option(
            help="What to do when a service fails its health check. Default: what the spec says; "
            "on a terminal, ask."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan only; contact neither AWS nor the database.")
    ] = False,
    log_file: LogFileOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Create a deployment and run it until it is active."""
    signals = listening()
    if dry_run and log_file is not None:
        raise typer.BadParameter("--log-file cannot be used with --dry-run, which runs nothing.")
    if dry_run:
        from tier1_engine.cli.commands import dry_run as plan_only

        end(plan_only.run(spec, name=name, rollback=not no_rollback, output=output))
    from tier1_engine.cli.commands import deploy as command

    end(
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


@app.command(epilog="Example: tier1 resume ai-stack --retry --spec corrected.yaml")
def resume(
    id: Reference,
    retry: Annotated[bool, typer.Option("--retry", help="Retry the failed steps.")] = False,
    go_on: Annotated[
        bool, typer.Option("--continue", help="Continue with a warning, without the failed steps.")
    ] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Delete everything it created.")] = False,
    spec: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --retry: a corrected spec; only steps that created nothing yet may change.",
        ),
    ] = None,
    log_file: LogFileOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Resume a deployment from the database, whatever its target state is."""
    signals = listening()
    if retry + go_on + rollback > 1:
        raise typer.BadParameter("--retry, --continue and --rollback are mutually exclusive: give one.")
    if spec is not None and not retry:
        raise typer.BadParameter("--spec needs --retry: otherwise the stored plan is used.")
    from tier1_engine.cli.commands import resume as command
    from tier1_engine.engine.engine import Resume

    ways = {Resume.RETRY: retry, Resume.CONTINUE: go_on, Resume.ROLL_BACK: rollback}
    how = next((way for way, given in ways.items() if given), Resume.GO_ON)
    end(command.run(id, how=how, spec=spec, log_file=log_file, output=output, signals=signals))


@app.command(epilog="Example: tier1 rollback ai-stack --retain file-system")
def rollback(
    id: Reference,
    retain: Retain = None,
    yes: Yes = False,
    log_file: LogFileOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Roll back a deployment that never became active: delete everything it created."""
    _back("rolled_back", id, retain, yes, log_file, output)


@app.command(epilog="Example: tier1 destroy ai-stack --yes")
def destroy(
    id: Reference,
    retain: Retain = None,
    yes: Yes = False,
    log_file: LogFileOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Destroy an active deployment: delete everything it created."""
    _back("destroyed", id, retain, yes, log_file, output)


def _back(
    goal: str, id: str, retain: list[str] | None, yes: bool, log_file: Path | None, output: Output
) -> NoReturn:
    signals = listening()
    from tier1_engine.cli.commands import teardown
    from tier1_engine.deployment.states import Goal

    wanted = Goal(goal)
    end(
        teardown.run(
            id, wanted, retain=retain or (), yes=yes, log_file=log_file, output=output, signals=signals
        )
    )


@app.command("list", epilog="Example: tier1 list --failed --limit 10")
def list_(
    state: Annotated[
        list[State] | None, typer.Option(metavar="S", help="Only deployments in this state. Repeatable.")
    ] = None,
    failed: Annotated[
        bool,
        typer.Option("--failed", help="Only deployments with a recorded failure, rolled back or not."),
    ] = False,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="Show at most this many.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh as things change, until Ctrl-C.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List deployments, newest first: state, remaining resources, age, lock holder, failure."""
    reading()
    from tier1_engine.cli.commands import list_ as command
    from tier1_engine.compose.reading import Wanted

    end(command.run(Wanted(tuple(state or ()), failed, limit), output, watch=watch))


@app.command(epilog="Example: tier1 show ai-stack -o json")
def show(
    id: Reference,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it while it is running.")] = False,
    spec: Annotated[
        bool,
        typer.Option("--spec", help="Print the spec as it was run instead, as YAML with secrets masked."),
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show a deployment: what failed, its steps, resources, warnings and outputs."""
    reading()
    if spec and (watch or output is not Output.TABLE):
        raise typer.BadParameter("--spec prints YAML once: it cannot be combined with --watch or -o.")
    from tier1_engine.cli.commands import show as command

    if spec:
        end(command.spec(id))
    end(command.run(id, watch=watch, output=output))


@app.command(epilog="Example: tier1 log ai-stack --failed --since 2h")
def log(
    id: Reference,
    failed: Annotated[bool, typer.Option("--failed", help="Only what failed.")] = False,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN", help="Only entries since then: a duration (10m, 2h) or an ISO 8601 time."
        ),
    ] = None,
    resource: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only this step or resource, by name or id."),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Keep printing while it is running.")] = False,
    console: Annotated[
        bool, typer.Option("--console", help="Print the archived console output of its instances instead.")
    ] = False,
    output: Annotated[
        LogOutput, typer.Option("--output", "-o", help="Output format; jsonl is one object per line.")
    ] = LogOutput.TABLE,
) -> None:
    """Show every attempt to create or delete, with its error, and the timeline."""
    reading()
    if console and (failed or follow or since is not None or resource is not None):
        raise typer.BadParameter("--console can be combined with -o only.")
    from tier1_engine.cli.commands import log as command

    if console:
        end(command.console(id, output))
    end(command.run(id, command.Wanted(failed, since, resource), follow=follow, output=output))


@app.command(epilog="Example: tier1 guide ai-stack -o shell >undo.sh && bash undo.sh")
def guide(
    id: Reference,
    output: Annotated[
        GuideOutput,
        typer.Option(
            "--output", "-o", help="Output format; `shell` is a script that deletes with the `aws` CLI."
        ),
    ] = GuideOutput.TABLE,
) -> None:
    """Explain what happened, what is safe, what it costs, and how to fix or remove it."""
    reading()
    from tier1_engine.cli.commands import guide as command

    end(command.run(id, output))


app.command(epilog="Example: tier1 sweep --orphans --dry-run --save plan.json")(sweep.sweep)
app.command(epilog="Example: tier1 keep ai-stack --until 7d")(sweep.keep)
app.command(epilog="Example: tier1 extend ai-stack 24h")(sweep.extend)


@db.command(epilog="Example: TIER1_DATABASE_URL=postgresql://tier1@db/tier1 tier1 db upgrade")
def upgrade() -> None:
    """Upgrade the schema to the version that this program needs."""
    from tier1_engine.cli.commands import db as command

    end(command.upgrade())


@db.command(epilog="Example: tier1 db current")
def current(output: OutputOption = Output.TABLE) -> None:
    """Print the schema version of the database and the one that this program needs."""
    from tier1_engine.cli.commands import db as command

    end(command.current(output))


@db.command(epilog="Example: tier1 db export > tier1.json")
def export(
    output: Annotated[
        ExportOutput, typer.Option("--output", "-o", help="Output format; only json.")
    ] = ExportOutput.JSON,
) -> None:
    """Print everything as JSON, with user data and secrets masked."""
    from tier1_engine.cli.commands import db as command

    end(command.export())


@db.command("adopt-copy", epilog="Example: tier1 db adopt-copy --yes")
def adopt_copy(yes: Yes = False) -> None:
    """Continue with a copy or a restored backup of the database, which other commands refuse."""
    from tier1_engine.cli.commands import db as command

    end(command.adopt_copy(yes=yes))


@cache
def program() -> Callable[..., Any]:
    """Return all commands with their options, built once."""
    # Not `app()`, which would replace the exception hook with typer's.
    return typer.main.get_command(app)


def main() -> None:
    """Run `tier1`: the entry point."""
    install_hook()
    fill()
    program()(prog_name="tier1")


if __name__ == "__main__":
    main()
