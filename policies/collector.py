"""Keeping Python's collector of cycles away while much is made of which all stays."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def without_collections() -> Iterator[None]:
    """Let nothing be collected in the block.

    The collector would look at all of it again and again: a module or a rule would cost the more,
    the more there are.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
