"""Files that a configuration names are looked at before anything starts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from milter.settings.read import read_checked
from policies.errors import ConfigErrors
from policies.loader import FileSource

if TYPE_CHECKING:
    from pathlib import Path

LISTENER = (
    "listeners:\n  - {name: in, bind: '127.0.0.1:0', tls: {certificate: c.pem, key: k.pem}}\n"
)


def write_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mx.example.org")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(9))
    certificate = builder.sign(key, hashes.SHA256())
    (folder / "c.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def mistakes_of(folder: Path, text: str) -> str:
    path = folder / "g.yaml"
    path.write_text(text)
    with pytest.raises(ConfigErrors) as caught:
        read_checked(FileSource(), str(path))
    return str(caught.value).removeprefix(f"{folder}/")


def test_check_a_certificate_with_its_key_is_taken(tmp_path: Path) -> None:
    write_certificate(tmp_path)
    path = tmp_path / "g.yaml"
    path.write_text(LISTENER)
    placed = read_checked(FileSource(), str(path))
    assert placed.settings.listeners[0].tls is not None


def test_check_a_missing_certificate_is_shown_where_it_is_named(tmp_path: Path) -> None:
    write_certificate(tmp_path)
    (tmp_path / "c.pem").unlink()
    expected = f"g.yaml:2:56: {tmp_path}/c.pem cannot be read: No such file or directory"
    assert mistakes_of(tmp_path, LISTENER) == expected


def test_check_a_key_of_another_certificate_is_a_mistake(tmp_path: Path) -> None:
    write_certificate(tmp_path)
    kept = (tmp_path / "c.pem").read_bytes()
    write_certificate(tmp_path)
    (tmp_path / "c.pem").write_bytes(kept)
    assert "are no PEM certificate and its key" in mistakes_of(tmp_path, LISTENER)


def test_check_an_empty_token_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    found = mistakes_of(tmp_path, "http: {token_file: token}\n")
    assert found == f"g.yaml:1:20: {tmp_path}/token is empty: put the token into it"


def test_check_a_file_of_authorities_without_any_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing\n")
    found = mistakes_of(tmp_path, "next_hop: {tls: verify, tls_ca_file: ca.pem}\n")
    assert found == f"g.yaml:1:38: {tmp_path}/ca.pem holds no PEM certificates"
