"""Develop a clip frame by frame: what a camera does that looks at one place, and exposes slowly."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark import images, video
from benchmark.images import Picture
from synthesis.night import chain
from synthesis.night.block import Block, Plan, Stage
from synthesis.night.chain import Surveys
from synthesis.night.config import Night
from synthesis.night.frames.find import Clip, cut
from synthesis.night.frames.ground import LUMA, Field, Grid, Lamps
from synthesis.night.frames.plan import by_frame, facts, settings, view
from synthesis.night.stages import exposure, noise

METERED, LIT = (64, 32), (16, 8)  # rows and columns at which boxes are metered, and of their light
# Developments of the first frame at most, how near they come, and the most that the gain's logarithm goes in one.
TRIES, CLOSE, MOST = 8, 0.01, 1.5
# How the logarithm of lightness goes with that of the gain, at first, and at least and most: the tone curve's slope,
# less what noise and glare add to it.
SLOPE, SLOPES = 0.6, (0.2, 1.0)
RUN = 0.1  # of the gain's logarithm that tells the slope: over less, noise and codec tell it wrong
HALVINGS, DIMMEST = 7, -7.0  # as the exposure of crops looks for the part of the glare that is left


@dataclass
class Exposure:
    """How a camera exposes at the moment."""

    gain: float  # logarithm
    digital: float
    glare_left: float = 1.0
    slope: float = SLOPE
    people: bool = False  # whether it has ever been for people
    kept: float = 1.0  # of the lightness by the codec
    asked: float = 0.0  # by how much the frame before would have the gain's logarithm higher

    def columns(self) -> Plan:
        """Give it as the stages take it."""
        found = {"gain": math.exp(self.gain), "digital": self.digital, "glare_left": self.glare_left}
        return {name: np.array([value], np.float32) for name, value in found.items()}

    def ask(self, ratio: float) -> float:
        """Say how far the gain's logarithm goes for the lightness to become so many times as high."""
        return float(np.clip(math.log(ratio) / self.slope, -MOST, MOST))

    def move(self, by: float) -> None:
        """Move the gain's logarithm, within what an exposure may be."""
        self.gain = min(max(self.gain + by, exposure.DARKEST), exposure.BRIGHTEST)


@dataclass(frozen=True)
class _Pattern:
    """Noise of the sensor that stays in its place: the noise stage once more, with the same window for every frame."""

    stage: Stage

    def apply(self, block: Block, plan: Plan) -> None:
        nothing = np.zeros(1, np.float32)
        still = {"shot": nothing, "row": nothing, "read": plan["read"] * plan["pattern"] ** 2}
        still |= {"noise_x": plan["pattern_x"], "noise_y": plan["pattern_y"]}
        still |= {name: np.zeros_like(plan[name]) for name in ("read_law", "adc", "noise_flip")}
        self.stage.apply(block, {**plan, **still})


