"""Named draws: a name always means the same number, odds hold, and spread values are more even than chance."""

import numpy as np
import pytest

from benchmark import keyed
from synthesis.street.draws import GOLDEN, ROOT_2, ROOT_3, ROOT_7, ROOT_11, Draws, spread


def test_a_draw_is_the_keyed_uniform_of_its_scope_and_name() -> None:
    draws = Draws.of(3, "demo", "identity", 7)
    number = float(keyed.uniform(3, keyed.key("street\ndemo\nidentity\n7"), "height"))
    assert draws.between("height", 2.0, 5.0) == 2.0 + 3.0 * number
    assert draws.between("height") == number != draws.between("girth")


def test_words_come_as_often_as_their_odds_say_and_a_word_without_odds_never() -> None:
    odds = {"never": 0.0, "often": 3.0, "seldom": 1.0, "last": 0.0}
    words = [Draws.of(0, "demo", number).pick("word", odds) for number in range(2000)]
    assert set(words) == {"often", "seldom"}
    assert words.count("seldom") / 2000 == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("step", [GOLDEN, ROOT_2, ROOT_3, ROOT_7, ROOT_11])
@pytest.mark.parametrize("seed", range(4))
def test_shares_of_spread_values_miss_by_few_where_chance_misses_by_many(step: float, seed: int) -> None:
    values = spread(seed, ("demo", "identities"), "anything", np.arange(1, 1001), step)
    bounds = np.linspace(0, 1, 41)[1:]
    misses = (values[:, None] < bounds).sum(axis=0) - 1000 * bounds
    assert np.abs(misses).max() < 6  # the standard deviation of chance is 16 in the middle


def test_two_spread_draws_say_nothing_of_each_other() -> None:
    steps = (GOLDEN, ROOT_2, ROOT_3, ROOT_7, ROOT_11)
    values = [spread(1, ("demo",), str(step), np.arange(2000), step) for step in steps]
    assert np.abs(np.corrcoef(values) - np.eye(len(steps))).max() < 0.05
