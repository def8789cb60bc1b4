"""The demo's steps of this package."""

from pathlib import Path

from benchmark.errors import UserError

SEED, PROTOCOL = 0, "street-night"
DAY, NIGHT, SPLIT = (Path("street", f"{name}.parquet") for name in ("day", "night", "split"))
SYNTHETIC, ANNOTATED = (Path(name, "manifest.parquet") for name in ("synthetic-night", "annotated"))


def measure(folder: Path) -> None:
    """Measure the light of every picture that is not measured yet, as `data measure` does."""
    from benchmark.console import say
    from benchmark.executors import serial
    from benchmark.measure import measure_file

    for file in (DAY, NIGHT, SYNTHETIC, ANNOTATED):
        measured = measure_file(folder / file, None, folder / file, serial).manifest
        say(f"  {file}: {len(measured)} pictures, data {str(measured.data_sha256)[:12]}")


def read(folder: Path) -> None:
    """Read the day again as a stranger's folder, as `data read folders` does, and find the same people."""
    from benchmark import manifest
    from benchmark.console import say
    from benchmark.readers import folders

    root = folder / DAY.parent / "day"
    found = folders.read(root, folders.Options(pattern="{pid}/c{camid}_{frame}", time="day"))
    known = manifest.read(folder / DAY)
    # File names say no more than this: neither the world's name nor the scene.
    names = ["pid", "camid", "place", "frame", "modality"]
    if any(not found.table[name].equals(known.table[name]) for name in names):
        raise UserError("demo: the reader found others than the street wrote")
    say(f"  {DAY.parent}/day: {len(found)} names read; {', '.join(names)} are what was written")


def split(folder: Path) -> None:
    """Split the true night by identity; queries stay in the gallery, as in Night600."""
    from benchmark import manifest, splits
    from benchmark.console import say

    night = splits.split(manifest.read(folder / NIGHT), "night600", SEED)
    manifest.write(night, folder / SPLIT)
    say(f"  {int((night.column('split') == 'train').sum())} train, {int(night.column('query').sum())} queries")


def describe(folder: Path) -> None:
    """Describe day, true night, synthetic night and crops side by side, as `data describe` does."""
    from benchmark import describe, manifest
    from benchmark.console import console

    sets = [manifest.read(folder / file) for file in (DAY, SPLIT, SYNTHETIC, ANNOTATED)]
    describe.describe(sets, [None] * len(sets), console())
    # Three sets side by side are too small to read on a page.
    for path in describe.draw(sets[:2], folder / "describe", samples=True, limit=200, seed=SEED):
        console().print(f"  {path}", soft_wrap=True)


def evaluate(folder: Path) -> None:
    """Evaluate the features exactly, by light and size with intervals, write the run's bundle and draw its figures."""
    from benchmark import bundling, evaluation_figures, evaluation_table, features, manifest, protocol, results
    from benchmark.console import console
    from benchmark.evaluation import Options

    split, given = manifest.read(folder / SPLIT), features.read(folder / "features")
    made_here = folder / "training" if given.facts.get("ckpt_sha256") else None  # foreign features have no training
    plan, options = protocol.load(PROTOCOL), Options()
    done = bundling.evaluate(split, plan, given, options, folder / "bundle", training=made_here)
    for line in evaluation_table.lines(results.read(folder / "bundle")):
        console().print(line, soft_wrap=isinstance(line, str), markup=False, highlight=False)
    for path in evaluation_figures.draw(split, plan, done, given, options, folder / "bundle" / "figures"):
        console().print(f"  {path}", soft_wrap=True)


STEPS = {"measure": measure, "read": read, "split": split, "describe": describe, "evaluate": evaluate}
