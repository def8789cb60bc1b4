"""One training, from recipe to weights: what it is made of, what it leaves, and how it goes on after a kill."""

import contextlib
import datetime
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as encode

from benchmark import durable, environment, executors, keyed, leaks, results
from benchmark.config import Strict
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.runner import cache, flops, hardware, loop, weights
from benchmark.runner.batches import Plan
from benchmark.runner.distributed import Group
from benchmark.runner.extract import How
from benchmark.runner.interfaces import Method, World
from benchmark.runner.job import RECORD, SCHEMA, Job
from benchmark.runner.loader import Loader
from benchmark.runner.loop import Outcome, Stopped
from benchmark.runner.materials import Materials, gather, synth_recipe
from benchmark.runner.memory import explained_memory
from benchmark.runner.pool import Pool, pool
from benchmark.runner.validation import validator

# What a training and its test leave in their folder; `--again` removes this and nothing else.
MADE = (
    *("run.json", RECORD, "config.json", "log.jsonl", "model.safetensors", "checkpoint"),
    *("lists.parquet", "queries.parquet", "strata.parquet", "features", "figures"),
)


@dataclass(frozen=True, eq=False)
class Prepared:
    """Everything that a training needs, ready."""

    pool: Pool
    world: World
    plan: Plan
    loader: Loader
    method: Method


def train(job: Job, group: Group | None = None) -> Path:
    """Train, or go on, and give the folder: weights, log, configuration, and a run that is not yet tested."""
    group = group or Group(0, 1, torch.device(job.device))
    materials, begin = gather(job), first_weights(job)
    if begin is not None:
        leaks.refuse_listed(begin, weights.people(begin), materials.trials)
    facts = _facts(job, materials, begin, group)
    known = _known(job, facts["inputs_sha256"])
    if known.get("state") == "trained":
        return job.out
    with explained_memory("preparing"):
        ready = prepare(job, materials, group)
    record = _began(job, facts, known, group)
    with _recorded(job, record, group):
        outcome = loop.fit(
            *(ready.method, ready.plan, ready.loader, job.recipe.loop, job.seed, job.out, group),
            validate=validator(job, materials, how(job, ready)),
            limit=job.limit,
        )
        ready.loader.close()
        if group.first:
            _leave(job, ready, record | {"notes": materials.notes}, outcome, _people(materials, begin))
    return job.out


def prepare(job: Job, materials: Materials, group: Group) -> Prepared:
    """Decode the pictures, draw the plan and build the method."""
    rows = pool(materials.sources)
    world = rows.world(job.recipe.size, materials.object, job.settings.weights)
    method = build(job.module, job.config(), world, job.seed)
    plan = Plan(rows, job.recipe.batches, job.recipe.order, method.needs, job.seed)
    for stage in method.stages():  # a second stage that cannot be filled is said now, not hours later
        plan.require(stage.sampling or method.needs.sampling, stage.epochs)
    caches = pictures(job, rows.pictures, group)
    loader = Loader(
        *(rows, caches, method.needs, job.recipe.augment, job.recipe.size, job.seed, group.device),
        rank=group.rank,
        world=group.world,
    )
    return Prepared(rows, world, plan, loader, method.to(group.device))


def first_weights(job: Job) -> Path | None:
    """Find the file that the method's backbone begins with; None where it is random, or timm's."""
    config = job.config()
    pretrained, backbone = (getattr(config, name, None) for name in ("pretrained", "backbone"))
    if not pretrained or pretrained == "timm" or not backbone:
        return None
    return weights.find(str(pretrained), str(backbone), job.settings.weights)


def build(module: str, config: Strict, world: World, seed: int) -> Method:
    """Build a method; its random weights are a function of the seed."""
    torch.manual_seed(int(keyed.bits(seed, keyed.key("method"), "weights")) >> 1)
    method: Method = import_module(module).build(config, world)
    return method


def pictures(job: Job, manifests: tuple[Manifest, ...], group: Group) -> list[cache.Cache]:
    """Decode what is not decoded yet: the first process does, the others come when all is there."""
    executor, recipe = executors.chosen("", job.workers), job.recipe
    if not group.first:
        group.largest(0)  # all wait here
    found = [cache.opened(one, recipe.size, recipe.resample, job.settings.cache, executor) for one in manifests]
    if group.first:
        group.largest(0)  # all wait here
    return found


