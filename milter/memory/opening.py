"""Which store the settings name, and how it is opened; the one place that knows the three homes."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reputation.errors import StoreError
from reputation.sqlite import SqliteStore, examine, set_aside_if_corrupt

if TYPE_CHECKING:
    from milter.settings import Settings
    from reputation.store import Store

_log: Final = logging.getLogger("gatepost.memory")
_SQLITE: Final = "sqlite:"
# Part of the time that a question has: who waits longer for another process gets no answer anyway.
_BUSY_PART: Final = 0.8


@dataclass(frozen=True, slots=True)
class Home:
    """Where the memory is.

    Attributes:
        place: `store` of the settings.
        password: Of a server; empty: none.
        ca_file: Who may vouch for a server; empty: the system's.
        timeout_s: How long a question waits.
        max_bytes: What a file may grow to.
    """

    place: str
    password: str = ""
    ca_file: str = ""
    timeout_s: float = 0.5
    max_bytes: int = 2**30

    @property
    def path(self) -> Path | None:
        """The file; None where there is none."""
        return Path(self.place.removeprefix(_SQLITE)) if self.place.startswith(_SQLITE) else None

    def open(self) -> Store:
        """Return the store, opened; call it in the process and thread that will use it.

        Raises:
            StoreError: It cannot be opened.
        """
        if self.path is not None:
            return SqliteStore(
                self.path, os.urandom, self.timeout_s * _BUSY_PART, max_bytes=self.max_bytes
            )
        try:
            # An extra that most sites do without.
            from reputation.redis import RedisStore, Server  # noqa: PLC0415
        except ImportError as err:
            raise StoreError("install gatepost[redis] for it", temporary=False) from err
        server = Server(self.place, self.password, self.ca_file, self.timeout_s)
        return RedisStore(server, os.urandom, time.time)

    def open_mended(self) -> Store:
        """Return the store, opened; a corrupt file is set aside first.

        Raises:
            StoreError: It cannot be opened.
        """
        try:
            return self.open()
        except StoreError as err:
            if err.reason != "corrupt":
                raise
        self.mend()
        return self.open()

    def examine(self) -> None:
        """Look whether it could be opened; nothing is made or changed, no server is asked.

        Raises:
            StoreError: What stands in the way.
        """
        if self.path is not None:
            examine(self.path)
        else:
            # A server that is down now may be up later; a wrong address never is.
            self.open().close()

    def mend(self) -> None:
        """Set a corrupt file aside, so that a new one takes its place."""
        if self.path is not None and (aside := set_aside_if_corrupt(self.path)):
            _log.error("corrupt store set aside", extra={"path": str(aside)})


def home_of(settings: Settings, password: bytes = b"") -> Home | None:
    """Return where the memory is; None when nothing is remembered."""
    if settings.store is None:
        return None
    memory = settings.memory
    return Home(
        settings.store,
        password.decode(errors="replace").strip(),
        memory.ca_file or "",
        memory.timeout_s,
        memory.max_bytes,
    )
