"""Whether the sender comes back, as a mail server does (RFC 6647).

Nothing is deferred here and nothing is remembered: the symbols say how far a sender is, a rule of
the policy defers by them and by the score, and what was in fact deferred is remembered after the
reply.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milter.checks import origins
from milter.checks.base import NOTHING, STRANGERS, Evidence
from milter.core.transaction import Stage
from policies.findings import Finding
from reputation.errors import StoreError
from reputation.greylist import State, Try

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milter.core.transaction import Transaction
    from milter.dns.resolver import Resolver
    from milter.memory.recollection import Recollection
    from milter.message.document import Message

WAITS: Final = frozenset({State.NEW, State.EARLY})
SYMBOLS: Final = {state: f"GREYLIST_{state.name}" for state in State}
# Whoever bears one of these is never kept waiting.
_WELCOME: Final = frozenset({"KNOWN_CORRESPONDENT", "ANSWER_TO_OURS", "REPUTATION_GOOD"})

# A code that somebody waits for is worth nothing in ten minutes: digits, or letters among them.
_CODE: Final = re.compile(
    r"(?<![\w.-])(?:\d[ -]?){4,8}(?![\w.-])|(?<![\w-])(?=[A-Z]*\d)[A-Z0-9]{6,8}(?![\w-])"
)
_WORDS: Final = re.compile(
    r"\b(?:code|pin|otp|tan|token|passcode|password|verif\w*|confirm\w*|one[- ]time|2fa|log[- ]?in|"
    r"sign[- ]?in|best[aä]tig\w*|einmal\w*|anmeld\w*|sicherheits\w*|vérific\w*|conne[x]ion|"
    r"c[oó]digo|clave|verific\w*|codice|accesso|kod\w*|код\w*|парол\w*|підтвердж\w*|подтвержд\w*)\b"
    r"|验证码|驗證碼|校验码|動態密碼|認証|コード|인증|رمز|كود|קוד|कोड|รหัส",
    re.IGNORECASE,
)
_READ: Final = 2000


class GreylistCheck:
    """How far a sender is who has to come again.

    Args:
        memory: Where it is remembered.
    """

    name = "greylist"
    stage = Stage.MESSAGE
    directions = STRANGERS
    symbols = frozenset({*SYMBOLS.values(), "GREYLIST_TEMPERROR"})
    asks = False
    reads = frozenset({"spf", "dkim", "dmarc"})

    def __init__(self, memory: Recollection) -> None:
        self._memory = memory

    async def combine(
        self, txn: Transaction, message: Message, resolver: Resolver, known: Sequence[Evidence]
    ) -> Evidence:
        """Return one symbol; none for whoever is never kept waiting."""
        attempt = attempt_of(txn, known)
        if attempt is None or _is_welcome(message, known):
            return NOTHING
        memory, now = self._memory, self._memory.store.clock()
        try:
            state = await memory.store.ask(
                "present", lambda store: memory.greylist.state(store, attempt, now)
            )
        except StoreError as err:
            return Evidence((Finding("GREYLIST_TEMPERROR", err.what),))
        # Nobody would know that it was deferred, however often it came again.
        if state is State.NEW and (failed := memory.store.unwritable) is not None:
            return Evidence((Finding("GREYLIST_TEMPERROR", failed.what),))
        return Evidence((Finding(SYMBOLS[state], attempt.origin),))


def attempt_of(txn: Transaction, known: Sequence[Evidence]) -> Try | None:
    """Return what a second try will have in common with this one; None for clients of our own."""
    origin = origins.origin(txn, known)
    # A relay of ours always comes again, whoever gave it the mail.
    if txn.connection.account or txn.connection.relays or not origin:
        return None
    mail_from = txn.mail_from.plain if txn.mail_from else ""
    return Try(origin, mail_from, tuple(one.plain for one in txn.recipients))


def _is_welcome(message: Message, known: Sequence[Evidence]) -> bool:
    if any(finding.symbol in _WELCOME for piece in known for finding in piece.findings):
        return True
    # Anybody can write about codes; only who says who he is need not wait with one.
    return bool(origins.proven_author(message, known)) and is_short_lived(message)


def is_short_lived(message: Message) -> bool:
    """Whether the message brings a code that somebody waits for at this moment."""
    subject = message.subject[:_READ]
    if not _WORDS.search(subject):
        return False
    if _CODE.search(subject):
        return True
    return any(_CODE.search(part.text[:_READ]) for part in message.texts[:2])
