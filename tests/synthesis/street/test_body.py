"""Bodies: feet on the ground, joints that hold, bags that hang on something, clothes that wrap what they should."""

import math
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from synthesis.street import body as bodies
from synthesis.street import bones, fabrics
from synthesis.street.body import body
from synthesis.street.config import World
from synthesis.street.people import Person, person
from synthesis.street.scene import (
    AXIS,
    BAG,
    COAT,
    CONE,
    FRAME,
    FRAME_SIZE,
    HAIR,
    HAT,
    KIND,
    MATERIAL,
    NEAR,
    OPEN,
    OWNER,
    PART,
    RA,
    RB,
    SHOE,
    SQUASH,
    A,
    Array,
    B,
    Pose,
    Solids,
)

PHASES = np.arange(16) * math.pi / 8
SOME = tuple(range(1, 25))
ACTIVITIES = ("walk", "stand", "phone", "carry")


@lru_cache
def somebody(number: int = 1, **changes: Any) -> Person:  # noqa: ANN401
    return replace(person(World(identities=100), 11, number), **changes)


def plain(**changes: Any) -> Person:  # noqa: ANN401
    """Dress somebody so that nothing is one-sided."""
    kept: dict[str, Any] = {"bag": "none", "hat": "none", "hair_style": "short", "pattern": "plain", "top": "tshirt"}
    return somebody(3, **(kept | {"sleeves": "short", "bottom": "trousers", "hood": False} | changes))


def pose(phase: float = 0.0, stride: float = 1.0, activity: str = "walk", **rest: float) -> Pose:
    place = {"x": 0.0, "z": 0.0, "yaw": 0.0} | rest
    return Pose(phase=float(phase), stride=stride, activity=activity, **place)


def lowest(cones: Array) -> Array:
    """Give the lowest point of cones: of the two balls, each flattened along the axis."""
    across = cones[:, AXIS + 1]  # how upright the flat direction is
    reach = np.sqrt(np.maximum(1 - across**2 * (1 - cones[:, SQUASH] ** -2), 0))
    return np.asarray(np.minimum(cones[:, A + 1] - reach * cones[:, RA], cones[:, B + 1] - reach * cones[:, RB]))


def of_part(solids: Solids, part: int) -> Array:
    return np.asarray(solids.cones[solids.cones[:, PART] == part])


def framed(solids: Solids, *frames: int) -> Array:
    return solids.cones[np.isin(solids.cones[:, FRAME], frames)]


def distance(row: Array, points: Array) -> Array:
    """Give how far points are from a cone: the nearest of many balls along it, in the space that makes them round."""
    axis, stretch = row[AXIS : AXIS + 3], row[SQUASH] - 1
    way, inside = row[B : B + 3] - row[A : A + 3], points - row[A : A + 3]
    way, inside = way + stretch * (way @ axis) * axis, inside + stretch * (inside @ axis)[:, None] * axis
    share = np.linspace(0, 1, 101)[:, None]
    away = np.linalg.norm(inside[None] - share[..., None] * way, axis=-1)
    return np.asarray((away - row[RA] - share * (row[RB] - row[RA])).min(axis=0))


def gap(cones: Array, point: Array) -> float:
    """Give how far a point is from the nearest of some cones, at most."""
    return min(float(distance(row, point[None])[0]) for row in cones)


@pytest.mark.parametrize("activity", ACTIVITIES)
@pytest.mark.parametrize("number", SOME[:8])
def test_the_lower_shoe_stands_on_the_ground(number: int, activity: str) -> None:
    for stride in (0.0, 0.6, 1.0):
        for phase in PHASES:
            shoes = of_part(body(somebody(number), pose(phase, stride, activity)), SHOE)
            assert abs(lowest(shoes).min()) < 0.005


@pytest.mark.parametrize("number", SOME[:8])
def test_both_shoes_stand_on_the_ground_in_a_standing_person(number: int) -> None:
    for phase in PHASES:
        solids = body(somebody(number), pose(phase, 0.0, "stand"))
        for side in range(2):
            shoe = framed(solids, bones.FOOT + side, bones.TOES + side)
            assert abs(lowest(shoe).min()) < 0.02


