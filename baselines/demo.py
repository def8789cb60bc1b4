"""The demo's steps of this package."""

from pathlib import Path

SEED, SIZE = 0, (64, 32)


def train(folder: Path) -> None:
    """Train a tiny stand-in network on the night for seconds, and embed queries and gallery."""
    import torch

    from baselines.methods import stand_in
    from benchmark import features, manifest, resolve
    from benchmark.console import say
    from benchmark.runner import train

    torch.set_num_threads(1)  # two threads on two busy cores are slower than one
    lists = resolve.resolve(manifest.read(folder / "street-night" / "split.parquet"))
    torch.manual_seed(SEED)
    config = stand_in.Config()
    method = stand_in.build(config, train.world(lists.train, SIZE))
    losses = train.train(method, train.pictures(lists.train, SIZE), SEED)
    vectors = train.embed(method, train.pictures(lists.gallery, SIZE))
    facts = {"method": "stand_in", "config": config.model_dump(), "seed": SEED}
    image_ids = [str(image) for image in lists.gallery.column("image_id")]
    # The queries are in the gallery too, so its features are all that is needed.
    features.write(features.Features(image_ids, vectors, facts), lists.gallery, folder / "features")
    say(f"  {len(losses)} steps, loss {losses[0]:.2f} -> {losses[-1]:.2f}")


STEPS = {"train": train}
