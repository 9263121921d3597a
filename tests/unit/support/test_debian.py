from __future__ import annotations

import smtplib
import subprocess

import pytest

from tests.support.debian import need_program
from tests.support.mailbox_sink import running_sink
from tests.support.ports import free_port, free_ports
from tests.support.postfix import running_postfix
from tests.support.smtp_sink import running_smtp_sink

MESSAGE = b"Subject: x\r\n\r\n.one\r\ntwo\r\n"


def test_need_program_missing_program_skips_with_the_reason() -> None:
    with pytest.raises(pytest.skip.Exception, match="no-such-program"):
        need_program("no-such-program")


def test_free_ports_gives_different_numbers() -> None:
    assert len(set(free_ports(20))) == 20


@pytest.mark.debian
def test_smtp_sink_writes_what_smtp_source_sends() -> None:
    source = need_program("smtp-source")
    with running_smtp_sink() as sink:
        subprocess.run(
            [source.path, "-m", "3", "-f", "a@example.org", "-t", "b@example.net",
             f"127.0.0.1:{sink.port}"],
            env=source.environment, check=True, timeout=60,
        )  # fmt: skip
        dumps = sink.dumps
    assert len(dumps) == 3
    assert all(b"b@example.net" in dump for dump in dumps)


@pytest.mark.debian
@pytest.mark.slow
def test_postfix_relays_to_a_sink_byte_for_byte() -> None:
    port = free_port()
    with running_sink() as sink:
        main = {"relayhost": f"[127.0.0.1]:{sink.port}"}
        with running_postfix(main, [f"127.0.0.1:{port} inet n - n - - smtpd"]):
            with smtplib.SMTP("127.0.0.1", port) as client:
                client.sendmail("a@example.org", ["b@example.net"], MESSAGE)
            (received,) = sink.wait_for(1)
    assert received.content.endswith(b"\r\n\r\n.one\r\ntwo\r\n")
