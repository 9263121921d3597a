"""The file of the store: who may read it, whether it can be used, what its errors mean."""

from __future__ import annotations

import fcntl
import itertools
import os
import sqlite3
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from reputation.errors import StoreError
from reputation.owners import make_file
from reputation.sqlite.schema import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reputation.errors import Reason

# The header of a database file, and where it keeps the number that `PRAGMA user_version` gives
# (https://sqlite.org/fileformat2.html, 1.3).
_MAGIC: Final = b"SQLite format 3\0"
_HEADER_BYTES: Final = 100
_USER_VERSION: Final = slice(60, 64)

# The log and its index, which belong to the file (https://sqlite.org/walformat.html).
_BESIDE: Final = ("-wal", "-shm")
_NO_FILE: Final = (0, 0)

# Primary result codes (https://sqlite.org/rescode.html); whether it may pass by itself.
_CODES: Final[dict[int, tuple[Reason, bool]]] = {
    sqlite3.SQLITE_BUSY: ("locked", True),
    sqlite3.SQLITE_LOCKED: ("locked", True),
    sqlite3.SQLITE_FULL: ("full", True),
    sqlite3.SQLITE_IOERR: ("gone", True),
    sqlite3.SQLITE_CANTOPEN: ("gone", True),
    sqlite3.SQLITE_READONLY: ("gone", True),
    sqlite3.SQLITE_CORRUPT: ("corrupt", False),
    sqlite3.SQLITE_NOTADB: ("corrupt", False),
}


def examine(path: Path) -> None:
    """Look whether `SqliteStore` could open `path`; nothing is made or changed.

    Raises:
        StoreError: What stands in the way; `what` begins with the file or folder that does.
    """
    folder = path.parent
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is no folder", temporary=False)
    # A missing folder is made, one below another that is there. SQLite writes beside its file too.
    written_to = folder if folder.exists() else folder.parent
    if not os.access(written_to, os.W_OK | os.X_OK):
        where = written_to.absolute()
        raise StoreError(f"{where} is missing or may not be written to", temporary=False)
    if path.exists():
        _examine_file(path)


def _examine_file(path: Path) -> None:
    try:
        with path.open("r+b") as file:
            header = file.read(_HEADER_BYTES)
    except OSError as err:
        raise StoreError(f"{path} cannot be used: {err.strerror}", temporary=False) from err
    if header and not header.startswith(_MAGIC):
        raise StoreError(f"{path} is no SQLite database", temporary=False)
    if int.from_bytes(header[_USER_VERSION], "big") > VERSION:
        raise StoreError(f"{path} was written by a newer version", temporary=False)


def open_file(path: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """Return a connection; the file and its folder are made where they are missing.

    Raises:
        StoreError: It cannot be opened.
    """
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        # SQLite would let everybody read the key of our hashes.
        make_file(path)
        return sqlite3.connect(
            path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
        )
    except (OSError, sqlite3.Error) as err:
        # A folder that is not there may be back soon; until then writes wait.
        raise StoreError(f"{path}: cannot open the store: {err}", reason="gone") from err


def set_aside_if_corrupt(path: Path) -> Path | None:
    """Rename the file if it is corrupt; a new one is made by who opens it next.

    Several processes may meet the same fault at once: one of them renames, and the others find that
    the file, then a new one, is in order.

    Returns:
        What the corrupt file is called now; None where it is in order.

    Raises:
        StoreError: It could not be renamed.
    """
    try:
        beside = path.with_name(path.name + ".lock")
        make_file(beside)
        with beside.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return None if _is_sound(path) else _set_aside(path)
    except OSError as err:
        what = f"{path}: cannot be set aside: {err.strerror}"
        raise StoreError(what, reason="corrupt") from err


def _is_sound(path: Path) -> bool:
    # A file that is missing is as good as a new one.
    if not path.exists():
        return True
    connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
    try:
        return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.OperationalError:
        # Locked, above all: whoever works with it may know better.
        return True
    except sqlite3.DatabaseError:
        return False
    finally:
        connection.close()


def _set_aside(path: Path) -> Path:
    numbers = itertools.count(1)
    aside = next(
        name for n in numbers if not (name := path.with_name(f"{path.name}.corrupt-{n}")).exists()
    )
    path.rename(aside)
    # The log belongs to the file: a new one must not be given what is in it.
    for suffix in _BESIDE:
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + suffix))
    return aside


Identity = tuple[int, int]


def identity_of(path: Path) -> Identity:
    """Return what tells this file from another that takes its name later; (0, 0): none is there."""
    try:
        # For each question: `Path.stat` takes three times as long.
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return _NO_FILE
    return (found.st_dev, found.st_ino)


def beside(path: Path) -> dict[Path, Identity]:
    """Return what lies beside the file at `path`, and belongs to it."""
    names = [path.with_name(path.name + suffix) for suffix in _BESIDE]
    return {name: identity_of(name) for name in names}


def leave_to_another(path: Path, known: dict[Path, Identity]) -> None:
    """Remove what lay beside a file that another took the place of.

    A copy that was put back would be given what the log of the file before it has, and be corrupt.
    """
    for name, identity in known.items() if identity_of(path) != _NO_FILE else ():
        if _NO_FILE != identity == identity_of(name):
            with suppress(OSError):
                name.unlink()


@contextmanager
def translated() -> Iterator[None]:
    """Turn the errors of SQLite into ours."""
    try:
        yield
    except sqlite3.ProgrammingError as err:
        # A connection that was closed, above all.
        raise StoreError(f"store: {err}", temporary=False, reason="gone") from err
    except sqlite3.Error as err:
        # The low byte is the primary code; errors of the module itself have none.
        code = getattr(err, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & 0xFF
        reason, temporary = _CODES.get(code, ("other", False))
        raise StoreError(f"store: {err}", temporary=temporary, reason=reason) from err
