"""How often one address may ask."""

from __future__ import annotations

from ipaddress import ip_address

from milter.http.rate import Rate

A, B = ip_address("192.0.2.1"), ip_address("192.0.2.2")


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_rate_lets_a_burst_through_and_then_what_leaks() -> None:
    clock = _Clock()
    rate = Rate(2, clock)
    assert [rate.take(A) for _ in range(11)] == [True] * 10 + [False]
    clock.now = 0.5
    assert [rate.take(A), rate.take(A)] == [True, False]


def test_rate_counts_each_address_by_itself() -> None:
    rate = Rate(0.1, _Clock())
    assert [rate.take(A), rate.take(A), rate.take(B)] == [True, False, True]


def test_rate_takes_a_network_of_64_bits_for_one_address() -> None:
    rate = Rate(0.1, _Clock())
    assert rate.take(ip_address("2001:db8::1"))
    assert not rate.take(ip_address("2001:db8::2"))


def test_rate_memory_is_bounded() -> None:
    rate = Rate(0.1, _Clock())
    for number in range(25_000):
        rate.take(ip_address(number + 2**24))
    assert len(rate._empty_at) <= 10_000