@pytest.mark.parametrize("number", SOME[:8])
def test_the_standing_foot_does_not_slide(number: int) -> None:
    who, places = somebody(number), []
    for phase in np.linspace(0.12, 0.45, 12) * 2 * math.pi:
        walked = bodies.turn(who) * phase / (2 * math.pi)
        places.append(body(who, pose(phase, z=walked)).frames[bones.TOES, [0, 2]])
    assert np.ptp(places, axis=0).max() < 0.03


def test_a_turn_of_the_phase_is_two_steps() -> None:
    who = plain(stride=0.8)
    feet = [body(who, pose(phase)).frames[[bones.TOES, bones.TOES + 1], 2] for phase in (0.0, math.pi)]
    assert feet[0] == pytest.approx(feet[1][::-1], abs=1e-9)
    # One step lies between where the balls of the feet are when a heel strikes.
    assert feet[0][0] - feet[0][1] == pytest.approx(bodies.turn(who) / 2, rel=0.08)


@pytest.mark.parametrize("activity", ["walk", "stand", "carry"])
@pytest.mark.parametrize("bottom", ["trousers", "shorts", "skirt"])
def test_half_a_turn_later_the_body_is_its_mirror_image(activity: str, bottom: str) -> None:
    who = plain(bottom=bottom)
    for phase in PHASES[::3]:
        stride = 0.0 if activity == "stand" else 1.0
        one, other = body(who, pose(phase, stride, activity)), body(who, pose(phase + math.pi, stride, activity))
        mirror = np.array([-1.0, 1, 1])
        points = [shape(one.cones, mirror), shape(other.cones, np.ones(3))]
        assert points[0] == pytest.approx(points[1], abs=1e-9)


def shape(cones: Array, mirror: Array) -> Array:
    """Give what does not depend on the cones' order, nor on which end comes first."""
    ends = np.stack([cones[:, A:RA][:, :3] * mirror, cones[:, B : B + 3] * mirror])
    radii = np.stack([cones[:, RA], cones[:, RB]])
    thick = (ends * radii[..., None]).sum(axis=0)
    rows = np.column_stack([ends.sum(axis=0), thick, radii.sum(axis=0), cones[:, PART]])
    return np.asarray(rows[np.lexsort(np.round(rows, 6).T)])


@pytest.mark.parametrize("hair", ["bald", "short"])
@pytest.mark.parametrize("number", SOME)
def test_a_standing_person_is_as_tall_as_the_card_says(number: int, hair: str) -> None:
    who = somebody(number, hair_style=hair, hat="none")
    cones = body(who, pose(0.3, 0.0, "stand")).cones
    top = np.maximum(cones[:, A + 1] + cones[:, RA], cones[:, B + 1] + cones[:, RB]).max()
    assert top == pytest.approx(who.height, rel=0.03)


def test_the_head_is_a_good_seventh_of_the_height() -> None:
    solids = body(plain(hair_style="bald"), pose(0.0, 0.0, "stand"))
    head = framed(solids, bones.HEAD)
    head = head[head[:, MATERIAL] == fabrics.ROW_HEAD]
    high = (head[:, A + 1] + head[:, RA]).max() - lowest(head).min()
    assert 7.0 < plain().height / high < 7.8


def test_another_pose_wears_the_same() -> None:
    for number in SOME:
        one, other = body(somebody(number), pose(0.4)), body(somebody(number), pose(2.0, 0.0, "stand", yaw=1.0))
        same = np.delete(one.materials, fabrics.FLEX, axis=1) == np.delete(other.materials, fabrics.FLEX, axis=1)
        assert same.all()
        fixed = [RA, SQUASH, KIND, FRAME, MATERIAL, PART]
        assert (one.cones[:, fixed] == other.cones[:, fixed]).all()


def test_a_body_is_a_function_of_person_and_pose() -> None:
    one = body(somebody(2), pose(0.4))
    kept = [table.copy() for table in (one.cones, one.frames, one.materials)]
    for table in (one.cones, one.frames, one.materials):
        table[:] = 0.0  # what is handed out is the caller's own
    for _ in range(2):
        again = body(somebody(2), pose(0.4), 3)
        assert (again.cones[:, OWNER] == 3).all()
        assert (np.delete(again.cones, OWNER, 1) == np.delete(kept[0], OWNER, 1)).all()
        assert (again.frames == kept[1]).all()
        assert (again.materials == kept[2]).all()
        bodies._figure.cache_clear()


