"""Running the tests of a policy: each message through the real checks, DNS from a file.

Paths start at the file that names them. What cannot be read is an error of that test alone.
"""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from milter.checks.catalogue import Means, build_checks
from milter.core.address import parse_mailbox
from milter.core.connection import Direction
from milter.core.errors import ParseError
from milter.core.ids import SessionId, TxnId
from milter.dns.fake import FakeResolver, read_zone
from milter.message.lines import with_crlf
from milter.pipeline.examples import changed, message_of
from milter.pipeline.offline import Envelope, judge, without_network
from milter.pipeline.outcome import Identity
from milter.pipeline.runner import Pipeline
from policies.cases import Came, CaseResult, differences
from policies.errors import ConfigError, ConfigErrors
from policies.loader import beside, read_node, validate
from policies.packs import PackFile
from policies.schema_cases import CaseEntry, Expected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from milter.core.address import Mailbox
    from milter.pipeline.offline import Judged
    from policies.loader import LoadedPolicy, Source
    from policies.packs import PackRule
    from policies.schema_cases import Sent

_IDENTITY: Final = Identity("mx.example.org", "mx.example.org")
_BUDGET_S: Final = 20.0


def run_packs(
    loaded: LoadedPolicy, source: Source, clock: Callable[[], float]
) -> Iterator[CaseResult]:
    """Yield what came of the messages that stand in packs of the site, in the order of the rules.

    Args:
        loaded: The policy that names the packs.
        source: Reads them.
        clock: Seconds since 1970.
    """
    pipeline = _pipeline(loaded, source, None, clock)
    for path, ids in loaded.own_packs().items():
        pack = validate(read_node(source, path), PackFile)
        for _, _, rule in pack.rules():
            if rule.id in ids:
                yield _try(pipeline, path, rule, hit=True)
                yield _try(pipeline, path, rule, hit=False)


def _try(pipeline: Pipeline, path: str, rule: PackRule, *, hit: bool) -> CaseResult:
    words = f"{rule.id} {'finds `hit`' if hit else 'does not find `miss`'} ({path})"
    expected = Expected.model_validate({"symbols" if hit else "not_symbols": (rule.id,)})
    case = CaseEntry(name=words, message=path, expect=expected)
    try:
        message = message_of(rule.hit if hit else changed(rule.hit, rule.miss))
    except ValueError as err:
        return CaseResult(case, error=str(err))
    judged = asyncio.run(judge(pipeline, message, Envelope(), TxnId("TEST"), SessionId("TEST")))
    came = _came(judged)
    return CaseResult(case, tuple(differences(expected, came)), came.symbols)


def run_cases(loaded: LoadedPolicy, source: Source, clock: Callable[[], float]) -> list[CaseResult]:
    """Return what came of each test of a policy, in the order of the files.

    Args:
        loaded: The policy with its tests.
        source: Reads messages and zones.
        clock: Seconds since 1970, for signatures that expire.
    """
    return [
        _run(loaded, index, case, source, clock) for index, case in enumerate(loaded.file.tests)
    ]


def _run(
    loaded: LoadedPolicy,
    index: int,
    case: CaseEntry,
    source: Source,
    clock: Callable[[], float],
) -> CaseResult:
    file = loaded.positions.path(("tests", index, "message"))
    try:
        message = with_crlf(source.read(beside(file, case.message)))
        envelope = _envelope(case.with_)
        zone = beside(file, case.with_.dns) if case.with_.dns else None
        pipeline = _pipeline(loaded, source, zone, clock)
    except (ConfigError, ConfigErrors) as err:
        return CaseResult(case, error=str(err))
    except (ParseError, ValueError) as err:
        return CaseResult(case, error=f"`with`: {err}")
    judged = asyncio.run(judge(pipeline, message, envelope, TxnId("TEST"), SessionId("TEST")))
    came = _came(judged)
    return CaseResult(case, tuple(differences(case.expect, came)), came.symbols)


def _pipeline(
    loaded: LoadedPolicy, source: Source, zone: str | None, clock: Callable[[], float]
) -> Pipeline:
    checks = build_checks(loaded.policies.plan, Means(_IDENTITY.hostname, clock))
    return Pipeline(
        checks=checks if zone else without_network(checks),
        policies=loaded.policies,
        resolver=read_zone(source, zone) if zone else FakeResolver({}),
        identity=_IDENTITY,
        budget_s=_BUDGET_S,
    )


def _envelope(sent: Sent) -> Envelope:
    recipients = (sent.rcpt,) if isinstance(sent.rcpt, str) else sent.rcpt
    return Envelope(
        client_ip=ip_address(sent.client_ip) if sent.client_ip else None,
        helo_name=sent.helo,
        mail_from=_mailbox(sent.mail_from),
        mail_from_known=sent.mail_from is not None,
        recipients=tuple(parse_mailbox(recipient) for recipient in recipients),
        direction=Direction(sent.direction),
        listener=sent.listener,
        account=sent.account,
    )


def _mailbox(text: str | None) -> Mailbox | None:
    return None if text in {None, "", "<>"} else parse_mailbox(str(text))


def _came(judged: Judged) -> Came:
    verdict = judged.outcome.verdict
    found = (*judged.judgement.evidence.findings, *verdict.found)
    return Came(
        action=verdict.action.word,
        symbols=frozenset(finding.symbol for finding in found),
        rule=verdict.rule,
        reply=str(judged.outcome.reply) if judged.outcome.reply else "",
    )
