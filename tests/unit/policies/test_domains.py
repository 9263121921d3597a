"""Domains in the one spelling in which they are compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.domains import domain_key


@pytest.mark.parametrize(
    ("domain", "key"),
    [
        pytest.param("MX.Example.ORG.", "mx.example.org", id="case-and-final-dot"),
        pytest.param("B\u00fccher.example", "xn--bcher-kva.example", id="u-label"),
        pytest.param("fa\u00df.example", "xn--fa-hia.example", id="sharp-s-is-a-letter"),
        pytest.param("\u03b2\u03cc\u03bb\u03bf\u03c2.example", "xn--nxasmm1c.example", id="sigma"),
        pytest.param("\uff22\uff23.example", "bc.example", id="full-width"),
        pytest.param("a\u3002b\u00fc.example", "a.xn--b-eha.example", id="ideographic-stop"),
        pytest.param("\u2603.example\u3002", "xn--n3h.example", id="symbol-and-final-stop"),
        pytest.param("_dmarc.b\u00fccher.example", "_dmarc.xn--bcher-kva.example", id="underscore"),
        pytest.param("xn--bcher-kva.example", "xn--bcher-kva.example", id="a-label"),
        pytest.param("\u05d0a.example", "\u05d0a.example", id="against-the-bidi-rule"),
        pytest.param("a\u200db.example", "a\u200db.example", id="joiner-out-of-place"),
        pytest.param("\ud800.example", "\ud800.example", id="no-character"),
        pytest.param("\u00fc" * 2000, "\u00fc" * 2000, id="too-long"),
    ],
)
def test_domain_key(domain: str, key: str) -> None:
    assert domain_key(domain) == key


@given(st.text("aZ.-_\u00df\u00fc\u3002\u2024\u0130\u05d0\u0661\u200d\ud800x n", max_size=30))
def test_domain_key_of_a_key_is_the_key(text: str) -> None:
    key = domain_key(text)

    assert domain_key(key) == key
