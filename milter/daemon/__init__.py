"""The daemon: a supervisor that opens the sockets, and the workers that it starts."""

from milter.daemon.run import run

__all__ = ["run"]
