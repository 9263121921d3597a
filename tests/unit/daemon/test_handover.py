from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from milter.daemon.handover import (
    HandedSource,
    Handover,
    RecordingSource,
    as_paths,
    read_handover,
)
from policies.errors import ConfigError
from policies.loader import FileSource


def _handover(files: dict[str, bytes]) -> Handover:
    return Handover(
        slot=3,
        generation=2,
        memory_fd=5,
        listeners={"inbound": 6, "outbound": 7},
        scan_fd=8,
        lists_folder="/run/gatepost/lists",
        cache_folder="/var/cache/gatepost",
        metrics_folder="/run/gatepost/metrics",
        config_path="gatepost.yaml",
        hostname="mx.example.org",
        hash_key=b"\x00\xffhash",
        limits_key=b"\xff\x00limits",
        files=files,
    )


def test_read_handover_returns_what_was_encoded_and_leaves_the_rest() -> None:
    handover = _handover({"gatepost.yaml": b"\xff\x00" * 300_000})
    reader, target = os.pipe()
    data = handover.encode() + b"drain 30\n"
    # More than a pipe holds, so that reading in pieces is shown.
    writing = threading.Thread(target=lambda: Path(f"/proc/self/fd/{target}").write_bytes(data))
    writing.start()
    try:
        assert read_handover(reader) == handover
        assert os.read(reader, 100) == b"drain 30\n"
    finally:
        writing.join()
        os.close(target)
        os.close(reader)


def test_read_handover_from_a_supervisor_that_is_gone_is_told() -> None:
    reader, target = os.pipe()
    os.write(target, _handover({}).encode()[:-1])
    os.close(target)
    with pytest.raises(EOFError):
        read_handover(reader)
    os.close(reader)


def test_handover_shows_no_secret_when_printed() -> None:
    shown = repr(_handover({"key.pem": b"private"}))
    assert "private" not in shown
    assert "limits\\" not in shown
    assert "hash'" not in shown


def test_descriptors_are_all_that_a_worker_inherits() -> None:
    assert _handover({}).descriptors == (5, 6, 7, 8)


def test_recording_source_keeps_the_first_reading(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"first")
    source = RecordingSource(FileSource())
    assert source.read(str(file)) == b"first"
    file.write_bytes(b"second")
    assert source.read(str(file)) == b"first"
    assert HandedSource(source.files).read(str(file)) == b"first"


def test_handed_source_without_the_file_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="was not read"):
        HandedSource({}).read("a")


def test_as_paths_gives_the_content_and_takes_it_away() -> None:
    with as_paths(HandedSource({"key.pem": b"private"})) as in_memory:
        path = in_memory("key.pem")
        assert Path(path).read_bytes() == b"private"
    assert not Path(path).exists()
