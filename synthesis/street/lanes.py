"""A batch of rays: what is known of each stands in one flat table, a run of LANES numbers for every quantity.

Runs at fixed places in one table of float32 are what a compiler turns into vector instructions: no two of them overlap,
and it knows so. A loop over the lanes must therefore have no branches, only choices between two numbers, and no call
that is not pasted. Numbers of one lane never touch those of another: a ray gives the same in any company.
"""

import numba
import numpy as np

from synthesis.street.noise import OPTIONS

pasted = numba.njit(**OPTIONS, inline="always")  # for what runs at every ray: pasted into its caller, not called

WIDE, TALL = 8, 8  # of a batch of neighbouring pixels
LANES = WIDE * TALL
# Constants of the lanes' own kind: one number of another kind would turn the whole sum into it.
ZERO, ONE, TWO, HALF, INFINITE = np.float32(0), np.float32(1), np.float32(2), np.float32(0.5), np.float32(np.inf)

# Where the runs begin. AIM is the ray's unit direction, ACROSS and OVER its parts to the right and up over its part
# ahead; DEPTH, ITEM and BEHIND what it meets; OWNER to EMISSION what is found there; NEAR_BY to AHEAD serve one light
# after the other; SUM collects the samples of an edge. Of three colours only the first run has a name.
(
    ACROSS, OVER, AIM_X, AIM_Y, AIM_Z, DEPTH, ITEM, BEHIND, OWNER, PART,
    POINT_X, POINT_Y, POINT_Z, FLAT_X, FLAT_Y, FLAT_Z, BENT_X, BENT_Y, BENT_Z, AIR, GROUND, AWAY,
    DAY, _, _, NIGHT, _, _, IRRADIANCE, _, _, ALBEDO, _, _, EMISSION, _, _,
    NEAR_BY, ARRIVING, ALONG, WANTED, FREE, OPEN, LIMIT, AHEAD, SUM, _, _, _, _, _, RUNS,
) = range(0, 52 * LANES, LANES)  # fmt: skip


@pasted
def fill(lanes, run, number):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give all lanes of a run one number."""
    for i in range(LANES):
        lanes[run + i] = number
