"""The stand-in loop: batches are what they say, it learns, and it stops at a broken loss."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from baselines.methods import stand_in
from benchmark.errors import UserError
from benchmark.runner import train
from benchmark.runner.interfaces import Batch, Moment, Stage, TrainingSet, World


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pictures(people: int = 8, each: int = 6) -> train.Pictures:
    """Make people who differ by colour, under noise."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (people, 1, 1, 1, 3))
    noise = rng.integers(-20, 21, (people, each, 32, 16, 3))
    pixels = np.clip(colours + noise, 0, 255).astype(np.uint8).reshape(-1, 32, 16, 3)
    label = np.repeat(np.arange(people), each)
    zero = np.zeros(len(label), np.int64)
    return train.Pictures(pixels, label, zero, zero, zero)


def method(**config: float) -> stand_in.StandIn:
    torch.manual_seed(0)
    return stand_in.build(stand_in.Config(**config), World({"a": 8}, 1, ("visible",), (32, 16)))  # type: ignore[arg-type]


def test_it_learns_eight_identities() -> None:
    network, data = method(), pictures()
    losses = train.train(network, data, seed=0)
    vectors = train.embed(network, data)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = vectors @ vectors.T - 2 * np.eye(len(vectors))
    assert losses[-1] < losses[0] / 2
    assert (data.label[scores.argmax(axis=1)] == data.label).mean() > 0.95


def test_equal_seeds_give_equal_runs_and_others_do_not() -> None:
    runs = [train.train(method(epochs=2), pictures(), seed) for seed in (0, 0, 1)]
    assert runs[0] == runs[1] != runs[2]


class Spy(stand_in.StandIn):
    """Remembers the labels it was given."""

    def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        self.seen: list[Tensor] = [*getattr(self, "seen", []), batch.label]
        self.rows: list[Tensor] = [*getattr(self, "rows", []), batch.row]
        return super().losses(batch, at)


def test_every_batch_is_p_identities_of_k_pictures() -> None:
    spy = Spy(stand_in.Config(epochs=3), World({"a": 8}, 1, ("visible",), (32, 16)))
    train.train(spy, pictures(), seed=0)
    assert len(spy.seen) == 3 * 2
    for labels in spy.seen:
        groups = labels.reshape(4, 4)
        assert (groups == groups[:, :1]).all()
        assert len(set(groups[:, 0].tolist())) == 4
    assert all(len(set(rows.tolist())) == 16 for rows in spy.rows)  # six pictures each: none stands twice


def test_a_person_of_few_pictures_fills_a_batch_all_the_same() -> None:
    spy = Spy(stand_in.Config(epochs=1), World({"a": 8}, 1, ("visible",), (32, 16)))
    train.train(spy, pictures(each=2), seed=0)
    assert all(len(labels) == 16 and len(set(labels.tolist())) == 4 for labels in spy.seen)


def test_cameras_modalities_and_times_are_what_the_interface_says(tmp_path: Path) -> None:
    from benchmark import images, manifest

    names = [f"{number}.png" for number in range(4)]
    for name in names:
        images.save(tmp_path / name, np.full((8, 4, 3), 90, np.uint8))
    kinds = {"modality": ["visible", "infrared", "visible", "thermal"], "time": ["day", "night", "unknown", "night"]}
    rows = {"path": names, "pid": [1, 1, 2, 2], "camid": [7, 0, 3, 7]} | kinds
    world = manifest.build(rows, "set", tmp_path)
    data = train.pictures(world, (32, 16))
    assert data.camera.tolist() == [1, -1, 0, 1]
    assert train.world(world, (32, 16)).cameras == 2
    assert [train.world(world, (32, 16)).modalities[code] for code in data.modality] == kinds["modality"]
    assert data.night.tolist() == [0, 1, -1, 1]
    batch = data.batch(np.array([3, 0]), stand_in.StandIn(stand_in.Config(), train.world(world, (32, 16))).needs, None)
    assert batch.row.tolist() == [3, 0]
    assert (batch.camera.tolist(), batch.night.tolist()) == ([1, 1], [1, 0])


class Broken(stand_in.StandIn):
    """Loses its mind at once."""

    def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        return {"identity": torch.tensor(float("nan"), requires_grad=True)}


def test_a_loss_that_is_not_finite_stops_the_run() -> None:
    broken = Broken(stand_in.Config(), World({"a": 8}, 1, ("visible",), (32, 16)))
    with pytest.raises(UserError, match="loss is nan in stage all, step 0"):
        train.train(broken, pictures(), seed=0)


def test_an_unreadable_picture_is_named(tmp_path: Path) -> None:
    from benchmark import manifest

    (tmp_path / "a.jpg").write_text("no picture")
    world = manifest.build({"path": ["a.jpg"], "pid": [1]}, "set", tmp_path)
    with pytest.raises(UserError, match=r"a\.jpg: not a picture"):
        train.pictures(world, (32, 16))


class TwoStages(stand_in.StandIn):
    """Trains its head on a frozen body first; remembers what it saw."""

    def stages(self) -> list[Stage]:
        head, body = (torch.optim.SGD(part.parameters(), lr=0.1) for part in (self.heads, self.body))
        late = torch.optim.SGD([{"params": list(self.neck.parameters()), "schedule": lambda at: 0.0}], lr=0.1)
        return [
            Stage("head", 1, (head,), lambda at: 1.0, (self.heads,), in_train_mode=(self.heads, self.neck)),
            Stage("body", 1, (body, late), lambda at: 1.0, (self.body, self.neck)),
        ]

    def before_stage(self, stage: Stage, data: TrainingSet) -> None:
        rows = torch.cat([batch.row for batch in data.plain()])
        self.passes: list[tuple[str, list[int]]] = [*getattr(self, "passes", []), (stage.name, rows.tolist())]

    def losses(self, batch: Batch, at: Moment) -> dict[str, Tensor]:
        modes = {name: part.training for name, part in self.named_children()}
        wants = {name: next(part.parameters()).requires_grad for name, part in self.named_children()}
        self.modes: dict[str, object] = getattr(self, "modes", {}) | {at.stage: (modes, wants)}
        return super().losses(batch, at)


def test_a_stage_trains_what_it_names_and_nothing_else() -> None:
    network = TwoStages(stand_in.Config(), World({"a": 8}, 1, ("visible",), (32, 16)))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train.train(network, pictures(), seed=0)
    after = network.state_dict()
    assert network.passes == [("head", list(range(48))), ("body", list(range(48)))]
    assert network.modes["head"] == (
        {"body": False, "neck": True, "heads": True},
        {"body": False, "neck": False, "heads": True},
    )
    assert network.modes["body"] == (
        {"body": True, "neck": True, "heads": False},
        {"body": True, "neck": True, "heads": False},
    )
    assert not torch.equal(before["heads.0.weight"], after["heads.0.weight"])
    assert not torch.equal(before["body.0.0.weight"], after["body.0.0.weight"])
    assert torch.equal(before["neck.weight"], after["neck.weight"])  # its own schedule stands still
