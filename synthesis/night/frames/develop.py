"""Develop a clip frame by frame: what a camera does that looks at one place, and exposes slowly."""

import math
from collections.abc import Iterator
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
from synthesis.night.stages import noise

METERED, LIT = (64, 32), (16, 8)  # rows and columns at which boxes are metered, and of their light
SOLVED = ("gain", "digital")  # of an exposure
# How often the first frame is developed for a trial; how lightness goes with the gain, about; the most of one step.
TRIES, SLOPE, MOST = 3, 0.6, 1.0


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


class Development:
    """A clip's camera at work: its stages, its light, its exposure, and the frame before."""

    def __init__(self, clip: Clip, rows: Plan, night: Night, surveys: Surveys | None) -> None:
        self.clip, self.night, self.config = clip, night, settings(night)
        self.plan = chain.rows(rows, [0])
        self.surveys = _surveys(night) if surveys is None else surveys
        self.numbers: list[int] = []
        self.found: dict[int, dict[str, float]] = {}
        self.exposed: NDArray[np.float64] | None = None  # logarithms of gain and digital gain
        self.lost: float | None = None  # logarithm of the gain that makes good what denoising and codec take
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
        light = self.field.frame(self.clip.boxes[rows]) if self.field else None
        plan = self.plan | by_frame(self.night, self.plan, np.array([number]), self.surveys)
        if "exposure" in self.stages:
            plan |= self._expose(picture, light, self.clip.boxes[rows], plan)
        block = self._developed(picture, light, plan)
        for row in rows.tolist():
            self.found[self.clip.rows[row]] = self._told(block, light, self.clip.boxes[row])
        return self._denoised(block.pictures[0])

    def _developed(self, picture: Picture, light: Grid | None, plan: Plan) -> Block:
        block = Block([picture], illumination=light)
        chain.run(list(self.stages.values()), block, plan)
        return block

    def _expose(self, picture: Picture, light: Grid | None, boxes: NDArray[np.float64], plan: Plan) -> Plan:
        """Follow what the frame asks for, as slowly as a camera does; who is seen first is exposed for at once."""
        if len(boxes) or self.exposed is None or self.config.metering == "frame":
            wanted = self._metered(picture, light, boxes, plan)
            if self.lost is None and (len(boxes) or self.config.metering == "frame"):
                self.exposed, self.lost = None, self._left(picture, light, boxes, plan, wanted)
            wanted[0] += self.lost or 0.0
            self.exposed = wanted if self.exposed is None else self.exposed + self._pace() * (wanted - self.exposed)
        assert self.exposed is not None
        return _gains(self.exposed)

    def _left(
        self, picture: Picture, light: Grid | None, boxes: NDArray[np.float64], plan: Plan, wanted: NDArray[np.float64]
    ) -> float:
        """Develop and store the first frame to see what is left of its light, and find the gain that makes it good."""
        target, found = float(plan["target"][0]), wanted.copy()
        for _ in range(TRIES):
            night = self._developed(picture, light, {**plan, **_gains(found)}).pictures[0]
            night = video.stored(night, int(plan["crf"][0]))
            seen = [images.lightness(cut(night, box)) for box in self._looked_at(boxes).tolist()]
            found[0] += np.clip(np.log(target / max(float(np.mean(seen)), 0.5)) / SLOPE, -MOST, MOST)
        return float(found[0] - wanted[0])

    def _looked_at(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Say what is metered: people, or all of the frame."""
        if len(boxes) and self.config.metering == "people":
            return boxes
        return np.array([[0, 0, self.clip.width, self.clip.height]], np.float64)

    def _pace(self) -> float:
        """Say which share of the way an exposure goes in the time between this frame and the one before."""
        if not self.config.response:
            return 1.0
        run = self.numbers[-1] - self.numbers[-2] if len(self.numbers) > 1 else 1
        return 1.0 - math.exp(-run / ((self.clip.fps or self.config.fps) * self.config.response))

    def _metered(
        self, picture: Picture, light: Grid | None, boxes: NDArray[np.float64], plan: Plan
    ) -> NDArray[np.float64]:
        """Solve the exposure as for crops, and give the middle of the logarithms of what they ask for."""
        boxes = self._looked_at(boxes)
        block = Block([_small(cut(picture, box)) for box in boxes.tolist()])
        if light is not None and self.field is not None:
            block.illumination = np.stack([self.field.cut(light, box, *LIT) for box in boxes])
        names = list(self.stages)
        first = [self.stages[name] for name in names[: names.index("exposure") + 1]]
        chain.run(first, block, chain.rows(plan, np.zeros(len(boxes), np.int64)))
        middle: NDArray[np.float64] = np.median(
            [np.log(block.solved[name].astype(np.float64)) for name in SOLVED], axis=1
        )
        return middle

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


def _gains(logarithms: NDArray[np.float64]) -> Plan:
    return {name: np.exp(logarithms[[place]]).astype(np.float32) for place, name in enumerate(SOLVED)}


def _small(picture: Picture) -> Picture:
    return np.asarray(cv2.resize(picture, METERED[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _surveys(night: Night) -> Surveys:
    """Ask anew for the one survey that developing needs: that of dark frames."""
    return {"noise": noise.survey(night.settings["noise"], facts([], [], {}))} if "noise" in night.modules else {}  # type: ignore[arg-type]
