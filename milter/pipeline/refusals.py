"""What the history keeps of mail that was refused unjudged or before its data.

Whoever was refused may ask why: by a policy at RCPT, by the next hop, for a bare line feed.

A botnet may be refused a thousand times a second, and the history has a bounded number of records:
without a bound here it would hold little else. So of the clients of one network only a few refusals
are kept in a while, and of all together no more than about as many as there are messages.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from milter import __version__
from milter.pipeline.history import RecordWrite, client_of, counted_of, found_of
from policies.verdict import Action
from reputation.decay import leaked
from reputation.history.record import Record, few, short
from reputation.subjects import network_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from milter.memory.client import StoreClient
    from milter.pipeline.aftermath import Seen, TurnedAway
    from reputation.history.journal import Keep

# Of one network: so many at once, and then one each ten minutes.
_OF_ONE: Final = 5.0
_OF_ONE_LEAK_PER_S: Final = 1 / 600
# Of all: so many at once, and then so many a day and one more for each message that came.
_OF_ALL: Final = 1000.0
_OF_ALL_LEAK_PER_S: Final = 1000 / 86_400
_NETWORKS: Final = 10_000


class _Level(NamedTuple):
    """How full a bucket was, and when."""

    level: float = 0.0
    at: float = 0.0


class Quota:
    """Which refusals are kept."""

    __slots__ = ("_all", "_networks")

    def __init__(self) -> None:
        self._all = _Level()
        self._networks: OrderedDict[str, _Level] = OrderedDict()

    def message(self) -> None:
        """Note a message: it makes room for one refusal more."""
        self._all = self._all._replace(level=max(0.0, self._all.level - 1))

    def taken(self, network: str, at: float) -> bool:
        """Take a refusal of a client in `network` at a time; return whether there is room."""
        own = self._networks.pop(network, _Level(0.0, at))
        level = leaked(own.level, at - own.at, _OF_ONE_LEAK_PER_S)
        every = leaked(self._all.level, at - self._all.at, _OF_ALL_LEAK_PER_S)
        room = level + 1 <= _OF_ONE and every + 1 <= _OF_ALL
        # Those of whom nothing was heard for longest make room.
        self._networks[network] = _Level(level + room, at)
        if len(self._networks) > _NETWORKS:
            self._networks.popitem(last=False)
        self._all = _Level(every + room, at)
        return room


class RefusalKeeper:
    """Writes a record of those who were turned away; belongs to one event loop.

    Args:
        store: Written to.
        keep: How much is kept, and of what.
        version: Of the policies that judge here.
        left_out: Told of each refusal that there was no room for.
    """

    def __init__(
        self, store: StoreClient, keep: Keep, version: str, left_out: Callable[[], None]
    ) -> None:
        self._store = store
        self._keep = keep
        self._version = version
        self._left_out = left_out
        self._quota = Quota()

    def see(self, seen: Seen) -> None:
        """Note a message that came."""
        self._quota.message()

    def see_turned_away(self, turned: TurnedAway) -> None:
        """Take one refusal."""
        ip = turned.connection.client_ip
        if self._quota.taken(network_of(ip) if ip else "", turned.at):
            self._store.write(RecordWrite(record_of(turned, self._version), self._keep))
        else:
            self._left_out()


def record_of(turned: TurnedAway, version: str) -> Record:
    """Return the record of a refusal where the policies of `version` judge."""
    connection, verdict = turned.connection, turned.verdict
    record = Record(
        txn_id=turned.reference,
        at=turned.at,
        session_id=connection.session_id,
        gatepost=__version__,
        version=version,
        listener=connection.listener,
        direction=connection.direction.value,
        client=client_of(connection),
        mail_from=turned.mail_from.plain if turned.mail_from else "",
        recipients=[each.plain for each in turned.recipients],
        rcpt_count=len(turned.recipients),
        size_bytes=turned.size,
        action=(Action.DEFER if turned.reply.temporary else Action.REJECT).word,
        reason=short(turned.why),
        reply=short(str(turned.reply)),
        stage=turned.stage,
    )
    if verdict is None:
        return record
    return replace(
        record,
        action=verdict.action.word,
        score=verdict.score,
        required=verdict.required,
        policy=verdict.policy,
        rule=verdict.rule,
        kind=verdict.kind,
        reason=verdict.reason,
        symbols=counted_of(verdict),
        ruled=found_of(verdict.found),
        trace=[short(step) for step in few(list(verdict.trace))],
    )
