"""One client transaction at the next hop: MAIL, RCPT, the message, and what came of it.

Recipients that get the same edits form a group, and each group has a connection of its own. It does
not judge: which recipients share a group, and who is redirected, is said by the session.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar

from milter.core.address import parse_path
from milter.core.errors import LocalProtocolError, ParseError, RelayError
from milter.core.reply import Reply
from milter.relay import large
from milter.relay.group import Group, Rcpt
from milter.relay.held import HeldConnections
from milter.relay.journal import Journal
from milter.relay.outcome import Delivered, Sent, Tally
from milter.relay.sending import NOT_TRIED, ask_for_data, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.core.address import Mailbox
    from milter.core.connection import Connection
    from milter.relay.client import HopConnection
    from milter.relay.handshake import Manner
    from milter.relay.partial import PartialDeliveries
    from milter.relay.pool import Pool

__all__ = ["Delivered", "Relaying", "Sent"]

AS_IT_IS: Final = Sent()

Key = TypeVar("Key", bound=Hashable)


class Relaying:
    """The transaction. Whoever opens one calls `abort` at its end, whatever happened.

    Args:
        pool: Where connections come from.
        manner: How the next hop is spoken to.
        client: For whom.
        partial: Who got a message before; None: nobody knows.
        txn_id: For the log.
        on_unusable: Told of a host that took a new connection and then failed before the final dot.
        promised: Whether some host offered an extension when it was spoken to last.
    """

    def __init__(
        self,
        pool: Pool,
        manner: Manner,
        client: Connection,
        *,
        partial: PartialDeliveries | None,
        txn_id: str = "",
        on_unusable: Callable[[str], None] | None = None,
        promised: Callable[[str], bool] = lambda _extension: False,
    ) -> None:
        self._manner = manner
        self._partial = partial
        self._journal = Journal(client.session_id, txn_id)
        self._held = HeldConnections(
            pool, manner, client, self._journal, on_unusable=on_unusable, promised=promised
        )
        self._first: HopConnection | None = None
        self._groups: dict[Hashable, Group] = {}
        self._final_dot_sent = False

    @property
    def final_dot_sent(self) -> bool:
        """Whether a hop may deliver already; cancelling is too late then."""
        return self._final_dot_sent

    async def mail(self, argument: bytes) -> Reply:
        """Send MAIL; return the hop's reply word for word.

        Args:
            argument: What follows "MAIL ", as the client wrote it: `FROM:<a@b> SIZE=10`.

        Raises:
            RelayError: The hop cannot be reached, closed or talked nonsense.
        """
        self._held.mail = argument
        connection, reply = await self._held.begin()
        if reply.accepted:
            self._first = connection
        else:
            self._held.give_back(connection)
        return reply

    async def rcpt(self, argument: bytes, recipient: str, group: Hashable) -> Reply:
        """Send RCPT on the connection of `group`; return the hop's reply word for word.

        The first recipient of a further group opens a connection; where the hop refuses MAIL there,
        that refusal is the reply.

        Args:
            argument: What follows "RCPT ", as the client wrote it: `TO:<c@d> NOTIFY=NEVER`.
            recipient: The address, for `Delivered` and the memory of partial deliveries.
            group: Equal for recipients that get the same edits.

        Raises:
            RelayError: As `mail`. Recipients of the group that were accepted before are not lost:
                `deliver` names them to another connection.
        """
        entry = self._usable(group) or await self._open_group(group)
        if isinstance(entry, Reply):
            return entry
        waited_too_long = entry.connection.failed
        try:
            reply = await self._held.send_rcpt(entry.connection, argument)
        except RelayError as err:
            if waited_too_long:
                self._journal.failed(err)
            else:
                self._note_failure(err, [entry])
            raise
        if reply.accepted:
            entry.rcpts.append(Rcpt(argument, (recipient,)))
        else:
            entry.refused = True
        return reply

    async def deliver(
        self,
        messages: Mapping[Key, Sequence[bytes]],
        redirects: Mapping[Key, Mailbox] | None = None,
        sent: Sent = AS_IT_IS,
    ) -> Delivered:
        """Send each group its message; return what the hop answered, for the client in one reply.

        Args:
            messages: For each group with an accepted recipient the pieces of its message,
                unstuffed, lines ended by CRLF.
            redirects: For groups whose message goes to another address instead, that address. The
                reply for these is in our own words.
            sent: What the client sent, and when.

        Raises:
            RelayError: A hop closed or talked nonsense before any final dot: nothing was delivered.
        """
        tally, digest = Tally(reply_each=self._manner.protocol == "lmtp"), b""
        try:
            groups = self._accepted_groups(messages, sent.dot_at)
            if self._partial is not None and sent.original is not None:
                digest = await large.digest(sent.original, retraced=sent.retraced)
                groups = await self._without_known(self._partial, groups, digest, tally)
            if redirects:
                groups = await self._redirected(groups, redirects, tally)
            groups = await self._revived(groups, tally)
            groups = await ask_for_data(groups, tally, partly=bool(digest))
            if groups:
                wire = await large.wire_forms(dict(messages.items()), groups, dotted=sent.dotted)
                await send(groups, wire, tally, self._note_final_dot)
            if self._partial is not None and digest:
                await self._remember(self._partial, digest, tally)
        except RelayError as err:
            self._note_failure(err, self._groups.values())
            raise
        finally:
            self.abort()
        self._journal.report(tally)
        return tally.delivered()

    def abort(self) -> None:
        """Give all connections back; harmless when nothing is open. Never blocks.

        A connection that waits for a message is closed, without the final dot; one that holds
        recipients gets RSET.
        """
        self._groups.clear()
        self._first = None
        self._held.give_all_back()

    # MAIL and RCPT.

    def _usable(self, group: Hashable) -> Group | None:
        entry = self._groups.get(group)
        if entry is not None and entry.connection.failed and not entry.rcpts:
            # Nobody's acceptance is lost with it: the group may begin anew.
            del self._groups[group]
            self._held.give_back(entry.connection)
            return None
        return entry

    async def _open_group(self, group: Hashable) -> Group | Reply:
        connection, self._first = self._first, None
        if connection is not None and connection.failed:
            self._held.give_back(connection)
            connection = None
        if connection is None:
            connection, reply = await self._held.begin()
            if not reply.accepted:
                self._held.give_back(connection)
                return reply
        entry = self._groups[group] = Group(connection)
        return entry

    # The message.

    def _accepted_groups(
        self, messages: Mapping[Key, Sequence[bytes]], dot_at: float | None
    ) -> dict[Hashable, Group]:
        groups = {key: group for key, group in self._groups.items() if group.rcpts}
        if not groups or not groups.keys() <= messages.keys():
            raise LocalProtocolError("a group without recipients or without a message")
        if dot_at is not None:
            self._held.hurry(dot_at)
        return groups

    async def _without_known(
        self,
        partial: PartialDeliveries,
        groups: Mapping[Hashable, Group],
        digest: bytes,
        tally: Tally,
    ) -> dict[Hashable, Group]:
        """Return what is left of `groups` without the recipients that have the message already."""
        recipients = [recipient for group in groups.values() for recipient in group.recipients]
        known = await partial.known(self._reverse_path, recipients, digest)
        tally.known += [recipient for recipient in recipients if recipient in known]
        left = {}
        for key, group in groups.items():
            if not known.isdisjoint(group.recipients):
                rest = [rcpt for rcpt in group.rcpts if known.isdisjoint(rcpt.recipients)]
                await self._restart(group, rest, tally)
            if group.rcpts:
                left[key] = group
        return left

    async def _redirected(
        self, groups: dict[Hashable, Group], redirects: Mapping[Key, Mailbox], tally: Tally
    ) -> dict[Hashable, Group]:
        """Return `groups` after those in `redirects` have the other address as their recipient."""
        instead: dict[Hashable, Mailbox] = dict(redirects.items())
        for key, group in groups.items():
            if key in instead:
                group.redirected = True
                rcpt = Rcpt(f"TO:<{instead[key]}>".encode(), tuple(group.recipients))
                await self._restart(group, [rcpt], tally)
        return {key: group for key, group in groups.items() if group.rcpts}

    async def _revived(self, groups: dict[Hashable, Group], tally: Tally) -> dict[Hashable, Group]:
        """Return `groups` after those whose connection is lost have another one.

        A client may take longer for its message than the hop waits for DATA: Postfix ends such a
        session after five minutes, after ten seconds when it is busy. Each attempt would end so.
        """
        for group in groups.values():
            if group.connection.failed:
                await self._restart(group, group.rcpts, tally)
        left = {key: group for key, group in groups.items() if group.rcpts}
        if tally.refused and self._partial is None:
            # Nobody would remember who was served when the message comes again for the others.
            for group in left.values():
                tally.refuse(group.recipients, NOT_TRIED)
            return {}
        return left

    async def _restart(self, group: Group, rcpts: Sequence[Rcpt], tally: Tally) -> None:
        """Begin the group's transaction anew, with `rcpts` alone."""
        group.rcpts = []
        if not group.connection.failed:
            group.connection.reset()
            await group.connection.settle()
        if not rcpts:
            self._held.give_back(group.connection)
            return
        refusal = await self._mail_again(group)
        for rcpt in rcpts:
            reply = refusal
            if refusal.accepted:
                reply = await self._held.send_rcpt(group.connection, group.argument_of(rcpt))
            if reply.accepted:
                group.rcpts.append(rcpt)
            else:
                self._journal.refused(group.connection.host, reply)
                tally.refuse(rcpt.recipients, group.words(reply))
        if not group.rcpts:
            self._held.give_back(group.connection)

    async def _mail_again(self, group: Group) -> Reply:
        if not group.connection.failed:
            return await self._held.send_mail(group.connection)
        self._held.give_back(group.connection)
        group.connection, reply = await self._held.begin()
        return reply

    def _note_failure(self, error: RelayError, groups: Iterable[Group]) -> None:
        self._journal.failed(error)
        for group in groups:
            connection = group.connection
            # In the body it may be our own client that waits no longer; and after refusals a hop
            # has reason enough to end the session of who guesses at recipients.
            its_own = connection.lost or error.stage != "body"
            if connection.failed and its_own and not group.refused:
                self._held.note_unusable(connection, error)

    def _note_final_dot(self) -> None:
        self._final_dot_sent = True

    async def _remember(self, partial: PartialDeliveries, digest: bytes, tally: Tally) -> None:
        """Keep in mind who was served while the client will come again, and no longer.

        What is not forgotten would keep the next message of the same bytes from those who had this
        one, as a monitor sends it each day.
        """
        if tally.partial:
            recipients = [recipient for recipient, _ in tally.accepted]
            if not await partial.remember(self._reverse_path, recipients, digest):
                # They may get the message twice; nobody loses it.
                self._journal.not_remembered(recipients)
            return
        over = bool(tally.known) and not tally.delivered().reply.temporary
        if over and not await partial.forget(self._reverse_path, tally.known, digest):
            self._journal.not_forgotten(tally.known)

    @property
    def _reverse_path(self) -> str:
        # Without the parameters: a client may word them differently when it comes again.
        text = self._held.mail.decode("utf-8", "backslashreplace").partition(":")[2].strip()
        try:
            mailbox, _ = parse_path(text)
        except ParseError:
            return text
        return str(mailbox) if mailbox else "<>"
