"""Chooses the points of symbols that ask nobody, fitted on the corpus `spamassassin`.

    python -m bench.weights [--write]

Every message is judged as `gatepost scan --offline` does it. What was found becomes a table of
symbols by message, and a logistic regression says what each is worth: points such that spam reaches
`tag` (5) and ham does not. A symbol is held to its points of before where the corpus says little of
it, a wanted message counts as much as ten unwanted ones, and none may speak for wanted mail or
reach `tag` alone. Symbols that are seen in less than `LEAST` messages of spam keep their points.

`--leave-out` says what such points are worth on mail that they were not chosen on: for each corpus
they are fitted on all the others, and that one is judged with them; corpora that share messages are
left out together. The table goes into bench/results/leave-one-out.md.
`--write` puts the points into `policies/symbols.yaml` and `policies/rules`, and the table into
bench/results/weights.md.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from rich.console import Console

from bench.caught import judged_corpus, prepared
from bench.measure import machine
from bench.tables import markdown, print_table
from policies.loader import FileSource, read_policy
from policies.scoring import bound
from tests.support.corpora import CORPORA

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.caught import Seen
    from policies.compile import Policy

LEAST: Final = 12
TAG: Final = 5.0
# Below `tag`, whatever the corpus says: no single symbol marks a message.
MOST: Final = 3.5
_HAM_COUNTS: Final = 10.0
_STEEPNESS: Final = 1.3
_HELD: Final = 1.0
_STEPS: Final = 600
_ROUND: Final = 10
_FEWEST: Final = 0.1
# Kept as they are: what mail of 2002 cannot tell of, for it knew hardly any phishing; and bytes
# that are not ASCII, for which it would punish whoever writes in another alphabet. Since then every
# lawful newsletter says why it comes, what things cost and how to be removed, every firm has a
# toll-free number, and its mail is HTML whose links a service counts. The corpus has little of what
# offices and firms send: mail marked urgent, formal letters, what forms on pages hold, mail to a
# person by a name that is the mailbox, too. And lists of today make ids of their own names.
_KEPT: Final = re.compile(
    r"GTUBE|ATTACHMENT_|MESSAGE_LIMIT|LOOKALIKE_|FROM_(?!IS)|LINK_TEXT_MISMATCH|LINKS_"
    r"|CHARSET_UNDECODABLE|HEADER_8BIT|MIME_MALFORMED|EN_REMOVE_ME|PRIORITY_HIGH|SUBJECT_NAMES_MAILBOX"
    r"|MESSAGE_ID_RECIPIENT|ANY_REMOVE_LINK|ANY_MONEY_SUBJECT"
    r"|ANY_PICTURES_ELSEWHERE|EN_BILL_WITH_PHONE"
    r"|EN_(?:TOLL_FREE|YOU_OPTED_IN|DEAR_SIR|BEST_TIME_TO_CALL|MERCHANT_ACCOUNT|FORM_MAIL)"
)
_GROUPS: Final = frozenset({"headers", "mailer", "html", "links", "text", "words", "made", "bulk"})
_POLICIES: Final = Path(__file__).resolve().parents[1] / "policies"
HEAD: Final = ("symbol", "in spam", "in ham", "points before", "points")


@dataclass(frozen=True, slots=True)
class Fitted:
    """What the corpus says of one symbol: messages that bear it, points before and after."""

    symbol: str
    spam: int
    ham: int
    before: float
    points: float

    @property
    def row(self) -> tuple[str, ...]:
        return (
            *(self.symbol, str(self.spam), str(self.ham)),
            *(f"{self.before:g}", f"{self.points:g}"),
        )


def free_symbols(seen: Sequence[Seen]) -> list[str]:
    """Return the symbols whose points the corpus may choose."""
    policy = read_policy(FileSource()).policies.all_single()[0]
    counts = Counter(symbol for each in seen if each.spam for symbol in each.symbols)
    return sorted(
        name
        for name, spec in policy.symbols.items()
        if spec.group in _GROUPS
        and spec.weight > 0
        and counts[name] >= LEAST
        and not _KEPT.match(name)
    )


def fit(found: np.ndarray, spam: np.ndarray, fixed: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return the points of each column of `found`.

    Args:
        found: A row for each message, a column for each symbol, 1 where it was found.
        spam: Whether each message is spam.
        fixed: What other symbols add to each message.
        before: The points that they are held to.
    """
    points = before.copy()
    counts = np.where(spam, 1.0, _HAM_COUNTS)
    # The slope of the logistic function is a quarter at most, which bounds the step.
    step = 1 / (_STEEPNESS**2 * float(counts @ found.sum(1) ** 1.0) / found.sum(1).mean() / 4 + 1)
    moving = np.zeros_like(points)
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-_STEEPNESS * (found @ points + fixed - TAG)))
        slope = _STEEPNESS * (found.T @ (counts * (chance - spam))) + _HELD * (points - before)
        moving = 0.9 * moving - step * slope
        points = np.clip(points + moving, _FEWEST, MOST)
    return np.round(points * _ROUND) / _ROUND


def fitted(seen: Sequence[Seen]) -> list[Fitted]:
    """Return what the corpus says of each symbol that it may choose the points of."""
    policy = read_policy(FileSource()).policies.all_single()[0]
    names = free_symbols(seen)
    index = {name: column for column, name in enumerate(names)}
    found = np.zeros((len(seen), len(names)))
    fixed = np.zeros(len(seen))
    for row, each in enumerate(seen):
        for symbol in each.symbols:
            if symbol in index:
                found[row, index[symbol]] = 1
            else:
                fixed[row] += policy.weights.get(symbol, 0)
    spam = np.array([each.spam for each in seen])
    before = np.array([prior(name, policy.weights[name]) for name in names])
    points = fit(found, spam, fixed, before)
    return [
        Fitted(name, int(found[spam, i].sum()), int(found[~spam, i].sum()), before[i], points[i])
        for i, name in enumerate(names)
    ]


