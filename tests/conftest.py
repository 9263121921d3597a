"""Fixtures that every test may use; they install nothing and skip with a reason what is missing."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support.certificates import write_certificate
from tests.support.scheduling import FilesAndFaults
from tests.support.third_party import SHARED

if TYPE_CHECKING:
    from xdist.remote import Producer

_CHECKOUT = Path(__file__).resolve().parents[1]

# How long an example takes says how busy the machine is; what hangs is ended by pytest's `timeout`.
settings.register_profile("gatepost", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gatepost")


def pytest_configure() -> None:
    """Prepares what every command that a test starts inherits."""
    # A shell makes commands in the background ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # One folder for the suite, made by the process that starts the others: each of some hundred
    # daemons would else compile the same patterns for seconds. A test gives one of its own.
    if "CACHE_DIRECTORY" not in os.environ:
        folder = os.environ["CACHE_DIRECTORY"] = tempfile.mkdtemp(prefix="gatepost-cache-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FilesAndFaults:
    """Spreads the suite over processes by file, all of the faults in one."""
    return FilesAndFaults(config, log)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with third-party test data, or skip: none of it is part of the project."""
    if not (SHARED / "conformance").is_dir():
        pytest.skip(f"no third-party test data at {SHARED}; set GATEPOST_SHARED")
    return SHARED


@pytest.fixture
def checkout() -> Path:
    """The root of the source tree."""
    return _CHECKOUT


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A listener's `tls` section with a throwaway certificate for mx.example.org."""
    return write_certificate(tmp_path_factory.mktemp("tls"), "mx.example.org")
