from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from milter.telemetry.multiprocess import clean_folder, forget_process, scraper

if TYPE_CHECKING:
    from pathlib import Path

_WORKER = """
import sys
from pathlib import Path
from milter.telemetry.metrics import Metrics
from milter.telemetry.multiprocess import share_metrics
share_metrics(Path(sys.argv[1]), sys.argv[2])
metrics = Metrics()
metrics.message("inbound", "inbound", "pass", 100)
metrics.session_opened()
metrics.flush()
"""


def _run_worker(folder: Path, slot: str) -> None:
    subprocess.run([sys.executable, "-c", _WORKER, str(folder), slot], check=True, timeout=60)


def _samples(text: bytes) -> dict[str, float]:
    families = text_string_to_metric_families(text.decode())
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_scraper_adds_workers_up_and_forgets_gauges_of_the_dead(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    clean_folder(folder)
    scrape = scraper(folder, lambda: [("workers", {}, 2.0)])
    for slot in ("0", "1"):
        _run_worker(folder, slot)
    seen = _samples(scrape())
    assert seen["gatepost_messages_total"] == 2
    assert seen["gatepost_message_bytes_total"] == 200
    assert seen["gatepost_sessions"] == 2
    assert seen["gatepost_workers"] == 2

    forget_process(folder, "1")
    seen = _samples(scrape())
    assert seen["gatepost_messages_total"] == 2
    assert seen["gatepost_sessions"] == 1


def test_scraper_a_worker_in_the_slot_of_a_dead_one_counts_on(tmp_path: Path) -> None:
    clean_folder(tmp_path)
    _run_worker(tmp_path, "0")
    files = sorted(tmp_path.iterdir())
    forget_process(tmp_path, "0")
    _run_worker(tmp_path, "0")
    seen = _samples(scraper(tmp_path, list)())
    assert seen["gatepost_messages_total"] == 2
    assert seen["gatepost_sessions"] == 1
    assert sorted(tmp_path.iterdir()) == files


def test_clean_folder_removes_what_was_counted_before(tmp_path: Path) -> None:
    (tmp_path / "counter_0.db").write_bytes(b"old")
    clean_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_scraper_tells_of_each_name_once(tmp_path: Path) -> None:
    gauges = [
        ("config_last_reload", {"result": "ok"}, 1.0),
        ("workers", {}, 2.0),
        ("config_last_reload", {"result": "failed"}, 0.0),
    ]
    lines = scraper(tmp_path, lambda: gauges)().decode().splitlines()
    assert [line.split()[2] for line in lines if line.startswith("# TYPE")] == [
        "gatepost_config_last_reload",
        "gatepost_workers",
    ]
    assert 'gatepost_config_last_reload{result="failed"} 0.0' in lines


def test_worker_makes_the_folder_again_that_a_cleaner_removed(tmp_path: Path) -> None:
    folder = tmp_path / "gatepost-x" / "metrics"
    scrape = scraper(folder, lambda: [("workers", {}, 2.0)])
    assert _samples(scrape()) == {"gatepost_workers": 2.0}
    _run_worker(folder, "0")
    assert _samples(scrape())["gatepost_messages_total"] == 1
    assert folder.parent.stat().st_mode & 0o777 == 0o700


def test_worker_without_a_folder_counts_for_itself(tmp_path: Path) -> None:
    (tmp_path / "gatepost-x").write_text("no folder")
    _run_worker(tmp_path / "gatepost-x" / "metrics", "0")


def test_worker_counts_in_no_folder_of_another_user(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("only root gives a folder away")
    folder = tmp_path / "gatepost-x" / "metrics"
    folder.mkdir(parents=True)
    os.chown(folder.parent, 65534, 65534)
    with pytest.raises(PermissionError):
        clean_folder(folder)
