"""DATA, the message and the final dot, for all groups of a transaction at once.

No group gets its final dot before every group has its 354, or a refusal for good: until then
everything can be taken back, because a server delivers nothing without the dot (RFC 5321 §4.1.1.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.core.errors import RelayError
from milter.core.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

    from milter.relay.group import Group
    from milter.relay.outcome import Tally

# A message up to this size goes out in one write with its final dot.
_AT_ONCE: Final = 131_072
NOT_TRIED: Final = Reply.of(
    451, "4.3.0 Not delivered because another recipient could not be served"
)
_CLOSING: Final = Reply.of(451, "4.3.0 The next mail server closed the connection")


async def ask_for_data(
    groups: Mapping[Hashable, Group], tally: Tally, *, partly: bool
) -> dict[Hashable, Group]:
    """Send DATA to all; return those groups that the message may be sent to.

    Where one did not say 354, nothing may be sent to any, and their connections are to be closed;
    `tally` then says why. The exception are refusals for good: they would come at every attempt,
    and nobody would ever be served.

    Args:
        groups: All that have a recipient.
        tally: Told who is refused.
        partly: Whether it is remembered who was served when others were not.

    Raises:
        RelayError: A hop closed or talked nonsense.
    """
    for group in groups.values():
        group.connection.ask_for_data()
    refusals: dict[Hashable, Reply] = {}
    for key, group in groups.items():
        connection = group.connection
        reply = await connection.receive("data")
        connection.timed("data")
        tally.hosts.add(connection.host)
        if not reply.accepted:
            refusals[key] = reply
            connection.in_data = False
    # The hop's own words first: of several refusals that last equally long the first is said.
    for key, reply in refusals.items():
        tally.refuse(groups[key].recipients, groups[key].words(reply))
    left = {key: group for key, group in groups.items() if key not in refusals}
    if not refusals or (partly and not any(reply.temporary for reply in refusals.values())):
        return left
    for group in left.values():
        tally.refuse(group.recipients, group.words(NOT_TRIED))
    return {}


async def send(
    groups: Mapping[Hashable, Group],
    wire: Mapping[Hashable, Sequence[bytes]],
    tally: Tally,
    on_final_dot: Callable[[], None],
) -> None:
    """Send each group its message and take the answers; all groups have their 354.

    Args:
        groups: Their connections wait for a message.
        wire: The message of each group as it is sent, without the final dot.
        tally: Told what became of each recipient.
        on_final_dot: Called when the first final dot is about to go out.

    Raises:
        RelayError: A hop closed or took no more before any final dot, or it came too late for one.
            Afterwards nothing is raised. A refusal in the middle of the message is told of.
    """
    rest = dict(wire)
    try:
        await _send_bodies(groups, rest)
    except RelayError as err:
        # Of several groups none is answered for by another one; 421 would end our client's session.
        if len(groups) > 1 or err.reply is None or err.reply.accepted or err.reply.code == 421:
            raise
        (group,) = groups.values()
        tally.refuse(group.recipients, group.words(err.reply))
        return
    # From here to the last dot nothing waits: no cancellation comes between two of them.
    on_final_dot()
    waiting: list[tuple[Group, list[list[str]]]] = []
    for key, group in groups.items():
        finals = _finals(group, tally)
        group.connection.end_body(rest[key], len(finals))
        waiting.append((group, finals))
    for group, finals in waiting:
        await _take_finals(group, finals, tally)


async def _send_bodies(
    groups: Mapping[Hashable, Group], rest: dict[Hashable, Sequence[bytes]]
) -> None:
    """Send what shall not go with the final dot; `rest` is what is left."""
    if len(groups) > 1 or sum(map(len, next(iter(rest.values())))) > _AT_ONCE:
        for key, group in groups.items():
            await group.connection.send_body(rest[key])
            rest[key] = ()
    for group in groups.values():
        group.connection.check_before_dot()


def _finals(group: Group, tally: Tally) -> list[list[str]]:
    """Return whom each of the final replies is for."""
    # RFC 2033 §4.2: LMTP answers the final dot once for each accepted RCPT.
    if tally.reply_each:
        return [list(rcpt.recipients) for rcpt in group.rcpts]
    return [group.recipients]


async def _take_finals(group: Group, finals: list[list[str]], tally: Tally) -> None:
    for position, recipients in enumerate(finals):
        try:
            reply = await group.connection.receive("final")
        except RelayError as err:
            # What fails now concerns only those who are not answered yet.
            left = [recipient for some in finals[position:] for recipient in some]
            _note_unanswered(err, left, tally)
            return
        if reply.accepted:
            tally.accept(recipients, group.words(reply))
        else:
            tally.refuse(recipients, group.words(reply))
    group.connection.timed("final")
    group.connection.note_delivered()


def _note_unanswered(error: RelayError, recipients: list[str], tally: Tally) -> None:
    tally.failures.append((error, recipients))
    if error.reply is not None and error.reply.code == 421:
        # A refusal as clear as any 4xx; but its code would end our client's session.
        tally.refuse(recipients, _CLOSING)
    else:
        tally.unknown += recipients
