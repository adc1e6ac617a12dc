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
from tier1_engine.cli.options import OnRecoverable, Output, OutputOption, end
from tier1_engine.cli.sandbox_commands import sandbox
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
app.add_typer(db, name="db", epilog="Example: tier1 db current")
app.add_typer(sandbox, name="sandbox", epilog="Example: tier1 sandbox start")

Reference = Annotated[
    str, typer.Argument(metavar="ID", help="A deployment's id, a unique prefix of one, or its name.")
]
Retain = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Keep this resource (a name that `show` lists) with all that it needs. May be given again.",
    ),
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
    output: OutputOption = Output.TABLE,
) -> None:
    """Create a deployment and drive it until it is active."""
    signals = _listening()
    if dry_run:
        from tier1_engine.cli import dry_run as plan_only

        end(plan_only.run(spec, name=name, rollback=not no_rollback, output=output))
    from tier1_engine.cli import deploy as command

    end(
        command.run(
            spec,
            name=name,
            use_sandbox=use_sandbox,
            rollback=not no_rollback,
            on_recoverable=on_recoverable,
            output=output,
            signals=signals,
        )
    )


@app.command(epilog="Example: tier1 resume ai-stack --retry")
def resume(
    id: Reference,
    retry: Annotated[bool, typer.Option("--retry", help="Try what failed again.")] = False,
    go_on: Annotated[
        bool, typer.Option("--continue", help="Go on with a warning, without what failed.")
    ] = False,
    rollback: Annotated[bool, typer.Option("--rollback", help="Delete all that it made.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Go on with a deployment from the database, whatever its goal is."""
    signals = _listening()
    if retry + go_on + rollback > 1:
        raise typer.BadParameter("--retry, --continue and --rollback exclude each other: give one.")
    from tier1_engine.cli import resume as command
    from tier1_engine.engine import Resume

    ways = {Resume.RETRY: retry, Resume.CONTINUE: go_on, Resume.ROLL_BACK: rollback}
    how = next((way for way, given in ways.items() if given), Resume.GO_ON)
    end(command.run(id, how=how, output=output, signals=signals))


@app.command(epilog="Example: tier1 rollback ai-stack --retain file-system")
def rollback(
    id: Reference, retain: Retain = None, yes: Yes = False, output: OutputOption = Output.TABLE
) -> None:
    """Delete what a deployment made that did not become active, in reverse order."""
    _back("rolled_back", id, retain, yes, output)


@app.command(epilog="Example: tier1 destroy ai-stack --yes")
def destroy(
    id: Reference, retain: Retain = None, yes: Yes = False, output: OutputOption = Output.TABLE
) -> None:
    """Take an active deployment down."""
    _back("destroyed", id, retain, yes, output)


def _back(goal: str, id: str, retain: list[str] | None, yes: bool, output: Output) -> NoReturn:
    signals = _listening()
    from tier1_engine.cli import back
    from tier1_engine.states import Goal

    end(back.run(id, Goal(goal), retain=retain or (), yes=yes, output=output, signals=signals))


@app.command("list", epilog="Example: tier1 list --state failed --state rolling_back -o json")
def list_(
    state: Annotated[
        list[State] | None, typer.Option(metavar="S", help="Only those in this state. May be given again.")
    ] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="At most this many.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """List deployments, newest first: state, reason of failure, what is left, age."""
    _reading()
    from tier1_engine.cli import list_ as command

    end(command.run(state or [], limit, output))


@app.command(epilog="Example: tier1 show ai-stack -o json")
def show(
    id: Reference,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it while somebody drives it.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show a deployment: its steps, resources, warnings and outputs."""
    _reading()
    from tier1_engine.cli import show as command

    end(command.run(id, watch=watch, output=output))


@app.command(epilog="Example: tier1 log ai-stack")
def log(id: Reference, output: OutputOption = Output.TABLE) -> None:
    """Show every attempt to create or delete, with its error, and the time line."""
    _reading()
    from tier1_engine.cli import log as command

    end(command.run(id, output))


@db.command(epilog="Example: TIER1_DATABASE_URL=postgresql://tier1@db/tier1 tier1 db upgrade")
def upgrade() -> None:
    """Bring the schema to the one that this program knows."""
    from tier1_engine.cli import db as command

    end(command.upgrade())


@db.command(epilog="Example: tier1 db current")
def current(output: OutputOption = Output.TABLE) -> None:
    """Print the schema that the database has, and the one that this program knows."""
    from tier1_engine.cli import db as command

    end(command.current(output))


@db.command(epilog="Example: tier1 db export > tier1.json")
def export() -> None:
    """Print everything as JSON, with user data and secrets masked."""
    from tier1_engine.cli import db as command

    end(command.export())


def main() -> None:
    """The entry point `tier1`."""
    install_hook()
    # Not `app()`: that would put a hook of its own in the place of ours.
    typer.main.get_command(app)(prog_name="tier1")


if __name__ == "__main__":
    main()
