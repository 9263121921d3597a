"""Bytes to text by the charset that a message declares (RFC 2045 §5.1, RFC 2978 names).

A closed table of charsets, because a codec is chosen by the sender: among Python's own codecs are
some that take quadratic time (punycode, idna) or are no charsets at all. Where the declared charset
does not hold, UTF-8 is tried, then the charset itself with replacement where it is a multi-byte
one, then Windows-1252, and the caller is told.
"""

from __future__ import annotations

from typing import Final

_NAMES: Final = {
    "ascii": "ascii usascii ansix341968 iso646us",
    "utf-8": "utf8 utf8mb4 unicode11utf8 unicode20utf8 xunicode20utf8",
    "utf-7": "utf7 unicode11utf7 unicode20utf7",
    "utf-16": "utf16 ucs2 iso10646ucs2 unicode",
    "utf-16-le": "utf16le",
    "utf-16-be": "utf16be",
    "utf-32": "utf32",
    "utf-32-le": "utf32le",
    "utf-32-be": "utf32be",
    # Mail that says ISO-8859-1 and uses 0x80 to 0x9F means Windows-1252; readers show it so.
    "cp1252": "iso88591 latin1 l1 windows1252 cp1252 ansi xansi 88591 iso885911987 cp819",
    "iso8859-2": "iso88592 latin2 l2",
    "iso8859-3": "iso88593 latin3",
    "iso8859-4": "iso88594 latin4",
    "iso8859-5": "iso88595 cyrillic",
    "iso8859-6": "iso88596 iso88596i iso88596e arabic",
    "iso8859-7": "iso88597 greek",
    "iso8859-8": "iso88598 iso88598i iso88598e hebrew",
    "cp1254": "iso88599 latin5 windows1254 cp1254 turkish",
    "iso8859-10": "iso885910 latin6",
    "iso8859-13": "iso885913 latin7",
    "iso8859-14": "iso885914 latin8",
    "iso8859-15": "iso885915 latin9",
    "iso8859-16": "iso885916 latin10",
    "cp1250": "windows1250 cp1250 xcp1250",
    "cp1251": "windows1251 cp1251 xcp1251 win1251",
    "cp1253": "windows1253 cp1253",
    "cp1255": "windows1255 cp1255",
    "cp1256": "windows1256 cp1256",
    "cp1257": "windows1257 cp1257",
    "cp1258": "windows1258 cp1258",
    "cp437": "ibm437 cp437",
    "cp850": "ibm850 cp850",
    "cp852": "ibm852 cp852",
    "cp866": "ibm866 cp866 dos866",
    "cp874": "windows874 cp874 tis620 iso885911 xtis620",
    "mac-roman": "macintosh macroman xmacroman mac",
    "mac-cyrillic": "xmaccyrillic maccyrillic",
    "koi8-r": "koi8r koi8",
    "koi8-u": "koi8u koi8ru",
    # Each is a subset of the one that decodes it, and labels are used loosely.
    "gb18030": "gb18030 gbk gb2312 gb231280 xgbk cp936 ms936 windows936 euccn xeuccn cngb",
    "hz": "hz hzgb2312 hzgb",
    "cp950": "big5 cp950 xxbig5 cnbig5 big5eten",
    "big5hkscs": "big5hkscs",
    "cp932": "shiftjis sjis xsjis cp932 mskanji windows31j ms932",
    "euc_jp": "eucjp xeucjp ujis",
    "iso2022_jp_ext": "iso2022jp csiso2022jp iso2022jp1 iso2022jpms",
    "iso2022_jp_2": "iso2022jp2",
    "cp949": "euckr ksc56011987 ksc5601 ksc56011989 cp949 uhc windows949 xwindows949 korean",
    "iso2022_kr": "iso2022kr csiso2022kr",
    "johab": "johab ksc56011992",
}
_CODECS: Final = {name: codec for codec, names in _NAMES.items() for name in names.split()}
_DROP: Final = {code: None for code in range(128) if not chr(code).isalnum()}
# ASCII bytes may mean something else in these, so that plain ASCII must go through the codec.
_NOT_ASCII: Final = frozenset(
    ("utf-7", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "hz")
) | frozenset(("iso2022_jp_ext", "iso2022_jp_2", "iso2022_kr"))
_MULTI_BYTE: Final = _NOT_ASCII | frozenset(
    ("utf-8", "gb18030", "cp950", "big5hkscs", "cp932", "euc_jp", "cp949", "johab")
)
_MAX_NAME: Final = 60


def codec_of(charset: str) -> str | None:
    """Return our codec for the name of a charset; None for one that we do not know."""
    # RFC 2231 §5: a language may follow the charset of an encoded word.
    name = charset[:_MAX_NAME].partition("*")[0]
    return _CODECS.get(name.lower().translate(_DROP))


def decode_text(data: bytes, charset: str) -> tuple[str, bool]:
    """Return `data` as text, and whether the bytes fitted the charset or were UTF-8.

    An empty `charset` means US-ASCII (RFC 2045 §5.2). Never raises.
    """
    codec = codec_of(charset) if charset else "ascii"
    if codec not in _NOT_ASCII and data.isascii():
        return data.decode("ascii"), codec is not None
    if codec is not None and (text := _strict(data, codec)) is not None:
        return text, True
    if (text := _strict(data, "utf-8")) is not None:
        return text, True
    if codec in _MULTI_BYTE:
        return data.decode(codec, "replace").encode("utf-8", "replace").decode("utf-8"), False
    text = _strict(data, "cp1252")
    return data.decode("latin-1") if text is None else text, False


def decode_raw(data: bytes) -> str:
    """Return bytes of a header as text where nothing declares a charset (RFC 6532 §3.2)."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _strict(data: bytes, codec: str) -> str | None:
    try:
        text = data.decode(codec)
    except UnicodeError:
        return None
    # Python's UTF-7 lets lone surrogates through, which no later step can encode again.
    return text.encode("utf-8", "replace").decode("utf-8") if codec == "utf-7" else text
