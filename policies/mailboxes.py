r"""Mailboxes as text, in the one spelling in which they are compared (RFC 5321 §4.1.2).

`ann@example.org`, `"ann"@example.org` and `"a\nn"@EXAMPLE.org.` reach the same person at the next
mail server. To a rule, an override or a memory they must be one name, or a sender picks the one
that nobody thought of.
"""

from __future__ import annotations

import re
from typing import Final

from policies.domains import domain_key

# What needs no quotes: atoms with single dots between them.
_DOT_STRING: Final = re.compile(r"[^\s\"(),.:;<>@\[\\\]]+(?:\.[^\s\"(),.:;<>@\[\\\]]+)*")
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
_MUST_BE_QUOTED: Final = re.compile(r"[\"\\]")


def plain_mailbox(text: str) -> str:
    """Return the mailbox `text` without needless quotes, its domain as `domain_key`.

    Letters of the local part keep their case. What is no mailbox comes back as it is.
    """
    local, at, domain = text.rpartition("@")
    if not at:
        return text
    if local.startswith('"') and local.endswith('"') and len(local) > 1:
        local = _unquoted(local)
    return f"{local}@{domain_key(domain)}"


def plain_address(text: str) -> str:
    """Return what somebody wrote for a mailbox or a domain in the spelling in which it is kept."""
    return plain_mailbox(text) if "@" in text else domain_key(text)


def _unquoted(local: str) -> str:
    content = _QUOTED_PAIR.sub(r"\1", local[1:-1])
    if _DOT_STRING.fullmatch(content):
        return content
    return '"' + _MUST_BE_QUOTED.sub(r"\\\g<0>", content) + '"'
