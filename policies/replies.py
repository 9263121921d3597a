"""Replies as a policy writes them, and the places in them.

`{txn_id}` is filled by the door, which alone knows it; the others here, from facts: by
`{spf_explanation}` a domain says why SPF fails, `{wait}` is when a rate has room again.
"""

from __future__ import annotations

import re
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, Final

from policies.verdict import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policies.facts import FactValue

TXN_ID: Final = "{txn_id}"
SPF_EXPLANATION: Final = "{spf_explanation}"
WAIT: Final = "{wait}"
# What a policy may write behind the codes.
REPLY_TEXT: Final = r"(?:[ -z|~]|\{(?:txn_id|spf_explanation|wait)\}){1,400}"
REPLY_RULES: Final = "in ASCII, with no braces but {txn_id}, {wait} and {spf_explanation}"
# The fact that fills each place.
_FACTS: Final = {SPF_EXPLANATION: "spf", WAIT: "rate"}
# The whole text, so that the id fits behind it into a reply line (RFC 5321 §4.5.3.1.5).
_MAX_TEXT: Final = 420
_MAX_DOMAIN: Final = 100
_PLACES: Final = re.compile(r" ?\(?\{(?:txn_id|spf_explanation|wait)\}\)?")
# Of a unit there are more than one: 90 seconds are more exact than 2 minutes.
_UNITS: Final = (("hour", 3600), ("minute", 60), ("second", 1))
# A brace would pose as a place of ours.
_UNSAFE: Final = re.compile(r"[^ -z|~]")


def parse_reply(text: str) -> Refusal:
    """Return a reply of the form `451 4.7.1 text`, which the schema has checked."""
    code, enhanced, words = text.split(" ", 2)
    return Refusal(int(code), enhanced, words)


def sentence(reply: str) -> str:
    """Return the text of a reply as a sentence, without codes and places."""
    return _PLACES.sub("", parse_reply(reply).text).strip(" :;,")


def facts_told(refusal: Refusal | None) -> frozenset[str]:
    """Return the facts that fill places of `refusal`."""
    text = refusal.text if refusal is not None else ""
    return frozenset(fact for place, fact in _FACTS.items() if place in text)


def filled(refusal: Refusal, facts: Mapping[str, FactValue]) -> Refusal:
    """Return `refusal` with the places filled that facts fill.

    What a domain says are the words of a stranger, so the reply says whose they are, and what could
    end the line or pose as a place of ours is not in them (RFC 7208 §6.2, §11.5.3).
    """
    text = refusal.text
    if WAIT in text:
        text = text.replace(WAIT, _wait(facts.get("rate")))
    if SPF_EXPLANATION in text:
        head, _, tail = text.partition(SPF_EXPLANATION)
        words = _words(facts.get("spf"))
        room = max(0, _MAX_TEXT - len(head) - len(tail))
        text = f"{head}{words[:room]}{tail}".replace(SPF_EXPLANATION, "")
    return refusal if text == refusal.text else replace(refusal, text=text)


def _wait(rate: FactValue | None) -> str:
    """Return when there is room again, rounded up: who comes earlier comes in vain."""
    wait_s = rate.get("wait_s") if isinstance(rate, dict) else 0
    if not isinstance(wait_s, int | float) or wait_s <= 0:
        return "later"
    for unit, seconds in _UNITS:
        if wait_s > 2 * seconds or unit == "second":
            count = ceil(wait_s / seconds)
            return f"in {count} {unit}{'s' if count > 1 else ''}"
    return "later"


def _words(spf: FactValue | None) -> str:
    known = spf if isinstance(spf, dict) else {}
    domain = _UNSAFE.sub("?", str(known.get("domain", "")))[:_MAX_DOMAIN] or "the domain"
    said = _UNSAFE.sub("?", str(known.get("explanation", "")))
    return f"{domain} explains: {said}" if said else f"{domain} gives no explanation"
