from __future__ import annotations

import dns.flags
import dns.message
import dns.name
import dns.rdata
import pytest

from milter.core.errors import ParseError
from milter.dns.resolver import Answer, Outcome, Rrtype
from milter.dns.wire import (
    MAX_RECORDS,
    Fit,
    fit,
    is_cut,
    mix_case,
    query_packet,
    question_section,
    read_answer,
)

QUESTION = b"\2mX\7Example\3org\0\0\1\0\1"
# An owner that is the question's name, written as a jump to it.
HERE = b"\xc0\x0c"
SOA = b"\0" + b"\0\6\0\1\0\0\3\x84\0\x16" + b"\0\0" + bytes(16) + (120).to_bytes(4)


def packet(
    answers: bytes = b"",
    authorities: bytes = b"",
    *,
    counts: tuple[int, int] | None = None,
    rcode: int = 0,
    question: bytes = QUESTION,
    flags: int = 0x8180,
) -> bytes:
    an, ns = counts or (int(bool(answers)), int(bool(authorities)))
    head = b"\0\7" + (flags | rcode).to_bytes(2) + b"\0\1" + an.to_bytes(2) + ns.to_bytes(2)
    return head + b"\0\0" + question + answers + authorities


def record(
    code: int, data: bytes, *, owner: bytes = HERE, ttl: int = 60, rdclass: int = 1
) -> bytes:
    head = code.to_bytes(2) + rdclass.to_bytes(2) + ttl.to_bytes(4) + len(data).to_bytes(2)
    return owner + head + data


def address(last: int = 1, **how: object) -> bytes:
    return record(1, bytes((192, 0, 2, last)), **how)  # type: ignore[arg-type] # passed through


def wire(name: str) -> bytes:
    return question_section(name, "A")[:-4]


def in_a_packet(rrtype: str, text: str) -> bytes:
    """Return the data of a record, written by dnspython."""
    data = dns.rdata.from_text("IN", rrtype, text, origin=dns.name.root, relativize=False).to_wire()
    assert data is not None
    return data


def read(data: bytes, rrtype: Rrtype = "A") -> Answer:
    question = QUESTION[:-4] + question_section("x", rrtype)[-4:]
    return read_answer(data.replace(QUESTION, question), question, rrtype)


def test_query_packet_is_what_dnspython_reads() -> None:
    query = dns.message.from_wire(query_packet(4711, QUESTION))
    assert (query.id, query.flags, query.edns, query.payload) == (4711, dns.flags.RD, 0, 1232)
    assert query.question[0].to_text().lower() == "mx.example.org. in a"


def test_mix_case_changes_letters_alone() -> None:
    question = question_section("a-1.zen.example", "TXT")
    mixed = mix_case(question, -1)
    assert mixed == b"\3A-1\3ZEN\7EXAMPLE\0\0\x10\0\1"
    assert mix_case(question, 0) == question


@pytest.mark.parametrize(
    ("data", "how"),
    [
        pytest.param(packet(address()), Fit.OURS, id="answer"),
        pytest.param(packet(question=QUESTION.lower()), Fit.CASE_LOST, id="other-capitals"),
        pytest.param(
            packet(question=QUESTION.replace(b"Ex", b"ex")), Fit.CASE_LOST, id="one-letter"
        ),
        pytest.param(packet(question=question_section("b.example", "A")), Fit.FOREIGN, id="name"),
        pytest.param(packet(question=QUESTION[:-3] + b"\x1c\0\1"), Fit.FOREIGN, id="type"),
        pytest.param(packet(question=QUESTION[:-1] + b"\3"), Fit.FOREIGN, id="class"),
        pytest.param(packet(flags=0x0180), Fit.FOREIGN, id="a-query"),
        pytest.param(packet(flags=0x9180), Fit.FOREIGN, id="another-opcode"),
        pytest.param(packet()[:11], Fit.FOREIGN, id="shorter-than-a-header"),
        pytest.param(packet()[:20], Fit.FOREIGN, id="ends-in-the-question"),
        pytest.param(b"\0\7\x81\x85" + bytes(8), Fit.OURS, id="refused-without-question"),
        pytest.param(b"\0\7\x81\x80" + bytes(8), Fit.FOREIGN, id="no-error-without-question"),
        pytest.param(b"\0\7\x81\x83" + bytes(8), Fit.FOREIGN, id="nxdomain-without-question"),
        pytest.param(b"\0\7\x81\x85\0\2" + bytes(6), Fit.FOREIGN, id="two-questions"),
    ],
)
def test_fit_packet_must_repeat_the_question(data: bytes, how: Fit) -> None:
    assert fit(data, QUESTION) is how