def test_the_weight_is_on_the_leg_that_stands() -> None:
    for stride, activity in ((0.0, "stand"), (1.0, "walk")):
        solids = body(plain(), pose(0.5 * math.pi, stride, activity))  # the left leg's turn
        hips, feet = solids.frames[bones.TRUNK, :3], solids.frames[bones.FOOT : bones.FOOT + 2, :3]
        assert abs(hips[0] - feet[0, 0]) < abs(hips[0] - feet[1, 0]) - 0.01
        joints = solids.frames[bones.THIGH : bones.THIGH + 2, 1]
        assert joints[0] > joints[1] + 0.003  # the other hip sinks


def test_place_and_heading_move_the_whole_body() -> None:
    still, moved = body(somebody(5), pose(0.7)), body(somebody(5), pose(0.7, x=2.0, z=-1.0, yaw=0.8))
    cosine, sine = math.cos(0.8), math.sin(0.8)
    turn = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
    for column in (A, B):
        expected = still.cones[:, column : column + 3] @ turn.T + [2.0, 0.0, -1.0]
        assert moved.cones[:, column : column + 3] == pytest.approx(expected, abs=1e-9)
    # At yaw 0 a person looks along z, and the right hand is where x is negative.
    assert still.frames[bones.TRUNK, 9:12] @ [0, 0, 1] > 0.98
    assert still.frames[bones.HAND + 1, 0] < still.frames[bones.HAND, 0]


def test_bones_keep_their_lengths_and_hang_together() -> None:
    chains = [
        (bones.UPPER_ARM, bones.FOREARM), (bones.FOREARM, bones.HAND),
        (bones.THIGH, bones.SHIN), (bones.SHIN, bones.FOOT),
    ]  # fmt: skip
    for number in SOME[:8]:
        lengths = []
        for activity in ACTIVITIES:
            for phase in PHASES[::2]:
                frames = body(somebody(number), pose(phase, 1.0, activity)).frames
                upper = np.array([frames[one + side] for one, _ in chains for side in range(2)])
                lower = np.array([frames[two + side] for _, two in chains for side in range(2)])
                away = upper[:, :3] - lower[:, :3]
                lengths.append(np.linalg.norm(away, axis=1))
                # The lower joint lies where the bone's own axis ends.
                assert away == pytest.approx(lengths[-1][:, None] * upper[:, 6:9], abs=1e-9)
        assert np.ptp(lengths, axis=0).max() < 1e-9


def test_frames_are_upright_corners() -> None:
    for activity in ACTIVITIES:
        frames = body(somebody(4), pose(1.0, 1.0, activity, yaw=0.5)).frames[:, 3:].reshape(-1, 3, 3)
        assert frames @ frames.transpose(0, 2, 1) == pytest.approx(np.broadcast_to(np.eye(3), frames.shape), abs=1e-9)
        # Right is forward times up: all frames are of one hand.
        assert np.cross(frames[:, 2], frames[:, 1]) == pytest.approx(frames[:, 0], abs=1e-9)


def test_knees_bend_forwards_and_elbows_backwards() -> None:
    for number in SOME[:8]:
        for phase in PHASES:
            frames = body(somebody(number, bag="none"), pose(phase)).frames
            for side in range(2):
                hip, knee, ankle = (frames[bone + side, :3] for bone in (bones.THIGH, bones.SHIN, bones.FOOT))
                assert (knee - 0.5 * (hip + ankle))[2] > -0.02
                shoulder, elbow, wrist = (
                    frames[bone + side, :3] for bone in (bones.UPPER_ARM, bones.FOREARM, bones.HAND)
                )
                assert (elbow - 0.5 * (shoulder + wrist))[2] < 0.0


