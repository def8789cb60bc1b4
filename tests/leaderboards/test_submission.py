"""What others hand in, from their files to a row of a board: equal ranks, honest words, and every fault in one line."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmark import durable, evaluation, features, manifest, protocol, resolve, results
from benchmark.errors import UserError
from benchmark.evaluation import Options
from benchmark.manifest import Manifest
from benchmark.protocol import Protocol
from leaderboards import entry, handed, history, recount, store, submission
from leaderboards.entry import Said
from tests.benchmark import little
from tests.leaderboards import handing

QUICK = Options(draws=0)
PLAN = "market-style"

Copy = Callable[[str], Path]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the set, and submissions of its vectors and of its rank lists."""
    folder = tmp_path_factory.mktemp("handing")
    path, of = handing.world(folder)
    plan = protocol.load(PLAN)
    submission.pack(handing.vectors(folder / "v.npz", of), folder / "vectors", handing.facts(), path, PLAN)
    source = handing.lists(folder / "r.parquet", handing.ranked(of, plan))
    submission.pack(source, folder / "ranks", handing.facts(), path, PLAN)
    return folder


@pytest.fixture(scope="module")
def of(room: Path) -> Manifest:
    return manifest.read(room / "manifest.parquet")


def scored(folder: Path, of: Manifest, out: Path, plan: Protocol | None = None) -> results.Bundle:
    return results.read(submission.score(folder, of, plan or protocol.load(PLAN), out, QUICK))


def ranks(bundle: results.Bundle) -> list[tuple[str, list[int], list[int]]]:
    rows = bundle.tables["queries"].to_pylist()
    return [(row["image_id"], row["pos_ranks"], row["pos_gidx"]) for row in rows]


def ours(of: Manifest, plan: Protocol) -> list[tuple[str, list[int], list[int]]]:
    """Rank the same vectors by our evaluator."""
    trials = [resolve.resolve(of, plan, trial, trains=False) for trial in range(plan.trials.count)]
    done = evaluation.evaluate(trials, handing.features(of), Options(metric="euclidean", draws=0))
    return ranks(results.Bundle({}, {"queries": done.queries}))