def test_is_cut_reads_the_flag() -> None:
    assert is_cut(packet(flags=0x8380))
    assert not is_cut(packet())


def test_read_answer_records_of_the_name_alone_count() -> None:
    data = packet(
        address(1) + address(2, owner=wire("other.example")) + address(3, rdclass=3) + address(4),
        counts=(4, 0),
    )
    assert read(data) == Answer(Outcome.ANSWER, ("192.0.2.1", "192.0.2.4"), 60)


def test_read_answer_aliases_in_any_order_lead_to_the_records() -> None:
    data = packet(
        address(1, owner=wire("c.example"), ttl=50)
        + record(5, wire("C.Example"), owner=wire("b.example"), ttl=40)
        + record(5, wire("B.example"), ttl=70),
        counts=(3, 0),
    )
    assert read(data) == Answer(Outcome.ANSWER, ("192.0.2.1",), 40)


def test_read_answer_least_ttl_of_the_records_counts() -> None:
    data = packet(
        address(1, ttl=50) + address(2, ttl=0xFFFFFFFF) + address(3, ttl=40), counts=(3, 0)
    )
    assert read(data).ttl_s == 40


def test_read_answer_alias_is_asked_for_itself() -> None:
    assert read(packet(record(5, wire("b.example"))), "CNAME").records == ("b.example",)


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        pytest.param(packet(b"", SOA), Answer(Outcome.NODATA, ttl_s=120), id="nodata"),
        pytest.param(packet(b"", SOA, rcode=3), Answer(Outcome.NXDOMAIN, ttl_s=120), id="nxdomain"),
        pytest.param(packet(), Answer(Outcome.NODATA), id="nodata-without-soa-is-not-kept"),
        pytest.param(packet(rcode=3), Answer(Outcome.NXDOMAIN), id="nxdomain-without-soa"),
        pytest.param(
            packet(b"", record(2, wire("ns.example"))), Answer(Outcome.SERVFAIL), id="a-referral"
        ),
        pytest.param(
            packet(b"", record(2, wire("ns.example")) + SOA, counts=(0, 2)),
            Answer(Outcome.NODATA, ttl_s=120),
            id="soa-behind-name-servers",
        ),
        pytest.param(
            packet(record(5, wire("b.example"), ttl=30), SOA, rcode=3),
            Answer(Outcome.NXDOMAIN, ttl_s=30),
            id="alias-to-nowhere",
        ),
        pytest.param(
            packet(record(5, wire("b.example"), ttl=30), SOA),
            Answer(Outcome.NODATA, ttl_s=30),
            id="alias-to-nothing",
        ),
        pytest.param(packet(rcode=2), Answer(Outcome.SERVFAIL), id="servfail"),
        pytest.param(packet(rcode=5), Answer(Outcome.REFUSED), id="refused"),
        pytest.param(packet(rcode=1), Answer(Outcome.SERVFAIL), id="formerr"),
        pytest.param(packet(rcode=9), Answer(Outcome.SERVFAIL), id="notauth"),
    ],
)
def test_read_answer_without_records_says_why(data: bytes, answer: Answer) -> None:
    assert read(data) == answer


def test_read_answer_more_records_than_anybody_needs_are_cut() -> None:
    data = packet(address() * 600, counts=(600, 0))
    assert len(read(data).records) == MAX_RECORDS


def jumps(count: int) -> bytes:
    """Return a record whose owner takes `count` jumps to the name of the question."""
    begin = 12 + len(QUESTION)
    chain = b"".join(
        (0xC000 | (12 if i == 0 else begin + 12 + 2 * (i - 1))).to_bytes(2)
        for i in range(count - 1)
    )
    last = 12 if count == 1 else begin + 12 + 2 * (count - 2)
    # The jumps stand in the data of a record of a type that nobody asked for.
    return record(99, chain) + address(owner=(0xC000 | last).to_bytes(2))


def test_read_answer_few_jumps_are_followed() -> None:
    assert read(packet(jumps(10), counts=(2, 0))).records == ("192.0.2.1",)


