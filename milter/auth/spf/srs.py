"""Reverse paths that a forwarder rewrote in its own name (the Sender Rewriting Scheme).

No RFC has it; those who write it share the form `SRS0=hash=time=domain=local@forwarder`, or
`SRS1=hash=first-forwarder==hash=time=domain=local@second-forwarder`. The hash is known to the
forwarder alone, so only a forwarder that is trusted anyway may be asked for the original.
"""

from __future__ import annotations

import re
from typing import Final

from milter.core.address import Mailbox, parse_mailbox
from milter.core.errors import ParseError

_REWRITTEN: Final = re.compile(
    r"SRS(?:0[=+-]|1[=+-][^=]*=[^=]*=[=+-])[^=]*=[^=]*=(?P<domain>[^=]+)=(?P<local>.+)",
    re.IGNORECASE,
)


def original_sender(rewritten: Mailbox) -> Mailbox | None:
    """Return the reverse path that `rewritten` was made of; None where it is no such path.

    >>> str(original_sender(Mailbox("SRS0=aB1c=9Z=example.net=ada", "forwarder.example")))
    'ada@example.net'
    """
    found = _REWRITTEN.fullmatch(rewritten.local_part)
    if found is None:
        return None
    try:
        return parse_mailbox(f"{found['local']}@{found['domain']}")
    except ParseError:
        return None
