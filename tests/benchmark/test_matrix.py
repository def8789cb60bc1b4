"""A ready matrix of distances gives the ranks of the vectors it was made of, however its rows and columns stand."""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmark import durable, evaluation, manifest, matrix, resolve
from benchmark.errors import UserError
from benchmark.evaluation import Options
from benchmark.features import Features
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.matrix import Matrix
from benchmark.rerank import Options as Reranking
from tests.benchmark import little

Mistake = Callable[..., AbstractContextManager[None]]

QUICK = Options(metric="euclidean", draws=0)
SAME = ("pos_ranks", "pos_gidx", "n_ties", "n_junk", "n_gallery_eff", "first_rank_id", "ap")


@pytest.fixture(scope="module")
def one() -> Lists:
    return resolve.resolve(little.world())


def names(part: Manifest, column: str = "image_id") -> list[str]:
    found: list[str] = part.table[column].to_pylist()
    return found


def numbers(one: Lists) -> tuple[Features, NDArray[np.float64]]:
    """Give vectors of small whole numbers, and their distances."""
    vectors = np.round(3 * little.vectors(little.world()))
    features = Features(names(little.world()), vectors, {})
    query, gallery = features.of(one.query), features.of(one.gallery)
    return features, np.sqrt(((query[:, None].astype(np.float64) - gallery[None]) ** 2).sum(axis=2))


