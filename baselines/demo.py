"""The demo's steps of this package."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark import durable

if TYPE_CHECKING:
    from torch import nn

    from benchmark.lists import Lists
    from benchmark.manifest import Manifest

SEED, SIZE = 0, (64, 32)


def train(folder: Path) -> None:
    """Train a tiny stand-in network on the true night for seconds, and embed queries and gallery."""
    import datetime
    import time

    import torch

    from baselines.methods import stand_in
    from benchmark import features, manifest, resolve
    from benchmark.console import say
    from benchmark.runner import train

    torch.set_num_threads(1)  # two threads on two busy cores are slower than one
    begin, started = time.monotonic(), datetime.datetime.now(datetime.UTC)
    split = manifest.read(folder / "street" / "split.parquet")
    lists = resolve.resolve(split, "street-night")
    torch.manual_seed(SEED)
    config = stand_in.Config()
    method = stand_in.build(config, train.world(lists.train, SIZE))
    losses = train.train(method, train.pictures(lists.train, SIZE), SEED)
    facts = {"method": "stand_in", "seed": SEED, "epochs": config.epochs} | _facts(split, lists)
    files = _files(config.model_dump(), losses, method)
    times = {"started_at": started.isoformat(), "train_s": round(time.monotonic() - begin, 3)}
    facts["ckpt_sha256"] = _leave(folder / "training", facts | times, config.model_dump(), files, lists)
    vectors = train.embed(method, train.pictures(lists.gallery, SIZE))
    image_ids = [str(image) for image in lists.gallery.column("image_id")]
    # The queries are in the gallery too, so its features are all that is needed.
    made = features.Features(image_ids, vectors, facts | {"config": config.model_dump()})
    features.write(made, lists.gallery, folder / "features")
    say(f"  {len(losses)} steps, loss {losses[0]:.2f} -> {losses[-1]:.2f}")


def _facts(split: "Manifest", lists: "Lists") -> dict[str, Any]:
    """Say, in the words of `run/1`, on what was trained and how."""
    import torch

    hashes = {"labels_sha256": split.labels_sha256, "data_sha256": split.data_sha256}
    return {
        "train_sets": [{"name": str(split.column("source")[0]), **hashes, "split": "train"}],
        "n_train_ids": int(lists.train.identities().max()) + 1,
        "n_train_imgs": len(lists.train),
        "input_h": SIZE[0],
        "input_w": SIZE[1],
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "amp": "none",
        "ckpt_selection": "last",
    }


def _files(config: dict[str, Any], losses: list[float], method: "nn.Module") -> dict[str, bytes]:
    """Make the files that a bundle keeps of a training."""
    from safetensors.torch import save

    steps = (durable.canonical({"step": step, "loss": loss}) + "\n" for step, loss in enumerate(losses))
    return {
        "config.json": (durable.canonical(config) + "\n").encode(),
        "log.jsonl": "".join(steps).encode(),
        "model.safetensors": save(method.state_dict()),
    }


def _leave(folder: Path, facts: dict[str, Any], config: dict[str, Any], files: dict[str, bytes], lists: "Lists") -> str:
    """Write the training down as a run that is not yet evaluated, and give the hash of its weights."""
    from benchmark import environment, results

    inputs = results.run_inputs(
        **{name: facts[name] for name in ("method", "seed", "train_sets")},
        config=config,
        lists_sha256=lists.lists_sha256,
        protocol_sha256=lists.protocol_sha256,
    )
    record = facts | environment.facts()
    record |= {"run_id": results.run_id(inputs, results.nonce()), "config_id": results.config_id(inputs)}
    record |= {"status": "partial", "provenance": "ran_here", "config_json": durable.canonical(config)}
    results.write(results.Bundle(results.run_record(**record)), folder, files)
    return durable.sha256(files["model.safetensors"])


STEPS = {"train": train}
