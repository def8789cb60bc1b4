"""A planted copy is found first; broken pictures are named; tables and sheet say the same."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray

from benchmark import durable, images
from benchmark.errors import UserError
from benchmark.images import Picture
from benchmark.runner import search
from benchmark.runner.search import Pictures
from tests.benchmark.runner import hand
from tests.benchmark.runner.hand import MEAN, STD, Hand

BROKEN = b"\x89PNG but no more"


def colour(pictures: Sequence[Picture]) -> NDArray[np.floating]:
    """Embed by the mean colour, away from grey."""
    return np.array([picture.mean((0, 1)) - 128 for picture in pictures])


def noise(seed: int, shape: tuple[int, int] = (20, 10)) -> Picture:
    rng = np.random.default_rng(seed)
    return np.asarray(rng.integers(0, 60, (*shape, 3)) + rng.integers(0, 196, 3), np.uint8)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Store two queries, and a gallery of 20 in which one of them lies again in a lossless copy of another name."""
    queries, gallery = tmp_path / "who", tmp_path / "where"
    for seed in (1, 2):
        images.save(queries / f"{seed}.png", noise(seed))
    for seed in range(100, 119):
        images.save(gallery / f"cam{seed % 3}" / f"{seed}.png", noise(seed, (10 + seed % 7, 9)))
    images.save(gallery / "cam0" / "zz, again.png", noise(1))
    return queries, gallery


def find(queries: Path, gallery: Path, first: int = 5) -> search.Found:
    return search.search(search.pictures(queries, colour), search.pictures(gallery, colour), first)


def test_a_planted_copy_is_first(folders: tuple[Path, Path]) -> None:
    rows = find(*folders).table().to_pylist()
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5] * 2
    assert (rows[0]["query"], rows[0]["path"]) == ("1.png", "cam0/zz, again.png")
    assert rows[0]["distance"] == pytest.approx(0, abs=1e-6)
    assert all(row["path"] != "cam0/zz, again.png" or row["distance"] > 1e-3 for row in rows[5:])


def test_rankings_are_those_of_a_slow_search(folders: tuple[Path, Path]) -> None:
    found = find(*folders, first=50)
    known = {path: colour([images.load(folders[1], path)])[0] for path in found.gallery.paths}
    for query in found.queries.paths:
        asked = colour([images.load(folders[0], query)])[0]
        far = {p: 1 - asked @ v / (np.linalg.norm(asked) * np.linalg.norm(v)) for p, v in known.items()}
        rows = [row for row in found.table().to_pylist() if row["query"] == query]
        assert [row["path"] for row in rows] == sorted(far, key=lambda path: (round(far[path], 6), path))
        np.testing.assert_allclose([row["distance"] for row in rows], sorted(far.values()), atol=1e-6)


def test_a_folder_that_is_searched_in_itself_finds_no_picture_by_itself(folders: tuple[Path, Path]) -> None:
    _, gallery = folders
    (gallery / "link.png").symlink_to(gallery / "cam0" / "102.png")
    found = find(gallery, gallery / "cam0", first=50)
    rows = found.table().to_pylist()
    inside = [path for path in found.queries.paths if path.startswith("cam0/")]
    assert all(row["query"] != f"cam0/{row['path']}" for row in rows)
    assert not any(row["query"] == "link.png" and row["path"] == "102.png" for row in rows)
    number = len(found.gallery.paths)
    assert len(rows) == len(found.queries.paths) * number - len(inside) - 1
    counts = {query: sum(row["query"] == query for row in rows) for query in found.queries.paths}
    assert {counts[query] for query in inside} == {number - 1}


def test_a_folder_of_another_name_holds_the_same_pictures(folders: tuple[Path, Path]) -> None:
    _, gallery = folders
    (gallery.parent / "alias").symlink_to(gallery)
    for one, other in ((gallery, gallery.parent / "alias"), (gallery.parent / "alias", gallery)):
        assert all(row["query"] != row["path"] for row in find(one, other, first=50).table().to_pylist())


def test_one_picture_may_ask(folders: tuple[Path, Path]) -> None:
    rows = find(folders[0] / "1.png", folders[1], 1).table().to_pylist()
    assert [(row["query"], row["path"]) for row in rows] == [("1.png", "cam0/zz, again.png")]


def test_equal_distances_go_by_path() -> None:
    paths = tuple(f"{number:03d}" for number in range(200))
    many = Pictures(Path("/g"), paths, np.tile(np.array([[1, 1, 1], [1, 1, -1]], np.float32), (100, 1)))
    one = Pictures(Path("/q"), ("q",), np.ones((1, 3), np.float32))
    assert search.search(one, many, 200).rows.tolist() == [[*range(0, 200, 2), *range(1, 200, 2)]]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, folders: tuple[Path, Path]) -> None:
    whole = find(*folders).table()
    monkeypatch.setattr(search, "ROWS", 3)
    monkeypatch.setattr(search, "SCORES", 20)
    assert find(*folders).table().equals(whole)


