"""Every fact of a message that a person may read or an expression may use, in one table.

A fact is a value with a name and a type; a record has fields of its own. The table is all there is
to add: expressions know its names and types when they are compiled, the page of facts is made from
it, and a check runs where a rule reads a fact that it yields. What nobody found is the empty value
of its type: an empty text, 0, false, an empty list, a record of empty values.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

FactValue = str | int | float | bool | list["FactValue"] | dict[str, "FactValue"]


class FactType(Enum):
    """What a fact or a field can be; the value is its name in words and in docs."""

    TEXT = "text"
    INTEGER = "whole number"
    NUMBER = "number"
    FLAG = "true or false"
    TEXTS = "list of texts"
    COUNTS = "counts by name"
    RECORD = "record"
    RECORDS = "list of records"


TEXT: Final = FactType.TEXT
INTEGER: Final = FactType.INTEGER
NUMBER: Final = FactType.NUMBER
FLAG: Final = FactType.FLAG
TEXTS: Final = FactType.TEXTS
COUNTS: Final = FactType.COUNTS
RECORD: Final = FactType.RECORD
RECORDS: Final = FactType.RECORDS


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field of a record.

    Attributes:
        name: As expressions write it.
        type: What it holds.
        words: What it is, for people.
        fields: Those of a record or of each record of a list.
    """

    name: str
    type: FactType
    words: str
    fields: tuple[FieldSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class FactSpec:
    """One row of the table of facts.

    Attributes:
        name: As expressions write it.
        type: What it holds.
        stage: The stage at which it is known.
        words: What it is, for people.
        example: A value that it can have.
        fields: Those of a record or of each record of a list.
        check: The check that yields it; empty where connection, envelope or the policy do.
        unasked: The symbol with which that check says that it could not ask; empty: it asks nobody.
        stands_on: Facts that it is made of; where one of them is in doubt, so is this one.
    """

    name: str
    type: FactType
    stage: str
    words: str
    example: FactValue
    fields: tuple[FieldSpec, ...] = ()
    check: str = ""
    unasked: str = ""
    stands_on: tuple[str, ...] = ()


_RESULT: Final = FieldSpec("result", TEXT, "Result in the words of RFC 8601; empty: not asked")

FACTS: Final = (
    FactSpec(
        *("connection", RECORD, "connect", "The client"),
        example={"ip": "192.0.2.7", "port": 40122, "name": "mx.example.org"},
        fields=(
            FieldSpec("ip", TEXT, "Its address"),
            FieldSpec("port", INTEGER, "Its port"),
            FieldSpec("name", TEXT, "Its name, confirmed by a look-up in both directions"),
            FieldSpec("reverse_name", TEXT, "The name that its address leads to, unconfirmed"),
            FieldSpec("protocol", TEXT, "SMTP, ESMTP, or what a trusted upstream said"),
            FieldSpec("local", FLAG, "Whether a trusted upstream said that it is local"),
            FieldSpec("relays", TEXTS, "Our own relays that passed its mail on, the latest first"),
        ),
    ),
    FactSpec("helo", TEXT, "helo", "The name that the client gave", "mx.example.org"),
    FactSpec(
        *("tls", RECORD, "helo", "Encryption towards the client"),
        example={"version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384"},
        fields=(
            FieldSpec("version", TEXT, "Empty: not encrypted"),
            FieldSpec("cipher", TEXT, "Name of the cipher suite"),
            FieldSpec("client", TEXT, "Name in the client's verified certificate"),
        ),
    ),
    FactSpec("account", TEXT, "mail", "Login of an authenticated client", "alice"),
    FactSpec("direction", TEXT, "connect", "inbound, outbound or internal", "inbound"),
    FactSpec("listener", TEXT, "connect", "Name of the listener", "inbound"),
    FactSpec(
        "mail_from",
        TEXT,
        "mail",
        "The reverse path, its domain in A-labels; empty for `<>`",
        "a@example.org",
    ),
    FactSpec(
        "recipients",
        TEXTS,
        "rcpt",
        "The accepted recipients, domains in A-labels",
        ["b@example.net"],
    ),
    FactSpec("size_bytes", INTEGER, "message", "Size of the message", 2048),
    FactSpec(
        *("iprev", RECORD, "connect", "Forward-confirmed reverse DNS"),
        example={"result": "pass", "name": "mx.example.org"},
        fields=(
            _RESULT,
            FieldSpec("name", TEXT, "The name that leads back; empty: none does"),
            FieldSpec("reason", TEXT, "Why it is no pass"),
        ),
        check="iprev",
        unasked="IPREV_TEMPERROR",
    ),
    FactSpec(
        *("spf", RECORD, "mail", "SPF (RFC 7208)"),
        example={"result": "pass", "domain": "example.org", "identity": "mailfrom"},
        fields=(
            _RESULT,
            FieldSpec("domain", TEXT, "The domain whose record was asked for"),
            FieldSpec("identity", TEXT, "mailfrom or helo"),
            FieldSpec("mechanism", TEXT, "The term of the record that matched"),
            FieldSpec("reason", TEXT, "Why there is no better result"),
            FieldSpec("explanation", TEXT, "What the domain says of its fail"),
            FieldSpec("helo_result", TEXT, "Result for the HELO name; empty: not asked apart"),
        ),
        check="spf",
        unasked="SPF_TEMPERROR",
    ),
    FactSpec(
        *("dkim", RECORDS, "message", "DKIM signatures (RFC 6376), each with its result"),
        example=[{"result": "pass", "domain": "example.org", "selector": "mail"}],
        fields=(
            _RESULT,
            FieldSpec("domain", TEXT, "The signing domain, `d=`"),
            FieldSpec("selector", TEXT, "The selector, `s=`"),
        ),
        check="dkim",
        unasked="DKIM_TEMPERROR",
    ),
    FactSpec(
        *("dmarc", RECORD, "message", "DMARC (RFC 9989) of the author's domain"),
        example={"result": "pass", "policy": "reject", "aligned": True, "domain": "example.org"},
        fields=(
            _RESULT,
            FieldSpec("policy", TEXT, "What the domain asks for: none, quarantine or reject"),
            FieldSpec(
                "aligned", FLAG, "Whether SPF or DKIM passed for the author's domain, record or not"
            ),
            FieldSpec("domain", TEXT, "The author's domain; of several the one that fails worst"),
            FieldSpec("published", TEXT, "`policy` before test mode (t=y) lowered it"),
            FieldSpec("testing", FLAG, "Whether the domain only tests its policy (t=y)"),
            FieldSpec("record_domain", TEXT, "The domain whose record was found"),
            FieldSpec("org_domain", TEXT, "The organizational domain, where it was looked for"),
            FieldSpec("forwarded", FLAG, "Whether a trusted ARC sealer saw it pass"),
            FieldSpec(
                "identifiers",
                RECORDS,
                "What SPF and DKIM were asked about",
                (
                    FieldSpec("method", TEXT, "spf or dkim"),
                    FieldSpec("domain", TEXT, "The domain"),
                    _RESULT,
                    FieldSpec("aligned", FLAG, "Whether it is aligned with the author's domain"),
                ),
            ),
        ),
        check="dmarc",
        unasked="DMARC_TEMPERROR",
        stands_on=("spf", "dkim", "arc"),
    ),
    FactSpec(
        *("arc", RECORD, "message", "The ARC chain (RFC 8617)"),
        example={"result": "pass", "sealer": "lists.example.org", "trusted": True},
        fields=(
            _RESULT,
            FieldSpec("sealer", TEXT, "Domain of the latest seal"),
            FieldSpec("trusted", FLAG, "Whether that domain is among `trusted_sealers`"),
            FieldSpec(
                "vouched",
                RECORDS,
                "Author domains for which a trusted sealer saw DMARC pass",
                (
                    FieldSpec("domain", TEXT, "The author's domain"),
                    FieldSpec("sealer", TEXT, "Who saw it pass"),
                ),
            ),
            FieldSpec(
                *("undecided", TEXTS),
                "Author domains for which one may have: a key could not be asked for",
            ),
        ),
        check="arc",
    ),
    FactSpec(
        *("upstream", RECORDS, "message", "What trusted upstreams found out (RFC 8601)"),
        example=[{"authserv_id": "backup.example.org", "method": "spf", "result": "pass"}],
        fields=(
            FieldSpec("authserv_id", TEXT, "Who says so"),
            FieldSpec("method", TEXT, "spf, dkim, dmarc, iprev and others"),
            _RESULT,
            FieldSpec("domain", TEXT, "The domain that it is about"),
            FieldSpec("reason", TEXT, "Why, in the upstream's words"),
        ),
        check="upstream",
    ),
    FactSpec("subject", TEXT, "message", "The decoded Subject", "Hello", check="headers"),
    FactSpec(
        *("author_domain", TEXT, "message", "Domain of the From header", "example.org"),
        check="headers",
    ),
    FactSpec(
        *("headers", COUNTS, "message", "How often each header field stands, by small name"),
        example={"from": 1},
        check="headers",
    ),
    FactSpec(
        *("urls", RECORDS, "message", "Links in text and HTML"),
        example=[{"url": "https://www.example.org/a", "host": "www.example.org"}],
        fields=(
            FieldSpec("url", TEXT, "As a mail client would open it"),
            FieldSpec("scheme", TEXT, "In small letters: https, http, mailto, data"),
            FieldSpec("host", TEXT, "Its host in small letters"),
            FieldSpec("domain", TEXT, "The registrable domain of the host"),
            FieldSpec("text", TEXT, "The text that shows it"),
            FieldSpec(
                *("source", TEXT),
                "Where: text, link, form, image, frame, refresh, style, script; nested: in another",
            ),
            FieldSpec(
                *("traits", TEXTS),
                "What is odd: ip, odd_ip, userinfo, port, idn, encoded_host, odd_slashes, "
                "schemeless, mended, wrapped, shortener, redirector, hidden",
            ),
        ),
        check="links",
    ),
    FactSpec(
        *("attachments", RECORDS, "message", "Parts that are files"),
        example=[{"name": "invoice.pdf.exe", "extension": "exe", "type": "application/pdf"}],
        fields=(
            FieldSpec("name", TEXT, "File name, decoded"),
            FieldSpec("extension", TEXT, "What follows the last dot, in small letters"),
            FieldSpec("type", TEXT, "Media type as declared"),
            FieldSpec("real_type", TEXT, "Media type by the first bytes; empty: not known"),
            FieldSpec("size_bytes", INTEGER, "Size, decoded"),
            FieldSpec("encrypted", FLAG, "Whether it cannot be looked into without a password"),
            FieldSpec(
                *("dangers", TEXTS),
                "executable, script, shortcut, disk_image, double_extension, disguised_name, "
                "type_mismatch, macros, external_template, embedded_object, onenote, web_page, "
                "active_page, password_form, active_pdf, archive, encrypted, archived_danger, "
                "bomb, calendar, contact",
            ),
            FieldSpec("names", TEXTS, "Names inside an archive, at most 100"),
        ),
        check="attachments",
    ),
    FactSpec(
        *("languages", RECORDS, "message", "Languages of the text, the most certain first"),
        example=[{"language": "en", "script": "Latin", "confidence": 0.98}],
        fields=(
            FieldSpec("language", TEXT, "ISO 639-1 code"),
            FieldSpec("script", TEXT, "Name of the script"),
            FieldSpec("confidence", NUMBER, "From 0 to 1"),
        ),
        check="languages",
    ),
    FactSpec(
        *("truncated", TEXTS, "message", "What was left unread because a bound was reached"),
        example=["parts"],
        check="defects",
    ),
    FactSpec(
        *("reputation", RECORDS, "message", "What is remembered of whom this mail came from"),
        example=[
            {"subject": "author_domain", "name": "example.org", "score": -0.7, "confidence": 0.9}
        ],
        fields=(
            FieldSpec(
                "subject",
                TEXT,
                "What is remembered: address, network, helo, mail_from_domain, dkim_domain, "
                "author_domain (proven), claimed_domain (not), url_domain, pair",
            ),
            FieldSpec("name", TEXT, "Of whom"),
            FieldSpec("score", NUMBER, "From -1, only wanted mail, to 1, only spam"),
            FieldSpec("confidence", NUMBER, "From 0, nothing is known, to 1"),
            FieldSpec("count", NUMBER, "Messages seen; old ones count less"),
        ),
        check="reputation",
        unasked="REPUTATION_TEMPERROR",
    ),
    FactSpec(
        *("classifier", RECORD, "message", "What the classifier that learns says of the text"),
        example={"probability": 0.02, "confidence": 0.9, "unsure": False},
        fields=(
            FieldSpec("probability", NUMBER, "Of spam, from 0 to 1"),
            FieldSpec("confidence", NUMBER, "From 0, nothing was learned yet, to 1"),
            FieldSpec("unsure", FLAG, "Whether too little is known for a verdict"),
        ),
        check="classifier",
        unasked="CLASSIFIER_ERROR",
    ),
    FactSpec(
        *("rate", RECORD, "message", "Rates of the policy that the message exceeds"),
        example={"wait_s": 420.0},
        fields=(
            FieldSpec("wait_s", NUMBER, "After so many seconds there is room again; 0: there is"),
        ),
        check="rate",
        unasked="RATE_TEMPERROR",
    ),
    FactSpec(
        *("symbols", TEXTS, "message", "What checks, patterns, lists and rules have found"),
        example=["SPF_FAIL", "LOTTERY_SUBJECT"],
    ),
    FactSpec("score", NUMBER, "message", "The sum of the points; such rules run last", 4.5),
)
FACTS_BY_NAME: Final = {spec.name: spec for spec in FACTS}
