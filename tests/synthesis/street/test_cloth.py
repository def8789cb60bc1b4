"""Painting of people: where cloth, skin, hair and faces are, and that compiled and plain Python agree."""

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numba.core.registry import CPUDispatcher

from synthesis.street import cloth, fabrics, faces, limbs, noise, trunks, weaves
from synthesis.street.config import World
from synthesis.street.people import Person, person
from synthesis.street.scene import BAG, BOTTOM, COAT, HAIR, HAT, OUT, SKIN, TOP, Array

SOME = tuple(range(1, 13))
BOX = np.array([0.22, 0.6, 0.22])  # around the middle of every local frame


def somebody(number: int = 1, **changes: Any) -> Person:  # noqa: ANN401
    kept: dict[str, Any] = {"hat": "none", "bag": "none", "pattern": "plain", "glasses": False, "facial_hair": "none"}
    return replace(person(World(identities=100), 11, number), **(kept | changes))


def rows(number: int = 1, **changes: Any) -> Array:  # noqa: ANN401
    return fabrics.materials(somebody(number, **changes), 1.0, 1.0).copy()


def painted(row: Array, points: Array, paint: Any = cloth.paint) -> Array:  # noqa: ANN401
    """Paint points of a local frame; the part is preset with -7."""
    out = np.zeros((len(points), OUT))
    for point, given in zip(points, out, strict=True):
        given[6] = -7.0
        paint(row, *point, given)
    return out


def scattered(count: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-BOX, BOX, (count, 3))


def grid(x: Array, y: Array, z: float) -> Array:
    return np.stack([*(axis.ravel() for axis in np.meshgrid(x, y)), np.full(x.size * y.size, z)], axis=-1)


