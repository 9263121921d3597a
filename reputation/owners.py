"""What root makes belongs to the owner of the folder that it is in: the daemon must get in, too.

Only what is new is given away: a name that is there may lead to a file of somebody else's.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_folder(path: Path) -> None:
    """Make a folder for its owner alone, where it is missing; the one above it is there.

    Raises:
        OSError: It cannot be made.
    """
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return
    if os.geteuid() == 0:
        above = path.parent.stat()
        os.chown(path, above.st_uid, above.st_gid, follow_symlinks=False)


def make_file(path: Path) -> None:
    """Make an empty file for its owner alone, where it is missing.

    Raises:
        OSError: It cannot be made.
    """
    try:
        # Only where it is missing: closing a file drops all locks that this process holds on it.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    try:
        if os.geteuid() == 0:
            folder = path.parent.stat()
            os.fchown(descriptor, folder.st_uid, folder.st_gid)
    finally:
        os.close(descriptor)