def edited(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    record = durable.read_json(folder / "submission.json")
    change(record)
    durable.write_json(folder / "submission.json", record)


@pytest.fixture
def copy(room: Path, tmp_path: Path) -> Copy:
    return lambda kind: Path(shutil.copytree(room / kind, tmp_path / kind))


@pytest.mark.parametrize("kind", ["vectors", "ranks"])
def test_somebody_elses_files_give_the_ranks_that_our_own_evaluation_gives(
    kind: str, room: Path, of: Manifest, tmp_path: Path
) -> None:
    bundle = scored(room / kind, of, tmp_path / "bundle")
    assert ranks(bundle) == ours(of, protocol.load(PLAN))
    far = bundle.tables["queries"]["d_first_pos"]
    assert far.null_count == (len(far) if kind == "ranks" else 0)  # places in a list are no distances
    assert (bundle.run["status"], bundle.run["provenance"]) == ("ok", "rescored")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_row_says_what_the_form_says(of: Manifest, room: Path, tmp_path: Path) -> None:
    facts = handing.facts(
        **{
            "display_name": "Théirs <&>",
            "rerank": "k-reciprocal, k1 = 20",
            "flip_tta": True,
            "seed": 5,
            "licence": "MIT",
        },
        **{
            "other_data": ["poses"],
            "disclosures": ["it saw the yard by day"],
            "division": "closed",
            "n_test_evals": 12,
        },
    )
    submission.pack(room / "r.parquet", tmp_path / "handed", facts, room / "manifest.parquet", PLAN)
    board = store.begun(tmp_path / "board")
    submission.add(board, tmp_path / "handed", of, PLAN, Said({"disclosures": ["looked at by us"]}))
    row = store.runs(board).rows[0]
    expected = {"method": "theirs", "display_name": "Théirs <&>", "rerank": "k-reciprocal, k1 = 20", "flip_tta": True}
    expected |= {"seed": 5, "licence": "MIT", "official": True, "division": "closed", "n_test_evals": 12}
    expected |= {"ckpt_selection": "last", "overlap_declared": False, "pretrain_data": ["imagenet"], "contact": "a lab"}
    expected |= {
        "disclosures": ["other data: poses", "it saw the yard by day", "looked at by us"],
        "provenance": "rescored",
    }
    expected |= {"submission_sha256": features.hash_file(tmp_path / "handed" / "submission.json"), "list_depth": None}
    assert {name: row[name] for name in expected} == expected
    assert [one["name"] for one in row["train_sets"]] == ["market1501"]
    blob = board.blob(row["submission_sha256"]).read_bytes()
    assert blob == (tmp_path / "handed" / "submission.json").read_bytes()


def test_what_was_chosen_on_the_test_is_kept_and_never_ranked(of: Manifest, room: Path, tmp_path: Path) -> None:
    facts = handing.facts(ckpt_selection="test_best")
    submission.pack(room / "r.parquet", tmp_path / "handed", facts, room / "manifest.parquet", PLAN)
    board = store.begun(tmp_path / "board")
    row = submission.add(board, tmp_path / "handed", of, PLAN)
    assert "chosen on the test" in history.unranked(row | {"git_dirty": False})


def test_seeds_are_one_configuration_and_other_answers_are_another(of: Manifest, room: Path, tmp_path: Path) -> None:
    names = {}
    answers: list[dict[str, object]] = [
        {"seed": 0},
        {"seed": 1, "contact": "else"},
        {"seed": 0, "other_data": ["poses"]},
    ]
    for number, more in enumerate(answers):
        folder = tmp_path / f"handed-{number}"
        submission.pack(room / "v.npz", folder, handing.facts(**more), room / "manifest.parquet", PLAN)
        names[number] = scored(folder, of, tmp_path / f"bundle-{number}").run["config_id"]
    assert names[0] == names[1] != names[2]


def test_a_submission_is_on_a_board_once_and_counted(of: Manifest, room: Path, tmp_path: Path) -> None:
    board = store.begun(tmp_path / "board")
    first = submission.add(board, room / "vectors", of, PLAN)
    assert submission.add(board, room / "vectors", of, PLAN)["run_id"] == first["run_id"]
    submission.add(board, room / "ranks", of, PLAN)
    submission.pack(room / "v.npz", tmp_path / "other", handing.facts(method="others"), room / "manifest.parquet", PLAN)
    submission.add(board, tmp_path / "other", of, PLAN)
    rows = store.runs(board).rows
    assert len(rows) == 3
    assert submission.count(rows, "theirs", first["lists_sha256"]) == 2
    assert submission.count(rows, "others", first["lists_sha256"]) == 1
    assert submission.count(rows, "theirs", "0" * 64) == submission.count([], "theirs", first["lists_sha256"]) == 0


def test_what_our_own_evaluator_got_wrong_comes_to_no_board(
    of: Manifest, room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recount, "problems", lambda bundle: iter([f"mAP is {bundle.run['mAP']}, the ranks give 2"]))
    board = store.begun(tmp_path / "board")
    with pytest.raises(UserError, match="the ranks give 2"):
        submission.add(board, room / "vectors", of, PLAN)
    assert store.runs(board).rows == []


def test_a_bundle_of_ones_own_is_no_submission() -> None:
    assert submission.count([{"method": "a", "lists_sha256": "b", "submission_sha256": None}], "a", "b") == 0


def test_equal_files_and_answers_give_equal_bytes(room: Path, tmp_path: Path) -> None:
    for kind, source in (("vectors", "v.npz"), ("ranks", "r.parquet")):
        again = submission.pack(room / source, tmp_path / kind, handing.facts(), room / "manifest.parquet", PLAN)
        for path in sorted((room / kind).iterdir()):
            assert (again / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize("kind", ["features/1", "npz", "parquet", "lists", "csv"])
def test_names_are_enough_where_there_is_no_manifest(kind: str, of: Manifest, room: Path, tmp_path: Path) -> None:
    source = room / ("r.parquet" if kind == "lists" else "v.npz")
    if kind == "features/1":
        source = tmp_path / "features"
        features.write(handing.features(of), of, source)
    elif kind == "parquet":
        source, given = tmp_path / "v.parquet", handing.features(of)
        pq.write_table(pa.table({"image_id": given.image_ids, "vector": given.vectors.tolist()}), source)
    elif kind == "csv":
        source, found = tmp_path / "r.csv", handing.ranked(of, protocol.load(PLAN))
        rows = [f"{query},{rank},{name}" for query, names in found.items() for rank, name in enumerate(names, 1)]
        source.write_text("query,rank,gallery\n" + "\n".join(rows) + "\n")
    submission.pack(source, tmp_path / "handed", handing.facts())
    record = durable.read_json(tmp_path / "handed" / "submission.json")
    assert set(record["made_for"].values()) == {None}
    board = store.begun(tmp_path / "board")
    row = submission.add(board, tmp_path / "handed", of, PLAN)
    assert ranks(store.bundle(board, row)) == ours(of, protocol.load(PLAN))
    unhashed = [word for word in row["disclosures"] or () if "carry no hashes" in word]
    assert len(unhashed) == (kind != "features/1")  # a folder of features knows the pictures' hashes


def test_vectors_are_found_by_file_names_where_a_manifest_has_them(of: Manifest, room: Path, tmp_path: Path) -> None:
    paths = of.table["path"].to_pylist()
    source = handing.vectors(tmp_path / "v.npz", of, names=paths)
    submission.pack(source, tmp_path / "handed", handing.facts(), room / "manifest.parquet", PLAN)
    rows = pq.read_table(tmp_path / "handed" / "rows.parquet").to_pylist()
    assert len(rows) == len(of) - 2  # the two pictures to learn from are not asked for
    assert {row["image_id"]: row["sha256"] for row in rows}.items() <= dict(
        zip(of.table["image_id"].to_pylist(), of.table["sha256"].to_pylist(), strict=True)
    ).items()
    assert ranks(scored(tmp_path / "handed", of, tmp_path / "bundle")) == ours(of, protocol.load(PLAN))


@pytest.mark.parametrize("apart", [False, True])
def test_lists_serve_all_trials_or_each_its_own(apart: bool, of: Manifest, room: Path, tmp_path: Path) -> None:
    (tmp_path / "shots.toml").write_text(handing.SHOTS)
    plan = protocol.load(tmp_path / "shots.toml")
    found = [handing.ranked(of, plan, trial) for trial in range(3)]
    assert found[0] != found[1]
    if not apart:
        everyone = handing.ranked(of, protocol.load("no-cameras"))
        drawn = {name for part in found for names in part.values() for name in names}
        found = [{query: [name for name in names if name in drawn] for query, names in everyone.items()}]
    source = handing.lists(tmp_path / "r.parquet", *found)
    submission.pack(
        source, tmp_path / "handed", handing.facts(), room / "manifest.parquet", str(tmp_path / "shots.toml")
    )
    bundle = scored(tmp_path / "handed", of, tmp_path / "bundle", plan)
    assert ranks(bundle) == ours(of, plan)
    assert bundle.run["n_trials"] == 3


def test_vectors_of_one_network_serve_all_trials_unless_each_trains_its_own(
    of: Manifest, room: Path, tmp_path: Path
) -> None:
    (tmp_path / "shots.toml").write_text(handing.SHOTS)
    plan = protocol.load(tmp_path / "shots.toml")
    submission.pack(room / "v.npz", tmp_path / "handed", handing.facts())
    assert ranks(scored(tmp_path / "handed", of, tmp_path / "bundle", plan)) == ours(of, plan)
    own = handing.SHOTS.replace('split = "train"', 'subsets = "train-{t}"')
    (tmp_path / "apart.toml").write_text(own)
    with pytest.raises(UserError, match=r"every trial of apart trains on a list of its own.* a column trial"):
        scored(tmp_path / "handed", of, tmp_path / "other", protocol.load(tmp_path / "apart.toml"))


def refused(source: Path, out: Path, data: Path | None = None, plan: str | None = None, **more: object) -> str:
    with pytest.raises(UserError) as caught:
        submission.pack(source, out, handing.facts(**more), data, plan)
    assert not (out / "submission.json").exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_image_without_a_vector_is_named(of: Manifest, room: Path, tmp_path: Path) -> None:
    some = of.select(np.arange(3, len(of)))
    source = handing.vectors(tmp_path / "v.npz", some)
    said = refused(source, tmp_path / "handed", room / "manifest.parquet", PLAN)
    assert "3 of 40 images are missing, such as 'little/g/001-2.jpg'" in said
    submission.pack(source, tmp_path / "handed", handing.facts())  # who has no manifest cannot know
    with pytest.raises(UserError, match=r"3 of 28 images are missing, such as 'little/g/001-2.jpg'"):
        scored(tmp_path / "handed", of, tmp_path / "bundle")


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e39, 0.0])
def test_vectors_that_cannot_be_scored_are_refused_at_the_desk(number: float, of: Manifest, tmp_path: Path) -> None:
    numbers = little.vectors(of).astype(np.float64)
    numbers[4] = number
    np.savez(tmp_path / "v.npz", features=numbers, image_id=of.table["image_id"].to_pylist())
    said = refused(tmp_path / "v.npz", tmp_path / "handed", metric="cosine")
    assert "1 of 42 rows are not finite or have no length, the first is 'little/g/003-2.jpg'" in said
    if number == 0:
        submission.pack(tmp_path / "v.npz", tmp_path / "handed", handing.facts())  # a length of 0 is one like any other


