"""Declares `tier1 sandbox ...`. Each command is implemented in the module of its name."""

# No `from __future__ import annotations`: typer would evaluate each string at every start.

from pathlib import Path
from typing import Annotated

import typer

from tier1_engine.cli.declare.declared import OutputOption, end
from tier1_engine.cli.options import Lost, Output, Pace

sandbox = typer.Typer(
    help="Manage the local AWS for rehearsals.", no_args_is_help=True, rich_markup_mode=None
)
fault = typer.Typer(
    help="Manage faults in the running local AWS.", no_args_is_help=True, rich_markup_mode=None
)
sandbox.add_typer(
    fault,
    name="fault",
    epilog="Example: tier1 sandbox fault add --operation CreateVpc --cut after",
)


@sandbox.command(epilog="Example: tier1 sandbox start --port 5000 --speed 100 --seed 7")
def start(
    port: Annotated[
        int | None, typer.Option(metavar="P", help="Port on 127.0.0.1. Default: any free port.")
    ] = None,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Run in the foreground until stopped.")
    ] = False,
    speed: Annotated[
        Pace | None, typer.Option(help="How fast AWS time passes, in AWS seconds per second. Default: max.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Seed of all ids, delays and random events. Default: random."),
    ] = None,
    strict: Annotated[
        bool | None,
        typer.Option("--strict/--plain", help="Behave like AWS, or like plain moto. Default: strict."),
    ] = None,
    scenario: Annotated[str | None, typer.Option(metavar="FILE|NAME", help="The scenario to play.")] = None,
    any_ami: Annotated[
        bool, typer.Option("--any-ami", help="Accept any AMI id, such as one of your own account.")
    ] = False,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", hidden=True, help="Record every call in this file.")
    ] = None,
) -> None:
    """Start the local AWS and return when it responds."""
    from tier1_engine.cli.commands import sandbox as command

    end(
        command.start(
            port,
            foreground=foreground,
            speed=speed,
            seed=seed,
            strict=strict,
            scenario=scenario,
            any_ami=any_ami,
            record=record,
        )
    )


@sandbox.command(epilog="Example: tier1 sandbox stop")
def stop() -> None:
    """Stop the local AWS, and nothing else."""
    from tier1_engine.cli.commands import sandbox as command

    end(command.stop())


@sandbox.command(epilog="Example: tier1 sandbox status -o json")
def status(output: OutputOption = Output.TABLE) -> None:
    """Show whether the local AWS is running, and where."""
    from tier1_engine.cli.commands import sandbox as command

    end(command.status(output))


@sandbox.command(epilog="Example: tier1 sandbox rehearse my.yaml --scenario capacity --scenario lost-reply")
def rehearse(
    spec: Annotated[
        Path | None,
        typer.Argument(metavar="[SPEC]", help="The YAML file to deploy. Default: a built-in one."),
    ] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Scenario name or file. Default: all built-in scenarios. Repeatable."
        ),
    ] = None,
    any_ami: Annotated[
        bool,
        typer.Option("--any-ami", help="Rehearse a spec whose AMI is in your account only, with a stand-in."),
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Deploy a spec in failure scenarios, each in its own sandbox and database."""
    from tier1_engine.cli.commands import rehearse as command

    end(command.run(spec, scenario or [], output, any_ami=any_ami))


@sandbox.command(epilog="Example: tier1 sandbox census -o json")
def census(output: OutputOption = Output.TABLE) -> None:
    """List everything that exists in the running local AWS, with its owner tags."""
    from tier1_engine.cli.commands import census as command

    end(command.run(output))


@fault.command(
    epilog="Example: tier1 sandbox fault add --operation RunInstances --code InsufficientInstanceCapacity"
)
def add(
    operation: Annotated[
        str, typer.Option(metavar="NAME", help="API operation, such as RunInstances; '*' for all.")
    ],
    code: Annotated[
        str | None, typer.Option(metavar="C", help="Fail its calls with this error code.")
    ] = None,
    message: Annotated[
        str | None, typer.Option(metavar="M", help="Error message. Default: AWS's own for the code.")
    ] = None,
    times: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="How many calls it affects. Default: one.")
    ] = None,
    always: Annotated[bool, typer.Option("--always", help="Affect every matching call.")] = False,
    after: Annotated[
        int, typer.Option(metavar="K", min=0, help="How many matching calls to let through first.")
    ] = 0,
    cut: Annotated[
        Lost | None,
        typer.Option(help="Cut the connection: before AWS acts, or after, so that its reply is lost."),
    ] = None,
    delay: Annotated[
        float, typer.Option(metavar="S", min=0, help="Delay the reply by this many AWS seconds.")
    ] = 0.0,
    late: Annotated[
        float | None,
        typer.Option(
            metavar="S", min=0, help="Cut the connection; AWS executes the call this many AWS seconds later."
        ),
    ] = None,
    share: Annotated[
        float, typer.Option(metavar="F", min=0, max=1, help="Fraction of matching calls to affect.")
    ] = 1.0,
    after_execution: Annotated[
        bool,
        typer.Option(
            "--after-execution", help="Execute the call, then return the error; by default HTTP 500."
        ),
    ] = False,
    match: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Only calls with this parameter, by its dotted name; '*' matches any text. Repeatable.",
        ),
    ] = None,
) -> None:
    """Add a fault to the running local AWS."""
    if always and times is not None:
        raise typer.BadParameter("--times and --always are mutually exclusive: give one.")
    from tier1_engine.cli.commands import fault as command
    from tier1_engine.sandbox.faults.faults import Cut, Fault

    end(
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
    """List the faults, and how many calls each one matched and affected."""
    from tier1_engine.cli.commands import fault as command

    end(command.list_(output))


@fault.command(epilog="Example: tier1 sandbox fault clear")
def clear() -> None:
    """Remove all faults."""
    from tier1_engine.cli.commands import fault as command

    end(command.clear())
