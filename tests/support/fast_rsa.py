"""Gives dkimpy RSA that is not its own: signing in pure Python takes most of a test's time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dkim
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from tests.support.dkim_signer import rsa_key

if TYPE_CHECKING:
    import pytest


def give_fast_rsa(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let dkimpy sign and verify with the one RSA key of the tests, of 2048 bits."""
    key, scheme = rsa_key(2048), (padding.PKCS1v15(), Prehashed(hashes.SHA256()))

    def sign(hasher: Any, _private: object) -> bytes:
        return key.sign(hasher.digest(), *scheme)

    def verify(hasher: Any, signature: bytes, _public: object) -> bool:
        try:
            key.public_key().verify(signature, hasher.digest(), *scheme)
        except InvalidSignature:
            return False
        return True

    monkeypatch.setattr(dkim, "RSASSA_PKCS1_v1_5_sign", sign)
    monkeypatch.setattr(dkim, "RSASSA_PKCS1_v1_5_verify", verify)
