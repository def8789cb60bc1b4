"""The table of levels against a slow count, and a scheme in words."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from benchmark import levels, manifest, strata
from benchmark.columns import MEASURED
from benchmark.manifest import Manifest


def make(count: int = 60) -> Manifest:
    rng = np.random.default_rng(7)
    columns: dict[str, object] = {name: np.ones(count) for name in MEASURED if name not in ("sha256", "stops")}
    columns |= {"path": [f"{row:03d}.jpg" for row in range(count)], "sha256": ["0" * 64] * count}
    columns |= {"lightness": rng.uniform(0, 60, count), "stops": rng.uniform(-12, -1, count)}
    columns |= {"width": np.full(count, 9), "height": rng.integers(50, 300, count), "pid": rng.integers(-1, 9, count)}
    columns |= {"modality": rng.choice(["visible", "infrared"], count), "exposure": rng.choice([-2.0, 0.0, 1.5], count)}
    found = manifest.build(columns, "s", Path("root"))
    return found.with_columns(query=(rng.uniform(size=count) < 0.4) & (found.identities() >= 0), split="test")


def printed(made: Manifest, scheme: str) -> str:
    console = Console(file=io.StringIO(), width=100)
    console.print(levels.table(made, strata.assign(made, strata.scheme(scheme))))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("scheme", sorted(strata.SCHEMES))
def test_the_table_equals_a_slow_count(scheme: str) -> None:
    made = make()
    found = strata.assign(made, strata.scheme(scheme))
    lines = [" ".join(line.split()) for line in printed(made, scheme).splitlines()]
    rows = list(zip(made.table.to_pylist(), found.codes.tolist(), strict=True))
    inside = int((found.codes >= 0).sum())
    for code, name in (*enumerate(found.levels), (-1, "in no level")):
        of = [row for row, own in rows if own == code]
        people = {row["pid"] for row in of if row["pid"] > 0}
        asked = [row["pid"] for row in of if row["query"]]
        share = "-" if code < 0 else f"{100 * len(of) / inside:.0f} %"
        numbers = f"{len(of)} {share} {len(people)} {len(asked)} {len(set(asked))}"
        shown = [line for line in lines if line.startswith(f"{name} ") and line.endswith(f" {numbers}")]
        assert len(shown) == (1 if of or code >= 0 else 0)


def test_limits_stand_beside_their_levels() -> None:
    lines = [line.split() for line in printed(make(), "night600-light").splitlines()]
    assert [line[:3] for line in lines if line and line[0] == "Medium"] == [["Medium", "25.5", "51"]]
    light, exposure = (strata.assign(make(), strata.scheme(name)) for name in ("night600-light", "exposure"))
    assert levels.limits(light) == ["below 25.5", "[25.5, 51)", "51 and up"]
    assert levels.limits(exposure) == []


def test_one_level_and_what_is_left_out_are_said() -> None:
    made = make()
    infrared = int((made.column("modality") == "infrared").sum())
    assert f"{infrared} infrared or thermal images left out" in " ".join(printed(made, "night600-light").split())
    text = " ".join(printed(made.with_columns(h=250.0), "night600-scale").split())
    assert "night600-scale has one occupied level, Big: it divides nothing here." in text
    assert "left out" not in text
    assert "one occupied level" not in printed(made, "night600-scale")
