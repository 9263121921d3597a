"""What a DNS list is asked: addresses, domains and hashes as names below its zone.

RFC 5782 §2.1 and §2.4 for addresses, RFC 5782 §3 for domains; hashes as SpamAssassin and rspamd ask
for them. Which subjects a message has is not decided here.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from milter.dns.names import canonical_name
from policies.ranges import plain_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from milter.core.connection import IpAddress
    from policies.dnslists import DnsList, HashForm

# RFC 1035 §2.3.4: a label holds at most 63 octets.
_LABEL: Final = 63
_ZBASE32: Final = "ybndrfg8ejkmcpqxot1uwisza345h769"
_BEHIND_PATH: Final = re.compile(r"[?#]")
_PORT: Final = re.compile(r":[0-9]*\Z")


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing that lists are asked about.

    Attributes:
        text: What is shown: an address, a domain, a mail address, a web address, a file.
        name: What stands before the zone; of a hash what is hashed.
        ipv6: Whether it is an IPv6 address.
        digests: Of a file, by algorithm: it is hashed once, not for each list.
    """

    text: str
    name: str
    ipv6: bool = False
    digests: Mapping[str, bytes] = field(default_factory=dict, compare=False)


def of_address(ip: IpAddress) -> Subject:
    """Return `ip` as a subject, a mapped address as what it maps.

    >>> from ipaddress import IPv4Address
    >>> of_address(IPv4Address("192.0.2.99")).name
    '99.2.0.192'
    """
    plain = plain_address(ip)
    reverse, _, _ = plain.reverse_pointer.rsplit(".", 2)
    return Subject(str(plain), reverse, plain.version == 6)


def of_domain(domain: str) -> Subject | None:
    """Return `domain` as a subject; None where it is no name with at least two labels.

    An address in brackets or dots is no domain: lists of domains answer such questions with an
    error, and some count who asks them.
    """
    name = canonical_name(domain)
    if name is None or "." not in name or name.rpartition(".")[2].isdecimal() or "[" in name:
        return None
    return Subject(name, name)


def of_text(text: str) -> Subject:
    """Return a mail address or a web address, to be hashed, as a subject."""
    return Subject(text, text)


def query_name(dns_list: DnsList, subject: Subject) -> str | None:
    """Return the name that `dns_list` is asked about `subject`, its key in it; None: too long."""
    form = dns_list.hashed
    if form is None:
        before = subject.name
    elif subject.digests:
        before = _written(subject.digests[form.algorithm], form)
    else:
        before = hashed_name(subject.name, form)
    return canonical_name(f"{before}.{dns_list.query_zone}")


def hashed_name(text: str, form: HashForm) -> str:
    """Return `text`, a mail address, a web address or a domain, hashed as a list wants it.

    SpamAssassin takes a web address whole and in lower case, rspamd host and path as they stand.

    >>> hashed_name("https://User@Example.org:8080/a?b#c", HashForm("md5", of="host_path"))
    'c1f62ee44f25bb638a8cf4280d360872'
    """
    if form.of == "host_path" and "://" in text:
        text = _host_and_path(text)
    if form.at != "@" and "://" not in text:
        text = form.at.join(text.rsplit("@", 1))
    if not form.keeps_case:
        text = text.lower()
    return _written(digest_of(text.encode("utf-8", "replace"), form.algorithm), form)


def digest_of(data: bytes, algorithm: str) -> bytes:
    """Return the digest of `data`; `algorithm` as in `HashForm`."""
    known = "blake2b" if algorithm == "blake2" else algorithm
    return hashlib.new(known, data, usedforsecurity=False).digest()


def _host_and_path(url: str) -> str:
    rest = _BEHIND_PATH.split(url.partition("://")[2], maxsplit=1)[0]
    authority, slash, path = rest.partition("/")
    host = _PORT.sub("", authority.rpartition("@")[2])
    return f"{host.lower()}{slash}{path}"


def _written(digest: bytes, form: HashForm) -> str:
    """Return `digest` as a label."""
    written = _WRITE[form.encoding](digest).lower()
    return written[: form.length or _LABEL]


def _base32(digest: bytes) -> str:
    return base64.b32encode(digest).decode("ascii").rstrip("=")


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")


def _zbase32(digest: bytes) -> str:
    """Return `digest` as rspamd writes base32: z-base-32, its bits taken from the low end."""
    number = int.from_bytes(digest, "little")
    return "".join([_ZBASE32[number >> at & 31] for at in range(0, 8 * len(digest), 5)])


# RFC 4648 §6 for base32, its padding left out.
_WRITE: Final[Mapping[str, Callable[[bytes], str]]] = {
    "hex": bytes.hex,
    "base32": _base32,
    "base64": _base64,
    "zbase32": _zbase32,
}
