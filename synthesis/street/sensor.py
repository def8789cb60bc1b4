"""The camera's compiled parts: motion smear, optics, sensor, metering and image processing.

The sensor's sites are counted from the corner of the frame, so a window of a picture sees the same colours of the
mosaic, the same fixed pattern and, under the same key, the same noise as the whole picture. Everything is float32 and
goes line by line: the lines stay in the fastest cache, and the compiler makes vector loops of them.
"""

from statistics import NormalDist

import numba
import numpy as np

MARGIN = 5  # sites around a picture that are exposed, too: demosaicing needs three, what follows it two more
CELL = 8  # pixels a side of what the wide veil is computed from
FEW = 8.0  # electrons: below, the Poisson law itself is drawn from, from there on its expansion about a normal
MOST_FEW = 40  # electrons that a mean of FEW never reaches with 23-bit uniforms
STEPS = 4096  # of the table of the normal law
NORMAL = np.array(
    # The last step at either side ends where its straight line has the mean of the tail that it stands for.
    [-4.02, *(NormalDist().inv_cdf(step / STEPS) for step in range(1, STEPS)), 4.02],
    np.float32,
)
# SplitMix64's finaliser (Steele, Lea, Flood, OOPSLA 2014), and odd numbers that step from column to column and line to
# line.
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SITE, _LINE = np.uint64(0x8CB92BA72F3D8DD7), np.uint64(0x9E3779B97F4A7C15)

# What `capture` reads of a sensor, by position; the last one is their number.
FULL_WELL, DARK, UNIFORMITY, OFFSET, COLUMN, READ, ROW, GAIN, BLACK, TOP, NUMBERS = range(11)


