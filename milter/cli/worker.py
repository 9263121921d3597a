"""`gatepost worker`: one worker of the daemon. The supervisor starts it; it is shown to nobody."""

from __future__ import annotations

import os
import threading

import click

from milter.app.worker import open_workplace
from milter.daemon.worker import run_worker


@click.command()
def worker() -> int:
    """Be a worker: take over from standard input, take mail, drain, end."""
    code = run_worker(open_workplace)
    if any(thread.daemon for thread in threading.enumerate()):
        # The interpreter would end such a thread in the middle of its work, and one that compiles
        # patterns cannot be ended there: the process would abort, as if a worker had failed.
        os._exit(code)
    return code
