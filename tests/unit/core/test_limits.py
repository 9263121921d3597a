from __future__ import annotations

from ipaddress import ip_address

from milter.core.limits import LocalLimits, client_key


def _limits() -> LocalLimits:
    return LocalLimits(sessions=3, sessions_per_client=2, bytes_in_flight=100)


def test_admit_above_the_bound_is_refused_and_not_counted() -> None:
    limits = _limits()
    assert [limits.admit(None) for _ in range(5)] == [True, True, True, False, False]
    limits.release(None)
    assert limits.admit(None)


def test_client_full_counts_each_client_for_itself() -> None:
    limits = _limits()
    first, second = ip_address("192.0.2.1"), ip_address("192.0.2.2")
    limits.admit(first)
    assert not limits.client_full(first)
    limits.admit(first)
    assert limits.client_full(first)
    assert not limits.client_full(second)
    limits.release(first)
    assert not limits.client_full(first)


def test_client_full_without_a_client_is_never_true() -> None:
    limits = _limits()
    for _ in range(3):
        limits.admit(None)
    assert not limits.client_full(None)


def test_reserve_above_the_bound_is_refused_and_not_counted() -> None:
    limits = _limits()
    assert limits.reserve(60)
    assert not limits.reserve(41)
    assert limits.reserve(40)
    limits.give_back(60)
    assert limits.bytes_in_flight == 40


def test_client_key_takes_an_ipv6_network_for_one_client() -> None:
    assert client_key(ip_address("2001:db8::1")) == client_key(ip_address("2001:db8::ffff"))
    assert client_key(ip_address("2001:db8::1")) != client_key(ip_address("2001:db8:0:1::1"))
    assert client_key(ip_address("::ffff:192.0.2.1")) == client_key(ip_address("192.0.2.1"))
