"""Where a ray meets a cone or a rectangle, and how the surface stands there. Compiled for the kernel.

A cone is the hull of two spheres; q is a point seen from the first one's centre, d the axis, c2 = d.d - rho^2 with rho
the radii's difference. Its side is where c2 |q|^2 - y^2 + 2 ra rho y - ra^2 d.d = 0 with y = d.q, between the two
circles 0 < y - ra rho < c2. With q = l + s v that is a quadratic in s, where l is the ray's point nearest to the first
centre: from there all numbers are of the body's own size, and float32 holds them well enough.

The formulas take numbers of any kind: the lanes' float32 choose what is met, float64 says exactly where.
"""

import math

import numpy as np

from synthesis.street.lanes import INFINITE, ONE, TWO, ZERO, pasted
from synthesis.street.noise import device
from synthesis.street.scene import AXIS, CORNER, EDGE_U, EDGE_V, KIND, RA, RB, SQUASH, A, B

NEAREST = np.float32(1e-4)  # metres: what is nearer is where the ray starts

# Columns of what is known of a cone from one origin: the way from A to the origin; the direction of the squash and how
# much more it stretches; then, in the stretched space, the axis, its square, c2, ra rho, the radii's squares, and
# ra^2 d.d. The last one tells the open kind.
OFFSET, STRETCH, MORE, AXIAL, DD, C2, RR, RA2, RB2, RADD, SIDES, KNOWN = 0, 3, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17
# Columns of a cone's shape: A; the axis in the stretched space; the squash; the axis's square, the first radius, how
# much smaller the other is; and how a point's foot on the axis follows from its place along it and aside from it.
CENTRE, CORE, TURN, TURN_MORE, SQUARE, RADIUS_A, RHO, PER_SQUARE, SLOPE, FOOT, SHAPE = (
    0, 3, 6, 9, 10, 11, 12, 13, 14, 15, 16,
)  # fmt: skip
# Columns of what is known of a rectangle from one origin.
N, NUM, U, OU, V, OV, PER_U, PER_V, FLAT = 0, 3, 4, 7, 8, 11, 12, 13, 14


