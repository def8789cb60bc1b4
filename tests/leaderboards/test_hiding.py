"""Labels that stay at home: what is given away says nothing, and what comes back is scored all the same."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer

from benchmark import durable, evaluation, manifest, protocol, resolve, results, validity
from benchmark.columns import MEASURED
from benchmark.errors import UserError
from benchmark.evaluation import Options
from benchmark.features import Features
from benchmark.manifest import Manifest
from leaderboards import commands, hiding, store, submission
from tests.benchmark import little
from tests.leaderboards import handing

PLAN = "market-style"


def shown(row: dict[str, object]) -> bytes:
    """Paint a picture of somebody; two strangers are one file, and so are a query and a gallery picture."""
    one = {"g/stranger-1.jpg": "g/stranger-0.jpg", "g/003-2.jpg": "q/003.jpg"}
    return f"picture of {one.get(str(row['path']), row['path'])}".encode()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Write pictures whose names tell who is on them."""
    folder, rows = tmp_path_factory.mktemp("home"), little.rows()
    for row in rows:
        (folder / row["path"]).parent.mkdir(parents=True, exist_ok=True)
        (folder / row["path"]).write_bytes(shown(row))
        row["sha256"] = durable.sha256(shown(row))
    manifest.write(little.world(rows, folder), folder / "manifest.parquet")
    return manifest.read(folder / "manifest.parquet")


