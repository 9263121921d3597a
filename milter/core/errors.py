"""Exceptions of the door, by whose fault it is.

Expected outcomes (an SPF fail, no record, a listing) are results, never exceptions. What is raised
here carries data; the words are made where a person reads them. Only `cli` and the top of a session
catch by the root class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from milter.core.reply import Reply


class GatepostError(Exception):
    """Root of everything that the door raises on purpose."""


class ParseError(GatepostError):
    """Bytes or text that do not follow their grammar.

    Attributes:
        what: What is wrong, in words that a person can act on.
        offset: Where in the input, counted from 0.
    """

    def __init__(self, what: str, offset: int = 0) -> None:
        super().__init__(what)
        self.what = what
        self.offset = offset


class RemoteProtocolError(GatepostError):
    """The peer broke the protocol; `reply` is what it is told, where it can be told."""

    def __init__(self, what: str, reply: Reply | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.reply = reply


class LocalProtocolError(GatepostError):
    """We were about to break the protocol ourselves: a bug of ours."""


class RelayError(GatepostError):
    """The next hop could not be used.

    Attributes:
        next_hop: Host and port, or path, of the next hop.
        stage: What was being done: connect, greeting, ehlo, starttls, identity, mail, rcpt, data,
            body, final or rset.
        what: The cause in words, for the log.
        reply: What the next hop said, where it said something.
        temporary: Whether the client should try again; a next hop that is down always is.
        refuses_client: Whether `reply` is the hop's answer to the client that it was told of
            (XCLIENT, PROXY), to be passed on word for word. Never with 421, which would end our
            own session with the client.
    """

    def __init__(
        self,
        next_hop: str,
        stage: str,
        what: str,
        *,
        reply: Reply | None = None,
        temporary: bool = True,
        refuses_client: bool = False,
    ) -> None:
        super().__init__(f"{next_hop}: {stage}: {what}")
        self.next_hop = next_hop
        self.stage = stage
        self.what = what
        self.reply = reply
        self.temporary = temporary
        self.refuses_client = refuses_client
