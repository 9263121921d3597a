"""Records without what tells who wrote to whom: for sites that may not keep it.

Of each address the part before the `@` becomes a keyed hash; the same address is the same word each
time, so that mail can still be found by an address that one knows, and overrides by domain still
apply when it is judged again. What quotes the message (subject, excerpts, file names, links) is
left out.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from reputation.history.record import Found

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reputation.history.record import Record, Share

# Linear: each repetition stops at the one character that the next part begins with, and is bounded.
_ADDRESS: Final = re.compile(
    r"(?:\"(?:[^\"\\]|\\.){0,256}\"|[^\s<>@\",;:()]{1,256})@[^\s<>@\",;:()]{1,255}", re.DOTALL
)
# What these tell comes from the message itself, and may say anything.
_QUOTING: Final = frozenset({"subject", "urls", "attachments"})
# What the evidence of these symbols tells are names of hosts and results.
_TELLING: Final = ("SPF_", "DKIM_", "DMARC_", "ARC_", "IPREV_", "DNS_LIST_")
# Details of all others that quote the message; sentences have the first letters of them.
_QUOTED_DETAILS: Final = frozenset({"file", "host", "name"})
_IN_SENTENCES: Final = 120
_NOTHING: Final = re.compile(r"(?!)")
_LEFT_OUT: Final = "…"


class Hider:
    """Hides addresses by one secret.

    Args:
        secret: Without it nobody can try out which address a hash stands for.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def address(self, address: str) -> str:
        """Return `address` with a hash in place of its local part; empty stays empty."""
        if not address:
            return ""
        key = address.lower().encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(key, key=self._secret, digest_size=8).hexdigest()
        _, at, domain = address.lower().rpartition("@")
        return f"#{digest}{at}{domain if at else ''}"

    def hide(self, record: Record) -> Record:
        """Return `record` without addresses and without what quotes the message."""
        facts = {k: v for k, v in record.facts.items() if k not in _QUOTING}
        withheld = sorted(record.facts.keys() & _QUOTING)
        quoted = _quoted([*record.found, *record.ruled])
        return replace(
            record,
            client=self._with_account(record.client),
            mail_from=self.address(record.mail_from),
            recipients=[self.address(each) for each in record.recipients],
            author=self.address(record.author),
            subject="",
            reason=self._text(quoted.sub(_LEFT_OUT, record.reason)),
            reply=self._text(quoted.sub(_LEFT_OUT, record.reply)),
            shares=[self._share(each) for each in record.shares],
            redirected={
                self.address(to): [self.address(each) for each in some]
                for to, some in record.redirected.items()
            },
            served=[self.address(each) for each in record.served],
            found=[self._found(each) for each in record.found],
            ruled=[self._found(each) for each in record.ruled],
            facts=self._with_account(facts),
            trace=[self._text(quoted.sub(_LEFT_OUT, each)) for each in record.trace],
            cut=[*record.cut, *withheld],
            private=True,
        )

    def _with_account(self, values: dict[str, Any]) -> dict[str, Any]:
        """Hide all of `values`, and the login of a user, which need not be an address."""
        account = str(values.get("account") or "")
        hidden: dict[str, Any] = self._value({**values, "account": ""} if account else values)
        return hidden | {"account": self.address(account)} if account else hidden

    def _share(self, share: Share) -> Share:
        return share._replace(recipients=[self.address(each) for each in share.recipients])

    def _found(self, found: Found) -> Found:
        if _tells(found):
            return Found(found.symbol, self._text(found.evidence), self._value(found.details))
        details = {k: v for k, v in found.details.items() if k not in _QUOTED_DETAILS}
        return Found(found.symbol, "", self._value(details))

    def _text(self, text: str) -> str:
        return _ADDRESS.sub(lambda match: self.address(match.group()), text)

    def _value(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, dict):
            return {key: self._value(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._value(each) for each in value]
        return value


def _tells(found: Found) -> bool:
    return "zone" in found.details or found.symbol.startswith(_TELLING)


def _quoted(found: Iterable[Found]) -> re.Pattern[str]:
    """Return a pattern of what sentences quote from the message through details."""
    values = {
        str(one.details[name])[:_IN_SENTENCES]
        for one in found
        if not _tells(one)
        for name in _QUOTED_DETAILS & one.details.keys()
    }
    # As sentences have them: nothing breaks a line.
    shown = {"".join(c if c.isprintable() and c not in "{}" else "?" for c in v) for v in values}
    longest_first = sorted(shown - {""}, key=len, reverse=True)
    if not longest_first:
        return _NOTHING
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")


@lru_cache(maxsize=4)
def hider(secret: bytes) -> Hider:
    """Return the one that hides by `secret`."""
    return Hider(secret)
