"""What the figures of an evaluation are drawn from: the same queries, ranks and distances that were scored."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmark import evaluation, evaluation_figures, images
from benchmark.evaluation import Asked, Evaluation, Options
from benchmark.features import Features
from benchmark.figures import ap_stops, cmc_levels, distances, level_pairs, ranked_lists
from benchmark.matrix import Matrix
from benchmark.rerank import Options as Reranking
from tests.benchmark import pencil
from tests.benchmark.pencil import Image, World, image

Drawn = dict[str, tuple[Any, ...]]

GALLERIES: Image = {"count": 2, "sampler": "keyed", "role": "gallery", "per": "identity", "shots": 2}
LOST = range(40, 60)  # of these there is no file; all of them are searched and ask nothing
DOT = Options(metric="dot", draws=0)
NAMES = ["cmc.png", "ap-stops.png", "level-pairs.png", "ranked-lists.png", "distances.png"]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """Note what is given to every figure, and draw an empty one."""
    found: Drawn = {}

    def note(module: ModuleType) -> Callable[..., Figure]:
        def draw(*given: object) -> Figure:
            found[module.__name__.split(".")[-1]] = given
            return Figure(figsize=(1, 1))

        return draw

    for module in (ap_stops, cmc_levels, distances, level_pairs, ranked_lists):
        monkeypatch.setattr(module, "draw", note(module))
    return found


def draw(
    world: World,
    folder: Path,
    options: Options = DOT,
    given: Features | Matrix | None = None,
    asked: Asked | None = None,
    root: Path = Path("/nowhere"),
) -> tuple[Evaluation, list[str]]:
    given = given or world.features(method="mine")
    done = evaluation.evaluate(world.trials, given, options, "run", asked)
    found = evaluation_figures.draw(world.manifest(root), world.plan, done, given, options, folder)
    return done, [path.name for path in found]


def of_level(world: World, name: str) -> list[tuple[Image, Image]]:
    """Walk down the first trial's ranking for every valid query of a level of light."""
    queries, gallery = world.parts[0]
    walked = [(one, pencil.walk(world, one, gallery)) for one in queries if pencil.level("night600-light", one) == name]
    return [(one, found) for one, found in walked if found["n_pos"]]


@pytest.mark.parametrize("cmc", ["first", "dedup"])
def test_curves_are_of_the_queries_of_every_level(cmc: str, drawn: Drawn, tmp_path: Path) -> None:
    world = pencil.small(0, pencil.plan(cmc=cmc, trials=GALLERIES))
    assert draw(world, tmp_path)[1] == NAMES
    assert {path.name for path in tmp_path.iterdir()} == set(NAMES)
    title, curves = drawn["cmc_levels"]
    assert title == "mine, test, trial 0"
    assert [curve.name for curve in curves] == [name for name in ("Low", "Medium", "High") if of_level(world, name)]
    for curve in curves:
        walked = of_level(world, curve.name)
        first = "first" if cmc == "first" else "first_id"
        assert curve.first.tolist() == [found[first] for _, found in walked]
        assert curve.identities == len({pencil.person(one) for one, _ in walked})
        if cmc == "dedup":
            assert np.isnan(curve.chance).all()
        else:
            chances = [missed(found, k) for k in (1, 20) for _, found in walked]
            assert curve.chance[0] == pytest.approx(1 - np.mean(chances[: len(walked)]))
            assert curve.chance[19] == pytest.approx(1 - np.mean(chances[len(walked) :]))


def missed(found: Image, k: int) -> float:
    """Give the chance that none of the first k drawn is a positive."""
    left = 1.0
    for place in range(min(k, found["n_gallery_eff"])):
        left *= max(found["n_gallery_eff"] - found["n_pos"] - place, 0) / (found["n_gallery_eff"] - place)
    return left


