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

    from tests.support.line_client import LineClient

TOKEN = "a-token-of-the-test"
POLICY = """\
version: 1
name: day
dns_lists: []
thresholds: {tag: 5, quarantine: 8, reject: 12}
early: {connect: 12, rcpt: 12}
patterns:
  - {id: DAY_FRAUD, in: subject, match: lottery, weight: 6, class: content, kind: fraud, describe: d}
  - {id: DAY_PHISHING, in: subject, match: password, weight: 9, class: content, kind: phishing, describe: d}
  - {id: DAY_MALWARE, in: subject, match: screensaver, weight: 15, class: content, kind: malware, describe: d}
  - {id: DAY_BODY, in: body, match: never in any text of the script, weight: 1, describe: d}
rules:
  # Reading the fact makes every message be looked at for its language.
  - {id: DAY_BOT, when: 'mail_from == "bot@sender.example"', weight: 15, kind: botnet, describe: d}
  - {id: DAY_TRAP, when: '"trap@example.org" in recipients', weight: 15, kind: botnet, describe: d}
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
# Action, kind, subject, symbol, and where it is decided.
_KINDS = (
    ("pass", "", "News of the week", "", "message"),
    ("pass", "", "Minutes of the meeting", "", "message"),
    ("tag", "fraud", "You won the lottery", "DAY_FRAUD", "message"),
    ("quarantine", "phishing", "Your password ends today", "DAY_PHISHING", "message"),
    ("reject", "malware", "A new screensaver", "DAY_MALWARE", "message"),
    ("reject", "botnet", "", "DAY_TRAP", "rcpt"),
    ("reject", "botnet", "", "DAY_BOT", "mail"),
)
# Hosts of ours that a message passes before it comes here, the last one first. Refusals before the
# data are of clients who come themselves: nobody is judged for what a relay passes on.
_RELAYS = ("192.0.2.25", "192.0.2.26")
_RELAYED = (0, 0, 1, 0, 2)
# Reverse path and recipient of what is refused before its data, by stage.
_ENVELOPES = {
    "mail": ("bot@sender.example", "bob@example.org"),
    "rcpt": ("someone@sender.example", "trap@example.org"),
}
_DATE = "Sun, 22 Nov 2026 10:00:00 +0000"
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
    stage: str
    language: str
    hops: int

    @property
    def peer(self) -> str:
        """Who connects: the client, or the last of our relays."""
        return _RELAYS[0] if self.hops else self.address

    @property
    def comes(self) -> bool:
        """Whether the message itself is sent."""
        return self.stage == "message"

    @property
    def announced(self) -> int:
        """What SIZE says of it."""
        return 100_000 + self.number

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
        """The message, with headers that claim to come from elsewhere.

        They say that a relay of ours wrote them: what a client sends begins with them, and of what
        a relay passes on they stand right below its own.
        """
        return (
            f"{self._fields_of_relays}Received: from forged.example (forged.example"
            f" [203.0.113.99])\r\n\tby relay1.example.org (Postfix) with ESMTP id X;"
            f" {_DATE}\r\nX-Originating-IP: [203.0.113.98]\r\nFrom: <someone@sender.example>\r\n"
            f"To: <bob@example.org>\r\nSubject: {self.subject}\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
            f"Date: {_DATE}\r\nMessage-ID: <{self.number}@x.example>\r\n"
            f"\r\n{_TEXTS[self.language]} {self.number}\r\n"
        ).encode()

    @property
    def _fields_of_relays(self) -> str:
        """What our relays wrote above the message, each one whom it had it from."""
        before = [*_RELAYS[1 : self.hops], self.address] if self.hops else []
        return "".join(
            f"Received: from sender.example (unknown [{address}])\r\n"
            f"\tby relay{number}.example.org (Postfix) with ESMTP id R{number}; {_DATE}\r\n"
            for number, address in enumerate(before, 1)
        )


def script(count: int) -> list[Mail]:
    """Return the messages of the day."""
    addresses, languages = list(SOURCES), list(_TEXTS)
    mails = []
    for number in range(count):
        kind = _KINDS[number * 3 % 17 % len(_KINDS)]
        mails.append(
            Mail(
                number,
                addresses[number * 7 % 13 % len(addresses)],
                *kind,
                languages[number % len(languages)],
                hops=_RELAYED[number * 5 % 19 % len(_RELAYED)] if kind[-1] == "message" else 0,
            )
        )
    return mails


def expected(mails: Sequence[Mail]) -> dict[str, dict[str, int]]:
    """Return how many messages there are, by dimension and value."""
    come = [mail for mail in mails if mail.comes]
    counted = {
        "action": Counter(mail.action for mail in mails),
        "kind": Counter(mail.kind for mail in mails if mail.kind),
        "symbol": Counter(mail.symbol for mail in mails if mail.symbol),
        "language": Counter(mail.language for mail in come),
        "country": Counter(mail.country for mail in mails),
        "route": Counter(f"{mail.country} > inbound" for mail in mails),
        "network": Counter(mail.network for mail in mails),
        "direction": {"inbound": len(mails)},
        "listener": {"inbound": len(mails)},
        "network_route": Counter(f"{mail.network.split()[0]} > inbound" for mail in mails),
        "hops": Counter(str(mail.hops) for mail in mails),
        "stage": Counter(mail.stage for mail in mails),
        "size": {"4096": len(come)},
        "recipient_domain": {"example.org": len(come)},
    }
    return {name: dict(values) for name, values in counted.items()}


def received(mails: Sequence[Mail]) -> int:
    """Return the bytes of the messages that came."""
    return sum(len(mail.message) for mail in mails if mail.comes)


def saved(mails: Sequence[Mail]) -> dict[str, int]:
    """Return the bytes that were announced and never sent, by stage of the refusal."""
    counted: Counter[str] = Counter()
    for mail in mails:
        counted[mail.stage] += 0 if mail.comes else mail.announced
    return dict(counted)


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
        trusted_relays=list(_RELAYS),
        **changes,
    )
    config["http"]["token_file"] = "token"
    return config, {"zone.yaml": ZONE, "policy.yaml": POLICY, "token": TOKEN}


def send(port: int, mails: Sequence[Mail], at_once: int = 4) -> None:
    """Send `mails`, and hold each reply against the script."""
    by_peer: dict[str, list[Mail]] = {}
    for mail in mails:
        by_peer.setdefault(mail.peer, []).append(mail)
    with ThreadPoolExecutor(at_once) as pool:
        for _ in pool.map(lambda some: _send_some(port, some), by_peer.values()):
            pass


def _send_some(port: int, mails: Sequence[Mail]) -> None:
    """Send mails of one client, some over each connection so that all workers take part."""
    for start in range(0, len(mails), 25):
        with connected(port) as client:
            client.ask(b"EHLO upstream.example")
            client.ask(f"XCLIENT ADDR={mails[start].peer} NAME=[UNAVAILABLE]".encode())
            client.ask(b"EHLO sender.example")
            for mail in mails[start : start + 25]:
                _send_one(client, mail)


def _send_one(client: LineClient, mail: Mail) -> None:
    sender, recipient = _ENVELOPES.get(mail.stage, ("someone@sender.example", "bob@example.org"))
    for stage, line in (
        ("mail", f"MAIL FROM:<{sender}> SIZE={mail.announced}"),
        ("rcpt", f"RCPT TO:<{recipient}>"),
    ):
        wanted = b"550" if stage == mail.stage else b"250"
        assert client.ask(line.encode()).startswith(wanted), mail
        if stage == mail.stage:
            client.ask(b"RSET")
            return
    assert client.ask(b"DATA").startswith(b"354")
    client.send(mail.message + b".\r\n")
    assert client.reply().startswith(b"550" if mail.action == "reject" else b"250"), mail
