"""The charset of a text that declares none, an unknown one, or one that is not true.

A declaration is believed unless the bytes contradict it: where they do not fit, and where a Western
charset would make a text of hardly anything but accents. Then chardet is asked, which takes a
thousand times as long as decoding, so it is asked a bounded number of times for one message and
about the beginning of a text alone.
"""

from __future__ import annotations

import codecs
import re
from functools import cache
from typing import Final

from milter.message.charsets import codec_of, decode_text

_SAMPLE: Final = 2_000
_LEAST_HIGH: Final = 8
_LEAST_CONFIDENCE: Final = 0.15
# Of all bytes that are no space; French and Vietnamese stay under a quarter.
_MOST_WESTERN: Final = 0.35
_HIGH: Final = bytes(range(0x80, 0x100))
_SPACE: Final = b" \t\r\n"
_WESTERN: Final = frozenset(("ascii", "cp1252", "iso8859-15", "mac-roman", "cp850", "cp437"))
_CYRILLIC: Final = frozenset(("cp1251", "koi8-r", "koi8-u", "iso8859-5", "cp866"))
_SMALL: Final = re.compile("[а-я]")
_CAPITAL: Final = re.compile("[А-Я]")
# A text in capitals alone is rare; one of the other Cyrillic charset looks like that.
_MOST_CAPITALS: Final = 3
_REPLACED: Final = 0.05
# That of UTF-32 begins like that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# More of a text in UTF-16 than this, and than half of what is not Latin in it, looks like two
# letters in one where somebody put the mark before another charset.
_PAIRED: Final = 0.02
_NOT_LATIN: Final = re.compile("[^\x00-\u024f]")
_ESCAPE: Final = b"\x1b$"
_SEQUENCES: Final = (
    (b"\x1b$)C", "iso-2022-kr"),
    (b"\x1b$B", "iso-2022-jp"),
    (b"\x1b$@", "iso-2022-jp"),
)
# What a text in them is hardly without: kana among Chinese letters, Hangul. Of this many letters so
# many are of these.
_EVERYDAY: Final = {
    "iso-2022-jp": (re.compile("[\u3041-\u3096\u30a1-\u30fe]"), 0.05),
    "iso-2022-kr": (re.compile("[\uac00-\ud7a3]"), 0.5),
}
_LETTERS: Final = 100
_NOT_LETTERS: Final = re.compile(r"[\x00-\x7f\W\d_]+")
_META_CHARSET: Final = re.compile(
    rb"<meta\b[^>]{0,200}?\bcharset\s{0,5}=\s{0,5}[\"']?([\w-]{1,40})", re.IGNORECASE
)
_HEAD_OF_PAGE: Final = 2_048
# None of RFC 1468; our codec knows that of half-width kana, too, which makes some of any text.
_RFC_1468: Final = re.compile(rb"\x1b(?!\$[@B]|\([BJ])")


class Detector:
    """Decodes the texts of one message; lives as long as that takes.

    Args:
        most: How often a charset may be guessed.
    """

    __slots__ = ("_left",)

    def __init__(self, most: int) -> None:
        self._left = most

    def decode(self, data: bytes, charset: str) -> tuple[str, bool]:
        """Return `data` as text, and whether it is in the charset that it declares, or in UTF-8.

        An empty `charset` means US-ASCII (RFC 2045 §5.2); old programs meant the charset of their
        country by it, and where that can be guessed the text breaks no promise. Never raises.
        """
        if (shown := _shown_charset(data)) and codec_of(shown) != codec_of(charset):
            text, fits = decode_text(data, shown)
            if fits and _is_written(data, text, shown):
                return text, not charset
        text, fits = decode_text(data, charset)
        if data.isascii() or (fits and not _is_doubtful(data, text, charset)):
            return text, fits
        if not fits and text.count("\ufffd") < len(text) * _REPLACED and "\ufffd" in text:
            # A multi-byte text that was cut or has a broken letter: its charset is true.
            return text, fits
        guess = self._guess(data)
        if guess is None:
            return text, fits
        return data.decode(guess, "replace").encode("utf-8", "replace").decode("utf-8"), not charset

    def _guess(self, data: bytes) -> str | None:
        sample = data[:_SAMPLE]
        high = len(sample) - len(sample.translate(None, _HIGH))
        if high < _LEAST_HIGH or self._left <= 0:
            return None
        self._left -= 1
        # Its models are large, and most mail never needs them.
        import chardet  # noqa: PLC0415

        found = chardet.detect(sample)
        encoding = found["encoding"] or ""
        # It believes the mark of UTF-16, too, and that alone.
        if (found["confidence"] or 0) < _LEAST_CONFIDENCE or encoding.startswith("UTF-16"):
            return None
        return codec_of(encoding)


