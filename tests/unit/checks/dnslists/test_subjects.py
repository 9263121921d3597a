from __future__ import annotations

import hashlib
from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.checks.dnslists import subjects
from milter.checks.dnslists.questions import hashed_name, of_address, of_domain, query_name
from milter.checks.dnslists.relays import relay_addresses
from milter.message.document import Message
from policies.dnslists import Asks, DnsList, HashForm
from tests.support.checks import a_transaction

LIST = DnsList(
    "bl.example", (Asks.CLIENT_IP,), "block", codes={IPv4Address("127.0.0.2"): "BL"}, key="k3y"
)


@pytest.mark.parametrize(
    ("ip", "name"),
    [
        ("192.0.2.99", "99.2.0.192"),
        ("::ffff:192.0.2.99", "99.2.0.192"),
        (
            "2001:db8:1:2:3:4:567:89ab",
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2",
        ),
    ],
)
def test_address_is_asked_backwards(ip: str, name: str) -> None:
    assert of_address(ip_address(ip)).name == name


def test_question_has_the_key_before_the_zone() -> None:
    subject = of_address(ip_address("192.0.2.99"))
    assert query_name(LIST, subject) == "99.2.0.192.k3y.bl.example"


def test_question_too_long_for_the_dns_is_not_asked() -> None:
    subject = of_domain(".".join(["a" * 60] * 4))
    assert subject is not None
    assert query_name(LIST, subject) is None


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (HashForm(), "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (HashForm("md5"), "900150983cd24fb0d6963f7d28e17f72"),
        (HashForm("sha1", length=10), "a9993e3647"),
        (HashForm("sha256", "base32"), "xj4bnp4pahh6uqkbidpf3lrceoyagyndsylxvhfucd7wd4qacwwq"),
        (
            HashForm("sha256"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
        ),
    ],
)
def test_hash_is_written_as_the_list_wants_it(form: HashForm, expected: str) -> None:
    # The digests of "abc" stand in RFC 1321, FIPS 180-2.
    assert hashed_name("ABC", form) == expected


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (HashForm("md5", "zbase32"), "znmeurk7odykrjnqs5rwgm4u8b"),
        (HashForm("sha1", "zbase32"), "w19nw9mhdag4hb9mhz3qaazbjndpruaa"),
        (HashForm("sha1", "base64"), "vh5b/+idg83dx/xmh/ensyxgjsy="),
        (
            HashForm("sha384"),
            "274aad334b41018a5b49f2d130cf9779da2dd5c3fd6cd67f6be1c59656d55a6",
        ),
        (HashForm("blake2", length=16), "3039191ec625c76f"),
        (HashForm("blake2", "zbase32", 32), "ojq1bxaaf3t9sjxzetryddpctpcuhpfq"),
        (HashForm("blake2", "base64", 32), "mdkzhsylx2/tuygsmezjsbhjw3fbgx+p"),
    ],
)
def test_hash_is_written_as_rspamd_writes_it(form: HashForm, expected: str) -> None:
    # As `rspamadm lua` of rspamd 3.4 writes them; names in the DNS have no case.
    assert hashed_name("user@example.org", form) == expected


def test_mail_address_is_hashed_with_the_dot_that_a_list_wants() -> None:
    form = HashForm("md5", at=".")

    assert hashed_name("a@b.example", form) == hashlib.md5(b"a.b.example").hexdigest()  # noqa: S324


def test_domain_is_asked_for_by_its_hash_where_the_list_holds_hashes() -> None:
    form = HashForm("md5")
    listing = {IPv4Address("127.0.0.2"): "BL"}
    dns_list = DnsList("bl.example", (Asks.URL_DOMAIN,), "block", codes=listing, hashed=form)
    subject = of_domain("shop.example")
    assert subject is not None

    digest = hashlib.md5(b"shop.example").hexdigest()  # noqa: S324
    assert query_name(dns_list, subject) == f"{digest}.bl.example"


