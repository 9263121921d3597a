"""A store in one SQLite file, shared by the workers of one machine."""

from reputation.sqlite.file import examine, set_aside_if_corrupt
from reputation.sqlite.store import SqliteStore

__all__ = ["SqliteStore", "examine", "set_aside_if_corrupt"]
