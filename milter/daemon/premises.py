"""What the supervisor has from its start to its end, whatever configuration it runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from milter.daemon.configuration import socket_key
from milter.daemon.handover import Handover
from milter.daemon.pulse import Pulse
from milter.daemon.sdnotify import notifier, watchdog_interval_s
from milter.daemon.shared import SharedTable, create_memory
from milter.memory.opening import home_of
from milter.telemetry.metrics import SupervisorMetrics
from milter.telemetry.multiprocess import SUPERVISOR, clean_folder, share_metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from milter.daemon.configuration import Configuration
    from milter.memory.opening import Home

_KEY_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Premises:
    """The supervisor's own.

    Attributes:
        folder: Only for this process and its workers.
        lasting_cache: Folder that the service manager gives for what can be made again; None: it
            gives none.
        memory_fd: Of `table`, for workers to inherit.
        table: What workers count and report.
        pulse: Which of them answer.
        channel: Connections of the HTTP port go into it, to workers.
        scan_fd: Its other end, for workers to inherit.
        metrics: What the supervisor counts.
        notify: Tells the service manager.
        watchdog_s: How often it wants to hear of us; None: never.
        hostname: Name of this host, where configuration says none.
        hash_key: For addresses in the log; new with each start.
        limits_key: For clients in the table; new with each start.
        started: Monotonic seconds.
    """

    folder: Path
    lasting_cache: Path | None
    memory_fd: int
    table: SharedTable
    pulse: Pulse
    channel: socket.socket
    scan_fd: int
    metrics: SupervisorMetrics
    notify: Callable[[str], None]
    watchdog_s: float | None
    hostname: str
    hash_key: bytes = field(repr=False)
    limits_key: bytes = field(repr=False)
    started: float

    @property
    def metrics_folder(self) -> Path:
        """Where all processes count."""
        return self.folder / "metrics"

    @property
    def lists_folder(self) -> Path:
        """Where workers tell of DNS lists."""
        return self.folder / "lists"


@contextlib.contextmanager
def open_premises(environment: Mapping[str, str]) -> Iterator[Premises]:
    """Give the premises, and clear them away at the end."""
    with contextlib.ExitStack() as stack:
        runtime = _folder_of(environment, "RUNTIME_DIRECTORY")
        folder = Path(tempfile.mkdtemp(prefix="gatepost-", dir=runtime))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        memory_fd = create_memory()
        stack.callback(os.close, memory_fd)
        table = SharedTable(memory_fd)
        stack.callback(table.close)
        # In packets: what is read of a connection stays with it, whichever worker takes it.
        channel, taken = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stack.callback(channel.close)
        stack.callback(taken.close)
        (folder / "lists").mkdir(mode=0o700)
        clean_folder(folder / "metrics")
        share_metrics(folder / "metrics", SUPERVISOR)
        cache = _folder_of(environment, "CACHE_DIRECTORY")
        yield Premises(
            folder=folder,
            lasting_cache=Path(cache) if cache else None,
            memory_fd=memory_fd,
            table=table,
            pulse=Pulse(table),
            channel=channel,
            scan_fd=taken.fileno(),
            metrics=SupervisorMetrics(),
            notify=notifier(environment),
            watchdog_s=watchdog_interval_s(environment, os.getpid()),
            hostname=host_name(),
            hash_key=os.urandom(_KEY_BYTES),
            limits_key=os.urandom(_KEY_BYTES),
            started=time.monotonic(),
        )


def handovers(
    premises: Premises,
    configuration: Configuration,
    sockets: Mapping[str, socket.socket],
    generation: int,
) -> Callable[[int], Handover]:
    """Return what makes the handover of a worker in a slot.

    Args:
        premises: What all workers share.
        configuration: What they run.
        sockets: Open ones, by `socket_key`.
        generation: Number of the configuration.
    """
    settings = configuration.settings
    cache = cache_folder(premises.lasting_cache, home_of(settings), premises.folder)

    def handover(slot: int) -> Handover:
        return Handover(
            slot=slot,
            generation=generation,
            memory_fd=premises.memory_fd,
            listeners={
                one.name: sockets[socket_key(one.name, one.bind)].fileno()
                for one in settings.listeners
            },
            scan_fd=premises.scan_fd if settings.http else None,
            metrics_folder=str(premises.metrics_folder),
            lists_folder=str(premises.lists_folder),
            cache_folder=str(cache),
            config_path=configuration.path,
            hostname=premises.hostname,
            hash_key=premises.hash_key,
            limits_key=premises.limits_key,
            files=configuration.files,
        )

    return handover


def cache_folder(lasting: Path | None, home: Home | None, own: Path) -> Path:
    """Return where what can be made again is kept, as long as may be.

    Args:
        lasting: What the service manager gives for it.
        home: Where the memory is; beside a file is the next best place.
        own: The daemon's own folder, which goes with it.
    """
    if lasting is not None:
        return lasting
    if home is not None and home.path is not None:
        return home.path.parent
    return own / "cache"


def host_name() -> str:
    """Return the name of this host, with its domain where the host knows it."""
    name = socket.gethostname()
    return name if "." in name else socket.getfqdn(name)


def _folder_of(environment: Mapping[str, str], name: str) -> str | None:
    """Return the folder that the service manager made for us; several are parted by colons."""
    return environment.get(name, "").partition(":")[0] or None
