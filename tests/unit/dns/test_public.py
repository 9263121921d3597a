import pytest

from milter.dns.public import public_operator


@pytest.mark.parametrize(
    ("address", "operator"),
    [
        ("8.8.8.8", "Google"),
        ("2001:4860:4860::8844", "Google"),
        ("1.0.0.1", "Cloudflare"),
        ("9.9.9.10", "Quad9"),
        ("208.67.222.222", "OpenDNS"),
        ("127.0.0.53", None),
        ("192.0.2.53", None),
        ("2001:db8::53", None),
        ("fe80::1%eth0", None),
    ],
)
def test_public_operator_is_told(address: str, operator: str | None) -> None:
    assert public_operator(address) == operator
