"""The table of symbols: what each piece of evidence is called, means and weighs.

Every symbol that a check yields stands in `symbols.yaml`; a policy declares those of its own
patterns and lists. The words are a sentence for the sender, with places that a finding's details
fill. This module reads no file (`loader` does).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from policies.shapes import Form

if TYPE_CHECKING:
    from collections.abc import Mapping

SymbolName = Annotated[str, Form(r"[A-Z][A-Z0-9_]{1,63}", "a name in capitals, such as SPF_FAIL")]
# X.1245 clause 6 sorts rules by what they look at.
SymbolClass = Literal["source", "characteristics", "content"]
Kind = Literal[
    "advertising",
    "phishing",
    "malware",
    "fraud",
    "extortion",
    "adult",
    "pharma",
    "backscatter",
    "botnet",
    "other",
]
StageName = Literal["connect", "helo", "mail", "rcpt", "data", "message"]
# RFC 3463 §2; a symbol only ever gives the code of a permanent refusal.
_Enhanced = Annotated[
    str, Form(r"(5\.[0-9]{1,3}\.[0-9]{1,3})?", "the code of a refusal, such as 5.7.23")
]

# What a sender is told where a pattern or rule has no words of its own.
KIND_WORDS: Final = {
    "advertising": "the message looks like unsolicited advertising",
    "phishing": "the message looks like phishing",
    "malware": "the message looks like a carrier of malware",
    "fraud": "the message looks like fraud",
    "extortion": "the message looks like extortion",
    "adult": "the message looks like adult advertising",
    "pharma": "the message looks like an advertisement for medicines",
    "backscatter": "the message looks like a bounce, perhaps of mail that others sent in your name",
    "botnet": "the message looks like the work of a botnet",
    # Of refused messages and of those that pass alike, and for what a site's own rules are about.
    "other": "the message holds something that is unwanted here",
}
_PLACE: Final = re.compile(r"\{([a-z_]+)\}")
_MAX_DETAIL: Final = 120
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class SymbolSpec:
    """One symbol.

    Attributes:
        name: UPPER_SNAKE.
        words: Sentence for the sender with places such as `{client_ip}`; empty when there is none.
        describe: Words for the admin.
        class_: What it looks at (X.1245 clause 6): source, characteristics or content.
        kind: Kind of spam that it speaks for; empty when none.
        group: Group whose cap and floor hold for it; empty when in none.
        weight: Points where a policy does not say otherwise.
        stage: The stage at which it is known.
        enhanced: RFC 3463 code of a refusal because of it; empty for 5.7.1.
        temporary: Whether it says only that something could not be asked: it never carries a
            message over the threshold of reject, at most to defer.
        direct: Whether no rule or list that allows may lift it.
        allows: Whether it is the word of a list that allows, which lifts neither what is direct nor
            malware.
    """

    name: str
    words: str
    describe: str
    class_: str
    kind: str
    group: str
    weight: float
    stage: str
    enhanced: str = ""
    temporary: bool = False
    direct: bool = False
    allows: bool = False

    @property
    def firm(self) -> bool:
        """Whether nothing that allows may lift it."""
        return self.direct or self.kind == "malware"

    def sentence(self, details: Mapping[str, str]) -> str:
        """Return the words with their places filled; a detail that is missing reads `unknown`.

        Details come from peers: what is not printable, and braces, become `?`, so that they can
        neither break a line nor pose as a place of ours.
        """
        pieces = _pieces(self.words)
        if len(pieces) == 1:
            return pieces[0]
        filled = list(pieces)
        for index in range(1, len(pieces), 2):
            filled[index] = _fit(details.get(pieces[index], "")) or _UNKNOWN
        return "".join(filled)


@lru_cache(maxsize=4096)
def _pieces(words: str) -> tuple[str, ...]:
    """Split into text, place, text, place, text."""
    return tuple(_PLACE.split(words))


def _fit(detail: str) -> str:
    detail = detail if len(detail) <= _MAX_DETAIL else detail[:_MAX_DETAIL] + "..."
    if detail.isprintable() and "{" not in detail and "}" not in detail:
        return detail
    return "".join(c if c.isprintable() and c not in "{}" else "?" for c in detail)


class SymbolEntry(BaseModel):
    """A symbol as `symbols.yaml` writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    describe: str = Field(min_length=1, description="Words for the admin")
    words: str = Field(
        default="", description="Sentence for the sender, with places such as {client_ip}"
    )
    class_: SymbolClass = Field(alias="class", description="What it looks at (X.1245 clause 6)")
    kind: Kind | None = Field(default=None, description="Kind of spam that it speaks for")
    group: str = Field(default="", description="Group whose cap and floor hold for it")
    weight: float = Field(allow_inf_nan=False, description="Points where no policy says otherwise")
    stage: StageName = Field(description="The stage at which it is known")
    enhanced: _Enhanced = Field(default="", description="RFC 3463 code of a refusal because of it")
    temporary: bool = Field(
        default=False, description="Says only that something could not be asked"
    )
    direct: bool = Field(default=False, description="No rule that allows may lift it")

    def spec(self, name: str) -> SymbolSpec:
        """Return the symbol of that name."""
        return SymbolSpec(
            name=name,
            words=self.words,
            describe=self.describe,
            class_=self.class_,
            kind=self.kind or "",
            group=self.group,
            weight=self.weight,
            stage=self.stage,
            enhanced=self.enhanced,
            temporary=self.temporary,
            direct=self.direct,
        )


class SymbolTable(RootModel[dict[SymbolName, SymbolEntry]]):
    """All of `symbols.yaml`."""

    def specs(self) -> dict[str, SymbolSpec]:
        """Return the symbols by name."""
        return {name: entry.spec(name) for name, entry in self.root.items()}
