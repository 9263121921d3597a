"""Running the daemon in this process: read, open, serve."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import sys
from typing import TYPE_CHECKING, Final

import uvloop

from milter import __version__
from milter.daemon.advice import advice
from milter.daemon.generation import WorkersFailedError
from milter.daemon.premises import Premises, open_premises
from milter.daemon.supervisor import Supervisor
from milter.daemon.watching import ConfigurationFiles
from milter.telemetry.writer import Logging
from policies.loader import FileSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.daemon.configuration import Configuration

_log: Final = logging.getLogger("gatepost.daemon")

# Named, not imported: what a worker does is known to `cli` and `app`, which stand above the daemon.
WORKER_COMMAND: Final = ("-m", "milter", "worker")
_NOT_STARTED: Final = 1
_STDERR: Final = 2


class _Logs:
    """Logging of the supervisor, set up anew for each configuration."""

    def __init__(self, premises: Premises, configuration: Configuration) -> None:
        self._premises = premises
        self._logging = self._open(configuration)

    def follow(self, configuration: Configuration) -> None:
        """Log as `configuration` says."""
        # Not waited for: a reader that is slow must not keep the supervisor's loop.
        self._logging.stop()
        self._logging = self._open(configuration)

    def close(self) -> None:
        """Write what waits."""
        self._logging.close()

    def _open(self, configuration: Configuration) -> Logging:
        log = configuration.settings.log
        key = self._premises.hash_key if log.addresses == "hashed" else None
        return Logging(log.format, log.level, key)


def run(path: str | None, *, command: Sequence[str] | None = None) -> int:
    """Run the daemon until it is told to stop.

    Returns:
        0; 1 when the workers do not start (their log says why) or the stop was cut short.

    Args:
        path: The configuration file; None for the embedded defaults.
        command: Starts a worker; by default our own program.

    Raises:
        ConfigErrors: The configuration cannot be run, a taken port included.
    """
    _fill_standard_descriptors()
    files = ConfigurationFiles(path, FileSource())
    configuration = files.read()
    _raise_descriptors()
    with open_premises(os.environ) as premises:
        logs = _Logs(premises, configuration)
        try:
            _log.info("starting", extra={"version": __version__, "path": path or ""})
            for warning in advice(configuration):
                _log.warning("configuration to think about", extra={"error": str(warning)})
            supervisor = Supervisor(
                premises, command or (sys.executable, *WORKER_COMMAND), files, logs.follow
            )
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(supervisor.run(configuration))
        except WorkersFailedError as err:
            _log.error("not started", extra={"error": str(err)})
            return _NOT_STARTED
        finally:
            logs.close()


def _fill_standard_descriptors() -> None:
    """Open those of the first three that whoever started us has closed.

    What is opened later would take their numbers, and a worker has pipes of its own in that place.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def _raise_descriptors() -> None:
    """Take all the descriptors that we may have.

    The usual limit of 1,024 is there for who calls select(2), which knows no greater ones. Nothing
    here does, and a thousand clients with their next hop need more.
    """
    # A sandbox may forbid to ask, and a platform allow fewer than it says.
    with contextlib.suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
