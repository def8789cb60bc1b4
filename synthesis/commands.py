"""`luxreid synth`: worlds and nights. What is heavy is imported by each command."""

from collections.abc import Mapping
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
        int | None, typer.Option(min=1, help="Make only so many pictures, spread over the set and its levels, to try.")
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
    Pictures that cannot be used are listed in set-aside.csv, and the exit code is 1. A killed run goes on where it
    ended.
    """
    import time

    from benchmark import executors, manifest
    from synthesis import generate
    from synthesis.night import config
    from synthesis.night.order import Order, check

    settings = [*(sets or ()), *([f"quality={quality}"] if quality else [])]
    order = Order(config.load(name, settings), manifest.read(path, root), seed, limit, frames)
    for warning in check(order):
        say(warning)
    begin = time.monotonic()
    record, fresh = generate.write(order, out, executors.chosen(executor, workers))
    _report_night(out, record, time.monotonic() - begin if fresh else None)
    if sheet:
        from synthesis.night import sheet as sheets

        say(str(sheets.write(order, out)))
    if record["counts"]["set_aside"]:
        from synthesis.night.tables import ASIDE

        say(f"{count(record['counts']['set_aside'], 'picture')} set aside; {out / ASIDE} says which, and why")
        raise typer.Exit(1)


def _report_night(out: Path, record: Mapping[str, Any], seconds: float | None) -> None:
    """Say what was made, and how it falls into levels of light and size."""
    numbers = record["counts"]
    made = numbers["pictures"]
    ended = "was finished before, nothing to do"
    if seconds is not None:
        ended = f"{seconds:.1f} s, {made / max(seconds, 1e-9):,.0f} pictures a second"
    files = f" in {count(numbers['files'], 'file')}" if numbers["files"] != made else ""
    say(f"{out}: {record['name']}: {count(made, 'picture')}{files}; {ended}")
    if numbers["lightness_error"] is not None:
        missed = f"; {count(numbers['not_reached'], 'picture')} not at the level that was asked for"
        say(f"lightness: mean error {numbers['lightness_error']:.2f} of 255{missed}")
    light = {key: levels for key, levels in (("asked for", numbers["levels"]["planned"]),) if levels}
    _print_levels("light", light | {"made": numbers["levels"]["made"]})
    _print_levels(f"size, {record['sizes_scheme']}", {"made": numbers["sizes"]})


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
    from benchmark.tables import table

    names = list(next(iter(levels.values())))
    body = [
        [row, *(f"{number:,} {percent(number / sum(found.values())):>8}" for number in found.values())]
        for row, found in levels.items()
    ]
    console().print(table([title, *names], body))
