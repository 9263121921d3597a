"""Hashes of DNS lists, written by us and by rspamd itself: every algorithm in every encoding."""

from __future__ import annotations

import json
import subprocess
from itertools import product
from typing import TYPE_CHECKING, Final

import pytest

from milter.checks.dnslists.questions import hashed_name
from policies.dnslists import HashForm
from tests.support.debian import need_program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.debian]

ALGORITHMS: Final = ("md5", "sha1", "sha256", "sha384", "sha512", "blake2")
# Ours first, then what is called in rspamd.
ENCODINGS: Final = {
    "hex": "hex()",
    "base32": "base32('rfc')",
    "zbase32": "base32()",
    "base64": "base64()",
}
TEXTS: Final = ("", "user@example.org", "example.org", "www.example.org/a/B.php", "x" * 500)


def test_hashes_are_those_of_rspamd(tmp_path: Path) -> None:
    program = need_program("rspamadm")
    wanted = list(product(ALGORITHMS, ENCODINGS, TEXTS))
    lines = [
        f"print(hash.create_specific('{algorithm}', {json.dumps(text)}):{ENCODINGS[encoding]})"
        for algorithm, encoding, text in wanted
    ]
    script = tmp_path / "hashes.lua"
    script.write_text("\n".join(["local hash = require 'rspamd_cryptobox_hash'", *lines]))

    said = subprocess.run(
        [program.path, "lua", "-b", script],
        env=program.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    ours = [
        hashed_name(text, HashForm(algorithm, encoding, keeps_case=True))
        for algorithm, encoding, text in wanted
    ]
    assert ours == [line.lower()[:63] for line in said.stdout.splitlines()]
