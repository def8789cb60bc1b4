"""The command `luxreid`: it makes the plug-in rooms, hands them to the packages' commands, and walks the demo.

Nothing imports this module. What is heavy is imported where it is used, so `luxreid --help` answers at once.
"""

import errno
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from benchmark.commands import bench, data, doctor
from benchmark.errors import UserError, nearest
from benchmark.plugins import Room, Shelf
from leaderboards import commands as board
from synthesis import commands as synth
from synthesis.night.stages import STAGES
from synthesis.nights import NIGHTS
from synthesis.street.presets import PRESETS

READERS, FORMATS, METHODS = (
    Room("benchmark.readers", "reader", ("CARD", "EXAMPLES", "Options", "read")),
    Room("benchmark.formats", "format", ("FOLDERS", "name", "parse", "problem", "notes")),
    Room("baselines.methods", "method", ("Config", "build")),
)
RECIPES = Shelf("baselines.recipes", "recipe")

ROOMS: dict[str, Room | Shelf] = {
    "readers": READERS,
    "formats": FORMATS,
    "protocols": Shelf("benchmark.protocols", "protocol"),
    "methods": METHODS,
    "enhancers": Room("baselines.enhancers", "enhancer", ("Config", "enhance")),
    "recipes": RECIPES,
    "presets": PRESETS,
    "nights": NIGHTS,
    "stages": STAGES,
    "detectors": Room("annotation.detectors", "detector", ("detect",)),
}

TOLD = ("nights", "stages")  # rooms whose names are listed with what each is

# Where each step of the demo lives; every package names its own steps in its demo.py.
DEMO = (
    ("synthesis", "street"),
    ("synthesis", "night"),
    ("annotation", "annotate"),
    ("benchmark", "measure"),
    ("benchmark", "read"),
    ("benchmark", "split"),
    ("benchmark", "describe"),
    ("baselines", "train"),
    ("benchmark", "evaluate"),
    ("leaderboards", "board"),
)

# What these steps leave in their folder; `demo --again` removes this and nothing else.
MADE = (
    "street",
    "street-sheet.png",
    "synthetic-night",
    "synthetic-night-sheet.png",
    "frames",
    "annotated",
    "describe",
    "cache",
    "training",
    "features",
    "bundle",
    "ledger.jsonl",
    "board",
)


class _Spoken(TyperGroup):
    """Commands that may say how to go on when they are stopped: typer makes a bare exit code of it otherwise."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise typer.Abort(str(error)) from None


app = typer.Typer(
    cls=_Spoken,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(data.commands(READERS, FORMATS), name="data")
app.add_typer(synth.commands(PRESETS), name="synth")
app.add_typer(bench.commands(METHODS, RECIPES), name="bench")
app.add_typer(board.commands(), name="board")
app.command("doctor")(doctor.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"luxreid {version('luxreid')}")
        except PackageNotFoundError:
            typer.echo("luxreid, from a checkout that is not installed")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Measure how well a method sees in the dark: data sets, night synthesis and an honest benchmark."""


@app.command("list")
def list_names(room: Annotated[str, typer.Argument(help="One of: " + ", ".join(ROOMS))] = "") -> None:
    """List what can be named: the names of one room, or of all."""
    from benchmark.console import say

    if room and room not in ROOMS:
        raise UserError(f"list: no room is called {room!r}; {nearest(room, list(ROOMS))}")
    if room:
        for name in ROOMS[room].names():
            say(f"{name:<14}{ROOMS[room].about(name)}" if room in TOLD else name)
        return
    for title, place in ROOMS.items():
        say(f"{title:<10} {', '.join(place.names()) or '(none yet)'}")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder to work in; a second run goes on where the first ended.")] = Path(
        "demo"
    ),
    again: Annotated[bool, typer.Option("--again", help="Start over: delete what an earlier demo left.")] = False,
) -> None:
    """Walk the whole journey on a small world: street, night, boxes, split, training, evaluation, board."""
    import time

    from benchmark import durable
    from benchmark.console import say

    ledger = durable.Ledger(out / ".steps", durable.sha256(durable.canonical(DEMO)))
    _claim(out, ledger.folder)
    with durable.locked(out / ".steps" / "lock"):
        if again:
            _clear(out)
        done = ledger.done()
        for package, name in DEMO:
            step = import_module(f"{package}.demo").STEPS[name]
            if f"{package}-{name}" in done:
                say(f"{package}: {name} (done before)")
                continue
            say(f"{package}: {step.__doc__}")
            begin = time.monotonic()
            step(out)
            ledger.commit(f"{package}-{name}", seconds=round(time.monotonic() - begin, 1))
    say(f"All of it is in {out}: manifests, pictures, figures, features, a bundle and a board.")


def _claim(folder: Path, steps: Path) -> None:
    """Take a folder that is new, empty, or an earlier demo's; its mark is there before the first step."""
    if folder.is_dir() and any(folder.iterdir()) and not steps.is_dir():
        raise UserError(f"demo: {folder} holds something else; name another folder with --out")
    try:
        steps.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot write: {error.strerror or error}") from None


def _clear(folder: Path) -> None:
    """Remove what a demo makes, and nothing that a person put beside it."""
    import shutil

    for name in MADE:
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).unlink(missing_ok=True)
    for record in (folder / ".steps").glob("*.json"):
        record.unlink()


def main() -> None:
    """Run a command: a person's mistake is one line and exit code 2, ours is a traceback."""
    # A plug-in of one's own may lie in the folder one stands in; last, so that it can hide nothing of ours.
    if "" not in sys.path:
        sys.path.append("")
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()  # a full disk under our output shows here, not in the interpreter's last moments
    except UserError as error:
        _stop(str(error))
    except (typer.Abort, KeyboardInterrupt) as error:
        if str(error):
            sys.stderr.write(f"luxreid: {error}\n")
        sys.exit(130)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EPIPE):
            raise
        _silence()
        if error.errno == errno.ENOSPC:
            _stop(f"cannot write the output: {error.strerror}")
        sys.exit(1)  # the reader went away, as `head` does
    except Exception as error:
        # Errors of the command line: which package holds their class depends on typer's version, their method does not.
        if not hasattr(error, "format_message"):
            raise
        _stop(error.format_message())
    sys.exit(code if isinstance(code, int) else 0)


def _silence() -> None:
    """Point our output nowhere, so that what is left in its buffer raises nothing on the way out."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stop(message: str) -> None:
    # A help text, shown where a command is named without its argument, stands as it is.
    sys.stderr.write(message + "\n" if message.startswith("Usage:") else f"luxreid: {message}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
