"""`POST /checkv2`: what rspamd's clients say, and what they are told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from milter.core.connection import Direction
from milter.doors.told_envelope import told_envelope
from milter.http.rspamd.envelope import is_remembered
from milter.pipeline.aftermath import Aftermath
from milter.settings import Listener
from tests.support.http_door import MESSAGE, Headers, a_whole_door, asked
from tests.support.pipeline import POLICY, Sees, a_pipeline, found

if TYPE_CHECKING:
    from pathlib import Path

    from milter.pipeline.aftermath import Seen
    from milter.pipeline.offline import Envelope

LISTENER = Listener(name="http", bind="127.0.0.1:0")
PREFIX = "actions: {tag: {subject_prefix: '[SPAM]'}}\n"


def a_rule(name: str, action: str) -> str:
    when = "'\"GTUBE\" in symbols'"
    return f"rules: [{{id: {name}, when: {when}, action: {action}, describe: x}}]\n"


def said(*headers: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(headers))


def read(*headers: tuple[str, str]) -> Envelope:
    return told_envelope(said(*headers), LISTENER, "mx.example.org")


def checked(
    folder: Path,
    *symbols: str,
    policy: str = POLICY,
    body: bytes = MESSAGE,
    headers: Headers | None = None,
) -> Any:
    pipeline = a_pipeline(Sees(found(*symbols)), policy=policy)
    return asked(
        a_whole_door(pipeline=pipeline), folder, "/checkv2", body=body, headers=headers
    ).json


@pytest.mark.parametrize(
    ("weight", "extra", "action"),
    [
        pytest.param(0.1, "", "no action", id="pass"),
        pytest.param(6, "", "add header", id="tag"),
        pytest.param(6, PREFIX, "rewrite subject", id="prefix"),
        pytest.param(9, "", "add header", id="quarantine"),
        pytest.param(20, "", "reject", id="reject"),
        pytest.param(1, a_rule("LATER", "defer"), "soft reject", id="defer"),
        pytest.param(1, a_rule("GREYLISTED", "defer"), "greylist", id="greylisting"),
        pytest.param(1, a_rule("GONE", "discard"), "reject", id="discard"),
    ],
)
def test_action_in_their_words(weight: float, extra: str, action: str, tmp_path: Path) -> None:
    policy = POLICY.replace("GTUBE: 100", f"GTUBE: {weight}") + extra
    reply = checked(tmp_path, "GTUBE", policy=policy)
    assert reply["action"] == action
    assert reply["thresholds"] == {"add header": 5, "reject": 12}


def test_refusal_tells_words_without_codes(tmp_path: Path) -> None:
    reply = checked(tmp_path, "GTUBE")
    assert reply["messages"]["smtp_message"].startswith("Message refused: ")
    assert reply["milter"] == {}


def test_symbols_have_points_and_evidence(tmp_path: Path) -> None:
    reply = checked(tmp_path, "GTUBE")
    assert reply["symbols"]["GTUBE"]["score"] == 100
    assert reply["symbols"]["GTUBE"]["name"] == "GTUBE"
    assert (reply["score"], reply["required_score"]) == (100, 5)


def test_milter_block_adds_ours_in_order_and_removes_what_is_there(tmp_path: Path) -> None:
    body = (
        b"X-Spam-Flag: NO\r\n"
        b"Authentication-Results: other.example; none\r\n"
        b"Authentication-Results: mx.example.org; spf=pass\r\n"
        b"X-Spam-Flag: NO\r\n"
        b"Message-ID: <1@x.example>\r\n\r\nx\r\n"
    )
    reply = checked(tmp_path, body=body)
    added = reply["milter"]["add_headers"]
    assert added["X-Gatepost-Action"]["value"] == "pass"
    orders = [added[name]["order"] for name in ("Authentication-Results", "X-Spam-Flag")]
    assert orders == [0, 1]
    assert reply["milter"]["remove_headers"] == {"Authentication-Results": 2, "X-Spam-Flag": 0}
    assert reply["message-id"] == "1@x.example"


def test_rewritten_subject_is_told_whole(tmp_path: Path) -> None:
    policy = POLICY.replace("GTUBE: 100", "GTUBE: 6") + PREFIX
    assert checked(tmp_path, "GTUBE", policy=policy)["subject"] == "[SPAM] hello"


def test_envelope_is_read_from_their_headers() -> None:
    envelope = read(
        ("Ip", "2001:db8::1"),
        ("Helo", "c.example"),
        ("Hostname", "host.example"),
        ("From", "a@example.net"),
        ("Rcpt", "b@example.org"),
        ("Rcpt", "<c@example.org>"),
    )
    assert str(envelope.client_ip) == "2001:db8::1"
    assert (envelope.helo_name, envelope.client_name) == ("c.example", "host.example")
    assert str(envelope.mail_from) == "a@example.net"
    assert [str(one) for one in envelope.recipients] == ["b@example.org", "c@example.org"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("IP", "undef", id="no-address"),
        pytest.param("Hostname", "Unknown", id="no-name"),
        pytest.param("Hostname", "NXDOMAIN", id="no-name-in-haraka"),
    ],
)
def test_what_cannot_be_read_is_not_known(name: str, value: str) -> None:
    envelope = read((name, value))
    assert (envelope.client_ip, envelope.client_name) == (None, None)


def test_address_that_a_mail_server_took_is_never_refused() -> None:
    envelope = read(("From", "odd name@@example.net"), ("Rcpt", "root"))
    assert str(envelope.mail_from).endswith("example.net")
    assert str(envelope.recipients[0]) == "root@mx.example.org"


def test_recipients_without_a_sender_are_of_the_null_sender() -> None:
    envelope = read(("Deliver-To", "b@example.org"))
    assert envelope.mail_from_known
    assert envelope.mail_from is None
    assert [str(one) for one in envelope.recipients] == ["b@example.org"]


def test_who_logged_in_sends_outbound() -> None:
    assert read(("User", "alice")).direction is Direction.OUTBOUND


@pytest.mark.parametrize(
    ("headers", "remembered"),
    [
        pytest.param([], True, id="mail"),
        pytest.param([("Log", "no")], False, id="log-no"),
        pytest.param([("Flags", "groups, no_log")], False, id="flag"),
    ],
)
def test_mail_is_remembered_unless_somebody_only_looks(
    headers: list[tuple[str, str]], remembered: bool
) -> None:
    assert is_remembered(said(*headers)) is remembered


class Heeds:
    """Takes note of what it is told after the answer."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def see(self, seen: Seen) -> None:
        self.seen.append(seen)