@pytest.mark.parametrize("number", SOME)
def test_hanging_arms_do_not_sink_into_the_body(number: int) -> None:
    who = somebody(number, bag="none")
    for phase in PHASES[::2]:
        solids = body(who, pose(phase))
        trunk = framed(solids, bones.TRUNK)
        for side in range(2):
            wrist = solids.frames[bones.HAND + side, :3]
            assert gap(trunk, wrist) > 0.0


def test_the_head_turns_alone() -> None:
    straight, turned = body(somebody(6), pose(0.5)).frames, body(somebody(6), pose(0.5, look=0.6)).frames
    assert (np.delete(straight, bones.HEAD, 0) == np.delete(turned, bones.HEAD, 0)).all()
    assert turned[bones.HEAD, 9:12] @ straight[bones.HEAD, 9:12] == pytest.approx(math.cos(0.6), abs=0.02)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("number", SOME[:6])
def test_what_is_carried_in_a_hand_is_in_it(number: int, side: str) -> None:
    i = ("left", "right").index(side)
    for bag in ("handbag", "trolley"):
        who = somebody(number, bag=bag, bag_side=side)
        for phase in PHASES[::3]:
            solids = body(who, pose(phase))
            held = of_part(solids, BAG)
            hand = framed(solids, bones.HAND + i)
            grip = held[-1, A : A + 3] * 0.5 + held[-1, B : B + 3] * 0.5  # the handle's middle, or a strap's
            if bag == "handbag":
                grip = held[-1, B : B + 3]
                assert gap(held[:-2], held[-1, A : A + 3]) < 0.0  # the strap's other end is in the bag
            assert gap(hand, grip) < 0.02
            if bag == "trolley":
                assert abs(lowest(held).min()) < 0.01


@pytest.mark.parametrize("number", SOME[:6])
def test_bags_on_the_body_touch_it(number: int) -> None:
    for bag in ("backpack", "shoulder"):
        who = somebody(number, bag=bag)
        for phase in PHASES[::4]:
            solids = body(who, pose(phase))
            carried, trunk = of_part(solids, BAG), solids.cones[solids.cones[:, MATERIAL] == fabrics.ROW_TRUNK]
            up = solids.frames[bones.TRUNK, 6:9]
            start = carried[0, B : B + 3]
            inwards = solids.frames[bones.TRUNK, :3] - start
            way = start + np.linspace(0, 1, 300)[:, None] * (inwards - (inwards @ up) * up)
            in_bag = np.min([distance(row, way) for row in carried], axis=0) < 0.003
            in_trunk = np.min([distance(row, way) for row in trunk], axis=0) < 0.003
            assert in_trunk.any()
            assert (in_bag | in_trunk)[: np.argmax(in_trunk)].all()


@pytest.mark.parametrize("activity", ["phone", "carry"])
def test_phone_and_parcel_are_in_the_hands(activity: str) -> None:
    for number in SOME[:10]:
        who = somebody(number, bag="none")
        solids = body(who, pose(0.9, 1.0, activity))
        thing, hands = of_part(solids, BAG)[0], [framed(solids, bones.HAND + side) for side in range(2)]
        if activity == "carry":
            assert max(distance(thing, cones[:, B : B + 3]).min() for cones in hands) < 0.03
        else:
            assert min(gap(cones, thing[A : A + 3]) for cones in hands) < 0.02


@pytest.mark.parametrize("seed", [0, 2, 16, 18])
def test_skirts_and_coats_hold_both_legs(seed: int) -> None:
    for number in SOME[:6]:
        for top, bottom in (("coat", "trousers"), ("shirt", "skirt")):
            who = somebody(number, top=top, bottom=bottom, pattern_seed=seed, bag="none", sleeves="long")
            for phase in PHASES:
                holds_legs(body(who, pose(phase)))


