"""The catalogue of DNS lists, and what the presets make of it."""

from __future__ import annotations

import pytest

from milter.checks.dnslists.questions import of_text, query_name
from policies.evaluate import evaluate
from policies.loader import PRESETS, load_list_catalogue, load_policies
from policies.verdict import Action
from tests.unit.policies.policy_files import Files, found, mistakes, policies

CATALOGUE = load_list_catalogue()
BLOCKING = sorted(n for n, e in CATALOGUE.entries.items() if e.effect == "block")
ALLOWING = sorted(n for n, e in CATALOGUE.entries.items() if e.effect == "allow")
SPAM = ("SPAMCOP_LISTED", "PSBL_LISTED", "IPREV_MISSING")


def with_list(name: str, preset: str = "balanced") -> str:
    return (
        f"version: 1\nname: site\nextends: {preset}\ndns_lists:\n  - {{use: {name}{_key(name)}}}\n"
    )


def _key(name: str) -> str:
    about = CATALOGUE.about(name)
    return ", key_file: key" if about and about.register_for == "key" else ""


@pytest.mark.parametrize("name", sorted(CATALOGUE.entries))
def test_entry_of_the_catalogue_can_be_used_and_is_told_of(name: str) -> None:
    plan = load_policies(Files({"p.yaml": with_list(name), "key": "k3y"}), "p.yaml").plan
    about = CATALOGUE.about(name)
    assert CATALOGUE.entries[name].public_zone in {one.zone for one in plan.dns_lists}
    assert about is not None
    assert about.sources


def test_parts_of_one_zone_are_lists_of_their_own() -> None:
    names = [e.public_zone for e in CATALOGUE.entries.values() if e.zone == "hbl.dq.spamhaus.net"]

    assert sorted(names) == ["_email.hbl.dq.spamhaus.net", "_file.hbl.dq.spamhaus.net"]
    assert all(CATALOGUE.about_zone(name) for name in names)


@pytest.mark.parametrize(
    ("name", "subject", "question"),
    [
        ("rspamd-uribl", "shop.example", "8hity3teigf3fhd5n8ranjaqs96fho93.uribl.rspamd.com"),
        ("rspamd-emailbl", "user@example.org", "gitt7jm7q3nqbxjot7bcea6erduh7o6o.email.rspamd.com"),
    ],
)
def test_lists_of_rspamd_are_asked_as_rspamd_asks_them(
    name: str, subject: str, question: str
) -> None:
    # The hashes of shop.example and user.example.org as `rspamadm lua` writes them.
    lists = load_policies(Files({"p.yaml": with_list(name)}), "p.yaml").plan.dns_lists
    (one,) = [each for each in lists if each.zone == CATALOGUE.entries[name].zone]

    assert query_name(one, of_text(subject)) == question
    assert (one.points.listed, one.points.not_listed) == ("", "0" * 40)


@pytest.mark.parametrize("preset", ["balanced", "strict"])
@pytest.mark.parametrize("name", BLOCKING)
def test_one_list_alone_rejects_nothing_whatever_it_answers(name: str, preset: str) -> None:
    files = Files({"p.yaml": with_list(name, preset), "key": "k3y"})
    policy_set = load_policies(files, "p.yaml")
    zone = CATALOGUE.entries[name].public_zone
    symbols = {s for one in policy_set.plan.dns_lists if one.zone == zone for s in one.symbols}
    assert policy_set.only is not None
    assert evaluate(policy_set.only, found(*symbols)).action < Action.REJECT


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_preset_asks_only_what_everybody_may_ask_without_registering(preset: str) -> None:
    for dns_list in load_policies(Files({}), preset).plan.dns_lists:
        about = CATALOGUE.about_zone(dns_list.zone)
        assert about is not None
        assert (about.register_for, about.everybody) == ("nothing", True)


def test_abused_legitimate_domain_only_scores() -> None:
    files = Files({"p.yaml": with_list("spamhaus-dbl"), "key": "k3y"})
    policy = load_policies(files, "p.yaml").only
    assert policy is not None
    for symbol in [s for s in policy.weights if s.startswith("SPAMHAUS_DBL_ABUSED")]:
        assert evaluate(policy, found(symbol)).action is Action.PASS


@pytest.mark.parametrize("name", ALLOWING)
def test_list_that_allows_lifts_neither_malware_nor_what_is_direct(name: str) -> None:
    text = with_list(name) + "  - {use: spamhaus-dbl}\n"
    policy = load_policies(Files({"p.yaml": text, "key": "k3y"}), "p.yaml").only
    assert policy is not None
    allowed = [s for s in policy.weights if policy.symbols[s].allows]
    firm = [s for s, w in policy.weights.items() if policy.symbols[s].firm and w > 0]
    assert allowed
    assert firm
    for symbol in firm:
        without = evaluate(policy, found(symbol)).score
        assert evaluate(policy, found(symbol, *allowed)).score == without


def test_list_that_allows_lifts_the_rest() -> None:
    policy = load_policies(Files({"p.yaml": with_list("dnswl")}), "p.yaml").only
    assert policy is not None
    assert evaluate(policy, found(*SPAM)).action is Action.REJECT
    assert evaluate(policy, found(*SPAM, "DNSWL_HIGH")).action < Action.REJECT


def test_use_takes_what_is_not_said_from_the_catalogue() -> None:
    text = "dns_lists:\n  - {use: spamhaus-zen, most_hits: 95, zone: zen.mirror.example}\n"
    (zen,) = policies(text).plan.dns_lists
    assert (zen.zone, zen.most_hits) == ("zen.mirror.example", 95)
    assert "SPAMHAUS_PBL" in zen.symbols


def test_use_of_one_more_answer_keeps_the_others() -> None:
    text = (
        "dns_lists:\n  - use: spamcop\n    codes:\n"
        "      '127.0.0.9': {symbol: SPAMCOP_NEW, weight: 1, describe: New}\n"
    )
    (spamcop,) = policies(text).plan.dns_lists
    assert spamcop.symbols == {"SPAMCOP_LISTED", "SPAMCOP_NEW"}


def test_weight_of_a_list_of_the_catalogue_is_changed_like_any_other() -> None:
    text = "dns_lists: [{use: spamcop}]\nweights: {SPAMCOP_LISTED: 1.5}\n"
    policy = policies(text).only
    assert policy is not None
    assert policy.weights["SPAMCOP_LISTED"] == 1.5


def test_cap_of_a_list_holds_unless_the_policy_says_another() -> None:
    text = "dns_lists: [{use: spamhaus-zen}]\n"
    policy = policies(text).only
    other = policies(text + "groups: {spamhaus: {cap: 3}}\n").only
    assert policy is not None
    assert other is not None
    assert policy.groups["spamhaus"].cap == 7
    assert other.groups["spamhaus"].cap == 3


def test_key_that_is_none_is_told_at_its_line_without_being_shown() -> None:
    text = "dns_lists:\n  - use: spamhaus-zen-dqs\n    key_file: k\n"
    (told,) = mistakes(text, k="two words s3cret\n")
    assert told.startswith("site.yaml:5:15: k does not hold one key")
    assert "s3cret" not in told


@pytest.mark.parametrize("zone", ["dnsbl.sorbs.net", "web.dnsbl.sorbs.net", "list.dsbl.org"])
def test_ended_lists_are_known_with_all_below_them(zone: str) -> None:
    assert CATALOGUE.ended(zone)


def test_lists_that_work_have_not_ended() -> None:
    assert [zone for zone in CATALOGUE.zones if CATALOGUE.ended(zone)] == []
