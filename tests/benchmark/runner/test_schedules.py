"""Rates: against the published ones, and what holds for all of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import config
from benchmark.config import Strict
from benchmark.errors import UserError
from benchmark.runner import schedules
from benchmark.runner.interfaces import Moment


def at(epoch: int, step: int = 0, *, epochs: int = 120, length: int = 10) -> Moment:
    return Moment("train", epoch, epoch * length + step, epochs, length, step)


def test_steps_are_the_published_ones_of_bot() -> None:
    # reid-strong-baseline moves its scheduler before every epoch, so that the first one already is number 1.
    factor = schedules.steps((40, 70), 0.1, warmup=10, start=0.01)
    published = {1: 0.109, 2: 0.208, 9: 0.901, 10: 1.0, 39: 1.0, 40: 0.1, 69: 0.1, 70: 0.01, 120: 0.01}
    assert {epoch: factor(at(epoch - 1)) for epoch in published} == pytest.approx(published)


def test_a_cosine_is_the_published_one_of_transreid() -> None:
    factor = schedules.cosine(0.002, warmup=5, start=0.01)
    assert factor(at(0)) == pytest.approx(0.01 + 0.99 / 5)
    for epoch in (5, 60, 119, 120):
        expected = 0.002 + 0.998 * 0.5 * (1 + math.cos(math.pi * epoch / 120))
        assert factor(at(epoch - 1)) == pytest.approx(expected)
    assert factor(at(119)) == pytest.approx(0.002)


def test_by_epoch_nothing_moves_within_one_and_by_step_all_of_it_does() -> None:
    for epoch, step in (
        (schedules.steps((8,), warmup=4), schedules.steps((8,), warmup=4, by="step")),
        (schedules.cosine(warmup=4), schedules.cosine(warmup=4, by="step")),
    ):
        assert len({epoch(at(2, part, epochs=12)) for part in range(10)}) == 1
        rising = [step(at(2, part, epochs=12)) for part in range(10)]
        assert rising == sorted(set(rising))
        # Both agree where an epoch ends.
        assert step(at(2, 9, epochs=12)) == pytest.approx(epoch(at(2, epochs=12)))


def test_by_step_epochs_of_different_lengths_are_gone_through_evenly() -> None:
    factor, lengths, taken = schedules.cosine(by="step"), (10, 3, 17), 0
    rates = []
    for epoch, length in enumerate(lengths):
        for place in range(length):
            rates.append(factor(Moment("train", epoch, taken, len(lengths), length, place)))
            taken += 1
    assert rates == sorted(rates, reverse=True)
    assert rates[9] == pytest.approx(0.5 * (1 + math.cos(math.pi / 3)))  # the end of the first of three epochs
    assert rates[-1] == pytest.approx(0)


def test_constant_is_moved_by_nothing() -> None:
    assert {schedules.constant()(at(epoch)) for epoch in range(120)} == {1.0}


@given(
    st.lists(st.floats(1, 100), max_size=4),
    st.floats(0.01, 1),
    st.floats(0, 50),
    st.floats(0, 1),
    st.integers(0, 99),
    st.integers(0, 9),
    st.sampled_from(("epoch", "step")),
)
def test_factors_stay_between_nothing_and_all(
    milestones: list[float], gamma: float, warmup: float, start: float, epoch: int, step: int, by: schedules.By
) -> None:
    now = at(epoch, step, epochs=100)
    for factor in (
        schedules.steps(milestones, gamma, warmup=warmup, start=start, by=by),
        schedules.cosine(start, warmup=warmup, start=start, by=by),
    ):
        assert -1e-12 <= factor(now) <= 1 + 1e-12


def test_shares_of_the_epochs_are_rounded_and_fit_trainings_of_any_length() -> None:
    factor = schedules.steps((0.667,))
    for epochs, full in ((60, 40), (120, 80), (3, 2)):
        assert [factor(at(epoch, epochs=epochs)) for epoch in (full - 1, full)] == pytest.approx([1, 0.1])
    both = schedules.steps((1 / 3, 7 / 12), warmup=10)
    published = schedules.steps((41, 71), warmup=10)
    assert [both(at(epoch)) for epoch in range(120)] == [published(at(epoch)) for epoch in range(120)]


def test_by_step_a_share_is_reached_when_so_many_epochs_are_done() -> None:
    factor = schedules.steps((0.5,), by="step")
    assert [factor(at(epoch, step, epochs=4)) for epoch, step in ((0, 0), (1, 8), (1, 9), (2, 0))] == pytest.approx(
        [1, 1, 0.1, 0.1]
    )


def test_a_milestone_in_epochs_stays_where_it_is_and_beyond_the_end_never_comes() -> None:
    factor = schedules.steps((41,))
    assert {factor(at(epoch, epochs=40)) for epoch in range(40)} == {1.0}
    assert factor(at(40, epochs=1000)) == pytest.approx(0.1)


class Asked(Strict):
    """What a method's configuration has."""

    milestones: schedules.Milestones = (40, 70)


@pytest.mark.parametrize("written", [[0.5, 40], [1, 0.99], [0], [-3.0], ["late"]])
def test_milestones_that_mean_nothing_are_refused(written: list[object]) -> None:
    with pytest.raises(UserError, match=r"recipe x: milestones"):
        config.check(Asked, {"milestones": written}, "recipe x")


@pytest.mark.parametrize("written", [[], [1], [0.5], [40, 70], [0.3, 0.9]])
def test_milestones_are_all_epochs_or_all_shares(written: list[object]) -> None:
    assert list(config.check(Asked, {"milestones": written}, "recipe x").milestones) == written


@given(st.integers(1, 59), st.integers(0, 59), st.integers(0, 9), st.sampled_from(("epoch", "step")))
def test_two_stages_follow_one_schedule(before: int, epoch: int, step: int, by: schedules.By) -> None:
    whole = schedules.cosine(0.01, warmup=5, by=by)
    length = before if epoch < before else 60 - before
    own = at(epoch if epoch < before else epoch - before, step, epochs=length)
    part = schedules.within(whole, 0 if epoch < before else before, 60)
    assert part(own) == whole(at(epoch, step, epochs=60))
