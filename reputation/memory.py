"""A store that forgets when the process ends: for tests, and for trying things out."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from reputation.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SECRET_BYTES: Final = 32


class MemoryStore:
    """Keeps keys in a dictionary; see `reputation.store.Store`.

    Args:
        random_bytes: Returns that many random bytes, as `os.urandom` does.
        max_keys: Keys held at once; past them those that would expire first make room.
    """

    def __init__(self, random_bytes: Callable[[int], bytes], max_keys: int = 100_000) -> None:
        self._random_bytes = random_bytes
        self._max_keys = max_keys
        self._keys: dict[tuple[str, bytes], float] = {}
        self._secrets: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._closed = False

    def put(self, space: str, keys: Sequence[bytes], expires_at: float) -> None:
        """Keep `keys` in `space` until `expires_at`."""
        with self._lock:
            self._check_open()
            for key in keys:
                known = self._keys.get((space, key), expires_at)
                self._keys[space, key] = max(known, expires_at)
            self._make_room()

    def present(self, space: str, keys: Sequence[bytes], now: float) -> frozenset[bytes]:
        """Return those of `keys` that are held and expire after `now`."""
        with self._lock:
            self._check_open()
            return frozenset(key for key in keys if self._keys.get((space, key), now) > now)

    def secret(self, name: str) -> bytes:
        """Return the secret called `name`."""
        with self._lock:
            self._check_open()
            if name not in self._secrets:
                self._secrets[name] = self._random_bytes(SECRET_BYTES)
            return self._secrets[name]

    def expire(self, now: float, limit: int) -> int:
        """Remove at most `limit` expired keys; return how many."""
        with self._lock:
            self._check_open()
            old = [key for key, expires_at in self._keys.items() if expires_at <= now][:limit]
            for key in old:
                del self._keys[key]
            return len(old)

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._closed = True
            self._keys.clear()
            self._secrets.clear()

    def _make_room(self) -> None:
        surplus = len(self._keys) - self._max_keys
        if surplus > 0:
            for key in sorted(self._keys, key=self._keys.__getitem__)[:surplus]:
                del self._keys[key]

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed", temporary=False)
