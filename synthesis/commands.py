"""`luxreid synth`: worlds and nights. What is heavy is imported by each command."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.console import console, count, say
from benchmark.errors import UserError

if TYPE_CHECKING:
    from benchmark.plugins import Shelf

LARGEST_SEED = 2**64 - 1


def commands(presets: "Shelf") -> typer.Typer:
    """Make the commands; the shelf comes from the one place that makes it."""
    app = typer.Typer(help="Procedural worlds, and nights made from days.", no_args_is_help=True, rich_markup_mode=None)
    _add_street(app, presets)
    app.command("night")(night)
    return app


def _add_street(app: typer.Typer, presets: "Shelf") -> None:
    @app.command("street")
    def street(
        out: Annotated[Path, typer.Option(help="A new folder, or one in which this very world was begun.")],
        preset: Annotated[
            str, typer.Option(help="A world (luxreid list presets), or the path of a TOML file of your own.")
        ] = "demo",
        seed: Annotated[
            int, typer.Option(min=0, max=LARGEST_SEED, help="Another seed: other people, other places.")
        ] = 0,
        sets: Annotated[
            list[str] | None,
            typer.Option("--set", help="key=value or table.key=value, as often as needed; overrides the preset."),
        ] = None,
        difficulty: Annotated[
            str, typer.Option(help="easy, normal or hard: how dark it is, how much is hidden, who looks alike.")
        ] = "",
        quality: Annotated[
            str, typer.Option(help="fast, or full: soft shadows and smooth edges, at about twice the time.")
        ] = "",
        table_only: Annotated[
            bool, typer.Option("--table-only", help="Write manifests and truth without rendering; nothing is measured.")
        ] = False,
        truth: Annotated[
            bool,
            typer.Option(
                "--truth", help="Write all maps of every picture, too: light, albedo, normals, depth, parts, shadows."
            ),
        ] = False,
        limit: Annotated[
            int | None, typer.Option(min=1, help="Take only so many shots, spread over the world, to try.")
        ] = None,
        sheet: Annotated[
            bool, typer.Option("--sheet", help="Draw OUT-sheet.png, a sheet of all outputs, also of a finished world.")
        ] = False,
        workers: Annotated[int, typer.Option(help="Processes; more than one means --executor processes.")] = 1,
        executor: Annotated[
            str, typer.Option("--executor", help="serial, processes or ray; by default as --workers says.")
        ] = "",
    ) -> None:
        """Render a world of people in a street, by day and in the true night of the very same scenes.

        Writes day.parquet and night.parquet (manifests, measured), the pictures below day/ and night/, masks below
        mask/, truth.parquet (one row a scene: who, where, behind what, in which light) and last world.json (the
        settings and counts). A killed run goes on where it ended.
        """
        import time

        from benchmark import config, executors
        from synthesis.street import write
        from synthesis.street.config import World
        from synthesis.street.order import Order

        if table_only and (truth or sheet):
            raise UserError(f"--table-only renders nothing; {'--truth' if truth else '--sheet'} wants pictures")
        chosen = {"difficulty": difficulty, "quality": quality}
        settings = [*(sets or ()), *(f"{key}={value}" for key, value in chosen.items() if value)]
        world = config.load(World, presets.path(preset), settings)
        order = Order(world, seed, Path(preset).name, not table_only, truth, limit)
        begin = time.monotonic()
        with _going_on():
            record, fresh = write.write(order, out, executors.chosen(executor, workers))
        _report(out, record, time.monotonic() - begin if fresh else None)
        if sheet:
            from synthesis.street import sheet as sheets

            say(str(sheets.write(order, out)))


def night(
    path: Annotated[Path, typer.Argument(metavar="MANIFEST", help="The day: a manifest that was measured.")],
    out: Annotated[Path, typer.Option(help="A new folder, or one in which this very night was begun.")],
    name: Annotated[
        str, typer.Option("--night", help="A night (luxreid list nights), or the path of a TOML file of your own.")
    ] = "night600",
    root: Annotated[
        Path | None, typer.Option(help="Folder of the pictures, where it is not the manifest's own.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Another seed: other lamps, other noise.")] = 0,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value or table.key=value, as often as needed; overrides the night."),
    ] = None,
    quality: Annotated[
        str, typer.Option(help="fast, or exact: finer tones, blocks anywhere, at about half as much time again.")
    ] = "",
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Make only so many pictures, over the set and its levels, to try; ladders are whole."),
    ] = None,
    frames: Annotated[
        Path | None,
        typer.Option(help="Whole frames or videos, a folder a sequence: the night is made of them, and boxes cut out."),
    ] = None,
    sheet: Annotated[
        bool, typer.Option("--sheet", help="Draw OUT-sheet.png, days above their nights, also of a finished night.")
    ] = False,
    workers: Annotated[int, typer.Option(help="Processes; more than one means --executor processes.")] = 1,
    executor: Annotated[
        str, typer.Option("--executor", help="serial, processes or ray; by default as --workers says.")
    ] = "",
) -> None:
    """Make a night of a day's pictures: the same people and places under lamps, as a camera would take them.

    Writes the pictures in the layout of Market-1501, manifest.parquet (measured), plan.parquet (every parameter of
    every picture, and what came of it), night.toml (the settings; a night of its own), card.md and last night.json.
    Pictures that cannot be used, or were never measured, are listed in set-aside.csv, and the exit code is 1. A killed
    run goes on where it ended.
    """
    import time

    from benchmark import compiled, executors, manifest
    from synthesis import generate
    from synthesis.night import config
    from synthesis.night.order import Order, check, day

    settings = [*(sets or ()), *([f"quality={quality}"] if quality else [])]
    loaded, given = config.load(name, settings), day(manifest.read(path, root))
    order = Order(loaded, given.parents, seed, limit, frames, given.unmeasured, given.infrared)
    for warning in check(order):
        say(warning)
    begin = time.monotonic()
    with _going_on(), compiled.announced("compiling, once: the first pictures take half a minute"):
        record, fresh = generate.write(order, out, executors.chosen(executor, workers))
    _report_night(out, record, fresh, time.monotonic() - begin)
    if sheet:
        from synthesis.night import sheet as sheets

        say(str(sheets.write(order, out)))
    if record["counts"]["set_aside"]:
        from synthesis.night.order import ASIDE

        say(f"{count(record['counts']['set_aside'], 'picture')} set aside; {out / ASIDE} says which, and why")
        raise typer.Exit(1)


@contextlib.contextmanager
def _going_on() -> Iterator[None]:
    """Say to somebody who stops a command that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt("stopped; the same command goes on from here") from None


