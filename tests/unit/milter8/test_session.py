from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from milter.core.connection import Direction
from milter.core.transaction import Stage
from milter.milter8.incoming import MOST_PLACES
from milter.milter8.session import SessionEndedError
from milter.milter8.wire import PacketError
from milter.pipeline.facts import envelope_facts
from tests.support import milter_packets as mta
from tests.support.milter_session import Dialog, a_door, in_a_loop
from tests.support.pipeline import Sees, found

if TYPE_CHECKING:
    from milter.core.transaction import Transaction

BEGIN = mta.offer() + mta.connect() + mta.helo()
PER_RECIPIENT = """\
version: 1
name: test
thresholds: {reject: 12}
weights: {GTUBE: 100}
overrides:
  - match: {recipient: lenient@example.org}
    weights: {GTUBE: 0}
"""


async def _judged(check: Sees, *packets: bytes, **door: Any) -> Transaction:
    """Return the transaction that a check sees of a message sent by these packets."""
    dialog = Dialog(a_door(check, **door))
    await dialog.say(b"".join(packets))
    (txn,) = check.seen
    return txn


@in_a_loop
async def test_message_is_rebuilt_as_the_mail_server_sends_it_on() -> None:
    fields = (("From", " a@b.example"), ("X", "\tfolded\n\tvalue"), ("Y", ""), ("Z", "  two"))
    data = mta.mail() + mta.rcpt() + mta.content(b"one\ntwo\r\n", fields)
    txn = await _judged(Sees(), BEGIN, data)
    assert txn.message == (
        b"From: a@b.example\r\nX:\tfolded\r\n\tvalue\r\nY:\r\nZ:  two\r\n\r\none\r\ntwo\r\n"
    )


@in_a_loop
async def test_body_in_pieces_is_one_body() -> None:
    pieces = mta.body(b"one\r") + mta.body(b"\ntwo\r\n") + mta.packet("E", b"three")
    data = mta.mail() + mta.rcpt() + mta.header("A", " b") + mta.END_OF_HEADER + pieces
    txn = await _judged(Sees(), BEGIN, data)
    assert txn.message == b"A: b\r\n\r\none\r\ntwo\r\nthree"


@in_a_loop
async def test_without_leading_space_one_is_put_in() -> None:
    begin = mta.offer(*mta.OFFER_2) + mta.connect() + mta.helo()
    data = mta.mail() + mta.rcpt() + mta.content(b"", (("A", "b"),))
    txn = await _judged(Sees(), begin, data)
    assert txn.message == b"A: b\r\n\r\n"


