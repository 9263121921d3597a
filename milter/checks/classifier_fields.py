"""What the classifier reads of a message: named fields, each cut to what it is worth.

The header as its sender made it, but for what filters and mailboxes on the way put there: a verdict
of another filter would be learned instead of the message, and a mailbox's own marks come after us.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from reputation.classifier.features import domain_number, extract
from reputation.classifier.lessons import DIGEST_BYTES, Lesson

if TYPE_CHECKING:
    from milter.message.document import Message

_FIELD_BYTES: Final = 600
# Of fields that stand several times, together: the topmost tell most.
_REPEATED_BYTES: Final = 1_000
_TEXT_BYTES: Final = 6_000
_URLS_BYTES: Final = 600
_STRUCTURE_BYTES: Final = 2_000
_DISGUISED_BYTES: Final = 100
# Words of these are read as those of the text, too: what was learned of a word in one place is then
# known in the other, which is what mail of a kind that was never learned has.
_ALSO_TEXT: Final = ("subject", "from", "to", "x-mailer", "user-agent")
# The subject tells messages apart only where there is no id: our own mark, and those of other
# filters and of mailing lists, are put in front of it on the way.
_IDENTITY: Final = ("from", "date", "message-id")
_WITHOUT_ID: Final = ("subject",)
_LEFT_OUT: Final = re.compile(
    r"x-(?:spam|gatepost|bogosity|virus|antivirus|status|keywords|uid)"
    r"|authentication-results|delivered-to|return-path|envelope-to|status$"
    # Read decoded; and two that are new in each message.
    r"|subject$|date$|message-id$"
)


class ClassifierFields(NamedTuple):
    """The input of `reputation.classifier.features.extract`.

    Attributes:
        fields: By name, in the order of the message; header fields by their lower-case names.
        disguised: Subject, author and the beginning of the text: where words are disguised; by
            the names of these fields.
    """

    fields: dict[str, bytes]
    disguised: dict[str, bytes]


def classifier_fields(message: Message) -> ClassifierFields:
    """Return what the classifier reads of `message`."""
    fields = _header_fields(message)
    names = _encoded(" ".join(fields))
    subject = _encoded(message.subject[:_FIELD_BYTES])
    text = _text(message)
    fields["subject"] = subject
    fields["(text)"] = b"\n".join((text, *[fields[each] for each in _ALSO_TEXT if each in fields]))
    fields["(urls)"] = _encoded(" ".join(message.urls)[:_URLS_BYTES])
    fields["(parts)"] = _structure(message)
    # A field that is there says something, whatever stands in it.
    fields["(fields)"] = names[:_STRUCTURE_BYTES]
    disguised = {
        "subject": subject,
        "from": fields.get("from", b""),
        "(text)": text[:_DISGUISED_BYTES],
    }
    return ClassifierFields(fields, disguised)


def _header_fields(message: Message) -> dict[str, bytes]:
    fields: dict[str, bytes] = {}
    raw = message.raw
    for name, _, end, value_start in message.fields:
        if _LEFT_OUT.match(name):
            continue
        value = raw[value_start : min(end, value_start + _FIELD_BYTES)]
        known = fields.get(name)
        fields[name] = value if known is None else (known + value)[:_REPEATED_BYTES]
    return fields


def _text(message: Message) -> bytes:
    """Return the beginning of all texts, as UTF-8."""
    pieces, left = [], _TEXT_BYTES
    for part in message.texts:
        piece = _encoded(part.text[:left])
        pieces.append(piece)
        left -= len(piece)
        if left <= 0:
            break
    return b"\n".join(pieces)[:_TEXT_BYTES]


def _structure(message: Message) -> bytes:
    words = [part.content_type for part in message.parts] + message.filenames
    return _encoded(" ".join(words)[:_STRUCTURE_BYTES])


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def lesson_of(message: Message, *, spam: bool, domain: str = "") -> Lesson:
    """Return what is learned from `message`; no text of it is kept.

    `domain` is whose own model learns it too, as for comparing (`domain_key`); empty: none.

    Two copies of a message are the same lesson when author, date, id and body are the same,
    whatever was put on top of them, or in front of the subject, on the way.
    """
    digest = blake2b(digest_size=DIGEST_BYTES)
    has_id = any(value.strip() for value in message.values("message-id"))
    for name in _IDENTITY if has_id else _IDENTITY + _WITHOUT_ID:
        for value in message.values(name):
            digest.update(b"%d:%b" % (len(value), value))
        digest.update(b"\0")
    digest.update(message.raw[message.body_start :].replace(b"\r\n", b"\n").strip())
    read = classifier_fields(message)
    number = domain_number(domain) if domain else 0
    return Lesson(digest.digest(), spam, changed=False, features=extract(*read), domain=number)
