from __future__ import annotations

import base64

import pytest

from milter.message.document import Message
from milter.message.guard import Bounds, Fault


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def faults_of(message: Message) -> set[Fault]:
    message.read()
    return {defect.fault for defect in message.defects}


def multipart(body: str, boundary: str = "b", subtype: str = "mixed") -> bytes:
    return crlf(f'Content-Type: multipart/{subtype}; boundary="{boundary}"\n\n{body}')


def test_parts_of_a_plain_message_are_its_body() -> None:
    message = Message(b"Subject: x\r\n\r\nhello\r\n")
    assert [(p.content_type, message.raw[p.start : p.end]) for p in message.parts] == [
        ("text/plain", b"hello\r\n")
    ]


def test_parts_line_break_before_a_delimiter_belongs_to_the_delimiter() -> None:
    message = Message(
        multipart("preamble\n--b\n\none\n--b \nContent-Type: text/html\n\ntwo\n\n--b--\nepilogue\n")
    )
    assert [(p.content_type, message.raw[p.start : p.end]) for p in message.parts] == [
        ("text/plain", b"one"),
        ("text/html", b"two\r\n"),
    ]
    assert not faults_of(message)


def test_parts_nested_multiparts_and_messages_are_walked_in_order() -> None:
    inner = 'Content-Type: multipart/alternative; boundary="bb"\n\n--bb\n\nA\n--bb\n\nB\n--bb--\n'
    nested = "Content-Type: message/rfc822\n\nSubject: inside\n\nC\n"
    message = Message(multipart(f"--b\n{inner}\n--b\n{nested}\n--b\n\nD\n--b--\n"))
    assert [(part.text.strip()) for part in message.texts] == ["A", "B", "C", "D"]
    assert [part.depth for part in message.parts] == [2, 2, 2, 1]


def test_parts_of_a_digest_are_messages_by_default() -> None:
    message = Message(multipart("--b\n\nSubject: one\n\nfirst\n--b--\n", subtype="digest"))
    assert [part.text for part in message.texts] == ["first"]


def test_parts_line_that_only_begins_like_a_delimiter_is_text() -> None:
    message = Message(multipart("--b\n\nx\n--bc\ny --b\nz\n--b--\n"))
    assert [part.text for part in message.texts] == ["x\n--bc\ny --b\nz"]


def test_parts_are_told_apart_by_how_lines_begin_where_none_is_the_delimiter_alone() -> None:
    message = Message(multipart("--b, the first\n\nx\n--b, the second\n\ny\n--b-- the end\nz\n"))
    assert [part.text for part in message.texts] == ["x", "y"]
    assert not faults_of(message)


_HELD = "Subject: held\nContent-Type: text/plain; charset=utf-8\n\nA = held text.\n"


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        pytest.param("base64", base64.encodebytes(crlf(_HELD)).decode(), id="base64"),
        pytest.param("quoted-printable", _HELD.replace("=", "=3D"), id="quoted-printable"),
    ],
)
def test_parts_of_a_message_that_came_encoded_are_read_and_noted(
    encoding: str, content: str
) -> None:
    head = f"Content-Type: message/rfc822\nContent-Transfer-Encoding: {encoding}\n\n"
    message = Message(multipart(f"--b\n{head}{content}\n--b\n\nB\n--b--\n"))
    assert [part.text.strip() for part in message.texts] == ["A = held text.", "B"]
    assert message.parts[0].charset == "utf-8"
    assert faults_of(message) == {Fault.MIME}


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "7bit"])
def test_parts_of_a_message_that_is_not_in_the_encoding_it_names_are_read_as_they_are(
    encoding: str,
) -> None:
    head = f"Content-Type: message/rfc822\nContent-Transfer-Encoding: {encoding}\n\n"
    inner = "Subject: =?utf-8?Q?=3D=41?=\nContent-Type: text/plain; charset=utf-8\n\nA=3DB\n"
    message = Message(crlf(head + inner))
    assert [part.text.strip() for part in message.texts] == ["A=3DB"]
    assert not faults_of(message)


def test_parts_of_encoded_messages_in_each_other_end_at_the_bound_of_decoded_bytes() -> None:
    content = crlf("Subject: x\n\n" + "words " * 200)
    for _ in range(3):
        head = crlf("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n")
        content = head + base64.encodebytes(content)
    message = Message(content, Bounds(decoded_bytes=400))
    assert sum(len(part.text) for part in message.texts) <= 400
    message.read()
    assert "decoded" in message.truncated


def test_parts_empty_part_between_two_delimiters_is_kept() -> None:
    message = Message(multipart("--b\n--b\n\nx\n--b--\n"))
    assert [message.raw[p.start : p.end] for p in message.parts] == [b"", b"x"]


