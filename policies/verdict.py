"""The decision about one message under one policy, with its trace."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from policies.findings import with_reasons

if TYPE_CHECKING:
    from policies.findings import Finding, Reasons


class Action(IntEnum):
    """What is done, in the order of severity (X.1240 clauses 7.15-7.19); discard only by name."""

    PASS = 0
    TAG = 1
    QUARANTINE = 2
    DEFER = 3
    REJECT = 4
    DISCARD = 5

    @property
    def word(self) -> str:
        """The word that configuration, headers, logs and metrics use."""
        return _WORDS[self]

    @property
    def refuses(self) -> bool:
        """Whether the recipient does not get the message."""
        return self >= Action.DEFER


# The names of an enumeration are worked out each time that they are read.
_WORDS: Final = tuple(action.name.lower() for action in Action)


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one symbol added to the score.

    Attributes:
        symbol: The symbol.
        weight: Points as configured for this policy.
        counted: Points that reached the score, after the cap of the group.
        group: Name of the group, empty when in none.
        evidence: From the finding.
        description: Words for people, from `symbols.yaml` or the policy.
        words: The sentence for the sender, places filled; empty when the symbol has none to say.
        kind: Kind of spam, empty when none.
        enhanced: RFC 3463 code that fits a refusal because of it, such as 5.7.23; empty for 5.7.1.
        reasons: From the finding: worked out only when somebody reads them.
        step: What the trace says of it.
    """

    symbol: str
    weight: float
    counted: float
    group: str = ""
    evidence: str = ""
    description: str = ""
    words: str = ""
    kind: str = ""
    enhanced: str = ""
    reasons: Reasons | None = field(default=None, compare=False, repr=False)
    step: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", f"{self.symbol} {self.counted:+g}")

    @property
    def told(self) -> str:
        """The evidence with its reasons: for whoever reads it, and not before."""
        return with_reasons(self.evidence, self.reasons)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The SMTP reply of a defer or reject; `{txn_id}` in the text is filled by the door."""

    code: int
    enhanced: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision about one message under one policy.

    Attributes:
        action: What to do.
        score: Sum of what counted, rounded to two digits.
        required: The lowest threshold that marks or refuses; what `X-Spam-Status` calls required.
        policy: Name of the policy, overrides that applied included.
        reason: Why, in words; empty when nothing spoke against the message.
        contributions: Every symbol that the policy counts, heaviest first, then by name.
        refusal: The reply, for defer and reject; None otherwise.
        subject_prefix: Text to put before Subject, or None.
        force_subject: Whether that is done even where a valid signature covers Subject.
        redirect_to: Address that a quarantined message goes to instead, or None; of a refusal,
            where it goes should it be quarantined.
        headers: Whether result headers are written at all (`monitor` writes none).
        explained: Whether the explanation is written there, too.
        kind: Kind of spam that most points speak for, empty when none.
        trace: The steps that led here, a sentence each.
        rule: What decided: the rule whose action it is, or the heaviest symbol without which it
            would be less; empty where nothing did.
        found: Findings of the policy's rules.
    """

    action: Action
    score: float
    required: float
    policy: str
    reason: str = ""
    contributions: tuple[Contribution, ...] = ()
    refusal: Refusal | None = None
    subject_prefix: str | None = None
    force_subject: bool = False
    redirect_to: str | None = None
    headers: bool = True
    explained: bool = False
    kind: str = ""
    trace: tuple[str, ...] = ()
    rule: str = ""
    found: tuple[Finding, ...] = ()
