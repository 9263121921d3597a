"""What policies cost: rules next to plain Python functions, loading, patterns with a prefilter.

    python -m bench.policy [--write]

Every ratio is of figures measured in one run, interleaved; ratios count, absolute figures depend on
the machine.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from random import Random
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from bench.tables import limit_words, markdown, print_table
from policies import prefilter
from policies.engine import PatternSpec
from policies.evaluate import evaluate
from policies.findings import Finding
from policies.loader import load_policies
from policies.patterns import PatternSet
from policies.select import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from policies.compile import Policy

_RESULTS: Final = Path(__file__).resolve().parent / "results" / "policy.md"
_RULES: Final = 300
_PRESENT: Final = 20
_ROUNDS: Final = 60
_EVALUATIONS: Final = 40
_AT_MOST: Final = 5.0
_FACTS: Final[Mapping[str, Any]] = {
    "subject": "You won the lottery",
    "author_domain": "mail.example.net",
    "size_bytes": 20_000,
    "dmarc": {"result": "fail", "policy": "reject"},
    "attachments": [{"extension": "pdf", "size_bytes": 100}, {"extension": "exe"}],
    "connection": {"ip": "192.0.2.7", "port": 25},
}


class _Text:
    def __init__(self, text: str) -> None:
        self._data = text.encode()

    def read(self, path: str) -> bytes:
        return self._data


def _written(count: int) -> str:
    """Return a policy of `count` rules, of the kinds that people write."""
    lines = ["version: 1", "name: bench", "thresholds: {tag: 5, reject: 500}", "patterns:"]
    lines += [
        f"  - {{id: P{n}, in: subject, match: never{n}, weight: 0.1, describe: d}}"
        for n in range(count)
    ]
    lines.append("rules:")
    for n in range(count):
        lines.append(f"  - {{id: R{n}, weight: 0.1, describe: d, when: '{_condition(n)}'}}")
    return "\n".join(lines)


def _condition(n: int) -> str:
    kinds = (
        f'"P{n}" in symbols && dmarc.result != "pass"',
        f'"P{n}" in symbols && subject.contains("won")',
        f'"P{n}" in symbols && attachments.exists(a, a.extension == "exe")',
        f'"P{n}" in symbols || "P{n + 1 if n % 10 != 9 else n}" in symbols',
        f'"P{n}" in symbols && size_bytes > {n}',
        f'("P{n}" in symbols || "P{n - 1}" in symbols) && connection.port == 25',
        f'"P{n}" in symbols && !("P{n - 1}" in symbols)',
        f'"P{n}" in symbols && author_domain.endsWith("example.net")',
        f'"P{n}" in symbols && dmarc.policy == "reject"',
        f'size_bytes > {n * 1000} && subject.startsWith("You {n}")',
    )
    return kinds[n % 10]


_PYTHON: Final = (
    'lambda s, f: "P{n}" in s and f["dmarc"]["result"] != "pass"',
    'lambda s, f: "P{n}" in s and "won" in f["subject"]',
    'lambda s, f: "P{n}" in s and any(a["extension"] == "exe" for a in f["attachments"])',
    'lambda s, f: "P{n}" in s or "P{m}" in s',
    'lambda s, f: "P{n}" in s and f["size_bytes"] > {n}',
    'lambda s, f: ("P{n}" in s or "P{k}" in s) and f["connection"]["port"] == 25',
    'lambda s, f: "P{n}" in s and not "P{k}" in s',
    'lambda s, f: "P{n}" in s and f["author_domain"].endswith("example.net")',
    'lambda s, f: "P{n}" in s and f["dmarc"]["policy"] == "reject"',
    'lambda s, f: f["size_bytes"] > {n} * 1000 and f["subject"].startswith("You {n}")',
)


def _functions() -> list[tuple[str, Callable[[set[str], Mapping[str, Any]], bool]]]:
    """Return the same rules as plain functions."""
    functions = []
    for n in range(_RULES):
        text = _PYTHON[n % 10]
        for place, value in (("{n}", n), ("{m}", n + 1 if n % 10 != 9 else n), ("{k}", n - 1)):
            text = text.replace(place, str(value))
        functions.append((f"R{n}", eval(text)))  # noqa: S307 - our own text, a few lines above
    return functions


def _plain(
    functions: Sequence[tuple[str, Callable[[set[str], Mapping[str, Any]], bool]]],
    weights: Mapping[str, float],
    findings: Sequence[Finding],
) -> tuple[set[str], float]:
    """Return what plain functions find, and the points."""
    symbols = {finding.symbol for finding in findings}
    found = {name for name, function in functions if function(symbols, _FACTS)}
    return found, sum(weights.get(symbol, 0.0) for symbol in symbols | found)


def _policy(count: int) -> Policy:
    policies = load_policies(_Text(_written(count)), "bench.yaml")
    return policies.select(Context("inbound", "inbound"), None)


def _spent(action: Callable[[], object], times: int) -> float:
    """Return microseconds of CPU for one call."""
    started = time.process_time()
    for _ in range(times):
        action()
    return (time.process_time() - started) / times * 1e6


def rules() -> tuple[list[list[str]], bool]:
    """Return the row of rules next to functions, and whether the limit is kept."""
    policy, functions = _policy(_RULES), _functions()
    present = Random(1).sample(range(_RULES), _PRESENT)  # noqa: S311 - which ones is no secret
    findings = [Finding(f"P{n}") for n in present]
    found = {finding.symbol for finding in evaluate(policy, findings, _FACTS).found}
    assert found == _plain(functions, policy.weights, findings)[0], "the two differ"
    ours, plain = [], []
    for _ in range(_ROUNDS):
        ours.append(_spent(lambda: evaluate(policy, findings, _FACTS), _EVALUATIONS))
        plain.append(_spent(lambda: _plain(functions, policy.weights, findings), _EVALUATIONS))
    # Other programs on the machine only ever add to what code costs, so the least is what it costs.
    ratio = min(ours) / min(plain)
    row = [
        f"{_RULES} rules, {_PRESENT} symbols",
        f"{min(ours):.0f}",
        f"{min(plain):.0f}",
        f"{ratio:.2f}",
        limit_words(ratio, _AT_MOST),
    ]
    return [row], ratio <= _AT_MOST


def loading() -> list[list[str]]:
    """Return what loading costs for each rule, for small and large policies."""
    rows = []
    for count in (300, 1000, 5000):
        text = _Text(_written(count))
        spent = [_spent(lambda t=text: load_policies(t, "b.yaml"), 1) for _ in range(3)]  # type: ignore[misc]  # a default argument of a lambda
        rows.append([f"{count}", f"{min(spent) / 1e6:.2f}", f"{min(spent) / count:.0f}"])
    return rows


def patterns() -> list[list[str]]:
    """Return what matching costs by RE2 alone and behind a prefilter."""
    texts = [
        (f"word{n} (to|for) .{{0,20}}thing{n}", f"buy{n} now", f"[0-9]{{3}} offer{n}")[n % 3]
        for n in range(_RULES)
    ]
    specs = [PatternSpec(f"P{n}", "body", text) for n, text in enumerate(texts)]
    alone, behind = PatternSet.compile(specs), PatternSet.compile(specs)
    started = time.process_time()
    data = prefilter.build("body", behind.written()["body"])
    compiled = time.process_time() - started
    ready = prefilter.load(data)
    assert ready is not None, "no prefilter on this machine"
    behind.arm("body", ready)
    body = "It was a fine day and we talked of many things, word7 for a thing7. " * 300
    assert alone.match(lambda _: body) == behind.match(lambda _: body), "the two differ"
    pairs = [
        (
            _spent(lambda: alone.match(lambda _: body), 3),
            _spent(lambda: behind.match(lambda _: body), 30),
        )
        for _ in range(5)
    ]
    ratio = median(one / other for one, other in pairs)
    return [
        [
            f"{_RULES} patterns, {len(body) // 1000} KB",
            f"{median(p[0] for p in pairs):.0f}",
            f"{median(p[1] for p in pairs):.0f}",
            f"{ratio:.0f}",
            f"{compiled:.1f} s, {len(data) // 1000} KB",
        ]
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write where asked; 1 where the limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write bench/results/policy.md")
    write: bool = parser.parse_args(arguments).write
    by_rules, kept = rules()
    tables = (
        ("Rules", ("policy", "us a message", "functions, us", "ratio", "at most"), by_rules),
        ("Loading", ("rules and patterns, each", "s of CPU", "us each"), loading()),
        ("Patterns", ("body", "RE2, us", "behind Hyperscan, us", "times", "compiled"), patterns()),
    )
    console = Console()
    text = "# What policies cost\n\n`python -m bench.policy --write`. Ratios count.\n"
    for title, head, rows in tables:
        console.print(title)
        print_table(console, head, rows)
        text += f"\n## {title}\n\n{markdown(head, rows)}"
    if write:
        _RESULTS.write_text(text, "utf-8")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
