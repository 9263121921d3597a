"""Databases of patterns: compiled in the background, kept on disk by their content, swapped in.

Mail is judged from the first second, by RE2 alone; when a database is ready it takes over. One
worker compiles it, under a lock, and the others read what it wrote. Whatever goes wrong here costs
time and no answer.
"""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from policies import prefilter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policies.patterns import PatternSet

_log: Final = logging.getLogger("gatepost.daemon")
# A database that no policy needs any more is thrown away when there are more than these.
_KEPT: Final = 40
_SUFFIX: Final = ".patterns"


def arm_in_background(patterns: PatternSet, folder: Path) -> threading.Thread | None:
    """Start to put prefilters before the views of `patterns`; None where there is nothing to do.

    The thread ends by itself; a process that ends does not wait for it.

    Args:
        patterns: They answer all the while, and the same.
        folder: Where databases are kept.
    """
    # Views of one pattern as well: where it is not found, RE2 need not be asked.
    written = patterns.written()
    if not prefilter.is_available():
        for view in written:
            patterns.compile_view(view)
        return None
    if not written:
        return None
    thread = threading.Thread(
        target=_arm, args=(patterns, written, folder), name="patterns", daemon=True
    )
    thread.start()
    return thread


def _arm(patterns: PatternSet, views: dict[str, list[str]], folder: Path) -> None:
    for view, written in views.items():
        path = folder / f"{prefilter.key_of(view, written)}{_SUFFIX}"
        try:
            data = _read(path)
            if data is None:
                # Until it is made each message asks all, and shall wait for none to be compiled.
                patterns.compile_view(view)
                data = _made(view, written, path)
            ready = prefilter.load(data)
        except Exception as error:  # noqa: BLE001 - RE2 goes on alone, whatever happened
            _log.warning("patterns not compiled", extra={"error": str(error)})
            continue
        if ready is not None:
            patterns.arm(view, ready)
        else:
            patterns.compile_view(view)


def _made(view: str, written: Sequence[str], path: Path) -> bytes:
    """Return the database of a view after it was made and kept, by us or by another worker."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(path.parent / "lock"):
        data = _read(path)
        if data is None:
            data = prefilter.build(view, written)
            _write(path, data)
            _tidy(path.parent)
        return data


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of all workers: what one compiles the others need not."""
    with path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> bytes | None:
    """Return what is kept, None where it is missing or damaged."""
    try:
        data = path.read_bytes()
        os.utime(path)
    except OSError:
        return None
    return data if prefilter.is_whole(data) else None


def _write(path: Path, data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    Path(file.name).replace(path)


def _tidy(folder: Path) -> None:
    kept = sorted(folder.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[_KEPT:]:
        path.unlink(missing_ok=True)
