"""What a worker is given by its supervisor: descriptors, keys, and the configuration as data.

Every text that was read and validated travels with it, certificates and keys included: a worker
that is started again hours later judges by exactly what was validated, whatever is on disk then.
It travels through the worker's standard input: no argument, no environment, no file shows it.
"""

from __future__ import annotations

import contextlib
import json
import os
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from policies.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from policies.loader import Source

_LENGTH_OCTETS: Final = 8
_TOLD_AS_BYTES: Final = ("hash_key", "limits_key")


@dataclass(frozen=True, slots=True)
class Handover:
    """All that one worker starts from.

    Attributes:
        slot: Its place in the shared table and in the metrics.
        generation: Number of the configuration since the start; a reload adds one.
        memory_fd: The shared table.
        listeners: Descriptor of the listening socket of each address, as configuration writes it.
        scan_fd: The workers' end of the channel on which the supervisor passes on connections of
            the HTTP port; None: there is no such port.
        metrics_folder: Where the worker counts.
        lists_folder: Where workers tell each other and the supervisor of DNS lists.
        cache_folder: For what can be made again.
        config_path: The configuration file as the person named it; None: embedded defaults.
        hostname: Name of this host, found once, so that all workers give the same.
        hash_key: For addresses in the log.
        limits_key: For clients in the shared table.
        files: What was read, by path.
    """

    slot: int
    generation: int
    memory_fd: int
    listeners: Mapping[str, int]
    scan_fd: int | None
    metrics_folder: str
    lists_folder: str
    cache_folder: str
    config_path: str | None
    hostname: str
    hash_key: bytes = field(repr=False)
    limits_key: bytes = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All that the worker inherits."""
        scan = () if self.scan_fd is None else (self.scan_fd,)
        return (self.memory_fd, *self.listeners.values(), *scan)

    def encode(self) -> bytes:
        """Return it as bytes that say their own length first."""
        values: dict[str, Any] = asdict(self)
        for name in _TOLD_AS_BYTES:
            values[name] = _text(values[name])
        values["files"] = {path: _text(data) for path, data in self.files.items()}
        body = json.dumps(values).encode()
        return len(body).to_bytes(_LENGTH_OCTETS, "big") + body


def read_handover(fd: int) -> Handover:
    """Read what `encode` wrote from a pipe, and nothing that follows it.

    Raises:
        EOFError: The supervisor ended before it said all.
    """
    length = int.from_bytes(_read_exactly(fd, _LENGTH_OCTETS), "big")
    values = json.loads(_read_exactly(fd, length))
    for name in _TOLD_AS_BYTES:
        values[name] = b64decode(values[name])
    values["files"] = {path: b64decode(data) for path, data in values["files"].items()}
    return Handover(**values)


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def _read_exactly(fd: int, length: int) -> bytes:
    pieces = []
    while length:
        piece = os.read(fd, min(length, 1 << 20))
        if not piece:
            raise EOFError("the supervisor ended while it handed over")
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


class RecordingSource:
    """Reads files through another source and keeps what it read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.files: dict[str, bytes] = {}

    def read(self, path: str) -> bytes:
        """Return the bytes of the file; the same ones however often it is asked for."""
        if path not in self.files:
            self.files[path] = self._source.read(path)
        return self.files[path]


class HandedSource:
    """Serves the files of a handover."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def read(self, path: str) -> bytes:
        """Return the bytes that were validated.

        Raises:
            ConfigError: Validation never read it: a bug of ours, for both read the same way.
        """
        if path not in self._files:
            raise ConfigError(path, 0, 0, "was not read when the configuration was validated")
        return self._files[path]


@contextlib.contextmanager
def as_paths(source: Source) -> Iterator[Callable[[str], str]]:
    """Give a function that returns a path with the content that `source` has for a path.

    OpenSSL reads certificates and keys by path alone. The content lies in memory of this process
    and is gone when the block ends; nothing reaches a disk.
    """
    with contextlib.ExitStack() as stack:

        def in_memory(path: str) -> str:
            data = source.read(path)
            fd = os.memfd_create("gatepost-file", os.MFD_CLOEXEC)
            file = stack.enter_context(os.fdopen(fd, "wb"))
            file.write(data)
            file.flush()
            return f"/proc/self/fd/{fd}"

        yield in_memory
