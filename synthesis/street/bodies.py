"""Where a ray meets a cone or a rectangle, and how the surface stands there. Compiled for the kernel.

A cone is the hull of two spheres; q is a point seen from the first one's centre, d the axis, c2 = d.d - rho^2 with rho
the radii's difference. Its side is where c2 |q|^2 - y^2 + 2 ra rho y - ra^2 d.d = 0 with y = d.q, between the two
circles 0 < y - ra rho < c2. With q = w + t v that is a quadratic in t of which most depends on the ray's origin only.

Rows of a table are named by number and never sliced off: a slice counts references, which costs more than the sums.
"""

import math

import numba

from synthesis.street.noise import device
from synthesis.street.scene import AXIS, CORNER, EDGE_U, EDGE_V, KIND, OPEN, RA, RB, SQUASH, A, B

# For what runs at every ray: pasted into its caller, not called.
pasted = numba.njit(nogil=True, error_model="numpy", inline="always")

NEAREST = 1e-4  # lengths of the ray: what is nearer is where the ray starts

# Columns of what is known of a cone from one origin. `d` and `w` are the axis and the way from A to the origin, both in
# the cone's stretched space; AXIAL and OFFSET are the two stretched once more, so that they meet a ray as it is.
AXIAL, OFFSET, STRETCH, MORE, C2, DW, RR, CC, ENDA, ENDB, SIDES, KNOWN = 0, 3, 6, 9, 10, 11, 12, 13, 14, 15, 16, 17
# Columns of what is known of a rectangle from one origin.
N, NUM, U, OU, V, OV, PER_U, PER_V, FLAT = 0, 3, 4, 7, 8, 11, 12, 13, 14


