"""Gatepost with a real Postfix: between two of its smtpd, and alone in front of one.

Mail goes through to a recording sink behind Postfix, so that what arrives can be compared byte for
byte. Client addresses are told by XCLIENT to whatever stands in front; Postfix tells Gatepost by
XFORWARD. Names come from the samples' zone.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.debian import need_program
from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.mailbox_sink import MailboxSink, running_sink
from tests.support.ports import free_ports
from tests.support.postfix import Postfix, running_postfix
from tests.support.smtp_client import Envelope, send_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.debian, pytest.mark.slow]

_CHECKOUT: Final = Path(__file__).resolve().parents[2]
_SAMPLES: Final = _CHECKOUT / "samples"
# What Gatepost and Postfix may put in front of a message.
_ADDED: Final = re.compile(
    rb"(?:Received|Authentication-Results|X-Spam-(?:Flag|Score|Level|Status)"
    rb"|X-Gatepost-(?:Action|Id|Reason)):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*"
)
_POLICIES: Final = ("balanced", "strict")


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that runs.

    Attributes:
        postfix: Takes mail on `before` ports, and from Gatepost on a port of its own.
        sink: Behind Postfix.
        ports: Where to send, by arrangement (`before` or `front`) and policy.
    """

    postfix: Postfix
    sink: MailboxSink
    ports: dict[tuple[str, str], int]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(running_sink())
        behind, *before = free_ports(1 + len(_POLICIES))
        daemons = [_gatepost(stack, policy, behind) for policy in _POLICIES]
        services = [_smtpd_behind(behind)]
        services += [
            _smtpd_before(port, daemon.port) for port, daemon in zip(before, daemons, strict=True)
        ]
        main = {"relayhost": f"[127.0.0.1]:{sink.port}", "relay_domains": "example.org"}
        postfix = stack.enter_context(running_postfix(main, services))
        ports = {
            **{("before", policy): port for policy, port in zip(_POLICIES, before, strict=True)},
            **{("front", policy): d.port for policy, d in zip(_POLICIES, daemons, strict=True)},
        }
        yield Site(postfix, sink, ports)


def _gatepost(stack: contextlib.ExitStack, policy: str, next_hop: int) -> Gatepost:
    config = configuration(
        f"127.0.0.1:{next_hop}", policies="policy.yaml", dns={"zone_file": "zone.yaml"}
    )
    files = {
        "policy.yaml": f"version: 1\nname: site\nextends: {policy}\n",
        "zone.yaml": (_SAMPLES / "zone.yaml").read_text("utf-8"),
    }
    return stack.enter_context(running_gatepost(config, files))


def _smtpd_before(port: int, gatepost: int) -> str:
    return (
        f"127.0.0.1:{port} inet n - n - - smtpd"
        f"\n  -o smtpd_proxy_filter=127.0.0.1:{gatepost}"
        "\n  -o smtpd_authorized_xclient_hosts=127.0.0.0/8"
        "\n  -o smtpd_relay_restrictions=permit_mynetworks,reject_unauth_destination"
    )


def _smtpd_behind(port: int) -> str:
    return (
        f"127.0.0.1:{port} inet n - n - - smtpd"
        "\n  -o smtpd_authorized_xforward_hosts=127.0.0.0/8"
        "\n  -o smtpd_client_restrictions="
        "\n  -o smtpd_relay_restrictions=permit_mynetworks,reject"
    )


def _sample(name: str) -> bytes:
    return (_SAMPLES / name).read_bytes().replace(b"\n", b"\r\n")


def _headers_in_front(content: bytes, message: bytes) -> bytes:
    """Return what stands before `message`, which must be whole and at the end."""
    assert content.endswith(message)
    added = content[: -len(message)]
    assert _ADDED.sub(b"", added) == b""
    return added


CLEAN: Final = Envelope("192.0.2.140", "mx.lab.example", "lena@lab.example", ("ada@example.org",))
TWO_LISTS: Final = Envelope("203.0.113.50", "mx.parcel.example", "prize@parcel.example")
ONE_LIST: Final = Envelope("198.51.100.40", "mail.shop.example", "offers@shop.example")
FORGED: Final = Envelope("198.51.100.30", "host30.hosting.example", "service@bank.example")
TESTER: Final = Envelope("2001:db8::60", "mx.testing.example", "postmaster@testing.example")

arrangements = pytest.mark.parametrize("arrangement", ["before", "front"])


