"""Language and script of a text.

The script is counted; where it tells the language (kana, hangul, thai) nothing else is asked. For
the others the model of py3langid guesses from a piece of the text; it is loaded when the first text
needs it, which takes about a second.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from py3langid.langid import MODEL_FILE, LanguageIdentifier

if TYPE_CHECKING:
    from collections.abc import Iterable

_SCRIPTS: Final = {
    "Latin": "A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff\uff21-\uff3a\uff41-\uff5a",
    "Cyrillic": "\u0400-\u052f",
    "Greek": "\u0370-\u03ff\u1f00-\u1fff",
    "Han": "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f",
    "Kana": "\u3040-\u30ff\uff66-\uff9d",
    "Hangul": "\u1100-\u11ff\uac00-\ud7af",
    "Arabic": "\u0600-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc",
    "Hebrew": "\u0590-\u05ff",
    "Devanagari": "\u0900-\u097f",
    "Thai": "\u0e00-\u0e7f",
    "Armenian": "\u0530-\u058f",
    "Georgian": "\u10a0-\u10ff",
    "Bengali": "\u0980-\u09ff",
    "Tamil": "\u0b80-\u0bff",
    "Telugu": "\u0c00-\u0c7f",
}
_RUNS: Final = re.compile("|".join(f"(?P<{name}>[{ranges}]+)" for name, ranges in _SCRIPTS.items()))
_ALONE: Final = {
    "Kana": "ja",
    "Hangul": "ko",
    "Greek": "el",
    "Hebrew": "he",
    "Thai": "th",
    "Armenian": "hy",
    "Georgian": "ka",
    "Bengali": "bn",
    "Tamil": "ta",
    "Telugu": "te",
}
# Text by which a language can be told, and no more than is needed.
_LEAST: Final = 20
_MOST: Final = 2_000
# Links and addresses look English whatever the text around them is.
# Tried at the beginning of a word only: else it takes the square of the length where there are no
# blanks, as in Chinese.
_NO_WORDS: Final = re.compile(r"(?<!\S)\S*(?:://|@|www\.)\S*")
_SOME: Final = 0.2


@dataclass(frozen=True, slots=True)
class Language:
    """A guess at the language of a text.

    Attributes:
        language: ISO 639-1 code; empty where the text is too short to tell.
        script: Name of the script that most of its letters are of.
        confidence: From 0 to 1.
    """

    language: str
    script: str
    confidence: float


def languages_of(texts: Iterable[str]) -> tuple[Language, ...]:
    """Return the languages of `texts`, each once, that of the longest text first."""
    found: dict[str, Language] = {}
    for text in sorted(texts, key=len, reverse=True)[:5]:
        guess = language_of(text)
        if guess.script and (guess.language or not found):
            found.setdefault(guess.language, guess)
    return tuple(found.values())


def language_of(text: str) -> Language:
    """Return the language that the beginning of `text` is written in."""
    text = _NO_WORDS.sub(" ", text[: _MOST * 2])[:_MOST]
    counts = scripts_of(text)
    if not counts:
        return Language("", "", 0.0)
    script, count = counts.most_common(1)[0]
    total = sum(counts.values())
    if script == "Han" and counts["Kana"] > total * _SOME / 2:
        script = "Kana"
    if script in _ALONE:
        return Language(_ALONE[script], script, round(count / total, 2))
    if count < (_LEAST if script != "Han" else _LEAST // 4):
        return Language("", script, 0.0)
    if script == "Han":
        return Language("zh", script, round(count / total, 2))
    language, confidence = _model().classify(text)
    return Language(language, script, round(float(confidence), 2))


def scripts_of(text: str) -> Counter[str]:
    """Return how many letters of `text` are of each script."""
    if text.isascii():
        letters = sum(map(str.isalpha, text))
        return Counter({"Latin": letters} if letters else {})
    counts: Counter[str] = Counter()
    for run in _RUNS.finditer(text):
        counts[run.lastgroup or ""] += run.end() - run.start()
    return counts


@cache
def _model() -> Any:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
