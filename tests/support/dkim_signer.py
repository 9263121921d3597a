"""Signs messages for tests: by dkimpy, and by a signer of our own where dkimpy would not do it."""

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import cache

import dkim
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

# Later than any clock: dkimpy writes the time of the day into t=.
NOW = 4_000_000_000
NAME = "sel._domainkey.example.org"
MESSAGE = (
    b"From: Alice <alice@example.org>\r\n"
    b"To: bob@example.net\r\n"
    b"Subject: a  folded\r\n\tsubject\r\n"
    b"\r\n"
    b"Hello  Bob,\r\n\r\nthis is \t text. \r\n\r\n\r\n"
)


@dataclass(frozen=True)
class Pair:
    """A private key in the form that dkimpy signs with, and the record for its public half."""

    private: bytes
    record: bytes


@cache
def rsa_key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


@cache
def rsa_pair(bits: int = 2048) -> Pair:
    key = rsa_key(bits)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Pair(private, b"v=DKIM1; k=rsa; p=" + base64.b64encode(public))


@cache
def ed25519_pair() -> Pair:
    key = ed25519.Ed25519PrivateKey.generate()
    public = base64.b64encode(key.public_key().public_bytes_raw())
    return Pair(base64.b64encode(key.private_bytes_raw()), b"v=DKIM1; k=ed25519; p=" + public)


def short_record(bits: int, exponent: int = 65537) -> bytes:
    """Return the record of a key that is only there to be measured."""
    numbers = ((1 << bits) - 1, exponent)
    integers = b"".join(der(2, n.to_bytes(n.bit_length() // 8 + 1)) for n in numbers)
    return b"v=DKIM1; p=" + base64.b64encode(der(0x30, integers))


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    # DER is strict about the shortest form of a length.
    length = bytes([size]) if size < 128 else b"\x81" + bytes([size % 256])
    return bytes([tag]) + (length if size < 256 else b"\x82" + size.to_bytes(2)) + content


def dkimpy_signed(
    message: bytes, pair: Pair, algorithm: bytes = b"rsa-sha256", form: str = "relaxed/relaxed"
) -> bytes:
    header, body = form.encode().split(b"/")
    signature = dkim.sign(
        message,
        b"sel",
        b"example.org",
        pair.private,
        canonicalize=(header, body),
        include_headers=[b"from", b"to", b"subject"],
        signature_algorithm=algorithm,
    )
    return bytes(signature) + message


def signed(message: bytes = MESSAGE, /, **tags: str | None) -> bytes:
    """Return `message` signed relaxed/relaxed with these tags; None leaves one out."""
    header, _, body = message.partition(b"\r\n\r\n")
    announced = tags.get("l") or ""
    length = int(announced) if announced.isdigit() else None
    digest = hashlib.sha256(relaxed_body(body)[:length]).digest()
    given: dict[str, str | None] = {
        "v": "1",
        "a": "rsa-sha256",
        "c": "relaxed/relaxed",
        "d": "example.org",
        "s": "sel",
        "h": "from:to:subject",
        "bh": base64.b64encode(digest).decode(),
        **tags,
        "b": "",
    }
    value = "; ".join(f"{name}={text}" for name, text in given.items() if text is not None)
    names = (given["h"] or "").lower().split(":")
    covered = _covered(header, [name.encode() for name in names])
    covered.append(relaxed_field(b"dkim-signature: " + value.encode())[1])
    return b"DKIM-Signature: " + value.encode() + _signature(covered) + b"\r\n" + message


def signed_value_first() -> bytes:
    """Return `MESSAGE` signed with b= as the first tag, right behind the colon."""
    header, _, body = MESSAGE.partition(b"\r\n\r\n")
    digest = base64.b64encode(hashlib.sha256(relaxed_body(body)).digest())
    tags = b"; v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=sel; h=from; bh=" + digest
    covered = _covered(header, [b"from"])
    covered.append(relaxed_field(b"dkim-signature:b=" + tags)[1])
    return b"DKIM-Signature:b=" + _signature(covered) + tags + b"\r\n" + MESSAGE


def _signature(covered: list[bytes]) -> bytes:
    data = b"\r\n".join(covered)
    return base64.b64encode(rsa_key(2048).sign(data, padding.PKCS1v15(), hashes.SHA256()))


def _covered(header: bytes, names: list[bytes]) -> list[bytes]:
    """Return what `names` cover in relaxed form: of fields that stand twice the lowest first."""
    left = [relaxed_field(field) for field in re.split(rb"\r\n(?![ \t])", header)][::-1]
    covered = []
    for name in names:
        found = next((field for field in left if field[0] == name), None)
        if found is not None:
            left.remove(found)
            covered.append(found[1])
    return covered


def relaxed_body(body: bytes) -> bytes:
    lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


def relaxed_field(field: bytes) -> tuple[bytes, bytes]:
    name, _, value = field.partition(b":")
    text = re.sub(rb"[ \t]+", b" ", value.replace(b"\r\n", b"")).strip(b" ")
    return name.lower(), name.lower() + b":" + text
