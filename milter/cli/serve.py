"""`gatepost serve`: run the daemon."""

from __future__ import annotations

import click

from milter.daemon.run import run


@click.command()
@click.option("-c", "config", metavar="FILE", help="Configuration; absent: embedded defaults.")
def serve(config: str | None) -> int:
    """Run the daemon until it is told to stop."""
    return run(config)
