"""`tier1 sandbox ...`, as an operator types it. What each does stands in the module of its name."""

# Annotations are objects here, not texts: typer would evaluate each text anew at every start.

from pathlib import Path
from typing import Annotated

import typer

from tier1_engine.cli.declare.declared import OutputOption, end
from tier1_engine.cli.options import Lost, Output, Pace

sandbox = typer.Typer(help="The local AWS for rehearsal.", no_args_is_help=True, rich_markup_mode=None)
fault = typer.Typer(
    help="What goes wrong in the running local AWS.", no_args_is_help=True, rich_markup_mode=None
)
sandbox.add_typer(
    fault,
    name="fault",
    epilog="Example: tier1 sandbox fault add --operation CreateVpc --cut after",
)


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
    from tier1_engine.cli.commands import sandbox as command

    end(
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
    from tier1_engine.cli.commands import sandbox as command

    end(command.stop())


@sandbox.command(epilog="Example: tier1 sandbox status -o json")
def status(output: OutputOption = Output.TABLE) -> None:
    """Say whether the local AWS runs, and where."""
    from tier1_engine.cli.commands import sandbox as command

    end(command.status(output))


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
    from tier1_engine.cli.commands import rehearse as command

    end(command.run(spec, scenario or [], output))


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
    """List the faults, and how often each came and struck."""
    from tier1_engine.cli.commands import fault as command

    end(command.list_(output))


@fault.command(epilog="Example: tier1 sandbox fault clear")
def clear() -> None:
    """Take all faults away."""
    from tier1_engine.cli.commands import fault as command

    end(command.clear())
