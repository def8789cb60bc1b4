"""`luxreid bench`: train, evaluate and compare. Heavy modules are imported by each command."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.commands import trained, training
from benchmark.console import console, say
from benchmark.errors import UserError, nearest

if TYPE_CHECKING:
    from benchmark.features import Features
    from benchmark.manifest import Manifest
    from benchmark.matrix import Matrix
    from benchmark.plugins import Room, Shelf
    from benchmark.protocol import Protocol

DEVICES = ("cpu", "cuda")

Many = list[str] | None


def commands(methods: "Room", recipes: "Shelf") -> typer.Typer:
    """Make the commands; the rooms come from the one place that makes them."""
    app = typer.Typer(help="From manifests to results.", no_args_is_help=True, rich_markup_mode=None)
    training.add(app, methods, recipes)
    trained.add(app)
    app.command("evaluate")(evaluate)
    app.command("compare")(compare)
    return app


def evaluate(
    path: Annotated[Path, typer.Argument(metavar="MANIFEST", help="A manifest, a Parquet file.")],
    features: Annotated[
        Path | None, typer.Argument(help="features/1, .npy, .npz, .safetensors or .parquet; docs/evaluation.md.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The bundle to write; default: FEATURES-PROTOCOL.")] = None,
    protocol: Annotated[str, typer.Option(help="A protocol (luxreid list protocols) or a TOML file.")] = "market-style",
    distances: Annotated[Path | None, typer.Option(help="A ready matrix in place of FEATURES, an .npz.")] = None,
    rows: Annotated[Path | None, typer.Option(help="The names of FEATURES' rows: .txt, .csv or .parquet.")] = None,
    in_order: Annotated[bool, typer.Option("--in-order", help="FEATURES' rows stand in the manifest's order.")] = False,
    method: Annotated[str, typer.Option(help="What to call it; default: as FEATURES say, or their name.")] = "",
    run_seed: Annotated[int | None, typer.Option(help="The seed it was trained with, if FEATURES do not say.")] = None,
    training: Annotated[Path | None, typer.Option(help="The training's bundle, whose weights made FEATURES.")] = None,
    by: Annotated[Many, typer.Option(help="Cut queries by COLUMN, COLUMN:edges or ONE+OTHER, too.")] = None,
    pairs: Annotated[Many, typer.Option(help="Cut queries and their positives by COLUMN or COLUMN:edges, too.")] = None,
    rerank: Annotated[str, typer.Option(help="k-reciprocal: re-rank; off unless named.")] = "",
    config: Annotated[Path | None, typer.Option(help="TOML file with options.")] = None,
    sets: Annotated[Many, typer.Option("--set", help="key=value, as often as needed; overrides --config.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda: where is counted.")] = "cpu",
    figures: Annotated[bool, typer.Option("--figures/--no-figures", help="Draw into OUT/figures.")] = True,
    again: Annotated[bool, typer.Option("--again", help="Replace a bundle that is there.")] = False,
    root: Annotated[
        Path | None, typer.Option(help="Folder of the pictures, where it is not the manifest's own.")
    ] = None,
) -> None:
    """Rank features by a protocol; print and keep metrics by light, size and pair, with chance and intervals."""
    from benchmark import bundling, evaluation_figures, evaluation_table, manifest, results
    from benchmark import protocol as protocols
    from benchmark.config import load
    from benchmark.evaluation import Asked, Options
    from benchmark.rerank import Options as Reranking

    _check_choices(device, rerank)
    found, plan = manifest.read(path, root), protocols.load(protocol)
    options = load(Options, config, sets or ())
    if rerank and options.rerank is None:
        options = options.model_copy(update={"rerank": Reranking()})
    source = _one(features, distances)
    files = _files(source, plan)
    named = [
        _named(_given(found, file, source == distances, rows, in_order), method, run_seed, source) for file in files
    ]
    given = named if len(named) > 1 else named[0]
    target = out or _beside(source, plan.name)
    _require_free(target, again)
    shutil.rmtree(target / "figures", ignore_errors=True)  # of a run that is replaced
    asked = Asked(tuple(by or ()), tuple(pairs or ()))
    done = bundling.evaluate(found, plan, given, options, target, asked, device, training)
    for note in done.notes:
        typer.echo(f"note: {note}", err=True)
    for part in evaluation_table.lines(results.read(target)):
        console().print(part, soft_wrap=isinstance(part, str), markup=False, highlight=False)
    if figures:
        for drawn in evaluation_figures.draw(found, plan, done, named[0], options, target / "figures"):
            say(str(drawn))
    say(str(target))


def compare(
    sides: Annotated[
        list[Path], typer.Argument(metavar="REFERENCE OTHER...", help="Bundles, or folders with one bundle a seed.")
    ],
    out: Annotated[Path | None, typer.Option(help="Write the comparison as a Parquet or CSV table, too.")] = None,
    draws: Annotated[int, typer.Option(min=100, help="How often signs are flipped.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed of every draw.")] = 0,
) -> None:
    """Compare every other side with the first one, query by query and seed by seed, overall and in every level."""
    from benchmark import compare as comparing
    from benchmark import compare_table

    if len(sides) < 2:
        raise UserError("bench compare: name a reference and at least one other side")
    if out and out.suffix not in (".parquet", ".csv"):
        raise UserError(f"--out {out}: must end in .parquet or .csv")
    found = [comparing.compare(other, sides[0], draws, seed) for other in sides[1:]]
    for one in found:
        for part in compare_table.lines(one):
            console().print(part, soft_wrap=isinstance(part, str), markup=False, highlight=False)
    if out:
        _write([row for one in found for row in comparing.table(one)], out)
        say(str(out))


def _write(rows: list[dict[str, Any]], path: Path) -> None:
    """Write rows as Parquet, or as CSV with a list of runs in one cell."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    from benchmark import durable

    if path.suffix == ".csv":
        rows = [
            {name: " ".join(value) if isinstance(value, list) else value for name, value in row.items()} for row in rows
        ]
    table, writer = pa.Table.from_pylist(rows), pa.csv.write_csv if path.suffix == ".csv" else pa.parquet.write_table
    durable.write_atomically(path, lambda file: writer(table, file))


