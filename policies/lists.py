"""Local lists: addresses and networks, domains, mail addresses and hashes that a site keeps itself.

A list may hold a million entries, so networks are kept as two rows of plain numbers and found by
bisection, domains in one set that is asked for each parent of a name. Lists never change: one that
was read anew takes the place of the old one. This module reads no file (`loader` does).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from policies.domains import domain_key
from policies.errors import ConfigError, ConfigErrors
from policies.mailboxes import plain_mailbox
from policies.positions import short
from policies.ranges import AddressRanges, IpAddress, parse_ip

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_ENTRIES: Final = 5_000_000
_MAX_MISTAKES: Final = 50
# MD5, SHA-1, SHA-256, SHA-512 in hexadecimal.
_HASH: Final = re.compile(
    r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128})", re.IGNORECASE
)
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})+|\.{_LABEL}(?:\.{_LABEL})*")
_MAX_NAME: Final = 253
_MAX_LOCAL_PART: Final = 256


class Kind(StrEnum):
    """What an entry of a list is."""

    NETWORK = "network"
    DOMAIN = "domain"
    MAILBOX = "mailbox"
    HASH = "hash"


@dataclass(frozen=True, slots=True)
class LocalList:
    """One list, ready to be asked.

    Attributes:
        networks: Addresses and networks of both families.
        domains: Domains; each stands for itself and all below it.
        mailboxes: Mail addresses, `local@domain` in lower case.
        hashes: In lower-case hexadecimal.
    """

    networks: AddressRanges = field(default_factory=AddressRanges)
    domains: frozenset[str] = frozenset()
    mailboxes: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()

    def __len__(self) -> int:
        """Return how many entries there are; networks that touch count as one."""
        sets = (self.domains, self.mailboxes, self.hashes)
        return len(self.networks) + sum(len(each) for each in sets)

    def has(self, text: str) -> bool:
        """Return whether `text` is in the list, by its form; no value is in no list.

        A mail address is in it by itself or by its domain.
        """
        if not text:
            return False
        if "@" in text:
            return self.has_mailbox(text)
        address = parse_ip(text)
        if address is not None:
            return self.has_address(address)
        return self.has_domain(text) or self.has_hash(text)

    def has_address(self, address: IpAddress) -> bool:
        """Return whether `address` lies in one of the networks, a mapped one by what it maps."""
        return address in self.networks

    def has_domain(self, name: str) -> bool:
        """Return whether `name` or a domain above it is in the list."""
        if not self.domains or len(name) > _MAX_NAME:
            return False
        key = domain_key(name)
        while key:
            if key in self.domains:
                return True
            _, _, key = key.partition(".")
        return False

    def has_mailbox(self, text: str) -> bool:
        """Return whether the mail address `text` or its domain is in the list."""
        if len(text) > _MAX_LOCAL_PART + _MAX_NAME:
            return False
        key = plain_mailbox(text).lower()
        return key in self.mailboxes or self.has_domain(key.rpartition("@")[2])

    def has_hash(self, text: str) -> bool:
        """Return whether the hash `text`, in hexadecimal, is in the list."""
        return text.lower() in self.hashes


@dataclass(slots=True)
class ListBuilder:
    """Gathers the entries of one list."""

    _networks: list[tuple[IpAddress, IpAddress]] = field(default_factory=list)
    _domains: set[str] = field(default_factory=set)
    _mailboxes: set[str] = field(default_factory=set)
    _hashes: set[str] = field(default_factory=set)
    _count: int = 0

    def add(self, text: str, kind: Kind | None = None) -> None:
        """Take one entry; without `kind`, what it is shows in its form.

        Raises:
            ValueError: It is none, or there are too many; the text says what to write.
        """
        if self._count >= MAX_ENTRIES:
            raise ValueError(f"a list holds at most {MAX_ENTRIES:,} entries")
        match kind or kind_of(text):
            case Kind.NETWORK:
                self._networks.append(_network(text))
            case Kind.DOMAIN:
                self._domains.add(_domain(text))
            case Kind.MAILBOX:
                self._mailboxes.add(_mailbox(text))
            case Kind.HASH:
                self._hashes.add(_hash(text))
        self._count += 1

    def add_file(self, data: bytes, path: str) -> None:
        """Take the entries of a file: one a line, `#` begins a comment.

        Args:
            data: What stands in it.
            path: Its name in mistakes.

        Raises:
            ConfigErrors: Lines that are no entries, the first fifty of them.
        """
        mistakes: list[ConfigError] = []
        for number, line in enumerate(_lines(data, path), 1):
            entry = line.partition("#")[0].strip()
            if not entry:
                continue
            try:
                self.add(entry)
            except ValueError as err:
                column = len(line) - len(line.lstrip()) + 1
                mistakes.append(ConfigError(path, number, column, str(err)))
                if len(mistakes) >= _MAX_MISTAKES or self._count >= MAX_ENTRIES:
                    break
        if mistakes:
            raise ConfigErrors(mistakes)

    def build(self) -> LocalList:
        """Return the list."""
        return LocalList(
            AddressRanges.of(self._networks),
            frozenset(self._domains),
            frozenset(self._mailboxes),
            frozenset(self._hashes),
        )


def read_list(data: bytes, path: str) -> LocalList:
    """Return the list in a file: an entry a line, what each is shows in its form.

    Raises:
        ConfigErrors: Lines that are no entries, at their line and column.
    """
    builder = ListBuilder()
    builder.add_file(data, path)
    return builder.build()


def kind_of(text: str) -> Kind:
    """Return what an entry is by its form; what has no form of its own is taken for a domain."""
    if "@" in text:
        return Kind.MAILBOX
    # No top-level domain is a number (RFC 3696 §2), so what ends in one is an address.
    if ":" in text or "/" in text or text.rpartition(".")[2].isdecimal():
        return Kind.NETWORK
    return Kind.HASH if _HASH.fullmatch(text) else Kind.DOMAIN


def _lines(data: bytes, path: str) -> Iterable[str]:
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        what = "not UTF-8: save the file as UTF-8"
        raise ConfigErrors([ConfigError(path, line, 1, what)]) from err
    return text.split("\n")


def _network(text: str) -> tuple[IpAddress, IpAddress]:
    first, slash, length = text.partition("/")
    address = parse_ip(first)
    if address is None or (slash and not _is_length(length, address)):
        what = f"`{short(text)}` is no address or network such as 192.0.2.0/24 or 2001:db8::/32"
        raise ValueError(what)
    if not slash:
        return address, address
    # `ip_network` says the same and takes five times as long, which a million lines let one feel.
    inside = (1 << (address.max_prefixlen - int(length))) - 1
    if int(address) & inside:
        whole = ip_network(text, strict=False)
        raise ValueError(f"`{short(text)}` begins inside its network: write {whole}")
    return address, type(address)(int(address) | inside)


def _is_length(text: str, address: IpAddress) -> bool:
    return (
        text.isascii()
        and text.isdecimal()
        and len(text) <= 3
        and (int(text) <= address.max_prefixlen)
    )


def _domain(text: str) -> str:
    if text.startswith("*."):
        raise ValueError(
            f"`{short(text)}`: write {short(text[2:])}, which stands for all below it too"
        )
    key = domain_key(text)
    if len(key) > _MAX_NAME or _DOMAIN.fullmatch(key) is None:
        raise ValueError(
            f"`{short(text)}` is no domain such as example.org; a top-level one is written .example"
        )
    return key.removeprefix(".")


def _mailbox(text: str) -> str:
    local_part, _, domain = text.rpartition("@")
    if not 0 < len(local_part) <= _MAX_LOCAL_PART or not local_part.isprintable():
        raise ValueError(f"`{short(text)}` is no mail address such as name@example.org")
    return plain_mailbox(f"{local_part}@{_domain(domain)}").lower()


def _hash(text: str) -> str:
    if _HASH.fullmatch(text) is None:
        raise ValueError(f"`{short(text)}` is no hash of 32, 40, 64 or 128 hexadecimal digits")
    return text.lower()
