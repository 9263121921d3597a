"""`gatepost report`: a report on a year, a quarter or a month, to hand on."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Final, Literal

import click

from milter.cli.options import configuration_option
from milter.cli.report_formats import as_html, as_markdown
from milter.cli.stores import opened_store
from milter.daemon.figures import prices_of
from milter.http.statistics import as_csv
from reputation.statistics.figures import TOP, read_days
from reputation.statistics.money import money
from reputation.statistics.period import parse_period
from reputation.statistics.report import report as make_report
from reputation.statistics.shapes import plain

if TYPE_CHECKING:
    from reputation.statistics.period import Period

_DAY_S: Final = 86_400
_FORMATS: Final = ("md", "json", "csv", "html")


class _PeriodType(click.ParamType["Period"]):
    name = "period"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> Period:
        try:
            return parse_period(value)
        except ValueError as err:
            self.fail(str(err), param, ctx)


@click.command(help="Write a report on a period, in the order of the ITU's questions about spam.")
@click.option("--period", required=True, type=_PeriodType(), help="2026, 2026-Q3 or 2026-09.")
@click.option("--format", "form", default="md", type=click.Choice(_FORMATS), help="As what.")
@click.option(
    "--personal", is_flag=True, help="With blocks of addresses and domains of recipients."
)
@configuration_option("Configuration that names the store")
def report(
    period: Period, form: Literal["md", "json", "csv", "html"], path: str | None, *, personal: bool
) -> None:
    """Print the report; read from the store, whether or not a daemon runs."""
    now = time.time()
    if period.first > now // _DAY_S:
        raise click.UsageError(f"--period: {period.name} has not begun (UTC)")
    with opened_store(path) as (store, settings):
        figures = read_days(store, period.first, period.last, now, TOP)
    if settings.statistics.privacy and personal:
        raise click.UsageError("`statistics.privacy` is on: nothing personal is shown")
    spent = money(figures, prices_of(settings))
    if form == "json":
        told = {"period": period.name, **plain(figures, spent, personal=personal)}
        text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    elif form == "csv":
        text = as_csv(figures, personal=personal)
    else:
        whole = make_report(period, figures, spent, personal=personal)
        text = as_html(whole) if form == "html" else as_markdown(whole)
    # As bytes: a pipe may be of another charset, and a report goes into a file.
    sys.stdout.buffer.write(text.encode())