@pytest.fixture(scope="module")
def away(home: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hiding.hide(home, protocol.load(PLAN), tmp_path_factory.mktemp("away") / "given")


@pytest.fixture(scope="module")
def vectors(home: Manifest) -> Callable[[Manifest], Features]:
    """Embed by what a picture shows: equal files have equal vectors, whatever they are called."""
    own, drawn = dict[str, np.ndarray](), little.vectors(home, handing.NOISE)
    for place, sha256 in enumerate(home.table["sha256"].to_pylist()):
        own.setdefault(sha256, drawn[place])
    return lambda of: Features(
        of.table["image_id"].to_pylist(), np.stack([own[one] for one in of.table["sha256"].to_pylist()]), {}
    )


def ranks(rows: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return [(row["image_id"], row["pos_ranks"], row["pos_gidx"], row["ap"], row["n_ties"]) for row in rows]


def test_what_is_given_away_says_nothing_of_who_is_where(home: Manifest, away: Path) -> None:
    given = manifest.read(away)
    validity.check(given.table)
    told = {"image_id", "path", "sha256", "source", "id_space", "subsets", "split", "gallery", "query", *MEASURED}
    told |= {"modality", "time", "object"}
    for name in set(given.table.column_names) - told:
        assert len(set(given.table[name].to_pylist())) == 1, name
    assert set(given.table["pid"].to_pylist()) == set(given.table["camid"].to_pylist()) == {0}
    names = [*given.table["image_id"].to_pylist(), *given.table["path"].to_pylist()]
    assert not any(part in name for name in names for part in ("stranger", "/q/", "/g/", "little"))
    assert given.table["image_id"].to_pylist() == sorted(given.table["image_id"].to_pylist())
    assert [path.read_bytes() for path in given.files()] == [
        home.files()[home.table["sha256"].to_pylist().index(sha256)].read_bytes()
        for sha256 in given.table["sha256"].to_pylist()
    ]


def test_every_picture_of_the_protocol_is_there_once_and_no_other(home: Manifest, away: Path) -> None:
    one = resolve.resolve(home, PLAN, trains=False)
    query, gallery = hiding.roles(manifest.read(away))
    for part, given in ((one.query, query), (one.gallery, gallery)):
        assert sorted(given.table["sha256"].to_pylist()) == sorted(set(part.table["sha256"].to_pylist()))
    assert len(gallery) == len(one.gallery) - 1  # two of its files are one
    assert len(manifest.read(away)) == len(query) + len(gallery) - 1  # and one of them is asked for and searched


def test_a_manifest_with_labels_is_not_taken_for_one_without(home: Manifest, away: Path) -> None:
    assert hiding.is_hidden(manifest.read(away))
    assert not hiding.is_hidden(home)


@pytest.mark.parametrize("kind", ["vectors", "ranks", "cut"])
@pytest.mark.parametrize("known", [True, False])
def test_whoever_never_saw_a_label_is_scored_as_if_they_had(
    kind: str, known: bool, home: Manifest, away: Path, vectors: Callable[[Manifest], Features], tmp_path: Path
) -> None:
    given, source = manifest.read(away), tmp_path / "v.npz"
    found = vectors(given)
    np.savez(source, features=found.vectors, image_id=found.image_ids)
    depth = 9 if kind == "cut" else None
    if kind != "vectors":
        query, gallery = hiding.roles(given)
        far = ((found.of(query)[:, None].astype(np.float64) - found.of(gallery)[None]) ** 2).sum(axis=2)
        names = gallery.table["image_id"].to_pylist()
        ranked = {
            asker: [names[place] for place in np.argsort(row)]
            for asker, row in zip(query.table["image_id"].to_pylist(), far, strict=True)
        }
        source = handing.lists(tmp_path / "r.parquet", ranked, depth=depth)
    plan = PLAN if known else None
    submission.pack(source, tmp_path / "handed", handing.facts(depth=depth), away, plan)
    board = store.begun(tmp_path / "board")
    row = submission.add(board, tmp_path / "handed", home, PLAN)
    trial = resolve.resolve(home, PLAN, trains=False)
    done = evaluation.evaluate([trial], vectors(home), Options(metric="euclidean", draws=0))
    if kind == "cut":
        assert (row["mAP"], row["R1"]) == (None, done.headline["R1"])
        return
    rows = store.tables(board, row)["queries"].to_pylist()
    assert ranks(rows) == ranks(done.queries.to_pylist())  # the two files that are one tie, here as there
    assert row["mAP"] == done.headline["mAP"]


def test_hidden_pictures_must_all_be_embedded(
    away: Path, vectors: Callable[[Manifest], Features], tmp_path: Path
) -> None:
    found = vectors(manifest.read(away))
    np.savez(tmp_path / "v.npz", features=found.vectors[1:], image_id=found.image_ids[1:])
    with pytest.raises(UserError, match=f"1 of 38 images are missing, such as '{found.image_ids[0]}'"):
        submission.pack(tmp_path / "v.npz", tmp_path / "handed", handing.facts(), away)


def test_without_hashes_hidden_names_are_nobodys(
    home: Manifest, away: Path, vectors: Callable[[Manifest], Features], tmp_path: Path
) -> None:
    found = vectors(manifest.read(away))
    np.savez(tmp_path / "v.npz", features=found.vectors, image_id=found.image_ids)
    submission.pack(tmp_path / "v.npz", tmp_path / "handed", handing.facts())
    with pytest.raises(UserError, match="12 of 12 images are missing"):
        submission.score(tmp_path / "handed", home, protocol.load(PLAN), tmp_path / "bundle")


def test_a_picture_that_changed_since_it_was_measured_is_not_given_away(home: Manifest, tmp_path: Path) -> None:
    hashes = home.table["sha256"].to_pylist()
    hashes[home.table["path"].to_pylist().index("g/001-2.jpg")] = "e" * 64
    with pytest.raises(UserError, match=r"g/001-2.jpg: is not the file that was measured"):
        hiding.hide(home.with_columns(sha256=hashes), protocol.load(PLAN), tmp_path / "given")
    assert not (tmp_path / "given" / "manifest.parquet").exists()


def test_a_folder_that_is_not_empty_is_left_alone(home: Manifest, tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    with pytest.raises(UserError, match="is there and is not empty"):
        hiding.hide(home, protocol.load(PLAN), tmp_path)


def test_the_bundle_of_hidden_work_names_our_own_pictures(
    home: Manifest, away: Path, vectors: Callable[[Manifest], Features], tmp_path: Path
) -> None:
    found = vectors(manifest.read(away))
    np.savez(tmp_path / "v.npz", features=found.vectors, image_id=found.image_ids)
    submission.pack(tmp_path / "v.npz", tmp_path / "handed", handing.facts(), away)
    out = submission.score(tmp_path / "handed", home, protocol.load(PLAN), tmp_path / "bundle", Options(draws=0))
    names = set(results.read(out).tables["lists"]["image_id"].to_pylist())
    assert names <= set(home.table["image_id"].to_pylist())


def test_the_lines_in_the_documents_hide_a_set(home: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "submitting.md").read_text()
    words = next(iter(re.findall(r"^luxreid board (hide .*)$", page, re.MULTILINE))).split()
    words[words.index("--protocol") + 1] = PLAN
    root = next(iter(home.roots.values()))
    manifest.write(home, root / "night.parquet")
    monkeypatch.chdir(root)
    typer.main.get_group(commands.commands()).main(words, "board", standalone_mode=False)
    assert hiding.is_hidden(manifest.read(root / "to-give-away" / "manifest.parquet"))
