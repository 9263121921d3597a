"""What documents name to load: from other networks, or from where their author sits."""

from __future__ import annotations

import pytest

from milter.message.files.relations import relations_of


def relation(target: str, what: str = "attachedTemplate", mode: str = "External") -> bytes:
    return f'<Relationship Type="x/{what}" Target="{target}" TargetMode="{mode}"/>'.encode()


@pytest.mark.parametrize(
    "relations",
    [
        relation("file:///C:\\Users\\ann\\AppData\\Roaming\\Microsoft\\Templates\\Letter.dotx"),
        relation("file:///\\\\FS01\\templates\\Letter.dotx"),
        relation("\\\\fs01\\templates\\Letter.dotx"),
        relation("/Users/ann/Letter.dotx"),
        relation("file:///\\\\server\\finance\\Budget.xlsx", "externalLinkPath"),
        relation("Budget.xlsx", "externalLinkPath"),
        relation("https://corp.example/", "hyperlink"),
    ],
)
def test_drives_and_servers_of_the_authors_own_network_are_not_elsewhere(relations: bytes) -> None:
    assert not relations_of(relations).load_elsewhere


@pytest.mark.parametrize(
    "relations",
    [
        relation("https://evil.example/t.dotm"),
        relation("mhtml:https://evil.example/t", "oleObject"),
        relation("file://evil.example/share/t.dotm"),
        relation("file:///\\\\192.0.2.7\\share\\t.dotm"),
        relation("\\\\evil@ssl@8443\\share\\t.dotm"),
        relation("Budget.xlsx", "externalLinkPath") + relation("http://evil.example/", "frame"),
        relation("HTTPS://evil.example/t").replace(b"<Rel", b"<r:Rel"),
        relation("https://evil.example/t", "attached&#84;emplate", "Ext&#x65;rnal"),
    ],
)
def test_what_another_network_has_is_elsewhere(relations: bytes) -> None:
    assert relations_of(relations).load_elsewhere
