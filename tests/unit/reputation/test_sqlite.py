"""The store in a file: what it shares, what survives, and what its errors say."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from reputation.errors import StoreError
from reputation.sqlite import SqliteStore, examine
from reputation.store import Put
from tests.support.stores import random_bytes

if TYPE_CHECKING:
    from pathlib import Path


def test_sqlite_two_processes_share_keys_and_the_secret(tmp_path: Path) -> None:
    one = SqliteStore(tmp_path / "s.db", lambda size: b"1" * size)
    other = SqliteStore(tmp_path / "s.db", lambda size: b"2" * size)

    one.put("space", [b"a"], expires_at=10)

    assert other.present("space", [b"a"], now=1) == {b"a"}
    assert one.secret("name") == other.secret("name")
    one.close()
    other.close()


def test_sqlite_what_was_put_survives_the_process(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", random_bytes())
    store.put("space", [b"a"], expires_at=10)
    secret = store.secret("name")
    store.close()

    again = SqliteStore(tmp_path / "s.db", lambda size: b"x" * size)
    assert again.present("space", [b"a"], now=1) == {b"a"}
    assert again.secret("name") == secret
    again.close()


def test_sqlite_file_is_for_the_owner_alone(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "state" / "s.db", random_bytes()).close()

    assert stat.S_IMODE((tmp_path / "state" / "s.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_sqlite_file_that_root_makes_is_the_folders_owners(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 23456)

    store = SqliteStore(folder / "s.db", random_bytes())
    store.put("space", [b"a"], expires_at=9.0)

    owners = {(file.stat().st_uid, file.stat().st_gid) for file in folder.glob("s.db*")}
    store.close()
    assert owners == {(12345, 23456)}


def test_sqlite_writes_are_synced_and_logged_ahead(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", random_bytes())

    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    store.close()


def test_sqlite_locked_by_another_process_is_a_temporary_error(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", random_bytes(), busy_timeout_s=0.05)
    other = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreError) as caught:
        store.put("space", [b"a"], expires_at=10)
    assert caught.value.temporary

    other.execute("ROLLBACK")
    store.put("space", [b"a"], expires_at=10)
    assert store.present("space", [b"a"], now=1) == {b"a"}
    other.close()
    store.close()


def test_sqlite_opens_and_reads_while_another_process_is_stopped_in_a_write(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "s.db", random_bytes())) as store:
        store.put("space", [b"a"], expires_at=10)
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with closing(SqliteStore(tmp_path / "s.db", random_bytes(), busy_timeout_s=0.0)) as reader:
            assert reader.present("space", [b"a"], now=1) == {b"a"}


def test_sqlite_file_that_is_no_database_needs_a_person(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_bytes(b"not a database at all, but long enough" * 100)

    with pytest.raises(StoreError) as caught:
        SqliteStore(tmp_path / "s.db", random_bytes())
    assert not caught.value.temporary


def test_sqlite_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "s.db")
    connection.execute("PRAGMA user_version = 999")
    connection.close()

    with pytest.raises(StoreError) as caught:
        SqliteStore(tmp_path / "s.db", random_bytes())
    assert not caught.value.temporary


def test_sqlite_folder_that_cannot_be_made_may_be_there_later(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        SqliteStore(tmp_path / "missing" / "too" / "s.db", random_bytes())
    assert "missing" in caught.value.what
    assert (caught.value.reason, caught.value.temporary) == ("gone", True)


def test_examine_takes_what_could_be_opened_and_makes_nothing(tmp_path: Path) -> None:
    examine(tmp_path / "s.db")
    examine(tmp_path / "folder" / "s.db")
    assert not list(tmp_path.iterdir())


def test_examine_takes_an_existing_store_and_an_empty_file(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "s.db", random_bytes()).close()
    (tmp_path / "empty.db").touch()
    examine(tmp_path / "s.db")
    examine(tmp_path / "empty.db")


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("missing/too/s.db", "missing is missing or may not be written to"),
        ("file/s.db", "file is no folder"),
        ("file", "file is no SQLite database"),
        ("folder", "folder cannot be used: Is a directory"),
        ("newer.db", "newer.db was written by a newer version"),
    ],
)
def test_examine_says_what_stands_in_the_way(tmp_path: Path, name: str, what: str) -> None:
    (tmp_path / "file").write_text("x" * 200)
    (tmp_path / "folder").mkdir()
    connection = sqlite3.connect(tmp_path / "newer.db")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError) as caught:
        examine(tmp_path / name)
    assert caught.value.what == f"{tmp_path}/{what}"
    assert not caught.value.temporary


def test_sqlite_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", random_bytes())

    with pytest.raises(StoreError):
        store.put("space", [b"a", None], expires_at=10)  # type: ignore[list-item]

    assert store.present("space", [b"a"], now=1) == frozenset()
    store.put("space", [b"b"], expires_at=10)
    assert store.present("space", [b"b"], now=1) == {b"b"}
    store.close()


def test_sqlite_copy_that_takes_the_place_of_a_file_in_use_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    one, other = SqliteStore(path, random_bytes()), SqliteStore(path, random_bytes())
    one.put("space", [b"copied"], expires_at=10)
    with closing(sqlite3.connect(path)) as file, closing(sqlite3.connect(tmp_path / "copy")) as to:
        file.backup(to)
    one.write([Put("space", (b"later-%d" % number,), 10) for number in range(2000)])
    (tmp_path / "copy").replace(path)

    with pytest.raises(StoreError, match="replaced"):
        one.present("space", [b"copied"], now=1)
    one.close()
    again = SqliteStore(path, random_bytes())
    again.put("space", [b"new"], expires_at=10)
    # Another process finds it later, and takes nothing from those that were faster.
    with pytest.raises(StoreError, match="replaced"):
        other.present("space", [b"copied"], now=1)
    other.close()

    assert list(again.keys("space")) == [b"copied", b"new"]
    again.close()
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
