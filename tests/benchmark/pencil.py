"""A small world of several trials, and what a pencil makes of it: every number of `strata/1`, slowly and obviously."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import evaluation, manifest, resolve
from benchmark.evaluation import Asked, Evaluation, Options
from benchmark.features import Features
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.protocol import Protocol

Image = dict[str, Any]
Key = tuple[str, str, str | None, str | None]  # cut, scheme without its version, level of the query, of the positive
Keep = Callable[[Image], bool]

KNOWN = ("pid", "camid", "place", "id_space", "lightness", "stops", "height", "modality", "scene", "exposure", "time")
LIGHT_STOPS = ("below -8", "-8 to -6.6", "-6.6 to -4.9", "-4.9 to -2.9", "-2.9 and up")
STANDARD = (
    *(("query", name) for name in ("night600-light", "night600-scale", "night600-light+night600-scale", "stops-5")),
    *(("pair_pos", name) for name in ("night600-light", "stops-5", "camid")),
    ("query", "exposure"),
)


def image(pid: int, camid: int, **more: object) -> Image:
    """Say who is on a picture; it asks and is searched unless said otherwise."""
    facts: Image = {"place": camid, "id_space": "here", "lightness": 10.0, "stops": -5.0, "height": 50, "copy": ""}
    facts |= {"modality": "visible", "scene": None, "exposure": None, "time": "night", "split": "test"}
    return facts | {"pid": pid, "camid": camid, "query": True, "gallery": True} | more


def crowd(rng: np.random.Generator, count: int, pids: Sequence[int], **more: object) -> list[Image]:
    """Draw people of two spaces whose numbers overlap, at places that are not their cameras."""
    return [
        image(
            int(rng.choice(pids)),
            int(rng.integers(1, 4)),
            place=int(rng.integers(0, 4)),
            id_space=str(rng.choice(["here", "there"])),
            copy=str(rng.choice(["", "", "", "", "one", "two"])),
            height=int(rng.choice([60, 100, 150, 250])),
            lightness=float(rng.choice([10.0, 25.5, 40.0, 60.0])),
            stops=float(rng.choice([-9.0, -8.0, -7.0, -6.0, -3.0, -1.0])),
            scene=[None, "one", "two", "three"][rng.integers(4)],
            exposure=[None, 0.0, -2.0][rng.integers(3)],
            time=str(rng.choice(["day", "night"])),
            **more,
        )
        for _ in range(count)
    ]


def plan(**rules: object) -> Protocol:
    """Make a protocol of the roles that the images have."""
    roles: Image = {"train": {"split": ["train"]}, "query": {"query": [True]}, "gallery": {"gallery": [True]}}
    return Protocol.model_validate({"name": "test", "title": "test"} | roles | rules)


class World:
    """Pictures with vectors of small whole numbers: every product is exact, and there are many ties."""

    def __init__(self, images: Sequence[Image], vectors: NDArray[Any], rules: Protocol | None = None) -> None:
        self.images = [*images, image(99, 1, query=False, gallery=False, split="train")]
        self.vectors = np.concatenate([vectors, vectors[:1]]).astype(np.float32)
        self.plan = rules or plan()
        for place, one in enumerate(self.images):
            one["name"] = f"{place:04d}"
        self.trials = [resolve.resolve(self.manifest(), self.plan, trial) for trial in range(self.plan.trials.count)]
        self.parts = [tuple(self._found(part) for part in (one.query, one.gallery)) for one in self.trials]

    def manifest(self, root: Path = Path("/nowhere")) -> Manifest:
        """Write the world down."""
        count = len(self.images)
        hashes = [(one["copy"] or one["name"]).encode().hex().ljust(64, "0") for one in self.images]
        table: Image = {name: [0.0] * count for name in ("luma", "p05", "p95", "dark", "saturated")}
        table |= {name: [one[name] for one in self.images] for name in (*KNOWN, "split", "query", "gallery")}
        table |= {"path": [f"{one['name']}.jpg" for one in self.images], "sha256": hashes, "width": [10] * count}
        return manifest.build(table, "set", root)

    def features(self, **facts: object) -> Features:
        """Give every picture its vector."""
        return Features([f"set/{one['name']}.jpg" for one in self.images], self.vectors, dict(facts))

    def evaluate(self, asked: Asked | None = None, **options: object) -> Evaluation:
        """Evaluate, by default without intervals."""
        chosen = Options.model_validate({"metric": "dot", "draws": 0} | options)
        return evaluation.evaluate(self.trials, self.features(), chosen, "run", asked)

    def score(self, one: Image, other: Image) -> float:
        """Multiply two vectors."""
        return float(self.vectors[int(one["name"])] @ self.vectors[int(other["name"])])

    def _found(self, part: Manifest) -> list[Image]:
        return [self.images[int(str(name)[4:8])] for name in part.column("image_id")]


def small(seed: int, rules: Protocol | None = None, queries: int = 30, gallery: int = 45) -> World:
    """Draw a world in which some queries have no positive, and some are in the gallery too."""
    rng = np.random.default_rng(seed)
    images = crowd(rng, queries, [1, 2, 3, 9], gallery=False) + crowd(rng, gallery, [0, 1, 2, 3, 4], query=False)
    images += crowd(rng, 5, [1, 2])
    own = rng.integers(-2, 3, (2, 10, 4))
    vectors = [own[int(one["id_space"] == "here"), one["pid"]] + rng.integers(-2, 3, 4) for one in images]
    return World(images, np.array(vectors), rules)


def walk(world: World, query: Image, gallery: Sequence[Image], keep: Keep | None = None) -> Image:
    """Score one query by going through the gallery, the closest first; positives that are not kept are junk."""
    rules = world.plan.junk
    positives, negatives, junk = [], [], 0
    for place, other in enumerate(gallery):
        same = (query["id_space"], query["pid"]) == (other["id_space"], other["pid"])
        hidden = query["name"] == other["name"] or (same and query["copy"] and query["copy"] == other["copy"])
        hidden = hidden or (rules.same_place and same and query["place"] == other["place"] != 0)
        hidden = hidden or (query["place"], other["place"]) in rules.place_pairs
        kept = same and (keep is None or keep(other))
        junk += bool(hidden)
        if kept and not hidden:
            positives.append((world.score(query, other), place))
        elif not same and not hidden:
            negatives.append((world.score(query, other), other))
    positives.sort(key=lambda one: (-one[0], one[1]))
    scores = [score for score, _ in positives]
    ranks = [number + sum(other >= score for other, _ in negatives) for number, score in enumerate(scores, 1)]
    best = [number + sum(other > score for other, _ in negatives) for number, score in enumerate(scores, 1)]
    found: Image = {"pos_ranks": ranks, "pos_gidx": [place for _, place in positives], "best": best, "n_junk": junk}
    found |= {"n_pos": len(ranks), "n_gallery_eff": len(ranks) + len(negatives), "n_ties": _differ(ranks, best)}
    if ranks:
        found |= {"ap": precision(ranks), "ap_opt": precision(best), "inp": len(ranks) / ranks[-1], "first": ranks[0]}
        found |= {"ap_trapz": trapezoid(ranks), "first_opt": best[0], "inp_opt": len(best) / best[-1]}
        found["others"] = {
            (other["id_space"], other["pid"]) if other["pid"] else other["name"]
            for score, other in negatives
            if score >= scores[0]
        }
        found["first_id"] = 1 + len(found["others"])
    return found


def _differ(ones: Sequence[int], others: Sequence[int]) -> int:
    return sum(one != other for one, other in zip(ones, others, strict=True))


def precision(ranks: Sequence[int]) -> float:
    """Give discrete AP."""
    return sum(number / rank for number, rank in enumerate(ranks, 1)) / len(ranks)


def trapezoid(ranks: Sequence[int]) -> float:
    """Give AP by the Oxford rule."""
    before = [(number - 1) / (rank - 1) if rank > 1 else 1 for number, rank in enumerate(ranks, 1)]
    return (sum(before) / len(ranks) + precision(ranks)) / 2


def chance(positives: int, count: int) -> float:
    """Give the expected AP of a random order, rank by rank."""
    pairs = (positives - 1) / (count - 1) if count > 1 else 0
    return sum((1 + (rank - 1) * pairs) / rank for rank in range(1, count + 1)) / count


def level(scheme: str, one: Image) -> str | None:
    """Say in which level of a scheme a picture is; None: in none."""
    if "+" in scheme:
        parts = [level(part, one) for part in scheme.split("+")]
        return None if None in parts else ", ".join(str(part) for part in parts)
    if scheme == "night600-scale":
        return "Small" if one["height"] < 100 else "Medium" if one["height"] < 200 else "Big"
    if scheme == "night600-light":
        word = "Low" if one["lightness"] < 25.5 else "Medium" if one["lightness"] < 51 else "High"
        return word if one["modality"] == "visible" else None
    if scheme == "stops-5":
        place = sum(one["stops"] >= edge for edge in (-8, -6.6, -4.9, -2.9))
        return LIGHT_STOPS[place] if one["modality"] == "visible" else None
    value = one[scheme]
    return None if value is None or (scheme in ("camid", "place") and not value) else f"{value + 0:g}"


def person(one: Image) -> tuple[str, int]:
    """Name an identity."""
    return one["id_space"], one["pid"]


def values(world: World, found: Image, whole: bool) -> dict[str, float]:
    """Name what a query scored as the tables do."""
    made = {"mAP": found["ap"], "mAP_trapz": found["ap_trapz"], "mINP": found["inp"]}
    made["chance_mAP"] = chance(found["n_pos"], found["n_gallery_eff"])
    made["chance_R1"] = found["n_pos"] / found["n_gallery_eff"]
    if world.plan.cmc == "first":
        made |= {f"R{k}": float(found["first"] <= k) for k in (1, 5, 10)}
    elif whole:
        made |= {f"R{k}": float(found["first_id"] <= k) for k in (1, 5, 10)}
    else:
        made["R1"] = float(found["first"] == 1)  # which identities stand before a positive of one level is not known
    return made


def cell(world: World, asks: Keep, keep: Keep | None = None) -> tuple[list[dict[str, Image]], dict[str, Image]]:
    """Walk down every ranking of one cell: a dictionary a trial, and the pictures by name."""
    trials: list[dict[str, Image]] = []
    for queries, gallery in world.parts:
        walked = {one["name"]: walk(world, one, gallery, keep) for one in queries if asks(one)}
        trials.append({name: found for name, found in walked.items() if found["n_pos"]})
    return trials, {one["name"]: one for queries, _ in world.parts for one in queries}


def rows(world: World, cut: str, scheme: str, q: str | None, g: str | None) -> dict[str, Image]:
    """Give the rows of one cell by metric, as `strata/1` has them, with what the value is made of."""
    asks: Keep = (lambda one: level(scheme, one) == q) if q else (lambda _: True)
    keep: Keep | None = (lambda one: level(scheme, one) == g) if g else None
    trials, images = cell(world, asks, keep)
    names = sorted({name for trial in trials for name in trial})
    if not names:
        return {}
    scored = [{name: values(world, found, keep is None) for name, found in trial.items()} for trial in trials]
    known = next(iter(next(trial for trial in scored if trial).values()))
    support = _support(world, [images[name] for name in names], trials, names)
    made: dict[str, Image] = {}
    for metric in known:
        each = {name: fmean(trial[name][metric] for trial in scored if name in trial) for name in names}
        means = [fmean(one[metric] for one in trial.values()) if trial else math.nan for trial in scored]
        spread = stdev(means) if len(means) > 1 and not any(map(math.isnan, means)) else None
        zeros = len(images) - len(names) if _counts(world, cut, metric) else 0
        made[metric] = support | {"value": sum(each.values()) / (len(names) + zeros), "sd_trials": spread, "each": each}
    people: dict[tuple[str, int], list[float]] = {}
    for name, value in made["mAP"]["each"].items():
        people.setdefault(person(images[name]), []).append(value)
    macro = fmean(fmean(votes) for votes in people.values())
    return made | {"mAP_id_macro": support | {"value": macro, "sd_trials": None, "people": people}}


def _counts(world: World, cut: str, metric: str) -> bool:
    counted = metric in ("mAP_trapz", "mINP", "R1", "R5", "R10")
    return cut == "all" and world.plan.invalid_queries == "count" and counted


def _support(
    world: World, asked: Sequence[Image], trials: Sequence[Mapping[str, Image]], names: Sequence[str]
) -> Image:
    pairs = [fmean(trial[name]["n_pos"] for trial in trials if name in trial) for name in names]
    people = len({person(one) for one in asked})
    counts = {"n_query": len(names), "n_id": people, "n_pos_pairs": round(sum(pairs)), "low_support": people < 30}
    return counts | {"n_gallery": round(fmean(len(gallery) for _, gallery in world.parts))}


def cells(world: World, chosen: Sequence[tuple[str, str]] = STANDARD) -> Iterator[tuple[Key, dict[str, Image]]]:
    """Give every cell that holds a query with a positive."""
    yield ("all", "all", None, None), rows(world, "all", "all", None, None)
    queries, gallery = ([one for part in world.parts for one in part[role]] for role in (0, 1))
    for cut, scheme in chosen:
        asking, found = ({level(scheme, one) for one in part} - {None} for part in (queries, gallery))
        left: set[str | None] = asking if cut != "pos" else {None}
        right: set[str | None] = found if cut != "query" else {None}
        for q, g in product(left, right):
            if made := rows(world, cut, scheme, q, g):
                yield (cut, scheme, q, g), made


def plain(scheme: str) -> str:
    """Leave out the versions of a scheme."""
    return "+".join(part.split("@")[0] for part in scheme.split("+"))


def by_cell(done: Evaluation) -> dict[Key, dict[str, Image]]:
    """Give the rows of a table by cell and metric."""
    found: dict[Key, dict[str, Image]] = {}
    for row in done.strata.to_pylist():
        key = (row["cut"], plain(row["scheme_id"]), row["q_stratum"], row["g_stratum"])
        assert row["metric"] not in found.setdefault(key, {}), (key, row["metric"])
        found[key][row["metric"]] = row
    return found


def only(world: World, trial: int = 0) -> Lists:
    """Give the lists of one trial."""
    return world.trials[trial]