SELF = (0xC000 | 12 + len(QUESTION)).to_bytes(2)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        pytest.param(packet(jumps(40), counts=(2, 0)), "too many jumps", id="many-jumps"),
        pytest.param(packet(address(owner=SELF)), "nor a jump back", id="jump-to-itself"),
        pytest.param(
            packet(address(owner=b"\1a" + SELF)), "nor a jump back", id="jump-into-itself"
        ),
        pytest.param(packet(address(owner=b"\xff\xff")), "nor a jump back", id="jump-forward"),
        pytest.param(packet(address(owner=b"\x80a\0")), "nor a jump back", id="reserved-label"),
        pytest.param(
            packet(address(owner=(b"\x3f" + b"a" * 63) * 4 + b"\0")), "255", id="long-name"
        ),
        pytest.param(packet(counts=(1, 0)), "too early", id="no-record"),
        pytest.param(packet(HERE + b"\0\1", counts=(1, 0)), "too early", id="half-a-record"),
        pytest.param(packet(address()[:-1]), "too early", id="half-an-address"),
        pytest.param(packet(b"\x3fabc", counts=(1, 0)), "too early", id="half-a-label"),
        pytest.param(packet(b"\xc0", counts=(1, 0)), "too early", id="half-a-jump"),
        pytest.param(packet(record(1, b"abc")), "four octets", id="three-octets-of-address"),
        pytest.param(packet(record(5, wire("mx.example.org"))), "aliases", id="alias-to-itself"),
        pytest.param(packet(record(5, b"\1b\7exam")), "too early", id="alias-cut"),
        pytest.param(packet(record(5, wire("b.example") + b"x")), "as long", id="alias-and-more"),
        pytest.param(packet(address(), rcode=3), "does not exist", id="records-of-no-name"),
        pytest.param(
            packet(address(owner=b"\0") * 501, counts=(501, 0)),
            "too many records",
            id="none-of-500",
        ),
        pytest.param(packet(b"", record(6, b"\0\0")), "short SOA", id="short-soa"),
    ],
)
def test_read_answer_malformed_packet_is_a_parse_error(data: bytes, what: str) -> None:
    with pytest.raises(ParseError, match=what):
        read(data)


@pytest.mark.parametrize(
    ("rrtype", "code", "data"),
    [
        pytest.param("AAAA", 28, bytes(15), id="aaaa-of-fifteen"),
        pytest.param("TXT", 16, b"", id="txt-without-string"),
        pytest.param("TXT", 16, b"\5abc", id="txt-cut"),
        pytest.param("MX", 15, b"\0", id="mx-of-one-octet"),
        pytest.param("MX", 15, b"\0\1", id="mx-without-name"),
        pytest.param("MX", 15, b"\0\1\1a\0x", id="mx-and-more"),
        pytest.param("PTR", 12, b"\1a", id="ptr-without-end"),
        pytest.param("SOA", 6, b"\0" * 5, id="soa-too-short"),
    ],
)
def test_read_answer_malformed_data_is_a_parse_error(
    rrtype: Rrtype, code: int, data: bytes
) -> None:
    with pytest.raises(ParseError):
        read(packet(record(code, data)), rrtype)


def test_read_answer_long_loop_of_aliases_is_a_parse_error() -> None:
    chain = record(5, wire("n0.example")) + b"".join(
        record(5, wire(f"n{i + 1}.example"), owner=wire(f"n{i}.example")) for i in range(20)
    )
    with pytest.raises(ParseError, match="aliases"):
        read(packet(chain, counts=(21, 0)))


@pytest.mark.parametrize(
    "name", ["a\\.b.example", "\\000x.example", "a\\032b.example", "x\\;y.example"]
)
def test_read_answer_unusual_octets_of_a_name_are_escaped(name: str) -> None:
    data = in_a_packet("PTR", f"{name}.")
    assert read(packet(record(12, data)), "PTR").records == (name,)


def test_read_answer_name_in_our_own_capitals_is_lower_case() -> None:
    data = b"\0\12" + b"\4mail" + HERE
    assert read(packet(record(15, data)), "MX").records == ((10, "mail.mx.example.org"),)


def test_read_answer_rare_type_is_text() -> None:
    text = "ns.example. root.example. 1 7200 900 86400 120"
    data = in_a_packet("SOA", text)
    assert read(packet(record(6, data)), "SOA").records == (text,)
