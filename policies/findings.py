"""The narrow waist: what checks say, and all that policies know of a message.

A `Finding` is a symbol with its evidence; it carries no weight, for weights live in policies alone.
`Facts` are named values that a person may read or an expression may use; `FACTS` lists every one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

FactValue = str | int | bool | list["FactValue"] | dict[str, "FactValue"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of evidence.

    Attributes:
        symbol: UPPER_SNAKE name, listed in `symbols.yaml` or declared by the policy.
        evidence: What was seen, for the admin: `127.0.0.2 from bl.example`. Never put in a reply.
        details: Values for the places in the symbol's words: `{"domain": "example.org"}`. They may
            reach the client, so they hold what the client knows already or may know.
    """

    symbol: str
    evidence: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FactSpec:
    """One row of the table of facts."""

    name: str
    type_name: str
    stage: str
    words: str
    example: FactValue


FACTS: Final = (
    FactSpec(
        "connection",
        "map",
        "connect",
        "The client: `ip`, `port`, `name` (forward-confirmed), `reverse_name` (unconfirmed), "
        "`protocol`, `local`",
        {"ip": "192.0.2.7", "port": 40122, "name": "mx.example.org"},
    ),
    FactSpec("helo", "str", "helo", "The name that the client gave", "mx.example.org"),
    FactSpec("tls", "map", "helo", "Encryption towards the client: `version`, `cipher`", {}),
    FactSpec("account", "str", "mail", "Login of an authenticated client", "alice"),
    FactSpec("direction", "str", "connect", "inbound, outbound or internal", "inbound"),
    FactSpec("listener", "str", "connect", "Name of the listener", "inbound"),
    FactSpec("mail_from", "str", "mail", "The reverse path; empty for `<>`", "a@example.org"),
    FactSpec("recipients", "list", "rcpt", "The accepted recipients", ["b@example.net"]),
    FactSpec("size_bytes", "int", "message", "Size of the message", 2048),
    FactSpec(
        "iprev", "map", "connect", "Forward-confirmed reverse DNS: `result`", {"result": "pass"}
    ),
    FactSpec("spf", "map", "mail", "SPF: `result`, `domain`, `identity`", {"result": "pass"}),
    FactSpec(
        "dkim", "list", "message", "DKIM: `result`, `domain`, `selector` of each signature", []
    ),
    FactSpec("subject", "str", "message", "The decoded Subject", "Hello"),
    FactSpec("author_domain", "str", "message", "Domain of the From header", "example.org"),
    FactSpec(
        "headers", "map", "message", "Counts of header fields by lower-case name", {"from": 1}
    ),
)
_NAMES: Final = frozenset(spec.name for spec in FACTS)


class Facts(Mapping[str, FactValue]):
    """Facts by name. What nobody found is absent here and shown as the empty value of its type."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, FactValue] | None = None) -> None:
        values = dict(values or {})
        unknown = values.keys() - _NAMES
        if unknown:
            raise ValueError(f"not in the table of facts: {', '.join(sorted(unknown))}")
        self._values = values

    def __getitem__(self, name: str) -> FactValue:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def merged(self, other: Mapping[str, FactValue]) -> Facts:
        """Return these facts and `other`; where both name one, `other` holds."""
        merged = Facts(other)
        merged._values = {**self._values, **merged._values}
        return merged
