"""What a file is: by its first bytes, and by its name.

The type that a sender declares is looked at by nobody who opens the file: programs go by the name,
or by the bytes.
"""

from __future__ import annotations

import re
from typing import Final

OLE: Final = "application/x-ole-storage"
ZIP: Final = "application/zip"
EXECUTABLE: Final = "application/x-executable"
HTML: Final = "text/html"
SVG: Final = "image/svg+xml"
PDF: Final = "application/pdf"
RTF: Final = "application/rtf"
ONENOTE: Final = "application/onenote"
SHORTCUT: Final = "application/x-ms-shortcut"
DISK: Final = "application/x-iso9660-image"
SEVEN_ZIP: Final = "application/x-7z-compressed"
CABINET: Final = "application/vnd.ms-cab-compressed"

_MAGIC: Final = (
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"PK\x07\x08PK", ZIP),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
    (b"MZ", EXECUTABLE),
    (b"\x7fELF", EXECUTABLE),
    (b"\xfe\xed\xfa\xce", EXECUTABLE),
    (b"\xfe\xed\xfa\xcf", EXECUTABLE),
    (b"\xcf\xfa\xed\xfe", EXECUTABLE),
    (b"\xca\xfe\xba\xbe", EXECUTABLE),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", SEVEN_ZIP),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"MSCF", CABINET),
    (b"ITSF", "application/vnd.ms-htmlhelp"),
    (b"{\\rt", RTF),
    (b"L\x00\x00\x00\x01\x14\x02\x00", SHORTCUT),
    (b"\xe4\x52\x5c\x7b\x8c\xd8\xa7\x4d", ONENOTE),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "application/ogg"),
    (b"FWS", "application/x-shockwave-flash"),
    (b"CWS", "application/x-shockwave-flash"),
    (b"conectix", DISK),
    (b"vhdxfile", DISK),
    (b"BEGIN:VCARD", "text/vcard"),
    (b"BEGIN:VCALENDAR", "text/calendar"),
    (b"[InternetShortcut]", SHORTCUT),
    (b"#!", "text/x-shellscript"),
)
_RIFF: Final = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
# Phones name such pictures `.jpg`, too.
_HEIF: Final = frozenset((b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis"))
_MARKUP: Final = re.compile(
    rb"\s*+(?:\xef\xbb\xbf)?\s*+(?:<\?xml[^>]{0,200}>\s*+)?(?:<!--[^>]{0,300}>\s*+)*+"
    rb"<(?:(!doctype\s+html|html|head|body|script|meta|iframe|form|title|div|table)|(svg|!doctype\s+svg))[\s>]",
    re.IGNORECASE,
)
_SECTOR: Final = 0x8001

_EXECUTABLE_NAMES: Final = """
exe scr com pif cpl dll msi msp mst msix appx appxbundle msixbundle application gadget jar apk app
dmg pkg sys drv ocx xll wll ppam xlam
"""
_SCRIPT_NAMES: Final = """
js jse vbs vbe wsf wsh wsc sct ps1 psm1 ps1xml psd1 bat cmd hta reg inf scf msc ade adp chm hlp
settingcontent-ms library-ms search-ms appref-ms pyw command vb jnlp
ws msh msh1 msh2 theme themepack diagcab xbap website
"""
_MACRO_NAMES: Final = "docm dotm xlsm xltm xlam pptm potm ppam ppsm sldm xlsb"
# No `bin`: Exchange calls a file without a name `ATT00001.bin`, and nothing opens one as a disk.
_DISK_NAMES: Final = "iso img vhd vhdx udf cue daa"
_HARMLESS_NAMES: Final = """
pdf doc docx xls xlsx ppt pptx odt ods odp rtf txt csv jpg jpeg png gif bmp tif tiff webp mp3 mp4
wav avi mov html htm eml msg ics vcf zip
"""
_ARCHIVE_NAMES: Final = "zip rar 7z gz tgz bz2 tbz xz txz tar cab ace arj lzh z zst uue"
EXECUTABLES: Final = frozenset(_EXECUTABLE_NAMES.split())
SCRIPTS: Final = frozenset(_SCRIPT_NAMES.split())
MACROS: Final = frozenset(_MACRO_NAMES.split())
SHORTCUTS: Final = frozenset(("lnk", "url", "rdp"))
# Zip archives by their names.
ZIPPED: Final = frozenset(("zip", "jar", "docx", "docm", "xlsx", "xlsm", "pptx", "pptm"))
DISKS: Final = frozenset(_DISK_NAMES.split())
ARCHIVES: Final = frozenset(_ARCHIVE_NAMES.split())
HARMLESS: Final = frozenset(_HARMLESS_NAMES.split())
HTMLS: Final = frozenset(("html", "htm", "shtml", "xhtml", "xht", "svg", "mht", "mhtml"))
# What the name promises; bytes of another kind under it are a trick or a mistake.
_PROMISED: Final = {
    "pdf": (PDF,),
    "png": ("image/png",),
    "jpg": ("image/jpeg",),
    "jpeg": ("image/jpeg",),
    "gif": ("image/gif",),
    "docx": (ZIP, OLE),
    "xlsx": (ZIP, OLE),
    "pptx": (ZIP, OLE),
    "doc": (OLE, RTF, ZIP, HTML),
    "xls": (OLE, ZIP, HTML),
    "ppt": (OLE, ZIP),
    "zip": (ZIP,),
}
# A mistake among pictures is of no interest: PNG called JPEG is what half the web is made of.
_PICTURE: Final = "image/"
# Four at each place, not all there are: each start in a long gap would go through the rest of it.
_GAP: Final = re.compile(r"\s{4}[^\s.]*+\.")


def type_by_bytes(head: bytes) -> str:
    """Return the media type that the first bytes of a file show; empty when they show none."""
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12], "")
    if b"%PDF-" in head[:1024]:
        return PDF
    if head[257:262] == b"ustar":
        return "application/x-tar"
    if head[_SECTOR : _SECTOR + 5] == b"CD001":
        return DISK
    if head[4:8] == b"ftyp":
        return "image/heif" if head[8:12] in _HEIF else "video/mp4"
    if markup := _MARKUP.match(head[:2048]):
        return SVG if markup[2] else HTML
    return ""


def extension_of(name: str) -> str:
    """Return what follows the last dot of a file name, in lower case; empty without a dot.

    Space and dots behind it are left out, as Windows leaves them out.
    """
    stem, dot, extension = name.strip().rstrip(". ").rpartition(".")
    return extension.lower()[:30] if dot and stem else ""


def is_doubled(name: str) -> bool:
    """Return whether a name shows a harmless extension before the real one: `a.pdf.exe`."""
    words = name.strip().rstrip(". ").lower().split(".")
    if len(words) < 3:
        return False
    real, shown = words[-1].strip(), words[-2].strip()
    dangerous = real in EXECUTABLES or real in SCRIPTS or real in SHORTCUTS or real in HTMLS
    return dangerous and shown in HARMLESS and shown != real


def is_disguised(name: str) -> bool:
    """Return whether a name hides its end: by marks that turn the direction, or by much space.

    The marks of one direction (U+200E, U+200F) turn nothing: keyboards for Arabic write them.
    """
    return any(mark in name for mark in "\u202e\u202d\u2066\u2067") or bool(_GAP.search(name))


def breaks_promise(extension: str, real_type: str) -> bool:
    """Return whether a file is not of the kind that its extension promises."""
    promised = _PROMISED.get(extension)
    if promised is None or not real_type or real_type in promised:
        return False
    return not (real_type.startswith(_PICTURE) and promised[0].startswith(_PICTURE))
