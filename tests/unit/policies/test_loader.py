from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from policies.errors import ConfigError, ConfigErrors
from policies.loader import FileSource, beside, load, load_document, load_policies, load_symbols
from policies.schema import Group, PolicyFile
from tests.unit.policies.policy_files import INBOUND, Files, a_policy, policies

if TYPE_CHECKING:
    from pathlib import Path

BASE = """
version: 1
name: base
default_weights: true
thresholds: {tag: 5, reject: 12}
weights: {SPF_FAIL: 3, GTUBE: 50}
groups: {auth: {cap: 6, floor: -1}}
patterns:
  - {id: WON, in: subject, match: won, describe: d, weight: 1}
  - {id: LOST, in: subject, match: lost, describe: d, weight: 1}
dns_lists:
  - zone: one.example
    asks: client_ip
    codes: {"127.0.0.2": {symbol: ONE, weight: 2, describe: d}}
"""


def test_load_gives_the_model_and_the_places() -> None:
    group, positions = load(Files({"g.yaml": "cap: 3\nfloor: -1"}), "g.yaml", Group)

    assert group == Group(cap=3, floor=-1)
    assert positions.value(("floor",)) == (2, 8)
    assert positions.path() == "g.yaml"


def test_load_document_gives_plain_values() -> None:
    value, positions = load_document(
        Files({"z.yaml": "names: {a.example: {A: [192.0.2.1]}}"}), "z.yaml"
    )

    assert value == {"names": {"a.example": {"A": ["192.0.2.1"]}}}
    assert positions.key(("names", "a.example")) == (1, 9)


