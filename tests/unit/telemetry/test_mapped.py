from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from prometheus_client.mmap_dict import MmapedDict

from milter.telemetry.mapped import MappedNumbers

if TYPE_CHECKING:
    from pathlib import Path

# What the library makes a file, and what a number takes with these keys.
_BYTES = 1 << 16
_KEY = "series {:05}".format

# A limit for the size of files stands for a disk that is full: blocks are refused either way.
_LIMITED = """
import resource, signal, sys
from milter.telemetry.mapped import MappedNumbers
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
numbers = MappedNumbers(sys.argv[1])
for i in range(4000):
    key = f"series {i:05}"
    assert numbers.read_value(key) == (0.0, 0.0)
    numbers.write_value(key, i + 1.0, 2.0)
for i in range(4000):
    assert numbers.read_value(f"series {i:05}") == (i + 1.0, 2.0)
numbers.close()
"""


def _limited(path: Path, limit: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(path), str(limit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stderr


def _in(path: Path) -> dict[str, float]:
    found = MmapedDict.read_all_values_from_file(str(path))  # type: ignore[no-untyped-call]
    return {key: value for key, value, _, _ in found}


def test_numbers_are_in_a_file_whose_blocks_are_there(tmp_path: Path) -> None:
    path = tmp_path / "counter_0.db"
    numbers = MappedNumbers(str(path))
    assert path.stat().st_blocks * 512 >= _BYTES
    for i in range(4000):
        numbers.write_value(_KEY(i), float(i), 0.0)
    assert path.stat().st_size > _BYTES
    assert path.stat().st_blocks * 512 >= path.stat().st_size
    assert _in(path) == {_KEY(i): float(i) for i in range(4000)}
    numbers.close()
    again = MappedNumbers(str(path))
    assert again.read_value(_KEY(7)) == (7.0, 0.0)
    again.close()
    assert list(tmp_path.iterdir()) == [path]


def test_numbers_go_on_in_memory_where_no_file_can_be_made(tmp_path: Path) -> None:
    said = _limited(tmp_path / "counter_0.db", _BYTES - 1)
    assert said.count("counts are kept in memory alone") == 1
    # A file without a head would end every scrape.
    assert not list(tmp_path.iterdir())


def test_numbers_go_on_in_memory_where_the_file_cannot_grow(tmp_path: Path) -> None:
    path = tmp_path / "counter_0.db"
    said = _limited(path, _BYTES)
    assert said.count("counts are kept in memory alone") == 1
    shared = _in(path)
    assert 500 < len(shared) < 4000
    assert shared == {_KEY(i): i + 1.0 for i in range(len(shared))}


@pytest.mark.parametrize("gone", ["file", "folder"])
def test_numbers_go_on_when_what_they_are_in_is_removed(tmp_path: Path, gone: str) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir()
    path = folder / "counter_0.db"
    numbers = MappedNumbers(str(path))
    path.unlink()
    if gone == "folder":
        folder.rmdir()
    for i in range(4000):
        numbers.write_value(_KEY(i), float(i), 0.0)
    assert numbers.read_value(_KEY(3999)) == (3999.0, 0.0)
    numbers.close()
