"""The loader: every batch is a function of its place, on whatever way its pixels come."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as tv
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import binom, chisquare

from benchmark import images, manifest
from benchmark.images import Picture
from benchmark.manifest import Manifest
from benchmark.runner import augment, cache
from benchmark.runner.batches import Step
from benchmark.runner.cache import Cache
from benchmark.runner.interfaces import Batch, Layout, Needs
from benchmark.runner.loader import Loader, shown, statistics
from benchmark.runner.pool import Pool, Source, pool
from benchmark.runner.recipe import Augment

Texture = Callable[[int, int, int], Picture]
Mistake = Callable[..., Any]

SIZE = (24, 12)
NONE = Augment(flip=0, pad=0, erase=0)
VIEWS = ("raw", "resized", "parent")
PEOPLE, EACH = 4, 3


@pytest.fixture
def sets(tmp_path: Path, texture: Texture) -> dict[str, Manifest]:
    """Lay out a day of 12 pictures, JPEG and PNG in turns, and two nights of six of them."""
    day, night = [], []
    for number in range(PEOPLE * EACH):
        path = f"{number:02d}.{'png' if number % 2 else 'jpg'}"
        images.save(tmp_path / "day" / path, texture(number, 30 + number, 17), sync=False)
        day.append({"path": path, "pid": number // EACH + 1, "camid": number % 3, "time": "day"})
        for turn in range(2 * (number % 2)):
            dark = f"{number:02d}-{turn}.png"
            images.save(tmp_path / "night" / dark, texture(number, 30 + number, 17) // (4 + turn), sync=False)
            night.append({"path": dark, "pid": number // EACH + 1, "time": "night", "parent": f"day/{path}"})
    return {
        "day": manifest.build({name: [row[name] for row in day] for name in day[0]}, "day", tmp_path / "day"),
        "night": manifest.build(
            {name: [row[name] for row in night] for name in night[0]} | {"id_space": ["day"] * len(night)},
            *("night", tmp_path / "night"),
        ),
    }


def kept(of: Pool, folder: Path) -> list[Cache]:
    return [cache.opened(one, SIZE, "bicubic", folder) for one in of.pictures]


def steps(count: int = 6, rows: int = 12) -> list[Step]:
    """Draw batches of 2 identities x 2 in two halves."""
    rng = np.random.default_rng(0)
    return [Step(rng.integers(0, rows, 8), Layout(("a", "b"), 2, 2)) for _ in range(count)]


def loader(sets: dict[str, Manifest], folder: Path, options: Augment = NONE, **more: Any) -> Loader:  # noqa: ANN401
    """Make a loader of the day with its nights."""
    needs = more.pop("needs", Needs(views=VIEWS))
    of = pool([Source("day", sets["day"], sets["night"], more.pop("probability", 0.5))])
    return Loader(of, kept(of, folder), needs, options, SIZE, more.pop("seed", 0), "cpu", **more)


def same(one: Batch, other: Batch) -> bool:
    names = ("images", "label", "person", "domain", "camera", "modality", "night", "row")
    equal = all(torch.equal(getattr(one, name), getattr(other, name)) for name in names)
    return equal and all(torch.equal(one.views[name], other.views[name]) for name in one.views)


def slow(of: Manifest, row: int) -> torch.Tensor:
    """Decode, resize and convert with Pillow and torchvision alone."""
    found: torch.Tensor = tv.to_tensor(Image.open(of.files()[row]).convert("RGB").resize(SIZE[::-1], Image.BICUBIC))  # type: ignore[attr-defined]
    return found


def test_without_augmentation_it_is_pillow_and_torchvision_bit_for_bit(
    sets: dict[str, Manifest], tmp_path: Path
) -> None:
    load = loader(sets, tmp_path, probability=0)
    normalise = load.needs.normalise
    plain = list(load.plain())
    assert torch.cat([batch.row for batch in plain]).tolist() == list(range(12))
    for batch in (*plain, *load.epoch(steps(), 0, 0)):
        for place, row in enumerate(batch.row.tolist()):
            wanted = slow(sets["day"], row)
            assert torch.equal(batch.images[place], tv.normalize(wanted, *normalise))
            assert all(torch.equal(batch.views[name][place], wanted) for name in VIEWS)
    load.close()


def test_what_is_known_of_a_row_stands_beside_it(sets: dict[str, Manifest], tmp_path: Path) -> None:
    load = loader(sets, tmp_path, probability=0)
    for batch, step in zip(load.epoch(steps(), 0, 0), steps(), strict=True):
        assert batch.row.tolist() == step.rows.tolist()
        assert batch.label.tolist() == (step.rows // EACH).tolist()
        assert batch.camera.tolist() == (step.rows % 3 - 1).tolist()
        assert not batch.domain.any()
        assert not batch.modality.any()
        assert not batch.night.any()
        assert batch.layout == step.layout


def test_an_epoch_is_a_function_of_its_place_whatever_came_before(sets: dict[str, Manifest], tmp_path: Path) -> None:
    options = Augment(pad=3, erase_fill="noise", colour=0.5)
    fresh = loader(sets, tmp_path, options)
    whole = list(fresh.epoch(steps(), 1, 7))
    used = loader(sets, tmp_path, options)
    abandoned = used.epoch(steps(), 0, 3)
    next(abandoned)
    list(used.plain())
    rest = list(used.epoch(steps(), 1, 7, first=4))
    assert len(rest) == 2
    assert all(same(one, other) for one, other in zip(rest, whole[4:], strict=True))
    assert same(next(iter(used.epoch(steps(), 1, 7))), whole[0])
    for at in ((0, 7), (1, 8)):
        assert not same(next(iter(used.epoch(steps(), *at))), whole[0])
    assert not same(next(iter(loader(sets, tmp_path, options, seed=1).epoch(steps(), 1, 7))), whole[0])


def test_processes_share_the_very_batch_of_one(sets: dict[str, Manifest], tmp_path: Path) -> None:
    options = Augment(pad=3, colour=0.5, grey=0.3)
    whole = list(loader(sets, tmp_path, options).epoch(steps(), 0, 0))
    shares = [list(loader(sets, tmp_path, options, rank=rank, world=2).epoch(steps(), 0, 0)) for rank in range(2)]
    for batch, *parts in zip(whole, *shares, strict=True):
        assert [part.layout for part in parts] == [Layout(("a", "b"), 1, 2)] * 2
        for name in ("images", "row", "night"):
            halves = [getattr(part, name).unflatten(0, (2, -1)) for part in parts]
            assert torch.equal(torch.cat(halves, 1).flatten(0, 1), getattr(batch, name))


def test_pictures_that_lie_on_the_device_give_the_same_bits(sets: dict[str, Manifest], tmp_path: Path) -> None:
    options = Augment(pad=3, erase_fill="noise")
    streamed = loader(sets, tmp_path, options)
    resident = loader(sets, tmp_path, options, resident=True)
    assert all(same(one, other) for one, other in zip(streamed.plain(), resident.plain(), strict=True))
    pairs = zip(streamed.epoch(steps(), 0, 0), resident.epoch(steps(), 0, 0), strict=True)
    assert all(same(one, other) for one, other in pairs)


@pytest.mark.gpu
@pytest.mark.parametrize("resident", [True, False])
def test_a_gpu_gives_the_same_bits(sets: dict[str, Manifest], tmp_path: Path, resident: bool) -> None:
    options = Augment(pad=3, erase_fill="noise")
    here = loader(sets, tmp_path, options)
    of = here.pool
    there = Loader(of, kept(of, tmp_path), here.needs, options, SIZE, 0, "cuda", resident=resident)
    for one, other in zip(here.epoch(steps(), 0, 0), there.epoch(steps(), 0, 0), strict=True):
        assert torch.equal(one.images, other.images.cpu())
        assert all(torch.equal(one.views[name], other.views[name].cpu()) for name in VIEWS)


def test_a_row_with_nights_is_one_of_them_as_often_as_was_asked(sets: dict[str, Manifest]) -> None:
    of = pool([Source("day", sets["day"], sets["night"], 0.3)])
    rows = np.tile(np.arange(12), 2000)
    draws = augment.draw(NONE, SIZE, 0, 0, 0, 0, np.arange(len(rows)))
    found = shown(of, rows, draws)
    with_nights = rows % 2 == 1
    assert np.array_equal(found[~with_nights], rows[~with_nights])
    swapped = with_nights & (found != rows)
    low, high = binom.ppf([5e-7, 1 - 5e-7], int(with_nights.sum()), 0.3)
    assert low <= swapped.sum() <= high
    parents = sets["night"].column("parent")[found[swapped] - 12]
    assert np.array_equal(parents, sets["day"].column("image_id")[rows[swapped]])
    assert chisquare(np.bincount(found[swapped] - 12)).pvalue > 1e-3
    assert shown(of, rows[:0], augment.draw(NONE, SIZE, 0, 0, 0, 0, np.arange(0))).tolist() == []


@pytest.mark.parametrize(("probability", "always"), [(1.0, True), (0.0, False)])
def test_a_night_is_seen_as_night_and_its_parent_is_the_day(
    probability: float, always: bool, sets: dict[str, Manifest], tmp_path: Path
) -> None:
    load = loader(sets, tmp_path, probability=probability)
    for batch in load.epoch(steps(), 0, 0):
        assert torch.equal(batch.night == 1, (batch.row % 2 == 1) & always)
        for place, row in enumerate(batch.row.tolist()):
            assert torch.equal(batch.views["parent"][place], slow(sets["day"], row))
            assert torch.equal(batch.views["parent"], batch.views["raw"]) != bool((batch.night == 1).any())


def test_a_synthetic_part_finds_its_parents(sets: dict[str, Manifest], tmp_path: Path) -> None:
    of = pool([Source("night", sets["night"], parents=sets["day"])])
    load = Loader(of, kept(of, tmp_path), Needs(views=("parent",)), Augment(pad=3), SIZE, 0, "cpu")
    for batch in load.plain():
        for place, row in enumerate(batch.row.tolist()):
            parent = sets["day"].column("image_id").tolist().index(sets["night"].column("parent")[row])
            assert torch.equal(batch.views["parent"][place], slow(sets["day"], parent))


def test_statistics_are_those_of_all_training_pictures(sets: dict[str, Manifest], tmp_path: Path) -> None:
    load = loader(sets, tmp_path, needs=Needs(normalise="data"))
    everything = np.concatenate([one.pixels for one in load.caches[:1]]).astype(np.float64) / 255
    mean, std = load.normalise
    assert np.allclose(mean, everything.mean((0, 1, 2)), rtol=1e-12)
    assert np.allclose(std, everything.std((0, 1, 2)), rtol=1e-9)
    made = torch.cat([batch.images for batch in load.plain()])
    assert abs(made.mean((0, 2, 3))).max() < 1e-5
    assert abs(made.std((0, 2, 3)) - 1).max() < 1e-3


def test_pictures_of_one_colour_have_no_deviation_to_divide_by(mistake: Mistake) -> None:
    flat = Cache(np.zeros((1, 1, 1, 3), np.uint8), "", Path(), cache.Sums(10, (70, 70, 70), (490, 490, 490)))
    with mistake("training", "one colour"):
        statistics([flat])


def test_a_stage_without_images_opens_no_picture(
    sets: dict[str, Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = loader(sets, tmp_path)
    known = list(load.epoch(steps(), 0, 0))

    def refuse(*_: object) -> None:
        raise AssertionError("a picture was read")

    monkeypatch.setattr(Cache, "gather", refuse)
    for batch, full in zip(load.epoch(steps(), 0, 0, images=False), known, strict=True):
        assert batch.images.shape == (0, 3, *SIZE)
        assert not batch.views
        assert torch.equal(batch.row, full.row)
        assert torch.equal(batch.night, full.night)


def test_what_goes_wrong_in_the_thread_is_raised_in_the_loop(
    sets: dict[str, Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = loader(sets, tmp_path)
    gather, calls = Cache.gather, []

    def failing(self: Cache, rows: NDArray[np.int64], out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        calls.append(rows)
        if len(calls) == 9:
            raise OSError("the disk is gone")
        return gather(self, rows, out)

    monkeypatch.setattr(Cache, "gather", failing)
    with pytest.raises(OSError, match="the disk is gone"):
        list(load.epoch(steps(30), 0, 0))
    assert 0 < len(calls) < 20
    load.close()


def test_only_a_few_batches_are_made_ahead(
    sets: dict[str, Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = loader(sets, tmp_path)
    asked = []
    prepared = load._prepared

    def watched(step: Step, at: tuple[int, int, int], images: bool) -> Any:  # noqa: ANN401
        asked.append(at[2])
        return prepared(step, at, images)

    monkeypatch.setattr(load, "_prepared", watched)
    batches = load.epoch(steps(20), 0, 0)
    for _ in range(3):
        next(batches)
    load.close()
    assert asked[:3] == [0, 1, 2]
    assert len(asked) <= 5


def test_waiting_is_counted(sets: dict[str, Manifest], tmp_path: Path) -> None:
    load = loader(sets, tmp_path)
    assert load.waited == 0
    list(load.epoch(steps(), 0, 0))
    assert load.waited > 0


def rows_of(batches: Sequence[Batch]) -> list[int]:
    return [row for batch in batches for row in batch.row.tolist()]


def test_two_domains_are_read_from_two_caches(sets: dict[str, Manifest], tmp_path: Path) -> None:
    day = sets["day"].select(np.arange(EACH, 12))  # all but the first person: whoever is 1 by night is 0 here
    of = pool([Source("night", sets["night"]), Source("day", day)])
    load = Loader(of, kept(of, tmp_path), Needs(), NONE, SIZE, 0, "cpu")
    drawn = [Step(np.array([13, 0, 20, 5, 12, 11, 12, 0]), None)]
    (batch,) = load.epoch(drawn, 0, 0)
    assert rows_of([batch]) == drawn[0].rows.tolist()
    assert batch.domain.tolist() == [1, 0, 1, 0, 1, 0, 1, 0]
    pids = np.concatenate([sets["night"].column("pid"), day.column("pid")])
    for found, rows in ((batch, drawn[0].rows), *((plain, plain.row.numpy()) for plain in load.plain())):
        assert found.person.tolist() == (pids[rows] - 1).tolist()
        assert found.label.tolist() == np.where(rows < 12, pids[rows] - 1, pids[rows] - 2).tolist()
    names = [sets["night"]] * 12 + [day] * 9
    for place, row in enumerate(batch.row.tolist()):
        assert torch.equal(batch.images[place], tv.normalize(slow(names[row], row % 12), *load.normalise))