def test_vectors_that_were_made_unfit_afterwards_are_refused_when_scored(
    of: Manifest, copy: Copy, tmp_path: Path
) -> None:
    folder = copy("vectors")
    numbers = np.load(folder / "features.npy")
    numbers[3] = np.nan
    np.save(folder / "features.npy", numbers)
    for name in ("features.json", "submission.json"):
        record = durable.read_json(folder / name)
        if name == "features.json":
            record["features_sha256"] = features.hash_file(folder / "features.npy")
        else:
            for file in record["files"]:
                record["files"][file]["sha256"] = features.hash_file(folder / file)
        durable.write_json(folder / name, record)
    with pytest.raises(UserError, match=r"1 of .* rows are not finite"):
        scored(folder, of, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["vectors"]


@pytest.mark.parametrize(
    ("kind", "name"), [("vectors", "features.npy"), ("vectors", "rows.parquet"), ("ranks", "ranks.parquet")]
)
def test_a_file_that_was_changed_is_named(kind: str, name: str, copy: Copy, of: Manifest, tmp_path: Path) -> None:
    folder = copy(kind)
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(UserError, match=rf"{name}: is not the file that submission.json was written for"):
        scored(folder, of, tmp_path / "bundle")
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"{name}: cannot read"):
        submission.read(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda record: record.update(schema="submission/2"), "schema is 'submission/2', this version reads"),
        (lambda record: record.update(kind="scores"), "kind = 'scores'; "),
        (lambda record: record.update(facts=[]), "facts is \\[\\], must be an object"),
        (lambda record: record["facts"].pop("rerank"), "facts: 'rerank' is missing"),
        (lambda record: record["facts"].update(method="a\nb"), "facts: method = "),
        (lambda record: record["files"].pop("rows.parquet"), "rows.parquet: is not the file"),
        (lambda record: record["files"].update({"rows.parquet": "x"}), "rows.parquet: is not the file"),
    ],
)
def test_a_record_that_was_changed_is_refused(
    change: Callable[[dict[str, Any]], object], said: str, copy: Copy
) -> None:
    folder = copy("vectors")
    edited(folder, change)
    with pytest.raises(UserError, match=said):
        submission.read(folder)


