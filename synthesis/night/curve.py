"""The camera's tone curve, and what digital gain does before it."""

import numba
import numpy as np
from numpy.typing import NDArray

from benchmark import images

STEPS = 4095  # of the table of the curve, even in the root of the light: there the curve is nearly straight
PARTS = 256  # of a code, in which the table counts: sums of whole numbers may be taken many at a time
LEAST, MOST = 0.02, 1.9  # digital gain; at 2 the roll-off would turn back

device = numba.njit(nogil=True, error_model="numpy", inline="always")


def tone(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the codes, 0 to 1, of linear light: sRGB, and 40 % of an S-curve over it."""
    code = images.from_linear(np.clip(light, 0, 1))
    return 0.6 * code + 0.4 * code * code * (3 - 2 * code)


# Codes, 0 to 255, in parts, at the roots 0, 1/STEPS, ..., 1.
CURVE = np.round(PARTS * 255 * tone((np.arange(STEPS + 1) / STEPS) ** 2)).astype(np.int32)


def amplified(light: NDArray[np.float64], digital: float) -> NDArray[np.float64]:
    """Multiply light in [0, 1] by a digital gain that leaves white white: near 1 it rolls off."""
    return light * digital / (1 - (1 - digital) * light * light)


@device
def shown(light, digital, curve):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give the code, in parts, of light in [0, 1] after digital gain, as a compiled loop wants it."""
    one = np.float32(1)
    raised = light * digital / (one - (one - digital) * light * light)
    # What is no number is black: `max` gives its first then. Beyond the table is nothing to read.
    return curve[np.int32(np.sqrt(min(max(np.float32(0), raised), one)) * np.float32(STEPS) + np.float32(0.5))]
