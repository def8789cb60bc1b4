"""`luxreid bench train, run, sweep, pretrain`: what needs recipes and methods. torch is imported inside."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.console import console, say
from benchmark.errors import UserError, nearest

if TYPE_CHECKING:
    from benchmark.plugins import Room, Shelf
    from benchmark.runner.job import Job

RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe (luxreid list recipes) or a TOML file.")]
Data = Annotated[
    list[str] | None, typer.Option("--data", help="NAME=MANIFEST for a name in the recipe; luxreid.toml may bind them.")
]
Sets = Annotated[list[str] | None, typer.Option("--set", help="key=value of the recipe, as often as needed.")]
Seed = Annotated[int, typer.Option(help="Shapes weights, batches and augmentation.")]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")]
Again = Annotated[bool, typer.Option("--again", help="Start over: delete what an earlier training left in --out.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Stop after so many steps: a preview, marked as such.")]
Workers = Annotated[int, typer.Option(min=1, help="Processes that decode pictures.")]
Trial = Annotated[int, typer.Option(min=0, help="Trial of a protocol whose trials train apart.")]


def add(app: typer.Typer, methods: "Room", recipes: "Shelf") -> None:
    """Add the commands; the rooms come from the one place that makes them."""
    makers = _Maker(methods, recipes)
    _add_train(app, makers)
    _add_run(app, makers)
    _add_sweep(app, makers)
    _add_pretrain(app, makers)


class _Maker:
    """Makes jobs of what a command line says."""

    def __init__(self, methods: "Room", recipes: "Shelf") -> None:
        self.methods, self.recipes = methods, recipes

    def job(
        self,
        name: str,
        data: list[str] | None,
        sets: list[str] | None,
        seed: int,
        device: str,
        out: Path | None,
        **more: int | bool | Path | None,
    ) -> "Job":
        """Read the recipe and bind its names."""
        from benchmark import settings
        from benchmark.runner import recipe
        from benchmark.runner.job import Job

        path = self.recipes.path(name)
        found = recipe.load(path, sets or ())
        module = self.methods.load(found.method).__name__
        place = out or Path("runs", f"{path.stem}-s{seed}")
        checked = device_of(device)
        made = Job(found, path.stem, module, seed, checked, settings.load(data or ()), place, **more)  # type: ignore[arg-type]
        made.config()  # a wrong key is said before anything is read
        return made


def device_of(name: str) -> str:
    """Check the name of a device, and that it is there."""
    kind = name.partition(":")[0]
    if kind not in ("cpu", "cuda"):
        raise UserError(f"--device {name}: {nearest(kind, ['cpu', 'cuda'])}")
    if kind == "cuda":
        from benchmark import ranking_torch

        ranking_torch.require(kind)
    return name


def _add_train(app: typer.Typer, makers: _Maker) -> None:
    @app.command("train")
    def train(
        recipe: RecipeName,
        data: Data = None,
        out: Annotated[Path | None, typer.Option(help="Folder; default: runs/RECIPE-sSEED.")] = None,
        seed: Seed = 0,
        sets: Sets = None,
        device: Device = "cpu",
        limit: Limit = None,
        trial: Trial = 0,
        workers: Workers = 1,
        again: Again = False,
    ) -> None:
        """Train by a recipe; a second call goes on where the first was killed. torchrun starts it in several processes.

        torchrun --nproc-per-node N -m luxreid bench train RECIPE ...
        """
        from benchmark.runner import distributed, training

        more = {"limit": limit, "trial": trial, "workers": workers, "again": again}
        job = makers.job(recipe, data, sets, seed, device, out, **more)
        group = distributed.start(job.device)
        try:
            folder = training.train(job, group)
        finally:
            distributed.stop()
        if group.first:
            _say_training(folder)


def _say_training(folder: Path) -> None:
    from benchmark import results

    run = results.read(folder).run
    speed = f"{run['img_per_s']:.0f} pictures a second" if run["img_per_s"] else "no step"
    seen = f"{run['n_train_imgs']} pictures of {run['n_train_ids']} identities"
    for note in (run["notes"] or "").split("; "):
        if note:
            typer.echo(f"note: {note}", err=True)
    say(f"  {run['epochs']} epochs in {run['train_s']:.1f} s, {speed}; {seen}")
    say(str(folder))


def _add_run(app: typer.Typer, makers: _Maker) -> None:
    @app.command("run")
    def run(
        recipe: RecipeName,
        data: Data = None,
        out: Annotated[Path | None, typer.Option(help="The bundle; default: runs/RECIPE-sSEED.")] = None,
        seed: Seed = 0,
        sets: Sets = None,
        device: Device = "cpu",
        limit: Limit = None,
        workers: Workers = 1,
        again: Again = False,
    ) -> None:
        """Train, embed, evaluate and draw: from manifests to a bundle. A second call does only what is missing."""
        from benchmark import evaluation_table, results
        from benchmark.runner import run as running

        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise UserError(
                "bench run: is for one process; `bench train` under torchrun, then this with the same --out"
            )
        job = makers.job(recipe, data, sets, seed, device, out, limit=limit, workers=workers, again=again)
        folder = running.run(job)
        for line in evaluation_table.lines(results.read(folder)):
            console().print(line, soft_wrap=isinstance(line, str), markup=False, highlight=False)
        say(str(folder))


def _add_sweep(app: typer.Typer, makers: _Maker) -> None:
    @app.command("sweep")
    def sweep(
        recipes: Annotated[list[str], typer.Argument(metavar="RECIPE...", help="The first is the one compared with.")],
        data: Data = None,
        out: Annotated[Path, typer.Option(help="Folder: a folder a recipe, with a bundle a seed.")] = Path("sweep"),
        seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from --seed on.")] = 5,
        seed: Annotated[int, typer.Option(help="The first seed.")] = 0,
        sets: Sets = None,
        device: Annotated[str, typer.Option(help="Devices, joined by commas: cpu, or cuda:0,cuda:1.")] = "cpu",
        workers: Annotated[int, typer.Option(min=1, help="Runs at a time; at least as many as devices.")] = 1,
        plan: Annotated[bool, typer.Option("--plan", help="Only say what would run, and how long.")] = False,
    ) -> None:
        """Run recipes x seeds, what is missing of them, and compare them over matched seeds."""
        from benchmark.runner import run as running
        from benchmark.runner import sweep as sweeping

        devices = device.split(",")
        jobs = [
            makers.job(name, data, sets, number, devices[0], out / Path(name).stem / f"s{number}", ledger=out)
            for name in recipes
            for number in range(seed, seed + seeds)
        ]
        lines = (
            sweeping.plan(jobs, running.estimate, max(workers, len(devices)))
            if plan
            else sweeping.sweep(jobs, running.run, max(workers, len(devices)), devices, out)
        )
        for line in lines:
            console().print(line, soft_wrap=isinstance(line, str), markup=False, highlight=False)


def _add_pretrain(app: typer.Typer, makers: _Maker) -> None:
    @app.command("pretrain")
    def pretrain(
        data: Annotated[Path, typer.Option("--data", help="The manifest to train a backbone on.")],
        recipe: Annotated[str, typer.Option(help="A recipe that names no test.")] = "street-pretrain",
        out: Annotated[Path | None, typer.Option(help="Folder of the training; default: runs/RECIPE-sSEED.")] = None,
        seed: Seed = 0,
        sets: Sets = None,
        device: Device = "cpu",
        limit: Limit = None,
        workers: Workers = 1,
        again: Again = False,
    ) -> None:
        """Train a backbone, and put it where `pretrained = "street"` finds it: the weights folder of luxreid.toml."""
        from benchmark.runner import pretraining

        name = pretraining.data_name(makers.recipes.path(recipe))
        more = {"limit": limit, "workers": workers, "again": again}
        job = makers.job(recipe, [f"{name}={data}"], sets, seed, device, out, **more)
        say(str(pretraining.pretrain(job)))
