"""What holds for every packet that a name server may send."""

from __future__ import annotations

from random import Random

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milter.core.errors import ParseError
from milter.dns.resolver import Outcome, Rrtype
from milter.dns.wire import MAX_RECORDS, mix_case, question_section
from tests.support.dns_packets import mutated, read_as_the_client_does, true_packets

PACKETS = true_packets()
label = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=20)


@pytest.mark.parametrize(("rrtype", "question", "packet"), PACKETS)
def test_true_packet_is_read_as_dnspython_reads_it(
    rrtype: Rrtype, question: bytes, packet: bytes
) -> None:
    answer = read_as_the_client_does(rrtype, question, packet)
    message = dns.message.from_wire(packet)
    assert isinstance(message, dns.message.QueryMessage)
    if message.rcode() == dns.rcode.SERVFAIL:
        assert answer.outcome is Outcome.SERVFAIL
        return
    chain = message.resolve_chaining()
    texts = [] if chain.answer is None else [rdata.to_text() for rdata in chain.answer]
    assert len(answer.records) == len(texts)
    assert answer.ttl_s == chain.minimum_ttl
    for record, text in zip(answer.records, texts, strict=True):
        if rrtype in ("PTR", "NS", "CNAME"):
            assert f"{record}." == text
        elif rrtype in ("A", "SOA"):
            assert record == text


@settings(max_examples=500)
@given(st.sampled_from(PACKETS), st.integers(0, 2**32))
def test_mutated_packet_is_read_or_refused(
    packet: tuple[Rrtype, bytes, bytes], number: int
) -> None:
    rrtype, question, data = packet
    data = mutated(data, Random(number))  # noqa: S311 - a seed
    try:
        answer = read_as_the_client_does(rrtype, question, data)
    except ParseError:
        return
    assert len(answer.records) <= MAX_RECORDS
    assert bool(answer.records) == (answer.outcome is Outcome.ANSWER)
    assert answer.ttl_s >= 0


@settings(max_examples=500)
@given(st.sampled_from(PACKETS), st.binary(max_size=300))
def test_any_octets_behind_a_question_are_read_or_refused(
    packet: tuple[Rrtype, bytes, bytes], tail: bytes
) -> None:
    rrtype, question, data = packet
    try:
        read_as_the_client_does(rrtype, question, data[:12] + question + tail)
    except ParseError:
        return


@given(st.lists(label, min_size=1, max_size=8), st.integers(0))
def test_mixed_case_is_the_same_question(labels: list[str], bits: int) -> None:
    question = question_section(".".join(labels), "A")
    assert mix_case(question, bits).lower() == question


@given(st.lists(label, min_size=1, max_size=8))
def test_question_is_what_dnspython_reads(labels: list[str]) -> None:
    name = ".".join(labels)
    packet = b"\0\1\1\0\0\1" + bytes(6) + question_section(name, "TXT")
    (asked,) = dns.message.from_wire(packet).question
    assert asked.name.to_text() == f"{name}."
    assert asked.rdtype == dns.rdatatype.TXT
