"""QR codes in pictures, through zxing-cpp and Pillow. Only for the process that may die of it."""

from __future__ import annotations

import importlib
import io
from typing import Any, Final

# A picture may claim any size; one of more dots is left unread.
_DOTS: Final = 40_000_000
# Codes are found in far smaller pictures, and the search takes time for every dot.
_SIDE: Final = 1_600
_FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP", "BMP")


def codes_in(content: bytes) -> list[str]:
    """Return what the codes in an encoded picture say.

    Raises:
        Exception: Of Pillow, where it is none that can be read.
    """
    image: Any = importlib.import_module("PIL.Image")
    with image.open(io.BytesIO(content), formats=_FORMATS) as picture:
        if picture.width * picture.height > _DOTS:
            raise ValueError("a picture of too many dots")
        picture.draft("L", (_SIDE, _SIDE))
        # What is transparent is seen on white.
        if "A" in picture.getbands() or "transparency" in picture.info:
            seen = picture.convert("RGBA")
            white = image.new("RGBA", seen.size, "white")
            white.alpha_composite(seen)
            seen = white.convert("L")
        else:
            seen = picture.convert("L")
    seen.thumbnail((_SIDE, _SIDE))
    return codes_of(seen)


def codes_of(picture: Any) -> list[str]:
    """Return what the codes in an open picture say."""
    zxing: Any = importlib.import_module("zxingcpp")
    found = zxing.read_barcodes(picture, formats=zxing.BarcodeFormat.QRCode)
    return [each.text for each in found]
