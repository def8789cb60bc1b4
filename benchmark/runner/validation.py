"""The validation split as a test: what may choose an epoch, since the test itself may not."""

from collections.abc import Callable

import numpy as np

from benchmark.errors import UserError
from benchmark.evaluation import Options, evaluate
from benchmark.lists import Lists
from benchmark.runner import extract
from benchmark.runner.extract import How
from benchmark.runner.interfaces import Method
from benchmark.runner.job import Job
from benchmark.runner.materials import Materials


def validator(job: Job, materials: Materials, how: How) -> Callable[[Method], float] | None:
    """Give a function that scores a method on the validation split, where the recipe wants it looked at."""
    if not job.recipe.loop.validated:
        return None
    lists = _lists(job, materials)

    def score(method: Method) -> float:
        made = extract.features(method, lists.gallery, how, job.settings.cache, {}, job.workers)
        options = Options(draws=0, metric=method.needs.score)
        return float(evaluate([lists], made, options, "validation").headline["mAP"])

    return score


def _lists(job: Job, materials: Materials) -> Lists:
    """Let everybody of the validation split ask for everybody; the protocol's junk rules hold."""
    asked = "loop.select = 'val'" if job.recipe.loop.select == "val" else "loop.validation = true"
    where = f"recipe {job.name}: {asked}"
    if materials.tested is None or materials.lists is None:
        raise UserError(f"{where} needs a test set with a validation split")
    known = materials.tested.column("split").astype(str) == "val"
    rows = np.asarray(known & (materials.tested.column("pid").astype(np.int64) >= 1))
    if not rows.any():
        raise UserError(f"{where}, and {job.recipe.test} has no row in the split val")
    part, test = materials.tested.select(rows), materials.lists
    return Lists(None, part, part, test.protocol, test.protocol_sha256, test.trial, test.rules)
