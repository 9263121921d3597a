"""A real daemon does what its OpenAPI document promises, whatever it is asked (schemathesis)."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.gatepost import configuration, running_gatepost
from tests.support.mailbox_sink import running_sink

if TYPE_CHECKING:
    from tests.support.gatepost import Gatepost

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

# What is asked of each answer. Which values a header may have, beyond its type, the document leaves
# to words, so that what is refused for its value is no failure.
_CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,response_headers_conformance,ignored_auth,unsupported_method"
)
_EXAMPLES = 25


def document_of(daemon: Gatepost) -> bytes:
    with closing(HTTPConnection("127.0.0.1", daemon.http_port, timeout=30)) as connection:
        connection.request("GET", "/v1/openapi.json")
        return connection.getresponse().read()


def test_daemon_keeps_its_document(checkout: Path, tmp_path: Path) -> None:
    schemathesis = Path(sys.executable).with_name("schemathesis")
    if not schemathesis.exists():
        pytest.skip("needs schemathesis, of the test requirements")
    with running_sink() as sink:
        config = configuration(
            f"127.0.0.1:{sink.port}",
            store=f"sqlite:{tmp_path / 'state.db'}",
            dns={"zone_file": "zone.yaml"},
        )
        config["http"]["token_file"] = "token"
        files = {"token": "secret\n", "zone.yaml": "names: {}\n"}
        with running_gatepost(config, files) as daemon:
            served = document_of(daemon)
            assert json.loads(served) == json.loads((checkout / "docs/openapi.json").read_text())
            (tmp_path / "openapi.json").write_bytes(served)
            done = subprocess.run(
                [
                    schemathesis, "run", tmp_path / "openapi.json",
                    "--url", f"http://127.0.0.1:{daemon.http_port}",
                    "--header", "Authorization: Bearer secret",
                    "--checks", _CHECKS, "--phases", "coverage,fuzzing",
                    "--max-examples", str(_EXAMPLES), "--seed", "1", "--no-color",
                ],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=360,
                check=False,
            )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