def _check_choices(device: str, rerank: str) -> None:
    if device not in DEVICES:
        raise UserError(f"--device {device}: {nearest(device, list(DEVICES))}")
    if rerank not in ("", "k-reciprocal"):
        raise UserError(f"--rerank {rerank}: {nearest(rerank, ['k-reciprocal'])}")
    if device != "cpu":
        from benchmark import ranking_torch

        ranking_torch.require(device)


def _one(features: Path | None, distances: Path | None) -> Path:
    if features and not distances:
        return features
    if distances and not features:
        return distances
    raise UserError("bench evaluate: give either FEATURES or --distances")


def _given(found: "Manifest", source: Path, is_matrix: bool, rows: Path | None, in_order: bool) -> "Features | Matrix":
    from benchmark import foreign, matrix

    if not is_matrix:
        return foreign.load(source, rows, in_order, found)
    if rows or in_order:
        raise UserError("--distances: names its rows and columns itself; leave --rows and --in-order out")
    return matrix.load(source)


def _files(source: Path, plan: "Protocol") -> list[Path]:
    """Name a file of features for every trial where the name holds {t}, the number that the set gives a trial."""
    from benchmark.protocol import TRIAL

    if TRIAL not in source.name:
        return [source]
    numbers = [plan.trials.number(trial) for trial in range(plan.trials.count)]
    return [source.with_name(source.name.replace(TRIAL, str(number))) for number in numbers]


def _named(given: "Features | Matrix", method: str, run_seed: int | None, path: Path) -> "Features | Matrix":
    """Complete what the maker did not say; what was said is not overruled."""
    from dataclasses import replace

    facts = dict(given.facts)
    for name, said in (("method", method or None), ("seed", run_seed)):
        if said is not None and facts.get(name, said) != said:
            raise UserError(f"{path}: says that its {name} is {facts[name]!r}, not {said!r}")
        if said is not None:
            facts[name] = said
    return replace(given, facts=facts | {"method": facts.get("method") or _stem(path)})


def _stem(path: Path) -> str:
    """Name what a path leads to, also where it is `.` or ends in `..`."""
    return path.resolve().stem if path.name in ("", "..") else path.stem.replace("{t}", "trials")


def _beside(source: Path, protocol: str) -> Path:
    source = source.resolve() if source.name in ("", "..") else source
    return source.with_name(f"{_stem(source)}-{protocol}")


def _require_free(target: Path, again: bool) -> None:
    from benchmark import durable

    above = next(folder for folder in target.absolute().parents if folder.exists())
    if not above.is_dir():
        raise UserError(f"--out {target}: {above} is a file; a bundle is a folder")
    if (target / "run.json").exists():
        # What failed may be tried again; a training, whose weights lie there, is not what failed.
        if not again and durable.read_json(target / "run.json").get("status") != "failed":
            raise UserError(f"{target}: holds a run; name another --out, or --again replaces it")
    elif target.exists() and not (target.is_dir() and all(_is_of_a_bundle(path) for path in target.iterdir())):
        raise UserError(f"{target}: holds something else; name a new or empty folder")


def _is_of_a_bundle(path: Path) -> bool:
    """Say whether an evaluation that was killed may have left a file."""
    from benchmark.results import FILES
    from benchmark.schemas import TABLES

    tables = [f"{name}.parquet" for name in TABLES]
    return path.name in (*tables, *FILES, "config.json", "figures") or path.suffix == ".part"
