"""The entry of a worker process; the supervisor starts it, nobody else.

It stands apart from the commands for people, so that a worker carries none of their libraries.
"""

from __future__ import annotations

import sys

from milter.app.worker import open_workplace
from milter.daemon.worker import run_worker

if __name__ == "__main__":
    sys.exit(run_worker(open_workplace))
