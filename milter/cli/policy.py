"""`gatepost policy`: look at a policy, try it, and see what a change does before it does it.

Each command lives in a module of its own that is imported when it is called.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

import click

_COMMANDS: Final = {
    "lint": "Tell mistakes and traps of a policy, with line and column.",
    "test": "Run the tests that stand in a policy.",
    "show": "Show the policy that holds for somebody, and where each value was said.",
    "explain": "Tell why a message gets its verdict, and what would have changed it.",
    "diff": "Tell which messages another policy would treat otherwise.",
    "shadow": "List the messages that shadow policies would have treated otherwise.",
    "import-spamassassin": "Print rules of SpamAssassin as a policy.",
    "schema": "Print the JSON Schema of policies, for editors.",
}


class _Commands(click.Group):
    """Commands by name, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name."""
        if cmd_name not in _COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        found: click.Command = getattr(import_module(f"milter.cli.policy_{name}"), name)
        found.short_help = _COMMANDS[cmd_name]
        return found


policy = _Commands("policy", help="Check, try, compare and explain policies.")
