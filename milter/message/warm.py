"""Loads beforehand what the first message that needs it would else wait for.

The models of charsets take a tenth of a second and those of languages most of a second, once for
each process.
"""

from __future__ import annotations

from typing import Final

from milter.message.detect import Detector
from milter.message.language import language_of

# Says that it is Western and is Chinese (GB 2312), so that the charset has to be guessed.
_MISLABELLED: Final = b"\xc4\xe3\xba\xc3\xa3\xac\xca\xc0\xbd\xe7" * 10


def warm_up(*, languages: bool) -> None:
    """Load the models of charsets, and those of languages where these are asked for."""
    Detector(1).decode(_MISLABELLED, "iso-8859-1")
    if languages:
        language_of("In what language these words are written is of no interest to anybody.")
