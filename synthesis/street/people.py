"""Who lives in a street: the card of every identity, a pure function of the world, the seed and the number.

The ranges are a designer's choice, not a population.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeVar

import numpy as np

from synthesis.street.config import Difficulty, World
from synthesis.street.draws import ROOT_3, Draws, spread

Colour = tuple[float, float, float]  # linear albedo, RGB

HairStyle = Literal["bald", "short", "bob", "long", "bun", "ponytail"]
FacialHair = Literal["none", "stubble", "moustache", "beard"]
Hat = Literal["none", "cap", "beanie", "brim"]
Top = Literal["tshirt", "shirt", "hoodie", "jacket", "coat"]
Sleeves = Literal["short", "long"]
Pattern = Literal["plain", "stripes", "checks", "plaid", "print", "block"]
Bottom = Literal["trousers", "shorts", "skirt"]
Bag = Literal["none", "backpack", "handbag", "shoulder", "trolley"]
Side = Literal["left", "right"]
Word = TypeVar("Word", bound=str)


@dataclass(frozen=True)
class Person:
    """What an identity looks like, whoever sees it and whenever."""

    pid: int
    look_alike_of: int  # whose clothes these are; 0: the person's own
    differs: str  # in what a look-alike differs besides the body: bag or hair; empty for everybody else
    height: float  # metres, 1.52 to 1.95
    girth: float  # of limbs and trunk, about 1, .82 to 1.28
    shoulders: float  # width relative to the usual, about 1, .88 to 1.14
    hips: float  # the same
    belly: float  # 0 flat to 1 round
    leg_share: float  # hip joint's height relative to the body's, .505 to .545
    skin: Colour
    hair: Colour
    hair_style: HairStyle
    facial_hair: FacialHair  # in the colour of the hair
    glasses: bool
    hat: Hat
    hat_colour: Colour
    top: Top
    sleeves: Sleeves  # only a tshirt or a shirt has short ones
    top_colour: Colour
    second_colour: Colour  # of the pattern; of zip, buttons or lining where plain
    pattern: Pattern
    frequency: float  # periods of the pattern per metre, 10 to 30
    phase: float  # of the pattern, 0 to 1
    pattern_seed: int  # for noise and prints, 0 to 65535
    hood: bool  # it hangs on the back
    bottom: Bottom
    bottom_colour: Colour
    shoe_colour: Colour
    bag: Bag
    bag_colour: Colour
    bag_side: Side
    stride: float  # length of a step relative to the leg, about .8, .68 to .92
    swing: float  # of the arms, relative to the usual, .6 to 1.3
    bounce: float  # up and down with every step, relative to the usual, .6 to 1.5
    lean: float  # forward, radians, -.02 to .10


CLOTHES = (
    *("hat", "hat_colour", "top", "sleeves", "top_colour", "second_colour", "pattern", "frequency", "phase"),
    *("pattern_seed", "hood", "bottom", "bottom_colour", "shoe_colour"),
)
HAIR, BAGS = ("hair", "hair_style"), ("bag", "bag_colour", "bag_side")

LOOK_ALIKES: dict[Difficulty, float] = {"easy": 0.05, "normal": 0.07, "hard": 0.4}
PATTERNED: dict[Difficulty, float] = {"easy": 1.6, "normal": 1.5, "hard": 0.35}  # odds of a pattern, times this
SPREAD: dict[Difficulty, float] = {"easy": 1.4, "normal": 1.0, "hard": 0.4}  # how far a cloth is from its palette

DARKEST, LIGHTEST = 0.03, 0.75  # of cloth

# Cloths, and how many of a thousand or so wear them: as seen in a street, and at both ends of difficulty.
PALETTE: dict[str, tuple[Colour, tuple[float, float, float]]] = {  # albedo; easy, normal, hard
    "black": ((0.035, 0.035, 0.038), (3, 40, 320)),
    "charcoal": ((0.075, 0.075, 0.080), (3, 25, 200)),
    "navy": ((0.035, 0.045, 0.100), (5, 30, 200)),
    "grey": ((0.200, 0.200, 0.205), (5, 25, 80)),
    "light grey": ((0.420, 0.420, 0.420), (20, 25, 10)),
    "white": ((0.720, 0.720, 0.700), (80, 50, 5)),
    "beige": ((0.480, 0.400, 0.290), (15, 35, 10)),
    "brown": ((0.120, 0.070, 0.045), (5, 30, 70)),
    "olive": ((0.130, 0.130, 0.065), (5, 30, 60)),
    "khaki": ((0.300, 0.250, 0.150), (8, 25, 10)),
    "denim": ((0.090, 0.140, 0.250), (10, 35, 35)),
    "burgundy": ((0.140, 0.030, 0.045), (10, 45, 25)),
    "red": ((0.500, 0.045, 0.050), (90, 80, 0)),
    "orange": ((0.620, 0.220, 0.045), (110, 65, 0)),
    "yellow": ((0.700, 0.520, 0.060), (130, 60, 0)),
    "green": ((0.060, 0.280, 0.090), (45, 70, 0)),
    "mint": ((0.380, 0.600, 0.480), (90, 40, 0)),
    "teal": ((0.040, 0.240, 0.260), (35, 60, 5)),
    "sky": ((0.280, 0.460, 0.660), (100, 60, 0)),
    "royal": ((0.050, 0.120, 0.480), (60, 75, 0)),
    "purple": ((0.200, 0.070, 0.360), (40, 65, 0)),
    "pink": ((0.660, 0.260, 0.380), (110, 65, 0)),
}
COLUMN: dict[Difficulty, int] = {"easy": 0, "normal": 1, "hard": 2}
TROUSERS = {"black": 3.0, "denim": 9.0, "navy": 2.0, "charcoal": 2.0, "beige": 2.0, "khaki": 2.0}  # odds, times this
SHOES = {"black": 3.0, "white": 5.0, "brown": 5.0, "navy": 0.5, "denim": 0.2}

# From fair to dark; between two of them skins are mixed in logarithm.
SKINS = np.log([
    (0.620, 0.420, 0.330), (0.530, 0.330, 0.240), (0.420, 0.250, 0.165), (0.290, 0.155, 0.095),
    (0.160, 0.082, 0.052), (0.085, 0.047, 0.034),
])  # fmt: skip
HAIRS: dict[str, tuple[Colour, float, float]] = {  # albedo; odds with the fairest and with the darkest skin
    "black": ((0.020, 0.018, 0.017), 10, 70),
    "dark brown": ((0.042, 0.029, 0.021), 24, 22),
    "brown": ((0.090, 0.055, 0.035), 24, 4),
    "auburn": ((0.150, 0.058, 0.030), 8, 1),
    "dark blond": ((0.220, 0.145, 0.080), 12, 0.5),
    "blond": ((0.390, 0.280, 0.150), 9, 0.5),
    "grey": ((0.270, 0.265, 0.260), 8, 5),
    "white": ((0.560, 0.550, 0.530), 4, 2),
    "dyed red": ((0.330, 0.030, 0.040), 1.5, 1.5),
    "dyed blue": ((0.040, 0.110, 0.300), 1, 1),
}

TOPS: dict[Difficulty, dict[Top, float]] = {
    "easy": {"tshirt": 38, "shirt": 18, "hoodie": 20, "jacket": 16, "coat": 8},
    "normal": {"tshirt": 36, "shirt": 18, "hoodie": 20, "jacket": 17, "coat": 9},
    "hard": {"tshirt": 14, "shirt": 10, "hoodie": 24, "jacket": 32, "coat": 20},
}
SHORT_SLEEVES: dict[Top, float] = {"tshirt": 0.85, "shirt": 0.35, "hoodie": 0.0, "jacket": 0.0, "coat": 0.0}
HOODS: dict[Top, float] = {"tshirt": 0.0, "shirt": 0.0, "hoodie": 1.0, "jacket": 0.35, "coat": 0.25}
PATTERNS: dict[Top, dict[Pattern, float]] = {
    "tshirt": {"plain": 40, "stripes": 20, "print": 25, "block": 15},
    "shirt": {"plain": 45, "stripes": 15, "checks": 18, "plaid": 22},
    "hoodie": {"plain": 55, "stripes": 5, "print": 22, "block": 18},
    "jacket": {"plain": 75, "checks": 3, "block": 22},
    "coat": {"plain": 84, "checks": 8, "plaid": 8},
}
# By plan of the body: broad (shoulders wider than hips), or slender.
STYLES: dict[bool, dict[HairStyle, float]] = {
    False: {"bald": 12, "short": 72, "bob": 4, "long": 6, "bun": 3, "ponytail": 3},
    True: {"bald": 1, "short": 16, "bob": 22, "long": 31, "bun": 13, "ponytail": 17},
}
BEARDS: dict[bool, dict[FacialHair, float]] = {
    False: {"none": 55, "stubble": 20, "moustache": 6, "beard": 19},
    True: {"none": 1},
}
BAG_ODDS: dict[bool, dict[Bag, float]] = {
    False: {"none": 44, "backpack": 29, "handbag": 3, "shoulder": 17, "trolley": 7},
    True: {"none": 32, "backpack": 20, "handbag": 22, "shoulder": 20, "trolley": 6},
}
BOTTOMS: dict[bool, dict[Bottom, float]] = {
    False: {"trousers": 78, "shorts": 22},
    True: {"trousers": 60, "shorts": 15, "skirt": 25},
}
WARM: dict[bool, dict[Bottom, float]] = {False: {"trousers": 97, "shorts": 3}, True: {"trousers": 80, "skirt": 20}}
HATS: dict[Hat, float] = {"none": 72, "cap": 12, "beanie": 11, "brim": 5}


@lru_cache(maxsize=4096)
def person(world: World, seed: int, pid: int) -> Person:
    """Give the card of an identity; more identities in a world change nobody."""
    if not is_look_alike(world, seed, pid):
        return _own(world, seed, pid)
    body, model = _own(world, seed, pid), _own(world, seed, _model(world, seed, pid))
    return _dressed(_scope(world, seed, pid), body, model)


def is_look_alike(world: World, seed: int, pid: int) -> bool:
    """Tell whether a person wears another one's clothes; the first one has nobody to copy."""
    share = LOOK_ALIKES[world.difficulty] if world.look_alikes is None else world.look_alikes
    return pid > 1 and bool(spread(seed, (world.space, "identities"), "look-alike", pid, ROOT_3) < share)


