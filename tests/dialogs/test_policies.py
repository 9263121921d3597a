"""What policies decide, at the door: rules, and recipients under different policies."""

from __future__ import annotations

import pytest

from tests.support.door import running_door
from tests.support.line_client import LineClient, connected
from tests.support.mailbox_sink import running_sink
from tests.support.relay import a_memory

LOTTERY = b"From: a@example.net\r\nSubject: you won the lottery\r\n\r\nhello\r\n"
FIVE = """\
version: 1
name: five
thresholds: {tag: 3, reject: 50}
patterns: [{id: LOTTERY, in: subject, match: lottery, weight: 5, describe: d}]
rules:
  - {id: NO_LOTTERY, when: '"LOTTERY" in symbols', action: reject, reply: 550 5.7.1 No lotteries}
  - {id: LATER, when: '"LOTTERY" in symbols', action: defer}
weights: {NO_LOTTERY: 0, LATER: 0}
overrides:
  - {match: {recipient: "lax@*"}, weights: {LOTTERY: 0}}
  - {match: {recipient: "hold@*"}, thresholds: {quarantine: 4}}
  - {match: {recipient: "strict@*"}, weights: {NO_LOTTERY: 1}}
  - {match: {recipient: "slow@*"}, weights: {LATER: 1}}
"""
REDIRECTED = """\
version: 1
name: redirected
thresholds: {quarantine: 4}
actions: {quarantine: {as: redirect, to: held@example.org}}
patterns: [{id: LOTTERY, in: subject, match: lottery, weight: 5, describe: d}]
overrides:
  - {match: {recipient: "lax@*"}, thresholds: {quarantine: 50}}
  - {match: {recipient: "prefixed@*"}, actions: {tag: {subject_prefix: "[!]"}}}
  - {match: {recipient: "strict@*"}, thresholds: {reject: 5}}
  - {match: {recipient: "marked@*"}, actions: {quarantine: {as: mark}}}
"""
OUTCOMES = {
    b"usual@example.org": b"tag",
    b"lax@example.org": b"pass",
    b"hold@example.org": b"quarantine",
    b"strict@example.org": b"550 5.7.1 No lotteries",
    b"slow@example.org": b"451 4.7.1 Try again later",
}


def sent(client: LineClient, message: bytes = LOTTERY) -> bytes:
    """Return the reply to a message whose recipients were accepted."""
    assert client.ask(b"DATA")[:3] == b"354"
    return client.ask(message + b".")


@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
def test_five_recipients_with_five_policies_get_what_their_own_says(protocol: str) -> None:
    replies: dict[bytes, bytes] = {}
    with (
        running_sink(lmtp=protocol == "lmtp") as sink,
        running_door({"hosts": [sink.host], "protocol": protocol}, policy=FIVE) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO client.example")
        waiting = list(OUTCOMES)
        while waiting:
            client.ask(b"MAIL FROM:<a@example.net>")
            taken = [
                rcpt for rcpt in waiting if client.ask(b"RCPT TO:<" + rcpt + b">")[:3] == b"250"
            ]
            assert taken
            replies |= dict.fromkeys(taken, sent(client))
            waiting = [rcpt for rcpt in waiting if rcpt not in taken]
        marks = {
            argument.removeprefix(b"TO:<").partition(b">")[0]: action
            for message in sink.messages
            for action in (message.content.split(b"X-Gatepost-Action: ")[1].split(b"\r\n")[0],)
            for argument in message.rcpt_to
        }

    for recipient, expected in OUTCOMES.items():
        if recipient in marks:
            assert marks[recipient] == expected
            assert replies[recipient][:3] == b"250"
        else:
            assert replies[recipient].startswith(expected)
    assert len(marks) == 3


@pytest.mark.parametrize("name", [b"strict", b'"strict"', rb'"st\rict"', b"STRICT"])
@pytest.mark.parametrize("domain", [b"example.org", b"example.org.", b"EXAMPLE.org"])
def test_no_spelling_of_a_recipient_escapes_its_override(name: bytes, domain: bytes) -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, policy=FIVE) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO client.example")
        client.ask(b"MAIL FROM:<a@example.net>")
        assert client.ask(b"RCPT TO:<" + name + b"@" + domain + b">")[:3] == b"250"
        assert sent(client).startswith(OUTCOMES[b"strict@example.org"])