def _compiled(function):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Compile, and keep the result on disk where there is a folder to keep it in."""
    try:
        return numba.njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:  # neither this folder nor the user's cache can be written
        return numba.njit(nogil=True, error_model="numpy")(function)


@_compiled
def smear(light, mask, down, right, weights):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Move what the mask calls 1 along a path of taps; what it calls 2 stands in front and stays sharp.

    Beside the subject a pixel is covered for a part of the time; on it, what the path meets is averaged, so that what
    lies behind is seen for as long as the subject is elsewhere.
    """
    height, width, _ = light.shape
    moved = light.copy()
    reach = max(np.max(np.abs(down)), np.max(np.abs(right))) if len(weights) else 0
    upper, lower, first, last = _box(mask, reach)
    # The sum of two pixels' words says whether one passes light to the other: not where either stands in front.
    words = np.empty((height, 3 * width), np.float32)
    for y in range(height):
        for i in range(3 * width):
            word = mask[y, i // 3]
            words[y, i] = np.float32(-4) if word == 2 else np.float32(word)
    for y in range(upper, lower):
        here, out = light[y].reshape(-1), moved[y].reshape(-1)
        for tap in range(len(weights)):
            row, shift, weight = y - down[tap], right[tap], weights[tap]
            if row < 0 or row >= height:
                continue
            start, length = 3 * max(first, shift), 3 * (min(last, width + shift) - max(first, shift))
            out_part, own, other = out[start:], words[y, start:], words[row, start - 3 * shift :]
            here_part, there = here[start:], light[row].reshape(-1)[start - 3 * shift :]
            for i in range(length):
                share = weight * min(max(own[i] + other[i], np.float32(0)), np.float32(1))
                out_part[i] += share * (there[i] - here_part[i])
    return moved


@_compiled
def _box(mask, reach):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Find the lines and columns that hold what moves, and so many more to every side."""
    height, width = mask.shape
    upper, lower, first, last = height, 0, width, 0
    for y in range(height):
        for x in range(width):
            if mask[y, x] == 1:
                upper, lower, first, last = min(upper, y), y + 1, min(first, x), max(last, x + 1)
    return max(upper - reach, 0), min(lower + reach, height), max(first - reach, 0), min(last + reach, width)


@_compiled
def cells(light):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Average the light over small squares; a square with a number that light cannot have becomes NaN."""
    height, width, _ = light.shape
    means = np.zeros(((height + CELL - 1) // CELL, (width + CELL - 1) // CELL, 3), np.float32)
    line = np.empty(3 * width, np.float32)
    for row in range(means.shape[0]):
        top, bottom = row * CELL, min((row + 1) * CELL, height)
        line[:] = np.float32(0)
        for y in range(top, bottom):
            values = light[y].reshape(-1)
            for i in range(3 * width):
                line[i] += values[i] if values[i] >= np.float32(0) else np.float32(np.nan)
        for x in range(width):
            for channel in range(3):
                means[row, x // CELL, channel] += line[3 * x + channel]
        for column in range(means.shape[1]):
            area = (bottom - top) * (min((column + 1) * CELL, width) - column * CELL)
            for channel in range(3):
                means[row, column, channel] /= np.float32(area)
    return means


@_compiled
def _between(pixel, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Say between which cells' middles a pixel lies: the first one and the share of the next one."""
    place = min(max((pixel + 0.5) / CELL - 0.5, 0.0), count - 1.0)
    return int(place), np.float32(place - int(place))


@_compiled
def _ramps(level, haze):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Join the levels of a line's cells by straight ramps, and go on level from the first and the last middle."""
    cells, width = len(level), len(haze) // 3
    half = CELL // 2
    for cell in range(-1, cells):
        low, high = level[max(cell, 0)], level[min(cell + 1, cells - 1)]
        red, green, blue = low[0], low[1], low[2]
        redder, greener, bluer = high[0] - red, high[1] - green, high[2] - blue
        start = cell * CELL + half
        for x in range(max(start, 0), min(start + CELL, width)):
            share = (np.float32(x - start) + np.float32(0.5)) * np.float32(1 / CELL)
            haze[3 * x] = red + share * redder
            haze[3 * x + 1] = green + share * greener
            haze[3 * x + 2] = blue + share * bluer


@_compiled
def focus(light, veil, kept, taps):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Lay the veil over and blur by the taps in both directions; the margin repeats the picture's edge."""
    height, width, _ = light.shape
    rows, columns, _ = veil.shape
    reach = len(taps) // 2
    wide, start = 3 * (width + 2 * MARGIN), 3 * (MARGIN + reach)
    across = np.zeros((height, wide), np.float32)
    line, haze = np.empty(wide + 6 * reach, np.float32), np.empty(3 * width, np.float32)
    level = np.empty((columns, 3), np.float32)
    for y in range(height):
        row, part = _between(y, rows)
        upper, lower = veil[row], veil[min(row + 1, rows - 1)]
        for cell in range(columns):
            for channel in range(3):
                level[cell, channel] = upper[cell, channel] + part * (lower[cell, channel] - upper[cell, channel])
        _ramps(level, haze)
        values, inner = light[y].reshape(-1), line[start:]
        for i in range(3 * width):
            inner[i] = kept * values[i] + haze[i]
        for i in range(start):
            line[i] = line[start + i % 3]
            line[start + 3 * width + i] = line[start + 3 * width - 3 + i % 3]
        blurred = across[y]
        for tap in range(len(taps)):
            weight, shifted = taps[tap], line[3 * tap :]
            for i in range(wide):
                blurred[i] += weight * shifted[i]
    sharp = np.zeros((height + 2 * MARGIN, width + 2 * MARGIN, 3), np.float32)
    for y in range(height + 2 * MARGIN):
        out = sharp[y].reshape(-1)
        for tap in range(len(taps)):
            source, weight = across[min(max(y - MARGIN + tap - reach, 0), height - 1)], taps[tap]
            for i in range(wide):
                out[i] += weight * source[i]
    return sharp


@_compiled
def _mixed(word):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    word = (word ^ (word >> np.uint64(30))) * _FIRST
    word = (word ^ (word >> np.uint64(27))) * _SECOND
    return word ^ (word >> np.uint64(31))


@_compiled
def _uniform(word):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Give a number between 0 and 1, never either, of a word's highest 23 bits: exact in float32."""
    return (np.float32(np.int32(word >> np.uint64(41))) + np.float32(0.5)) * np.float32(2.0**-23)


@_compiled
def _normal(uniform, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    place = uniform * np.float32(STEPS)
    step = np.int32(place)
    return table[step] + (place - np.float32(step)) * (table[step + 1] - table[step])


@_compiled
def few_photons(mean, uniform, count):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Draw a line from the Poisson law by inversion: count how many steps of its sum each uniform is above."""
    length = len(mean)
    chance, total = np.empty(length, np.float32), np.empty(length, np.float32)
    for x in range(length):
        small = min(mean[x], np.float32(FEW)) * np.float32(-1.0 / 64.0)
        # e^x of a small x by its series, then squared six times: a vector loop, unlike calls of exp.
        power = np.float32(1 / 6) + small * (np.float32(1 / 24) + small * np.float32(1 / 120))
        power = np.float32(1) + small * (np.float32(1) + small * (np.float32(1 / 2) + small * power))
        power *= power
        power *= power
        power *= power
        power *= power
        power *= power
        power *= power
        chance[x] = power
        total[x] = power
        count[x] = np.float32(0)
    for electrons in range(1, MOST_FEW):
        above, share = np.int32(0), np.float32(1.0 / electrons)
        for x in range(length):
            more = uniform[x] >= total[x]
            count[x] += np.float32(more)
            above += np.int32(more)
            chance[x] *= min(mean[x], np.float32(FEW)) * share
            total[x] += chance[x]
        if above == 0:
            break


@_compiled
def many_photons(mean, uniform, count, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Draw a line's larger means from a normal law, with the Poisson law's skew (Cornish and Fisher's expansion)."""
    normal = np.empty(len(mean), np.float32)
    for x in range(len(mean)):
        normal[x] = _normal(uniform[x], table)
    for x in range(len(mean)):
        # Rounding to whole electrons adds 1/12 to the variance (Sheppard's correction).
        z, root = normal[x], np.sqrt(max(mean[x], np.float32(1)) - np.float32(1 / 12))
        second = (z * z - np.float32(1)) * np.float32(1 / 6)
        third = z * (np.float32(1) - z * z) / (np.float32(72) * root)
        drawn = np.floor(mean[x] + root * z + second + third + np.float32(0.5))
        count[x] = drawn if mean[x] >= np.float32(FEW) else count[x]


@_compiled
def capture(light, response, lines, losses, rows, columns, noise, pattern, numbers, table):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Expose the sensor: electrons of the mosaic's colours, their noise, the full well, and the converter's codes.

    `response` holds the electrons that a unit of red, green and blue light frees below each of the mosaic's filters;
    `lines` is what the lens leaves of the light on each line, `losses` what each column takes of that; `noise` and
    `pattern` are where the two draws start.
    """
    height, width, _ = light.shape
    raw = np.empty((height, width), np.uint16)
    full_well, dark, gain = numbers[FULL_WELL], numbers[DARK], numbers[GAIN]
    uniformity, offset, read = numbers[UNIFORMITY], numbers[OFFSET], numbers[READ]
    black, top = numbers[BLACK] + np.float32(0.5), numbers[TOP]
    filters = np.empty((2, 3, width), np.float32)  # over the sites of lines with red, and of lines with blue
    stripes = np.empty(width, np.float32)  # one amplifier serves a column
    for x in range(width):
        odd = int(columns[x] & np.uint64(1))
        for channel in range(3):
            filters[0, channel, x] = response[odd, channel]
            filters[1, channel, x] = response[1 + odd, channel]
        stripes[x] = numbers[COLUMN] * _normal(_uniform(_mixed(~(pattern ^ (columns[x] * _SITE)))), table)
    mean, count = np.empty(width, np.float32), np.empty(width, np.float32)
    photon, reading = np.empty(width, np.float32), np.empty(width, np.float32)
    fixed, even = np.empty(width, np.float32), np.empty(width, np.float32)
    for y in range(height):
        red, green, blue = filters[int(rows[y] & np.uint64(1))]
        for x in range(width):
            word = _mixed(noise ^ (rows[y] * _LINE + columns[x] * _SITE))
            photon[x] = _uniform(word)
            reading[x] = _uniform(word << np.uint64(32))
            word = _mixed(pattern ^ (rows[y] * _LINE + columns[x] * _SITE))
            # Two times two numbers of 16 bits: triangular draws between -1 and 1.
            slope = np.int32((word >> np.uint64(48)) + ((word >> np.uint64(32)) & np.uint64(0xFFFF)))
            level = np.int32(((word >> np.uint64(16)) & np.uint64(0xFFFF)) + (word & np.uint64(0xFFFF)))
            even[x] = np.float32(1) + uniformity * (np.float32(slope) * np.float32(2.0**-16) - np.float32(1))
            fixed[x] = stripes[x] + offset * (np.float32(level) * np.float32(2.0**-16) - np.float32(1))
        for x in range(width):
            freed = red[x] * light[y, x, 0] + green[x] * light[y, x, 1] + blue[x] * light[y, x, 2]
            mean[x] = dark + freed * even[x] * (lines[y] - losses[x])
        low, high = np.float32(np.inf), np.float32(0)
        for x in range(width):
            low, high = min(low, mean[x]), max(high, mean[x])
        if low < np.float32(FEW):
            few_photons(mean, photon, count)
        if high >= np.float32(FEW):
            many_photons(mean, photon, count, table)
        level_of_row = numbers[ROW] * _normal(_uniform(_mixed(~(noise ^ (rows[y] * _LINE)))), table)
        for x in range(width):
            electrons = min(count[x], full_well) + fixed[x] + level_of_row + read * _normal(reading[x], table)
            raw[y, x] = np.uint16(np.int32(min(max(black + gain * electrons, np.float32(0)), top)))
    return raw


@_compiled
def _code(light, tone):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Apply the tone curve: a root, a knee, some contrast about the middle, and a toe that is cut off; 0 to 255."""
    root = np.sqrt(min(max(light, np.float32(0)), np.float32(1)))
    bent = (np.float32(1) + tone[0]) * root / (root + tone[0])
    steep = bent + tone[1] * bent * (np.float32(1) - bent) * (bent + bent - np.float32(1))
    return max(steep - tone[2], np.float32(0)) * (np.float32(255) / (np.float32(1) - tone[2]))


@_compiled
def meter(light, tone, target, most):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Find the factor of light whose codes have the wanted mean, by halving an interval of its logarithm."""
    low, high = np.log(most) - 60.0, np.log(most)
    codes = np.empty(len(light), np.float32)
    for _ in range(30):
        middle = 0.5 * (low + high)
        factor = np.float32(np.exp(middle))
        for i in range(len(light)):
            codes[i] = _code(light[i] * factor, tone)
        if codes.sum() > target * len(light):
            high = middle
        else:
            low = middle
    return np.exp(0.5 * (low + high))


@_compiled
def develop(raw, phase, black, scale, matrix, tone, taps, detail, careful):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Process the sensor's codes: demosaic, colour, tone, noise reduction and sharpening, 8 bits.

    `phase` is the first site's place in the mosaic, `scale` brings each filter's codes to white at 1, `taps` are what
    noise reduction and sharpening call smooth; `detail` holds what is kept of a weak detail, what a strong one is
    multiplied by, the codes at which the two part, the most that is added, and the light that makes no edge.
    """
    height, width = raw.shape
    linear = np.empty((height, width), np.float32)
    for y in range(height):
        line = (y + phase[0]) & 1
        own, other = scale[(phase[1] & 1) + line], scale[((phase[1] + 1) & 1) + line]
        for x in range(width):
            factor = other if x & 1 else own
            linear[y, x] = min((np.float32(raw[y, x]) - black) * factor, np.float32(1))
    reach = 3
    planes = np.empty((3, height - 2 * reach, width - 2 * reach), np.float32)
    colour = np.empty((3, width), np.float32)
    green = _green(linear, phase, detail[4]) if careful else linear
    for y in range(reach, height - reach):
        if careful:
            _differences(linear, green, y, phase, colour)
        else:
            _bilinear(linear, y, phase, colour)
        _look(colour, matrix, tone, planes[0, y - reach], planes[1, y - reach], planes[2, y - reach])
    return _finish(planes, taps, detail)


@_compiled
def _bilinear(linear, y, phase, colour):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill in the colours of a line's sites by the mean of their nearest neighbours."""
    above, here, below = linear[y - 1], linear[y], linear[y + 1]
    lower = (y + phase[0]) & 1  # a line of green and blue
    first, second = (colour[2], colour[0]) if lower else (colour[0], colour[2])  # this line's, and the next one's
    for x in range(1, linear.shape[1] - 1):
        own = ((x + phase[1]) & 1) == lower  # not green
        sides = np.float32(0.5) * (here[x - 1] + here[x + 1])
        ends = np.float32(0.5) * (above[x] + below[x])
        corners = np.float32(0.25) * ((above[x - 1] + above[x + 1]) + (below[x - 1] + below[x + 1]))
        first[x] = here[x] if own else sides
        colour[1, x] = np.float32(0.5) * (sides + ends) if own else here[x]
        second[x] = corners if own else ends


@_compiled
def _green(linear, phase, least):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill in green along edges rather than across them, as the site's own colour bends (Hamilton and Adams, 1997)."""
    height, width = linear.shape
    green = linear.copy()
    for y in range(2, height - 2):
        lower = (y + phase[0]) & 1
        here, above, below = linear[y], linear[y - 1], linear[y + 1]
        far_above, far_below, filled = linear[y - 2], linear[y + 2], green[y]
        for x in range(2, width - 2):
            twice = np.float32(2) * here[x]
            bend_across, bend_down = twice - here[x - 2] - here[x + 2], twice - far_above[x] - far_below[x]
            across = abs(here[x - 1] - here[x + 1]) + abs(bend_across) + least
            down = abs(above[x] - below[x]) + abs(bend_down) + least
            across, down = across * across, down * down
            sides = np.float32(0.5) * (here[x - 1] + here[x + 1]) + np.float32(0.125) * bend_across
            ends = np.float32(0.5) * (above[x] + below[x]) + np.float32(0.125) * bend_down
            mixed = (sides * down + ends * across) / (across + down)
            filled[x] = mixed if ((x + phase[1]) & 1) == lower else here[x]
    return green


@_compiled
def _differences(linear, green, y, phase, colour):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Fill in red and blue by the mean of how the nearest neighbours differ from green."""
    lower = (y + phase[0]) & 1
    first, second = (colour[2], colour[0]) if lower else (colour[0], colour[2])
    here, filled = linear[y], green[y]
    above, green_above, below, green_below = linear[y - 1], green[y - 1], linear[y + 1], green[y + 1]
    for x in range(1, linear.shape[1] - 1):
        own = ((x + phase[1]) & 1) == lower
        sides = (here[x - 1] - filled[x - 1]) + (here[x + 1] - filled[x + 1])
        ends = (above[x] - green_above[x]) + (below[x] - green_below[x])
        corners = (above[x - 1] - green_above[x - 1]) + (above[x + 1] - green_above[x + 1])
        corners += (below[x - 1] - green_below[x - 1]) + (below[x + 1] - green_below[x + 1])
        first[x] = here[x] if own else filled[x] + np.float32(0.5) * sides
        colour[1, x] = filled[x]
        second[x] = filled[x] + (np.float32(0.25) * corners if own else np.float32(0.5) * ends)


@_compiled
def _look(colour, matrix, tone, luma, redder, bluer):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Apply the colour matrix and the tone curve to a line, and part it into luma and two differences of colour."""
    red, green, blue = colour[0, 3:], colour[1, 3:], colour[2, 3:]
    for x in range(len(luma)):
        r = matrix[0, 0] * red[x] + matrix[0, 1] * green[x] + matrix[0, 2] * blue[x]
        g = matrix[1, 0] * red[x] + matrix[1, 1] * green[x] + matrix[1, 2] * blue[x]
        b = matrix[2, 0] * red[x] + matrix[2, 1] * green[x] + matrix[2, 2] * blue[x]
        r, g, b = _code(r, tone), _code(g, tone), _code(b, tone)
        mixed = np.float32(0.299) * r + np.float32(0.587) * g + np.float32(0.114) * b
        luma[x], redder[x], bluer[x] = mixed, r - mixed, b - mixed


@_compiled
def _finish(planes, taps, detail):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Smooth the colours, smooth weak detail of the luma and exaggerate strong detail, and round to 8 bits."""
    height, width = planes.shape[1] - 4, planes.shape[2] - 4
    picture = np.empty((height, width, 3), np.uint8)
    smooth, column = np.empty((3, width), np.float32), np.empty(width + 4, np.float32)
    weak, strong, part, most = detail[0], detail[1], detail[2] * detail[2], detail[3]
    for y in range(height):
        for plane in range(3):
            rows = planes[plane, y : y + 5]
            for x in range(width + 4):
                ends, near = rows[0, x] + rows[4, x], rows[1, x] + rows[3, x]
                column[x] = taps[0] * ends + taps[1] * near + taps[2] * rows[2, x]
            for x in range(width):
                ends, near = column[x] + column[x + 4], column[x + 1] + column[x + 3]
                smooth[plane, x] = taps[0] * ends + taps[1] * near + taps[2] * column[x + 2]
        for x in range(width):
            fine = planes[0, y + 2, x + 2] - smooth[0, x]
            square = fine * fine
            change = fine * (weak + (strong - weak) * square / (square + part))
            luma = smooth[0, x] + min(max(change, -most), most)
            green = luma - np.float32(0.299 / 0.587) * smooth[1, x] - np.float32(0.114 / 0.587) * smooth[2, x]
            picture[y, x, 0] = _rounded(luma + smooth[1, x])
            picture[y, x, 1] = _rounded(green)
            picture[y, x, 2] = _rounded(luma + smooth[2, x])
    return picture


@_compiled
def _rounded(code):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return np.uint8(np.int32(min(max(code + np.float32(0.5), np.float32(0)), np.float32(255))))
