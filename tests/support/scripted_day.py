"""A day of mail after a script: kinds, sources and routes are known before anything is sent.

What is expected is counted from the script, never from what Gatepost says of itself.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.gatepost import configuration
from tests.support.line_client import connected
from tests.support.mmdb import write_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TOKEN = "a-token-of-the-test"
POLICY = """\
version: 1
name: day
dns_lists: []
thresholds: {tag: 5, quarantine: 8, reject: 12}
patterns:
  - {id: DAY_FRAUD, in: subject, match: lottery, weight: 6, class: content, kind: fraud, describe: d}
  - {id: DAY_PHISHING, in: subject, match: password, weight: 9, class: content, kind: phishing, describe: d}
  - {id: DAY_MALWARE, in: subject, match: screensaver, weight: 15, class: content, kind: malware, describe: d}
  - {id: DAY_BODY, in: body, match: never in any text of the script, weight: 1, describe: d}
rules:
  # Reading the fact makes every message be looked at for its language.
  - {id: DAY_LANGUAGE, when: 'languages.exists(l, l.language == "eo")', weight: 0.1, describe: d}
"""  # noqa: E501 - a line for each pattern
ZONE = "names: {}\n"
# Country of registration, and network of the test's own table.
SOURCES = {
    "8.8.8.8": ("US", "AS64501 First Net"),
    "193.0.6.139": ("NL", "AS64502 Second Net"),
    "1.1.1.1": ("AU", "AS64501 First Net"),
    "198.51.100.9": ("ZZ", "AS64503 Third Net"),
}
_KINDS = (
    ("pass", "", "News of the week", ""),
    ("pass", "", "Minutes of the meeting", ""),
    ("tag", "fraud", "You won the lottery", "DAY_FRAUD"),
    ("quarantine", "phishing", "Your password ends today", "DAY_PHISHING"),
    ("reject", "malware", "A new screensaver", "DAY_MALWARE"),
)
_TEXTS = {
    "en": (
        "The committee met on Tuesday and decided to build a second bridge over the river next"
        " spring; whoever lives near it may look at the plans in the town hall."
    ),
    "fr": (
        "Le comité s'est réuni mardi et a décidé de construire un deuxième pont sur la rivière au"
        " printemps prochain ; les voisins peuvent consulter les plans à la mairie."
    ),
    "ru": (
        "Комитет собрался во вторник и решил построить весной второй мост через реку; жители"
        " могут посмотреть планы в ратуше до конца месяца."
    ),
}


@dataclass(frozen=True)
class Mail:
    """One message of the script."""

    number: int
    address: str
    action: str
    kind: str
    subject: str
    symbol: str
    language: str

    @property
    def country(self) -> str:
        """Where the client is registered."""
        return SOURCES[self.address][0]

    @property
    def network(self) -> str:
        """The client's network."""
        return SOURCES[self.address][1]

    @property
    def message(self) -> bytes:
        """The message, with headers that claim to come from elsewhere."""
        return (
            f"Received: from forged ([203.0.113.99]) by mx.example.org; Sun, 22 Nov 2026 10:00:00"
            f" +0000\r\nX-Originating-IP: [203.0.113.98]\r\nFrom: <someone@sender.example>\r\n"
            f"To: <bob@example.org>\r\nSubject: {self.subject}\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
            f"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{self.number}@x.example>\r\n"
            f"\r\n{_TEXTS[self.language]} {self.number}\r\n"
        ).encode()


def script(count: int) -> list[Mail]:
    """Return the messages of the day."""
    addresses, languages = list(SOURCES), list(_TEXTS)
    return [
        Mail(
            number,
            addresses[number * 7 % 13 % len(addresses)],
            *_KINDS[number * 3 % 11 % len(_KINDS)],
            languages[number % len(languages)],
        )
        for number in range(count)
    ]


def expected(mails: Sequence[Mail]) -> dict[str, dict[str, int]]:
    """Return how many messages there are, by dimension and value."""
    counted = {
        "action": Counter(mail.action for mail in mails),
        "kind": Counter(mail.kind for mail in mails if mail.kind),
        "symbol": Counter(mail.symbol for mail in mails if mail.symbol),
        "language": Counter(mail.language for mail in mails),
        "country": Counter(mail.country for mail in mails),
        "route": Counter(f"{mail.country} > inbound" for mail in mails),
        "network": Counter(mail.network for mail in mails),
        "direction": {"inbound": len(mails)},
        "listener": {"inbound": len(mails)},
        "hops": {"0": len(mails)},
        "recipient_domain": {"example.org": len(mails)},
    }
    return {name: dict(values) for name, values in counted.items()}


def unwanted(mails: Sequence[Mail]) -> int:
    """Return how many were marked or refused."""
    return sum(mail.action != "pass" for mail in mails)


def a_site(folder: Path, next_hop: str, **changes: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Return configuration and files of the daemon of the day; its table lies in `folder`."""
    table = write_table(
        folder / "asn.mmdb",
        {
            f"{address}/32": {
                "autonomous_system_number": int(network.split()[0][2:]),
                "autonomous_system_organization": network.partition(" ")[2],
            }
            for address, (_, network) in SOURCES.items()
        },
    )
    config = configuration(
        next_hop,
        dns={"zone_file": "zone.yaml"},
        policies="policy.yaml",
        store=f"sqlite:{folder}/store.db",
        networks={"asn_file": str(table)},
        **changes,
    )
    config["http"]["token_file"] = "token"
    return config, {"zone.yaml": ZONE, "policy.yaml": POLICY, "token": TOKEN}


def send(port: int, mails: Sequence[Mail], at_once: int = 4) -> None:
    """Send `mails`, and hold each reply against the script."""
    by_address = [[mail for mail in mails if mail.address == address] for address in SOURCES]
    with ThreadPoolExecutor(at_once) as pool:
        for _ in pool.map(lambda some: _send_some(port, some), by_address):
            pass


def _send_some(port: int, mails: Sequence[Mail]) -> None:
    """Send mails of one client, some over each connection so that all workers take part."""
    for start in range(0, len(mails), 25):
        with connected(port) as client:
            client.ask(b"EHLO upstream.example")
            client.ask(f"XCLIENT ADDR={mails[start].address} NAME=[UNAVAILABLE]".encode())
            client.ask(b"EHLO sender.example")
            for mail in mails[start : start + 25]:
                assert client.ask(b"MAIL FROM:<someone@sender.example>").startswith(b"250")
                assert client.ask(b"RCPT TO:<bob@example.org>").startswith(b"250")
                assert client.ask(b"DATA").startswith(b"354")
                client.send(mail.message + b".\r\n")
                wanted = b"550" if mail.action == "reject" else b"250"
                assert client.reply().startswith(wanted), mail
