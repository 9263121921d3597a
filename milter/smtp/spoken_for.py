"""For whom a session speaks: what its socket shows, and what a trusted peer has told since.

One record, so that nothing told of one client sticks to the next: an XCLIENT that names an address
takes the place of all that was told before, an XFORWARD holds for one message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.smtp.client_identity import apply_attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milter.core.connection import Connection, Tls


class SpokenFor:
    """The client of a session as it becomes known.

    Args:
        peer: What socket and PROXY header show.
    """

    __slots__ = ("_client", "_forwarded", "_peer", "_told")

    def __init__(self, peer: Connection) -> None:
        self._peer = peer
        self._told: dict[str, str] = {}
        self._forwarded: dict[str, str] = {}
        self._client: Connection | None = peer

    @property
    def peer(self) -> Connection:
        """Who is at the other end of the socket, with its own HELO name and TLS."""
        return self._peer

    @property
    def client(self) -> Connection:
        """The client; the same object as long as nothing new is known."""
        if self._client is None:
            self._client = self._known()
        return self._client

    def hello(self, name: str, *, esmtp: bool) -> None:
        """Take HELO or EHLO."""
        protocol = "ESMTP" if esmtp else "SMTP"
        self._peer = self._peer._replace(helo_name=name, esmtp=esmtp, protocol=protocol)
        self._client = None

    def tell(self, attributes: Mapping[str, str]) -> None:
        """Take XCLIENT: the session starts over, as the client that was told.

        Raises:
            CommandError: A value is impossible; nothing is taken.
        """
        told = dict(attributes) if "ADDR" in attributes else {**self._told, **attributes}
        apply_attributes(self._peer, told)
        self._told, self._forwarded = told, {}
        self._peer = self._peer._replace(helo_name="", esmtp=False)
        self._client = None

    def forward(self, attributes: Mapping[str, str]) -> None:
        """Take XFORWARD, which may come in several commands before MAIL.

        Raises:
            CommandError: A value is impossible; nothing is taken.
        """
        forwarded = {**self._forwarded, **attributes}
        apply_attributes(self._peer, forwarded)
        self._forwarded = forwarded
        self._client = None

    def encrypt(self, tls: Tls) -> None:
        """Start over after STARTTLS: no name given before it holds (RFC 3207 §4.2)."""
        self._peer = self._peer._replace(tls=tls, helo_name="", esmtp=False)
        self._told.pop("HELO", None)
        self.end_message()
        self._client = None

    def end_message(self) -> None:
        """Forget what was told of one message: Postfix tells XFORWARD anew before each MAIL."""
        if self._forwarded:
            self._forwarded = {}
            self._client = None

    def _known(self) -> Connection:
        client = apply_attributes(self._peer, self._told)
        if not self._forwarded:
            return client
        if "ADDR" in self._forwarded:
            # The name in EHLO is the upstream's own.
            client = client._replace(helo_name="")
        return apply_attributes(client, self._forwarded)