@pytest.mark.parametrize(
    ("raw", "texts"),
    [
        pytest.param(
            crlf("Content-Type: multipart/mixed\n\nwords\n"), ["words\n"], id="no-boundary"
        ),
        pytest.param(multipart("words\n"), ["words\n"], id="boundary-never-comes"),
        pytest.param(multipart("--b\n\nwords\n"), ["words\n"], id="never-closed"),
        pytest.param(crlf("Content-Type: text\n\nwords\n"), ["words\n"], id="no-subtype"),
        pytest.param(
            crlf("Content-Transfer-Encoding: rot13\n\nwords\n"), ["words\n"], id="unknown-encoding"
        ),
    ],
)
def test_parts_of_broken_mime_are_read_as_text_and_noted(raw: bytes, texts: list[str]) -> None:
    message = Message(raw)
    assert [part.text for part in message.texts] == texts
    assert faults_of(message) == {Fault.MIME}


def test_texts_are_decoded_by_encoding_and_charset() -> None:
    encoded = base64.encodebytes("Привет\r\n".encode("koi8-r")).decode()
    message = Message(
        multipart(
            "--b\nContent-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: BASE64\n\n"
            f"{encoded}\n--b\nContent-Type: text/html; charset=utf-8\n"
            "Content-Transfer-Encoding: quoted-printable\n\n<p>caf=C3=A9 =\nx</p>\n--b--\n"
        )
    )
    assert [(part.content_type, part.text) for part in message.texts] == [
        ("text/plain", "Привет\n"),
        ("text/html", "<p>café x</p>"),
    ]


@pytest.mark.parametrize(
    ("head", "faults"),
    [
        pytest.param("X\nContent-Type: text/html\n", set(), id="first"),
        pytest.param("Content-Type: text/html\nX\nX y\n", set(), id="between"),
        pytest.param("Content-Type: text/html\nContent-Type: a/b\n", {Fault.MIME}, id="twice"),
    ],
)
def test_header_of_a_part_goes_on_behind_lines_that_are_no_fields(
    head: str, faults: set[Fault]
) -> None:
    encoded = base64.encodebytes(b"words").decode()
    message = Message(
        multipart(f"--b\n{head}Content-Transfer-Encoding: base64\n\n{encoded}\n--b--\n")
    )
    faults |= {Fault.HEADER} if "X" in head else set()
    assert [(part.content_type, part.text) for part in message.texts] == [("text/html", "words")]
    assert faults_of(message) == faults


def test_text_of_a_part_without_a_header_stays_text() -> None:
    message = Message(multipart("--b\nDear you,\nA: b\n\nwords\n--b--\n"))
    assert message.texts[0].text == "Dear you,\nA: b\n\nwords"


def test_encoding_of_a_part_may_stand_behind_a_comment() -> None:
    encoded = base64.encodebytes(b"words")
    message = Message(b"Content-Transfer-Encoding: (x) (y) base64\r\n\r\n" + encoded)
    assert message.texts[0].text == "words"


@pytest.mark.parametrize("boundary", [b"\xe9\xe9", "\xe9".encode()])
def test_parts_between_boundaries_of_any_bytes_are_found(boundary: bytes) -> None:
    message = Message(
        b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n--%b\r\n\r\nA\r\n--%b--\r\n'
        % (boundary, boundary, boundary)
    )
    assert [part.text for part in message.texts] == ["A"]


def test_texts_are_whole_where_space_stands_behind_a_soft_break() -> None:
    body = b"pass= \r\nword=\t \r\ns = x\r\n"
    message = Message(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + body)
    assert message.texts[0].text == "passwords = x\n"


def test_texts_that_do_not_fit_their_charset_are_noted() -> None:
    message = Message(b"Content-Type: text/plain; charset=utf-8\r\n\r\nh\xe9\r\n")
    assert message.texts[0].text == "h\ufffd\n"
    assert faults_of(message) == {Fault.CHARSET}


