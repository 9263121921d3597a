"""Line ends: CRLF everywhere, as a message has them on the wire (RFC 5321 §2.3.8)."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
_CR: Final = ord("\r")
_LF: Final = ord("\n")
# Below this looking twice costs less than setting up one look by numpy.
_SHORT: Final = 4096
# Bounds the memory of one look at a large message.
_BLOCK: Final = 1 << 20


def with_crlf(data: bytes) -> bytes:
    """Return `data` with CRLF at the end of every line; the same object where it has that already.

    Files on disk commonly end lines in LF, and some mail servers keep them so. A CR of its own
    stays: it is part of a line.
    """
    if not _has_bare_lf(data):
        return data
    if b"\r" not in data:
        return data.replace(b"\n", b"\r\n")
    return _BARE_LF.sub(b"\r\n", data)


def _has_bare_lf(data: bytes) -> bool:
    if len(data) < _SHORT:
        return data.count(b"\n") != data.count(b"\r\n")
    octets = np.frombuffer(data, np.uint8)
    for start in range(0, len(data), _BLOCK):
        block = octets[start : start + _BLOCK + 1]
        if ((block[1:] == _LF) & (block[:-1] != _CR)).any():
            return True
    return data[:1] == b"\n"
