"""`luxreid bench evaluate`: features of anyone in, a bundle and figures out; a mistake is one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

import luxreid
from benchmark import durable, features, ledger, manifest, results
from benchmark.commands import bench
from benchmark.errors import UserError
from benchmark.features import Features
from benchmark.results import Bundle
from tests.benchmark import pencil
from tests.benchmark.pencil import Image, World, image

FIGURES = {"cmc.png", "ap-stops.png", "level-pairs.png", "ranked-lists.png", "distances.png"}
PLAIN = ("--set", "draws=0", "--set", "metric=dot", "--no-figures")

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def app() -> typer.Typer:
    return bench.commands(luxreid.METHODS, luxreid.RECIPES)


@pytest.fixture(scope="module")
def world() -> World:
    return pencil.small(0)


@pytest.fixture
def run(app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Give a function that runs the command in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(app, ["evaluate", *map(str, words)])


@pytest.fixture
def stored(world: World, tmp_path: Path) -> Path:
    """Write the world, and its vectors in three ways."""
    return store(world, tmp_path)


def store(world: World, folder: Path) -> Path:
    written = world.manifest(folder)
    manifest.write(written, folder / "set.parquet")
    features.write(world.features(method="mine", seed=2), written, folder / "made")
    np.save(folder / "plain.npy", world.vectors)
    names = np.array([f"set/{one['name']}.jpg" for one in world.images])
    np.savez(folder / "far.npz", distances=-world.vectors @ world.vectors.T, query=names, gallery=names)
    np.savez(folder / "named.npz", features=world.vectors, image_id=names)
    return folder


def good(result: Result) -> str:
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def refused(result: Result) -> str:
    assert isinstance(result.exception, UserError), (result.output, result.exception)
    message = str(result.exception)
    assert len(message.splitlines()) == 1, message
    return message


def test_features_become_a_bundle_a_table_and_figures(run: Run, stored: Path, world: World) -> None:
    said = good(run("set.parquet", "made", "--out", "out", "--set", "draws=50", "--set", "metric=dot"))
    found = results.read(stored / "out")
    expected = world.evaluate(draws=50)
    for name, table in (("queries", expected.queries), ("strata", expected.strata), ("lists", expected.lists)):
        stamped = table.to_pylist()
        for row in stamped if name != "lists" else []:
            row["run_id"] = found.run["run_id"]
        assert found.tables[name].to_pylist() == stamped
    assert {name: found.run[name] for name in expected.headline} == expected.headline
    assert (found.run["method"], found.run["seed"], found.run["protocol_id"]) == ("mine", 2, "market-style")
    assert found.run["features_sha256"] == durable.sha256((stored / "made" / "features.npy").read_bytes())
    assert {path.name for path in (stored / "out" / "figures").iterdir()} == FIGURES
    for words in ("mine, seed 2, on set by market-style", "queries by night600-light", *FIGURES):
        assert words in said
    assert [entry["run_id"] for entry in ledger.entries(stored)] == [found.run["run_id"]]


def test_every_way_to_bring_vectors_gives_the_same_ranks(run: Run, stored: Path, world: World) -> None:
    ways: dict[str, list[str]] = {
        "made": ["made"],
        "in-order": ["plain.npy", "--in-order"],
        "rows": ["plain.npy", "--rows", "rows.txt"],
        "named": ["named.npz"],
        "far": ["--distances", "far.npz"],
    }
    (stored / "rows.txt").write_text("".join(f"{one['name']}.jpg\n" for one in world.images))
    expected = world.evaluate().queries["pos_ranks"].to_pylist()
    for name, words in ways.items():
        good(run("set.parquet", *words, "--out", f"by-{name}", *PLAIN))
        assert results.read(stored / f"by-{name}").tables["queries"]["pos_ranks"].to_pylist() == expected
    assert results.read(stored / "by-far").run["metric"] == "ready matrix"
    assert results.read(stored / "by-named").run["method"] == "named"


def test_a_bundle_is_named_after_what_made_it(run: Run, stored: Path) -> None:
    good(run("set.parquet", "made", *PLAIN))
    assert results.read(stored / "made-market-style").run["status"] == "ok"
    good(run("set.parquet", "named.npz", "--method", "theirs", "--run-seed", 7, *PLAIN))
    found = results.read(stored / "named-market-style").run
    assert (found["method"], found["seed"], found["n_test_evals"]) == ("theirs", 7, 1)


def test_what_the_maker_said_is_not_overruled(run: Run, stored: Path) -> None:
    assert "made: says that its method is 'mine', not 'theirs'" in refused(
        run("set.parquet", "made", "--method", "theirs")
    )
    assert "made: says that its seed is 2, not 3" in refused(run("set.parquet", "made", "--run-seed", 3))
    good(run("set.parquet", "made", "--method", "mine", "--run-seed", 2, *PLAIN))


def test_levels_of_ones_own(run: Run, stored: Path) -> None:
    words = ["--by", "height:100,200", "--by", "time+camid", "--pairs", "time", "--out", "out", *PLAIN]
    said = good(run("set.parquet", "made", *words))
    schemes = {
        (row["cut"], pencil.plain(row["scheme_id"]))
        for row in results.read(stored / "out").tables["strata"].to_pylist()
    }
    assert {("query", "height"), ("query", "time+camid"), ("pair_pos", "time")} <= schemes
    assert "query -> positive by time" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give either FEATURES or --distances"),
        (["made", "--distances", "far.npz"], "give either FEATURES or --distances"),
        (["--distances", "far.npz", "--in-order"], "leave --rows and --in-order out"),
        (["--distances", "set.parquet"], "set.parquet: not an .npz of distances"),
        (["nothing.npz"], "nothing.npz: cannot read"),
        (["plain.npy"], "does not say whose its rows are"),
        (["made", "--protocol", "market-stile"], "did you mean 'market-style'"),
        (["made", "--device", "gpu"], "--device gpu:"),
        (["made", "--rerank", "k-reciprocl"], "did you mean 'k-reciprocal'"),
        (["made", "--set", "metric=cos"], "metric"),
        (["made", "--set", "draw=3"], "did you mean 'draws'"),
        (["made", "--by", "heigth:100"], "did you mean 'height'"),
        (["made", "--pairs", "camid:3,2"], "the edges must ascend"),
        (["made", "--training", "made"], "run.json: cannot read"),
        (["made", "--out", "set.parquet"], "set.parquet: holds something else"),
        (["made", "--out", "made"], "made: holds something else"),
    ],
)
def test_what_does_not_fit_is_said(words: list[str], said: str, run: Run, stored: Path) -> None:
    before = sorted(stored.rglob("*"))
    assert said in refused(run("set.parquet", *words))
    assert sorted(stored.rglob("*")) == before


def changed(world: World, folder: Path, vectors: np.ndarray[Any, Any], names: list[str] | None = None) -> Path:
    known = [f"set/{one['name']}.jpg" for one in world.images] if names is None else names
    np.savez(folder / "odd.npz", features=vectors, image_id=np.array(known))
    return folder / "odd.npz"


def test_features_that_are_missing_twice_or_too_few_are_said(run: Run, stored: Path, world: World) -> None:
    names = [f"set/{one['name']}.jpg" for one in world.images]
    changed(world, stored, world.vectors[5:], names[5:])
    assert "5 of 35 images have none, the first is 'set/0000.jpg'" in refused(
        run("set.parquet", "odd.npz", "--out", "a")
    )
    changed(world, stored, world.vectors, [names[1], *names[1:]])
    assert "'set/0001.jpg' stands twice" in refused(run("set.parquet", "odd.npz", "--out", "b"))
    changed(world, stored, world.vectors[:-2], names)
    assert f"names {len(names)} rows, the vectors of odd.npz are {len(names) - 2}" in refused(
        run("set.parquet", "odd.npz", "--out", "c")
    )
    np.save(stored / "short.npy", world.vectors[:-1])
    assert "--in-order needs a row an image" in refused(run("set.parquet", "short.npy", "--in-order", "--out", "d"))


def test_nan_fails_the_run_and_may_be_tried_again(run: Run, stored: Path, world: World) -> None:
    vectors = world.vectors.copy()
    vectors[3, 1] = np.nan
    changed(world, stored, vectors)
    said = refused(run("set.parquet", "odd.npz", "--out", "out", *PLAIN))
    assert "1 of 35 rows are not finite, the first is 'set/0003.jpg'" in said
    failed = results.read(stored / "out").run
    assert (failed["status"], failed["notes"], failed["mAP"]) == ("failed", said, None)
    assert ledger.entries(stored) == []
    changed(world, stored, world.vectors)
    good(run("set.parquet", "odd.npz", "--out", "out", *PLAIN))
    assert results.read(stored / "out").run["status"] == "ok"


@pytest.mark.parametrize("flag", [["--set", "nonfinite=worst"], ["--config", "worst.toml"]])
def test_nan_that_is_ranked_last_flags_the_run(flag: list[str], run: Run, stored: Path, world: World) -> None:
    (stored / "worst.toml").write_text('nonfinite = "worst"\n')
    vectors = world.vectors.copy()
    vectors[[0, 1]] = np.inf
    changed(world, stored, vectors)
    good(run("set.parquet", "odd.npz", "--out", "out", *flag, *PLAIN[:4]))
    found = results.read(stored / "out").run
    assert (found["flagged"], found["n_nonfinite_q"]) == (True, 2)
    assert (stored / "out" / "figures" / "distances.png").exists()


def test_vectors_that_are_all_equal_score_near_chance_and_are_noted(run: Run, stored: Path, world: World) -> None:
    changed(world, stored, np.ones_like(world.vectors))
    result = run("set.parquet", "odd.npz", "--out", "out", *PLAIN)
    good(result)
    assert f"note: features: all {len(world.images)} vectors are equal" in result.stderr
    found = results.read(stored / "out")
    chance = next(row["value"] for row in found.tables["strata"].to_pylist() if row["metric"] == "chance_mAP")
    assert found.run["mAP"] < 1.1 * chance
    assert found.run["n_query_tied"] == found.run["n_query_valid"]


def lone(folder: Path, query: Image, gallery: Image) -> None:
    """Write a world of one query and two pictures that are searched."""
    made = World(
        [image(1, 1, gallery=False), image(1, 2, query=False), image(5, 2, query=False)], np.eye(2, 4)[[0, 0, 1]]
    )
    made.images[0] |= query
    made.images[1] |= gallery
    store(made, folder)


@pytest.mark.parametrize(
    ("query", "gallery", "said"),
    [
        (
            {},
            {"camid": 1, "place": 1},
            "of 1 queries, 0 have an identity that is absent from the gallery, 1 one that is there",
        ),
        (
            {},
            {"pid": 2},
            "of 1 queries, 1 have an identity that is absent from the gallery, 0 one that is there",
        ),
        ({"camid": 0, "place": 0}, {"camid": 0, "place": 0}, "no query has a known camera or place"),
    ],
    ids=["one camera", "absent", "no camera"],
)
def test_a_protocol_that_leaves_no_positive_says_why(
    query: Image, gallery: Image, said: str, run: Run, tmp_path: Path
) -> None:
    lone(tmp_path, query, gallery)
    message = refused(run("set.parquet", "made", "--out", "out", *PLAIN))
    assert said in message
    assert message.startswith("market-style: ")
    if "camera" in said:
        assert "same_place" in message
        good(run("set.parquet", "made", "--protocol", "no-cameras", "--out", "free", *PLAIN))
        assert results.read(tmp_path / "free").run["mAP"] == 1


def test_a_folder_that_is_taken_is_kept(run: Run, stored: Path) -> None:
    good(run("set.parquet", "made", "--out", "out", *PLAIN))
    first = results.read(stored / "out").run["run_id"]
    words = ["set.parquet", "made", "--out", "out", *PLAIN]
    assert "out: holds a run; name another --out, or --again replaces it" in refused(run(*words))
    assert results.read(stored / "out").run["run_id"] == first
    good(run(*words, "--again"))
    again = results.read(stored / "out").run
    assert again["run_id"] != first
    assert again["n_test_evals"] == 2


def test_a_run_that_was_killed_while_writing_may_be_done_again(run: Run, stored: Path) -> None:
    words = ["set.parquet", "made", "--out", "out", *PLAIN]
    good(run(*words))
    (stored / "out" / "run.json").unlink()
    (stored / "out" / ".run.json.0011223344.part").write_text("{")
    good(run(*words))
    (stored / "out" / "run.json").unlink()
    (stored / "out" / "mine.txt").write_text("mine")
    assert "out: holds something else" in refused(run(*words))


def test_a_training_goes_with_its_features(run: Run, stored: Path, world: World) -> None:
    weights = b"weights"
    record = results.run_record(run_id="t", status="partial", provenance="ran_here", train_s=3.5)
    files = {"config.json": b"{}", "log.jsonl": b"{}\n", "model.safetensors": weights}
    results.write(Bundle(record), stored / "trained", files)
    given = world.features(method="mine", ckpt_sha256=durable.sha256(weights))
    features.write(given, world.manifest(stored), stored / "own")
    good(run("set.parquet", "own", "--training", "trained", "--out", "out", *PLAIN))
    found = results.read(stored / "out").run
    assert (found["provenance"], found["train_s"]) == ("ran_here", 3.5)
    message = refused(run("set.parquet", "made", "--training", "trained", "--out", "other", *PLAIN))
    assert message == "trained: its weights are not those that made the features"
    assert not (stored / "other").exists()


def test_re_ranking_is_off_unless_named(run: Run, stored: Path) -> None:
    words = ["set.parquet", "made", "--set", "draws=0", "--set", "metric=euclidean", "--no-figures"]
    good(run(*words, "--out", "plain"))
    good(run(*words, "--rerank", "k-reciprocal", "--out", "again"))
    good(run(*words, "--set", "rerank.k1=5", "--set", "rerank.k2=2", "--rerank", "k-reciprocal", "--out", "own"))
    found = {name: results.read(stored / name) for name in ("plain", "again", "own")}
    assert found["plain"].run["rerank"] == "none"
    assert found["again"].run["rerank"] == "k-reciprocal k1=20 k2=6 weight=0.3"
    assert found["own"].run["rerank"] == "k-reciprocal k1=5 k2=2 weight=0.3"
    ranks = {name: one.tables["queries"]["pos_ranks"].to_pylist() for name, one in found.items()}
    assert ranks["plain"] != ranks["again"]
    assert ranks["own"] != ranks["again"]


def test_notes_are_said_beside_the_results(run: Run, stored: Path, world: World) -> None:
    result = run("set.parquet", "plain.npy", "--in-order", "--by", "object", "--out", "out", *PLAIN)
    said = good(result)
    assert "note: features: rows taken in the manifest's own order" in result.stderr
    assert "note: object has one occupied level, person: it divides nothing here" in result.stderr
    assert "note:" not in result.stdout
    assert str(Path("out")) in said.splitlines()


def test_features_of_half_precision_are_scored_in_single(run: Run, stored: Path, world: World) -> None:
    wide = Features([f"set/{one['name']}.jpg" for one in world.images], world.vectors.astype(np.float16), {})
    np.savez(stored / "half.npz", features=wide.vectors, image_id=np.array(wide.image_ids))
    good(run("set.parquet", "half.npz", "--out", "out", *PLAIN))
    expected = world.evaluate().queries["pos_ranks"].to_pylist()
    assert results.read(stored / "out").tables["queries"]["pos_ranks"].to_pylist() == expected
