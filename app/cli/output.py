"""How the command line speaks: plain lines for people, `--json FILE` for machines."""

import json as json_format
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from engine.errors import SettingsError

JsonFile = Annotated[
    Path | None, typer.Option("--json", help="Also write the result to this file as JSON.", dir_okay=False)
]


def _for_people(error: bool = False, width: int | None = None) -> Console:
    """Standard output, unless that is asked for as JSON (`--json -`): then prose goes beside it."""
    aside = error or any(
        asked == "--json=-" or (asked == "--json" and value == "-")
        for asked, value in zip(sys.argv, [*sys.argv[1:], ""], strict=True)
    )
    return Console(stderr=aside, highlight=False, markup=False, soft_wrap=width is None, width=width)


def say(text: str, *, error: bool = False) -> None:
    # No markup: a file name in brackets is text.
    _for_people(error).print(text)


def write_json(path: Path | None, value: Any) -> None:
    """Write for machines where a file was asked for; `-` is standard output."""
    if path is None:
        return
    text = json_format.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n"
    if str(path) == "-":
        sys.stdout.write(text)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise SettingsError(
            f"{path} cannot be written: {problem.strerror}.", "Name another file."
        ) from problem


def say_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    table = Table(*columns)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    # In a pipe no column may be cut to the width of a screen that is not there.
    width = None if sys.stdout.isatty() else 200
    _for_people(width=width or Console().width).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
