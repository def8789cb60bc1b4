"""Grad-CAM by hand, evidence planted in a corner, and shares of a mask that add up."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmark import durable, executors, images, manifest, measure, resolve
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.protocol import Protocol
from benchmark.runner import activation, cache
from benchmark.runner.activation import Inside
from benchmark.runner.interfaces import Context, Look
from tests.benchmark import little
from tests.benchmark.runner import hand
from tests.benchmark.runner.hand import HOW, MEAN, STD, Colours, Hand, Tokens

Array = NDArray[np.float64]


def normal(pixels: Tensor) -> Array:
    shape = (1, 3, 1, 1)
    return np.asarray((pixels.double().numpy() - np.reshape(MEAN, shape)) / np.reshape(STD, shape))


def convolved(method: Hand, pixels: Tensor) -> Array:
    """Give the maps patch by patch."""
    weight, bias = (part.detach().double().numpy() for part in method.maps.parameters())
    made = np.zeros((len(pixels), 4, 4, 2))
    for row, column in np.ndindex(4, 2):
        patch = normal(pixels)[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        made[:, :, row, column] = np.einsum("bchw,ochw->bo", patch, weight) + bias
    return made


def slope_of_cosine(vector: Array, target: Array) -> Array:
    """Differentiate the cosine by the vector."""
    length, other = np.linalg.norm(vector), np.linalg.norm(target)
    return np.asarray(target / (length * other) - (vector @ target) * vector / (length**3 * other))


def by_hand(method: Hand, pixels: Tensor, targets: Tensor, prefix: Array | None) -> Array:
    """Weigh channels by their mean slope; `prefix` is the token that has no place."""
    mix, found = method.mix.weight.detach().double().numpy(), []
    for maps, target in zip(convolved(method, pixels), targets.double().numpy(), strict=True):
        places = 8 if prefix is None else 9
        used = np.maximum(maps, 0) if prefix is None else maps
        pooled = (used.sum((1, 2)) + (0 if prefix is None else prefix)) / places
        channel = mix.T @ slope_of_cosine(mix @ pooled, target) / places
        slopes = channel[:, None, None] * np.where(maps > 0, 1.0, 0.0 if prefix is None else 1.0)
        found.append(np.maximum((slopes.mean((1, 2))[:, None, None] * maps).sum(0), 0))
    return np.array(found)


@pytest.mark.parametrize("seed", range(3))
def test_maps_and_tokens_are_what_a_pencil_finds(seed: int) -> None:
    pixels, targets = hand.pixels(6, seed), torch.from_numpy(np.random.default_rng(seed).normal(size=(6, 5)))
    for method in (Hand(), Tokens()):
        prefix = method.rows.first.detach().double().numpy()[0, 0] if isinstance(method, Tokens) else None
        got = activation.maps(method, pixels, hand.context(6), HOW, targets).numpy()
        wanted = by_hand(method, pixels, targets, prefix)
        assert wanted.any()
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)


def corner(row: int, column: int) -> Tensor:
    """Paint a green picture that is red in one of 4 x 2 patches."""
    made = torch.zeros(1, 3, *hand.SIZE)
    made[:, 1] = 0.9
    made[:, :, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = torch.tensor([0.9, 0, 0])[:, None, None]
    return made


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (3, 0), (3, 1)])
@pytest.mark.parametrize("flip", ["none", "sum"])
def test_evidence_in_a_corner_is_found_there(place: tuple[int, int], flip: str) -> None:
    plain = replace(HOW, normalise=((0.0,) * 3, (1.0,) * 3))
    red = torch.tensor([[1.0, 0.0, 0.0]])
    found = activation.maps(Colours(flip=flip), corner(*place), hand.context(1), plain, red)[0]
    assert found[place] > 0
    assert found.sum() == found[place]


def test_mirror_images_add_what_they_see_where_it_is() -> None:
    pixels, targets = hand.pixels(3), torch.rand(3, 3)
    alone, both = (
        activation.maps(Colours(flip=flip), pixels, hand.context(3), HOW, targets) for flip in ("none", "sum")
    )
    # This network sees a mirror image as it sees the picture: both vectors are equal, and each has half of the slope.
    torch.testing.assert_close(alone, both)


class Twice(Hand):
    """Embeds a picture and its negative by the same maps."""

    def embed(self, images: Tensor, context: Context) -> Tensor:
        return super().embed(images, context) + super().embed(-images, context)


def test_maps_of_several_calls_are_added() -> None:
    method, pixels, targets = Twice(), hand.pixels(2), torch.rand(2, 5)
    kept = [method.maps(images).detach().requires_grad_() for images in (pixels, -pixels)]
    made = torch.stack([method.mix(output.relu().mean((2, 3))) for output in kept]).sum(0)
    slopes = torch.autograd.grad(torch.cosine_similarity(made, targets).sum(), kept)
    parts = [(slope.mean((2, 3), keepdim=True) * output).sum(1) for slope, output in zip(slopes, kept, strict=True)]
    wanted = torch.stack(parts).relu().sum(0).detach()
    how = replace(HOW, normalise=((0.0,) * 3, (1.0,) * 3))
    torch.testing.assert_close(activation.maps(method, pixels, hand.context(2), how, targets), wanted)


def test_looking_leaves_nothing_behind() -> None:
    method = Hand().train()
    method.mix.eval()
    method.requires_grad_(False)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    found = activation.maps(method, hand.pixels(2), hand.context(2), HOW, torch.rand(2, 5))
    assert not found.requires_grad
    assert [module.training for module in (method, method.maps, method.mix)] == [True, True, False]
    assert not method.maps._forward_hooks
    assert all(parameter.grad is None for parameter in method.parameters())
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())


def test_a_picture_is_seen_alone_as_in_a_batch() -> None:
    pixels, targets = hand.pixels(4), torch.rand(4, 5)
    whole = activation.maps(Hand(), pixels, hand.context(4), HOW, targets)
    alone = [
        activation.maps(Hand(), pixels[row : row + 1], hand.context(1), HOW, targets[row : row + 1]) for row in range(4)
    ]
    torch.testing.assert_close(whole, torch.cat(alone))


class Pair(nn.Module):
    """Gives its input twice."""

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        return maps, maps


@pytest.mark.parametrize(
    ("look", "message"),
    [
        (None, "Hand: says not where it looks"),
        (Look(nn.Identity()), "do not depend on what its `look` gives"),
        ("mix", r"look: gives \(2, 5\) for 2 pictures, must give B x C x h x w"),
        ("maps", r"look: gives \(2, 4, 4, 2\) for 2 pictures, must give 4 x 2 tokens"),
    ],
)
def test_a_look_that_shows_nothing_is_refused(look: Look | str | None, message: str) -> None:
    method = Hand()
    method.look = look if not isinstance(look, str) else Look(getattr(method, look), (4, 2) if look == "maps" else None)
    with pytest.raises(UserError, match=message):
        activation.maps(method, hand.pixels(2), hand.context(2), HOW, torch.rand(2, 5))


def test_a_look_that_gives_two_tensors_is_refused() -> None:
    method = Hand()
    method.maps = nn.Sequential(method.maps, Pair())  # type: ignore[assignment]
    method.look = Look(method.maps)
    with pytest.raises(UserError, match="look: Sequential gives tuple, must give one tensor"):
        activation.maps(method, hand.pixels(2), hand.context(2), HOW, torch.rand(2, 5))


def plan() -> Protocol:
    roles = {"train": {"split": ["train"]}, "query": {"query": [True]}, "gallery": {"gallery": [True]}}
    return Protocol.model_validate({"name": "test", "title": "test"} | roles)


def test_the_target_is_the_mean_of_what_a_query_may_find() -> None:
    # Queries are in the gallery too, and one person's second picture is at the query's own place.
    rows = [row | {"gallery": row["split"] == "test"} for row in little.rows()]
    rows[little.PEOPLE]["camid"] = 1
    lists = resolve.resolve(little.world(rows), plan())
    vectors = little.vectors(lists.gallery).astype(np.float64)
    got = activation.targets(lists, vectors)
    known = {part: part.table.select(["image_id", "pid", "place"]).to_pylist() for part in (lists.query, lists.gallery)}
    for query, found in zip(known[lists.query], got, strict=True):
        right = [
            vector / np.linalg.norm(vector)
            for row, vector in zip(known[lists.gallery], vectors, strict=True)
            if row["pid"] == query["pid"] and row["place"] != query["place"]
        ]
        assert len(right) == (1 if query["pid"] == 1 else 2)
        np.testing.assert_allclose(found, np.mean(right, axis=0), rtol=1e-5, atol=1e-6)


def test_a_query_without_a_positive_has_no_target() -> None:
    rows = [row for row in little.rows() if not (row["pid"] == 3 and row["gallery"])]
    lists = resolve.resolve(little.world(rows), plan())
    found = activation.targets(lists, little.vectors(lists.gallery)).any(axis=1)
    assert found.tolist() == [pid != 3 for pid in lists.query.column("pid")]


sides = st.integers(1, 7)


@given(h=sides, w=sides, rows=sides, columns=sides, seed=st.integers(0, 99))
def test_shares_add_up_and_are_those_of_the_finest_grid(h: int, w: int, rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    found, mask = rng.random((h, w)), (rng.random((rows, columns)) < 0.5).astype(float)
    inside, outside = activation.inside(found, mask), activation.inside(found, 1 - mask)
    assert inside.share + outside.share == pytest.approx(1)
    assert inside.area + outside.area == pytest.approx(1)
    # On a grid that both fit in, every pixel is inside or outside.
    fine = np.kron(found, np.ones((rows, columns))) * np.kron(mask, np.ones((h, w)))
    assert inside.share == pytest.approx(fine.sum() / (found.sum() * rows * columns))
    assert inside.area == pytest.approx(mask.mean())
    assert activation.inside(np.full((h, w), 0.3), mask).share == pytest.approx(mask.mean())


def test_a_map_of_nothing_has_no_share() -> None:
    share, area = activation.inside(np.zeros((2, 2)), np.eye(2))
    assert np.isnan(share)
    assert area == 0.5


def red_people(folder: Path) -> Manifest:
    """Store people who are red and green patches before blue, each with a mask of their patches."""
    rng, rows = np.random.default_rng(0), list[dict[str, Any]]()
    for pid in range(1, 7):
        for camid in (1, 2):
            picture, mask = np.zeros((32, 16, 3), np.uint8), np.zeros((32, 16, 3), np.uint8)
            picture[..., 2] = 40 * pid + camid  # the same file twice would be the query's own copy
            top, left = 8 * rng.integers(4), 8 * rng.integers(2)
            picture[top : top + 8, left : left + 8] = (40 * pid, 250 - 40 * pid, 0)
            mask[top : top + 8, left : left + 8] = 255
            name = f"{pid}_{camid}.png"
            images.save(folder / name, picture)
            images.save(folder / "mask" / name, mask)
            row = {"path": name, "mask": f"mask/{name}", "pid": pid, "camid": camid, "split": "test", "time": "night"}
            rows.append(row | {"query": camid == 1, "gallery": camid == 2})
    rows.append(rows[0] | {"path": "t.png", "pid": 99, "split": "train", "query": False, "mask": None})
    images.save(folder / "t.png", np.zeros((4, 4, 3), np.uint8))
    made = manifest.build({name: [row[name] for row in rows] for name in rows[0]}, "red", folder)
    return measure.measure(made, folder / "shards", executors.serial)


def test_from_pictures_to_figures_and_a_table(tmp_path: Path) -> None:
    data = red_people(tmp_path / "data")
    # Nobody can find the second person, who is left out.
    lists = resolve.resolve(data.select(data.column("path").astype(str) != "2_2.png"), plan())
    kept = cache.opened(lists.query, hand.SIZE, "box", tmp_path / "cache")
    plain = replace(HOW, normalise=((0.0,) * 3, (1.0,) * 3))
    # Targets are red and green and not blue, so what is seen lies in the person's patch and nowhere else.
    vectors = np.tile(np.array([[1.0, 1.0, 0.0]]), (len(lists.gallery), 1))
    out = tmp_path / "out"
    paths = list(activation.draw("red", Colours(), lists, vectors, plain, kept, out))
    assert [path.name for path in paths] == ["activation.png", "activation.parquet", "activation-shares.png"]
    table = pq.read_table(paths[1])
    assert table.schema.equals(activation.TABLE)
    asked = lists.query.select(lists.query.column("pid") != 2)
    assert table["image_id"].to_pylist() == asked.table["image_id"].to_pylist()
    assert len(table) == 5
    np.testing.assert_allclose(table["share"].to_numpy(), 1, rtol=1e-6)
    np.testing.assert_allclose(table["area"].to_numpy(), 1 / 8, rtol=1e-6)
    for name in ("lightness", "stops"):
        assert table[name].to_pylist() == asked.table[name].to_pylist()
    again = list(activation.draw("red", Colours(), lists, vectors, plain, kept, tmp_path / "again"))
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]
    levels = dict(activation.levels(lists.query, table))
    assert list(levels) == ["night600-light", "stops-5"]
    assert sum(len(level.share) for level in levels["stops-5"]) == len(table)


def test_without_masks_there_is_a_figure_and_no_table(tmp_path: Path) -> None:
    data = red_people(tmp_path / "data").with_columns(mask=[None] * 13)
    lists = resolve.resolve(data, plan())
    kept = cache.opened(lists.query, hand.SIZE, "box", tmp_path / "cache")
    vectors = np.eye(3)[np.zeros(len(lists.gallery), int)]
    paths = activation.draw("red", Colours(), lists, vectors, HOW, kept, tmp_path / "out")
    assert [path.name for path in paths] == ["activation.png"]


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    data = red_people(tmp_path)
    row = int(np.flatnonzero(data.column("path").astype(str) == "2_1.png")[0])
    assert activation.mask(data, row) is not None
    images.save(tmp_path / "mask" / "2_1.png", np.zeros((8, 4, 3), np.uint8))
    with pytest.raises(UserError, match=r"mask/2_1.png: is 4 x 8, its picture 16 x 32"):
        activation.mask(data, row)
    durable.write_bytes(tmp_path / "mask" / "2_1.png", b"")
    with pytest.raises(UserError, match=r"mask/2_1.png: the file is empty"):
        activation.mask(data, row)


def test_nothing_activated_is_null_in_the_table(tmp_path: Path) -> None:
    data = red_people(tmp_path)
    found = np.zeros((len(data), 4, 2), np.float32)
    found[1] = 1
    table = activation.table(data, found)
    assert len(table) == len(data) - 1  # one has no mask
    assert table["share"].null_count == len(table) - 1
    assert table["share"][1].as_py() == table["area"][1].as_py() == Inside(1 / 8, 1 / 8).share