@pytest.mark.parametrize(
    ("form", "hashed"),
    [
        (HashForm("md5"), "http://user@www.example.org:81/a/b.php?q=1#f"),
        (HashForm("md5", keeps_case=True), "http://User@www.Example.org:81/a/B.php?q=1#f"),
        (HashForm("md5", of="host_path", keeps_case=True), "www.example.org/a/B.php"),
        (HashForm("md5", of="host_path"), "www.example.org/a/b.php"),
    ],
    ids=["whole", "as-it-stands", "host-and-path", "host-and-path-in-lower-case"],
)
def test_web_address_is_hashed_as_the_list_wants_it(form: HashForm, hashed: str) -> None:
    url = "http://User@www.Example.org:81/a/B.php?q=1#f"

    assert hashed_name(url, form) == hashlib.md5(hashed.encode()).hexdigest()  # noqa: S324


@pytest.mark.parametrize("url", ["http://[2001:db8::1]:80/x", "http://[2001:db8::1]/x"])
def test_web_address_with_an_ipv6_host_is_hashed_without_its_port(url: str) -> None:
    form = HashForm("sha1", of="host_path")

    assert hashed_name(url, form) == hashlib.sha1(b"[2001:db8::1]/x").hexdigest()  # noqa: S324


def test_urls_of_different_domains_come_before_more_of_one() -> None:
    urls = [f"http://www.one.example/{i}" for i in range(5)]
    urls += ["http://two.example/", "https://three.example/"]
    first = [s.text for s in subjects.urls_to_hash(urls, "TXN1")[:3]]
    hosts = {url.split("/")[2].removeprefix("www.") for url in first}
    assert hosts == {"one.example", "two.example", "three.example"}


def test_choice_among_many_is_the_same_for_one_transaction_and_differs_between_two() -> None:
    found = subjects.domains([f"d{i}.example" for i in range(100)])
    assert subjects.drawn(found, "TXN1") == subjects.drawn(found, "TXN1")
    assert subjects.drawn(found, "TXN1")[:20] != subjects.drawn(found, "TXN2")[:20]


def test_mail_addresses_are_found_in_header_and_text() -> None:
    message = Message(
        b"From: A <A.B+c@gmail.com>\r\nReply-To: x@reply.example\r\n\r\n"
        b"Write to drop.box@mail.example, not to @nobody or a@b.\r\n"
    )
    assert [s.text for s in subjects.mail_addresses(message)] == [
        "ab@gmail.com",
        "x@reply.example",
        "drop.box@mail.example",
    ]


@given(st.text(max_size=300))
def test_mail_addresses_of_any_text_are_found_without_error(text: str) -> None:
    message = Message(b"\r\n" + text.encode("utf-8", "replace"))
    assert all("@" in subject.text for subject in subjects.mail_addresses(message))


@given(st.lists(st.text(max_size=80), max_size=10))
def test_any_urls_make_subjects_that_can_be_asked(urls: list[str]) -> None:
    hosts = subjects.url_hosts([f"http://{url}" for url in urls])
    for subject in subjects.domains(hosts):
        assert query_name(LIST, subject) is None or "." in subject.name
    assert len(subjects.urls_to_hash(urls, "T")) <= len(urls)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("from mx.example (mx.example [192.0.2.5]) by us with ESMTP", ["192.0.2.5"]),
        ("from a (unknown [IPv6:2001:db8::5]) by us", ["2001:db8::5"]),
        ("by us from [192.0.2.5]", []),
        ("from a ([999.2.0.1]) by us", []),
        ("from mx.example (mx.example [192.0.2.7]) by us", []),
    ],
)
def test_relays_are_the_addresses_that_were_seen(field: str, expected: list[str]) -> None:
    message = Message(f"Received: {field}\r\n\r\n".encode())
    found = relay_addresses(a_transaction(), message)
    assert [str(address) for address in found] == expected