def in_plain_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the compiler away from every painting function, in every module that names it."""
    modules: tuple[ModuleType, ...] = (cloth, faces, limbs, trunks, weaves, noise)
    for module in modules:
        for name, value in list(vars(module).items()):
            if isinstance(value, CPUDispatcher):
                monkeypatch.setattr(module, name, value.py_func)


@pytest.mark.parametrize("number", SOME[:4])
def test_plain_python_paints_the_same(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    wearer = person(World(identities=100), 11, number)
    materials, points = fabrics.materials(wearer, 1.0, 0.97), scattered(60, number)
    compiled = [painted(row, points) for row in materials]
    in_plain_python(monkeypatch)
    for row, expected in zip(materials, compiled, strict=True):
        assert painted(row, points, cloth.paint) == pytest.approx(expected, abs=1e-9)


def test_every_kind_is_painted() -> None:
    assert {int(row[fabrics.KIND]) for row in rows()} == set(fabrics.KINDS)


@pytest.mark.parametrize("number", SOME)
def test_colours_parts_and_tilts_are_in_their_ranges(number: int) -> None:
    for row in fabrics.materials(person(World(identities=100), 11, number), 1.02, 0.98):
        bent = row.copy()
        bent[fabrics.FLEX] = 2.0
        out = painted(bent, scattered(150, number))
        assert np.isfinite(out).all()
        assert out[:, :3].min() >= 0
        assert out[:, :3].max() <= cloth.MOST
        assert (out[:, 3:6] == 0).all()
        assert set(out[:, 6]) <= {-7.0, *range(8)}
        assert np.abs(out[:, 7:]).max() < 1.5


def test_white_stays_below_the_most_that_a_surface_gives_back() -> None:
    white = (0.99, 0.99, 0.99)
    materials = rows(top_colour=white, second_colour=white, hair=white, skin=white, pattern="stripes")
    assert max(painted(row, scattered(200))[:, :3].max() for row in materials) == cloth.MOST


@pytest.mark.parametrize(("top", "part"), [("tshirt", TOP), ("hoodie", TOP), ("coat", COAT)])
def test_height_alone_says_where_the_top_ends(top: str, part: int) -> None:
    wearer = somebody(top=top, bottom="trousers", pattern_seed=0)
    points = scattered(400)
    points[:, 1] = np.linspace(-0.5, 0.35, 400)
    out = painted(rows(top=top, bottom="trousers", pattern_seed=0)[fabrics.ROW_TRUNK], points)
    end = fabrics.hem(wearer)
    above = points[:, 1] > end
    assert (out[~above, 6] == BOTTOM).all()
    slit = (part == COAT) & (points[:, 1] < -0.1) & (points[:, 2] > 0)  # a coat opens in front
    assert (out[above & ~slit, 6] == part).all()


@pytest.mark.parametrize("top", ["tshirt", "shirt", "hoodie", "jacket", "coat"])
def test_the_neck_is_bare_and_the_shoulders_are_not(top: str) -> None:
    out = painted(rows(top=top)[fabrics.ROW_TRUNK], np.array([[0.03, 0.58, 0.04], [0.15, 0.5, 0.0], [0.0, 0.5, -0.09]]))
    assert (out[:, 6] == SKIN).tolist() == [True, False, False]


def test_a_skirt_is_worn_below_the_top() -> None:
    row = rows(top="tshirt", bottom="skirt")[fabrics.ROW_TRUNK]
    out = painted(row, np.array([[0.1, -0.2, 0.1], [0.1, 0.3, 0.1]]))
    assert out[:, 6].tolist() == [COAT, TOP]


@pytest.mark.parametrize("row", [fabrics.ROW_UPPER_ARM, fabrics.ROW_FOREARM])
def test_short_sleeves_end_above_the_elbow(row: int) -> None:
    down = np.linspace(0, 0.29, 60)
    points = np.column_stack([np.full(60, 0.03), -down, np.full(60, 0.02)])
    for sleeves in ("short", "long"):
        cloths = painted(rows(top="tshirt", sleeves=sleeves)[row], points)[:, 6] == TOP
        covered = (down <= fabrics.SHORT_SLEEVE) & (row == fabrics.ROW_UPPER_ARM)
        assert (cloths == (covered if sleeves == "short" else np.ones(60, bool))).all()


@pytest.mark.parametrize(("bottom", "covered"), [("trousers", 9.0), ("shorts", 0.37), ("skirt", -0.01)])
def test_trousers_cover_what_they_should(bottom: str, covered: float) -> None:
    down = np.linspace(0.005, 0.42, 40)
    points = np.column_stack([np.full(40, 0.05), -down, np.full(40, 0.03)])
    materials = rows(bottom=bottom)
    for row, start in ((fabrics.ROW_THIGH, 0.0), (fabrics.ROW_SHIN, 0.425)):
        skin = painted(materials[row], points)[:, 6] == SKIN
        assert (skin == (start + down > covered)).all()


def place(u: float, v: float, w: float) -> Array:
    """Give a place on the head, in heights of a head."""
    return np.array([[u, v, w]]) * faces.HEIGHT


def test_eyes_are_dark_in_white_and_look_forward() -> None:
    row = rows(skin=(0.3, 0.2, 0.15))[fabrics.ROW_HEAD]
    for side in (-1, 1):
        pupil, white, cheek, behind = (
            float(painted(row, place(side * u, v, w))[0, :3].mean())
            for u, v, w in ((0.138, 0.5, 0.35), (0.190, 0.5, 0.33), (0.2, 0.36, 0.3), (0.138, 0.5, 0.0))
        )
        assert pupil < 0.4 * cheek
        assert white > 1.5 * cheek
        assert behind == pytest.approx(np.mean((0.3, 0.2, 0.15)))


def test_a_face_is_symmetric() -> None:
    row = rows(glasses=True, facial_hair="beard")[fabrics.ROW_HEAD]
    points = grid(np.linspace(0, 0.07, 12), np.linspace(0.005, 0.17, 40), 0.08)
    assert painted(row, points)[:, :7] == pytest.approx(painted(row, points * [-1, 1, 1])[:, :7])


@pytest.mark.parametrize(("facial_hair", "chin", "lip"), [("none", 0, 0), ("moustache", 0, 1), ("beard", 1, 1)])
def test_beards_grow_where_they_should(facial_hair: str, chin: int, lip: int) -> None:
    row = rows(facial_hair=facial_hair)[fabrics.ROW_HEAD]
    found = [painted(row, place(0.03, v, 0.3))[0, 6] == HAIR for v in (0.05, 0.245)]
    assert found == [chin, lip]
    assert painted(row, place(0.03, 0.7, 0.35))[0, 6] == SKIN


def test_hair_is_above_the_forehead_and_behind() -> None:
    short, bald = rows(hair_style="short")[fabrics.ROW_HEAD], rows(hair_style="bald")[fabrics.ROW_HEAD]
    places = np.concatenate([place(0, 0.98, 0.1), place(0, 1.0, 0.03), place(0, 0.5, -0.4), place(0.05, 0.75, 0.35)])
    assert painted(short, places)[:, 6].tolist() == [HAIR, HAIR, HAIR, SKIN]
    assert (painted(bald, places)[:, 6] == SKIN).all()


@pytest.mark.parametrize("hat", ["cap", "beanie", "brim"])
def test_a_hat_hides_the_hair_but_not_the_eyes(hat: str) -> None:
    row = rows(hat=hat)[fabrics.ROW_HEAD]
    places = np.concatenate([place(0, 0.98, 0.1), place(0.1, 0.9, -0.2), place(0.138, 0.5, 0.35)])
    assert painted(row, places)[:, 6].tolist() == [HAT, HAT, SKIN]


def test_glasses_frame_the_eyes() -> None:
    points = grid(np.linspace(0, 0.07, 40), np.linspace(0.08, 0.15, 40), 0.08)
    bare, framed = (painted(rows(glasses=glasses)[fabrics.ROW_HEAD], points) for glasses in (False, True))
    changed = np.abs(bare[:, :3] - framed[:, :3]).max(axis=1) > 0.05
    assert 0.02 < changed.mean() < 0.4
    assert (framed[changed, :3].max(axis=1) < 0.1).mean() > 0.5


def pattern(name: str, u: Array, v: Array, frequency: float = 12.5, seed: int = 5, chest: float = 1.0) -> Array:
    """Weave a pattern of black on white over a grid."""
    row = rows(pattern=name, frequency=frequency, pattern_seed=seed, phase=0.0)[fabrics.ROW_TRUNK]
    row[fabrics.FIRST : fabrics.FIRST + 3], row[fabrics.SECOND : fabrics.SECOND + 3] = 1.0, 0.0
    out = np.zeros((len(v), len(u), OUT))
    for i, high in enumerate(v):
        for j, across in enumerate(u):
            weaves.weave(row, across, high, chest, out[i, j])
    return np.asarray(out[..., 0])


ACROSS, HIGH = np.linspace(-0.119, 0.121, 49), np.linspace(0.181, 0.421, 49)


def test_stripes_run_across_and_repeat() -> None:
    woven = pattern("stripes", ACROSS, HIGH)
    assert (woven == woven[:, :1]).all()
    assert set(woven.ravel()) == {0.0, 1.0}
    assert woven[:33] == pytest.approx(woven[16:], abs=1e-9)  # 16 steps of 5 mm are a period of 8 cm


def test_checks_and_plaid_run_both_ways() -> None:
    for name in ("checks", "plaid"):
        woven = pattern(name, ACROSS, HIGH)
        assert len(set(np.round(woven.ravel(), 6))) >= 3
        assert (woven.std(axis=0) > 0.05).mean() > 0.8  # a line of plaid runs through
        assert (woven.std(axis=1) > 0.05).mean() > 0.8
        assert woven[:, :33] == pytest.approx(woven[:, 16:], abs=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_prints_are_on_the_chest_only(seed: int) -> None:
    woven = pattern("print", ACROSS, HIGH, seed=seed)
    assert 0.05 < (woven == 0.0).mean() < 0.8
    assert (pattern("print", ACROSS, HIGH, seed=seed, chest=0.0) == 1.0).all()


def test_a_colour_block_has_one_border() -> None:
    row = rows(pattern="block", pattern_seed=0, top="tshirt", top_colour=(0.5, 0.1, 0.1), second_colour=(0.1, 0.1, 0.5))
    points = np.column_stack([np.full(60, 0.05), np.linspace(0.0, 0.42, 60), np.full(60, -0.1)])
    out = painted(row[fabrics.ROW_TRUNK], points)
    blue = out[:, 2] > out[:, 0]
    assert blue[-1]
    assert not blue[0]
    assert (np.diff(blue.astype(int)) != 0).sum() == 1


def test_cloth_folds_more_where_a_joint_is_bent() -> None:
    rng = np.random.default_rng(1)
    points = np.column_stack([rng.uniform(-0.04, 0.04, 300), rng.uniform(-0.06, 0, 300), rng.uniform(-0.04, 0.04, 300)])
    for row in (fabrics.ROW_FOREARM, fabrics.ROW_SHIN):
        straight, bent = rows(top="hoodie", bottom="trousers", sleeves="long")[[row, row]]
        bent[fabrics.FLEX] = 1.2
        tilts = [np.abs(painted(one, points)[:, 7:]).mean() for one in (straight, bent)]
        far = [np.abs(painted(one, points - [0, 0.18, 0])[:, 7:]).mean() for one in (straight, bent)]
        assert tilts[1] > 1.4 * tilts[0]
        assert tilts[1] - tilts[0] > 3 * (far[1] - far[0])  # near the joint, not all over


def test_folds_are_subtle() -> None:
    row = rows(top="tshirt", top_colour=(0.4, 0.4, 0.4))[fabrics.ROW_TRUNK]
    points = grid(np.linspace(-0.15, 0.15, 30), np.linspace(0.0, 0.4, 40), -0.1)
    shade = painted(row, points)[:, 0] / 0.4
    assert 0.03 < shade.std() < 0.15
    assert 0.9 < shade.mean() < 1.05


@pytest.mark.parametrize(
    ("bag", "covered"), [("none", False), ("handbag", False), ("backpack", True), ("shoulder", True)]
)
def test_straps_lie_on_the_trunk(bag: str, covered: bool) -> None:
    out = painted(rows(bag=bag)[fabrics.ROW_TRUNK], grid(np.linspace(-0.16, 0.16, 60), np.linspace(0.1, 0.5, 60), 0.1))
    share = (out[:, 6] == BAG).mean()
    assert (0.03 < share < 0.3) if covered else share == 0


def test_a_shoulder_bags_strap_runs_down_to_its_side() -> None:
    for side, sign in (("left", -1), ("right", 1)):
        row = rows(bag="shoulder", bag_side=side)[fabrics.ROW_TRUNK]
        for height, place_of_strap in ((0.48, -sign), (0.02, sign)):
            points = grid(np.linspace(-0.17, 0.17, 80), np.array([height]), 0.1)
            strap = points[painted(row, points)[:, 6] == BAG, 0]
            assert len(strap)
            assert (np.sign(strap) == place_of_strap).all()


def test_trainers_have_white_soles_where_the_shoe_meets_the_ground() -> None:
    row = rows(pattern_seed=32, shoe_colour=(0.1, 0.1, 0.4))[fabrics.ROW_SHOE]
    low, high = painted(row, np.array([[0.03, -0.08, 0.05], [0.045, -0.03, 0.0]]))[:, :3]
    assert low.min() > 0.5
    assert high == pytest.approx((0.1, 0.1, 0.4))
