"""The truth of every pixel as files: the mask, and an archive of all maps."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from synthesis.street.render import Taken
from synthesis.street.scene import LIGHT_KIND, POSITION

# Night light spans a million to one, which half floats do not hold; what is bounded or bright, they do.
SINGLE = ("night", "irradiance", "depth")
HALF = ("day", "emission", "albedo", "normal")
WHOLE = ("mask", "amodal", "part", "owner")


def mask(seen: NDArray[np.bool_]) -> bytes:
    """Draw a mask as PNG of 8 bits: 255 is the person."""
    return _png(np.where(seen, np.uint8(255), np.uint8(0)))


def _png(grey: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "PNG")
    return buffer.getvalue()


def archive(taken: Taken) -> bytes:
    """Pack all maps of a shot, and its lights: equal shots give equal bytes.

    `day_visible` and `night_visible` (height, width, lights) say which share of each light, 0 to 255, a pixel sees; the
    lights themselves are rows of `day_lights` and `night_lights`: position and intensity, in the same order.
    """
    rendering, scene = taken.rendering, taken.staged.scene
    days = len(scene.day.lights)
    packed = {name: getattr(rendering, name).astype(np.float32) for name in SINGLE}
    packed |= {name: getattr(rendering, name).astype(np.float16) for name in HALF}
    packed |= {name: getattr(rendering, name) for name in WHOLE}
    packed |= {"day_visible": rendering.visible[:, :, :days], "night_visible": rendering.visible[:, :, days:]}
    packed |= {"day_lights": scene.day.lights[:, POSITION:LIGHT_KIND]}
    packed |= {"night_lights": scene.night.lights[:, POSITION:LIGHT_KIND]}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **packed)
    return buffer.getvalue()
