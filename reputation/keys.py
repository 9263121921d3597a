"""Keys that tell nobody what they stand for."""

from __future__ import annotations

import hmac


def keyed_hash(secret: bytes, *parts: bytes) -> bytes:
    """Return 32 bytes that only who has `secret` can make of `parts`."""
    # The length before each part keeps ("ab", "c") apart from ("a", "bc").
    message = b"".join([len(part).to_bytes(4) + part for part in parts])
    return hmac.digest(secret, message, "sha256")
