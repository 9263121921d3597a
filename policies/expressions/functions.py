"""What expressions can ask beyond CEL: networks, domains, lists, likeness, counts.

Each is bounded whatever it is given, and answers what it cannot read with "no": the client chose
the text that it looks at.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

from cel_expr_python import cel

from policies.domains import domain_key
from policies.ranges import parse_ip, plain_address

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Network, IPv6Network

    from policies.lists import LocalList

SIMILAR_CHARACTERS: Final = 64
# Name of each function, with its parameters in words: for whoever gives it others.
SIGNATURES: Final[Mapping[str, str]] = {
    "in_network": 'in_network(connection.ip, "192.0.2.0/24")',
    "under_domain": 'under_domain(author_domain, "example.org")',
    "in_list": 'in_list(author_domain, "partners")',
    "similar": 'similar(author_domain, "example.org") > 0.8',
    "count": 'count(headers, "from")',
}


def declarations(lists: Mapping[str, LocalList]) -> list[Any]:
    """Return the functions as the library takes them; `lists` are those that `in_list` knows."""
    kinds = cel.Type

    def in_list(text: str, name: str) -> bool:
        return name in lists and lists[name].has(text)

    text, number, flag = kinds.STRING, kinds.DOUBLE, kinds.BOOL
    counts = kinds.Map(text, kinds.INT)
    rows = (
        ("in_network", flag, [text, text], in_network),
        ("under_domain", flag, [text, text], under_domain),
        ("in_list", flag, [text, text], in_list),
        ("similar", number, [text, text], similar),
        ("count", kinds.INT, [counts, text], count),
    )
    return [
        cel.FunctionDecl(name, [cel.Overload(f"gatepost_{name}", returned, taken, False, act)])
        for name, returned, taken, act in rows
    ]


@lru_cache(maxsize=1024)
def parse_network(text: str) -> IPv4Network | IPv6Network:
    """Return the network that `text` names.

    Raises:
        ValueError: It is none, or has bits behind its prefix.
    """
    return ip_network(text)


def in_network(address: str, network: str) -> bool:
    """Return whether `address` lies in `network`; an IPv4 address mapped into IPv6 counts as it."""
    ip = parse_ip(address)
    return ip is not None and plain_address(ip) in parse_network(network)


def under_domain(name: str, domain: str) -> bool:
    """Return whether `name` is `domain` or lies below it; both must be given."""
    below, above = domain_key(name), domain_key(domain)
    return bool(above) and (below == above or below.endswith(f".{above}"))


def count(counts: Mapping[str, int], name: str) -> int:
    """Return how often `name` stands, in any case of letters; 0 where it does not."""
    return counts.get(name.lower(), 0)


def similar(one: str, other: str) -> float:
    """Return how alike two texts are: 1 for equal ones, 0 where either is empty.

    Letters of either case are the same; 64 characters of each are compared.
    """
    first = one.casefold()[:SIMILAR_CHARACTERS]
    second = other.casefold()[:SIMILAR_CHARACTERS]
    if not first or not second:
        return 0.0
    return 1.0 - edits(first, second) / max(len(first), len(second))


def edits(one: str, other: str) -> int:
    """Return how many characters must be put in, taken out or changed to get `other` from `one`.

    All of a column of the table is worked out at once in the bits of a number (Myers 1999, Hyyrö
    2003), so that the work is that of one loop over `other`.
    """
    if not one:
        return len(other)
    every = (1 << len(one)) - 1
    last = 1 << (len(one) - 1)
    places: dict[str, int] = {}
    for index, character in enumerate(one):
        places[character] = places.get(character, 0) | 1 << index
    distance, more, less = len(one), every, 0
    for character in other:
        equal = places.get(character, 0)
        across = equal | less
        down = (((equal & more) + more) ^ more) | equal
        up = less | (~(down | more) & every)
        falls = more & down
        distance += bool(up & last) - bool(falls & last)
        up = (up << 1 | 1) & every
        less = up & across
        more = ((falls << 1) | (~(across | up) & every)) & every
    return distance
