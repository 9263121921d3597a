"""What the policies of a version looked at: written once, for all records that name the version.

A symbol that is not in a record was either not there or not looked for. To judge a message again by
other policies one has to know which.
"""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from reputation.errors import StoreError
from reputation.store import Append, Retention, Search

if TYPE_CHECKING:
    from reputation.store import Store

STREAM: Final = "history-policies"
# Some 2 KiB each; a site that reloads hourly has them for a month and a half.
_KEEP: Final = Retention(entries=1000, total_bytes=2**24, age_s=3660 * 86_400.0)
_LARGEST: Final = 2**22


class Known(NamedTuple):
    """What was looked at.

    Attributes:
        version: Of the policy files: a hash.
        gatepost: Version of the program.
        checks: Names of the checks that run.
        symbols: What they can find.
        patterns: A digest of each pattern, by its id.
        lists: Zone of each DNS list, and what kind of thing it is asked about.
    """

    version: str
    gatepost: str
    checks: list[str]
    symbols: list[str]
    patterns: dict[str, str]
    lists: list[tuple[str, str]]


def tell(store: Store, known: Known, at: float) -> list[Append]:
    """Return the writes by which `store` has `known`; none where it has it."""
    word = _word(known.version, known.gatepost)
    if store.search(STREAM, Search((word,)), 1):
        return []
    payload = zlib.compress(json.dumps(known).encode())
    return [Append(STREAM, at, payload, (word,), _KEEP)]


def known_to(store: Store, version: str, gatepost: str) -> Known | None:
    """Return what the policies of `version` looked at; None: nobody wrote it down.

    Raises:
        StoreError: The store does not answer, or what it has cannot be read.
    """
    for entry in store.search(STREAM, Search((_word(version, gatepost),)), 1):
        try:
            said = zlib.decompressobj().decompress(entry.payload, _LARGEST)
            known = Known(*json.loads(said))
            return known._replace(lists=[(zone, asks) for zone, asks in known.lists])
        except (zlib.error, ValueError, TypeError) as err:
            what = "a version in the history that cannot be read"
            raise StoreError(what, temporary=False) from err
    return None


def _word(version: str, gatepost: str) -> bytes:
    return f"{gatepost}:{version}".encode()
