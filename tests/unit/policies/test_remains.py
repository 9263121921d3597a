"""No mistake hides another one, in one file and over several."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.unit.policies.policy_files import Files, mistakes, mistakes_in

_CORPUS: Final = Path(__file__).parents[2] / "corpus" / "policy_mistakes"
_REFUSED: Final = sorted(
    path.name
    for path in _CORPUS.glob("*.yaml")
    if ": error: " in path.with_suffix(".expected").read_text("utf-8")
)
# These are not YAML, so that nothing else of them can be told.
_NOT_YAML: Final = {
    *("yaml-missing-colon", "yaml-tab", "yaml-two-documents", "yaml-unclosed-bracket"),
    *("yaml-unclosed-quote", "yaml-wrong-indent", "yaml-list-for-a-mapping"),
    *("yaml-apostrophe-in-single-quotes", "yaml-bracket-without-quotes"),
    *("yaml-double-quotes-inside-double-quotes", "yaml-exclamation-mark-without-quotes"),
    *("yaml-greater-than-without-quotes", "yaml-indented-too-far", "yaml-percent-without-quotes"),
    "yaml-star-without-quotes",
    # A colon in a condition that is not quoted.
    "rule-condition-without-quotes",
    # It has a `slow` of its own.
    "policy-slow-too-long",
}


class _WithOneMore:
    """The files of the corpus, with one more mistake at the end of one of them."""

    def __init__(self, name: str, more: str) -> None:
        self._name, self._more = name, more

    def read(self, path: str) -> bytes:
        data = Files(
            {p.name: p.read_bytes() for p in _CORPUS.iterdir() if p.suffix != ".expected"}
        ).read(path)
        return data.rstrip() + self._more.encode() if path == self._name else data


@pytest.mark.parametrize("name", [n for n in _REFUSED if Path(n).stem not in _NOT_YAML])
def test_no_mistake_of_the_corpus_hides_another_one_nor_brings_one(name: str) -> None:
    before = mistakes_in(_WithOneMore(name, "\n"), name)

    after = mistakes_in(_WithOneMore(name, "\nslow: {connect: soon, secs: 3}\n"), name)

    assert [each for each in after if each in before] == before
    assert [each.partition(" ")[2] for each in after if each not in before] == [
        "`connect` needs a number, not 'soon'",
        "unknown key `secs`: did you mean `seconds`?",
    ]


def test_mistakes_of_every_kind_are_told_at_once() -> None:
    text = """
    weight: {SPF_FAIL: 3}
    thresholds: {tag: 8, reject: 5}
    patterns: [{id: WON, in: subject, match: 'won (', describe: d, weight: 1}]
    rules: [{id: RR, when: 'dmarc.reslt == "pass"', weight: 1, describe: d}]
    """

    assert mistakes(text) == [
        "site.yaml:3:1: unknown key `weight`: did you mean `weights`?",
        "site.yaml:4:30: `reject` (5) is lower than `tag` (8), which is milder",
        "site.yaml:5:47: a parenthesis is opened and not closed",
        "site.yaml:6:31: `dmarc` has no field `reslt`: did you mean `result`?",
    ]


def test_thresholds_out_of_order_are_told_where_they_are_said_and_once() -> None:
    text = """
    thresholds: {tag: 8, reject: 5}
    overrides:
      - {match: {recipient: a@example.org}, thresholds: {quarantine: null}}
      - {match: {recipient: b@example.org}, thresholds: {tag: 7}}
    """

    assert mistakes(text) == [
        "site.yaml:3:30: `reject` (5) is lower than `tag` (8), which is milder",
        "site.yaml:6:59: `reject` (5) is lower than `tag` (7), which is milder",
    ]


def test_mistakes_of_all_files_are_told_at_once() -> None:
    said = mistakes(
        "extends: base.yaml\nrules_packs: [own.yaml]\nlists: {l: {file: names.txt}}\n"
        'rules: [{id: RR, when: \'"PACKED" in symbols && "BASD" in symbols\', weight: 1}]\n'
        "shadow: [{policy: next.yaml, until: 2027-01-31}]",
        base_yaml="version: 1\nname: base\nearly: {connected: 3}\n"
        "rules: [{id: BASED, when: 'score >', action: tag}]",
        own_yaml="version: 1\nlanguage: any\nabout: a\ncap: 1\nsource: {other: ["
        "{id: PACKED, when: 'score', describe: d, source: s, wait: 1}]}",
        next_yaml="version: 1\nname: next\nthresholds: {tag: x}",
        **{"names.txt": "fine.example\nnot a name\n"},
    )

    assert [each.split(" ")[0] for each in said] == [
        *("base.yaml:3:9:", "base.yaml:4:35:", "names.txt:2:1:", "next.yaml:3:19:"),
        *["own.yaml:5:18:"] * 3,
        *("own.yaml:5:37:", "own.yaml:5:70:", "site.yaml:6:49:"),
    ]


def test_what_a_broken_part_declares_is_not_unknown_elsewhere() -> None:
    text = """
    patterns: [{id: WON, in: subject, match: won, describe: d, wait: 1, group: win}]
    rates: [{id: FAST, per: client_ip, limit: 3}]
    lists: {friends: none}
    groups: {win: {cap: 2}}
    rules:
      - {id: RR, when: '"WON" in symbols || "FAST" in symbols', weight: 1, describe: d}
      - {id: SS, when: 'in_list(author_domain, "friends")', weight: 1, describe: d}
    """

    assert not [each for each in mistakes(text) if "there is no" in each or "no symbol" in each]


def test_where_a_file_is_missing_no_name_is_called_unknown() -> None:
    text = """
    extends: gone.yaml
    weights: {OF_GONE: 3}
    rules:
      - {id: RR, when: '"OF_GONE" in symbols && in_list(author_domain, "gone")', weight: 1}
      - {id: SS, when: 'scor > 3', action: tag}
    """

    assert mistakes(text) == [
        "site.yaml:3:10: gone.yaml cannot be read: No such file or directory",
        "site.yaml:7:20: there is no fact `scor`: did you mean `score`?",
    ]


def test_rule_that_reads_a_broken_one_is_not_called_too_late() -> None:
    text = """
    rules:
      - {id: AA, when: 'helo ==', weight: 1, describe: d}
      - {id: BB, when: '"AA" in symbols', weight: 1, describe: d}
      - {id: CC, when: '"BB" in symbols', action: reject, early: true, describe: d}
      - {id: DD, when: 'subject == "x"', action: reject, early: true, describe: d}
    """

    assert [each.partition(" ")[0] for each in mistakes(text)] == [
        "site.yaml:4:28:",
        "site.yaml:7:61:",
    ]