@pytest.mark.parametrize("mode", ["separate", "strictest"])
def test_redirected_message_names_those_alone_who_get_no_other_copy(mode: str) -> None:
    with (
        running_sink() as sink,
        running_door(
            sink.host,
            listener={"differing_recipients": mode},
            policy=REDIRECTED,
            partial=a_memory(),
        ) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO client.example")
        client.ask(b"MAIL FROM:<a@example.net>")
        for name in (b"usual", b"lax", b"prefixed", b"other"):
            assert client.ask(b"RCPT TO:<" + name + b"@example.org>")[:3] == b"250"
        assert sent(client)[:3] == b"250"
        named = {
            field.split(b": ")[1]
            for message in sink.messages
            for field in message.content.split(b"\r\n")
            if field.startswith(b"X-Gatepost-Recipients: ")
        }

    lax = {b"lax@example.org"} if mode == "strictest" else set()
    assert named == {b"usual@example.org, other@example.org", b"prefixed@example.org", *lax}
    assert len(sink.messages) == 3


@pytest.mark.parametrize("names", [(b"marked", b"usual"), (b"usual", b"marked")])
def test_strictest_leaves_each_policy_its_own_quarantine(names: tuple[bytes, ...]) -> None:
    with (
        running_sink() as sink,
        running_door(
            sink.host,
            listener={"differing_recipients": "strictest"},
            policy=REDIRECTED,
            partial=a_memory(),
        ) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO client.example")
        client.ask(b"MAIL FROM:<a@example.net>")
        for name in names:
            assert client.ask(b"RCPT TO:<" + name + b"@example.org>")[:3] == b"250"
        assert sent(client)[:3] == b"250"
        got = {argument.partition(b">")[0] for each in sink.messages for argument in each.rcpt_to}

    assert got == {b"TO:<marked@example.org", b"TO:<held@example.org"}


def test_message_that_a_recipient_would_refuse_is_quarantined_as_its_policy_does_it() -> None:
    with (
        running_sink() as sink,
        running_door(
            sink.host,
            listener={"differing_recipients": "quarantine"},
            policy=REDIRECTED,
            partial=a_memory(),
        ) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO client.example")
        client.ask(b"MAIL FROM:<a@example.net>")
        for name in (b"lax", b"strict"):
            assert client.ask(b"RCPT TO:<" + name + b"@example.org>")[:3] == b"250"
        assert sent(client)[:3] == b"250"
        received = {
            argument.partition(b">")[0]: message.content
            for message in sink.messages
            for argument in message.rcpt_to
        }

    assert received.keys() == {b"TO:<lax@example.org", b"TO:<held@example.org"}
    assert b"X-Gatepost-Action: quarantine\r\n" in received[b"TO:<held@example.org"]
    assert b"X-Gatepost-Recipients: strict@example.org\r\n" in received[b"TO:<held@example.org"]


def test_discard_is_answered_as_taken_and_goes_nowhere() -> None:
    policy = "version: 1\nname: x\nrules: [{id: GONE, when: 'size_bytes > 1', action: discard}]\n"
    with (
        running_sink() as sink,
        running_door(sink.host, policy=policy) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO client.example")
        for _ in range(2):
            client.ask(b"MAIL FROM:<a@example.net>")
            client.ask(b"RCPT TO:<b@example.org>")
            assert sent(client)[:12] == b"250 2.0.0 Ok"
        assert sink.messages == []


@pytest.mark.parametrize(
    ("when", "at"),
    [
        ('helo == "client.example"', "MAIL"),
        ('mail_from == "a@example.net"', "MAIL"),
        ('recipients.exists(r, r == "b@example.org")', "RCPT"),
    ],
)
def test_early_rule_refuses_as_soon_as_it_knows(when: str, at: str) -> None:
    policy = (
        "version: 1\nname: x\nrules:\n"
        f"  - {{id: EARLY, when: '{when}', action: reject, early: true, reply: 550 5.7.1 Go}}\n"
    )
    with (
        running_sink() as sink,
        running_door(sink.host, policy=policy) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO client.example")
        mail = client.ask(b"MAIL FROM:<a@example.net>")
        rcpt = client.ask(b"RCPT TO:<b@example.org>")

    refused = {"MAIL": mail, "RCPT": rcpt}[at]
    assert refused.startswith(b"550 5.7.1 Go (")
    assert (mail[:3] == b"250") == (at == "RCPT")
