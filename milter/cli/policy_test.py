"""`gatepost policy test`: the tests of a policy, each message through the real checks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import click

from milter.cli import EXIT_FINDING, EXIT_FINE
from milter.cli.explain import printable
from milter.pipeline.cases import run_cases, run_packs
from policies.cases import CaseResult, unhit
from policies.loader import FileSource, read_policy

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.command()
@click.argument("path", metavar="PATH")
@click.option("--junit", metavar="FILE", help="Write the results as JUnit XML, too.")
@click.option("--coverage", is_flag=True, help="Rules that no test hits count as a failure.")
def test(*, path: str, junit: str | None, coverage: bool) -> int:
    """Run the tests of the policy at PATH and tell what came otherwise than expected.

    Exit code: 0 all came as expected, 1 some did not, 78 a mistake in the policy.
    """
    source = FileSource()
    loaded = read_policy(source, path)
    results = [*run_cases(loaded, source, time.time), *run_packs(loaded, source, time.time)]
    for result in results:
        click.echo(f"{'ok  ' if result.passed else 'FAIL'}  {printable(result.case.name)}")
        for difference in filter(None, (result.error, *result.differences)):
            click.echo(f"      {printable(difference)}")
    missed = unhit((*loaded.own("rules"), *loaded.own("patterns")), results)
    if missed:
        click.echo(f"no test hits: {', '.join(missed)}")
    failed = sum(not result.passed for result in results)
    click.echo(f"{len(results) - failed} passed, {failed} failed")
    if junit:
        Path(junit).write_bytes(_junit(path, results))
    return EXIT_FINDING if failed or (coverage and missed) else EXIT_FINE


def _junit(path: str, results: Sequence[CaseResult]) -> bytes:
    failed = sum(bool(result.differences) for result in results)
    errors = sum(bool(result.error) for result in results)
    root = ET.Element("testsuites")
    suite = ET.SubElement(
        root,
        "testsuite",
        name=path,
        tests=str(len(results)),
        failures=str(failed),
        errors=str(errors),
    )
    for result in results:
        case = ET.SubElement(suite, "testcase", classname=path, name=printable(result.case.name))
        if result.error:
            ET.SubElement(case, "error", type="not run", message=printable(result.error))
        elif result.differences:
            first = printable(result.differences[0])
            told = ET.SubElement(case, "failure", type="difference", message=first)
            told.text = "\n".join(map(printable, result.differences))
    data: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return data