def prior(name: str, weight: float) -> float:
    """Return the points that `name` is held to: those from before the table was written."""
    return _BEFORE.get(name, weight)


def _table_before() -> Mapping[str, float]:
    page = Path("bench/results/weights.md")
    if not page.exists():
        return {}
    rows = re.findall(r"^\| `?(\w+)`? \| \d+ \| \d+ \| ([\d.]+) \|", page.read_text("utf-8"), re.M)
    return {name: float(before) for name, before in rows}


_BEFORE: Final = _table_before()


# More than half of the one stands in the other.
_TWINS: Final = frozenset({"spamassassin", "csdmc2010"})
LEFT_OUT_HEAD: Final = ("left out", "spam", "caught %", "as shipped", "ham", "wrong", "as shipped")


def points_of(policy: Policy, weights: Mapping[str, float], symbols: Iterable[str]) -> float:
    """Return what `symbols` add up to with these weights, the bounds of groups applied."""
    sums: dict[str, float] = {}
    for symbol in symbols:
        if weight := weights.get(symbol, 0.0):
            group = policy.symbols[symbol].group
            sums[group] = sums.get(group, 0.0) + weight
    return sum(bound(total, policy.groups.get(group)) for group, total in sums.items())


def left_out(corpora: Mapping[str, Sequence[Seen]]) -> list[tuple[str, ...]]:
    """Return a row for each corpus, judged with points fitted on the others."""
    policy = read_policy(FileSource()).policies.all_single()[0]
    rows: list[tuple[str, ...]] = []
    for name, seen in corpora.items():
        kin = _TWINS if name in _TWINS else {name}
        others = [each for other, rest in corpora.items() if other not in kin for each in rest]
        weights = {**policy.weights, **{each.symbol: each.points for each in fitted(others)}}
        spam = [each.symbols for each in seen if each.spam]
        ham = [each.symbols for each in seen if not each.spam]
        rows.append(
            (
                *(name, str(len(spam)), *_marked(policy, weights, spam, percent=True)),
                *(str(len(ham)), *_marked(policy, weights, ham, percent=False)),
            )
        )
    return rows


def _marked(
    policy: Policy,
    weights: Mapping[str, float],
    mails: Sequence[Iterable[str]],
    *,
    percent: bool,
) -> tuple[str, str]:
    """Return how many of `mails` reach `tag` with `weights`, and with those that are shipped."""
    counts = [
        sum(round(points_of(policy, chosen, symbols), 2) >= TAG for symbols in mails)
        for chosen in (weights, policy.weights)
    ]
    if not mails:
        return "-", "-"
    shown = [f"{100 * count / len(mails):.2f}" if percent else str(count) for count in counts]
    return shown[0], shown[1]


def write_points(points: Mapping[str, float]) -> None:
    """Write the points into the files that symbols and rules stand in, and change nothing else."""
    for path in (_POLICIES / "symbols.yaml", *sorted((_POLICIES / "rules").glob("*.yaml"))):
        text, name, lines = path.read_text("utf-8"), "", []
        for line in text.splitlines(keepends=True):
            if heading := re.match(r"(?:    - id: )?([A-Z][A-Z0-9_]+):?\n", line):
                name = heading[1]
            weight = re.match(r" +weight: ", line) if name in points else None
            lines.append(f"{weight[0]}{points[name]:g}\n" if weight else line)
        path.write_text("".join(lines), "utf-8")


def leave_out() -> None:
    """Judge every corpus with points that were fitted on the others, and write the table."""
    pipeline = prepared()
    corpora = {name: asyncio.run(judged_corpus(pipeline, name)) for name in CORPORA}
    rows = left_out(corpora)
    print_table(Console(width=120), LEFT_OUT_HEAD, rows)
    Path("bench/results/leave-one-out.md").write_text(
        "# Points fitted on all corpora but one, and what they are worth on that one\n\n"
        f"`python -m bench.weights --leave-out`, {machine()}.\n"
        "How they are fitted: the head of `bench/weights.py`. Beside each figure stands what the\n"
        "points that are shipped come to, which were fitted on `spamassassin`. The wording of\n"
        "rules is the same for both; some of it was settled with all corpora in view.\n\n"
        + markdown(LEFT_OUT_HEAD, rows),
        "utf-8",
    )


def main() -> None:
    """Fit, print, and write where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--leave-out", action="store_true")
    arguments = parser.parse_args()
    if arguments.leave_out:
        leave_out()
        return
    seen = asyncio.run(judged_corpus(prepared(), "spamassassin"))
    found = fitted(seen)
    rows = [each.row for each in sorted(found, key=lambda each: (-each.points, each.symbol))]
    print_table(Console(width=120), HEAD, rows)
    if arguments.write:
        write_points({each.symbol: each.points for each in found})
        Path("bench/results/weights.md").write_text(
            "# Points chosen on mail\n\n"
            "`python -m bench.weights --write`, fitted on the corpus spamassassin; "
            "how: the head of `bench/weights.py`.\n"
            "In spam and in ham: messages that bear the symbol, of 1,896 and 4,150.\n\n"
            + markdown(HEAD, rows),
            "utf-8",
        )


if __name__ == "__main__":
    main()