@arrangements
def test_postfix_clean_message_arrives_byte_for_byte(site: Site, arrangement: str) -> None:
    message = _sample("first-report.eml")
    already = len(site.sink.messages)
    reply = send_message(site.ports[arrangement, "balanced"], CLEAN, message)
    assert reply.code == 250
    received = site.sink.wait_for(already + 1)[-1]
    added = _headers_in_front(received.content, message)
    assert b"X-Gatepost-Action: pass" in added
    assert b"spf=pass" in added


@arrangements
def test_postfix_learns_the_client_behind_gatepost(site: Site, arrangement: str) -> None:
    already = len(site.sink.messages)
    send_message(site.ports[arrangement, "balanced"], CLEAN, _sample("first-report.eml"))
    site.sink.wait_for(already + 1)
    assert "orig_client=unknown[192.0.2.140]" in site.postfix.log


@arrangements
@pytest.mark.parametrize(
    ("envelope", "sample", "words"),
    [
        pytest.param(TESTER, "test-string.eml", "test", id="gtube"),
        pytest.param(TWO_LISTS, "botnet-client.eml", "203.0.113.50", id="two-lists-no-name"),
    ],
)
def test_postfix_balanced_spam_is_refused_in_the_session_with_the_reason(
    site: Site, arrangement: str, envelope: Envelope, sample: str, words: str
) -> None:
    already = len(site.sink.messages)
    reply = send_message(site.ports[arrangement, "balanced"], envelope, _sample(sample))
    assert reply.code == 550
    assert reply.text.startswith("5.7.")
    assert words in reply.text
    assert len(site.sink.messages) == already


@arrangements
@pytest.mark.parametrize(
    ("envelope", "sample"),
    [
        pytest.param(ONE_LIST, "listed-client.eml", id="one-list"),
        pytest.param(FORGED, "forged-bank.eml", id="spf-fail"),
    ],
)
def test_postfix_balanced_single_signal_arrives_tagged(
    site: Site, arrangement: str, envelope: Envelope, sample: str
) -> None:
    message = _sample(sample)
    already = len(site.sink.messages)
    reply = send_message(site.ports[arrangement, "balanced"], envelope, message)
    assert reply.code == 250
    received = site.sink.wait_for(already + 1)[-1]
    added = _headers_in_front(received.content, message)
    assert b"X-Gatepost-Action: tag" in added
    assert b"X-Spam-Flag: YES" in added


@arrangements
def test_postfix_strict_spf_failure_is_refused_with_its_own_code(
    site: Site, arrangement: str
) -> None:
    reply = send_message(site.ports[arrangement, "strict"], FORGED, _sample("forged-bank.eml"))
    assert reply.code == 550
    # RFC 7372 §3.2.
    assert reply.text.startswith("5.7.23 ")
    assert "bank.example" in reply.text


def _swaks(port: int, path: Path) -> None:
    swaks = need_program("swaks")
    subprocess.run(
        [
            swaks.path,
            *("--server", f"127.0.0.1:{port}", "--ehlo", "mx.lab.example"),
            *("--from", "lena@lab.example", "--to", "ada@example.org"),
            *("--data", f"@{path}"),
        ],
        env=swaks.environment,
        stdout=subprocess.DEVNULL,
        timeout=30,
        check=True,
    )


def _smtp_source(port: int, path: Path) -> None:
    source = need_program("smtp-source")
    subprocess.run(
        [
            source.path,
            *("-s", "3", "-m", "12", "-d", "-M", "mx.lab.example"),
            *("-f", "lena@lab.example", "-t", "ada@example.org", "-F", path),
            f"127.0.0.1:{port}",
        ],
        env=source.environment,
        timeout=30,
        check=True,
    )


@arrangements
@pytest.mark.parametrize(
    ("tool", "count"),
    [pytest.param(_swaks, 1, id="swaks"), pytest.param(_smtp_source, 12, id="smtp-source")],
)
def test_postfix_what_a_tool_sends_arrives_byte_for_byte(
    site: Site, arrangement: str, tool: Callable[[int, Path], None], count: int
) -> None:
    path = _SAMPLES / "first-report.eml"
    # Either tool has its own way with the end of a file, so it first sends to the sink directly.
    with running_sink() as direct:
        tool(direct.port, path)
        sent = direct.wait_for(count)[0].content
    already = len(site.sink.messages)
    tool(site.ports[arrangement, "balanced"], path)
    received = site.sink.wait_for(already + count)[already:]
    assert len(received) == count
    for each in received:
        _headers_in_front(each.content, sent)