def test_dots_are_visible_queries_with_a_positive(drawn: Drawn, tmp_path: Path) -> None:
    world = pencil.small(1)
    for one in world.images[:8]:
        one["modality"] = "infrared"
    world = World(world.images[:-1], world.vectors[:-1])
    done, _ = draw(world, tmp_path)
    _, stops, ap, chance, people, slope = drawn["ap_stops"]
    queries, gallery = world.parts[0]
    walked = [(one, pencil.walk(world, one, gallery)) for one in queries if one["modality"] == "visible"]
    walked = [(one, found) for one, found in walked if found["n_pos"]]
    assert stops.tolist() == [one["stops"] for one, _ in walked]
    assert ap == pytest.approx([found["ap"] for _, found in walked])
    assert chance == pytest.approx([pencil.chance(found["n_pos"], found["n_gallery_eff"]) for _, found in walked])
    assert Counter(Counter(people.tolist()).values()) == Counter(
        Counter(pencil.person(one) for one, _ in walked).values()
    )
    row = pencil.by_cell(done)["slope", "stops", None, None]["mAP_per_stop"]
    assert slope[0] == row["value"]
    assert np.isnan(slope[1:]).all()


def test_pairs_of_levels_are_those_of_the_table_whatever_else_is_cut(drawn: Drawn, tmp_path: Path) -> None:
    world = pencil.small(2)
    done, _ = draw(world, tmp_path, asked=Asked((), ("night600-light+time", "time")))
    _, q_levels, g_levels, value, chance, n_query, n_id = drawn["level_pairs"]
    assert q_levels == g_levels == ("Low", "Medium", "High")
    cells = pencil.by_cell(done)
    for row, q in enumerate(q_levels):
        for column, g in enumerate(g_levels):
            cell = cells["pair_pos", "night600-light", q, g]
            assert value[row, column] == cell["mAP"]["value"]
            assert chance[row, column] == cell["chance_mAP"]["value"]
            assert (n_query[row, column], n_id[row, column]) == (cell["mAP"]["n_query"], cell["mAP"]["n_id"])


def test_a_pair_that_nobody_asks_for_is_no_number(drawn: Drawn, tmp_path: Path) -> None:
    images = [image(1, 1, gallery=False), image(2, 1, gallery=False, lightness=60.0)]
    images += [image(1, 2, query=False, lightness=60.0), image(2, 2, query=False)]
    draw(World(images, np.eye(4, 3) + 1), tmp_path)
    _, _, _, value, chance, n_query, _ = drawn["level_pairs"]
    assert n_query.tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]
    assert np.array_equal(np.isnan(value), n_query == 0)
    assert np.array_equal(np.isnan(chance), n_query == 0)


def test_where_light_divides_nothing_there_is_one_level(drawn: Drawn, tmp_path: Path) -> None:
    world = pencil.small(3)
    for one in world.images:
        one["modality"] = "thermal"
    world = World(world.images[:-1], world.vectors[:-1])
    _, names = draw(world, tmp_path)
    assert names == ["cmc.png", "ranked-lists.png", "distances.png"]
    assert [curve.name for curve in drawn["cmc_levels"][1]] == ["all"]
    assert drawn["cmc_levels"][0] == "mine, test"


