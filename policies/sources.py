"""Where files come from; the one place of the policies that opens any."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

from policies.errors import ConfigError

# A list of a million domains; what is read as YAML has a lower bound of its own.
MAX_FILE_BYTES: Final = 64 * 1024 * 1024


class Source(Protocol):
    """Where files come from: a disk, a test's mapping, a package."""

    def read(self, path: str) -> bytes:
        """Return the bytes of the file.

        Raises:
            ConfigError: It cannot be read; the words say why.
        """
        ...


class FileSource:
    """Files of this machine."""

    def read(self, path: str) -> bytes:
        """Return the bytes of the file, a little more than the largest that is read at most."""
        try:
            with Path(path).open("rb") as file:
                return file.read(MAX_FILE_BYTES + 1)
        except (OSError, ValueError) as err:
            reason = getattr(err, "strerror", None) or str(err)
            raise ConfigError(path, 0, 0, f"cannot be read: {reason}") from err
