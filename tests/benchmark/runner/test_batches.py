"""The batches of an epoch: laws over drawn pools, BoT's sampler written apart, the literal turns of several parts."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark import manifest
from benchmark.errors import UserError
from benchmark.runner import batches, recipe
from benchmark.runner.batches import Plan, Step
from benchmark.runner.interfaces import Layout, Needs, Sampling
from benchmark.runner.pool import Pool, Source
from benchmark.runner.pool import pool as laid_out

Ints = NDArray[np.int64]
Row = tuple[int, int, int, int, int]  # domain, label, camera, modality, night

NEEDS = Needs(identities=3, instances=2, batch=4)


def pool(rows: Sequence[Row], modalities: Sequence[str] = ("visible",), shared: bool = False) -> Pool:
    """Lay out a pool as the data path does: the rows of a domain stand together; domains may share their people."""
    columns = np.array(sorted(rows, key=lambda row: row[0]), np.int64).reshape(-1, 5).T
    domains, apart = int(columns[0].max()) + 1, 0 if shared else 1000
    found = SimpleNamespace(
        sources=[SimpleNamespace(name=f"set{number}") for number in range(domains)],
        starts=np.searchsorted(columns[0], np.arange(domains + 1)),
        modalities=tuple(modalities),
        person=np.unique(apart * columns[0] + columns[1], return_inverse=True)[1],
        **dict(zip(("domain", "label", "camera", "modality", "night"), columns, strict=True)),
    )
    return cast("Pool", found)


def people(sizes: Sequence[int], domain: int = 0, cameras: int = 3) -> list[Row]:
    """Give every identity so many pictures, its cameras in turn."""
    return [(domain, label, n % cameras, 0, -1) for label, size in enumerate(sizes) for n in range(size)]


def halves(sizes: Sequence[tuple[int, int]], domain: int = 0) -> list[Row]:
    """Give every identity so many pictures of either half, by modality and by time alike."""
    return [
        (domain, label, n % 3, half, half)
        for label, pair in enumerate(sizes)
        for half, size in enumerate(pair)
        for n in range(size)
    ]


def plan(
    of: Pool,
    needs: Needs = NEEDS,
    options: recipe.Batches | None = None,
    order: recipe.Order | None = None,
    seed: int = 0,
) -> Plan:
    """Make a plan with what differs from the defaults."""
    return Plan(of, options or recipe.Batches(), order or recipe.Order(), needs, seed)


def same(one: Sequence[Step], other: Sequence[Step]) -> bool:
    """Say whether two epochs are one."""
    rows = len(one) == len(other) and all(np.array_equal(a.rows, b.rows) for a, b in zip(one, other, strict=True))
    return rows and [step.layout for step in one] == [step.layout for step in other]


def blocks(step: Step) -> Ints:
    """Give the rows of a batch as its layout says: halves x identities x instances."""
    assert step.layout is not None
    return step.rows.reshape(len(step.layout.halves), step.layout.identities, step.layout.instances)


SIZES = st.lists(st.integers(1, 9), min_size=3, max_size=9)
PAIRS = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=3, max_size=7)


@given(
    SIZES,
    SIZES,
    st.integers(1, 4),
    st.sampled_from(["any", "spread"]),
    st.sampled_from(["images", "identities"]),
    st.booleans(),
)
def test_a_batch_holds_p_different_people_of_any_domain_with_k_pictures_each(
    one: list[int], other: list[int], instances: int, cameras: str, epoch: str, shared: bool
) -> None:
    of = pool(people(one) + people(other, domain=1), shared=shared)
    who = [(0 if shared else int(domain), int(label)) for domain, label in zip(of.domain, of.label, strict=True)]
    options = recipe.Batches.model_validate({"instances": instances, "cameras": cameras, "epoch": epoch})
    steps = plan(of, options=options).epoch(0, 0, "pk")
    assert steps
    for step in steps:
        assert step.layout == Layout(("all",), 3, instances)
        (block,) = blocks(step)
        whose = [{who[row] for row in rows} for rows in block]
        assert [len(identities) for identities in whose] == [1, 1, 1]
        assert len(set.union(*whose)) == 3
        for rows in block:
            size = who.count(who[rows[0]])
            assert len(set(rows)) == min(instances, size)  # a picture stands twice only where there are too few
            assert max(Counter(rows.tolist()).values()) == -(-instances // min(size, instances))


@given(PAIRS, st.integers(1, 4), st.sampled_from(["any", "spread"]), st.sampled_from(["modality", "time"]))
def test_row_k_of_both_halves_shares_its_identity(
    sizes: list[tuple[int, int]], instances: int, cameras: str, by: str
) -> None:
    of = pool(halves(sizes), ("visible", "infrared"))
    options = recipe.Batches.model_validate({"instances": instances, "cameras": cameras, "halves": by})
    for step in plan(of, Needs("pk-pairs", 3, 2), options).epoch(0, 0, "pk-pairs"):
        names = ("visible", "infrared") if by == "modality" else ("day", "night")
        assert step.layout == Layout(names, 3, instances)
        first, second = blocks(step)
        assert np.array_equal(of.label[first], of.label[second])
        assert len(np.unique(of.label[first])) == 3
        assert (of.modality[first] == 0).all()
        assert (of.modality[second] == 1).all()


@given(PAIRS, st.integers(1, 4), st.sampled_from(["modality", "time"]))
def test_the_halves_of_a_person_may_be_two_parts(sizes: list[tuple[int, int]], instances: int, by: str) -> None:
    rows = [(half, label, camera, half, half) for _, label, camera, half, _ in halves(sizes)]
    of = pool(rows, ("visible", "infrared"), shared=True)
    options = recipe.Batches.model_validate({"instances": instances, "halves": by})
    steps = plan(of, Needs("pk-pairs", 3, 2), options).epoch(0, 0, "pk-pairs")
    assert steps
    for step in steps:
        first, second = blocks(step)
        assert (of.domain[first] == 0).all()
        assert (of.domain[second] == 1).all()
        assert np.array_equal(of.label[first], of.label[second])  # here a label is the same person in both
        assert len(np.unique(of.label[first])) == 3


def test_the_k_pictures_of_a_person_come_from_all_parts_that_show_it() -> None:
    of = pool(people([1] * 4) + people([1] * 4, domain=1), shared=True)
    steps = plan(of).epoch(0, 0, "pk")
    assert len(steps) == 1  # four people, not eight
    for rows in blocks(steps[0])[0]:
        assert sorted(of.domain[rows]) == [0, 1]


def test_day_and_night_of_one_world_in_two_manifests_are_paired_by_who_it_is() -> None:
    def part(source: str, pids: Sequence[int], **same: str) -> Source:
        columns = {"path": [f"{n}.jpg" for n in range(len(pids))], "pid": list(pids), "id_space": ["town"] * len(pids)}
        known = {name: [value] * len(pids) for name, value in same.items()}
        return Source(source, manifest.build(columns | known, source, Path("/there")))

    # Labels count within a part: 7 is 1 by day and 0 by night. Who 3 and 30 are is known at one time only.
    sources = part("day", [3, 3, 7, 8, 9, 7], time="day"), part("night", [9, 8, 8, 7, 30], time="night")
    of, pids = laid_out(sources), np.array([3, 3, 7, 8, 9, 7, 9, 8, 8, 7, 30])
    made = plan(of, Needs("pk-pairs", 3, 2), recipe.Batches(halves="time"))
    (step,) = made.epoch(0, 0, "pk-pairs")
    day, night = blocks(step)
    assert (day < 6).all()
    assert (night >= 6).all()
    assert sorted(pids[day][:, 0].tolist()) == [7, 8, 9]
    assert np.array_equal(pids[day], pids[night])
    assert made.notes == ("training: 2 identities of 5 left out: in one half only",)


@given(
    SIZES,
    SIZES,
    st.sampled_from(["pk", "shuffle"]),
    st.sampled_from(
        [
            recipe.Order(how="alternate"),
            recipe.Order(how="alternate", counts=(1, 2)),
            recipe.Order(how="alternate", by="epoch"),
            recipe.Order(how="pretrain-finetune", counts=(1,)),
        ]
    ),
)
def test_a_batch_of_one_part_is_the_same_whoever_the_others_show(
    one: list[int], other: list[int], sampling: Sampling, order: recipe.Order
) -> None:
    rows = people(one) + people(other, domain=1)
    needs = Needs(identities=3, instances=2, batch=3)
    apart, shared = (plan(pool(rows, shared=shared), needs, order=order) for shared in (False, True))
    for epoch in range(2):
        assert same(apart.epoch(0, epoch, sampling), shared.epoch(0, epoch, sampling))


@given(SIZES, st.integers(1, 4))
def test_the_pictures_of_an_identity_come_from_as_many_cameras_as_it_has(sizes: list[int], instances: int) -> None:
    of = pool(people(sizes))
    options = recipe.Batches(instances=instances, cameras="spread")
    for step in plan(of, options=options).epoch(0, 0, "pk"):
        for rows in blocks(step)[0]:
            own = of.camera[of.label == of.label[rows[0]]]
            assert len(set(of.camera[rows])) == min(instances, len(set(own)))


def test_spread_prefers_the_pictures_that_were_shown_least() -> None:
    # Two cameras with four pictures each, two a batch: after four batches everything was seen, nothing twice.
    of = pool([(0, label, n % 2, 0, -1) for label in range(3) for n in range(8)])
    steps = plan(of, options=recipe.Batches(cameras="spread")).epoch(0, 0, "pk")
    assert Counter(np.concatenate([step.rows for step in steps]).tolist()) == dict.fromkeys(range(24), 1)


def test_spread_prefers_the_cameras_that_were_shown_least() -> None:
    of = pool([(0, label, camera, 0, -1) for label in range(3) for camera in range(8)])
    steps = plan(of, options=recipe.Batches(cameras="spread")).epoch(0, 0, "pk")
    assert Counter(np.concatenate([step.rows for step in steps]).tolist()) == dict.fromkeys(range(24), 1)


def test_spread_takes_pictures_of_unknown_cameras_for_those_of_one_more() -> None:
    of = pool([(0, label, -1 if n < 3 else 0, 0, -1) for label in range(3) for n in range(4)])
    for step in plan(of, options=recipe.Batches(cameras="spread")).epoch(0, 0, "pk"):
        assert {tuple(sorted(of.camera[rows])) for rows in blocks(step)[0]} == {(-1, 0)}


@given(SIZES, st.integers(1, 4))
def test_an_epoch_shows_no_chunk_twice_and_leaves_fewer_than_p_identities(sizes: list[int], instances: int) -> None:
    of = pool(people(sizes))
    steps = plan(of, options=recipe.Batches(instances=instances)).epoch(0, 0, "pk")
    shown = Counter(np.concatenate([step.rows for step in steps]).tolist())
    chunks = Counter(int(of.label[rows[0]]) for step in steps for rows in blocks(step)[0])
    for label, size in enumerate(sizes):
        own = [shown[row] for row in np.flatnonzero(of.label == label)]
        assert chunks[label] <= max(1, size // instances)
        assert max(own) <= (1 if size >= instances else -(-instances // size))
    assert sum(chunks[label] < max(1, size // instances) for label, size in enumerate(sizes)) < 3


@given(SIZES)
def test_an_epoch_of_identities_shows_every_one_once_but_for_the_rest(sizes: list[int]) -> None:
    of = pool(people(sizes))
    steps = plan(of, options=recipe.Batches(epoch="identities")).epoch(0, 0, "pk")
    shown = [int(of.label[rows[0]]) for step in steps for rows in blocks(step)[0]]
    assert len(shown) == len(set(shown)) == len(sizes) // 3 * 3


@given(PAIRS, st.integers(1, 4))
def test_an_epoch_of_halves_is_as_long_as_the_larger_half(sizes: list[tuple[int, int]], instances: int) -> None:
    of = pool(halves(sizes), ("visible", "infrared"))
    steps = plan(of, Needs("pk-pairs", 3, instances)).epoch(0, 0, "pk-pairs")
    chunks = Counter(int(of.label[rows[0]]) for step in steps for rows in blocks(step)[0])
    wanted = [max(1, max(pair) // instances) for pair in sizes]
    assert all(chunks[label] <= wanted[label] for label in range(len(sizes)))
    assert sum(chunks[label] < wanted[label] for label in range(len(sizes))) < 3
    # Of either half, every picture that is shown comes as often as its neighbours, give or take one.
    for half in range(2):
        rows = np.concatenate([blocks(step)[half].reshape(-1) for step in steps])
        for label, pair in enumerate(sizes):
            own = np.flatnonzero((of.label == label) & (of.modality == half))
            often = [int((rows == row).sum()) for row in own]
            if chunks[label] == wanted[label]:
                assert max(often) - min(often) <= 1
                assert sum(often) == wanted[label] * instances
            assert len(own) == pair[half]


def bot(label: Ints, identities: int, instances: int, generator: random.Random) -> list[list[int]]:
    """Write BoT's RandomIdentitySampler down from its description, with lists and Python's own randomness."""
    waiting: dict[int, list[list[int]]] = {}
    for person in set(label.tolist()):
        own = [row for row, whose in enumerate(label) if whose == person]
        generator.shuffle(own)
        while len(own) < instances:
            own.append(generator.choice(own))
        waiting[person] = [own[start : start + instances] for start in range(0, len(own) - instances + 1, instances)]
    result = []
    while len(waiting) >= identities:
        batch = []
        for person in generator.sample(sorted(waiting), identities):
            batch += waiting[person].pop(0)
            if not waiting[person]:
                del waiting[person]
        result.append(batch)
    return result


def test_epochs_are_distributed_as_bots_are() -> None:
    # Sizes that leave a rest, one identity with many pictures, one with too few: how many batches, and how often each
    # identity comes, over many epochs of both.
    sizes = [1, 4, 5, 8, 11, 2, 30, 6]
    of = pool(people(sizes))
    needs = Needs(identities=3, instances=4)
    own, theirs, generator = list[list[Ints]](), list[list[Ints]](), random.Random(0)
    for seed in range(1500):
        own.append([step.rows for step in plan(of, needs, seed=seed).epoch(0, 0, "pk")])
        theirs.append([np.array(batch) for batch in bot(of.label, 3, 4, generator)])

    def lengths(epochs: list[list[Ints]]) -> NDArray[np.float64]:
        return np.bincount([len(epoch) for epoch in epochs], minlength=8) / len(epochs)

    def persons(epochs: list[list[Ints]]) -> NDArray[np.float64]:
        rows = np.concatenate([np.concatenate(epoch) for epoch in epochs])
        return np.bincount(of.label[rows], minlength=len(sizes)) / len(epochs)

    def firsts(epochs: list[list[Ints]]) -> NDArray[np.float64]:
        return np.bincount([of.label[epoch[0][0]] for epoch in epochs], minlength=len(sizes)) / len(epochs)

    # Five standard errors of the difference of two shares over 1,500 epochs are .09 at most.
    np.testing.assert_allclose(lengths(own), lengths(theirs), atol=0.09)
    np.testing.assert_allclose(firsts(own), firsts(theirs), atol=0.09)
    np.testing.assert_allclose(persons(own), persons(theirs), atol=4 * 0.12)


def test_every_picture_is_as_likely_as_any_other() -> None:
    of = pool(people([5, 5, 5, 5]))
    shown = np.zeros(20)
    for epoch in range(1500):
        for step in plan(of, Needs(identities=2, instances=4)).epoch(0, epoch, "pk"):
            np.add.at(shown, step.rows, 1)
    # Each comes in 4 of 5 epochs: a standard error of .4 / sqrt(1500) is .01.
    np.testing.assert_allclose(shown / 1500, 0.8, atol=0.05)


@given(st.permutations([(0, 0), (0, 1), (1, 0), (2, 5)]))
def test_an_epoch_is_a_function_of_seed_stage_and_epoch_in_any_order_of_calls(calls: list[tuple[int, int]]) -> None:
    of = pool(people([4] * 6) + people([3] * 5, domain=1))
    order = recipe.Order(how="alternate", counts=(1, 2))
    one = plan(of, order=order)
    found = {call: one.epoch(*call, "pk") for call in calls}
    for call, steps in found.items():
        assert same(steps, plan(of, order=order).epoch(*call, "pk"))
    for distinct in (
        [np.concatenate([step.rows for step in steps]).tolist() for steps in found.values()],
        [np.concatenate([of.label[step.rows] for step in steps]).tolist() for steps in found.values()],
    ):
        assert all(a != b for place, a in enumerate(distinct) for b in distinct[:place])


@pytest.mark.parametrize("sampling", ["pk", "shuffle"])
def test_another_seed_gives_another_epoch(sampling: Sampling) -> None:
    of = pool(people([6] * 8))
    assert not same(plan(of, seed=1).epoch(0, 0, sampling), plan(of, seed=2).epoch(0, 0, sampling))


def test_one_more_identity_changes_no_other_ones_chunks() -> None:
    def chunks(sizes: list[int]) -> set[tuple[int, ...]]:
        steps = plan(pool(people(sizes)), Needs(identities=1, instances=2)).epoch(0, 0, "pk")
        return {tuple(rows.tolist()) for step in steps for rows in blocks(step)[0]}

    assert chunks([6, 6, 6]) < chunks([6, 6, 6, 6])


@given(st.integers(4, 30), st.integers(1, 4))
def test_shuffled_rows_come_once_and_the_rest_waits(rows: int, batch: int) -> None:
    steps = plan(pool(people([1] * rows)), Needs("shuffle", batch=batch)).epoch(0, 0, "shuffle")
    shown = np.concatenate([step.rows for step in steps])
    assert [len(step.rows) for step in steps] == [batch] * (rows // batch)
    assert len(set(shown)) == len(shown)
    assert all(step.layout is None for step in steps)


@pytest.mark.parametrize("sampling", ["pk", "pk-pairs"])
@pytest.mark.parametrize("world", [1, 2, 3, 6])
def test_shares_part_the_batch_and_keep_identities_whole(sampling: Sampling, world: int) -> None:
    of = pool(halves([(4, 4)] * 8), ("visible", "infrared"))
    step = plan(of, Needs(sampling, 6, 2)).epoch(0, 0, sampling)[0]
    shares = [batches.share(step, rank, world) for rank in range(world)]
    assert sorted(np.concatenate([places for places, _ in shares]).tolist()) == list(range(len(step.rows)))
    owners = []
    for places, layout in shares:
        assert layout == Layout(step.layout.halves if step.layout else (), 6 // world, 2)
        label = of.label[blocks(Step(step.rows[places], layout))]
        assert (label == label[:1, :, :1]).all()
        owners.append(set(label.reshape(-1).tolist()))
    assert sum(map(len, owners)) == len(set.union(*owners)) == 6


def test_shares_of_identities_follow_each_other() -> None:
    step = Step(np.arange(100, 116), Layout(("day", "night"), 4, 2))
    assert [batches.share(step, rank, 2)[0].tolist() for rank in range(2)] == [
        [0, 1, 2, 3, 8, 9, 10, 11],
        [4, 5, 6, 7, 12, 13, 14, 15],
    ]


def test_shares_of_a_shuffled_batch_follow_each_other() -> None:
    step = Step(np.arange(10, 16), None)
    assert [batches.share(step, rank, 3)[0].tolist() for rank in range(3)] == [[0, 1], [2, 3], [4, 5]]
    assert batches.share(step, 0, 3)[1] is None


TURNS = {
    "in turn": (recipe.Order(how="alternate"), 0, "0101010101"),
    "two of the first, one of the second": (recipe.Order(how="alternate", counts=(2, 1)), 0, "00100101"),
    "three of the second": (recipe.Order(how="alternate", counts=(1, 3)), 0, "01110111011101110111"),
    "first epoch": (recipe.Order(how="alternate", by="epoch"), 0, "00000"),
    "second epoch": (recipe.Order(how="alternate", by="epoch"), 1, "11"),
    "third epoch": (recipe.Order(how="alternate", by="epoch"), 2, "00000"),
    "two epochs of the second": (recipe.Order(how="alternate", by="epoch", counts=(1, 2)), 5, "11"),
    "before fine-tuning": (recipe.Order(how="pretrain-finetune", counts=(2,)), 1, "00000"),
    "fine-tuning": (recipe.Order(how="pretrain-finetune", counts=(2,)), 2, "11"),
    "fine-tuning to the end": (recipe.Order(how="pretrain-finetune", counts=(2,)), 99, "11"),
}


@pytest.mark.parametrize("name", TURNS)
@pytest.mark.parametrize("sampling", ["pk", "shuffle"])
def test_parts_follow_each_other_as_the_recipe_says(name: str, sampling: Sampling) -> None:
    order, epoch, turns = TURNS[name]
    # Five batches of the first part, two of the second, by either sampling.
    of = pool(people([2] * 15) + people([2] * 6, domain=1))
    steps = plan(of, Needs(sampling, 3, 2, batch=6), order=order).epoch(0, epoch, sampling)
    assert all(len(set(of.domain[step.rows])) == 1 for step in steps)
    assert "".join(str(of.domain[step.rows[0]]) for step in steps) == turns


def test_parts_of_one_shape_are_not_drawn_alike() -> None:
    of = pool([row for domain in range(3) for row in people([2] * 12, domain)])
    steps = plan(of, order=recipe.Order(how="alternate")).epoch(0, 0, "pk")
    drawn = [[of.label[step.rows].tolist() for step in steps[part::3]] for part in range(3)]
    assert len({str(labels) for labels in drawn}) == 3


def test_the_part_that_comes_round_again_is_shuffled_afresh() -> None:
    of = pool(people([2] * 30) + people([2] * 6, domain=1))
    steps = plan(of, order=recipe.Order(how="alternate")).epoch(0, 0, "pk")
    second = [step.rows for step in steps if of.domain[step.rows[0]] == 1]
    laps = [np.concatenate(second[start : start + 2]) for start in range(0, 10, 2)]
    assert all(set(lap.tolist()) == set(range(60, 72)) for lap in laps)
    assert len({tuple(lap.tolist()) for lap in laps}) == 5


def test_a_method_is_asked_what_the_recipe_leaves_open() -> None:
    of = pool(people([4] * 8))
    assert plan(of).epoch(0, 0, "pk")[0].layout == Layout(("all",), 3, 2)
    assert plan(of, options=recipe.Batches(identities=5, instances=4)).epoch(0, 0, "pk")[0].layout == Layout(
        ("all",), 5, 4
    )
    assert len(plan(of, options=recipe.Batches(batch=7)).epoch(0, 0, "shuffle")[0].rows) == 7


def test_a_stage_that_reaches_every_part_is_allowed() -> None:
    plan(BOTH, order=recipe.Order(how="pretrain-finetune", counts=(4,))).require("pk", 5)
    plan(BOTH, order=recipe.Order(how="alternate", by="epoch", counts=(3, 9))).require("pk", 4)
    plan(BOTH, order=recipe.Order(how="alternate", counts=(3, 9))).require("pk", 1)
    plan(BOTH).require("pk", 1)


def test_who_is_in_one_half_only_is_left_out_and_counted() -> None:
    of = pool([*halves([(2, 2), (2, 0), (1, 3), (0, 1), (4, 4)]), (0, 0, 0, 0, -1)], ("visible", "infrared"))
    made = plan(of, Needs("pk-pairs", 3, 2), recipe.Batches(halves="time"))
    assert {int(of.label[row]) for step in made.epoch(0, 0, "pk-pairs") for row in step.rows} == {0, 2, 4}
    assert made.notes == (
        "training: 1 picture of neither half left out",
        "training: 2 identities of 5 left out: in one half only",
    )
    made.epoch(0, 1, "pk-pairs")
    assert len(made.notes) == 2


PAIRED = Needs("pk-pairs", 3, 2)
BY_TIME = recipe.Batches(halves="time")
BOTH = pool(people([4] * 5) + people([4] * 5, domain=1))
DARK = [(0, label, -1, 0, 1) for label in range(5)]
REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "fewer identities than P": (
        lambda: plan(pool(people([4, 4]))),
        "training: 2 identities, a batch takes 3; set batches.identities to 2 or less",
    ),
    "of a part": (
        lambda: plan(pool(people([4] * 5) + people([4], 1)), order=recipe.Order(how="alternate")),
        "training on set1: 1 identity, a batch takes 3; set batches.identities to 1 or less",
    ),
    "of both halves": (
        lambda: plan(pool(halves([(1, 1), (1, 1), (1, 0)]), ("visible", "infrared")), PAIRED),
        "training: 2 identities with pictures of visible and infrared, a batch takes 3; set batches.identities to 2 "
        "or less",
    ),
    "of both halves of nobody": (
        lambda: plan(pool(halves([(1, 0), (0, 1), (1, 0)]), ("visible", "infrared")), PAIRED),
        "training: no identity (id_space and pid) has pictures of visible and infrared",
    ),
    "of both halves of nobody in any part": (
        lambda: plan(pool(halves([(1, 0)] * 2) + halves([(0, 1)] * 2, 1)), PAIRED, BY_TIME),
        "training: no identity (id_space and pid) has pictures of day and night",
    ),
    "of both halves of nobody in the only part": (
        lambda: plan(pool(halves([(1, 0), (0, 1)])), PAIRED, BY_TIME, recipe.Order(how="alternate")),
        "training: no identity (id_space and pid) has pictures of day and night",
    ),
    "of both halves of nobody in a part": (
        lambda: plan(pool([*DARK, *halves([(1, 0), (0, 1)], 1)]), PAIRED, BY_TIME, recipe.Order(how="alternate")),
        'training on set0: batches.halves = time, and none of 5 is day; order.how = "mix" takes the halves of a '
        "person from all parts",
    ),
    "of nobody in a part that has both": (
        lambda: plan(
            pool(halves([(1, 0), (0, 1)]) + people([4] * 4, 1)), PAIRED, BY_TIME, recipe.Order(how="alternate")
        ),
        'training on set0: no identity (id_space and pid) has pictures of day and night; order.how = "mix" takes the '
        "halves of a person from all parts",
    ),
    "one modality": (
        lambda: plan(pool(DARK), PAIRED),
        "training: batches.halves = modality takes two modalities, found visible; choose rows by train.rows, or set it "
        "to time",
    ),
    "a half without pictures": (
        lambda: plan(pool(DARK), PAIRED, recipe.Batches(halves="time")),
        "training: batches.halves = time, and none of 5 is day",
    ),
    "no cameras": (
        lambda: plan(pool(DARK), options=recipe.Batches(cameras="spread")),
        'training: no picture says its camera (camid 0), so batches.cameras must be "any"',
    ),
    "fewer rows than a batch": (
        lambda: plan(pool(people([1, 1])), Needs("shuffle", batch=4)),
        "training: 2 pictures, a batch takes 4; set batches.batch to 2 or less",
    ),
    "a sampling that only a later stage wants": (
        lambda: plan(pool(people([1, 1, 1]))).epoch(1, 0, "shuffle"),
        "training: 3 pictures, a batch takes 4; set batches.batch to 3 or less",
    ),
    "too few epochs for the last part": (
        lambda: plan(BOTH, order=recipe.Order(how="pretrain-finetune", counts=(4,))).require("pk", 4),
        "order.counts: 4 epochs come before those of set1, and the stage ends after 4; give it more epochs",
    ),
    "too few epochs for its turn": (
        lambda: plan(BOTH, order=recipe.Order(how="alternate", by="epoch", counts=(3, 9))).require("pk", 2),
        "order.counts: 3 epochs come before those of set1, and the stage ends after 2; give it more epochs",
    ),
    "processes that part an identity": (
        lambda: batches.share(Step(np.arange(6), Layout(("all",), 3, 2)), 0, 2),
        "batches.identities = 3 cannot be shared by 2 processes: set it to a multiple of 2",
    ),
    "processes that part a batch": (
        lambda: batches.share(Step(np.arange(5), None), 0, 2),
        "batches.batch = 5 cannot be shared by 2 processes: set it to a multiple of 2",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_fills_no_batch_is_refused_in_a_line(name: str) -> None:
    made, line = REFUSED[name]
    with pytest.raises(UserError) as refused:
        made()
    assert str(refused.value) == line
