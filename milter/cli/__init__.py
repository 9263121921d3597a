"""The command `gatepost`.

Each command lives in a module of its own that is imported only when it is called, so that
`gatepost --version` answers at once. No traceback reaches a user: every error becomes words and an
exit code, here and nowhere else.
"""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import traceback
from importlib import import_module
from typing import TYPE_CHECKING, Final, NoReturn

import click

from milter import __version__
from milter.core.errors import GatepostError
from policies.collector import without_collections
from policies.errors import ConfigError, ConfigErrors, PolicyError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_FINE: Final = 0
EXIT_FINDING: Final = 1
EXIT_INPUT: Final = 3
EXIT_CONFIGURATION: Final = 78
EXIT_INTERRUPTED: Final = 130


_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class UnreadableInput(click.ClickException):
    """Something that was named cannot be read."""

    exit_code = EXIT_INPUT


class Misconfigured(click.ClickException):
    """The configuration lacks what a command needs."""

    exit_code = EXIT_CONFIGURATION


# Name, words, and whether people call it; each is the function NAME of the module NAME here.
_COMMANDS: Final = (
    ("serve", "Run the daemon.", True),
    ("scan", "Judge messages in files, mailboxes or folders; needs no daemon.", True),
    ("policy", "Check, try, compare and explain policies.", True),
    ("learn", "Teach the classifier with messages in files, mailboxes or folders.", True),
    ("evaluate", "Show how well the classifier would do on labelled mail of yours.", True),
    ("config", "Check, describe or show the configuration of the daemon.", True),
    ("history", "Find recorded messages, show why they got their verdict, judge them again.", True),
    ("trace", "Where is my mail? Say what happened to a message and why.", True),
    ("reputation", "Show or forget what is remembered of whom mail came from.", True),
    ("diagnose", "Tell what the world sees of a domain, with advice.", True),
    ("lists", "Show how DNS lists are: those of the daemon, and the well-known ones.", True),
    ("stats", "Show what was counted over a window of time.", True),
    ("report", "Write a report on a year, a quarter or a month.", True),
    ("demo", "Send the samples through a daemon and show what happens to them.", True),
    ("worker", "One worker of the daemon; started by it.", False),
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Mail is in every script; a terminal or a file may be in one.
        sys.stdout.reconfigure(errors="replace")
    # numpy brings a thread for each core, which spin for a tenth of a second before they sleep: for
    # linear algebra on large matrices, of which there is none here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    given = sys.argv[1:] if arguments is None else arguments
    if {"serve", "worker"} & set(given[:2]):
        # Until the daemon can hear it: by itself a hangup, which asks for a reload, ends a process.
        # `pkill -HUP` sends it to the workers, too, for whom it means nothing.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    sys.exit(run(given))


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code; whatever happens is told in words."""
    try:
        code = _group().main(list(arguments), prog_name="gatepost", standalone_mode=False)
    except click.ClickException as err:
        err.show()
        return err.exit_code
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except (PolicyError, GatepostError) as err:
        return _told(err)
    except OSError as err:
        return _not_done(err, debug="--debug" in arguments)
    except Exception as err:  # noqa: BLE001 - the top: nobody else can put it into words
        return _unexpected(err, debug="--debug" in arguments)
    return code if isinstance(code, int) else EXIT_FINE


def _group() -> click.Group:
    @click.group(help="A mail filter that decides while the sending client is still connected.")
    @click.version_option(__version__, prog_name="gatepost")
    @click.option("--debug", is_flag=True, help="Show tracebacks of errors inside Gatepost.")
    def gatepost(*, debug: bool) -> None:
        pass

    for name, words, shown in _COMMANDS:
        gatepost.add_command(_lazy(name, words, shown=shown))
    return gatepost


def _lazy(name: str, words: str, *, shown: bool) -> click.Command:
    """Return a command that imports the real one when it is called, and hands everything on."""

    @click.command(
        name,
        help=words,
        hidden=not shown,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    )
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    @click.pass_context
    def command(context: click.Context, arguments: tuple[str, ...]) -> object:
        with without_collections():
            real: click.Command = getattr(import_module(f"milter.cli.{name}"), name)
        return real.main(list(arguments), prog_name=context.command_path, standalone_mode=False)

    return command


def _told(err: PolicyError | GatepostError) -> int:
    mistakes = err.errors if isinstance(err, ConfigErrors) else (err,)
    # Loaded for those who made a mistake, not at each start.
    told = import_module("milter.cli.places").told
    for mistake in mistakes:
        click.echo(told(mistake), err=True)
    return EXIT_CONFIGURATION if isinstance(err, ConfigError | ConfigErrors) else EXIT_INPUT


def _not_done(err: OSError, *, debug: bool) -> int:
    """Tell of a file that was named and cannot be read or written, and of a full disk."""
    if debug or err.strerror is None or not (err.filename or err.errno in _NO_ROOM):
        return _unexpected(err, debug=debug)
    click.echo(f"gatepost: {err.filename or 'the output'}: {err.strerror}", err=True)
    return EXIT_INPUT


def _unexpected(err: Exception, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(err)
    what = str(err) or "no words"
    click.echo(f"gatepost: unexpected {type(err).__name__}: {what}", err=True)
    if not debug:
        click.echo("This is a fault of Gatepost. `gatepost --debug ...` shows where.", err=True)
    return EXIT_INPUT
