"""Files in a message: what they are, what they pretend to be, and what they would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milter.checks.base import EVERY_DIRECTION, NOTHING, Evidence
from milter.core.transaction import Stage
from milter.message.files import kinds
from milter.message.files.attachment import Danger
from policies.findings import Finding

if TYPE_CHECKING:
    from milter.core.transaction import Transaction
    from milter.message.document import Message
    from milter.message.files.attachment import Attachment
    from policies.facts import FactValue

_SYMBOLS: Final = {
    Danger.EXECUTABLE: "ATTACHMENT_EXECUTABLE",
    Danger.SCRIPT: "ATTACHMENT_SCRIPT",
    Danger.SHORTCUT: "ATTACHMENT_SHORTCUT",
    Danger.DISK_IMAGE: "ATTACHMENT_DISK_IMAGE",
    Danger.DOUBLE_EXTENSION: "ATTACHMENT_DOUBLE_EXTENSION",
    Danger.DISGUISED_NAME: "ATTACHMENT_NAME_DISGUISED",
    Danger.TYPE_MISMATCH: "ATTACHMENT_TYPE_MISMATCH",
    Danger.MACROS: "ATTACHMENT_MACROS",
    Danger.EXTERNAL_TEMPLATE: "ATTACHMENT_EXTERNAL_TEMPLATE",
    Danger.EMBEDDED_OBJECT: "ATTACHMENT_EMBEDDED_OBJECT",
    Danger.ONENOTE: "ATTACHMENT_ONENOTE",
    Danger.ACTIVE_PAGE: "ATTACHMENT_ACTIVE_PAGE",
    Danger.PASSWORD_FORM: "ATTACHMENT_PASSWORD_FORM",
    Danger.ACTIVE_PDF: "ATTACHMENT_ACTIVE_PDF",
    Danger.ENCRYPTED: "ATTACHMENT_ENCRYPTED",
    Danger.ARCHIVED_DANGER: "ATTACHMENT_ARCHIVED_DANGER",
    Danger.BOMB: "ATTACHMENT_BOMB",
}
_DECEIVES: Final = {
    Danger.DOUBLE_EXTENSION: kinds.is_doubled,
    Danger.DISGUISED_NAME: kinds.is_disguised,
}
_SHOWN: Final = 120


class AttachmentsCheck:
    """What is dangerous about the files, and the fact `attachments`."""

    name = "attachments"
    stage = Stage.MESSAGE
    directions = EVERY_DIRECTION
    symbols = frozenset(_SYMBOLS.values())

    def look(self, txn: Transaction, message: Message | None) -> Evidence:
        """Return a finding for each kind of danger, with the first file that has it."""
        if message is None or not message.attachments:
            return NOTHING
        seen: dict[str, Finding] = {}
        for attachment in message.attachments:
            shown = attachment.name or attachment.declared_type
            for danger in sorted(attachment.dangers):
                if symbol := _SYMBOLS.get(danger):
                    named = _bearer(attachment, danger) or shown
                    what = _what(attachment, danger, named)
                    seen.setdefault(symbol, Finding(symbol, what, {"file": named[:60]}))
        return Evidence(
            tuple(seen.values()), {"attachments": [_fact(each) for each in message.attachments]}
        )


def _bearer(attachment: Attachment, danger: Danger) -> str:
    """Return the name that `danger` is of: that of the file, or of one in the archive it is."""
    deceives = _DECEIVES.get(danger)
    names = (attachment.name, *attachment.names) if deceives else ()
    return next((name for name in names if deceives and deceives(name)), "")


def _what(attachment: Attachment, danger: Danger, shown: str) -> str:
    if danger is Danger.TYPE_MISMATCH:
        return f"{shown[:_SHOWN]} is {attachment.real_type}"
    if danger is Danger.ARCHIVED_DANGER and attachment.names:
        return f"{shown[:_SHOWN]}: {', '.join(attachment.names[:3])[:_SHOWN]}"
    return shown[:_SHOWN]


def _fact(attachment: Attachment) -> FactValue:
    return {
        "name": attachment.name,
        "extension": attachment.extension,
        "type": attachment.declared_type,
        "real_type": attachment.real_type,
        "size_bytes": attachment.size_bytes,
        "encrypted": Danger.ENCRYPTED in attachment.dangers,
        "dangers": [*sorted(attachment.dangers)],
        "names": [*attachment.names],
    }
