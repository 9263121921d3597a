"""One worker as its supervisor sees it: a process, a pipe to command it, a pipe with reports."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.daemon.handover import Handover

READY: Final = b"ready"
DRAINING: Final = b"draining"
# What speaks of our own service manager and would make a worker speak in our name.
_NOT_INHERITED: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS")


class WorkerProcess:
    """A started worker; `wait` until it ended, always."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.ready = asyncio.Event()
        self.draining = asyncio.Event()

    @classmethod
    async def start(cls, command: Sequence[str], handover: Handover) -> WorkerProcess:
        """Start `command` and hand over; that it is ready is told later, by `ready`.

        Raises:
            OSError: The system starts no more processes.
        """
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=handover.descriptors,
            env={name: os.environ[name] for name in os.environ if name not in _NOT_INHERITED},
        )
        worker = cls(process)
        worker._write(handover.encode())
        return worker

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def wait(self) -> int:
        """Read its reports until it ends; return its exit code, negative for a signal.

        A cancelled wait kills it: no worker outlives who watches it.
        """
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        try:
            while line := await self._process.stdout.readline():
                if line.strip() == READY:
                    self.ready.set()
                elif line.strip() == DRAINING:
                    self.draining.set()
        except ValueError:
            # A line beyond the reader's bound: no worker of ours, and nothing to read on for.
            self.kill()
        except asyncio.CancelledError:
            self.kill()
            await self._process.wait()
            raise
        finally:
            # Who waits for a worker to take nothing more need not wait for a dead one.
            self.draining.set()
        return await self._process.wait()

    def drain(self, timeout_s: float) -> None:
        """Ask it to take nothing new, to finish within `timeout_s` and to end."""
        self._write(b"drain %.3f\n" % timeout_s)

    def kill(self) -> None:
        """End it now."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def _write(self, data: bytes) -> None:
        # A worker that is gone is noticed by `wait`; nothing is lost by what it does not read.
        with contextlib.suppress(OSError, RuntimeError):
            assert self._process.stdin is not None  # noqa: S101 - it was started with a pipe
            self._process.stdin.write(data)
