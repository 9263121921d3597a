"""Networks and countries of addresses, from real tables."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from milter.atlas import NOWHERE, Atlas, AtlasError, Place, open_atlas, open_table
from milter.daemon.configuration import read_configuration
from milter.settings.networks import Networks
from policies.errors import ConfigErrors
from policies.loader import FileSource
from tests.support.mmdb import write_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.mmdb import Value


@pytest.mark.parametrize(
    ("address", "country"),
    [
        pytest.param("8.8.8.8", "US", id="registered-at-arin"),
        pytest.param("193.0.6.139", "NL", id="registered-at-ripe"),
        pytest.param("2001:67c:2e8::1", "NL", id="ipv6"),
        pytest.param("10.1.2.3", "", id="private"),
        pytest.param("192.0.2.1", "", id="documentation"),
    ],
)
def test_country_of_registration_is_known_without_any_table(address: str, country: str) -> None:
    assert Atlas().place(ip_address(address)) == Place(country)


def test_no_address_is_nowhere() -> None:
    assert Atlas().place(None) == NOWHERE


@pytest.mark.parametrize(
    ("record", "asn", "network"),
    [
        pytest.param(
            {"autonomous_system_number": 64500, "autonomous_system_organization": "Example Net"},
            64500,
            "Example Net",
            id="geolite",
        ),
        pytest.param({"asn": "AS64501", "as_name": "Other Net"}, 64501, "Other Net", id="ipinfo"),
        pytest.param({"asn": "ASx", "as_name": "Odd"}, 0, "Odd", id="a-number-that-is-none"),
        pytest.param({"asn": 2**40}, 0, "", id="a-number-too-large"),
        pytest.param({"as_name": "n" * 200, "asn": 5}, 5, "n" * 80, id="a-long-name-is-cut"),
    ],
)
def test_network_is_read_from_the_tables_in_use(
    tmp_path: Path, record: Mapping[str, Value], asn: int, network: str
) -> None:
    file = write_table(tmp_path / "asn.mmdb", {"192.0.2.0/24": record, "2001:db8::/32": record})
    atlas = open_atlas(Networks(asn_file=str(file)))

    found = [atlas.place(ip_address(one)) for one in ("192.0.2.7", "2001:db8::7", "198.51.100.1")]
    atlas.close()

    assert found == [Place("", asn, network)] * 2 + [NOWHERE]


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({"country": {"iso_code": "FR"}}, id="geolite"),
        pytest.param({"registered_country": {"iso_code": "FR"}}, id="registered-only"),
        pytest.param({"country_code": "fr"}, id="small-letters"),
    ],
)
def test_table_of_the_admin_goes_before_the_built_in_one(
    tmp_path: Path, record: Mapping[str, Value]
) -> None:
    file = write_table(tmp_path / "country.mmdb", {"8.8.8.0/24": record})
    atlas = open_atlas(Networks(country_file=str(file)))

    countries = [atlas.place(ip_address(one)).country for one in ("8.8.8.8", "8.8.4.4")]
    atlas.close()

    assert countries == ["FR", "US"]


_CUT_SHORT = """
import sys
from ipaddress import ip_address
from milter.atlas import open_atlas
from milter.settings.networks import Networks
atlas = open_atlas(Networks(asn_file=sys.argv[1]))
open(sys.argv[1], "wb").close()
print(atlas.place(ip_address("192.0.2.7")).asn)
"""


def test_table_that_is_being_written_anew_ends_no_process(tmp_path: Path) -> None:
    file = write_table(tmp_path / "asn.mmdb", {"192.0.2.0/24": {"asn": 64500}})

    done = subprocess.run(
        [sys.executable, "-c", _CUT_SHORT, str(file)],
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (0, "64500\n"), done.stderr


def test_odd_country_in_a_table_is_not_shown(tmp_path: Path) -> None:
    file = write_table(tmp_path / "c.mmdb", {"192.0.2.0/24": {"country": {"iso_code": "<b>"}}})
    atlas = open_atlas(Networks(country_file=str(file)))

    assert atlas.place(ip_address("192.0.2.1")) == NOWHERE
    atlas.close()


def test_answers_kept_are_bounded() -> None:
    atlas = Atlas()

    for number in range(20_000):
        atlas.place(ip_address(number + 2**24))

    assert len(atlas._kept) <= 8192


@pytest.mark.parametrize(
    "content", [pytest.param(b"", id="empty"), pytest.param(b"no table" * 100, id="other")]
)
def test_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "asn.mmdb"
    file.write_bytes(content)

    with pytest.raises(AtlasError, match="no MaxMind DB file"):
        open_table(str(file))


def test_configuration_tells_of_a_table_that_is_missing(tmp_path: Path) -> None:
    config = tmp_path / "gatepost.yaml"
    config.write_text("networks:\n  asn_file: none.mmdb\n")

    with pytest.raises(ConfigErrors) as caught:
        read_configuration(str(config), FileSource())

    assert "gatepost.yaml:2:" in str(caught.value)
    assert "none.mmdb: No such file" in str(caught.value)
