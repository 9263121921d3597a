"""Scripts of miltertest, a mail server's side of the protocol that others wrote."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support import milter_packets as mta
from tests.support.debian import need_program
from tests.support.milter_door import running_milter
from tests.support.milter_session import a_door

pytestmark = pytest.mark.debian

_SCRIPTS = sorted((Path(__file__).parent / "miltertest").glob("*.lua"))


@pytest.mark.parametrize("script", _SCRIPTS, ids=lambda path: path.stem)
def test_miltertest_script_ends_well(script: Path) -> None:
    program = need_program("miltertest")
    with running_milter(a_door()) as milter:
        address = f"address=inet:{milter.port}@127.0.0.1"
        gtube = f"gtube={mta.GTUBE.decode().strip()}"
        done = subprocess.run(
            [program.path, "-D", address, "-D", gtube, "-s", str(script)],
            env=program.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
