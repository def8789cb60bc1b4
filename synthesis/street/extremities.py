"""Arms, hands, legs and shoes, as cones at rest."""

from dataclasses import replace

from synthesis.street import fabrics
from synthesis.street.bones import FOOT, FOREARM, HAND, SHIN, THIGH, TOES, TRUNK, UPPER_ARM
from synthesis.street.figure import (
    FOREARM_LENGTH,
    MIDDLE,
    RIGHT,
    SHIN_LENGTH,
    SIDES,
    THIGH_LENGTH,
    UP,
    UPPER_ARM_LENGTH,
    Cones,
    End,
    Put,
    Sizes,
)
from synthesis.street.gait import (
    BALL_R,
    BALL_Y,
    BALL_Z,
    HEEL_FLAT,
    HEEL_R,
    HEEL_Y,
    HEEL_Z,
    TIP_R,
    TIP_Y,
    TIP_Z,
    TOES_FLAT,
    TOES_R,
)
from synthesis.street.people import Person
from synthesis.street.scene import BOTTOM, OPEN, SHOE, SKIN


def arms(cones: Cones, sizes: Sizes, person: Person, grips: tuple[bool, bool]) -> None:
    """Put down arms with their sleeves, and hands."""
    for i, side in enumerate(SIDES):
        upper = Put(cones, sizes.upper, UPPER_ARM + i, fabrics.ROW_UPPER_ARM + i, fabrics.own_part(person))
        lower = replace(upper, frame=FOREARM + i, row=fabrics.ROW_FOREARM + i)
        short = person.sleeves == "short"
        shoulder = (UPPER_ARM + i, MIDDLE, 0.048 * (0.5 + 0.5 * sizes.limb) + sizes.cloth)
        thick = 0.039 * sizes.limb + (0.0 if short else 1.1 * sizes.cloth)
        elbow = (UPPER_ARM + i, (0.0, -UPPER_ARM_LENGTH, 0.0), thick)
        put_arm = short_sleeve if short else long_sleeve
        upper(f"{side} upper arm", shoulder, elbow, (f"{side} slope", "girdle", f"{side} forearm", f"{side} bulge"))
        put_arm(upper, lower, sizes, i, (FOREARM + i, MIDDLE, thick))
        hand(cones, sizes, i, grips[i])


def long_sleeve(upper: Put, lower: Put, sizes: Sizes, i: int, elbow: End) -> None:
    """Put down a forearm of cloth, open at the cuff."""
    cuff = (FOREARM + i, (0.0, -0.95 * FOREARM_LENGTH, 0.0), wrist(sizes) + 0.5 * sizes.cloth + 0.009)
    lower(f"{SIDES[i]} forearm", elbow, cuff, (f"{SIDES[i]} upper arm", f"{SIDES[i]} palm"), kind=OPEN)


def short_sleeve(upper: Put, lower: Put, sizes: Sizes, i: int, elbow: End) -> None:
    """Put down a bare forearm, and a sleeve that stands off the upper arm."""
    side, thin = SIDES[i], wrist(sizes)
    near = (f"{side} upper arm", f"{side} bulge", f"{side} palm")
    lower(f"{side} forearm", elbow, (FOREARM + i, (0.0, -FOREARM_LENGTH, 0.0), thin), near)
    high = (FOREARM + i, (0.0, -0.045, 0.0), 0.042 * sizes.limb)
    low = (FOREARM + i, (0.0, -0.150, 0.0), 0.032 * sizes.limb)
    lower(f"{side} bulge", high, low, (f"{side} forearm", f"{side} upper arm"))
    high = (UPPER_ARM + i, MIDDLE, 0.048 * (0.5 + 0.5 * sizes.limb) + sizes.cloth + 0.001)
    low = (UPPER_ARM + i, (0.0, -fabrics.SHORT_SLEEVE, 0.0), 0.048 * sizes.limb + sizes.cloth + 0.006)
    upper(f"{side} sleeve", high, low, (f"{side} upper arm",), kind=OPEN)


def wrist(sizes: Sizes) -> float:
    """Give a wrist's radius."""
    return 0.028 * (0.5 + 0.5 * sizes.limb)


def hand(cones: Cones, sizes: Sizes, i: int, grip: bool) -> None:
    """Put down a hand, its fingers straight or closed round something."""
    side, inward, bone = SIDES[i], 1.0 - 2.0 * i, HAND + i
    put = Put(cones, sizes.upper, bone, fabrics.ROW_SKIN, SKIN)
    girth = 0.6 + 0.4 * sizes.limb
    palm = (bone, (0.0, -0.070, 0.002), 0.039 * girth)
    put(
        f"{side} palm", (bone, (0.0, 0.030, 0.0), 0.027 * girth), palm, (f"{side} fingers", f"{side} thumb"), 1.9, RIGHT
    )
    knuckles = (bone, (inward * 0.003, -0.082, 0.001), 0.036 * girth)
    straight = (bone, (inward * 0.022, -0.150, -0.004), 0.023 * girth)
    fist = (bone, (inward * 0.045, -0.088, 0.0), 0.030 * girth)
    put(f"{side} fingers", knuckles, fist if grip else straight, (f"{side} palm",), 1.5 if grip else 2.1, RIGHT)
    root, tip = (bone, (inward * 0.008, -0.018, 0.022), 0.016), (bone, (inward * 0.022, -0.082, 0.042), 0.0115)
    put(f"{side} thumb", root, tip, (f"{side} palm",))


