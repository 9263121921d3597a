"""Remarks of lint in the Static Analysis Results Interchange Format 2.1.0, for build servers.

Places are told so that a viewer finds them wherever it runs: a file below the folder in which lint
was called relative to that folder, what is shipped relative to the package, all else absolute.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from milter import __version__
from policies.chain import PRESET_PATHS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from policies.lint import Remark

_CALLED_IN: Final = "SRCROOT"
_SHIPPED_IN: Final = "GATEPOST"
_BASES: Final = {
    _CALLED_IN: {"description": {"text": "The folder in which lint was called."}},
    _SHIPPED_IN: {"description": {"text": "The folder `policies` of the installed Gatepost."}},
}


def sarif(remarks: Sequence[Remark]) -> str:
    """Return the remarks as one document, with a line end."""
    codes = sorted({remark.code for remark in remarks})
    rules = [{"id": code, "shortDescription": {"text": _words(code)}} for code in codes]
    run = {
        "tool": {
            "driver": {"name": "gatepost policy lint", "version": __version__, "rules": rules}
        },
        "originalUriBaseIds": _BASES,
        # What a person counts; the lines of YAML's reader are counted likewise.
        "columnKind": "unicodeCodePoints",
        "results": [_result(remark, codes.index(remark.code)) for remark in remarks],
    }
    report = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(report, indent=2) + "\n"


def _words(code: str) -> str:
    return code.replace("-", " ").capitalize()


def _result(remark: Remark, index: int) -> dict[str, Any]:
    return {
        "ruleId": remark.code,
        "ruleIndex": index,
        "level": remark.level.value,
        "message": {"text": remark.what},
        "locations": [{"physicalLocation": _location(remark)}],
    }


def _location(remark: Remark) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": _artifact(remark.path)}
    if remark.line:
        location["region"] = {"startLine": remark.line, "startColumn": max(1, remark.column)}
    return location


def _artifact(path: str) -> dict[str, str]:
    """Return where a file is; names are bytes, and nearly all of them can be in one."""
    if path in PRESET_PATHS and not Path(path).exists():
        return {"uri": path, "uriBaseId": _SHIPPED_IN}
    near = os.path.normpath(path)
    if os.path.isabs(near) or near.startswith(".."):  # noqa: PTH117 - names stay as they were said
        return {"uri": f"file://{quote(os.fsencode(Path(path).absolute().resolve()))}"}
    return {"uri": quote(os.fsencode(near)), "uriBaseId": _CALLED_IN}
