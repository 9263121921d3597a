"""Tables of figures, on the terminal and in results files, and whether a limit is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

OVER: Final = "over"


def limit_words(value: float, limit: float) -> str:
    """Return the limit and whether it is kept."""
    return f"{limit:g} {'kept' if value <= limit else OVER}"


def print_table(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print one table."""
    table = Table(*head)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return one table for the results file."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
