"""Files that were read are seen to change, once whoever writes them is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from milter.daemon.watching import ConfigurationFiles, WatchedFiles
from policies.errors import ConfigError, ConfigErrors
from policies.loader import FileSource
from tests.support.mmdb import write_table

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text("one")
    return path


def read(path: Path) -> WatchedFiles:
    files = WatchedFiles(FileSource())
    files.read(str(path))
    return files


def looks(files: WatchedFiles, times: int = 3) -> list[bool]:
    return [files.settled() for _ in range(times)]


def test_file_that_stays_is_never_changed(policy: Path) -> None:
    assert looks(read(policy)) == [False, False, False]


def test_file_that_is_written_has_changed_at_the_second_look(policy: Path) -> None:
    files = read(policy)
    policy.write_text("two, longer")

    assert looks(files) == [False, True, True]


def test_file_that_is_written_again_is_waited_for(policy: Path) -> None:
    files = read(policy)
    policy.write_text("two, longer")
    assert not files.settled()
    policy.write_text("two, longer, and on")

    assert looks(files) == [False, True, True]


def test_file_that_is_replaced_has_changed(policy: Path) -> None:
    files = read(policy)
    other = policy.with_name("other.yaml")
    other.write_text("two")
    other.replace(policy)

    assert looks(files, 2) == [False, True]


def test_file_that_is_gone_or_comes_has_changed(policy: Path) -> None:
    files = read(policy)
    policy.unlink()
    assert looks(files, 2) == [False, True]
    files.begin()
    with pytest.raises(ConfigError):
        files.read(str(policy))
    assert looks(files, 2) == [False, False]
    policy.write_text("one")

    assert looks(files, 2) == [False, True]


def test_files_read_anew_are_what_they_are(policy: Path) -> None:
    files = read(policy)
    policy.write_text("two, longer")
    files.begin()
    files.read(str(policy))

    assert looks(files) == [False, False, False]


def test_path_that_cannot_be_one_is_no_file() -> None:
    files = WatchedFiles(FileSource())
    with pytest.raises(ConfigError):
        files.read("a\0b")

    assert looks(files) == [False, False, False]


def test_table_of_networks_is_watched_and_its_repair_too(tmp_path: Path) -> None:
    table = write_table(tmp_path / "asn.mmdb", {"192.0.2.0/24": {"asn": 64500}})
    (tmp_path / "gatepost.yaml").write_text("networks: {asn_file: asn.mmdb}")
    files = ConfigurationFiles(str(tmp_path / "gatepost.yaml"), FileSource())
    files.read()

    table.write_bytes(b"half of a table")
    assert [files.changed(), files.changed()] == [False, True]
    with pytest.raises(ConfigErrors, match="no MaxMind DB file"):
        files.read()
    assert [files.changed(), files.changed()] == [False, False]
    write_table(table, {"192.0.2.0/24": {"asn": 64501}})
    assert [files.changed(), files.changed()] == [False, True]