def test_texts_called_base64_and_sent_plain_are_read_as_they_are() -> None:
    text = "贵公司先生、小姐您好"
    header = (
        b"Content-Type: text/plain; charset=gb2312\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    message = Message(header + text.encode("gb2312"))
    assert message.texts[0].text == text
    assert faults_of(message) == {Fault.MIME}


def test_texts_in_base64_with_an_8_bit_byte_among_it_are_decoded() -> None:
    encoded = base64.encodebytes(b"hello world").replace(b"l", b"l\xff", 1)
    message = Message(b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded)
    assert message.texts[0].text == "hello world"


def test_parts_past_the_bound_are_left_unread_and_noted() -> None:
    message = Message(multipart("--b\n\nx\n" * 50 + "--b--\n"), Bounds(parts=10))
    assert len(message.parts) < 10
    assert Fault.LIMIT in faults_of(message)


def test_parts_deeper_than_the_bound_are_a_leaf_and_noted() -> None:
    raw = b"Content-Type: message/rfc822\r\n\r\n" * 3000 + b"\r\nx"
    message = Message(raw)
    assert [part.depth for part in message.parts] == [20]
    assert Fault.LIMIT in faults_of(message)


def test_delimiters_false_ones_without_end_are_given_up() -> None:
    raw = multipart("--b\n\n" + "--bx\n" * 100 + "--b--\n")
    message = Message(raw, Bounds(false_delimiters=50))
    assert len(message.parts) == 1
    assert Fault.LIMIT in faults_of(message)


def test_texts_past_the_bound_of_decoded_bytes_are_cut() -> None:
    raw = b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(b"x" * 10_000)
    message = Message(raw, Bounds(decoded_bytes=100))
    assert message.texts[0].text == "x" * 100
    assert Fault.LIMIT in faults_of(message)


_ENCODED_PART = (
    "Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n"
    f"{base64.b64encode(b'buy now').decode()}\n"
)


@pytest.mark.parametrize(
    ("head", "delimiter"),
    [
        pytest.param('multipart/mixed; boundary=""', "--", id="empty"),
        pytest.param("multipart/mixed", "--b", id="none"),
        pytest.param('multipart/mixed; boundary="b "', "--b", id="space-at-the-end"),
        pytest.param("multipart/mixed; boundary=a; boundary=b", "--b", id="two"),
        pytest.param("multipart/mixed; boundary=b; boundary*0=a", "--b", id="two-of-rfc-2231"),
        pytest.param("text/plain\nContent-Type: multipart/mixed; boundary=b", "--b", id="fields"),
    ],
)
def test_parts_that_some_readers_find_are_read_and_noted(head: str, delimiter: str) -> None:
    raw = f"Content-Type: {head}\n\nx\n{delimiter}\n{_ENCODED_PART}{delimiter}--\n"
    message = Message(crlf(raw))
    assert [part.text for part in message.texts] == ["buy now"]
    assert faults_of(message) == {Fault.MIME}


@pytest.mark.parametrize(
    ("fields", "body", "text"),
    [
        ('"base64"', "YnV5IG5vdw==\n", "buy now"),
        ("base64,", "YnV5IG5vdw==\n", "buy now"),
        ("7bit\nContent-Transfer-Encoding: base64", "YnV5IG5vdw==\n", "buy now"),
        ("7bit\nContent-Transfer-Encoding: base64", "buy now\n", "buy now\n"),
        (
            "7bit\nContent-Transfer-Encoding: base64",
            "YnV5IG5v*dyBvciBu\nZXZlcg==\n",
            "buy now or never",
        ),
        ("base64\nContent-Transfer-Encoding: base64", "YnV5*IG5v*dw==\n", "buy now"),
        ("base64\nContent-Transfer-Encoding: 7bit", "buy now\n", "buy now\n"),
    ],
)
def test_encoding_of_a_text_is_what_some_reader_takes(fields: str, body: str, text: str) -> None:
    message = Message(crlf(f"Content-Transfer-Encoding: {fields}\n\n{body}"))
    assert message.body == text


def test_texts_are_whole_behind_a_soft_break_of_cr_alone() -> None:
    message = Message(b"Content-Transfer-Encoding: quoted-printable\r\n\r\na=\rb=\r\nc\r\nd")
    assert message.body == "abc\nd"
    assert Message(b"Subject: =?utf-8?q?a=\rb?=\r\n\r\n").subject == "ab"


@pytest.mark.parametrize(
    ("name", "content", "files"),
    [
        pytest.param("a.exe", b"MZ\x90", ["a.exe"], id="program"),
        pytest.param("a.com", b"MZ\x90", ["a.com"], id="no-message"),
        pytest.param("a.js", b"Subject: 1\r\n\r\nx", ["a.js"], id="script-like-a-message"),
        pytest.param("a.eml", b"Subject: 1\r\n\r\nx", [], id="message"),
        pytest.param("Order at a.com", b"Subject: 1\r\n\r\nx", [], id="called-by-its-subject"),
    ],
)
def test_message_that_is_called_another_file_is_one_as_well(
    name: str, content: bytes, files: list[str]
) -> None:
    head = f'Content-Type: message/rfc822; name="{name}"\nContent-Transfer-Encoding: base64'
    message = Message(multipart(f"--b\n{head}\n\n{base64.b64encode(content).decode()}\n--b--\n"))
    assert [attachment.name for attachment in message.attachments] == files
