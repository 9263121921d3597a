"""Messages that are nearly the same, counted together.

A message counts for the first campaign that it is alike; else it begins one. How many there are is
bounded as in `heavy`: those that are seen least go.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from reputation.statistics.heavy import Summary
from reputation.statistics.near import SIGNATURE_BYTES, alike, bands
from reputation.statistics.observation import BY_NAME, CAMPAIGN


@dataclass(slots=True)
class Campaigns:
    """Counts campaigns; a campaign is called by the signature of its first message, in hexadecimal.

    Attributes:
        summary: What was counted.
    """

    summary: Summary
    _index: dict[int, bytes] = field(default_factory=dict)
    _indexed: int = -1

    def copy(self) -> Campaigns:
        """Return one that may be changed without changing this one, and has room for more."""
        own = self.summary
        kept = own.kept + BY_NAME[CAMPAIGN].kept
        summary = Summary(kept, own.total, own.error, {**own.rows})
        return Campaigns(summary, {**self._index}, self._indexed)

    def add(self, signature: bytes, unwanted: int, size: int) -> None:
        """Count one message."""
        self.summary.add(self._name(signature), unwanted, size)

    def merge(self, other: Summary) -> None:
        """Count all that `other` counted, the largest campaigns first."""
        self.summary.total += other.total
        self.summary.error += other.error
        for name, row in sorted(other.rows.items(), key=lambda item: -item[1][1]):
            known = name in self.summary.rows
            self.summary.put(name if known else self._name(_signature(name)), row)
        self.summary.prune()

    def _name(self, signature: bytes) -> str:
        """Return the campaign of a message; a new one where it is like none."""
        self._catch_up()
        looked_up, index = bands(signature), self._index
        for band in looked_up:
            known = index.get(band)
            if known is not None and alike(known, signature):
                return known.hex()
        for band in looked_up:
            index.setdefault(band, signature)
        self._indexed += 1
        return signature.hex()

    def _catch_up(self) -> None:
        """Read the index anew where campaigns came or went behind its back."""
        if self._indexed != len(self.summary.rows):
            self._index.clear()
            for name in self.summary.rows:
                signature = _signature(name)
                for band in bands(signature):
                    self._index.setdefault(band, signature)
            self._indexed = len(self.summary.rows)


def _signature(name: str) -> bytes:
    """Return the signature that a campaign is called by; what is none is like nothing."""
    try:
        found = bytes.fromhex(name)
    except ValueError:
        found = b""
    return found if len(found) == SIGNATURE_BYTES else bytes(SIGNATURE_BYTES)
