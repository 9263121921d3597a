"""`gatepost policy explain`: why a message gets its verdict, and what would have changed it.

It is `gatepost scan --explain`, under the name by which one looks for it.
"""

from __future__ import annotations

import click

from milter.cli.scan import scan


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog="All options of `gatepost scan` can be given: --policy, --client-ip, --rcpt and so on.",
)
@click.argument("arguments", nargs=-1, required=True, type=click.UNPROCESSED, metavar="FILE...")
@click.pass_context
def explain(context: click.Context, arguments: tuple[str, ...]) -> object:
    """Tell the whole story of the verdict on each message.

    The policy that holds and its thresholds, each symbol with weight, evidence and words, the rule
    that decided, and the nearest ways to another outcome, each of them tried.
    """
    told = () if "--json" in arguments else ("--explain",)
    return scan.main([*told, *arguments], prog_name=context.command_path, standalone_mode=False)
