"""Domain names as text, in the one spelling in which they are compared (RFC 5890 §2.3.2.1).

What is not ASCII is mapped as mail clients and browsers map it: UTS 46, not transitional, with the
bidi rule of RFC 5893. Python's own codec has the mapping of 2003, which makes another name of some.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Final

import idna

# No name has longer ones (RFC 1035 §2.3.4), and Unicode work on them is not cheap.
_MAX_NAME: Final = 1_000
_MAX_LABEL: Final = 255


def domain_key(domain: str) -> str:
    """Return `domain` for comparing: lower case, A-labels, no final dot.

    A name that cannot be written in A-labels stays as it is, so that it equals only itself.
    """
    key = domain.rstrip(".").lower()
    if key.isascii() or len(key) > _MAX_NAME:
        return key
    return (domain_to_ascii(key) or key).rstrip(".")


@lru_cache(maxsize=4096)
def domain_to_ascii(domain: str) -> str | None:
    """Return `domain` in A-labels by UTS 46 as WHATWG 3.3 asks for it; None on failure.

    Hyphens and lengths are not checked, the bidi rule and joiners are; not transitional.
    """
    try:
        mapped = idna.uts46_remap(domain, std3_rules=False, transitional=False)
    except (idna.IDNAError, UnicodeError):
        return None
    # Some characters map to others that the mapping would change again.
    labels = unicodedata.normalize("NFC", mapped).split(".")
    encoded = []
    unicode_labels = []
    for label in labels:
        pair = _label(label)
        if pair is None:
            return None
        encoded.append(pair[0])
        unicode_labels.append(pair[1])
    return ".".join(encoded) if _bidi_holds(unicode_labels) else None


def _label(label: str) -> tuple[str, str] | None:
    """Return the A-label and the U-label of one label in lower case; None if it is not valid."""
    if len(label) > _MAX_LABEL:
        return None
    if label.startswith("xn--"):
        return _decoded_label(label)
    if label.isascii():
        return label, label
    if not _valid(label):
        return None
    return "xn--" + label.encode("punycode").decode("ascii"), label


def _decoded_label(label: str) -> tuple[str, str] | None:
    try:
        decoded = label[4:].encode("ascii").decode("punycode")
        again = decoded.encode("punycode").decode("ascii")
    except (UnicodeError, ValueError, OverflowError):
        return None
    # An A-label that says what ASCII could have said, or says it in another way, is refused.
    if not decoded or decoded.isascii() or again != label[4:] or not _valid(decoded):
        return None
    return label, decoded


def _valid(label: str) -> bool:
    """Return whether the U-label holds by UTS 46 section 4.1, hyphens not checked."""
    if label.startswith("xn--") or not unicodedata.is_normalized("NFC", label):
        return False
    if unicodedata.category(label[0])[0] == "M":
        return False
    try:
        if idna.uts46_remap(label, std3_rules=False, transitional=False) != label:
            return False
        # RFC 5892, appendix A.1 and A.2: joiners only where scripts need them.
        return all(
            idna.valid_contextj(label, place)
            for place, character in enumerate(label)
            if character in "\u200c\u200d"
        )
    except (idna.IDNAError, UnicodeError, ValueError):
        return False


def _bidi_holds(labels: list[str]) -> bool:
    """Return whether the bidi rule holds (RFC 5893 §2), if any label is written right to left."""
    wide = [label for label in labels if not label.isascii()]
    if not any(unicodedata.bidirectional(c) in ("R", "AL", "AN") for label in wide for c in label):
        return True
    try:
        return all(idna.check_bidi(label, check_ltr=True) for label in labels if label)
    except idna.IDNAError:
        return False