def stored(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def test_a_matrix_gives_the_ranks_of_the_vectors_it_was_made_of(one: Lists, tmp_path: Path) -> None:
    features, far = numbers(one)
    path = stored(tmp_path / "mine.npz", distances=far, query=names(one.query), gallery=names(one.gallery))
    given = matrix.load(path)
    assert (given.facts, given.sha256) == ({}, durable.sha256(path.read_bytes()))
    found, wanted = (evaluation.evaluate([one], what, QUICK).queries for what in (given, features))
    assert found.select(SAME).to_pylist() == wanted.select(SAME).to_pylist()
    np.testing.assert_allclose(found["d_first_pos"].to_numpy(), wanted["d_first_pos"].to_numpy(), rtol=1e-5)


@pytest.mark.parametrize("column", ["image_id", "path"])
def test_rows_and_columns_stand_in_any_order_and_more_of_them_do_no_harm(column: str, one: Lists) -> None:
    _, far = numbers(one)
    wanted = evaluation.evaluate([one], Matrix(names(one.query), names(one.gallery), far, {}), QUICK).queries
    rng = np.random.default_rng(3)
    rows, columns = rng.permutation(len(one.query)), rng.permutation(len(one.gallery))
    mixed = np.zeros((len(rows) + 1, len(columns) + 1))  # of nobody's row and column, closer than all others
    mixed[:-1, :-1] = far[np.ix_(rows, columns)]
    query, gallery = (names(part, column) for part in (one.query, one.gallery))
    labels = [query[row] for row in rows] + ["nobody"], [gallery[row] for row in columns] + ["nobody"]
    found = evaluation.evaluate([one], Matrix(*labels, mixed, {}), QUICK).queries
    assert found.to_pylist() == wanted.to_pylist()


def test_a_whole_matrix_in_the_order_of_the_lists_is_not_copied(one: Lists) -> None:
    _, far = numbers(one)
    given = Matrix(names(one.query), names(one.gallery), far, {})
    out = np.empty((1, far.shape[1]), np.float32)
    source = given.source(one)
    far[0, 0] = 123
    source.fill(np.array([0]), out)
    assert out[0, 0] == -123


def test_an_image_without_a_name_is_counted(one: Lists, mistake: Mistake) -> None:
    _, far = numbers(one)
    query, gallery = names(one.query), names(one.gallery)
    with mistake(f"distances: 2 of {len(query)} query images are not named, such as {query[0]!r}"):
        Matrix(query[2:], gallery, far[2:], {}).source(one)
    with mistake(f"distances: 1 of {len(gallery)} gallery images are not named, such as {gallery[-1]!r}"):
        Matrix(query, gallery[:-1], far[:, :-1], {}).source(one)


def test_a_path_that_two_sources_share_is_refused(mistake: Mistake) -> None:
    both = manifest.concat([little.world(), _other(little.world())])
    one = resolve.resolve(both)
    query, gallery = (sorted(set(names(part, "path"))) for part in (one.query, one.gallery))
    with mistake("distances: 'q/001.jpg' is the path of several images; use image_id"):
        Matrix(query, gallery, np.zeros((len(query), len(gallery))), {}).source(one)


def _other(first: Manifest) -> Manifest:
    held = [name for name in first.table.column_names if name not in ("image_id", "source", "id_space")]
    return manifest.build({name: first.table[name] for name in held}, "other", Path("/elsewhere"))


def test_numbers_that_are_not_finite_are_refused(one: Lists, mistake: Mistake) -> None:
    _, far = numbers(one)
    for wrong in (np.nan, np.inf, 1e300):
        far[3, 4] = far[5, 0] = wrong
        given = Matrix(names(one.query), names(one.gallery), far, {})
        with mistake(f"distances: 2 of {len(far)} rows are not finite, the first is row 3"):
            evaluation.evaluate([one], given, QUICK)


def test_re_ranking_needs_vectors(one: Lists, mistake: Mistake) -> None:
    _, far = numbers(one)
    given = Matrix(names(one.query), names(one.gallery), far, {})
    with mistake("rerank: a ready matrix is ranked as it is"):
        evaluation.evaluate([one], given, QUICK.model_copy(update={"rerank": Reranking()}))


FAR = np.ones((2, 3), np.float32)
QUERY, GALLERY = np.array(["a", "b"]), np.array(["a", "b", "c"])
GOOD: dict[str, Any] = {"distances": FAR, "query": QUERY, "gallery": GALLERY}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"distances": None}, "has no array 'distances'; a matrix needs distances, query, gallery"),
        ({"query": None, "queries": QUERY}, "has no array 'query'"),
        ({"distances": FAR.T}, "float32 of shape (3, 2), must be floating numbers of 2 queries x 3 gallery rows"),
        ({"distances": FAR.astype(int)}, "int64 of shape (2, 3), must be floating"),
        ({"distances": FAR[0]}, "of shape (3,)"),
        ({"gallery": np.array(["a", "b"])}, "must be floating numbers of 2 queries x 2 gallery rows"),
        ({"query": np.array(["a", "a"])}, "query: 'a' stands twice"),
        ({"gallery": np.array(["a", "c", "c"])}, "gallery: 'c' stands twice"),
        ({"query": np.arange(2)}, "query: is int64 of shape (2,), must be a list of names as text"),
        ({"query": np.array([["a"], ["b"]])}, "query: is <U1 of shape (2, 1)"),
        ({"query": np.array(["a", None])}, "allow_pickle"),
    ],
)
def test_a_file_that_is_no_matrix_is_one_line(
    changed: dict[str, Any], said: str, tmp_path: Path, mistake: Mistake
) -> None:
    arrays = {name: array for name, array in (GOOD | changed).items() if array is not None}
    with mistake(tmp_path / "m.npz", said):
        matrix.load(stored(tmp_path / "m.npz", **arrays))


def test_a_file_that_is_none_of_ours_is_one_line(tmp_path: Path, mistake: Mistake) -> None:
    path = tmp_path / "m.npz"
    with mistake(path, "No such file"):
        matrix.load(path)
    with mistake(tmp_path, "directory"):
        matrix.load(tmp_path)
    single = io.BytesIO()
    np.save(single, FAR)
    for content in (b"", b"PK\x03\x04", b"no archive", single.getvalue()):
        path.write_bytes(content)
        with mistake(path, "not an .npz of distances, or a broken one"):
            matrix.load(path)


@pytest.mark.parametrize("place", range(0, 100, 4))
def test_a_broken_file_is_one_line_or_still_reads(place: int, tmp_path: Path, attempt: Callable[..., Any]) -> None:
    path = stored(tmp_path / "m.npz", **GOOD)
    content = bytearray(path.read_bytes())
    cut = len(content) * place // 100
    content[cut] ^= 0xFF
    path.write_bytes(content)
    attempt(lambda: matrix.load(path), str(path))
    path.write_bytes(content[:cut])
    with pytest.raises(UserError, match="broken"):
        matrix.load(path)
