"""What `make run` shows: every sample gets its expected verdict, and a wrong one is seen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from milter.cli.demo_samples import read_samples

pytestmark = pytest.mark.slow

_SAMPLES: Final = Path(__file__).resolve().parents[2] / "samples"


def _demo(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "milter", "demo", folder, "--once"],
        env={**os.environ, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_demo_every_sample_gets_its_expected_verdict() -> None:
    done = _demo(_SAMPLES)
    assert done.returncode == 0, done.stdout + done.stderr
    # The daemon has ended with the table: nobody could open its page.
    assert "Page:" not in done.stdout
    assert f"All {len(read_samples(_SAMPLES))} samples got" in done.stdout


def test_demo_wrong_expectation_ends_with_1_and_names_the_sample(tmp_path: Path) -> None:
    folder = tmp_path / "samples"
    shutil.copytree(_SAMPLES, folder)
    index = folder / "index.yaml"
    text = index.read_text("utf-8")
    # Only one sample is to be deferred.
    assert text.count("expect: defer") == 1
    index.write_text(text.replace("expect: defer", "expect: reject"), "utf-8")
    done = _demo(folder)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Not as expected: try-again.eml" in done.stdout


def test_demo_samples_are_of_many_kinds() -> None:
    samples = read_samples(_SAMPLES)
    assert len(samples) >= 12
    assert {sample.expect for sample in samples} == {"pass", "tag", "quarantine", "defer", "reject"}
    assert len({sample.client_ip for sample in samples}) >= 10
