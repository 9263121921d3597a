"""Public resolvers: name servers that answer everybody, and that many DNS lists therefore refuse.

A list counts questions by the resolver that they come from. What a public one asks is everybody's
mail together, so lists refuse it, or answer it with codes that mean no listing. The networks are
those that the operators publish themselves. A resolver of the site that passes everything on to a
public one cannot be told from here; the list's own answers show it.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

_OPERATORS: Final[dict[str, tuple[str, ...]]] = {
    "Google": ("8.8.8.0/24", "8.8.4.0/24", "2001:4860:4860::/48"),
    "Cloudflare": ("1.1.1.0/24", "1.0.0.0/24", "2606:4700:4700::/48"),
    "Quad9": ("9.9.9.0/24", "149.112.112.0/24", "2620:fe::/48"),
    "OpenDNS": (
        *("208.67.220.0/24", "208.67.222.0/24"),
        *("2620:119:35::/48", "2620:119:53::/48", "2620:0:ccc::/48", "2620:0:ccd::/48"),
    ),
    "Lumen": ("4.2.2.0/24", "209.244.0.0/24"),
    "Vercara": (
        *("64.6.64.0/24", "64.6.65.0/24", "156.154.70.0/24", "156.154.71.0/24"),
        *("2620:74:1b::/48", "2620:74:1c::/48", "2610:a1:1018::/48", "2610:a1:1019::/48"),
    ),
    "AdGuard": ("94.140.14.0/24", "94.140.15.0/24", "2a10:50c0::/48"),
    "CleanBrowsing": ("185.228.168.0/24", "185.228.169.0/24", "2a0d:2a00:1::/48"),
    "Yandex": ("77.88.8.0/24", "2a02:6b8::feed:0/112"),
    "Alibaba Cloud": ("223.5.5.0/24", "223.6.6.0/24", "2400:3200::/32"),
    "DNSPod": ("119.29.29.0/24", "2402:4e00::/48"),
    "114DNS": ("114.114.114.0/24", "114.114.115.0/24"),
    "Hurricane Electric": ("74.82.42.42/32", "2001:470:20::2/128"),
    "DNS.SB": ("185.222.222.0/24", "45.11.45.0/24", "2a09::/128", "2a11::/128"),
    "Control D": ("76.76.2.0/24", "76.76.10.0/24", "2606:1a40::/48"),
    "Mullvad": ("194.242.2.0/24", "2a07:e340::/32"),
    "DNS4EU": ("86.54.11.0/24", "2a13:1001::/32"),
}


def public_operator(address: str) -> str | None:
    """Return who runs the public resolver at `address`, an IP address; None where it is none.

    >>> public_operator("8.8.8.8")
    'Google'
    """
    ip = ip_address(address)
    for operator, texts in _OPERATORS.items():
        for text in texts:
            network = IPv6Network(text) if ":" in text else IPv4Network(text)
            if ip in network:
                return operator
    return None
