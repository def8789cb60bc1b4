"""`luxreid data`: read, measure, check, describe and hand on data sets. Heavy modules are imported by each command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.duplicates import duplicates
from benchmark.commands.split import split
from benchmark.console import console, count, say
from benchmark.errors import UserError

if TYPE_CHECKING:
    from benchmark.card import Card
    from benchmark.manifest import Manifest
    from benchmark.plugins import Room

ManifestPath = Annotated[Path, typer.Argument(metavar="MANIFEST", help="A manifest, a Parquet file.")]
Root = Annotated[Path | None, typer.Option(help="Folder of the pictures, where it is not the manifest's own.")]
Sets = Annotated[list[str] | None, typer.Option("--set", help="key=value, as often as needed; overrides --config.")]
Reader = Annotated[str, typer.Option(help="The reader whose card is compared; default: the source's first word.")]
Workers = Annotated[int, typer.Option(help="Processes; more than one means --executor processes.")]
ExecutorName = Annotated[
    str, typer.Option("--executor", help="serial, processes or ray; by default as --workers says.")
]


MANY = 12  # levels that a person still reads


def commands(readers: "Room", formats: "Room") -> typer.Typer:
    """Make the commands; the rooms come from the one place that makes them."""
    app = typer.Typer(help="Data sets and manifests.", no_args_is_help=True, rich_markup_mode=None)
    _add_reading(app, readers)
    _add_checking(app, readers)
    _add_describing(app, readers)
    app.command("measure")(measure)
    app.command("strata")(print_strata)
    app.command("split")(split)
    app.command("duplicates")(duplicates)
    _add_export(app, formats)
    app.command("hash")(print_hashes)
    app.command("diff")(diff)
    return app


def _add_reading(app: typer.Typer, readers: "Room") -> None:
    @app.command("read")
    def read(
        reader: Annotated[str, typer.Argument(help="A reader (luxreid list readers) or a dotted module of your own.")],
        root: Annotated[Path, typer.Argument(help="The folder that holds the set.")],
        out: Annotated[Path | None, typer.Option(help="The manifest to write; default ROOT/manifest.parquet.")] = None,
        config: Annotated[Path | None, typer.Option(help="TOML file with the reader's options.")] = None,
        sets: Sets = None,
        again: Annotated[
            bool, typer.Option("--again", help="Replace a manifest that is there, measures and all.")
        ] = False,
    ) -> None:
        """Read a folder into a manifest; no picture is opened."""
        from benchmark import config as configuration
        from benchmark import manifest

        module, target = readers.load(reader), out or root / "manifest.parquet"
        if target.is_dir():
            raise UserError(f"{target}: is a folder; name the file to write")
        if target.exists() and not again:
            raise UserError(f"{target}: is there; --again replaces it, its measures and edits too")
        found = module.read(root.absolute(), configuration.load(module.Options, config, sets or ()))
        manifest.write(found, target)
        _tell(found)
        _tell_terms(module.CARD)
        say(f"{target}: {_counts(found)}")
        if target.absolute().parent != manifest.common_root(found):
            say(f"The pictures lie elsewhere: give later commands --root {manifest.common_root(found)}")


def _add_checking(app: typer.Typer, readers: "Room") -> None:
    @app.command("check")
    def check(
        path: ManifestPath,
        root: Root = None,
        reader: Reader = "",
        workers: Workers = 1,
        executor: ExecutorName = "",
    ) -> None:
        """Compare a manifest with its files and its source's known counts. Exit 0 clean, 1 different, 2 unreadable."""
        from benchmark import checking, executors, manifest

        found = manifest.read(path, root)
        differences = checking.check(found, _card(found, readers, reader), executors.chosen(executor, workers))
        for difference in differences:
            say(difference)
        say(f"{path}: {count(len(found), 'row')}, {count(len(differences), 'difference')}")
        if differences:
            raise typer.Exit(1)


def _add_describing(app: typer.Typer, readers: "Room") -> None:
    @app.command("describe")
    def describe(
        paths: Annotated[list[Path], typer.Argument(metavar="MANIFEST...", help="One manifest, or several.")],
        root: Root = None,
        out: Annotated[Path, typer.Option(help="Folder for the figures.")] = Path("describe"),
        samples: Annotated[bool, typer.Option("--samples", help="Draw a sheet of sample pictures too.")] = False,
        limit: Annotated[int, typer.Option(min=1, help="Pictures read for the channel histograms.")] = 2000,
        seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
        reader: Reader = "",
    ) -> None:
        """Print counts, levels and the paper's Table I; draw light, size, cameras by light, and channel histograms."""
        from benchmark import describe, manifest

        if root and len(paths) > 1:
            raise UserError("describe: --root goes with one manifest; write each of several beside its pictures")
        found = [manifest.read(path, root) for path in paths]
        describe.describe(found, [_card(one, readers, reader) for one in found], console())
        for figure in describe.draw(found, out, samples=samples, limit=limit, seed=seed):
            say(str(figure))


