"""Replies as a policy writes them, and the places in them.

`{txn_id}` is filled by the door, which alone knows it; `{spf_explanation}` here, from the fact spf.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from policies.verdict import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.facts import FactValue

TXN_ID: Final = "{txn_id}"
SPF_EXPLANATION: Final = "{spf_explanation}"
# The whole text, so that the id fits behind it into a reply line (RFC 5321 §4.5.3.1.5).
_MAX_TEXT: Final = 420
_MAX_DOMAIN: Final = 100
_PLACES: Final = re.compile(r" ?\(?\{(?:txn_id|spf_explanation)\}\)?")
# A brace would pose as a place of ours.
_UNSAFE: Final = re.compile(r"[^ -z|~]")


def parse_reply(text: str) -> Refusal:
    """Return a reply of the form `451 4.7.1 text`, which the schema has checked."""
    code, enhanced, words = text.split(" ", 2)
    return Refusal(int(code), enhanced, words)


def sentence(reply: str) -> str:
    """Return the text of a reply as a sentence, without codes and places."""
    return _PLACES.sub("", parse_reply(reply).text).strip(" :;,")


def explains(refusal: Refusal | None) -> bool:
    """Return whether `refusal` has a place for what the sender's domain says of its SPF fail."""
    return refusal is not None and SPF_EXPLANATION in refusal.text


def explained(refusal: Refusal, facts: Mapping[str, FactValue]) -> Refusal:
    """Return `refusal` with that place filled.

    The words are those of a stranger, so the reply says whose they are, and what could end the line
    or pose as a place of ours is not in them (RFC 7208 §6.2, §11.5.3).
    """
    if not explains(refusal):
        return refusal
    head, _, tail = refusal.text.partition(SPF_EXPLANATION)
    words = _words(facts.get("spf"))
    room = max(0, _MAX_TEXT - len(head) - len(tail))
    return replace(refusal, text=f"{head}{words[:room]}{tail}".replace(SPF_EXPLANATION, ""))


def _words(spf: FactValue | None) -> str:
    known = spf if isinstance(spf, dict) else {}
    domain = _UNSAFE.sub("?", str(known.get("domain", "")))[:_MAX_DOMAIN] or "the domain"
    said = _UNSAFE.sub("?", str(known.get("explanation", "")))
    return f"{domain} explains: {said}" if said else f"{domain} gives no explanation"