def _scope(world: World, seed: int, pid: int) -> Draws:
    return Draws.of(seed, world.space, "identity", pid)


def _slender(draws: Draws) -> bool:
    return draws.chance("plan", 0.5)


def _model(world: World, seed: int, pid: int) -> int:
    """Choose whose clothes a look-alike wears: an earlier one of the same plan who wears their own."""
    draws, last = _scope(world, seed, pid), 1
    for attempt in range(32):
        candidate = 1 + int(draws.between(f"model {attempt}") * (pid - 1))
        if is_look_alike(world, seed, candidate):
            continue
        last = candidate
        if _slender(_scope(world, seed, candidate)) == _slender(draws):
            return candidate
    return last


def _dressed(draws: Draws, body: Person, model: Person) -> Person:
    """Put a model's clothes on a body, with another bag or with other hair."""
    kept = {name: getattr(model, name) for name in CLOTHES}
    slender = _slender(draws)
    # Under a hat other hair is hardly seen.
    if model.hat != "none" or draws.chance("other bag", 0.5):
        kept |= {name: getattr(model, name) for name in HAIR}
        odds = _without(BAG_ODDS[slender], model.bag)
        return replace(body, **kept, look_alike_of=model.pid, differs="bag", bag=draws.pick("bag", odds))
    kept |= {name: getattr(model, name) for name in BAGS}
    style = draws.pick("hair style", _without(STYLES[slender], model.hair_style))
    return replace(body, **kept, look_alike_of=model.pid, differs="hair", hair_style=style)


