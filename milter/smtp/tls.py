"""TLS of a listener (RFC 3207, RFC 8996)."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from milter.core.connection import Tls

if TYPE_CHECKING:
    from milter.settings import TlsFiles


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return the context for STARTTLS; TLS 1.2 is the least (RFC 8996 §4, §5).

    Raises:
        OSError: A file cannot be read; `ssl.SSLError`, a subclass, when it holds no certificate
            or key, or the two do not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate, files.key)
    return context


def describe_tls(connection: ssl.SSLObject) -> Tls:
    """Return version and cipher of an encrypted connection."""
    cipher = connection.cipher()
    return Tls(connection.version() or "", cipher[0] if cipher else "")
