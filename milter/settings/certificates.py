"""When a certificate ends."""

from __future__ import annotations

from cryptography.x509 import load_pem_x509_certificates


def end_of(pem: bytes) -> float:
    """Return when the certificate of a listener ends, in seconds since 1970.

    Raises:
        ValueError: It cannot be read, though OpenSSL may take it: it knows more forms of PEM.
    """
    # Of a chain the first one is the listener's own.
    own, *_ = load_pem_x509_certificates(pem)
    return own.not_valid_after_utc.timestamp()
