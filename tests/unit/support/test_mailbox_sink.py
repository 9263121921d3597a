from __future__ import annotations

import smtplib
import threading

import pytest

from tests.support.mailbox_sink import Act, Step, running_sink

MESSAGE = b"Subject: x\r\n\r\n.a line that begins with a dot\r\nlast\r\n"


def test_sink_message_is_kept_byte_for_byte() -> None:
    with running_sink() as sink, smtplib.SMTP("127.0.0.1", sink.port) as client:
        client.sendmail("a@example.org", ["b@example.net", "c@example.net"], MESSAGE)
        (received,) = sink.wait_for(1)
    assert received.content == MESSAGE
    assert received.mail_from.upper() == b"FROM:<A@EXAMPLE.ORG>"
    assert [argument[3:] for argument in received.rcpt_to] == [
        b"<b@example.net>",
        b"<c@example.net>",
    ]


def test_sink_refusal_at_rcpt_is_said_word_for_word() -> None:
    def decide(step: Step) -> Act:
        return Act(reply=b"550 5.1.1 No such user") if step.verb == "RCPT" else Act()

    with (
        running_sink(decide) as sink,
        smtplib.SMTP("127.0.0.1", sink.port) as client,
        pytest.raises(smtplib.SMTPRecipientsRefused) as refused,
    ):
        client.sendmail("a@example.org", ["b@example.net"], MESSAGE)
    assert refused.value.recipients == {"b@example.net": (550, b"5.1.1 No such user")}


def test_sink_dropping_after_the_final_dot_may_keep_the_message() -> None:
    def decide(step: Step) -> Act:
        return Act(drop=True, keep=True) if step.verb == "BODY" else Act()

    with running_sink(decide) as sink:
        client = smtplib.SMTP("127.0.0.1", sink.port)
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.sendmail("a@example.org", ["b@example.net"], MESSAGE)
        client.close()
        assert len(sink.wait_for(1)) == 1


def test_sink_holding_an_answer_gives_it_after_release() -> None:
    def decide(step: Step) -> Act:
        return Act(hold=step.verb == "BODY")

    with running_sink(decide) as sink, smtplib.SMTP("127.0.0.1", sink.port) as client:
        sender = threading.Thread(
            target=client.sendmail, args=("a@example.org", ["b@example.net"], MESSAGE)
        )
        sender.start()
        sink.wait_for_step("BODY")
        assert sink.messages == []
        sink.release()
        sender.join()
        assert len(sink.messages) == 1


def test_sink_lmtp_answers_for_each_recipient() -> None:
    def decide(step: Step) -> Act:
        refused = step.verb == "BODY" and b"c@" in step.argument
        return Act(reply=b"452 4.2.2 Full") if refused else Act()

    with running_sink(decide, lmtp=True) as sink, smtplib.LMTP("127.0.0.1", sink.port) as client:
        client.ehlo_or_helo_if_needed()
        client.docmd("MAIL", "FROM:<a@example.org>")
        client.docmd("RCPT", "TO:<b@example.net>")
        client.docmd("RCPT", "TO:<c@example.net>")
        client.docmd("DATA")
        client.send(MESSAGE.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        assert [client.getreply()[0], client.getreply()[0]] == [250, 452]
        (received,) = sink.messages
    assert received.rcpt_to == (b"TO:<b@example.net>",)