def _without(odds: Mapping[Word, float], word: Word) -> dict[Word, float]:
    return {other: weight for other, weight in odds.items() if other != word}


@lru_cache(maxsize=4096)
def _own(world: World, seed: int, pid: int) -> Person:
    """Draw a person in clothes of their own."""
    draws, hard = _scope(world, seed, pid), world.difficulty
    slender = _slender(draws)
    tone = draws.between("skin")
    top = draws.pick("top", TOPS[hard])
    first, second = _cloth(draws, "top", hard), _cloth(draws, "second", hard)
    return Person(
        pid=pid,
        look_alike_of=0,
        differs="",
        height=draws.about("height", 1.52, 1.82) if slender else draws.about("height", 1.62, 1.95),
        girth=draws.about("girth", 0.82, 1.28),
        shoulders=draws.between("shoulders", 0.88, 1.01) if slender else draws.between("shoulders", 0.98, 1.14),
        hips=draws.between("hips", 0.98, 1.14) if slender else draws.between("hips", 0.88, 1.02),
        belly=draws.between("belly") ** 2,
        leg_share=draws.about("legs", 0.505, 0.545),
        skin=_skin(draws, tone),
        hair=_hair(draws, tone),
        hair_style=draws.pick("hair style", STYLES[slender]),
        facial_hair=draws.pick("facial hair", BEARDS[slender]),
        glasses=draws.chance("glasses", 0.25),
        hat=draws.pick("hat", HATS),
        hat_colour=_cloth(draws, "hat", hard),
        top=top,
        sleeves="short" if draws.chance("sleeves", SHORT_SLEEVES[top]) else "long",
        top_colour=first,
        second_colour=_apart(first, second),
        pattern=draws.pick("pattern", _patterns(top, hard)),
        frequency=draws.between("frequency", 10.0, 30.0),
        phase=draws.between("phase"),
        pattern_seed=int(draws.between("pattern seed") * 2**16),
        hood=draws.chance("hood", HOODS[top]),
        bottom=draws.pick("bottom", (WARM if top in ("jacket", "coat") else BOTTOMS)[slender]),
        bottom_colour=_cloth(draws, "bottom", hard, TROUSERS),
        shoe_colour=_cloth(draws, "shoe", hard, SHOES),
        bag=draws.pick("bag", BAG_ODDS[slender]),
        bag_colour=_cloth(draws, "bag", hard),
        bag_side="left" if draws.chance("bag side", 0.5) else "right",
        stride=draws.about("stride", 0.68, 0.92),
        swing=draws.between("swing", 0.6, 1.3),
        bounce=draws.between("bounce", 0.6, 1.5),
        lean=draws.between("lean", -0.02, 0.10),
    )


