"""Seals messages for tests, by dkimpy."""

from __future__ import annotations

import dkim

from tests.support.dkim_signer import rsa_pair

AUTHSERV_ID = "mx.sealer.example"


def sealed(
    message: bytes, domain: str = "lists.example", said: str = "spf=none", chain: str = "pass"
) -> bytes:
    """Return `message` with one more set of ARC fields.

    Args:
        message: The message as the hop passes it on.
        domain: Who seals.
        said: What the hop found, as in Authentication-Results.
        chain: What it found of the seals before its own, if there are any.
    """
    found = f"; arc={chain}" if b"ARC-Seal" in message else ""
    results = f"Authentication-Results: {AUTHSERV_ID}{found}; {said}\r\n".encode()
    fields = dkim.arc_sign(
        results + message,
        b"sel",
        domain.encode(),
        rsa_pair().private,
        AUTHSERV_ID.encode(),
        include_headers=[b"from", b"to", b"subject"],
        timestamp=1_600_000_000,
    )
    return b"".join(fields) + message


def sealer_zone(*domains: str) -> dict[str, object]:
    """Return the keys of the sealers."""
    return {f"sel._domainkey.{domain}": {"TXT": [rsa_pair().record]} for domain in domains}
