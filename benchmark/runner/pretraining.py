"""`bench pretrain`: train by a recipe that tests nobody, and keep the backbone for others to begin with."""

from pathlib import Path

import torch

from benchmark import durable
from benchmark.console import count, say
from benchmark.errors import UserError
from benchmark.runner import extract, training, weights
from benchmark.runner import recipe as recipes
from benchmark.runner.job import Job

_LETTERS = 12  # of a hash, in a message


def data_name(path: Path) -> str:
    """Say what a recipe calls the one set that it trains on."""
    found = recipes.load(path)
    if found.test or len(found.train) != 1:
        raise UserError(f"{path}: a recipe to pretrain by has one [[train]] and no test")
    return found.train[0].data


def pretrain(job: Job) -> Path:
    """Train, and put the backbone where `pretrained = "street"` finds it; its file says who was seen.

    A preview stays where it was trained: nobody is to begin with it unknowingly.
    """
    folder = training.train(job)
    if job.limit is not None:
        say(f"a preview of {count(job.limit, 'step')}: its backbone is not put where `street` finds it")
        return folder
    trained = extract.load(folder, torch.device("cpu"))
    facts, method = trained.facts, trained.method
    if method.backbone is None:
        raise UserError(f"{facts['method']}: names no backbone, so there is nothing to keep")
    said = {"seed": str(job.seed), "people": "\n".join(facts["people"])}
    data = weights.encoded(method.backbone, weights.seen(facts), job.name, **said)
    path = weights.street(str(method.facts.get("backbone") or facts["method"]), job.settings.weights)
    _put(path, data, folder, job.again)
    return path


def _put(path: Path, data: bytes, folder: Path, again: bool) -> None:
    """Write weights; other ones that lie there are replaced only where that was asked for."""
    there = durable.sha256(durable.read_bytes(path)) if path.exists() else None
    made = durable.sha256(data)
    if there not in (None, made) and not again:
        raise UserError(
            f"{path}: holds other weights ({there[:_LETTERS]}) than {folder} made ({made[:_LETTERS]}); move it away "
            "and call this again, or train anew and replace it by --again"
        )
    if there != made:
        durable.write_bytes(path, data)