@in_a_loop
async def test_client_and_envelope_are_what_the_mail_server_tells() -> None:
    begin = (
        mta.offer()
        + mta.macros("C", j="mail.example.org", daemon_name="smtpd")
        + mta.connect("host.example", "2001:db8::7", 4711)
        + mta.macros("H", tls_version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384")
        + mta.helo("helo.example")
    )
    data = mta.mail("<ann@client.example>", "SIZE=1234") + mta.rcpt() + mta.content()
    txn = await _judged(Sees(), begin, data)
    client = txn.connection
    assert str(client.client_ip) == "2001:db8::7"
    assert client.client_port == 4711
    assert client.told_name == "host.example"
    assert client.helo_name == "helo.example"
    assert client.tls is not None
    assert client.tls.version == "TLSv1.3"
    assert str(txn.mail_from) == "ann@client.example"
    assert txn.announced_bytes == 1234
    assert [str(recipient) for recipient in txn.recipients] == ["bob@example.org"]


@pytest.mark.parametrize(
    ("name", "resolve"),
    [
        pytest.param("unknown", "", id="postfix-unconfirmed"),
        pytest.param("[192.0.2.7]", "", id="sendmail-without-name"),
        pytest.param("forged.example", "FORGED", id="sendmail-forged"),
    ],
)
@in_a_loop
async def test_client_name_that_nobody_confirmed_is_no_name(name: str, resolve: str) -> None:
    given = {"client_resolve": resolve} if resolve else {}
    begin = mta.offer() + mta.macros("C", **given) + mta.connect(name) + mta.helo()
    txn = await _judged(Sees(), begin, mta.a_message())
    assert txn.connection.told_name is None


@pytest.mark.parametrize(
    ("ptr", "expected"),
    [
        pytest.param("dsl-7.example", {"reverse_name": "dsl-7.example"}, id="unconfirmed"),
        pytest.param("unknown", {}, id="none-found"),
    ],
)
@in_a_loop
async def test_reverse_name_that_the_mail_server_found_is_a_fact(
    ptr: str, expected: dict[str, str]
) -> None:
    begin = mta.offer() + mta.macros("C", client_ptr=ptr) + mta.connect("unknown") + mta.helo()
    txn = await _judged(Sees(), begin, mta.a_message())
    client = envelope_facts(txn)["connection"]
    assert isinstance(client, dict)
    assert {name: client[name] for name in client if "name" in name} == expected


@in_a_loop
async def test_direction_who_logged_in_sends_outbound() -> None:
    data = mta.macros("M", auth_authen="ann") + mta.a_message()
    txn = await _judged(Sees(), BEGIN, data)
    assert txn.connection.direction is Direction.OUTBOUND
    assert txn.connection.account == "ann"


@in_a_loop
async def test_direction_local_user_sends_outbound_and_has_no_address() -> None:
    begin = mta.offer() + mta.connect("localhost", "127.0.0.1", 0) + mta.helo("localhost")
    txn = await _judged(Sees(), begin, mta.a_message())
    assert txn.connection.direction is Direction.OUTBOUND
    assert txn.connection.client_ip is None
    assert txn.connection.local_source


@in_a_loop
async def test_direction_daemon_name_comes_before_all() -> None:
    directions = {"daemon_directions": {"RELAY": "internal"}}
    begin = mta.offer() + mta.macros("C", daemon_name="RELAY") + mta.connect() + mta.helo()
    data = mta.macros("M", auth_authen="ann") + mta.a_message()
    txn = await _judged(Sees(), begin, data, listener=directions)
    assert txn.connection.direction is Direction.INTERNAL


@in_a_loop
async def test_silent_steps_are_not_answered() -> None:
    dialog = Dialog(a_door())
    assert mta.letters(await dialog.say(BEGIN)) == "O"
    assert mta.letters(await dialog.say(mta.mail())) == ""
    assert mta.letters(await dialog.say(mta.rcpt())) == "c"
    assert mta.letters(await dialog.say(mta.header("A", " b") + mta.END_OF_HEADER)) == ""
    assert mta.letters(await dialog.say(mta.body(b"x\r\n"))) == "c"


@in_a_loop
async def test_version_2_gets_an_answer_to_every_step() -> None:
    dialog = Dialog(a_door())
    begin = mta.offer(*mta.OFFER_2) + mta.connect() + mta.helo()
    assert mta.letters(await dialog.say(begin + mta.mail() + mta.rcpt())) == "Occcc"
    assert mta.letters(await dialog.say(mta.header("A", " b") + mta.END_OF_HEADER)) == "cc"


@in_a_loop
async def test_clean_message_gets_its_fields_in_front_in_their_order() -> None:
    dialog = Dialog(a_door())
    await dialog.say(BEGIN)
    said = mta.answers(await dialog.say(mta.a_message()))
    assert "".join(answer.letter for answer in said[:2]) == "cc"
    *edits, verdict = said[2:]
    assert verdict.letter == "c"
    assert {edit.letter for edit in edits} == {"i"}
    assert {edit.data[:4] for edit in edits} == {b"\0\0\0\0"}
    names = [edit.data[4:].split(b"\0")[0] for edit in edits]
    assert names[-1] == b"Authentication-Results"
    assert names[0] == b"X-Gatepost-Reason"


@in_a_loop
async def test_fields_of_our_names_are_taken_away_from_the_last_to_the_first() -> None:
    forged = (("X-Spam-Flag", " NO"), *mta.FIELDS, ("x-spam-flag", " NO"), ("X-Spam-Score", " 0"))
    dialog = Dialog(a_door())
    await dialog.say(BEGIN)
    said = mta.answers(await dialog.say(mta.a_message(fields=forged)))
    removed = [answer.data for answer in said if answer.letter == "m"]
    assert removed == [
        b"\0\0\0\x01X-Spam-Score\0\0",
        b"\0\0\0\x02x-spam-flag\0\0",
        b"\0\0\0\x01X-Spam-Flag\0\0",
    ]
    assert [answer.letter for answer in said].index("i") > 3


@in_a_loop
async def test_gtube_is_refused_with_its_reply() -> None:
    dialog = Dialog(a_door())
    await dialog.say(BEGIN)
    said = mta.answers(await dialog.say(mta.a_message(mta.GTUBE)))
    assert said[-1].letter == "y"
    assert said[-1].data.startswith(b"550 5.7.1 ")
    assert b"ID0000000001" in said[-1].data
    assert "".join(answer.letter for answer in said) == "ccy"


@in_a_loop
async def test_several_messages_on_one_connection_are_apart() -> None:
    check = Sees()
    dialog = Dialog(a_door(check))
    await dialog.say(BEGIN + mta.a_message() + mta.ABORT + mta.a_message(b"second\r\n"))
    assert [txn.message[-8:] for txn in check.seen] == [b"Hello.\r\n", b"second\r\n"]
    assert len({txn.txn_id for txn in check.seen}) == 2


@in_a_loop
async def test_abort_in_a_body_forgets_it_and_its_memory() -> None:
    check = Sees()
    door = a_door(check)
    dialog = Dialog(door)
    begun = mta.mail() + mta.rcpt() + mta.header("A", " b") + mta.body(b"half")
    await dialog.say(BEGIN + begun + mta.ABORT + mta.a_message())
    (txn,) = check.seen
    assert b"half" not in txn.message
    assert door.limits.bytes_in_flight == 0  # type: ignore[attr-defined]  # LocalLimits


@in_a_loop
async def test_quit_session_begins_anew_with_another_client() -> None:
    check = Sees()
    dialog = Dialog(a_door(check))
    again = mta.connect("other.example", "192.0.2.8") + mta.helo("other.example")
    await dialog.say(BEGIN + mta.a_message() + mta.QUIT_SESSION + again + mta.a_message())
    first, second = check.seen
    assert str(second.connection.client_ip) == "192.0.2.8"
    assert first.connection.session_id != second.connection.session_id


@in_a_loop
async def test_helo_again_after_starttls_keeps_the_client() -> None:
    check = Sees()
    again = mta.macros("H", tls_version="TLSv1.2") + mta.helo("again.example")
    dialog = Dialog(a_door(check))
    await dialog.say(BEGIN + again + mta.a_message())
    (txn,) = check.seen
    assert txn.connection.helo_name == "again.example"
    assert txn.connection.tls is not None


@in_a_loop
async def test_recipient_under_another_policy_comes_again_by_itself() -> None:
    dialog = Dialog(a_door(policy=PER_RECIPIENT))
    await dialog.say(BEGIN + mta.mail() + mta.rcpt())
    (answer,) = mta.answers(await dialog.say(mta.rcpt("<lenient@example.org>")))
    assert answer.data.startswith(b"452 4.5.3 ")
    said = await dialog.say(mta.content(mta.GTUBE))
    assert mta.letters(said)[-1] == "y"


@in_a_loop
async def test_recipient_of_local_mail_is_never_refused_and_gets_the_mark() -> None:
    begin = mta.offer() + mta.connect("localhost", "127.0.0.1", 0) + mta.helo("localhost")
    dialog = Dialog(a_door(policy=PER_RECIPIENT))
    await dialog.say(begin + mta.mail() + mta.rcpt())
    assert mta.letters(await dialog.say(mta.rcpt("<lenient@example.org>"))) == "c"
    assert mta.letters(await dialog.say(mta.content(mta.GTUBE)))[-1] == "c"


@in_a_loop
async def test_recipient_of_a_virtual_alias_domain_counts() -> None:
    # Postfix names this mailer for all of them, and asks about nobody whom it refuses.
    check = Sees()
    dialog = Dialog(a_door(check))
    await dialog.say(BEGIN + mta.mail() + mta.macros("R", rcpt_mailer="error") + mta.rcpt())
    await dialog.say(mta.content())
    assert [str(recipient) for recipient in check.seen[0].recipients] == ["bob@example.org"]


@in_a_loop
async def test_redirected_message_loses_its_recipients_and_gets_another() -> None:
    policy = (
        "version: 1\nname: test\nthresholds: {quarantine: 8}\nweights: {GTUBE: 10}\n"
        "actions: {quarantine: {as: redirect, to: spam@example.org}}\n"
    )
    dialog = Dialog(a_door(policy=policy))
    await dialog.say(BEGIN + mta.mail() + mta.rcpt() + mta.rcpt("<Eve@Example.ORG>"))
    said = mta.answers(await dialog.say(mta.content(mta.GTUBE)))
    changes = [(answer.letter, answer.data) for answer in said if answer.letter in "+-"]
    assert changes == [
        ("+", b"<spam@example.org>\0"),
        ("-", b"<bob@example.org>\0"),
        ("-", b"<Eve@Example.ORG>\0"),
    ]
    assert any(b"X-Gatepost-Recipients\0" in answer.data for answer in said)
    assert said[-1].letter == "c"


@pytest.mark.parametrize(("holds", "letter"), [(True, "q"), (False, "i")])
@in_a_loop
async def test_quarantined_message_is_held_where_the_site_wants_it(
    *, holds: bool, letter: str
) -> None:
    policy = "version: 1\nname: test\nthresholds: {quarantine: 8}\nweights: {GTUBE: 10}\n"
    dialog = Dialog(a_door(policy=policy, listener={"hold_quarantined": holds}))
    await dialog.say(BEGIN)
    said = mta.answers(await dialog.say(mta.a_message(mta.GTUBE)))
    assert said[-2].letter == letter
    assert said[-1].letter == "c"


@in_a_loop
async def test_early_connect_is_refused_at_mail() -> None:
    policy = "version: 1\nname: test\nearly: {connect: 5}\nweights: {SPF_FAIL: 9}\n"
    dialog = Dialog(a_door(Sees(found("SPF_FAIL"), Stage.CONNECT), policy=policy))
    assert mta.letters(await dialog.say(BEGIN)) == "O"
    assert mta.letters(await dialog.say(mta.mail())) == "y"


@pytest.mark.parametrize(
    ("count", "letter"),
    [
        pytest.param(MOST_PLACES, "c", id="as-many-as-may-be"),
        pytest.param(MOST_PLACES + 1, "y", id="one-more"),
    ],
)
@pytest.mark.parametrize("body", [b"", b"hello\r\n"], ids=["no-body", "body"])
@in_a_loop
async def test_message_with_too_many_fields_of_ours_is_refused(
    count: int, letter: str, body: bytes
) -> None:
    door = a_door()
    dialog = Dialog(door)
    forged = mta.header("X-Spam-Flag", " NO") * count
    await dialog.say(BEGIN + mta.mail() + mta.rcpt() + forged + mta.END_OF_HEADER)
    said = mta.answers(await dialog.say((mta.body(body) if body else b"") + mta.END_OF_MESSAGE))
    assert said[-1].letter == letter
    assert letter == "c" or said[-1].data.startswith(b"550 5.6.0 ")
    assert len([one for one in said if one.letter == "m"]) == (count if letter == "c" else 0)
    assert door.limits.bytes_in_flight == 0  # type: ignore[attr-defined]  # LocalLimits


@in_a_loop
async def test_too_large_message_is_refused_at_its_body_and_holds_no_memory() -> None:
    door = a_door(limits={"message_bytes": 2000, "line_bytes": 1000})
    dialog = Dialog(door)
    await dialog.say(BEGIN + mta.mail() + mta.rcpt() + mta.header("A", " b") + mta.END_OF_HEADER)
    assert mta.letters(await dialog.say(mta.body(b"x" * 1500))) == "c"
    (answer,) = mta.answers(await dialog.say(mta.body(b"x" * 1500)))
    assert answer.data.startswith(b"552 5.3.4 ")
    assert door.limits.bytes_in_flight == 0  # type: ignore[attr-defined]  # LocalLimits


@in_a_loop
async def test_overload_defers_the_recipient() -> None:
    door = a_door(limits={"message_bytes": 2000, "line_bytes": 1000, "bytes_in_flight": 2000})
    dialog = Dialog(door)
    assert door.limits.reserve(2000)
    *_, answer = mta.answers(await dialog.say(BEGIN + mta.mail() + mta.rcpt()))
    assert answer.data.startswith(b"452 4.3.1 ")


@in_a_loop
async def test_log_line_bears_the_queue_id(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gatepost")
    data = mta.mail() + mta.rcpt() + mta.header("A", " b") + mta.END_OF_HEADER
    data += mta.macros("E", i="4Xb2kQ0000z1") + mta.END_OF_MESSAGE
    await Dialog(a_door()).say(BEGIN + data)
    (line,) = [record for record in caplog.records if record.getMessage() == "transaction"]
    assert line.fields["queue_id"] == "4Xb2kQ0000z1"  # type: ignore[attr-defined]  # an Event


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(mta.connect(), id="client-before-negotiation"),
        pytest.param(mta.offer() + mta.offer(), id="two-negotiations"),
        pytest.param(mta.offer() + mta.mail(), id="mail-before-client"),
        pytest.param(BEGIN + mta.connect(), id="two-clients"),
        pytest.param(BEGIN + mta.rcpt(), id="rcpt-before-mail"),
        pytest.param(BEGIN + mta.header("A", " b"), id="header-before-mail"),
        pytest.param(BEGIN + mta.body(b"x"), id="body-before-mail"),
        pytest.param(BEGIN + mta.END_OF_MESSAGE, id="end-before-mail"),
        pytest.param(BEGIN + mta.packet("Z"), id="unknown-kind"),
        pytest.param(BEGIN + mta.packet("M"), id="mail-without-path"),
        pytest.param(BEGIN + mta.mail() + mta.rcpt("<>"), id="null-recipient"),
        pytest.param(mta.offer() + mta.packet("C", b"x"), id="client-without-address"),
    ],
)
@in_a_loop
async def test_packet_out_of_order_or_malformed_ends_the_session(data: bytes) -> None:
    with pytest.raises(PacketError):
        await Dialog(a_door()).say(data)


@in_a_loop
async def test_quit_ends_the_session() -> None:
    with pytest.raises(SessionEndedError):
        await Dialog(a_door()).say(BEGIN + mta.QUIT)


@pytest.mark.parametrize(
    ("path", "address"),
    [
        pytest.param("<root>", "root@mail.example.org", id="local-user"),
        pytest.param("<a b@c.example>", "a b@c.example", id="no-address-by-the-rfc"),
        pytest.param("bare@c.example", "bare@c.example", id="without-brackets"),
    ],
)
@in_a_loop
async def test_path_that_the_mail_server_took_is_read(path: str, address: str) -> None:
    begin = mta.offer() + mta.macros("C", j="mail.example.org") + mta.connect() + mta.helo()
    txn = await _judged(Sees(), begin, mta.mail(path) + mta.rcpt() + mta.content())
    assert str(txn.mail_from) == address
