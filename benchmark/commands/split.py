"""`luxreid data split`: part a set into train and test, say what came of it, and hand the roles on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.console import console, say
from benchmark.errors import UserError, nearest

if TYPE_CHECKING:
    from benchmark.manifest import Manifest

_STYLE = "night600, identities, camera-disjoint, time-aware or light-balanced; docs/data.md tells them apart."


def split(
    path: Annotated[Path, typer.Argument(metavar="MANIFEST", help="A manifest, a Parquet file.")],
    style: Annotated[str, typer.Option(help=_STYLE)] = "",
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
    config: Annotated[Path | None, typer.Option(help="TOML file with the style's options.")] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, as often as needed; overrides --config.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The manifest to write; default: none, only the table.")] = None,
    roles: Annotated[
        Path | None, typer.Option(help="Write the roles alone, too: a .csv or .parquet that names no person.")
    ] = None,
    key: Annotated[str, typer.Option(help="How --roles names the pictures: image_id or sha256.")] = "image_id",
    from_roles: Annotated[
        Path | None, typer.Option(help="Take the roles from such a file, in place of --style.")
    ] = None,
    figure: Annotated[Path | None, typer.Option(help="Draw light and size of every split into this PNG.")] = None,
    root: Annotated[
        Path | None, typer.Option(help="Folder of the pictures, where it is not the manifest's own.")
    ] = None,
) -> None:
    """Part a manifest into train and test and choose the queries, or take the roles from a file; print what came."""
    from benchmark import manifest, split_table
    from benchmark import roles as files

    if key not in files.KEYS:
        raise UserError(f"--key {key}: {nearest(key, list(files.KEYS))}")
    if bool(style) == bool(from_roles):
        raise UserError("split: give either --style or --from-roles")
    found = manifest.read(path, root)
    done = files.apply(found, from_roles) if from_roles else _styled(found, style, seed, config, sets)
    for note in done.notes:
        typer.echo(f"note: {note}", err=True)
    for line in split_table.sentences(done):
        say(line)
    for table in (split_table.by_role(done), split_table.by_camera(done)):
        say("")
        console().print(table)
    _write(done, out, roles, key, figure)


def _styled(found: "Manifest", style: str, seed: int, config: Path | None, sets: list[str] | None) -> "Manifest":
    from benchmark import config as configuration
    from benchmark import splits

    options = configuration.load(splits.style(style).options, config, sets or ())
    return splits.split(found, style, seed, options)


def _write(done: "Manifest", out: Path | None, roles: Path | None, key: str, figure: Path | None) -> None:
    from benchmark import manifest, split_table
    from benchmark import roles as files

    if figure:
        say(str(split_table.draw(done, figure)))
    if roles:
        files.write(done, roles, next(name for name in files.KEYS if name == key))
        say(f"{roles}: {len(done):,} roles by {key}")
    if out:
        manifest.write(done, out)
        say(f"{out}: {len(done):,} rows, labels {done.labels_sha256}")
        if out.absolute().parent != manifest.common_root(done):
            say(f"The pictures lie elsewhere: give later commands --root {manifest.common_root(done)}")
