"""`luxreid data duplicates`: say whether pictures stand twice where that would spoil a test."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.console import console, count, say
from benchmark.errors import UserError

if TYPE_CHECKING:
    from benchmark.duplicates import Report

WORST = 10  # pairs of every kind that are shown


def duplicates(
    path: Annotated[Path, typer.Argument(metavar="MANIFEST", help="A manifest, a Parquet file.")],
    root: Annotated[
        Path | None, typer.Option(help="Folder of the pictures, where it is not the manifest's own.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with what counts as a near-copy.")] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, as often as needed; overrides --config.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write all pairs into this CSV file.")] = None,
    workers: Annotated[int, typer.Option(help="Processes; more than one means --executor processes.")] = 1,
    executor: Annotated[
        str, typer.Option("--executor", help="serial, processes or ray; by default as --workers says.")
    ] = "",
) -> None:
    """Find near-copies across train and test and across identities. Exit 0 none, 1 some, 2 unreadable."""
    from benchmark import config as configuration
    from benchmark import duplicates as search
    from benchmark import executors, manifest

    options = configuration.load(search.Options, config, sets or ())
    if out and out.exists() and not search.is_list(out):
        raise UserError(f"{out}: is there and holds no pairs; name another file, or remove it")
    report = search.find_in_file(path, manifest.read(path, root), options, executors.chosen(executor, workers))
    _show(report)
    if out:
        search.write(report.pairs, out)
        say(str(out))
    if report.pairs:
        raise typer.Exit(1)


def _show(report: "Report") -> None:
    from benchmark import tables
    from benchmark.duplicates import by_kind

    numbers = by_kind(report.pairs)
    say(f"{count(report.pictures, 'picture')}, {count(len(report.pairs), 'pair')} that should not be")
    if report.unjudged:
        say(f"{report.unjudged:,} with too little gradient to judge: compared by bytes, identities and scenes alone")
    for kind, number in numbers.items():
        shown = [pair for pair in report.pairs if pair.kind == kind][:WORST]
        say(f"\n{kind}: {number:,}" + (f", the worst {len(shown)}" if number > len(shown) else ""))
        body = [(f"{pair.score:.3f}", pair.one, pair.other) for pair in shown]
        console().print(tables.table(("alike", "one", "other"), body))
