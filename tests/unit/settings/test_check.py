"""Files that a configuration names are looked at before anything starts."""

from __future__ import annotations

import base64
import ssl
from typing import TYPE_CHECKING

import pytest

from milter.settings.read import read_checked
from policies.errors import ConfigErrors
from policies.loader import FileSource
from tests.support.certificates import write_certificate

if TYPE_CHECKING:
    from pathlib import Path

LISTENER = """\
listeners:
  - {name: in, bind: '127.0.0.1:0', tls: {certificate: certificate.pem, key: key.pem}}
"""


def mistakes_of(folder: Path, text: str) -> str:
    path = folder / "g.yaml"
    path.write_text(text)
    with pytest.raises(ConfigErrors) as caught:
        read_checked(FileSource(), str(path))
    return str(caught.value).removeprefix(f"{folder}/")


def test_check_a_certificate_with_its_key_is_taken(tmp_path: Path) -> None:
    write_certificate(tmp_path, "mx.example.org")
    path = tmp_path / "g.yaml"
    path.write_text(LISTENER)
    placed = read_checked(FileSource(), str(path))
    assert placed.settings.listeners[0].tls is not None


def test_check_a_missing_certificate_is_shown_where_it_is_named(tmp_path: Path) -> None:
    write_certificate(tmp_path, "mx.example.org")
    (tmp_path / "certificate.pem").unlink()
    expected = f"g.yaml:2:56: {tmp_path}/certificate.pem cannot be read: No such file or directory"
    assert mistakes_of(tmp_path, LISTENER) == expected


def test_check_a_certificate_whose_end_cannot_be_told_is_a_mistake(tmp_path: Path) -> None:
    write_certificate(tmp_path, "mx.example.org")
    # OpenSSL's own form: the certificate, and behind it what it is trusted for.
    path = tmp_path / "certificate.pem"
    der = ssl.PEM_cert_to_DER_cert(path.read_text()) + bytes.fromhex("300c300a06082b06010505070301")
    body = base64.encodebytes(der).decode()
    name = "TRUSTED CERTIFICATE"
    path.write_text(f"-----BEGIN {name}-----\n{body}-----END {name}-----\n")
    assert mistakes_of(tmp_path, LISTENER).startswith(
        f"g.yaml:2:56: {tmp_path}/certificate.pem is no plain PEM certificate"
    )


def test_check_a_key_of_another_certificate_is_a_mistake(tmp_path: Path) -> None:
    write_certificate(tmp_path, "mx.example.org")
    kept = (tmp_path / "certificate.pem").read_bytes()
    write_certificate(tmp_path, "mx.example.org")
    (tmp_path / "certificate.pem").write_bytes(kept)
    assert "are no PEM certificate and its key" in mistakes_of(tmp_path, LISTENER)


def test_check_an_empty_token_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    found = mistakes_of(tmp_path, "http: {token_file: token}\n")
    assert found == f"g.yaml:1:20: {tmp_path}/token is empty: put the secret into it"


def test_check_a_file_of_authorities_without_any_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing\n")
    found = mistakes_of(tmp_path, "next_hop: {tls: verify, tls_ca_file: ca.pem}\n")
    assert found == f"g.yaml:1:38: {tmp_path}/ca.pem holds no PEM certificates"


def test_check_a_trusted_sealer_that_is_no_domain_is_a_mistake(tmp_path: Path) -> None:
    found = mistakes_of(tmp_path, "trusted_sealers: [lists.example.org, 'a b']\n")
    what = "`trusted_sealers` needs names such as lists.example.org, not 'a b'"
    assert found == f"g.yaml:1:38: {what}"


def test_check_a_protected_domain_that_is_no_domain_is_a_mistake(tmp_path: Path) -> None:
    found = mistakes_of(tmp_path, "protected_domains: ['a b']\n")
    what = "`protected_domains` needs names such as example.org, not 'a b'"
    assert found == f"g.yaml:1:21: {what}"


def test_check_a_history_that_would_fill_the_file_is_a_mistake(tmp_path: Path) -> None:
    text = "store: sqlite:g.db\nmemory: {max_bytes: 10000000}\nhistory:\n  records: 2000\n"
    found = mistakes_of(tmp_path, text)
    assert found.startswith("g.yaml:4:3: the history may take 137217728 bytes, index included")
    assert "has room for 6000000" in found


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("store: sqlite:g.db\n", id="as-it-comes"),
        pytest.param("store: sqlite:g.db\nhistory: {keep_messages: all}\n", id="with-messages"),
        pytest.param("memory: {max_bytes: 10000000}\n", id="no-store"),
        pytest.param(
            "store: sqlite:g.db\nmemory: {max_bytes: 10000000}\nhistory: {days: 0}\n", id="off"
        ),
    ],
)
def test_check_a_history_that_has_room_is_taken(tmp_path: Path, text: str) -> None:
    path = tmp_path / "g.yaml"
    path.write_text(text)
    assert read_checked(FileSource(), str(path)).settings.history.records == 100_000


@pytest.mark.parametrize(
    "store", ["redis://:hush@127.0.0.1:1/0", "rediss://me:hush@[::1]/0", "redis://h/?password=hush"]
)
def test_check_a_password_in_the_store_is_a_mistake(tmp_path: Path, store: str) -> None:
    said = mistakes_of(tmp_path, f"store: '{store}'\nclassifier: {{folder: c}}\n")
    assert said == (
        "g.yaml:1:8: a password stands in `store`: put it into a file and name that in "
        "`memory.password_file`"
    )


def test_check_a_user_in_the_store_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    path.write_text("store: redis://me@127.0.0.1:1/0\nclassifier: {folder: c}\n")
    assert read_checked(FileSource(), str(path)).settings.store
