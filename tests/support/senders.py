"""Who sends to a site of a test, what the DNS knows of them, and the policy that judges them."""

from __future__ import annotations

from milter.core.connection import Direction
from tests.support.site import Sent

DAY_H = 24

# Each sender has a name for its address; what else is known of them differs.
ZONE: dict[str, object] = {
    "198.51.100.7": {"PTR": ["mx.sender.example"]},
    "mx.sender.example": {"A": ["198.51.100.7"]},
    "sender.example": {
        "TXT": ["v=spf1 ip4:198.51.100.0/24 -all"],
        "MX": [[10, "mx.sender.example"]],
    },
    "_dmarc.sender.example": {"TXT": ["v=DMARC1; p=reject"]},
    # A large sender whose second try comes from anywhere.
    "pool.example": {"TXT": ["v=spf1 ip4:203.0.113.0/24 ip4:198.51.100.0/24 -all"]},
    # Nobody vouches for it.
    "plain.example": {"A": ["192.0.2.50"], "MX": [[10, "plain.example"]]},
}


def a_sender(name: str, client_ip: str) -> Sent:
    """Return mail of a sender with all papers in order, of whom the zone knows then."""
    ZONE[client_ip] = {"PTR": [f"mx.{name}"]}
    ZONE[f"mx.{name}"] = {"A": [client_ip]}
    ZONE[name] = {"TXT": [f"v=spf1 ip4:{client_ip} -all"], "MX": [[10, f"mx.{name}"]]}
    return Sent(client_ip=client_ip, helo_name=f"mx.{name}", domain=name)


BUSY = a_sender("busy.example", "203.0.113.5")
STRANGERS = [a_sender(f"stranger{n}.example", f"192.0.2.{100 + n}") for n in range(3)]
# The words by which spam is known, and the points of what surely is some and of what may be.
POLICY = """\
version: 1
name: test
extends: balanced
dns_lists: []
weights: {IPREV_MISSING: 2}
patterns:
  - {id: SURE_SPAM, in: subject, match: surely spam, describe: spam, weight: 9}
  - {id: MARKED_SPAM, in: subject, match: likely spam, describe: spam, weight: 6}
"""
# Just what is marked: the least that trust could make unmarked.
LIKELY = POLICY.replace("weight: 6", "weight: 5.6")
STRICT = POLICY.replace("balanced", "strict")

SENDER = Sent()
PLAIN = Sent(client_ip="192.0.2.50", helo_name="plain.example", domain="plain.example")
# One of ours.
OUT = Sent(
    client_ip="10.0.0.5",
    domain="ours.example",
    local="alice",
    recipients=("someone@sender.example",),
    direction=Direction.OUTBOUND,
    account="alice",
)