def measure(
    path: ManifestPath,
    root: Root = None,
    out: Annotated[Path | None, typer.Option(help="The manifest to write; default: replace MANIFEST.")] = None,
    workers: Workers = 1,
    executor: ExecutorName = "",
    again: Annotated[bool, typer.Option("--again", help="Measure rows that are measured already, too.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Measure only so many rows, to try.")] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Measure the rest where pictures are broken or gone; exit code 1.")
    ] = False,
) -> None:
    """Measure the light and the hash of every picture. A killed run goes on where it ended."""
    from benchmark import executors
    from benchmark import measure as measuring

    target = out or path
    found = measuring.measure_file(
        path,
        root,
        target,
        executors.chosen(executor, workers),
        again=again,
        limit=limit,
        skip_broken=skip_broken,
    )
    measured = found.manifest
    _tell(measured)
    missing = measured.table["sha256"].null_count
    named = f"data {measured.data_sha256}" if not missing else f"{missing} still unmeasured"
    say(f"{target}: {len(measured) - missing} rows measured, {named}")
    if found.broken:
        say(found.broken)
        raise typer.Exit(1)


def print_strata(
    path: ManifestPath,
    root: Root = None,
    names: Annotated[list[str] | None, typer.Option("--scheme", help="A scheme; default: all that apply.")] = None,
) -> None:
    """Print how many images, identities and queries each light, size and exposure level holds."""
    from benchmark import manifest, strata
    from benchmark.levels import table

    found = manifest.read(path, root)
    chosen = [strata.scheme(name) for name in names or strata.SCHEMES]
    if not names and not found.table["exposure"].null_count < len(found):
        chosen = [scheme for scheme in chosen if scheme.measure != "exposure"]
    for scheme in chosen:
        cut = strata.assign(found, scheme)
        if len(cut.levels) > MANY and not names:
            say(f"{scheme.id}: {len(cut.levels)} different values, too many to list; --scheme {scheme.name} does")
            continue
        console().print(table(found, cut))
        say("")


def _add_export(app: typer.Typer, formats: "Room") -> None:
    @app.command("export")
    def export(
        path: ManifestPath,
        out: Annotated[Path, typer.Option(help="A new or empty folder.")],
        layout: Annotated[str, typer.Option("--format", help="A format (luxreid list formats).")],
        root: Root = None,
    ) -> None:
        """Write a set in a layout that other tools read; JPEG files are copied byte for byte."""
        from benchmark import export, manifest

        found, module = manifest.read(path, root), formats.load(layout)
        done = export.export(found, module, out)
        for note in module.notes(found):
            typer.echo(f"note: {note}", err=True)
        counts = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in done._asdict().items())
        say(f"{out}: {counts}")


def print_hashes(path: ManifestPath) -> None:
    """Print the two hashes: of what was said about the images, and of which images these are."""
    from benchmark import manifest

    found = manifest.read(path)
    say(f"labels_sha256 {found.labels_sha256}")
    say(f"data_sha256   {found.data_sha256 or 'none: not every row is measured'}")


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A manifest.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="Another one.")],
) -> None:
    """Say what was added, removed and changed between two manifests. Exit 0 equal, 1 different, 2 unreadable."""
    from benchmark import difference, manifest

    lines = difference.difference(manifest.read(old), manifest.read(new))
    for line in lines:
        say(line)
    if lines:
        raise typer.Exit(1)
    say("no difference")


def _card(manifest: "Manifest", readers: "Room", named: str) -> "Card | None":
    """Find what is known of a set: by its reader, named or the first word of its source."""
    if named:
        own: Card = readers.load(named).CARD
        return own
    words = {source.split("+")[0].split("-")[0] for source in manifest.roots}
    if len(words) == 1 and (name := words.pop()) in readers.names():
        card: Card = readers.load(name).CARD
        return card
    return None


def _tell_terms(card: "Card") -> None:
    """Say under which conditions a set may be used; a layout has none of its own."""
    terms = [f"licence: {card.licence}" if card.licence else "", f"access: {card.access}" if card.access else ""]
    if any(terms):
        typer.echo(f"note: {card.title}: {'; '.join(filter(None, terms))}", err=True)


def _tell(manifest: "Manifest") -> None:
    for note in manifest.notes:
        typer.echo(f"note: {note}", err=True)


def _counts(manifest: "Manifest") -> str:
    people, cameras = _people(manifest), _cameras(manifest)
    return f"{count(len(manifest), 'image')}, {count(people, 'identity', 'identities')}, {count(cameras, 'camera')}"


def _people(manifest: "Manifest") -> int:
    return int(manifest.identities().max()) + 1


def _cameras(manifest: "Manifest") -> int:
    import numpy as np

    return len(np.setdiff1d(manifest.column("camid"), [0]))  # 0 is unknown
