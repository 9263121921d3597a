"""Where an address is: the network (AS) that announces it, and its country, from local tables.

The country is that of the registration at a regional registry (iptocc, built in) unless the admin
names a better table; networks need a table of the admin's own, for none may be shipped. Tables are
MaxMind DB files, of which each process maps a copy of its own. Nobody is asked over a network.

A country of registration is not where a host stands, and not who sends: it is for figures and for
weak evidence.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import iptocc
from maxminddb import MODE_AUTO, InvalidDatabaseError, open_database

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from maxminddb import Reader

    from milter.core.connection import IpAddress
    from milter.settings.networks import Networks

# What one mail server is asked about again and again; a stranger cannot make it grow.
_KEPT: Final = 8192
_MAX_NAME: Final = 80


class Place(NamedTuple):
    """What is known of an address.

    Attributes:
        country: ISO 3166-1 alpha-2 in capitals; empty when not known.
        asn: Number of the network that announces it; 0 when not known.
        network: Name of that network; empty when not known.
    """

    country: str = ""
    asn: int = 0
    network: str = ""


NOWHERE: Final = Place()


class AtlasError(Exception):
    """A table cannot be used.

    Attributes:
        path: Of the file.
        what: What stands in the way.
    """

    def __init__(self, path: str, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path
        self.what = what


class Atlas:
    """Answers from the tables; for one thread.

    Args:
        networks: Table of networks; None: nothing is known of them.
        countries: Table that is asked before the built-in one; None: there is none.
    """

    def __init__(self, networks: Reader | None = None, countries: Reader | None = None) -> None:
        self._networks = networks
        self._countries = countries
        self._kept: dict[IpAddress, Place] = {}

    def place(self, address: IpAddress | None) -> Place:
        """Return what is known of `address`; never raises, whatever is in a table."""
        if address is None:
            return NOWHERE
        known = self._kept.get(address)
        if known is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            known = self._kept[address] = self._look(address)
        return known

    def close(self) -> None:
        """Let go of the tables."""
        for table in (self._networks, self._countries):
            if table is not None:
                table.close()

    def _look(self, address: IpAddress) -> Place:
        asn, network = _network(_record(self._networks, address))
        country = _country(_record(self._countries, address))
        return Place(country or iptocc.country_code(str(address)) or "", asn, network)


def open_atlas(tables: Networks) -> Atlas:
    """Return the atlas of the tables that the settings name.

    Raises:
        AtlasError: One cannot be opened.
    """
    networks = open_table(tables.asn_file) if tables.asn_file else None
    try:
        countries = open_table(tables.country_file) if tables.country_file else None
    except AtlasError:
        if networks is not None:
            networks.close()
        raise
    return Atlas(networks, countries)


def open_table(path: str) -> Reader:
    """Return the table in the file at `path`.

    Raises:
        AtlasError: It cannot be opened.
    """
    try:
        with _copy_of(path) as copy:
            return open_database(copy, MODE_AUTO)
    except OSError as err:
        raise AtlasError(path, err.strerror or str(err)) from err
    except (InvalidDatabaseError, ValueError) as err:
        raise AtlasError(path, "it is no MaxMind DB file (.mmdb)") from err


@contextmanager
def _copy_of(path: str) -> Iterator[str]:
    """Give the path of a copy in memory, which stays with who maps it.

    Who downloads a new table over the old one cuts it short first, and a look into a page that is
    mapped and gone ends the process with SIGBUS, and the mail in it.
    """
    fd = os.memfd_create("gatepost-table", os.MFD_CLOEXEC)
    with os.fdopen(fd, "wb") as copy, Path(path).open("rb") as file:
        shutil.copyfileobj(file, copy)
        copy.flush()
        yield f"/proc/self/fd/{fd}"


def _record(table: Reader | None, address: IpAddress) -> Mapping[str, Any]:
    if table is None:
        return {}
    try:
        found = table.get(address)
    except (InvalidDatabaseError, ValueError):
        # A damaged page, or IPv6 in a table of IPv4 alone.
        return {}
    return found if isinstance(found, dict) else {}


def _network(record: Mapping[str, Any]) -> tuple[int, str]:
    """Return number and name, as GeoLite2, DB-IP and IPinfo write them."""
    number = record.get("autonomous_system_number") or record.get("asn") or 0
    name = record.get("autonomous_system_organization") or record.get("as_name") or ""
    if isinstance(number, str):
        digits = number.upper().removeprefix("AS")
        number = int(digits) if digits.isascii() and digits.isdecimal() else 0
    whole = isinstance(number, int) and 0 < number < 2**32
    return (number if whole else 0), str(name)[:_MAX_NAME]


def _country(record: Mapping[str, Any]) -> str:
    found = record.get("country") or record.get("registered_country") or record.get("country_code")
    code = found.get("iso_code") if isinstance(found, dict) else found
    usual = isinstance(code, str) and len(code) == 2 and code.isascii() and code.isalpha()
    return str(code).upper() if usual else ""