def test_a_folder_without_its_record_was_never_finished(copy: Copy) -> None:
    folder = copy("vectors")
    (folder / "submission.json").unlink()
    with pytest.raises(UserError, match=r"submission.json: cannot read"):
        submission.read(folder)


def test_vectors_of_other_pictures_are_refused(of: Manifest, room: Path, tmp_path: Path) -> None:
    hashes = ["f" * 64, *of.table["sha256"].to_pylist()[1:]]
    other = of.with_columns(sha256=hashes)
    features.write(handing.features(other), other, tmp_path / "features")
    said = "1 of [24]. images are other pictures than ours, such as 'little/g/001-2.jpg'"
    assert re.search(said, refused(tmp_path / "features", tmp_path / "handed", room / "manifest.parquet", PLAN))
    submission.pack(tmp_path / "features", tmp_path / "handed", handing.facts())
    with pytest.raises(UserError, match=said):
        scored(tmp_path / "handed", of, tmp_path / "bundle")


def test_a_row_without_a_hash_moves_no_other(of: Manifest) -> None:
    one = of.select(np.arange(3))
    rows = pa.table(
        {"image_id": ["x/0", "x/1", "x/2", "x/3"], "sha256": [None, *one.table["sha256"].to_pylist()[::-1]]}
    )
    assert handed.places(rows, one, "here").tolist() == [3, 2, 1]
    named = pa.table(
        {"image_id": ["x/0", one.table["image_id"][1].as_py()], "sha256": [None, None]}, schema=features.ROWS
    )
    assert handed.places(named, one, "here", whole=False).tolist() == [-1, 1, -1]