def test_broken_pictures_are_named_and_the_rest_is_searched(folders: tuple[Path, Path]) -> None:
    queries, gallery = folders
    whole = find(queries, gallery).table()
    durable.write_bytes(gallery / "a.png", BROKEN)
    durable.write_bytes(gallery / "cam1" / "empty.jpg", b"")
    images.save(gallery / "grey.png", np.full((8, 8, 3), 128, np.uint8))
    found = search.pictures(gallery, colour)
    assert [path for path, _ in found.broken] == ["a.png", "cam1/empty.jpg", "grey.png"]
    assert dict(found.broken)["cam1/empty.jpg"] == "the file is empty"
    assert dict(found.broken)["grey.png"] == "its vector is no direction"
    assert find(queries, gallery).table().equals(whole)


def test_where_nothing_can_be_used_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no picture"):
        search.pictures(tmp_path, colour)
    durable.write_bytes(tmp_path / "a.png", BROKEN)
    durable.write_bytes(tmp_path / "b.jpg", b"")
    with pytest.raises(UserError, match=r"none of 2 pictures can be used; a.png: ") as raised:
        search.pictures(tmp_path, colour)
    assert str(tmp_path / "a.png") not in str(raised.value)
    with pytest.raises(UserError, match="no such folder"):
        search.pictures(tmp_path / "none", colour)


def test_no_picture_at_all_is_asked_for(folders: tuple[Path, Path]) -> None:
    with pytest.raises(UserError, match="--first 0: must be 1 or more"):
        find(*folders, first=0)


def test_tables_and_sheet_say_the_same(folders: tuple[Path, Path], tmp_path: Path) -> None:
    found = find(*folders, first=12)
    parquet, text, picture = search.write(found, tmp_path / "out")
    table = pq.read_table(parquet)
    assert table.schema.equals(search.TABLE)
    with text.open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [(row["query"], int(row["rank"]), row["path"]) for row in read] == [
        (row["query"], row["rank"], row["path"]) for row in table.to_pylist()
    ]
    np.testing.assert_allclose([float(row["distance"]) for row in read], table["distance"].to_numpy(), atol=1e-6)
    assert picture.exists()
    made = search.draw(found)
    assert len(made.axes) == 2 * (1 + search.SHOWN)
    shown = np.asarray(made.axes[1].images[0].get_array())
    np.testing.assert_array_equal(shown, noise(1))
    assert "2 queries, searched in 20 pictures" in made.texts[0].get_text()


def test_a_sheet_shows_the_first_of_many_queries(folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "QUERIES", 3)
    made = search.draw(find(folders[1], folders[1], first=2))
    assert len(made.axes) == 3 * 3
    assert "20 queries, 3 of them shown" in made.texts[0].get_text()


def test_a_picture_that_vanished_leaves_a_grey_one(folders: tuple[Path, Path]) -> None:
    found = find(*folders)
    (folders[1] / "cam0" / "zz, again.png").unlink()
    shown = np.asarray(search.draw(found).axes[1].images[0].get_array())
    assert len(np.unique(shown)) == 1


@pytest.mark.parametrize("flip", ["none", "sum"])
def test_a_trained_network_sees_pictures_of_any_size(flip: str) -> None:
    method = Hand(flip=flip)
    sized = [noise(seed, hand.SIZE) for seed in range(3)]
    got = search.embedder(hand.trained(method))(sized)
    pixels = torch.from_numpy(np.stack(sized)).permute(0, 3, 1, 2).double() / 255
    mean, std = (torch.tensor(part).reshape(3, 1, 1) for part in (MEAN, STD))
    parts = [pixels, pixels.flip(3)] if flip == "sum" else [pixels]
    vectors = [method.embed(((part - mean) / std).float(), hand.context(3)) for part in parts]
    np.testing.assert_allclose(got, torch.stack(vectors).sum(0).detach().numpy(), atol=2e-2 * np.abs(got).max())
    others = search.embedder(hand.trained(method))([noise(7, (50, 20)), noise(8, (3, 4))])
    assert others.shape == (2, 5)
    assert np.isfinite(others).all()


def test_a_network_that_wants_the_camera_is_refused() -> None:
    with pytest.raises(UserError, match="Hand embeds with the camera"):
        search.embedder(hand.trained(Hand(cameras=True)))