def _report_night(out: Path, record: Mapping[str, Any], fresh: int | None, seconds: float) -> None:
    """Say what was made, and how it falls into levels of light and size."""
    from synthesis.night import card

    numbers = record["counts"]
    files = f" in {count(numbers['files'], 'file')}" if numbers["files"] != numbers["pictures"] else ""
    ended = _ended(numbers["pictures"], fresh, seconds)
    say(f"{out}: {record['name']}: {count(numbers['pictures'], 'picture')}{files}; {ended}")
    if numbers["lightness_error"] is not None:
        say(f"lightness: {card.lightness(numbers)}")
    for title, rows in card.levels(record).items():
        _print_rows(f"size, {record['sizes_scheme']}" if title == "size" else title, rows)


def _ended(pictures: int, fresh: int | None, seconds: float) -> str:
    """Say how fast pictures were made, and how many there were before."""
    if fresh is None:
        return "was finished before, nothing to do"
    pace = f"{seconds:.1f} s, {fresh / max(seconds, 1e-9):,.0f} pictures a second"
    return pace if fresh >= pictures else f"{fresh:,} made now and {pictures - fresh:,} there before; {pace}"


def _report(out: Path, record: Mapping[str, Any], seconds: float | None) -> None:
    """Say what a world holds, and how it falls into levels of size and light."""
    numbers = record["counts"]
    said = [count(numbers["identities"], "identity", "identities"), count(numbers["cameras"], "camera")]
    said += [count(numbers["tracks"], "track"), count(numbers["crops"], "crop")]
    taken = " and ".join(record["config"]["times"]) if record["pictures"] else "not rendered"
    ended = "was finished before, nothing to do" if seconds is None else f"{seconds:.1f} s"
    say(f"{out}: {record['name']}: {', '.join(said)}, {taken}; {ended}")
    rows = {f"size, {record['schemes']['sizes']}": {"all": record["sizes"]}}
    rows |= {f"light, {record['schemes']['light']}": record["light"]} if record["light"] else {}
    for title, levels in rows.items():
        _print_levels(title, levels)


def _print_levels(title: str, levels: Mapping[str, Mapping[str, int]]) -> None:
    from benchmark.comparison import percent

    rows = {
        row: {level: f"{number:,} {percent(number / sum(found.values())):>8}" for level, number in found.items()}
        for row, found in levels.items()
    }
    _print_rows(title, rows)


def _print_rows(title: str, rows: Mapping[str, Mapping[str, str]]) -> None:
    from benchmark.tables import table

    names = list(next(iter(rows.values())))
    console().print(table([title, *names], [[row, *cells.values()] for row, cells in rows.items()]))
