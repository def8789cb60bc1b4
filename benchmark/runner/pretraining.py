"""`bench pretrain`: train by a recipe that tests nobody, and keep the backbone for others to begin with."""

from pathlib import Path

import torch

from benchmark.errors import UserError
from benchmark.runner import extract, leaks, training, weights
from benchmark.runner import recipe as recipes
from benchmark.runner.job import Job
from benchmark.runner.materials import gather


def data_name(path: Path) -> str:
    """Say what a recipe calls the one set that it trains on."""
    found = recipes.load(path)
    if found.test or len(found.train) != 1:
        raise UserError(f"{path}: a recipe to pretrain by has one [[train]] and no test")
    return found.train[0].data


def pretrain(job: Job) -> Path:
    """Train, and put the backbone where `pretrained = "street"` finds it; its file says who was seen."""
    materials = gather(job)
    trained = extract.load(training.train(job), torch.device("cpu"))
    if trained.method.backbone is None:
        raise UserError(f"{trained.facts['method']}: names no backbone, so there is nothing to keep")
    name = trained.method.facts.get("backbone") or trained.facts["method"]
    path = weights.street(str(name), job.settings.weights)
    seen = sorted({leaks.digest(*who) for source in materials.sources for who in leaks.identities(source.manifest)})
    sets = [str(one["name"]) for one in materials.train_sets]
    weights.write(path, trained.method.backbone, sets, job.name, seed=str(job.seed), people="\n".join(seen))
    return path
