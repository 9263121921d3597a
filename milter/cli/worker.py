"""`gatepost worker`: one worker of the daemon. The supervisor starts it; it is shown to nobody."""

from __future__ import annotations

import click

from milter.app.worker import open_workplace
from milter.daemon.worker import run_worker


@click.command()
def worker() -> int:
    """Be a worker: take over from standard input, take mail, drain, end."""
    return run_worker(open_workplace)
