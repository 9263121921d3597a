"""The samples judged without a daemon: the same verdicts, and no name that their zone lacks."""

from __future__ import annotations

import asyncio
import runpy
import shutil
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from milter.checks.catalogue import Means, build_checks
from milter.cli.demo_samples import Sample, read_samples
from milter.core.address import parse_mailbox
from milter.core.ids import SessionId, TxnId
from milter.dns.fake import read_zone
from milter.message.lines import with_crlf
from milter.pipeline.offline import Envelope, Judged, judge
from milter.pipeline.outcome import Identity
from milter.pipeline.runner import Pipeline
from policies.loader import FileSource, load_policies
from tests.support.facts import misfits

if TYPE_CHECKING:
    from milter.core.address import Mailbox

_SAMPLES: Final = Path(__file__).resolve().parents[2] / "samples"
_HOSTNAME: Final = "mx.example.org"
# 22 November 2026, 16:00 UTC.
_NOW: Final = 1_795_363_200


def _judged(sample: Sample) -> Judged:
    policies = load_policies(FileSource(), str(_SAMPLES / "policy.yaml"))
    pipeline = Pipeline(
        checks=build_checks(policies.plan, Means(_HOSTNAME, lambda: _NOW)),
        policies=policies,
        resolver=read_zone(FileSource(), str(_SAMPLES / "zone.yaml")),
        identity=Identity(_HOSTNAME, _HOSTNAME),
        budget_s=20,
    )
    envelope = Envelope(
        client_ip=ip_address(sample.client_ip),
        helo_name=sample.helo,
        mail_from=_mailbox(sample.mail_from),
        mail_from_known=True,
        recipients=tuple(parse_mailbox(rcpt) for rcpt in sample.rcpt),
    )
    message = with_crlf((_SAMPLES / sample.file).read_bytes())
    return asyncio.run(judge(pipeline, message, envelope, TxnId("T"), SessionId("S")))


def _mailbox(address: str) -> Mailbox | None:
    return parse_mailbox(address) if address else None


@pytest.mark.parametrize("sample", read_samples(_SAMPLES), ids=lambda sample: sample.file)
def test_sample_judged_offline_gets_its_expected_verdict(sample: Sample) -> None:
    judged = _judged(sample)

    verdict = judged.outcome.verdict
    assert verdict.action.word == sample.expect, verdict.trace
    assert misfits(judged.judgement.evidence.facts) == []


def test_sample_signed_message_passes_spf_and_dkim() -> None:
    (sample,) = [each for each in read_samples(_SAMPLES) if each.file == "shipping-notice.eml"]
    results = {result.method: result.result for result in _judged(sample).judgement.evidence.auth}
    assert results["spf"] == "pass"
    assert results["dkim"] == "pass"


def test_samples_signing_again_changes_nothing(tmp_path: Path) -> None:
    for name in ("shipping-notice.eml", "zone.yaml"):
        shutil.copy(_SAMPLES / name, tmp_path)
    script = runpy.run_path(str(_SAMPLES / "sign.py"))
    script["main"](tmp_path)
    for name in ("shipping-notice.eml", "zone.yaml"):
        assert (tmp_path / name).read_bytes() == (_SAMPLES / name).read_bytes()