def how(job: Job, ready: Prepared) -> How:
    """Say what embedding with this training's network takes."""
    cameras, modalities, normalise = ready.pool.cameras, ready.world.modalities, ready.loader.normalise
    return How(job.recipe.size, job.recipe.resample, cameras, modalities, normalise, job.recipe.loop.precision)


def _people(materials: Materials, begin: Path | None) -> list[str]:
    """List everybody whom this network has seen: here, and where its first weights come from."""
    seen = {who for source in materials.sources for who in leaks.identities(source.manifest)}
    return sorted({*leaks.digests(seen), *(weights.people(begin) if begin else ())})


def _facts(job: Job, materials: Materials, begin: Path | None, group: Group) -> dict[str, Any]:
    """Say what shapes this training, in the words of `run/1`, before it begins."""
    lists = materials.lists
    config, method = job.resolved(), job.recipe.method.rpartition(".")[2]
    if begin is not None:  # what a file holds shapes a training, where it lies does not
        config["method"]["pretrained"] = durable.sha256(durable.read_bytes(begin))
    if group.world > 1:  # each process has batch statistics of its own
        config["processes"] = group.world
    hashes = {"lists_sha256": "", "protocol_sha256": ""}
    if lists is not None:
        hashes = {"lists_sha256": lists.lists_sha256, "protocol_sha256": lists.protocol_sha256}
    sets = list(materials.train_sets)
    inputs = results.run_inputs(method=method, config=config, seed=job.seed, train_sets=sets, **hashes)
    return {
        "method": method,
        "display_name": job.name,  # a table of one method's recipes would else hold one name many times
        "config": config,
        "seed": job.seed,
        "train_sets": sets,
        "synth_recipe_sha256": synth_recipe(materials.sources),
        "config_id": results.config_id(inputs),
        "inputs_sha256": durable.sha256(results.run_id(inputs, "")),
        "inputs": inputs,
        "mode": job.recipe.mode,
        "input_h": job.recipe.size[0],
        "input_w": job.recipe.size[1],
    }


def _known(job: Job, inputs_sha256: str) -> dict[str, Any]:
    """Give the record of this training where it was begun before; that of another one is not overwritten."""
    path = job.out / RECORD
    if not path.exists():
        _require_free(job.out)
        return {}
    known = durable.read_json(path)
    if known.get("schema") != SCHEMA:
        raise UserError(f"{path}: schema is {known.get('schema')!r}, this version reads {SCHEMA!r}")
    if job.again:
        return {}
    if known.get("inputs_sha256") == inputs_sha256:
        return known
    if known.get("state") != "trained" and not (job.out / "checkpoint").exists():
        return {}  # it never came to a checkpoint, so nothing is lost
    raise UserError(f"{job.out}: holds another training (recipe, seed or data differ); name another --out or --again")


