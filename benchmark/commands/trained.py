"""`luxreid bench extract, search, weights`: what a trained network is good for. torch is imported inside."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.training import Device, Workers, device_of
from benchmark.console import count, say
from benchmark.errors import UserError

if TYPE_CHECKING:
    from benchmark.runner.extract import Trained

Training = Annotated[Path, typer.Argument(metavar="TRAINING", help="The folder of a training, or of a run.")]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("extract")(extract)
    app.command("search")(search)
    app.command("weights")(weights)


def extract(
    training: Training,
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="Whose pictures to embed: a Parquet file.")],
    out: Annotated[Path | None, typer.Option(help="Folder for features/1; default: TRAINING/features.")] = None,
    device: Device = "cpu",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many pictures.")] = None,
    workers: Workers = 1,
) -> None:
    """Embed every picture of a manifest by a trained network."""
    import numpy as np

    from benchmark import features, settings
    from benchmark import manifest as manifests
    from benchmark.runner import extract as extracting

    found, trained = manifests.read(manifest), _load(training, device)
    found = found.select(np.arange(min(limit or len(found), len(found))))
    kept = settings.load().cache
    made = extracting.features(trained.method, found, trained.how, kept, trained.facts, workers)
    target = out or training / "features"
    features.write(made, found, target)
    say(str(target))


def search(
    training: Training,
    gallery: Annotated[Path, typer.Argument(help="The folder whose pictures are ranked.")],
    query: Annotated[Path, typer.Argument(help="A picture, or a folder of pictures, to look for.")],
    out: Annotated[Path, typer.Option(help="Folder for the table and the contact sheet.")] = Path("search"),
    first: Annotated[int, typer.Option(min=1, help="How many of each ranking are kept.")] = 10,
    device: Device = "cpu",
) -> None:
    """Rank a folder of your own pictures for every query; no labels are needed."""
    from benchmark.runner import search as searching

    trained = _load(training, device)
    embed = searching.embedder(trained)
    asked, searched = (searching.pictures(place, embed) for place in (query, gallery))
    for part in (asked, searched):
        for name, why in part.broken:
            typer.echo(f"note: {part.root / name}: {why}; left out", err=True)
    found = searching.search(asked, searched, first, trained.method.needs.score)
    say(f"  {count(len(asked.paths), 'query', 'queries')} in {count(len(searched.paths), 'picture')}")
    for path in searching.write(found, out):
        say(str(path))


def weights(
    training: Training,
    onnx: Annotated[Path | None, typer.Option(help="Export the embedding as ONNX; needs luxreid[onnx].")] = None,
    torchscript: Annotated[Path | None, typer.Option(help="Export the embedding as TorchScript.")] = None,
) -> None:
    """Say what a training's weights are; export them, run what was exported, and keep it only where it is equal."""
    from benchmark.runner import export

    trained = _load(training, "cpu")
    for line in _said(trained):
        say(line)
    for path, exporter in ((onnx, export.onnx), (torchscript, export.torchscript)):
        if path is not None:
            record = exporter(trained, path)
            say(f"{path}: greatest difference {record['greatest_difference']:.2g}")


def _said(trained: "Trained") -> list[str]:
    facts, how = trained.facts, trained.how
    backbone = facts.get("backbone", "none named")
    begun = facts.get("pretrain_id", "random weights")
    return [
        f"method     {facts['method']}, backbone {backbone}, begun with {begun}",
        f"seed       {facts['seed']}",
        f"pictures   {how.size[0]} x {how.size[1]}, mean {how.normalise[0]}, deviation {how.normalise[1]}",
        f"size       {facts.get('params_m', 0):.2f} million parameters, {facts.get('gflops', 0):.2f} GFLOP a picture",
        f"trained on {', '.join(one['name'] for one in facts['train_sets'])}",
        f"sha256     {facts['ckpt_sha256']}",
    ]


def _load(folder: Path, device: str) -> "Trained":
    import torch

    from benchmark.runner import extract as extracting
    from benchmark.runner.job import RECORD

    where = torch.device(device_of(device))
    if not (folder / RECORD).exists():
        raise UserError(f"{folder}: holds no {RECORD}, so it is no training; `luxreid bench train` makes one")
    if where.type == "cpu":
        torch.set_num_threads(1)  # two threads on two busy cores are slower than one
    return extracting.load(folder, where)
