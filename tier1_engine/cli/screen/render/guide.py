"""Renders `guide`: the summary, what is safe, the cause, what remains, and the options."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from tier1_engine.cli.screen.render.base import QUIET, STYLE_OF_STATE, drawn
from tier1_engine.cli.screen.streams import clean
from tier1_engine.guidance import Guide, Item
from tier1_engine.guidance.advice import Advice
from tier1_engine.guidance.lines import Command
from tier1_engine.guidance.ways import GuideOption


def guided(guide: Guide) -> str:
    """Render the guide as text. Each command has its own line, so that it can be copied."""
    return drawn(
        Text(clean(guide.told), style="bold"),
        *([] if guide.first is None else _section("Before the aws commands", _commands([guide.first]))),
        *([] if guide.cause is None else _advice("Cause", guide.cause)),
        *(line for one in guide.on_the_way_back for line in _advice("During rollback or teardown", one)),
        *_section("Safe", (Text(f"  {clean(sentence)}") for sentence in guide.safe)),
        *(line for way in guide.ways for line in _way(way)),
        *_standing(guide),
        *_section(guide.by_hand.title, _commands(guide.by_hand.commands)) if guide.by_hand else [],
    )


def _section(title: str, lines: Iterable[Text]) -> list[Text]:
    found = list(lines)
    return [Text(""), Text(title, style="bold"), *found] if found else []


def _standing(guide: Guide) -> list[Text]:
    lines = [Text(f"  {guide.cost}", style="yellow")] if guide.cost else []
    for item in guide.standing:
        lines += _item(item)
    return _section("Remaining", lines)


def _item(item: Item) -> list[Text]:
    found = [
        Text.assemble(
            f"  {item.name:<24} ",
            item.aws_id or "(no id: no reply to its create call)",
            (f"  {item.state}", STYLE_OF_STATE.get(item.state, QUIET)),
            (f"  {item.title}, {item.price}", QUIET),
        )
    ]
    if item.console_url:
        found.append(Text(f"    {item.console_url}", style=f"{QUIET} link {item.console_url}"))
    return found + [Text(f"    {line}", style="cyan") for line in item.look]


def _advice(title: str, advice: Advice) -> list[Text]:
    about = f"{title}: {advice.resource}" if advice.resource else title
    call = f" ({advice.operation})" if advice.operation else ""
    lines = [
        Text("  " + clean(f"{advice.code}: {advice.message}{call}"), style="red"),
        Text("  " + clean(advice.why)),
        *(Text("  - " + clean(sentence)) for sentence in advice.mend),
        *_commands(advice.commands),
    ]
    if advice.console:
        lines.append(Text("  the last lines of the instance's console:", style=QUIET))
        lines += [Text(f"    | {clean(line)}", style=QUIET) for line in advice.console]
    return _section(about, lines)


def _way(way: GuideOption) -> list[Text]:
    return _section(way.title, _commands(way.commands))


def _commands(commands: Iterable[Command]) -> list[Text]:
    """Return each command line, with its purpose above it when that changes."""
    found: list[Text] = []
    last = ""
    for command in commands:
        if command.why != last:
            found.append(Text(f"  # {command.why}", style=QUIET))
        last = command.why
        found.append(Text(f"  {command.line}", style="cyan"))
    return found
