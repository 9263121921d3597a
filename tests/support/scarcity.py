"""A process that has nothing left of something."""

from __future__ import annotations

import contextlib
import resource
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# More than a process can address.
_STACK_BYTES: Final = 1 << 47


@contextlib.contextmanager
def no_descriptors() -> Iterator[None]:
    """Let this process open nothing more until the end."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextlib.contextmanager
def no_threads() -> Iterator[None]:
    """Let this process start no thread until the end."""
    before = threading.stack_size(_STACK_BYTES)
    try:
        yield
    finally:
        threading.stack_size(before)