def test_file_source_reads_files_and_says_what_it_cannot(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(b"a: 1")
    source = FileSource()

    assert source.read(str(path)) == b"a: 1"
    for missing, reason in ((tmp_path / "no", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError, match=reason):
            source.read(str(missing))


def test_load_missing_file_is_one_mistake_without_a_line() -> None:
    with pytest.raises(ConfigErrors) as raised:
        load(Files({}), "none.yaml", PolicyFile)

    assert [(e.path, e.line, e.column) for e in raised.value.errors] == [("none.yaml", 0, 0)]


def test_load_policies_empty_policy_counts_nothing_and_passes() -> None:
    policy = a_policy("")

    assert (policy.weights, policy.thresholds, policy.early) == ({}, {}, {})


def test_load_policies_of_a_folder_reads_its_policy_yaml() -> None:
    found = load_policies(Files({"/etc/p/policy.yaml": "version: 1\nname: here"}), "/etc/p/")

    assert found.select(INBOUND, None).name == "here"


def test_ranked_names_what_checks_and_lists_find_before_patterns_and_small_ones_last() -> None:
    files = Files({"p.yaml": f"{BASE}shadow: [{{policy: strict, until: 2099-01-01}}]\n"})
    plan = load_policies(files, "p.yaml").plan

    assert set(plan.ranked) == plan.symbols
    told = [name for name in plan.ranked if name in {"ONE", "LOST", "WON", "GTUBE", "SPF_FAIL"}]
    assert told == ["GTUBE", "SPF_FAIL", "ONE", "LOST", "WON"]


@pytest.mark.parametrize(("path", "name"), [(None, "balanced"), ("monitor", "monitor")])
def test_load_policies_of_a_preset(path: str | None, name: str) -> None:
    assert load_policies(Files({}), path).select(INBOUND, None).name == name


def test_extends_keeps_what_is_not_said() -> None:
    policy = a_policy("extends: base.yaml\nthresholds: {tag: 4}", base_yaml=BASE)

    assert policy.name == "site"
    assert {action.word: score for action, score in policy.thresholds.items()} == {
        "tag": 4,
        "reject": 12,
    }
    assert policy.weights["SPF_FAIL"] == 3
    assert policy.weights["IPREV_MISSING"] == load_symbols()["IPREV_MISSING"].weight
    assert policy.groups["auth"].floor == -1


def test_extends_null_takes_a_threshold_away() -> None:
    policy = a_policy("extends: base.yaml\nthresholds: {reject: null}", base_yaml=BASE)

    assert [action.word for action in policy.thresholds] == ["tag"]


def test_extends_weights_of_the_table_can_be_switched_off() -> None:
    policy = a_policy("extends: base.yaml\ndefault_weights: false", base_yaml=BASE)

    assert dict(policy.weights) == {"GTUBE": 50, "LOST": 1, "ONE": 2, "SPF_FAIL": 3, "WON": 1}


def test_extends_pattern_of_the_same_id_replaces_and_others_are_added() -> None:
    text = (
        "extends: base.yaml\npatterns:\n"
        "  - {id: WON, in: body, match: wonne, describe: d, weight: 7}\n"
        "  - {id: NEW, in: body, match: new, describe: d, weight: 1}\n"
    )

    found = policies(text, base_yaml=BASE)

    assert [(p.id, p.view) for p in found.plan.patterns.patterns] == [
        ("LOST", "subject"),
        ("WON", "body"),
        ("NEW", "body"),
    ]
    assert found.select(INBOUND, None).weights["WON"] == 7


def test_extends_list_of_the_same_zone_replaces_and_others_are_added() -> None:
    text = (
        "extends: base.yaml\ndns_lists:\n"
        "  - {zone: two.example, asks: client_ip,"
        " bits: {2: {symbol: TWO, weight: 1, describe: d}}}\n"
        "  - {zone: one.example, asks: client_ip,"
        ' codes: {"127.0.0.3": {symbol: ONE, weight: 3, describe: d}}}\n'
    )

    found = policies(text, base_yaml=BASE)

    assert [one.zone for one in found.plan.dns_lists] == ["two.example", "one.example"]
    assert found.select(INBOUND, None).weights["ONE"] == 3


def test_extends_overrides_below_come_first() -> None:
    override = "overrides: [{{name: {0}, match: {{direction: inbound}}, thresholds: {{tag: {1}}}}}]"
    base = BASE + override.format("below", 2)

    found = policies("extends: base.yaml\n" + override.format("above", 3), base_yaml=base)

    assert found.select(INBOUND, None).name == "site+below+above"
    assert found.select(INBOUND, None).required == 3


def test_extends_chain_is_followed_beside_the_file_that_names_it() -> None:
    files = Files(
        {
            "conf/site.yaml": "version: 1\nname: site\nextends: shared/middle.yaml",
            "conf/shared/middle.yaml": "version: 1\nname: middle\nextends: ../strict.yaml",
            "conf/shared/../strict.yaml": "version: 1\nname: lowest\nextends: strict",
        }
    )

    policy = load_policies(files, "conf/site.yaml").select(INBOUND, None)

    assert policy.weights["SPF_FAIL"] == 9


def test_extends_endless_chain_is_refused() -> None:
    class Endless:
        def read(self, path: str) -> bytes:
            return f"version: 1\nname: n\nextends: x{path}".encode()

    with pytest.raises(ConfigErrors, match="more than 10 files extend one another"):
        load_policies(Endless(), "a.yaml")


def test_key_file_stands_beside_the_file_that_names_it_and_is_hidden() -> None:
    base = BASE.replace("    asks", "    key_file: keys/one\n    asks")
    files = Files(
        {
            "site.yaml": "version: 1\nname: site\nextends: lists/base.yaml",
            "lists/base.yaml": base,
            "lists/keys/one": "sEcReT\n",
        }
    )

    found = load_policies(files, "site.yaml")

    assert found.plan.dns_lists[0].query_zone == "sEcReT.one.example"
    assert "sEcReT" not in repr(found.plan)


def test_version_changes_with_what_decides_and_not_with_the_secret() -> None:
    keyed = BASE.replace("    asks", "    key_file: key\n    asks")

    def version(base: str, key: str) -> str:
        return load_policies(Files({"b.yaml": base, "key": key}), "b.yaml").version

    assert version(keyed, "one") == version(keyed, "two")
    assert version(keyed, "one") != version(keyed.replace("tag: 5", "tag: 6"), "one")


def test_beside_an_absolute_path_stays() -> None:
    assert beside("/etc/p/site.yaml", "/run/key") == "/run/key"
    assert beside("site.yaml", "key") == "key"