@pytest.mark.parametrize(
    "options", [DOT, Options(metric="euclidean", draws=0, rerank=Reranking(k1=6, k2=3))], ids=["plain", "re-ranked"]
)
def test_strips_show_the_rankings_that_were_scored(options: Options, drawn: Drawn, tmp_path: Path) -> None:
    world = pencil.small(4)
    root = tmp_path / "pictures"
    for place, one in enumerate(world.images):
        if place in LOST:
            continue
        images.save(root / f"{one['name']}.png", np.full((8, 4, 3), place, np.uint8), sync=False)
        (root / f"{one['name']}.png").rename(root / f"{one['name']}.jpg")
    done, _ = draw(world, tmp_path / "out", options, root=root)
    kept = evaluation.evaluate(world.trials, world.features(), options.model_copy(update={"top": 10}), "run")
    _, strips = drawn["ranked_lists"]
    assert [strip.level for strip in strips] == ["Low", "Low", "Medium", "Medium", "High", "High"]
    queries, gallery = world.parts[0]
    rows = kept.queries.to_pylist()
    for strip in strips:
        place = next(place for place, one in enumerate(queries) if shade(strip.query) == int(one["name"]))
        assert pencil.level("night600-light", queries[place]) == strip.level
        assert rows[place]["n_pos"]
        others = [gallery[row] for row in rows[place]["top_gidx"]]
        assert [hit.right for hit in strip.hits] == [
            pencil.person(one) == pencil.person(queries[place]) for one in others
        ]
        assert [hit.distance for hit in strip.hits] == pytest.approx(rows[place]["top_dist"], abs=1e-5)
        names = [int(one["name"]) for one in others]
        assert [shade(hit.picture) for hit in strip.hits] == [None if name in LOST else name for name in names]
    assert done.queries["pos_ranks"].equals(kept.queries["pos_ranks"])
    assert any(hit.right for strip in strips for hit in strip.hits)


def shade(picture: Any) -> int | None:  # noqa: ANN401
    return None if picture is None else int(picture[0, 0, 0])


def test_distances_are_those_of_positives_and_negatives(drawn: Drawn, tmp_path: Path) -> None:
    world = pencil.small(5, pencil.plan(junk={"place_pairs": ((1, 3),)}))
    draw(world, tmp_path)
    _, levels = drawn["distances"]
    _, gallery = world.parts[0]
    for level in levels:
        positive, negative = [], []
        for query, found in of_level(world, level.name):
            positive += [-world.score(query, gallery[place]) for place in found["pos_gidx"]]
            negative += [
                -world.score(query, other)
                for other in gallery
                if pencil.person(query) != pencil.person(other) and (query["place"], other["place"]) != (1, 3)
            ]
        assert sorted(level.positive) == sorted(positive)
        assert sorted(level.negative) == sorted(negative)


def test_of_many_queries_a_share_is_drawn(drawn: Drawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation_figures, "EACH", 2)
    monkeypatch.setattr(evaluation_figures, "NEGATIVES", 20)
    world = pencil.small(6)
    draw(world, tmp_path)
    for level in drawn["distances"][1]:
        walked = of_level(world, level.name)
        chosen = [found["n_pos"] for _, found in walked[:: -(-len(walked) // 2)]]
        assert len(walked) > 2
        assert len(level.positive) == sum(chosen)
        assert 20 <= len(level.negative) < 40


def test_a_ready_matrix_is_drawn_and_a_file_larger_than_memory_is_not_read_again(drawn: Drawn, tmp_path: Path) -> None:
    world = pencil.small(7)
    _, names = draw(world, tmp_path, DOT.model_copy(update={"memory": 1e-9}))
    assert names == NAMES[:3]
    everybody = [f"set/{one['name']}.jpg" for one in world.images]
    given = Matrix(everybody, everybody, -world.vectors @ world.vectors.T, {})
    assert draw(world, tmp_path, given=given)[1] == NAMES
    matrix = drawn["distances"][1]
    assert draw(world, tmp_path)[1] == NAMES
    for one, other in zip(matrix, drawn["distances"][1], strict=True):
        assert np.array_equal(one.positive, other.positive)
        assert np.array_equal(one.negative, other.negative)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_rows_that_cannot_be_scored_do_not_stop_a_figure(metric: str, tmp_path: Path) -> None:
    world = pencil.small(8)
    vectors = world.vectors + 0.5
    vectors[[0, 1, 40, 50]] = np.nan
    given = replace(world.features(), vectors=vectors)
    options = Options.model_validate({"metric": metric, "draws": 0, "nonfinite": "worst"})
    _, names = draw(world, tmp_path, options, given)
    assert names == NAMES
    assert all((tmp_path / name).stat().st_size > 1000 for name in NAMES)
