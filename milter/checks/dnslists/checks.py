"""The checks that ask DNS lists: one for each stage that knows something to ask about.

Each asks as soon as its subjects are known, those of the message only while it is not decided.
Addresses that mean something only locally, and our
own, never leave our network; of clients that gave a password neither address nor names are asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.auth.iprev import check_iprev
from milter.checks.base import NOTHING, STRANGERS, Evidence, fact
from milter.checks.dnslists import subjects as found
from milter.checks.dnslists.files import hashed_files
from milter.core.transaction import Stage
from milter.dns.bounded import BoundedResolver
from policies.dnslists import Asks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from milter.checks.dnslists.asking import ListAsker
    from milter.checks.dnslists.questions import Subject
    from milter.core.connection import IpAddress
    from milter.core.transaction import Transaction
    from milter.dns.resolver import Resolver
    from milter.message.document import Message

_CLIENT: Final = frozenset({Asks.CLIENT_IP, Asks.REVERSE_NAME})
_HELO: Final = frozenset({Asks.HELO})
_SENDER: Final = frozenset({Asks.MAIL_FROM_DOMAIN})
_SIGNER: Final = frozenset({Asks.DKIM_DOMAIN})
_MESSAGE: Final = frozenset(
    {
        *(Asks.RECEIVED_IP, Asks.AUTHOR_DOMAIN, Asks.REPLY_TO_DOMAIN),
        *(Asks.URL_DOMAIN, Asks.URL_IP, Asks.EMAIL_HASH, Asks.URL_HASH, Asks.FILE_HASH),
    }
)


class ClientListsCheck:
    """What lists say of the client's address and of its reverse name.

    Args:
        asker: Has the lists.
        wait_s: Seconds for which the reverse name is waited for: a client whose reverse zone hardly
            answers must not be spared by those that list its address.
    """

    name = "dnslists"
    stage = Stage.CONNECT
    directions = STRANGERS

    def __init__(self, asker: ListAsker, wait_s: float = 10.0) -> None:
        self._asker = asker
        self._wait_s = wait_s
        self._asks = asker.asks(_CLIENT)
        self.symbols = asker.symbols(_CLIENT)

    async def ask(self, txn: Transaction, message: Message | None, resolver: Resolver) -> Evidence:
        """Return a finding for each symbol of each list."""
        client = txn.connection.client_ip
        if client is None or client in self._asker.never_ask or txn.connection.account:
            return NOTHING
        known: dict[Asks, Sequence[Subject]] = {
            Asks.CLIENT_IP: found.addresses([client], self._asker.never_ask)
        }
        if Asks.REVERSE_NAME in self._asks:
            # A name that does not lead back is chosen freely by whoever owns the address, so only
            # one that does is asked about: a list that allows would believe the other one.
            said = await check_iprev(client, BoundedResolver(resolver, self._wait_s))
            known[Asks.REVERSE_NAME] = found.domains([said.name] if said.name else [])
        return await self._asker.ask(known, resolver)


class HeloListsCheck:
    """What lists say of the name that the client gave."""

    name = "dnslists_helo"
    stage = Stage.HELO
    directions = STRANGERS

    def __init__(self, asker: ListAsker) -> None:
        self._asker = asker
        self.symbols = asker.symbols(_HELO)

    async def ask(self, txn: Transaction, message: Message | None, resolver: Resolver) -> Evidence:
        """Return a finding for each symbol of each list."""
        if txn.connection.account:
            return NOTHING
        return await self._asker.ask(
            {Asks.HELO: found.domains([txn.connection.helo_name])}, resolver
        )


class SenderListsCheck:
    """What lists say of the domain of MAIL FROM."""

    name = "dnslists_sender"
    stage = Stage.MAIL
    directions = STRANGERS

    def __init__(self, asker: ListAsker) -> None:
        self._asker = asker
        self.symbols = asker.symbols(_SENDER)

    async def ask(self, txn: Transaction, message: Message | None, resolver: Resolver) -> Evidence:
        """Return a finding for each symbol of each list."""
        if txn.mail_from is None:
            return NOTHING
        named = {Asks.MAIL_FROM_DOMAIN: found.domains([txn.mail_from.domain_key])}
        return await self._asker.ask(named, resolver)


class MessageListsCheck:
    """What lists say of all that stands in a message.

    Args:
        asker: Has the lists.
        relays: Return the addresses of the relays that a message passed, as far as they can be
            believed.
    """

    name = "dnslists_message"
    stage = Stage.MESSAGE
    directions = STRANGERS
    until_decided = True

    def __init__(
        self,
        asker: ListAsker,
        relays: Callable[[Transaction, Message], Sequence[IpAddress]],
    ) -> None:
        self._asker = asker
        self._relays = relays
        self._asks = asker.asks(_MESSAGE)
        self._file_hashes = asker.algorithms(Asks.FILE_HASH)
        self.symbols = asker.symbols(_MESSAGE)

    async def ask(self, txn: Transaction, message: Message | None, resolver: Resolver) -> Evidence:
        """Return a finding for each symbol of each list."""
        # Looking for subjects costs more than asking about them: not for lists that are set aside.
        asks = self._asker.awake(self._asks)
        if message is None or not asks:
            return NOTHING
        known = self._known(asks - {Asks.FILE_HASH}, txn, message)
        if Asks.FILE_HASH in asks:
            known[Asks.FILE_HASH] = await hashed_files(message, self._file_hashes)
        return await self._asker.ask(known, resolver)

    def _known(
        self, asks: frozenset[Asks], txn: Transaction, message: Message
    ) -> dict[Asks, Sequence[Subject]]:
        hosts = [host.strip("[]") for host in message.url_hosts]
        finders: Mapping[Asks, Callable[[], Sequence[Subject]]] = {
            Asks.RECEIVED_IP: lambda: self._relayed(txn, message),
            Asks.AUTHOR_DOMAIN: lambda: found.domains(message.author_domains),
            Asks.REPLY_TO_DOMAIN: lambda: found.domains(found.reply_domains(message)),
            Asks.URL_DOMAIN: lambda: found.drawn(found.domains(hosts), txn.txn_id),
            Asks.URL_IP: lambda: self._addresses(found.hosts_as_addresses(hosts)),
            Asks.EMAIL_HASH: lambda: found.mail_addresses(message),
            Asks.URL_HASH: lambda: found.urls_to_hash(message.urls, txn.txn_id),
        }
        return {ask: finders[ask]() for ask in asks}

    def _relayed(self, txn: Transaction, message: Message) -> Sequence[Subject]:
        if txn.connection.account:
            return ()
        return self._addresses(self._relays(txn, message))

    def _addresses(self, addresses: Sequence[IpAddress]) -> Sequence[Subject]:
        return found.addresses(addresses, self._asker.never_ask)


class SignerListsCheck:
    """What lists say of the domains whose DKIM signatures hold; anybody can write the others."""

    name = "dnslists_signer"
    stage = Stage.MESSAGE
    directions = STRANGERS
    until_decided = True
    asks = True
    reads = frozenset({"dkim"})

    def __init__(self, asker: ListAsker) -> None:
        self._asker = asker
        self.symbols = asker.symbols(_SIGNER)

    async def combine(
        self, txn: Transaction, message: Message, resolver: Resolver, known: Sequence[Evidence]
    ) -> Evidence:
        """Return a finding for each symbol of each list."""
        signatures = fact(known, "dkim")
        if not isinstance(signatures, list):
            return NOTHING
        passed = [
            str(each["domain"])
            for each in signatures
            if isinstance(each, dict) and each.get("result") == "pass"
        ]
        return await self._asker.ask({Asks.DKIM_DOMAIN: found.domains(passed)}, resolver)