def holds_legs(solids: Solids) -> None:
    trunk = solids.frames[bones.TRUNK]
    drapes = solids.cones[(solids.cones[:, KIND] == OPEN) & (solids.cones[:, FRAME] == bones.TRUNK)]
    drape = max(drapes[drapes[:, PART] == COAT], key=lambda row: float(trunk[6:9] @ (row[A : A + 3] - row[B : B + 3])))
    hem, top = (float((drape[end : end + 3] - trunk[:3]) @ trunk[6:9]) for end in (B, A))
    for side in range(2):
        hip, knee, ankle = (solids.frames[bone + side, :3] for bone in (bones.THIGH, bones.SHIN, bones.FOOT))
        line = np.concatenate([hip + np.linspace(0, 1, 80)[:, None] * (knee - hip),
                               knee + np.linspace(0, 1, 80)[:, None] * (ankle - knee)])  # fmt: skip
        height = (line - trunk[:3]) @ trunk[6:9]
        # The leg itself, and as far beside it as a thin leg is thick.
        for out in (-0.05, 0.0, 0.05):
            for axis in (3, 9):
                points = (line + out * trunk[axis : axis + 3])[(height > hem) & (height < min(top, -0.05))]
                assert (distance(drape, points) < 0.012).all()


@pytest.mark.parametrize("hat", ["none", "cap", "beanie", "brim"])
@pytest.mark.parametrize("hair", ["bob", "long", "bun", "ponytail"])
def test_hair_and_hats_are_on_the_head(hair: str, hat: str) -> None:
    for number in SOME[:6]:
        cones = framed(body(somebody(number, hair_style=hair, hat=hat), pose()), bones.HEAD)
        skull = cones[cones[:, MATERIAL] == fabrics.ROW_HEAD][0]
        for row in cones[np.isin(cones[:, PART], [HAIR, HAT])]:
            ends = [
                float(distance(skull, row[None, end : end + 3])[0]) - radius
                for end, radius in ((A, row[RA]), (B, row[RB]))
            ]
            assert min(ends) < -0.01


def test_neighbours_exist_and_belong_to_the_same_person() -> None:
    crowd = body(somebody(1), pose(0.1)) + body(somebody(2), pose(0.2, x=1.0), 1)
    near = crowd.cones[:, NEAR:CONE].astype(int)
    rows = np.arange(len(near))[:, None]
    assert (near < len(near)).all()
    assert (near >= -1).all()
    assert (near != rows).all()
    owners = crowd.cones[:, OWNER]
    assert (owners[near] == owners[:, None])[near >= 0].all()
    assert (near >= 0).any(axis=1).mean() > 0.6


def test_all_rows_are_usable() -> None:
    for number in SOME:
        solids = body(somebody(number), pose(1.0))
        assert 28 <= len(solids.cones) <= 56
        assert np.isfinite(solids.cones).all()
        assert (solids.cones[:, [RA, RB]] > 0).all()
        assert (solids.cones[:, SQUASH] >= 1).all()  # the kernel bounds a cone by its balls before they are flattened
        assert np.linalg.norm(solids.cones[:, AXIS : AXIS + 3], axis=1) == pytest.approx(1)
        assert solids.frames.shape == (bones.BONES, FRAME_SIZE)
        assert solids.cones[:, MATERIAL].max() < len(solids.materials)


@pytest.mark.parametrize(
    ("attribute", "values"),
    [
        ("hair_style", ("bald", "short", "bob", "long", "bun", "ponytail")),
        ("facial_hair", ("none", "stubble", "moustache", "beard")),
        ("hat", ("none", "cap", "beanie", "brim")),
        ("top", ("tshirt", "shirt", "hoodie", "jacket", "coat")),
        ("sleeves", ("short", "long")),
        ("pattern", ("plain", "stripes", "checks", "plaid", "print", "block")),
        ("bottom", ("trousers", "shorts", "skirt")),
        ("bag", ("none", "backpack", "handbag", "shoulder", "trolley")),
        ("glasses", (False, True)),
        ("hood", (False, True)),
        ("girth", (0.9, 1.2)),
        ("belly", (0.0, 0.9)),
        ("shoulders", (0.9, 1.1)),
        ("hips", (0.9, 1.1)),
        ("swing", (0.6, 1.3)),
        ("bounce", (0.6, 1.5)),
        ("lean", (0.0, 0.1)),
    ],
)
def test_every_attribute_of_the_card_is_in_the_solids(attribute: str, values: tuple[Any, ...]) -> None:
    seen = []
    for value in values:
        solids = body(plain(**{attribute: value}), pose(1.9))
        seen.append(solids.cones.tobytes() + solids.materials.tobytes())
    assert len(set(seen)) == len(values)
