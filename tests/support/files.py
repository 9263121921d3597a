"""Documents and pictures made for tests: small, and of nobody else."""

from __future__ import annotations

import struct
import zlib
from base64 import encodebytes
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence


def a_code(text: str) -> tuple[int, bytes]:
    """Return the side of a QR code with a margin, and its dots, a byte each, 0 for black."""
    zxing: Any = pytest.importorskip("zxingcpp", reason="gatepost[qr] is not installed")
    code = zxing.create_barcode(text, zxing.BarcodeFormat.QRCode)
    image = memoryview(zxing.write_barcode_to_image(code, scale=4))
    return (image.shape or (0,))[0], image.tobytes()


def a_png(width: int, height: int, grey: bytes) -> bytes:
    """Return a picture in shades of grey."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(b"\0" + grey[at : at + width] for at in range(0, width * height, width))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def a_pdf(lines: Sequence[str], link: str = "", code: str = "") -> bytes:
    """Return a document of one page with these lines, a link and a QR code."""
    drawn = "".join(
        f"BT /F 12 Tf 50 {780 - 20 * n} Td ({line}) Tj ET\n" for n, line in enumerate(lines)
    )
    action = f"/A << /S /URI /URI ({link}) >>"
    annotation = f"/Annots [<< /Type /Annot /Subtype /Link /Rect [40 40 300 80] {action} >>]"
    resources = "/Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >>"
    picture = b""
    if code:
        side, grey = a_code(code)
        drawn += "q 200 0 0 200 300 300 cm /C Do Q\n"
        resources += " /XObject << /C 5 0 R >>"
        picture = (
            (
                f"<< /Type /XObject /Subtype /Image /Width {side} /Height {side} "
                f"/ColorSpace /DeviceGray /BitsPerComponent 8 /Length {len(grey)} >> stream\n"
            ).encode()
            + grey
            + b"\nendstream"
        )
    page = (
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        f"/Resources << {resources} >> {annotation if link else ''} >>"
    )
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        page.encode(),
        f"<< /Length {len(drawn)} >> stream\n{drawn}endstream".encode(),
        *([picture] if picture else []),
    ]
    return _joined(objects)


def _joined(objects: Sequence[bytes]) -> bytes:
    data, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % place for place in places)
    return data + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        start,
    )


def a_mail_with(*files: tuple[str, bytes], text: str = "See the file.") -> bytes:
    """Return a message with files, each its name and content."""
    parts = [b"Content-Type: text/plain\r\n\r\n" + text.encode()]
    for name, content in files:
        kind = b"application/pdf" if name.endswith(".pdf") else b"image/png"
        head = b"Content-Type: %s; name=%s\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        body = encodebytes(content).replace(b"\n", b"\r\n")
        parts.append(head % (kind, name.encode()) + body)
    head = (
        b"From: Ada <a@sender.example>\r\nTo: b@example.org\r\nSubject: A file\r\n"
        b"Date: Tue, 17 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=part\r\n\r\n"
    )
    return head + b"".join(b"--part\r\n" + part + b"\r\n" for part in parts) + b"--part--\r\n"
