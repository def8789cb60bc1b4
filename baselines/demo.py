"""The demo's steps of this package."""

from pathlib import Path

SEED, RECIPE, METHOD = 0, "street-tiny", "baselines.methods.bot"


def train(folder: Path) -> None:
    """Train BoT on a tiny backbone on the true night, as `bench train` does; embed the test; draw where it looks."""
    import torch

    from benchmark import features, manifest, resolve
    from benchmark.console import say
    from benchmark.runner import extract, recipe, run_figures, training
    from benchmark.runner.job import Job
    from benchmark.settings import Settings

    split = folder / "street" / "split.parquet"
    shelf = Path(__file__).parent / "recipes" / f"{RECIPE}.toml"
    settings = Settings(data={"street": split}, cache=folder / "cache", weights=folder / "weights")
    job = Job(recipe.load(shelf), RECIPE, METHOD, SEED, "cpu", settings, folder / "training")
    trained = extract.load(training.train(job), torch.device("cpu"))
    lists = resolve.resolve(manifest.read(split), job.recipe.protocol)
    # The queries are in the gallery too, so its features are all that is needed.
    made = extract.features(trained.method, lists.gallery, trained.how, settings.cache, trained.facts)
    features.write(made, lists.gallery, folder / "features")
    facts = trained.facts
    say(f"  {facts['n_train_imgs']} pictures of {facts['n_train_ids']}, {facts['img_per_s']:.0f} a second")
    for path in run_figures.draw(trained, lists.gallery, lists, made, job):
        say(f"  {path}")


STEPS = {"train": train}
