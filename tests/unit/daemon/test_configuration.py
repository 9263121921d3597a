from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest

from milter.daemon.configuration import prepare_store, read_configuration
from milter.daemon.handover import HandedSource
from milter.settings.read import read_settings
from policies.errors import ConfigErrors
from policies.loader import FileSource, load_policies

if TYPE_CHECKING:
    from pathlib import Path

_GOOD = """\
hostname: mx.example.org
policies: site.yaml
dns: {zone_file: zone.yaml}
store: sqlite:state/gatepost.db
http: {bind: "127.0.0.1:0", token_file: token}
"""
_POLICY = "version: 1\nname: site\nextends: balanced\n"


def _write(folder: Path, config: str = _GOOD, policy: str = _POLICY) -> str:
    (folder / "site.yaml").write_text(policy)
    (folder / "zone.yaml").write_text("names: {example.org: {A: [192.0.2.1]}}\n")
    (folder / "token").write_text("secret\n")
    (folder / "gatepost.yaml").write_text(config)
    return str(folder / "gatepost.yaml")


def test_read_configuration_records_all_that_a_worker_reads(tmp_path: Path) -> None:
    path = _write(tmp_path)
    configuration = read_configuration(path, FileSource())
    for name in ("gatepost.yaml", "site.yaml", "zone.yaml", "token"):
        (tmp_path / name).unlink()
    source = HandedSource(configuration.files)
    settings = read_settings(source, path)
    assert settings == configuration.settings
    assert load_policies(source, settings.policies).version
    assert source.read(str(tmp_path / "token")) == b"secret\n"


def test_read_configuration_creates_nothing(tmp_path: Path) -> None:
    path = _write(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    read_configuration(path, FileSource())
    assert sorted(tmp_path.rglob("*")) == before


def test_prepare_store_makes_folder_and_database(tmp_path: Path) -> None:
    configuration = read_configuration(_write(tmp_path), FileSource())
    prepare_store(configuration)
    assert (tmp_path / "state" / "gatepost.db").read_bytes().startswith(b"SQLite format 3\0")
    assert read_configuration(configuration.path, FileSource()).settings == configuration.settings


def test_prepare_store_that_broke_meanwhile_is_told_at_its_place(tmp_path: Path) -> None:
    configuration = read_configuration(_write(tmp_path), FileSource())
    (tmp_path / "state").write_text("a file where the folder was to be")
    with pytest.raises(ConfigErrors) as caught:
        prepare_store(configuration)
    assert f"{tmp_path}/gatepost.yaml:4:8: " in str(caught.value)


def test_prepare_store_leaves_a_file_that_is_locked_to_the_workers(tmp_path: Path) -> None:
    configuration = read_configuration(_write(tmp_path), FileSource())
    prepare_store(configuration)
    with contextlib.closing(sqlite3.connect(tmp_path / "state" / "gatepost.db")) as other:
        other.execute("BEGIN IMMEDIATE")

        prepare_store(configuration)


def test_read_configuration_without_a_file_is_the_embedded_one() -> None:
    configuration = read_configuration(None, FileSource())
    assert configuration.settings.listeners[0].name == "inbound"
    assert configuration.workers >= 1


@pytest.mark.parametrize(
    ("config", "policy", "words"),
    [
        pytest.param(
            _GOOD, "version: 1\nname: a\nextends: nothing\n", "site.yaml:3:10", id="policy"
        ),
        pytest.param("policies: missing.yaml\n", _POLICY, "missing.yaml", id="no-policy"),
        pytest.param("dns: {zone_file: missing}\n", _POLICY, "missing", id="no-zone"),
        pytest.param(
            'dns:\n  nameservers: ["127.0.0.1:53", "not an address"]\n',
            _POLICY,
            "gatepost.yaml:2:33",
            id="nameserver",
        ),
        pytest.param(
            "workers: 1\nstore: sqlite:token/gatepost.db\n",
            _POLICY,
            "gatepost.yaml:2:8",
            id="store",
        ),
    ],
)
def test_read_configuration_with_a_mistake_names_its_place(
    tmp_path: Path, config: str, policy: str, words: str
) -> None:
    with pytest.raises(ConfigErrors) as caught:
        read_configuration(_write(tmp_path, config, policy), FileSource())
    assert words in str(caught.value)


def test_read_configuration_tells_the_mistakes_of_all_parts(tmp_path: Path) -> None:
    config = "policies: missing.yaml\nstore: sqlite:token/gatepost.db\ndns: {zone_file: absent}\n"
    with pytest.raises(ConfigErrors) as caught:
        read_configuration(_write(tmp_path, config), FileSource())
    told = str(caught.value)
    assert all(words in told for words in ("missing.yaml", "gatepost.yaml:2:8", "absent"))
