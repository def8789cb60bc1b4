"""Who lives in a street: cards that nothing else changes, look-alikes that differ as told, and what difficulty does."""

from dataclasses import asdict
from typing import get_args

import numpy as np
import pytest

from synthesis.street import people
from synthesis.street.config import Difficulty, World
from synthesis.street.people import BAGS, CLOTHES, HAIR, PALETTE, Person, person

COLOURS = ("top_colour", "second_colour", "bottom_colour", "shoe_colour", "hat_colour", "bag_colour")
DIFFICULTIES: tuple[Difficulty, ...] = get_args(Difficulty)


def population(world: World, seed: int = 0, count: int = 300) -> list[Person]:
    """Give the first people of a world."""
    return [person(world, seed, pid) for pid in range(1, count + 1)]


def parts(who: Person, names: tuple[str, ...]) -> tuple[object, ...]:
    """Give some of a card's entries."""
    return tuple(getattr(who, name) for name in names)


def test_more_people_more_cameras_and_another_order_change_nobody() -> None:
    few, many = World(identities=5, difficulty="hard"), World(identities=5000, frames=(3, 9), difficulty="hard")
    first = population(few, count=60)
    people.person.cache_clear()
    people._own.cache_clear()
    assert [person(many, 0, pid) for pid in range(60, 0, -1)][::-1] == first


def test_seeds_and_spaces_hold_other_people() -> None:
    here = population(World(), count=40)
    for other in (population(World(), seed=1, count=40), population(World(space="elsewhere"), count=40)):
        same = [one.height == two.height for one, two in zip(here, other, strict=True)]
        assert not any(same)


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
@pytest.mark.parametrize("seed", range(3))
def test_look_alikes_wear_an_earlier_ones_clothes_and_differ_in_the_bag_or_the_hair_and_the_body(
    difficulty: Difficulty, seed: int
) -> None:
    everybody = population(World(difficulty=difficulty), seed)
    copies = [who for who in everybody if who.look_alike_of]
    for copy in copies:
        model = everybody[copy.look_alike_of - 1]
        assert copy.look_alike_of < copy.pid
        assert model.look_alike_of == 0
        assert parts(copy, CLOTHES) == parts(model, CLOTHES)
        told, kept = (("bag",), HAIR) if copy.differs == "bag" else (("hair_style",), BAGS)
        assert copy.differs in ("bag", "hair")
        assert parts(copy, told) != parts(model, told)
        assert parts(copy, kept) == parts(model, kept)
        assert copy.height != model.height
        # Other hair under a hat would be a difference that nobody sees.
        assert copy.differs == "bag" or copy.hat == "none"
    others = [who for who in everybody if not who.look_alike_of]
    assert {who.differs for who in others} == {""}
    assert len({parts(who, ("top_colour", "phase")) for who in others}) == len(others)


@pytest.mark.parametrize(("difficulty", "share"), [("easy", 0.05), ("normal", 0.07), ("hard", 0.4)])
def test_the_share_of_look_alikes_is_what_the_difficulty_says_for_any_seed(
    difficulty: Difficulty, share: float
) -> None:
    world = World(difficulty=difficulty)
    for seed in range(20):
        count = sum(people.is_look_alike(world, seed, pid) for pid in range(1, 201))
        assert count == pytest.approx(200 * share, abs=4)


def test_the_share_of_look_alikes_can_be_set() -> None:
    assert not any(who.look_alike_of for who in population(World(look_alikes=0.0, difficulty="hard")))
    alike = population(World(look_alikes=1.0), count=30)
    assert [who.look_alike_of for who in alike] == [0] + [1] * 29


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_cards_stay_within_what_they_promise(difficulty: Difficulty) -> None:
    ranges = {
        "height": (1.52, 1.95), "girth": (0.82, 1.28), "shoulders": (0.88, 1.14), "hips": (0.88, 1.14), "belly": (0, 1),
        "leg_share": (0.505, 0.545), "frequency": (10, 30), "phase": (0, 1), "pattern_seed": (0, 65535),
        "stride": (0.68, 0.92), "swing": (0.6, 1.3), "bounce": (0.6, 1.5), "lean": (-0.02, 0.10),
    }  # fmt: skip
    for who in population(World(difficulty=difficulty)):
        card = asdict(who)
        assert {name: card[name] for name, (low, high) in ranges.items() if not low <= card[name] <= high} == {}
        assert all(0.03 <= channel <= 0.75 for name in COLOURS for channel in card[name])
        assert all(0 < channel <= 0.8 for name in ("skin", "hair") for channel in card[name])
        assert who.sleeves == "long" or who.top in ("tshirt", "shirt")
        assert who.hood or who.top != "hoodie"


def test_every_word_of_a_card_is_worn_by_somebody() -> None:
    everybody = population(World(look_alikes=0.0), count=500)
    words = {
        "hair_style": people.HairStyle, "facial_hair": people.FacialHair, "hat": people.Hat, "top": people.Top,
        "pattern": people.Pattern, "bottom": people.Bottom, "bag": people.Bag, "bag_side": people.Side,
    }  # fmt: skip
    for name, allowed in words.items():
        assert {getattr(who, name) for who in everybody} == set(get_args(allowed)), name
    assert len({who.skin for who in everybody}) == 500


def tops(difficulty: Difficulty) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Give the colours of many tops."""
    return np.array([who.top_colour for who in population(World(difficulty=difficulty, look_alikes=0.0))])


def test_the_harder_the_darker_the_greyer_and_the_more_alike() -> None:
    colours = {difficulty: tops(difficulty) for difficulty in DIFFICULTIES}
    light = [colours[difficulty].mean() for difficulty in DIFFICULTIES]
    vivid = [np.ptp(colours[difficulty], axis=1).mean() for difficulty in DIFFICULTIES]
    apart = []
    for difficulty in DIFFICULTIES:
        away = np.linalg.norm(colours[difficulty][:, None] - colours[difficulty], axis=2) + 9 * np.eye(300)
        apart.append(np.median(away.min(axis=1)))
    for measured in (light, vivid, apart):
        assert measured[0] > 1.2 * measured[1] > 1.2**2 * measured[2]
    plain = [sum(who.pattern == "plain" for who in population(World(difficulty=one))) for one in DIFFICULTIES]
    assert plain[0] < plain[1] < plain[2]


def test_a_second_colour_can_be_told_from_the_first() -> None:
    for who in population(World(difficulty="hard")):
        ratio = abs(np.log(np.mean(who.second_colour) / np.mean(who.top_colour)))
        assert ratio > 0.4 or np.abs(np.subtract(who.second_colour, who.top_colour)).max() > 0.2


def test_every_cloth_of_the_palette_keeps_its_bounds_and_has_odds_for_each_difficulty() -> None:
    for albedo, odds in PALETTE.values():
        assert all(people.DARKEST <= channel <= people.LIGHTEST for channel in albedo)
        assert len(odds) == len(DIFFICULTIES)
        assert min(odds) >= 0
