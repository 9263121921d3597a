"""Who was turned away in one transaction, gathered for those who are told afterwards.

A client may be refused a thousand recipients, one by one. Those who were refused for the same
reason are told of together; others, such as one that the policy refused and one that the next hop
did not know, apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.pipeline.aftermath import TurnedAway

if TYPE_CHECKING:
    from milter.core.address import Mailbox
    from milter.core.connection import Connection
    from milter.core.ids import TxnId
    from milter.core.reply import Reply
    from milter.pipeline.aftermath import Aftermath
    from policies.verdict import Verdict

_MOST_RECIPIENTS: Final = 200
# Rules and reply codes are few; a next hop that answers with a thousand codes makes no more work.
_MOST_REASONS: Final = 20


class Refusals:
    """The refusals of one transaction; `tell` of them once.

    Args:
        aftermath: Told of them.
        connection: The client.
        txn_id: Of the transaction.
        mail_from: The reverse path; None for the null one.
        announced_bytes: SIZE= of MAIL.
    """

    def __init__(
        self,
        aftermath: Aftermath,
        connection: Connection,
        txn_id: TxnId,
        mail_from: Mailbox | None,
        announced_bytes: int,
    ) -> None:
        self._aftermath = aftermath
        self._connection = connection
        self._txn_id = txn_id
        self._mail_from = mail_from
        self._announced = announced_bytes
        self._by_reason: dict[tuple[str, str, int], TurnedAway] = {}

    def by_policy(
        self, stage: str, verdict: Verdict, reply: Reply, recipients: tuple[Mailbox, ...]
    ) -> None:
        """Note what a policy decided before the data."""
        why = f"{verdict.policy} {verdict.rule}"
        self._note(why, self._turned(stage, verdict, reply, recipients))

    def unjudged(
        self, stage: str, why: str, reply: Reply, recipients: tuple[Mailbox, ...], size: int = 0
    ) -> None:
        """Note what no policy decided.

        Args:
            stage: Where it ended: mail, rcpt, data.
            why: In words.
            reply: What the client was told.
            recipients: Who were refused.
            size: Bytes of the message that came; 0: none did.
        """
        turned = self._turned(stage, None, reply, recipients)
        self._note(why, turned._replace(why=why, size=size))

    def tell(self, *, came: bool) -> None:
        """Tell of all of them, of each reason once."""
        judged = [turned for turned in self._by_reason.values() if turned.verdict is not None]
        for turned in self._by_reason.values():
            decisive = turned is judged[-1] if judged else True
            self._aftermath.turn_away(turned._replace(came=came, decisive=decisive))

    def _turned(
        self,
        stage: str,
        verdict: Verdict | None,
        reply: Reply,
        recipients: tuple[Mailbox, ...],
    ) -> TurnedAway:
        return TurnedAway(
            self._aftermath.clock(),
            str(self._txn_id),
            self._connection,
            stage,
            verdict,
            reply,
            self._mail_from,
            recipients,
            self._announced,
        )

    def _note(self, why: str, turned: TurnedAway) -> None:
        key = (turned.stage, why, turned.reply.code)
        before = self._by_reason.get(key)
        if before is not None:
            if before.recipients == turned.recipients or len(before.recipients) >= _MOST_RECIPIENTS:
                return
            turned = turned._replace(recipients=before.recipients + turned.recipients)
        elif len(self._by_reason) >= _MOST_REASONS:
            return
        self._by_reason[key] = turned._replace(recipients=turned.recipients[:_MOST_RECIPIENTS])
