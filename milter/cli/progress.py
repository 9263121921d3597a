"""The progress of long work: on a terminal, and nowhere else."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn


def progress_bar() -> Progress:
    """Return a counter of what is done; silent in a pipe."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.completed:.0f} {task.description}"),
        console=Console(stderr=True),
        transient=True,
        # Beside a table that scrolls over the same terminal it would only flicker.
        disable=not sys.stderr.isatty() or sys.stdout.isatty(),
    )
