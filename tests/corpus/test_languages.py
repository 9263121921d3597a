"""Mail of our own in the languages of the packs: what is wanted stays, what is not is marked.

`languages/*.yaml` holds messages that are no rule's own: a bank, a shop and a carrier as they write
to customers, and those who write in their name. All rules together judge them.
"""

from __future__ import annotations

import asyncio
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from milter.checks.catalogue import Means, build_checks
from milter.core.ids import SessionId, TxnId
from milter.dns.fake import FakeResolver
from milter.pipeline.examples import message_of
from milter.pipeline.offline import Envelope, judge, without_network
from milter.pipeline.outcome import Identity
from milter.pipeline.runner import Pipeline
from policies.loader import FileSource, read_policy
from policies.packs import Example
from policies.verdict import Action

if TYPE_CHECKING:
    from policies.verdict import Verdict

_FILES: Final = sorted((Path(__file__).parent / "languages").glob("*.yaml"))


@cache
def _pipeline() -> Pipeline:
    policies = read_policy(FileSource()).policies
    checks = without_network(build_checks(policies.plan, Means("mx.example.org", time.time)))
    return Pipeline(
        checks=checks,
        policies=policies,
        resolver=FakeResolver({}),
        identity=Identity("mx.example.org", "mx.example.org"),
        budget_s=20.0,
    )


def verdict_on(message: Example) -> Verdict:
    """Return what the preset `balanced` says of a message."""
    ids = TxnId("LANGUAGES001"), SessionId("LANGUAGES001")
    judged = asyncio.run(judge(_pipeline(), message_of(message), Envelope(), *ids))
    return judged.outcome.verdict


def _messages(sort: str) -> list[Any]:
    return [
        pytest.param(Example.model_validate(message), id=f"{file.stem}-{name}")
        for file in _FILES
        for name, message in yaml.safe_load(file.read_text(encoding="utf-8"))[sort].items()
    ]


@pytest.mark.parametrize("message", _messages("wanted"))
def test_wanted_mail_stays_below_tag(message: Example) -> None:
    verdict = verdict_on(message)

    assert verdict.action is Action.PASS, verdict


@pytest.mark.parametrize("message", _messages("unwanted"))
def test_unwanted_mail_is_marked(message: Example) -> None:
    verdict = verdict_on(message)

    assert verdict.action is not Action.PASS, verdict