def legs(cones: Cones, sizes: Sizes, person: Person) -> None:
    """Put down legs, with trousers or without, and shoes.

    The upper third of a thigh is painted in the trunk's frame: there the top's hem and the belt run across it.
    """
    bare, size = person.bottom != "trousers", sizes.lower
    for i, side in enumerate(SIDES):
        thigh = Put(cones, size, THIGH + i, fabrics.ROW_THIGH + i, SKIN if bare else BOTTOM)
        seat = Put(cones, size, TRUNK, fabrics.ROW_TRUNK, fabrics.own_part(person))
        middle = (THIGH + i, (0.0, -0.36 * THIGH_LENGTH, 0.0), 0.079 * sizes.leg)
        knee = 0.055 * sizes.leg + (0.0 if bare else 0.004)
        hip = (THIGH + i, MIDDLE, 0.090 * sizes.leg)
        seat(f"{side} hip", hip, middle, ("pelvis", f"{side} thigh", "belly", "drape"))
        low = (THIGH + i, (0.0, -THIGH_LENGTH, 0.0), knee)
        thigh(f"{side} thigh", middle, low, (f"{side} hip", f"{side} shin", f"{side} calf"))
        shin = replace(thigh, frame=SHIN + i, row=fabrics.ROW_SHIN + i)
        if bare:
            bare_shin(shin, sizes, i, 0.92 * knee)
        else:
            trouser_leg(shin, sizes, person, i, knee)
        if person.bottom == "shorts":
            loose = 0.086 * sizes.leg + _width(person)
            high, low = (THIGH + i, (0, -0.10, 0), loose - 0.002), (THIGH + i, (0, -fabrics.SHORTS, 0), loose - 0.004)
            replace(thigh, part=BOTTOM)(f"{side} leg", high, low, (f"{side} hip",), kind=OPEN)
        shoe(cones, sizes, i)


def _width(person: Person) -> float:
    """Give how far trousers stand off the legs."""
    return 0.016 if fabrics.trait(person, 3) else 0.004


def trouser_leg(put: Put, sizes: Sizes, person: Person, i: int, knee: float) -> None:
    """Put down the lower leg of trousers, open over the shoe."""
    hem = 0.049 * (0.5 + 0.5 * sizes.limb) + _width(person)
    low = (SHIN + i, (0.0, 0.035 - SHIN_LENGTH, -0.004), hem)
    put(f"{SIDES[i]} shin", (SHIN + i, MIDDLE, knee), low, (f"{SIDES[i]} thigh",), kind=OPEN)


def bare_shin(put: Put, sizes: Sizes, i: int, knee: float) -> None:
    """Put down a shin and a calf."""
    side, limb = SIDES[i], sizes.limb
    ankle = (SHIN + i, (0.0, 0.010 - SHIN_LENGTH, -0.003), 0.036 * (0.4 + 0.6 * limb))
    put(f"{side} shin", (SHIN + i, MIDDLE, knee), ankle, (f"{side} thigh", f"{side} calf"))
    high, low = (SHIN + i, (0, -0.055, -0.010), 0.047 * limb), (SHIN + i, (0, -0.20, -0.014), 0.041 * limb)
    put(f"{side} calf", high, low, (f"{side} shin", f"{side} thigh"))


def shoe(cones: Cones, sizes: Sizes, i: int) -> None:
    """Put down a shoe; the skeleton knows how low its four spheres reach."""
    side, foot, toes = SIDES[i], FOOT + i, TOES + i
    put = Put(cones, sizes.lower, foot, fabrics.ROW_SHOE, SHOE)
    heel, ball = (foot, (0.0, HEEL_Y, HEEL_Z), HEEL_R), (foot, (0.0, BALL_Y, BALL_Z), BALL_R)
    put(f"{side} heel", heel, ball, (f"{side} instep", f"{side} toes"), HEEL_FLAT, UP)
    ankle, upper = (foot, (0.0, 0.0, -0.012), 0.040), (foot, (0.0, -0.046, 0.100), 0.033)
    put(f"{side} instep", ankle, upper, (f"{side} heel", f"{side} toes"))
    put = replace(put, frame=toes, row=fabrics.ROW_TOES)
    tip = (toes, (0.0, TIP_Y, TIP_Z), TIP_R)
    put(f"{side} toes", (toes, MIDDLE, TOES_R), tip, (f"{side} heel", f"{side} instep"), TOES_FLAT, UP)
