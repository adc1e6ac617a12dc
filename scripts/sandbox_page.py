"""The tables in `docs/sandbox.md` that follow from the code: behaviours, figures, images, scenarios.

Owns the text between the markers `<!-- NAME: begin -->` and `<!-- NAME: end -->` of the page; the text around
them is written by hand. `scripts.generate_docs` writes the page, `scripts.verify` reports it when it is
stale.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from tier1_engine.sandbox import behaviour
from tier1_engine.sandbox.behaviour.figures import FIGURES
from tier1_engine.sandbox.catalogue import IMAGES
from tier1_engine.sandbox.faults import scenarios
from tier1_engine.sandbox.faults.scenario import Expected, Scenario

SOURCE = "Source"


def page(path: Path) -> str:
    """The page with its tables as the code has them; a marker that is missing is a defect of the page."""
    text = path.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        if not 0 <= text.find(begin) < text.find(end):
            raise ValueError(f"{path} has no place for {name}: put its two markers back.")
        before, after = text.partition(begin)[0], text.partition(end)[2]
        text = f"{before}{begin}\n\n{table()}\n\n{end}{after}"
    return text


def behaviours_table() -> str:
    """Every module with a behaviour of AWS: each names its source."""
    rows = []
    for found in pkgutil.iter_modules(behaviour.__path__):
        module = importlib.import_module(f"{behaviour.__name__}.{found.name}")
        says = inspect.cleandoc(module.__doc__ or "")
        if SOURCE in says:
            rows.append((f"`{found.name}`", _first(says), _source(says)))
    return _table(("file", "what AWS does", "source"), rows)


def _first(docstring: str) -> str:
    return docstring.splitlines()[0]


def _source(docstring: str) -> str:
    """The paragraph from the word on, without it."""
    paragraph = docstring[docstring.index(SOURCE) :].partition("\n\n")[0]
    return " ".join(paragraph.split(":", 1)[1].split())


def figures_table() -> str:
    """How long things take."""
    rows = [
        (f"`{name}`", _seconds(one.least), _seconds(one.usual), _seconds(one.most), one.source)
        for name, one in FIGURES.items()
    ]
    return _table(("figure", "least", "usual", "most", "source"), rows)


def _seconds(value: float) -> str:
    return f"{value:g} s"


def scenarios_table() -> str:
    """Every named scenario with its expected end, and its story below."""
    days = [scenarios.load(name) for name in scenarios.names()]
    rows = [(f"`{day.name}`", day.title, _end(day.expected), _otherwise(day)) for day in days]
    table = _table(("scenario", "what happens", "how a deploy ends", "with another spec"), rows)
    stories = [f"**`{day.name}`.** {day.story} {_commands(day)}".rstrip() for day in days]
    return "\n\n".join([table, *stories])


def _end(end: Expected | None) -> str:
    assert end is not None
    left = "" if end.left is None else f", {end.left or 'nothing'} remaining"
    code = " or ".join(f"`{code}`" for code in end.codes)
    return f"`{end.state}`, exit code {end.exit_code}{left}{f', {code}' if code else ''}"


def _otherwise(day: Scenario) -> str:
    return "; ".join(f"{trait}: {_end(end)}" for trait, end in day.otherwise.items())


def _commands(day: Scenario) -> str:
    typed = [f"`tier1 {line.format(id='ID')}`" for line in day.then]
    return f"It ends with {', then '.join(typed)}." if typed else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def images_table() -> str:
    """The catalogue of images."""
    rows = [
        (
            f"`{image_id}`",
            one.about,
            one.architecture,
            f"{one.root_gib} GiB",
            "yes" if one.ena else "no",
            one.boot_mode,
        )
        for image_id, one in IMAGES.items()
    ]
    return _table(("AMI", "what it is", "architecture", "root snapshot", "ENA", "boot mode"), rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "behaviours": behaviours_table,
    "figures": figures_table,
    "images": images_table,
    "scenarios": scenarios_table,
}
