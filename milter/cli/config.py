"""`gatepost config`: is the configuration right, what may stand in it, and what does it say."""

from __future__ import annotations

import json

import click
import yaml

from milter.cli.options import USUAL_CONFIGURATION, usual_configuration
from milter.daemon.advice import advice
from milter.daemon.configuration import read_configuration
from milter.settings import Settings
from milter.settings.read import read_settings
from milter.settings.urls import without_secrets
from policies.loader import FileSource

_FILE = click.option(
    *("-c", "path"),
    metavar="FILE",
    help=f"Configuration; absent: $GATEPOST_CONFIG, {USUAL_CONFIGURATION}, else the defaults.",
)


@click.group(help="Check, describe or show the configuration of the daemon.")
def config() -> None:
    """Hold the commands below it."""


@config.command()
@click.argument("file", required=False)
@_FILE
def check(file: str | None, path: str | None) -> None:
    """Read FILE and all that it names, as `serve` would, and tell every mistake.

    Warnings are told as well; they change nothing of the exit code.
    """
    path = _one_of(file, path)
    configuration = read_configuration(path, FileSource())
    settings = configuration.settings
    listeners = ", ".join(f"{one.name} ({one.bind})" for one in settings.listeners)
    click.echo(f"OK: {path or 'embedded defaults'}")
    click.echo(f"listeners: {listeners}")
    click.echo(f"policy: {settings.policies or 'balanced'}")
    for warning in advice(configuration):
        click.echo(f"warning: {warning}", err=True)


@config.command()
def schema() -> None:
    """Print the JSON Schema of the configuration."""
    click.echo(json.dumps(Settings.model_json_schema(), indent=2))


@config.command()
@click.argument("file", required=False)
@_FILE
def show(file: str | None, path: str | None) -> None:
    """Print the configuration in effect, defaults and whole paths included, as YAML.

    Secrets are named in it by their files and never by themselves; in `traces.endpoint` they are
    hidden.
    """
    settings = read_settings(FileSource(), _one_of(file, path))
    shown = settings.model_dump(mode="json")
    if endpoint := settings.traces.endpoint:
        shown["traces"]["endpoint"] = without_secrets(endpoint)
    click.echo(yaml.safe_dump(shown, sort_keys=False), nl=False)


def _one_of(file: str | None, path: str | None) -> str | None:
    if file and path:
        raise click.UsageError("FILE stands twice: as an argument and behind -c")
    return file or path or usual_configuration()