def _shown_charset(data: bytes) -> str:
    """Return the charset that bytes of no other meaning show; empty where there are none.

    A mark of the order of bytes at the beginning, which browsers believe before any declaration, or
    the sequences by which ISO-2022 changes to Japanese or Korean (RFC 1468, RFC 1557).
    """
    for mark, charset in _MARKS:
        if data.startswith(mark):
            return charset
    if _ESCAPE in data:
        for sequence, charset in _SEQUENCES:
            if sequence in data:
                return charset
    return ""


def _is_written(data: bytes, text: str, charset: str) -> bool:
    """Return whether `text` is such as people write, and `charset` no mere claim of some bytes."""
    if charset in _EVERYDAY:
        return _is_everyday(data, text, charset)
    # Mail readers believe what is declared, and show the words behind a false mark.
    paired = len(_pairs().findall(text))
    return paired <= _PAIRED * len(text) or paired * 2 <= len(_NOT_LATIN.findall(text))


@cache
def _pairs() -> re.Pattern[str]:
    """Return what finds the characters that two bytes of Latin letters, or of others, make."""
    lows = ((0x00, 0x00), (0x09, 0x0D), (0x20, 0x7E))
    # Without bullets and the like, which begin with a space, and without kana.
    highs = [high for high in range(0x21, 0x7F) if high != 0x30]
    pairs = [f"{chr(high << 8 | a)}-{chr(high << 8 | b)}" for high in highs for a, b in lows]
    return re.compile(f"[\u2040-\u207e\ue000-\uf8ff{''.join(pairs)}]")


def _is_everyday(data: bytes, text: str, charset: str) -> bool:
    """Return whether `text` is such as people write, and does not only come of other words.

    One sequence in a comment of HTML makes Chinese letters of all that follows, and mail readers
    believe what is declared: words may be hidden from us like that.
    """
    if charset == "iso-2022-jp" and _RFC_1468.search(data):
        return False
    everyday, least = _EVERYDAY[charset]
    letters = _NOT_LETTERS.sub("", text)
    pieces = [letters[start : start + _LETTERS] for start in range(0, len(letters), _LETTERS)]
    return all(len(everyday.findall(piece)) >= least * len(piece) for piece in pieces)


def _is_doubtful(data: bytes, text: str, charset: str) -> bool:
    codec = codec_of(charset) if charset else "ascii"
    if codec in _WESTERN:
        sample = data[:_SAMPLE].translate(None, _SPACE)
        high = len(sample) - len(sample.translate(None, _HIGH))
        return high > len(sample) * _MOST_WESTERN and not _is_utf8(data)
    if codec in _CYRILLIC:
        sample_text = text[:_SAMPLE]
        capitals = len(_CAPITAL.findall(sample_text))
        return capitals > _LEAST_HIGH + _MOST_CAPITALS * len(_SMALL.findall(sample_text))
    return False


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def charset_of_page(data: bytes) -> str:
    """Return the charset that HTML names in its head (WHATWG HTML, prescan); else nothing."""
    found = _META_CHARSET.search(data, 0, _HEAD_OF_PAGE)
    # Whoever can read it there did not write it in UTF-16.
    named = found[1].decode("ascii") if found else ""
    return "" if named.lower().startswith("utf-16") else named