def _skin(draws: Draws, tone: float) -> Colour:
    """Mix a skin between fair (0) and dark (1), a little redder or yellower."""
    place = tone * (len(SKINS) - 1)
    mixed = [np.interp(place, range(len(SKINS)), channel) for channel in SKINS.T]
    red = draws.between("redness", -0.06, 0.06)
    return _colour(np.exp(mixed) * (1 + red, 1, 1 - red), 0.02, 0.8)


def _hair(draws: Draws, tone: float) -> Colour:
    odds = {name: fair + (dark - fair) * tone for name, (_, fair, dark) in HAIRS.items()}
    albedo = np.array(HAIRS[draws.pick("hair", odds)][0])
    return _colour(albedo * draws.between("hair shade", 0.8, 1.25), 0.012, 0.7)


def _cloth(draws: Draws, what: str, difficulty: Difficulty, bias: Mapping[str, float] | None = None) -> Colour:
    """Draw a colour of cloth: one of the palette, then a shade of it."""
    odds = {name: weights[COLUMN[difficulty]] * (bias or {}).get(name, 1.0) for name, (_, weights) in PALETTE.items()}
    albedo = np.array(PALETTE[draws.pick(f"{what} cloth", odds)][0])
    shade = 1.25 ** draws.between(f"{what} shade", -1, 1)
    tints = [draws.between(f"{what} {channel}", 0.9, 1.1) for channel in "rgb"]
    return _colour(albedo * (shade * np.array(tints)) ** SPREAD[difficulty], DARKEST, LIGHTEST)


def _apart(first: Colour, second: Colour) -> Colour:
    """Take white or black for a second colour that one could not tell from the first."""
    if abs(np.log(np.mean(second) / np.mean(first))) > 0.5 or np.abs(np.subtract(second, first)).max() > 0.2:
        return second
    return PALETTE["white" if np.mean(first) < 0.2 else "black"][0]


def _patterns(top: Top, difficulty: Difficulty) -> dict[Pattern, float]:
    odds = PATTERNS[top]
    return {kind: weight if kind == "plain" else weight * PATTERNED[difficulty] for kind, weight in odds.items()}


def _colour(albedo: "np.typing.NDArray[np.float64]", low: float, high: float) -> Colour:
    red, green, blue = np.clip(albedo, low, high).tolist()
    return red, green, blue