@device
def dot(table, row, column, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Multiply a row's vector, from some column on, by another vector."""
    return table[row, column] * x + table[row, column + 1] * y + table[row, column + 2] * z


@device
def know_cone(cones, i, ox, oy, oz, known, at):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Compute what a cone and an origin fix before any ray is known."""
    stretch, ra, rb = cones[i, SQUASH] - 1.0, cones[i, RA], cones[i, RB]
    rho = ra - rb
    ax, ay, az = cones[i, A], cones[i, A + 1], cones[i, A + 2]
    known[at, OFFSET], known[at, OFFSET + 1], known[at, OFFSET + 2] = ox - ax, oy - ay, oz - az
    ds = stretch * dot(cones, i, AXIS, cones[i, B] - ax, cones[i, B + 1] - ay, cones[i, B + 2] - az)
    dd = 0.0
    for k in range(3):
        d = cones[i, B + k] - cones[i, A + k] + ds * cones[i, AXIS + k]
        known[at, AXIAL + k], known[at, STRETCH + k] = d, cones[i, AXIS + k]
        dd += d * d
    known[at, MORE], known[at, DD], known[at, RR] = stretch, dd, ra * rho
    known[at, C2] = max(dd - rho * rho, 0.0)  # 0: one end swallows the other, and there is no side
    known[at, RA2], known[at, RB2], known[at, RADD] = ra * ra, rb * rb, ra * ra * dd
    known[at, SIDES] = cones[i, KIND]


@pasted
def row_of(known, i, kind):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Take what is known of a cone as numbers of one kind."""
    return (
        kind(known[i, OFFSET]), kind(known[i, OFFSET + 1]), kind(known[i, OFFSET + 2]),
        kind(known[i, STRETCH]), kind(known[i, STRETCH + 1]), kind(known[i, STRETCH + 2]), kind(known[i, MORE]),
        kind(known[i, AXIAL]), kind(known[i, AXIAL + 1]), kind(known[i, AXIAL + 2]), kind(known[i, DD]),
        kind(known[i, C2]), kind(known[i, RR]), kind(known[i, RA2]), kind(known[i, RB2]), kind(known[i, RADD]),
    )  # fmt: skip


@pasted
def _in_its_space(row, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give how far along a ray its point nearest to A is, that point and the ray, both stretched."""
    wx, wy, wz, ax, ay, az, more = row[0], row[1], row[2], row[3], row[4], row[5], row[6]
    begin = -(wx * x + wy * y + wz * z)
    lx, ly, lz = wx + begin * x, wy + begin * y, wz + begin * z
    aside = more * (ax * lx + ay * ly + az * lz)
    lx, ly, lz = lx + aside * ax, ly + aside * ay, lz + aside * az
    aside = more * (ax * x + ay * y + az * z)
    return begin, lx, ly, lz, x + aside * ax, y + aside * ay, z + aside * az


@pasted
def _quadratic(row, lx, ly, lz, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give the coefficients of the side's quadratic, and what the ends need of them."""
    dx, dy, dz, c2, rr = row[7], row[8], row[9], row[11], row[12]
    vv, lv, ll = x * x + y * y + z * z, lx * x + ly * y + lz * z, lx * lx + ly * ly + lz * lz
    rise, height = dx * x + dy * y + dz * z, dx * lx + dy * ly + dz * lz
    a = c2 * vv - rise * rise
    b = c2 * lv - (height - rr) * rise
    c = c2 * ll - height * height + TWO * rr * height - row[15]
    return a, b, b * b - a * c, vv, lv, ll, rise, height


@pasted
def _where(found, t):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give a distance that was found ahead of the ray's start, else infinity."""
    return t if found & (t > NEAREST) else INFINITE


@pasted
def enter(row, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give the distance at which a ray of unit length enters a closed cone; infinity for a miss."""
    begin, lx, ly, lz, x, y, z = _in_its_space(row, x, y, z)
    return _enter_there(row, begin, lx, ly, lz, x, y, z)


@pasted
def enter_round(row, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Do the same for a cone that is not squashed, in less time."""
    begin = -(row[0] * x + row[1] * y + row[2] * z)
    return _enter_there(row, begin, row[0] + begin * x, row[1] + begin * y, row[2] + begin * z, x, y, z)


@pasted
def _enter_there(row, begin, lx, ly, lz, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    a, b, square, vv, lv, ll, rise, height = _quadratic(row, lx, ly, lz, x, y, z)
    t = (-b - math.sqrt(max(square, ZERO))) / a
    above = height + t * rise - row[12]
    side = _where((square > ZERO) & (above > ZERO) & (above < row[11]), begin + t)
    per = ONE / vv
    square = lv * lv - vv * (ll - row[13])
    low = _where(square > ZERO, begin - (lv + math.sqrt(max(square, ZERO))) * per)
    lv -= rise
    square = lv * lv - vv * (ll - TWO * height + row[10] - row[14])
    high = _where(square > ZERO, begin - (lv + math.sqrt(max(square, ZERO))) * per)
    return min(side, min(low, high))


@pasted
def enter_open(row, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give the distance at which a ray of unit length meets the side of an open cone, from outside or from within."""
    begin, lx, ly, lz, x, y, z = _in_its_space(row, x, y, z)
    a, b, square, _, _, _, rise, height = _quadratic(row, lx, ly, lz, x, y, z)
    root = math.sqrt(max(square, ZERO))
    t = (-b - root) / a
    above = height + t * rise - row[12]
    one = _where((square > ZERO) & (above > ZERO) & (above < row[11]), begin + t)
    t = (-b + root) / a
    above = height + t * rise - row[12]
    other = _where((square > ZERO) & (above > ZERO) & (above < row[11]), begin + t)
    return min(one, other)


@device
def know_shape(cones, i, shapes):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Compute what a cone's normals need, wherever rays come from."""
    stretch, rho = cones[i, SQUASH] - 1.0, cones[i, RA] - cones[i, RB]
    ax, ay, az = cones[i, A], cones[i, A + 1], cones[i, A + 2]
    ds = stretch * dot(cones, i, AXIS, cones[i, B] - ax, cones[i, B + 1] - ay, cones[i, B + 2] - az)
    dd = 0.0
    for k in range(3):
        d = cones[i, B + k] - cones[i, A + k] + ds * cones[i, AXIS + k]
        shapes[i, CENTRE + k], shapes[i, CORE + k], shapes[i, TURN + k] = cones[i, A + k], d, cones[i, AXIS + k]
        dd += d * d
    c2 = dd - rho * rho
    shapes[i, TURN_MORE], shapes[i, SQUARE], shapes[i, RADIUS_A], shapes[i, RHO] = stretch, dd, cones[i, RA], rho
    # The foot of a point lies back along the axis by the slope of the side: minus, where the prototype had plus.
    # Where one end swallows the other there is no side: the bigger end is all there is.
    shapes[i, PER_SQUARE] = 1.0 / dd if c2 > 0.0 else 0.0
    shapes[i, SLOPE] = -rho / (dd * math.sqrt(c2)) if c2 > 0.0 else 0.0
    shapes[i, FOOT] = 1.0 if c2 <= 0.0 and rho < 0.0 else 0.0


@pasted
def normal(shapes, i, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give a cone's unit normal at, or near, a point, and the point's distance from its surface."""
    ax, ay, az, stretch = shapes[i, TURN], shapes[i, TURN + 1], shapes[i, TURN + 2], shapes[i, TURN_MORE]
    dx, dy, dz = shapes[i, CORE], shapes[i, CORE + 1], shapes[i, CORE + 2]
    x, y, z = x - shapes[i, CENTRE], y - shapes[i, CENTRE + 1], z - shapes[i, CENTRE + 2]
    aside = stretch * (ax * x + ay * y + az * z)
    x, y, z = x + aside * ax, y + aside * ay, z + aside * az
    along = dx * x + dy * y + dz * z
    away = math.sqrt(max(shapes[i, SQUARE] * (x * x + y * y + z * z) - along * along, 0.0))
    foot = shapes[i, FOOT] + along * shapes[i, PER_SQUARE] + away * shapes[i, SLOPE]
    foot = min(max(foot, 0.0), 1.0)
    x, y, z = x - foot * dx, y - foot * dy, z - foot * dz
    length = math.sqrt(x * x + y * y + z * z)
    aside = stretch * (ax * x + ay * y + az * z)
    x, y, z = x + aside * ax, y + aside * ay, z + aside * az
    per = 1.0 / max(math.sqrt(x * x + y * y + z * z), 1e-12)
    # To first order the distance in the world is the one in the stretched space over the length of its gradient.
    return x * per, y * per, z * per, (length - (shapes[i, RADIUS_A] - foot * shapes[i, RHO])) * length * per


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
def flat_of(flats, i, kind):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Take what is known of a rectangle as numbers of one kind."""
    return (
        kind(flats[i, N]), kind(flats[i, N + 1]), kind(flats[i, N + 2]), kind(flats[i, NUM]),
        kind(flats[i, U]), kind(flats[i, U + 1]), kind(flats[i, U + 2]), kind(flats[i, OU]),
        kind(flats[i, V]), kind(flats[i, V + 1]), kind(flats[i, V + 2]), kind(flats[i, OV]),
    )  # fmt: skip


@pasted
def cross(flat, x, y, z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Give the distance at which a ray meets a rectangle; infinity for a miss."""
    t = flat[3] / (flat[0] * x + flat[1] * y + flat[2] * z)
    u = flat[7] + t * (flat[4] * x + flat[5] * y + flat[6] * z)
    v = flat[11] + t * (flat[8] * x + flat[9] * y + flat[10] * z)
    return _where((u >= ZERO) & (u <= ONE) & (v >= ZERO) & (v <= ONE), t)
