"""One form for each letter: compatibility forms undone (NFKC), no case, nothing that is not seen.

Most texts beyond ASCII have a handful of such signs, quotes and accents; these are exchanged one by
one. Only where characters may combine with their neighbours is the whole text gone through.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final

# Default ignorable code points (Unicode, DerivedCoreProperties) that turn up in mail: soft hyphens,
# joiners, marks of direction, fillers, selectors of variants, tags. And controls, which browsers
# draw nothing for, nor for the place of an object.
UNSEEN: Final = re.compile(
    "[\u0080-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# Blocks of which no character combines with one before it, neither as it is nor folded: Latin
# letters, punctuation and symbols, selectors of variants, emoji.
ALONE: Final = "\u0080-\u02ff\u2000-\u20cf\u2100-\u2bff\ufe00-\ufe0f\ufeff\U0001f000-\U0001faff"
_ALL_ALONE: Final = re.compile(f"[{ALONE}]*+")
# What is forced to run from right to left, up to the mark or the line that ends it.
_RIGHT_TO_LEFT: Final = "\u202e"
_BACKWARDS: Final = re.compile("\u202e([^\n\u2028-\u202e\u2066-\u2069]{0,2000}+)\u202c?")
_ASCII: Final = bytes(range(0x80))
# But for those that are space.
_CONTROLS: Final = bytes(code for code in (*range(0x20), 0x7F) if code not in range(0x09, 0x0E))
# Signs that stand for a sentence: 18 and 8 letters for three bytes of mail.
_PHRASES: Final = re.compile("[\ufdfa\ufdfb]")
_MOST_PHRASES: Final = 1_000
# Kinds of characters that are exchanged one by one, for each is a pass over the text.
MOST_KINDS: Final = 32


def folded(text: str) -> str:
    """Return `text` in compatibility form (NFKC) and without case, unseen marks removed."""
    text = _without_controls(text)
    if text.isascii():
        return text.lower()
    text = without_heaps(text)
    beyond = beyond_ascii(text)
    if _RIGHT_TO_LEFT in beyond:
        text = _BACKWARDS.sub(lambda match: match[1][::-1], text)
        beyond = beyond_ascii(text)
    if _ALL_ALONE.fullmatch(beyond) and len(kinds := set(beyond)) <= MOST_KINDS:
        data = text.encode("utf-8")
        for sign in kinds:
            written, form = _form(sign)
            if form != written:
                data = data.replace(written, form)
        return data.lower().decode("utf-8")
    return _as_a_whole(UNSEEN.sub("", text) if UNSEEN.search(beyond) else text)


def without_heaps(text: str) -> str:
    """Return `text`, without the signs that stand for a sentence where nobody wrote so many.

    Else a message would grow to six times its size when it is folded.
    """
    many = text.count("\ufdfa") + text.count("\ufdfb") > _MOST_PHRASES
    return _PHRASES.sub("", text) if many else text


def beyond_ascii(text: str) -> str:
    """Return the characters of `text` beyond ASCII: to look for them there is cheap."""
    data = text.encode("utf-8", "surrogatepass")
    return data.translate(None, _ASCII).decode("utf-8", "surrogatepass")


def _without_controls(text: str) -> str:
    data = text.encode("utf-8", "surrogatepass")
    seen = data.translate(None, _CONTROLS)
    return text if len(seen) == len(data) else seen.decode("utf-8", "surrogatepass")


@cache
def _form(sign: str) -> tuple[bytes, bytes]:
    """Return a character of `ALONE` and what it is folded to, in UTF-8."""
    form = "" if UNSEEN.match(sign) else _as_a_whole(sign)
    return sign.encode("utf-8"), form.encode("utf-8")


def _as_a_whole(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold()
    # Casefolding can leave what composes again.
    return unicodedata.normalize("NFKC", text)
