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
    from reputation.history.record import Record, Share

# Linear: each repetition stops at the one character that the next part begins with.
_ADDRESS: Final = re.compile(r"[^\s<>@\",;:()]{1,256}@([^\s<>@\",;:()]{1,255})")
# What these tell comes from the message itself, and may say anything.
_QUOTING: Final = frozenset({"subject", "urls", "attachments"})
# What the evidence of these symbols tells are names of hosts and results.
_TELLING: Final = ("SPF_", "DKIM_", "DMARC_", "ARC_", "IPREV_", "DNS_LIST_")


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
        return replace(
            record,
            client=self._with_account(record.client),
            mail_from=self.address(record.mail_from),
            recipients=[self.address(each) for each in record.recipients],
            author=self.address(record.author),
            subject="",
            reason=self._text(record.reason),
            reply=self._text(record.reply),
            shares=[self._share(each) for each in record.shares],
            found=[self._found(each) for each in record.found],
            ruled=[self._found(each) for each in record.ruled],
            facts=self._with_account(facts),
            trace=[self._text(each) for each in record.trace],
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
        tells = "zone" in found.details or found.symbol.startswith(_TELLING)
        evidence = self._text(found.evidence) if tells else ""
        return Found(found.symbol, evidence, self._value(found.details))

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


@lru_cache(maxsize=4)
def hider(secret: bytes) -> Hider:
    """Return the one that hides by `secret`."""
    return Hider(secret)
