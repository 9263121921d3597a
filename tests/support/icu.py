"""The table of look-alike letters, made anew from ICU's copy of Unicode's confusables (UTS 39).

.venv/bin/python -m tests.support.icu > milter/message/text/confusables.tsv
"""

from __future__ import annotations

import ctypes
import ctypes.util
import re
import sys
import unicodedata
from typing import Any


def library() -> tuple[Any, str] | None:
    """Return ICU's library and the suffix of its functions; None where it is not installed."""
    name = ctypes.util.find_library("icui18n")
    match = re.search(r"\.so\.(\d+)", name or "")
    if name is None or match is None:
        return None
    return ctypes.CDLL(name), f"_{match[1]}"


def unicode_version() -> str:
    """Return the version of Unicode that ICU's data is of."""
    found = library()
    assert found is not None
    icu, suffix = found
    version = (ctypes.c_uint8 * 4)()
    getattr(icu, f"u_getUnicodeVersion{suffix}")(version)
    return ".".join(str(number) for number in version[:3])


def made_table() -> list[tuple[str, str]]:
    """Return each letter that survives folding and looks like letters a to z, with those."""
    found = library()
    assert found is not None
    icu, suffix = found
    error = ctypes.c_int(0)
    opener = getattr(icu, f"uspoof_open{suffix}")
    opener.restype = ctypes.c_void_p
    checker = ctypes.c_void_p(opener(ctypes.byref(error)))
    skeleton = getattr(icu, f"uspoof_getSkeletonUTF8{suffix}")
    buffer = ctypes.create_string_buffer(200)
    rows: dict[str, str] = {}
    capitals: dict[str, str] = {}
    for code in range(0x80, 0x20000):
        letter = chr(code)
        small = folded(letter)
        if unicodedata.category(letter)[0] != "L" or len(small) != 1 or small.isascii():
            continue
        source = letter.encode()
        length = skeleton(checker, 0, source, len(source), buffer, len(buffer), ctypes.byref(error))
        looks = folded(buffer.raw[:length].decode("utf-8", "replace"))
        if looks != small and re.fullmatch("[a-z]{1,2}", looks):
            (rows if small == letter else capitals)[small] = looks
    # What looks alike in capitals alone is taken too: folding has made small letters of them.
    return sorted({**capitals, **rows}.items())


def folded(text: str) -> str:
    """Return `text` folded, without marks."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in plain if unicodedata.category(c) != "Mn")


if __name__ == "__main__":
    sys.stdout.write(
        f"# Look-alikes of a to z, Unicode {unicode_version()} (confusables.txt, UTS 39)\n"
    )
    sys.stdout.write("# Made by tests/support/icu.py; Copyright Unicode, Inc., Unicode-3.0\n")
    for left, right in made_table():
        sys.stdout.write(f"{left}\t{right}\n")
