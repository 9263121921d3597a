from __future__ import annotations

from base64 import b64encode

import pytest

from milter.message.document import Message
from milter.message.html.scripts import written_out
from milter.message.urls.link import Source

ADDRESS = "https://evil.example/x"
HELD = b64encode(ADDRESS.encode()).decode()
PAGE = b64encode(f"<a href='{ADDRESS}'>".encode()).decode()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(f"location='{ADDRESS}'", id="as-it-is"),
        pytest.param("location='ht' + 'tps://ev'+'il.example/x'", id="in-pieces"),
        pytest.param(f"location=atob('{HELD}')", id="base64"),
        pytest.param(f'var a="{PAGE}";document.write(atob(a))', id="page-in-base64"),
        pytest.param(f"atob('{HELD[:12]}'+'{HELD[12:]}')", id="base64-in-pieces"),
        pytest.param("unescape('%68ttps%3A%2F%2Fevil.example%2Fx')", id="percent"),
        pytest.param(
            f"String.fromCharCode({','.join(str(ord(c)) for c in ADDRESS)})", id="numbers"
        ),
        pytest.param(f"String.fromCodePoint({', '.join(hex(ord(c)) for c in ADDRESS)})", id="hex"),
        pytest.param("a='\\x68\\u0074tps:\\/\\/evil.\\u{65}xample/x'", id="escapes"),
    ],
)
def test_address_in_a_script_is_a_link(script: str) -> None:
    message = Message(f"Content-Type: text/html\r\n\r\n<script>{script}</script>".encode())
    assert (ADDRESS, Source.SCRIPT) in [(link.href, link.source) for link in message.links]
    assert message.body == ""


def test_address_in_a_handler_is_a_link() -> None:
    page = "<button onclick=\"window.open('https://evil.example/x')\">x</button>"
    message = Message(f"Content-Type: text/html\r\n\r\n{page}".encode())
    assert message.urls == [ADDRESS]


def test_data_for_machines_is_no_script() -> None:
    page = '<script type="application/ld+json">{"@context": "http://schema.org"}</script>'
    assert Message(f"Content-Type: text/html\r\n\r\n{page}".encode()).urls == []


def test_scripts_with_odd_numbers_are_read_without_error() -> None:
    assert written_out("fromCharCode(99999, 0xD800, 065, 65)").endswith("  AA")