def clear(folder: Path) -> None:
    """Remove what a training made, and nothing that a person put beside it."""
    for name in MADE:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _require_free(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--out {folder}: is a file; a training is a folder")
    strange = sorted(path.name for path in folder.iterdir() if path.suffix != ".part") if folder.exists() else []
    if strange:
        raise UserError(f"--out {folder}: holds something else ({strange[0]}); name a new or empty folder")


def _began(job: Job, facts: dict[str, Any], known: dict[str, Any], group: Group) -> dict[str, Any]:
    """Write down that a training runs: whoever finds this record as it is, finds one that was killed."""
    run_id = known.get("run_id") or results.run_id(facts["inputs"], results.nonce())
    started = known.get("started_at") or datetime.datetime.now(datetime.UTC).isoformat()
    record = {name: value for name, value in facts.items() if name not in ("config", "inputs", "inputs_sha256")}
    record |= environment.facts() | hardware.facts(group.device, job.recipe.loop, group.world)
    record |= {"run_id": run_id, "started_at": started, "provenance": "ran_here", "processes": group.world}
    record |= {"config_json": durable.canonical(facts["config"]), "ckpt_selection": job.recipe.loop.select}
    if job.limit is not None:
        record |= {"flagged": True, "flag_reason": f"a preview: training was stopped after {job.limit} steps"}
    group.largest(0)  # all have looked; what is begun anew is now cleared
    if group.first:
        if not known:
            clear(job.out)
        begun = {"schema": SCHEMA, "state": "begun", "inputs_sha256": facts["inputs_sha256"], "run_id": run_id}
        durable.write_json(job.out / RECORD, begun | {"started_at": started})
        _write_run(job, record, "killed", notes="its end was never written: it was killed, or it still runs")
    return record


@contextlib.contextmanager
def _recorded(job: Job, record: dict[str, Any], group: Group) -> Iterator[None]:
    """Leave a run that says so where a training fails or is stopped."""
    try:
        yield
    except BaseException as error:
        status = "killed" if isinstance(error, Stopped | KeyboardInterrupt | SystemExit) else "failed"
        said = str(error).splitlines()[0] if str(error) else ""
        if group.first:
            _write_run(job, record, status, error_class=type(error).__name__, notes=said)
        raise


def _write_run(job: Job, record: dict[str, Any], status: str, **said: str) -> None:
    ended = {"ended_at": datetime.datetime.now(datetime.UTC).isoformat()}
    results.write(results.Bundle(results.run_record(**record, **ended, status=status, **said)), job.out)


def _leave(job: Job, ready: Prepared, record: dict[str, Any], outcome: Outcome, people: list[str]) -> None:
    """Write the weights, and what whoever embeds with them must know; the record comes last."""
    data = encode({name: value.contiguous() for name, value in ready.method.state_dict().items()})
    config = json.loads(record["config_json"]) | {"seed": job.seed, "domains": dict(ready.world.identities)}
    files = {
        "config.json": (durable.canonical(config) + "\n").encode(),
        "log.jsonl": durable.read_bytes(job.out / "log.jsonl"),
        "model.safetensors": data,
    }
    facts = record | _measured(job, ready, outcome) | dict(ready.method.facts)
    facts["notes"] = "; ".join((*record["notes"], *ready.plan.notes, *outcome.notes)) or None
    facts["status"] = "partial"  # trained, not tested
    results.write(results.Bundle(results.run_record(**facts)), job.out, files)
    begun = durable.read_json(job.out / RECORD)
    ended = {"state": "trained", "people": people}
    durable.write_json(job.out / RECORD, begun | ended | _kept(job, ready, facts, data))
    shutil.rmtree(job.out / "checkpoint", ignore_errors=True)


def _measured(job: Job, ready: Prepared, outcome: Outcome) -> dict[str, Any]:
    """Say what it cost and how large it was."""
    cost = flops.embedding(ready.method, job.recipe.size)
    return {
        "n_train_ids": int(ready.pool.person.max()) + 1,
        "n_train_imgs": len(ready.pool.label),
        "epochs": outcome.epochs,
        "train_s": round(outcome.seconds, 3),
        "img_per_s": round(outcome.images_per_s, 1),
        "peak_gpu_mb": outcome.peak_mb if ready.loader.device.type == "cuda" else None,
        "ckpt_selection": outcome.chosen,
        "params_m": cost.params_m,
        "gflops": cost.gflops,
        "flip_tta": ready.method.needs.flip == "sum",
        "ended_at": datetime.datetime.now(datetime.UTC).isoformat(),
    }


def _kept(job: Job, ready: Prepared, facts: dict[str, Any], data: bytes) -> dict[str, Any]:
    """Give what embedding needs beside the weights."""
    world = ready.world
    return {
        "ckpt_sha256": durable.sha256(data),
        "module": job.module,
        "config": job.config().model_dump(mode="json"),
        "resolved": json.loads(facts["config_json"]),
        "world": {
            "identities": dict(world.identities),
            "cameras": world.cameras,
            "modalities": list(world.modalities),
            "size": list(world.size),
            "object": world.object,
        },
        "how": how(job, ready).record(),
        "run": {name: value for name, value in facts.items() if value is not None},
    }
