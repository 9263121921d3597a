"""`gatepost policy schema`: what may stand in a policy, for editors that complete and check."""

from __future__ import annotations

import json

import click

from policies.schema import PolicyFile


@click.command()
def schema() -> None:
    """Print the JSON Schema of policies.

    An editor with the YAML language server uses it where the first line of a policy says
    `# yaml-language-server: $schema=policy.schema.json`.
    """
    click.echo(json.dumps(PolicyFile.model_json_schema(), indent=2))