@dataclass(frozen=True)
class _Glare:
    """The glare stage on a whole frame, in strips as wide as a picture of one person: by that width glare is sized."""

    stage: Stage

    def apply(self, block: Block, plan: Plan) -> None:
        assert block.light is not None
        if not plan["glare"][0]:
            return
        _, _, height, width = block.light.shape
        wide = int(plan["glare_unit"][0])
        count = -(-width // wide)
        rows = {name: np.repeat(values[:1], count) for name, values in plan.items()}
        rows["glare_x"] = (plan["glare_x"] * width / wide - np.arange(count)).astype(np.float32)
        if "glare_lamp" in plan:
            rows["lamp1_kelvin"] = rows[f"lamp{plan['glare_lamp'][0]}_kelvin"]
        left = np.repeat(block.solved["glare_left"], count) if "glare_left" in block.solved else np.ones(count)
        strips = Block([], np.zeros((count, 3, height, wide), np.float32), solved={"glare_left": left})
        self.stage.apply(strips, rows)
        assert strips.light is not None
        block.light += strips.light.transpose(1, 2, 0, 3).reshape(3, height, count * wide)[:, :, :width]


class Development:
    """A clip's camera at work: its stages, its light, its exposure, and the frame before."""

    def __init__(self, clip: Clip, rows: Plan, night: Night, surveys: Surveys | None) -> None:
        self.clip, self.night, self.config = clip, night, settings(night)
        self.plan = chain.rows(rows, [0])
        self.surveys = _surveys(night) if surveys is None else surveys
        self.numbers: list[int] = []
        self.found: dict[int, dict[str, float]] = {}
        self.exposure: Exposure | None = None
        self.before: NDArray[np.uint8] | None = None

    @cached_property
    def stages(self) -> dict[str, Stage]:
        """Make the night's stages ready to work, in their order."""
        ready = {
            name: module.ready(self.night.settings[name], self.surveys.get(name))
            if hasattr(module, "ready")
            else module
            for name, module in self.night.modules.items()
            if name != "lamps"
        }
        if "glare" in ready:
            ready["glare"] = _Glare(ready["glare"])
        if "noise" not in ready:
            return ready
        pattern = {"pattern": _Pattern(noise)} if self.plan["read_law"][0] != noise.DARK else {}
        place = list(ready).index("noise")
        return dict([*list(ready.items())[:place], *pattern.items(), *list(ready.items())[place:]])

    @cached_property
    def field(self) -> Field | None:
        """Work out the light over the empty place; a night without lamps has none."""
        if "lamps" not in self.night.modules:
            return None
        row = {name: float(values[0]) for name, values in self.plan.items()}
        return Field(view(self.plan), Lamps.of(row), self.clip.width, self.clip.height, self.config)

    def frames(self) -> Iterator[tuple[int, Picture]]:
        """Give the night's frames, numbered from the first."""
        for number, picture in self.clip.read():
            self.numbers.append(number)
            yield number - self.numbers[0], self._frame(number, picture)

    def _frame(self, number: int, picture: Picture) -> Picture:
        rows = np.flatnonzero(self.clip.frames == number)
        boxes = self.clip.boxes[rows]
        light = self.field.frame(boxes) if self.field else None
        plan = self.plan | by_frame(self.night, self.plan, np.array([number]), self.surveys)
        if "exposure" in self.stages:
            plan |= self._exposed(picture, light, boxes, plan).columns()
        block = self._developed(picture, light, plan)
        for row in rows.tolist():
            self.found[self.clip.rows[row]] = self._told(block, light, self.clip.boxes[row])
        night = self._denoised(block.pictures[0])
        if self.exposure:
            self.exposure.asked = self._asked(self.exposure, night, boxes)
        return night

    def _developed(self, picture: Picture, light: Grid | None, plan: Plan) -> Block:
        block = Block([picture], illumination=light)
        chain.run(list(self.stages.values()), block, plan)
        return block

    def _exposed(self, picture: Picture, light: Grid | None, boxes: NDArray[np.float64], plan: Plan) -> Exposure:
        """Go on from the frame before, as slowly as a camera does; who is seen first is exposed for at once."""
        if self.exposure is None or (len(boxes) and not self.exposure.people):
            self.exposure = self._begun(picture, light, boxes, plan)
        else:
            self.exposure.move(self._pace() * self.exposure.asked)
        return self.exposure

    def _begun(self, picture: Picture, light: Grid | None, boxes: NDArray[np.float64], plan: Plan) -> Exposure:
        """Develop and store the first frame until what is metered has its lightness, glare and noise included."""
        found = self._guessed(picture, light, boxes, plan)
        target = float(plan["target"][0])

        def seen(picture: Picture) -> float:
            night = self._developed(picture, light, {**plan, **found.columns()}).pictures[0]
            stored = self._lightness(video.stored(night, int(plan["crf"][0])), boxes)
            found.kept = stored / max(self._lightness(night, boxes), 0.5)
            return stored

        self._dim(found, lambda: seen(np.zeros_like(picture)) <= target * float(plan["glare_share"][0]))
        before = None
        for _ in range(TRIES):
            now = found.gain, math.log(max(seen(picture), 0.5))
            if abs(math.log(target) - now[1]) < CLOSE:
                break
            if before and abs(now[0] - before[0]) > RUN:
                found.slope = float(np.clip((now[1] - before[1]) / (now[0] - before[0]), *SLOPES))
            found.move(found.ask(target / math.exp(now[1])))
            before = now
        return found

    def _dim(self, found: Exposure, is_little: Callable[[], bool]) -> None:
        """Weaken glare until it and noise are little enough; they make the same of a black scene."""
        if "glare" not in self.stages or not self.plan["glare"][0] or is_little():
            return
        low, high = DIMMEST, 0.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            found.glare_left = math.exp(middle)
            low, high = (middle, high) if is_little() else (low, middle)
        found.glare_left = math.exp(low)

    def _guessed(self, picture: Picture, light: Grid | None, boxes: NDArray[np.float64], plan: Plan) -> Exposure:
        """Solve the exposure as for crops without glare, and give the middle of what they ask for."""
        people = bool(len(boxes))
        boxes = self._metered(boxes)
        block = Block([_small(cut(picture, box)) for box in boxes.tolist()])
        if light is not None and self.field is not None:
            block.illumination = np.stack([self.field.cut(light, box, *LIT) for box in boxes])
        names = list(self.stages)
        first = [self.stages[name] for name in names[: names.index("exposure") + 1]]
        rows = chain.rows(plan, np.zeros(len(boxes), np.int64))
        chain.run(first, block, {name: values for name, values in rows.items() if name != "glare"})
        gain, digital = (float(np.median(np.log(block.solved[name]))) for name in ("gain", "digital"))
        return Exposure(gain, math.exp(digital), people=people)

    def _asked(self, now: Exposure, night: Picture, boxes: NDArray[np.float64]) -> float:
        """Meter as a camera does: by what it has seen, for what comes; for nobody the exposure stays as it is."""
        if not len(boxes) and self.config.metering == "people":
            return 0.0
        return now.ask(float(self.plan["target"][0]) / max(now.kept * self._lightness(night, boxes), 0.5))

    def _lightness(self, night: Picture, boxes: NDArray[np.float64]) -> float:
        """Measure what is metered."""
        return float(np.mean([images.lightness(cut(night, box)) for box in self._metered(boxes).tolist()]))

    def _metered(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Say what is metered: people, or all of the frame."""
        if len(boxes) and self.config.metering == "people":
            return boxes
        return np.array([[0, 0, self.clip.width, self.clip.height]], np.float64)

    def _pace(self) -> float:
        """Say which share of the way an exposure goes in the time between this frame and the one before."""
        if not self.config.response:
            return 1.0
        run = self.numbers[-1] - self.numbers[-2]
        return 1.0 - math.exp(-run / ((self.clip.fps or self.config.fps) * self.config.response))

    def _told(self, block: Block, light: Grid | None, box: NDArray[np.float64]) -> dict[str, float]:
        """Say what was solved, and how much light is left of the day's where a box is."""
        told = {name: float(values[0]) for name, values in block.solved.items()}
        if "ev" in told and light is not None and self.field is not None:
            mean = float(self.field.cut(light, box, *LIT).mean(axis=(1, 2)) @ LUMA)
            told["ev"] += math.log2(max(mean, 1e-9))
        return told

    def _denoised(self, picture: Picture) -> Picture:
        """Blend with the frame before, as a denoiser does that takes all for still: what moves leaves a ghost."""
        weight = float(self.plan["denoise"][0])
        if weight and self.before is not None:
            picture = np.asarray(cv2.addWeighted(picture, 1 - weight, self.before, weight, 0.0), np.uint8)
        self.before = picture
        return picture


def _small(picture: Picture) -> Picture:
    return np.asarray(cv2.resize(picture, METERED[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _surveys(night: Night) -> Surveys:
    """Ask anew for the one survey that developing needs: that of dark frames."""
    return {"noise": noise.survey(night.settings["noise"], facts([], [], {}))} if "noise" in night.modules else {}  # type: ignore[arg-type]