def test_check_is_told_to_the_aftermath(tmp_path: Path) -> None:
    heeds = Heeds()
    aftermath = Aftermath([heeds], lambda: 1.0)
    asked(a_whole_door(aftermath=aftermath), tmp_path, "/checkv2", headers={"IP": "192.0.2.1"})
    aftermath.finish()
    assert [str(seen.txn.connection.client_ip) for seen in heeds.seen] == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("recipients", "change"),
    [
        pytest.param(
            ["ada@example.org"],
            {"add_rcpt": ["spam@example.org"], "del_rcpt": ["ada@example.org"]},
            id="another",
        ),
        pytest.param(["Spam@Example.org"], {}, id="who-gets-it"),
        pytest.param(
            ["spam@example.org", "ada@example.org"], {"del_rcpt": ["ada@example.org"]}, id="both"
        ),
    ],
)
def test_who_a_message_is_redirected_to_does_not_lose_it(
    recipients: list[str], change: dict[str, list[str]], tmp_path: Path
) -> None:
    policy = POLICY.replace("GTUBE: 100", "GTUBE: 9")
    policy += "actions: {quarantine: {as: redirect, to: spam@example.org}}\n"
    headers = [("Rcpt", recipient) for recipient in recipients]
    block = checked(tmp_path, "GTUBE", policy=policy, headers=headers)["milter"]
    assert {name: block[name] for name in ("add_rcpt", "del_rcpt") if name in block} == change
