"""Signs `shipping-notice.eml` (RFC 6376, RFC 8463), and writes the public key into the zone.

The key is made from the words below, so anybody gets the same one again: it protects nothing. Run
this after changing that message: `python samples/sign.py`. A signature that still holds is kept.
"""

from __future__ import annotations

import base64
import hashlib
import re
import sys
from pathlib import Path

import dkim
from nacl.signing import SigningKey

_SEED = hashlib.sha256(b"a sample key that signs nothing of worth").digest()
_PUBLIC = base64.b64encode(bytes(SigningKey(_SEED).verify_key)).decode()
_RECORD = f"v=DKIM1; k=ed25519; p={_PUBLIC}"
_MESSAGE = "shipping-notice.eml"
_SIGNED = [b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type"]
_FIELD = re.compile(rb"DKIM-Signature:[^\n]*\n(?:[ \t][^\n]*\n)*")


def signed(message: bytes) -> bytes:
    """Return a message of LF lines with a signature in front that holds."""
    if dkim.verify(message.replace(b"\n", b"\r\n"), dnsfunc=lambda _name, **_: _RECORD.encode()):
        return message
    unsigned = _FIELD.sub(b"", message).replace(b"\n", b"\r\n")
    field = dkim.sign(
        unsigned,
        b"sample",
        b"books.example",
        base64.b64encode(_SEED),
        canonicalize=(b"relaxed", b"relaxed"),
        signature_algorithm=b"ed25519-sha256",
        include_headers=_SIGNED,
    )
    return bytes(field + unsigned).replace(b"\r\n", b"\n")


def published(zone: str) -> str:
    """Return the zone with the public key in its record."""
    return re.sub(r"v=DKIM1; k=ed25519; p=[^\"]*", _RECORD, zone)


def main(folder: Path) -> None:
    """Write both files anew."""
    message, zone = folder / _MESSAGE, folder / "zone.yaml"
    message.write_bytes(signed(message.read_bytes()))
    zone.write_text(published(zone.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
