"""A resolver that answers from a zone: for the samples, `scan --dns`, policy tests and our own.

The zone is a mapping, in a YAML file under the key `names`:

    names:
      example.org: {A: [192.0.2.1], TXT: ["v=spf1 -all"], MX: [[10, mx.example.org]], TTL: 60}
      www.example.org: {CNAME: [example.org]}
      192.0.2.1: {PTR: [mx.example.org]}
      "*.wild.example": {A: [192.0.2.2]}
      broken.example: servfail
      half.example: {A: [192.0.2.3], TXT: timeout}
      old.example: {A: [192.0.2.4], STALE: true}

An address as a name stands for its reverse name. A word instead of records is how the question
ends: nxdomain, nodata, servfail, refused, timeout, or `silence`, which never ends until the asker
gives up. STALE marks answers as a cache marks those whose life is over. A text of more than 255
octets is cut into strings; a list inside the list of TXT gives the strings of one record. Aliases
are followed, wildcards hold as in RFC 4592 §3.3.1. A name that the zone does not have is NXDOMAIN,
a name without the type NODATA. No network, no clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, get_args

from milter.core.address import domain_key
from milter.core.errors import ParseError
from milter.dns.names import canonical_name
from milter.dns.resolver import Answer, Outcome, Rdata, Rrtype
from policies.errors import ConfigErrors
from policies.loader import load_document

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policies.errors import ConfigError
    from policies.loader import Source
    from policies.positions import Positions

_TYPES: Final = frozenset(get_args(Rrtype))
_SILENCE: Final = "silence"
# What stands beside the types of a name and is about all its answers.
_ABOUT: Final = frozenset({"TTL", "STALE"})
_ENDS: Final = {outcome.value: outcome for outcome in Outcome if outcome is not Outcome.ANSWER}
_DEFAULT_TTL_S: Final = 300
# What real resolvers allow; longer chains and loops are a failure of the zone.
_MAX_ALIASES: Final = 8
MOST_REMEMBERED: Final = 1000


@dataclass(frozen=True, slots=True)
class _Node:
    """What the zone has at one name: answers by type, or one to everything; None is silence."""

    answers: Mapping[str, Answer | None]
    everything: bool = False
    otherwise: Answer | None = None


class FakeResolver:
    """Answers from a zone, and remembers what it was asked.

    Attributes:
        asked: The first thousand questions in order: the name in lower case without a final dot,
            and the type. More are not kept, for a daemon may run on a zone file for weeks.

    Args:
        names: The mapping under `names` of the zone file, described in the module's docstring.

    Raises:
        ParseError: The zone says something that it cannot mean.
    """

    def __init__(self, names: Mapping[str, object]) -> None:
        self.asked: list[tuple[str, str]] = []
        self._nodes = {_owner(str(name)): _node(str(name), value) for name, value in names.items()}
        self._parents = {
            name.split(".", depth)[depth]
            for name in self._nodes
            for depth in range(1, name.count(".") + 1)
        }

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        """Return what the zone has; see `Resolver`."""
        if len(self.asked) < MOST_REMEMBERED:
            self.asked.append((domain_key(name), rrtype))
        canonical = canonical_name(name)
        for _ in range(_MAX_ALIASES):
            if canonical is None:
                return Answer(Outcome.NXDOMAIN, ttl_s=_DEFAULT_TTL_S)
            answer, alias = self._look_up(canonical, rrtype)
            if answer is None:
                await asyncio.get_running_loop().create_future()
                raise AssertionError("silence does not end")
            if alias is None:
                return answer
            canonical = canonical_name(alias)
        return Answer(Outcome.SERVFAIL)

    def _look_up(self, name: str, rrtype: str) -> tuple[Answer | None, str | None]:
        """Return the answer at `name`, and the alias to follow instead of it, if there is one."""
        node = self._find(name)
        if node is None:
            exists = name in self._parents
            return Answer(
                Outcome.NODATA if exists else Outcome.NXDOMAIN, ttl_s=_DEFAULT_TTL_S
            ), None
        if node.everything:
            return node.otherwise, None
        if rrtype in node.answers:
            return node.answers[rrtype], None
        alias = node.answers.get("CNAME")
        if alias is not None and alias.records:
            return alias, str(alias.records[0])
        return Answer(Outcome.NODATA, ttl_s=_DEFAULT_TTL_S), None

    def _find(self, name: str) -> _Node | None:
        if name in self._nodes:
            return self._nodes[name]
        # RFC 4592 §3.3.1: only the wildcard right below the closest name that exists is asked.
        while name not in self._parents and "." in name:
            name = name.split(".", 1)[1]
            if (node := self._nodes.get(f"*.{name}")) is not None:
                return node
            if name in self._nodes:
                break
        return None


def read_zone(source: Source, path: str) -> FakeResolver:
    """Return the resolver for the zone file at `path`.

    Raises:
        ConfigErrors: The file cannot be read, or says something that a zone cannot mean.
    """
    document, positions = load_document(source, path)
    names = document.get("names") if isinstance(document, dict) else None
    if not isinstance(names, dict):
        what = "a zone needs `names:` with a mapping of names to records"
        raise ConfigErrors([positions.error(("names",), what)])
    if mistakes := [*_mistakes(names, positions)]:
        raise ConfigErrors(mistakes)
    return FakeResolver(names)


def _mistakes(names: Mapping[str, object], positions: Positions) -> Iterator[ConfigError]:
    for name, value in names.items():
        try:
            _owner(name)
            _node(name, value)
        except ParseError as err:
            yield positions.key_error(("names", name), err.what)


def _owner(name: str) -> str:
    try:
        return ip_address(name).reverse_pointer
    except ValueError:
        pass
    canonical = canonical_name(name)
    if canonical is None:
        raise ParseError(f"{name!r} cannot be a domain name")
    return canonical


def _node(name: str, value: object) -> _Node:
    if isinstance(value, str):
        return _Node({}, everything=True, otherwise=_end(name, value))
    if not isinstance(value, Mapping):
        raise ParseError(f"{name!r} needs records by type, or one of {_words()}")
    ttl_s = value.get("TTL", _DEFAULT_TTL_S)
    if not isinstance(ttl_s, int) or ttl_s < 0:
        raise ParseError(f"{name!r}: TTL is a whole number of seconds")
    stale = value.get("STALE", False)
    if not isinstance(stale, bool):
        raise ParseError(f"{name!r}: STALE is true or false")
    records = {str(rrtype): item for rrtype, item in value.items() if rrtype not in _ABOUT}
    return _Node({t: _answer(name, t, v, (ttl_s, stale)) for t, v in records.items()})


def _answer(name: str, rrtype: str, value: object, about: tuple[int, bool]) -> Answer | None:
    ttl_s, stale = about
    if rrtype not in _TYPES:
        raise ParseError(f"{name!r}: {rrtype!r} is none of {', '.join(sorted(_TYPES))}")
    if isinstance(value, str) and (value == _SILENCE or value in _ENDS):
        return _end(name, value)
    values = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    records = tuple(_record(name, rrtype, item) for item in values)
    if not records:
        return Answer(Outcome.NODATA, ttl_s=ttl_s, stale=stale)
    return Answer(Outcome.ANSWER, records, ttl_s, stale)


def _end(name: str, word: str) -> Answer | None:
    if word == _SILENCE:
        return None
    if word not in _ENDS:
        raise ParseError(f"{name!r}: {word!r} is none of {_words()}")
    outcome = _ENDS[word]
    return Answer(outcome, ttl_s=0 if outcome.temporary else _DEFAULT_TTL_S)


def _words() -> str:
    return ", ".join([*_ENDS, _SILENCE])


def _record(name: str, rrtype: str, value: object) -> Rdata:
    if rrtype == "TXT":
        return _strings(value)
    if rrtype == "MX":
        match value:
            case [int(preference), str(exchange)]:
                return preference, exchange.rstrip(".")
        raise ParseError(f"{name!r}: an MX is [preference, name], not {value!r}")
    if rrtype in ("A", "AAAA"):
        return _address(name, rrtype, value)
    return str(value).rstrip(".")


def _address(name: str, rrtype: str, value: object) -> str:
    try:
        address = ip_address(str(value))
    except ValueError:
        address = None
    if address is None or (address.version == 4) != (rrtype == "A"):
        raise ParseError(f"{name!r}: {value!r} is no {rrtype} record")
    return str(address)


def _strings(value: object) -> tuple[bytes, ...]:
    if isinstance(value, (list, tuple)):
        return tuple(item if isinstance(item, bytes) else str(item).encode() for item in value)
    data = value if isinstance(value, bytes) else str(value).encode()
    # RFC 1035 §3.3: a character-string holds at most 255 octets.
    return tuple(data[i : i + 255] for i in range(0, len(data), 255)) or (b"",)
