"""What a policy keeps in files of its own: entries of its lists, keys of its DNS lists."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from policies.chain import beside
from policies.errors import ConfigError, ConfigErrors
from policies.lists import Kind, ListBuilder
from policies.sources import MAX_FILE_BYTES

if TYPE_CHECKING:
    from policies.errors import Mistakes
    from policies.lists import LocalList
    from policies.positions import Positions
    from policies.schema import PolicyFile
    from policies.sources import Source

# `addresses` are of people or of machines, which their form tells apart.
_LIST_KINDS: Final = {
    "domains": Kind.DOMAIN,
    "addresses": None,
    "networks": Kind.NETWORK,
    "hashes": Kind.HASH,
}
# Labels of a domain name (RFC 1035 §2.3.1); some lists hand out keys of more than one.
_KEY: Final = re.compile(r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,3}")


def read_keys(
    source: Source, file: PolicyFile, positions: Positions, mistakes: Mistakes
) -> dict[int, str]:
    """Return the secret labels of the DNS lists that have one, by index."""
    keys: dict[int, str] = {}
    for index, entry in enumerate(file.dns_lists):
        if entry.key_file is None:
            continue
        loc = ("dns_lists", index, "key_file")
        path = beside(positions.path(loc), entry.key_file)
        try:
            keys[index] = _label(source.read(path))
        except ConfigError as err:
            mistakes.take([positions.error(loc, f"{path} {err.what}")])
    return keys


def read_lists(
    source: Source, file: PolicyFile, positions: Positions, mistakes: Mistakes
) -> tuple[dict[str, LocalList], str]:
    """Return the lists by name, and a digest of the files that they stand in."""
    lists: dict[str, LocalList] = {}
    digest = hashlib.blake2b(digest_size=8)
    for name, entry in file.lists.items():
        builder, loc = ListBuilder(), ("lists", name)
        for key, kind in _LIST_KINDS.items():
            for index, text in enumerate(getattr(entry, key)):
                try:
                    builder.add(text, kind)
                except ValueError as err:
                    mistakes.take([positions.error((*loc, key, index), str(err))])
        if entry.file is not None:
            path = beside(positions.path((*loc, "file")), entry.file)
            try:
                data = _data(source, path)
                digest.update(data)
                builder.add_file(data, path)
            except ConfigErrors as err:
                mistakes.take(err.errors)
            except ConfigError as err:
                mistakes.take([positions.error((*loc, "file"), f"{path} {err.what}")])
        lists[name] = builder.build()
    return lists, digest.hexdigest()


def _data(source: Source, path: str) -> bytes:
    data = source.read(path)
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(path, 0, 0, f"is larger than {MAX_FILE_BYTES >> 20} MB")
    return data


def _label(data: bytes) -> str:
    """Return the key in a file; what is wrong with it is said without showing it."""
    text = data.decode("ascii", "replace").strip()
    if not _KEY.fullmatch(text):
        raise ConfigError("", 0, 0, "does not hold one key of letters, digits and hyphens")
    return text