def test_what_was_packed_for_something_else_is_refused(of: Manifest, room: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"was packed for protocol_sha256 \w{8} \(market-style\), here .* \(no-cameras\)"
    ):
        scored(room / "vectors", of, tmp_path / "bundle", protocol.load("no-cameras"))
    cameras = of.column("camid").copy()
    cameras[0] += 3
    other = of.with_columns(camid=cameras)
    with pytest.raises(UserError, match="was packed for lists_sha256"):
        scored(room / "vectors", other, tmp_path / "bundle")


def test_a_manifest_without_a_protocol_does_not_say_who_is_asked(room: Path, tmp_path: Path) -> None:
    assert "name the protocol, too" in refused(room / "v.npz", tmp_path / "handed", room / "manifest.parquet")


def test_answers_that_contradict_the_files_are_refused(of: Manifest, room: Path, tmp_path: Path) -> None:
    out = tmp_path / "handed"
    assert "vectors are ranked as they are; hand in rank lists" in refused(room / "v.npz", out, rerank="k-reciprocal")
    assert "depth says how long rank lists are" in refused(room / "v.npz", out, depth=10)
    given = handing.features(of)
    given.facts["seed"] = 7
    features.write(given, of, tmp_path / "features")
    assert "says that its seed is 7, not 3" in refused(tmp_path / "features", out, seed=3)
    assert "says that its method is 'theirs', not 'ours'" in refused(tmp_path / "features", out, seed=7, method="ours")


