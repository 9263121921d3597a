"""`gatepost policy show`: the policy that holds for somebody, and where each value was said."""

from __future__ import annotations

import json

import click

from policies.loader import FileSource, read_policy
from policies.select import Context
from policies.show import Shown, shown


@click.command()
@click.argument("path", required=False, metavar="[PATH]")
@click.option("--for", "recipient", metavar="A", help="Recipient; absent: one nobody names.")
@click.option("--listener", default="inbound", show_default=True, metavar="L")
@click.option(
    "--direction",
    type=click.Choice(["inbound", "outbound", "internal"]),
    default="inbound",
    show_default=True,
)
@click.option("--sender", default="", metavar="A", help="Envelope sender; absent: the null one.")
@click.option("--account", default="", metavar="NAME", help="Login of an authenticated client.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show(
    *,
    path: str | None,
    recipient: str | None,
    listener: str,
    direction: str,
    sender: str,
    account: str,
    as_json: bool,
) -> None:
    """Show the policy at PATH (absent: the preset `balanced`) as it holds for one recipient.

    Behind each value stands the file and line that say it, and the override if it is one.
    """
    loaded = read_policy(FileSource(), path)
    context = Context(listener, direction, sender, account)
    rows = shown(loaded, context, recipient)
    if as_json:
        click.echo(json.dumps([_plain(row) for row in rows], indent=2))
        return
    click.echo(f"policy {loaded.policies.select(context, recipient).name}")
    for row in rows:
        click.echo(f"{row.key:<32} {_value(row.value):<12} {_place(row)}")


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def _place(row: Shown) -> str:
    place = f"{row.path}:{row.line}" if row.line else row.path or "default"
    return f"# {place}" + (f" (override {row.override})" if row.override else "")


def _plain(row: Shown) -> dict[str, object]:
    return {
        "key": row.key,
        "value": row.value,
        "path": row.path,
        "line": row.line,
        "override": row.override,
    }
