"""Silhouettes against a slow twin, which pictures are drawn, and the same plane twice."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark.figures import embedding_map, style
from benchmark.figures.embedding_map import Groups, Points
from benchmark.manifest import Manifest
from tests.benchmark import little


def slow(vectors: NDArray[np.float64], codes: NDArray[np.int64]) -> float:
    """Compare every picture with its own group and with the nearest other one."""
    known = [row for row in range(len(codes)) if codes[row] >= 0]
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = []
    for row in known:
        far = {
            group: [1 - unit[row] @ unit[other] for other in known if codes[other] == group and other != row]
            for group in {codes[other] for other in known}
        }
        own = far.pop(codes[row])
        if not own:
            found.append(0.0)
            continue
        near, next_best = float(np.mean(own)), min(float(np.mean(others)) for others in far.values())
        found.append((next_best - near) / max(near, next_best))
    return float(np.mean(found))


@given(seed=st.integers(0, 200), count=st.integers(5, 14), groups=st.integers(2, 4))
def test_silhouettes_are_those_of_the_definition(seed: int, count: int, groups: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, codes = rng.normal(size=(count, 3)), rng.integers(-1, groups, count)
    got = embedding_map.silhouette(vectors, codes)
    numbers = np.unique(codes[codes >= 0])
    if not 1 < len(numbers) < (codes >= 0).sum():
        assert np.isnan(got)
    else:
        assert got == pytest.approx(slow(vectors, codes), abs=1e-6)


def test_groups_that_lie_apart_have_a_silhouette_of_one() -> None:
    vectors, codes = np.repeat(np.eye(3), 4, axis=0), np.repeat(np.arange(3), 4)
    assert embedding_map.silhouette(vectors, codes) == pytest.approx(1)
    # Lengths are no matter: it is the direction that is compared.
    assert embedding_map.silhouette(vectors * np.arange(1, 13)[:, None], codes) == pytest.approx(1)
    assert np.isnan(embedding_map.silhouette(vectors, np.zeros(12, int)))
    assert np.isnan(embedding_map.silhouette(vectors, np.arange(12)))


def gallery() -> Manifest:
    world = little.world()
    return world.select(world.column("gallery").astype(bool))


def test_people_are_drawn_whole_and_strangers_are_not() -> None:
    world = gallery()
    rows = embedding_map.choose(world, people=5, each=2)
    pids = world.column("pid")[rows].astype(int)
    assert (np.unique(pids, return_counts=True)[1] == 2).all()
    assert len(np.unique(pids)) == 5
    assert pids.min() > 0
    assert rows.tolist() == sorted(rows.tolist())
    assert set(rows) <= set(embedding_map.choose(world, people=6, each=3))
    turned = embedding_map.choose(world.select(np.arange(len(world))[::-1]), people=5, each=2)
    assert turned.tolist() == rows.tolist()  # a manifest stands in the order of its names
    chosen = {tuple(embedding_map.choose(world, people=5, seed=seed)) for seed in range(4)}
    assert len(chosen) > 1


def test_people_with_one_picture_are_left_out_where_there_are_others() -> None:
    world = gallery()
    lone = world.column("image_id").astype(str) == "little/g/003-2.jpg"
    pids = world.select(~lone).column("pid").astype(int)
    rows = embedding_map.choose(world.select(~lone), people=99)
    assert 3 not in pids[rows]
    assert set(pids[rows]) == set(range(1, little.PEOPLE + 1)) - {3}


def test_groups_are_the_columns_of_the_manifest() -> None:
    world = gallery()
    rows = embedding_map.choose(world, people=12)
    found = embedding_map.points(world.select(rows), np.eye(len(rows)))
    part = world.select(rows)
    assert list(found.identity.names) == [str(pid) for pid in range(1, 13)]
    assert [int(found.identity.names[code]) for code in found.identity.codes] == part.column("pid").tolist()
    assert len(found.camera.names) == 2
    assert (found.camera.codes == part.column("camid").astype(int) - 2).all()
    light = part.column("lightness").astype(float)
    assert (found.light.codes == (light >= 25.5).astype(int) + (light >= 51)).all()


def crowd(people: int = 4, each: int = 6, seed: int = 0) -> Points:
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), each)
    vectors = np.eye(8)[who] + 0.05 * rng.normal(size=(len(who), 8))
    names = [f"$person_{number}" for number in range(people)]
    unknown = Groups((), np.full(len(who), -1))
    return Points(vectors, Groups(names, who), Groups(("1", "2"), np.arange(len(who)) % 2), unknown)


def test_people_who_lie_apart_lie_apart_in_the_plane() -> None:
    found = crowd()
    placed = embedding_map.plane(found.vectors)
    far = np.linalg.norm(placed[:, None] - placed[None], axis=2)
    same = found.identity.codes[:, None] == found.identity.codes
    assert far[same].max() < far[~same].min()


def test_the_figure_states_all_three_silhouettes(tmp_path: Path) -> None:
    found = crowd()
    made = embedding_map.lay("$x", found)
    values = [embedding_map.silhouette(found.vectors, groups.codes) for groups in (found.identity, found.camera)]
    said = f"by identity {values[0]:+.2f}, by camera {values[1]:+.2f}, by light level none"
    assert said in made.get_supxlabel()
    assert values[0] > 0.8 > 0.1 > values[1]
    people, light = made.axes
    legend = people.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == list(found.identity.names)
    placed = np.concatenate([np.asarray(part.get_offsets()) for part in people.collections])
    np.testing.assert_array_equal(placed, np.asarray(light.collections[0].get_offsets()))
    again = [style.save(embedding_map.lay("$x", found), tmp_path / name) for name in ("a", "b")]
    assert again[0].read_bytes() == again[1].read_bytes()


def test_many_people_are_told_apart() -> None:
    colours = embedding_map._identity_colours(embedding_map.PEOPLE)
    assert len(set(colours)) == embedding_map.PEOPLE


def test_a_gallery_is_drawn_from_its_manifest() -> None:
    world = gallery()
    made = embedding_map.draw("bot", world, little.vectors(world))
    assert made.get_suptitle() == f"bot: {little.PEOPLE} of {little.PEOPLE} identities of the gallery"
    assert len(made.axes[0].collections) == little.PEOPLE


@pytest.mark.parametrize("vectors", [np.eye(8)[:4], np.zeros((24, 8))])
def test_what_cannot_be_laid_out_is_said(vectors: NDArray[np.float64]) -> None:
    found = crowd()._replace(vectors=vectors)
    assert "nothing to lay out" in embedding_map.lay("x", found).axes[0].texts[0].get_text()
