"""`gatepost policy explain`: why a message gets its verdict, and what would have changed it.

Of a message in a file it is `gatepost scan --explain`, under the name by which one looks for it. Of
a message that came through, its id is enough: the history has what was seen.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from milter.cli import UnreadableInput
from milter.cli.explain import printable
from milter.cli.options import configuration_option
from milter.cli.past_mail import opened
from milter.cli.past_story import again, story
from milter.cli.scan import scan
from milter.core.ids import read_id
from policies.counterfactuals import ways
from policies.loader import load_symbols
from reputation.history.told import plain

if TYPE_CHECKING:
    from milter.cli.past_mail import PastMail
    from reputation.history.record import Record

_NO_MESSAGE: Final = "it was refused before its message was judged: there is nothing to judge again"


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="Of files, all options of `gatepost scan` can be given: --policy, --client-ip, --rcpt "
    "and so on. Of an id: -c FILE, --policy FILE, --json.",
)
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="FILE|ID...")
@click.pass_context
def explain(context: click.Context, arguments: tuple[str, ...]) -> object:
    """Tell the whole story of the verdict on each message.

    The policy that holds and its thresholds, each symbol with weight, evidence and words, the rule
    that decided, and the nearest ways to another outcome, each of them tried.
    """
    if any(read_id(each) and not Path(each).exists() for each in arguments):
        return _of_history.main(
            list(arguments), prog_name=context.command_path, standalone_mode=False
        )
    told = () if "--json" in arguments else ("--explain",)
    return scan.main([*told, *arguments], prog_name=context.command_path, standalone_mode=False)


@click.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--policy", metavar="FILE", help="Policy or preset; absent: the configuration's.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@configuration_option("Configuration that names store and policies")
def _of_history(
    *, ids: tuple[str, ...], policy: str | None, as_json: bool, path: str | None
) -> None:
    """Tell the story of messages of the history."""
    with opened(path) as past:
        for txn_id in ids:
            record = past.journal.find(read_id(txn_id) or txn_id)
            if record is None:
                raise UnreadableInput(f"the history has no message {printable(txn_id)} (any more)")
            told = _json(past, record, policy) if as_json else _text(past, record, policy)
            click.echo("\n".join(told))


def _text(past: PastMail, record: Record, policy: str | None) -> list[str]:
    replay, policies = past.replay(policy)
    if record.stage:
        lines = [
            *story(record, {**load_symbols(), **policies.all_single()[0].symbols}),
            f"  {_NO_MESSAGE}",
        ]
        return [printable(line) for line in lines]
    replayed = asyncio.run(replay.judge(past.past(record)))
    table = {**load_symbols(), **replayed.group.policy.symbols}
    lines = [*story(record, table), *again(record, replayed, policies.version, policy)]
    return [printable(line) for line in lines]


def _json(past: PastMail, record: Record, policy: str | None) -> list[str]:
    if record.stage:
        return [json.dumps({**plain(record), "now": None, "note": _NO_MESSAGE}, indent=2)]
    replay, policies = past.replay(policy)
    replayed = asyncio.run(replay.judge(past.past(record)))
    verdict, group, evidence = replayed.verdict, replayed.group, replayed.evidence
    found = ways(group.policy, evidence.findings, dict(evidence.facts), postmaster=group.postmaster)
    now = {
        "version": policies.version,
        "action": verdict.action.word,
        "score": verdict.score,
        "unknown": list(replayed.unknown),
        "ways": [{"action": way.action.word, "words": way.words} for way in found],
    }
    return [json.dumps({**plain(record), "now": now}, indent=2)]
