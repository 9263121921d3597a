"""Networks (AS) and countries of clients as subjects of reputation, from real tables."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from milter.app.memory import places_of
from milter.atlas import open_atlas
from milter.settings.networks import Networks
from reputation.subjects import Kind, Subject
from tests.support.mmdb import write_table

if TYPE_CHECKING:
    from pathlib import Path

AS: dict[str, str | int] = {"autonomous_system_number": 64500}


@pytest.fixture
def tables(tmp_path: Path) -> Networks:
    asn = write_table(tmp_path / "asn.mmdb", {"193.0.0.0/16": AS})
    country = write_table(tmp_path / "country.mmdb", {"193.0.0.0/16": {"country_code": "NL"}})
    return Networks(asn_file=str(asn), country_file=str(country))


def test_client_of_a_known_network_has_both_as_subjects(tables: Networks) -> None:
    places = places_of(open_atlas(tables), tables)

    found = places(ip_address("193.0.6.139"))

    assert found == (Subject(Kind.ASN, "64500"), Subject(Kind.COUNTRY, "nl"))


def test_country_of_registration_is_no_subject() -> None:
    tables = Networks()

    assert places_of(open_atlas(tables), tables)(ip_address("193.0.6.139")) == ()


@pytest.mark.parametrize("client", [None, ip_address("10.1.2.3")], ids=["none", "private"])
def test_client_that_is_nowhere_has_none(tables: Networks, client: None) -> None:
    assert places_of(open_atlas(tables), tables)(client) == ()