@device
def dot(table, row, column, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Multiply a row's vector, from some column on, by another vector."""
    return table[row, column] * x + table[row, column + 1] * y + table[row, column + 2] * z


@device
def know_cone(cones, i, ox, oy, oz, known, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Compute what a cone and an origin fix before any ray is known."""
    stretch, ra = cones[i, SQUASH] - 1.0, cones[i, RA]
    rho = ra - cones[i, RB]
    ax, ay, az = cones[i, A], cones[i, A + 1], cones[i, A + 2]
    ws = stretch * dot(cones, i, AXIS, ox - ax, oy - ay, oz - az)
    ds = stretch * dot(cones, i, AXIS, cones[i, B] - ax, cones[i, B + 1] - ay, cones[i, B + 2] - az)
    dd = dw = ww = sd = sw = 0.0
    for k in range(3):
        axis = cones[i, AXIS + k]
        d = cones[i, B + k] - cones[i, A + k] + ds * axis
        w = (ox if k == 0 else oy if k == 1 else oz) - cones[i, A + k] + ws * axis
        dd, dw, ww, sd, sw = dd + d * d, dw + d * w, ww + w * w, sd + d * axis, sw + w * axis
        known[at, AXIAL + k], known[at, OFFSET + k], known[at, STRETCH + k] = d, w, axis
    for k in range(3):
        known[at, AXIAL + k] += stretch * sd * cones[i, AXIS + k]
        known[at, OFFSET + k] += stretch * sw * cones[i, AXIS + k]
    c2 = max(dd - rho * rho, 0.0)  # 0: one end swallows the other, and there is no side
    known[at, MORE] = cones[i, SQUASH] * cones[i, SQUASH] - 1.0
    known[at, C2], known[at, DW], known[at, RR] = c2, dw, ra * rho
    known[at, CC] = c2 * ww - dw * dw + 2.0 * ra * rho * dw - ra * ra * dd
    known[at, ENDA] = ww - ra * ra
    known[at, ENDB] = ww - 2.0 * dw + dd - cones[i, RB] * cones[i, RB]
    known[at, SIDES] = cones[i, KIND]


@pasted
def strike(known, i, x, y, z, square):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give how many lengths of a ray (x, y, z) from the known origin a cone is away; infinity for a miss."""
    delta, omega, more = dot(known, i, AXIAL, x, y, z), dot(known, i, OFFSET, x, y, z), known[i, MORE]
    vv = square  # of the ray's length, in the cone's stretched space
    if more != 0.0:
        along = dot(known, i, STRETCH, x, y, z)
        vv += more * along * along
    c2, dw, rr = known[i, C2], known[i, DW], known[i, RR]
    a, b = c2 * vv - delta * delta, c2 * omega - (dw - rr) * delta
    both_sides = known[i, SIDES] == OPEN
    found = math.inf
    discriminant = b * b - a * known[i, CC]
    if discriminant > 0.0 and a != 0.0:
        root = math.sqrt(discriminant)
        t = (-b - root) / a
        if t > NEAREST and 0.0 < dw + t * delta - rr < c2:
            if not both_sides:
                return t  # a ray enters a convex body once
            found = t
        if both_sides:
            t = (-b + root) / a
            if NEAREST < t < found and 0.0 < dw + t * delta - rr < c2:
                found = t
    if both_sides:
        return found
    discriminant = omega * omega - vv * known[i, ENDA]
    if discriminant > 0.0:
        t = (-omega - math.sqrt(discriminant)) / vv
        if t > NEAREST:
            found = t
    omega -= delta
    discriminant = omega * omega - vv * known[i, ENDB]
    if discriminant > 0.0:
        t = (-omega - math.sqrt(discriminant)) / vv
        if NEAREST < t < found:
            found = t
    return found


@device
def normal(cones, i, x, y, z, out):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Write a cone's unit normal at, or near, a point; give the point's distance from its surface."""
    stretch, ra = cones[i, SQUASH] - 1.0, cones[i, RA]
    rho = ra - cones[i, RB]
    ax, ay, az = cones[i, A], cones[i, A + 1], cones[i, A + 2]
    qs = stretch * dot(cones, i, AXIS, x - ax, y - ay, z - az)
    ds = stretch * dot(cones, i, AXIS, cones[i, B] - ax, cones[i, B + 1] - ay, cones[i, B + 2] - az)
    dd = qq = along = 0.0
    for k in range(3):
        d = cones[i, B + k] - cones[i, A + k] + ds * cones[i, AXIS + k]
        q = (x if k == 0 else y if k == 1 else z) - cones[i, A + k] + qs * cones[i, AXIS + k]
        dd, qq, along = dd + d * d, qq + q * q, along + d * q
        out[k] = q
    c2 = dd - rho * rho
    foot = 1.0 if rho < 0.0 else 0.0  # one end swallows the other: the bigger one is all there is
    if c2 > 0.0:
        # The foot of a point lies back along the axis by the slope of the side: minus, where the prototype had plus.
        foot = (along - rho * math.sqrt(max(dd * qq - along * along, 0.0) / c2)) / dd
        foot = min(max(foot, 0.0), 1.0)
    length = gs = 0.0
    for k in range(3):
        out[k] -= foot * (cones[i, B + k] - cones[i, A + k] + ds * cones[i, AXIS + k])
        length += out[k] * out[k]
        gs += out[k] * cones[i, AXIS + k]
    length = max(math.sqrt(length), 1e-12)
    norm = 0.0
    for k in range(3):
        out[k] = (out[k] + stretch * gs * cones[i, AXIS + k]) / length
        norm += out[k] * out[k]
    norm = math.sqrt(norm)
    for k in range(3):
        out[k] /= norm
    # To first order the distance in the world is the one in the stretched space over the length of its gradient.
    return (length - (ra - foot * rho)) / norm


@device
def know_rectangle(rectangles, i, ox, oy, oz, flats, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Compute what a rectangle and an origin fix."""
    ux, uy, uz = rectangles[i, EDGE_U], rectangles[i, EDGE_U + 1], rectangles[i, EDGE_U + 2]
    vx, vy, vz = rectangles[i, EDGE_V], rectangles[i, EDGE_V + 1], rectangles[i, EDGE_V + 2]
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    length = math.sqrt(nx * nx + ny * ny + nz * nz)
    flats[at, N], flats[at, N + 1], flats[at, N + 2] = nx / length, ny / length, nz / length
    wx, wy, wz = ox - rectangles[i, CORNER], oy - rectangles[i, CORNER + 1], oz - rectangles[i, CORNER + 2]
    flats[at, NUM] = -dot(flats, at, N, wx, wy, wz)
    uu, vv = ux * ux + uy * uy + uz * uz, vx * vx + vy * vy + vz * vz
    flats[at, PER_U], flats[at, PER_V] = 1.0 / math.sqrt(uu), 1.0 / math.sqrt(vv)
    flats[at, U], flats[at, U + 1], flats[at, U + 2] = ux / uu, uy / uu, uz / uu
    flats[at, V], flats[at, V + 1], flats[at, V + 2] = vx / vv, vy / vv, vz / vv
    flats[at, OU], flats[at, OV] = dot(flats, at, U, wx, wy, wz), dot(flats, at, V, wx, wy, wz)


@pasted
def strike_rectangle(flats, i, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give the distance at which a ray meets a rectangle; infinity for a miss."""
    slope = dot(flats, i, N, x, y, z)
    if slope == 0.0:
        return math.inf
    t = flats[i, NUM] / slope
    if t <= NEAREST:
        return math.inf
    if not 0.0 <= flats[i, OU] + t * dot(flats, i, U, x, y, z) <= 1.0:
        return math.inf
    return t if 0.0 <= flats[i, OV] + t * dot(flats, i, V, x, y, z) <= 1.0 else math.inf
