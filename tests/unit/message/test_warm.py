"""What is loaded beforehand is there when the first message needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SCRIPT = """
import sys
from milter.message import language
from milter.message.warm import warm_up
warm_up(languages={languages})
print("chardet" in sys.modules, language._model.cache_info().currsize)
"""


@pytest.mark.parametrize(
    ("languages", "loaded"),
    [pytest.param("True", "True 1", id="both"), pytest.param("False", "True 0", id="charsets")],
)
def test_warm_up_loads_what_is_asked_for(languages: str, loaded: str) -> None:
    script = _SCRIPT.format(languages=languages)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == loaded