def test_what_is_no_result_at_all_is_refused(of: Manifest, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", little.vectors(of))
    assert "does not say whose its rows are" in refused(tmp_path / "v.npy", tmp_path / "handed")
    (tmp_path / "v.pkl").write_bytes(b"\x80\x04N.")
    assert "no pickle is opened" in refused(tmp_path / "v.pkl", tmp_path / "handed")
    assert "cannot read" in refused(tmp_path / "none.npz", tmp_path / "handed")
    assert "not a format that features come in" in refused(tmp_path / "none.csv", tmp_path / "handed")


def test_a_folder_that_holds_something_else_is_left_alone(room: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    said = refused(room / "v.npz", tmp_path)
    assert "is there and holds something else" in said
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_submission_may_be_packed_again_in_its_place(room: Path, of: Manifest, copy: Copy, tmp_path: Path) -> None:
    folder = copy("vectors")
    submission.pack(room / "v.npz", folder, handing.facts(method="better"), room / "manifest.parquet", PLAN)
    assert scored(folder, of, tmp_path / "bundle").run["method"] == "better"


LIST_FAULTS: dict[str, tuple[Callable[[dict[str, list[str]], str], object], dict[str, Any], str]] = {
    "unknown image": (
        lambda of, q: of[q].append("little/g/nobody.jpg"),
        {},
        "names 'little/g/nobody.jpg', which is not",
    ),
    "train image": (
        lambda of, q: of[q].append("little/t/1.jpg"),
        {},
        "names 'little/t/1.jpg', which is not in the gallery",
    ),
    "query image": (lambda of, q: of[q].append(q), {}, "names 'little/q/001.jpg', which is not in the gallery"),
    "missing image": (lambda of, q: of[q].pop(), {}, "its list has 27 of 28 images and lacks 'little/g/"),
    "no list": (lambda of, q: of.pop(q), {}, "1 of 12 images are missing, such as 'little/q/001.jpg'"),
    "another query": (
        lambda of, q: of.update({"little/t/2.jpg": of[q]}),
        {},
        "query 'little/t/2.jpg' is no query here",
    ),
    "shorter than said": (lambda of, q: of.update({q: of[q][:9]}), {"depth": 10}, "its list has 9 images, depth is 10"),
    "no shorter than all": (lambda of, q: None, {"depth": 28}, "depth = 28, but the gallery holds 28 images; leave"),
    "longer than said": (lambda of, q: None, {"depth": 10}, "its list has 28 images, depth is 10"),
}


@pytest.mark.parametrize("name", LIST_FAULTS)
@pytest.mark.parametrize("known", [True, False])
def test_lists_with_a_fault_are_refused_at_the_desk_or_when_scored(
    name: str, known: bool, room: Path, of: Manifest, tmp_path: Path
) -> None:
    change, more, said = LIST_FAULTS[name]
    found = {query: list(images) for query, images in handing.ranked(of, protocol.load(PLAN)).items()}
    if name == "shorter than said":
        found = {query: images[:10] for query, images in found.items()}
    change(found, "little/q/001.jpg")
    source = handing.lists(tmp_path / "r.parquet", found)
    if known:
        assert said in refused(source, tmp_path / "handed", room / "manifest.parquet", PLAN, **more)
        return
    with pytest.raises(UserError) as caught:
        handed_in_and_scored(source, of, tmp_path, **more)
    assert str(caught.value).count("\n") == 0
    assert not (tmp_path / "bundle").exists()


def handed_in_and_scored(source: Path, of: Manifest, folder: Path, **more: object) -> None:
    submission.pack(source, folder / "handed", handing.facts(**more))
    scored(folder / "handed", of, folder / "bundle")


def test_lists_of_a_trial_that_is_not_there_are_refused(room: Path, of: Manifest, tmp_path: Path) -> None:
    found = handing.ranked(of, protocol.load(PLAN))
    source = handing.lists(tmp_path / "r.parquet", found, found)
    said = refused(source, tmp_path / "handed", room / "manifest.parquet", PLAN)
    assert "holds lists of trial 1; trials here count from 0 to 0" in said


def test_a_name_with_any_specials_comes_to_the_board_as_text(room: Path, of: Manifest, tmp_path: Path) -> None:
    name = "=A&B <i>$x_1$</i> | \\textbf{"
    submission.pack(room / "v.npz", tmp_path / "handed", handing.facts(method=name, display_name=name))
    assert json.loads((tmp_path / "handed" / "submission.json").read_text())["facts"]["method"] == name
    board = store.begun(tmp_path / "board")
    submission.add(board, tmp_path / "handed", of, PLAN)
    row = store.runs(board).rows[0]
    assert row["method"] == row["display_name"] == name
    assert entry.DIVISIONS == ("closed", "open")  # what the form allows
