"""What is said of a split, counted again the slow way."""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from benchmark import manifest, measure, split_table, splits
from benchmark.executors import serial
from benchmark.manifest import Manifest

Mistake = Callable[..., AbstractContextManager[None]]


def world(places: bool = True) -> Manifest:
    rows = [(p, c, f) for p in range(1, 9) for c in range(1, 4) for f in range(2 + p % 3) if (p + c) % 3 or c == 1]
    rows += [(0, 2, 0), (-1, 2, 1)]
    pids, camids, _ = zip(*rows, strict=True)
    columns: dict[str, object] = {"path": [f"{p}/{c}_{f}.jpg" for p, c, f in rows], "pid": list(pids)}
    columns |= {"camid": list(camids)} | ({} if places else {"place": [0] * len(rows)})
    return splits.split(manifest.build(columns, "set", Path("/nowhere")), "night600", 0)


def printed(table: object) -> list[list[str]]:
    console = Console(width=200, file=io.StringIO())
    with console.capture() as said:
        console.print(table)
    return [line.split() for line in said.get().splitlines()]


def test_the_table_counts_what_a_loop_counts() -> None:
    made = world()
    frame = made.frame()
    rows = {words[0]: words[1:] for words in printed(split_table.by_role(made)) if words}
    for role, mask in (
        ("train", frame["split"] == "train"),
        ("query", frame["query"]),
        ("gallery", frame["gallery"]),
        ("test", frame["split"] == "test"),
        ("all", frame["pid"] > -2),
    ):
        people = frame[mask & (frame["pid"] > 0)]
        met = people.groupby("pid")["camid"].nunique().mean()
        assert rows[role][:4] == [
            str(people["pid"].nunique()),
            str(int(mask.sum())),
            str(frame[mask]["camid"].nunique()),
            f"{met:.2f}",
        ], role


def test_the_table_of_cameras_adds_up_to_the_whole() -> None:
    made = world()
    frame = made.frame()
    lines = [words for words in printed(split_table.by_camera(made)) if words and words[0].isdigit()]
    assert [int(words[0]) for words in lines] == [1, 2, 3]
    sums = np.array([[int(word) for word in words[1:]] for words in lines]).sum(axis=0)
    query, gallery = int(frame["query"].sum()), int(frame["gallery"].sum())
    test, train = int((frame["split"] == "test").sum()), int((frame["split"] == "train").sum())
    assert sums[:-1].tolist() == [train, query, gallery, test, 1]
    cells = frame[(frame["split"] == "test") & (frame["pid"] > 0)].groupby(["camid", "pid"]).ngroups
    assert sums[-1] == cells


def slow_unmatched(frame: pd.DataFrame) -> int:
    alone = 0
    for _, query in frame[frame["query"]].iterrows():
        own = frame[frame["gallery"] & (frame["pid"] == query["pid"]) & (frame["image_id"] != query["image_id"])]
        alone += not ((own["place"] != query["place"]) | (query["place"] == 0)).any()
    return alone


def test_queries_without_a_match_elsewhere_are_counted() -> None:
    made = world()
    frame = made.frame()
    assert split_table.unmatched(made) == slow_unmatched(frame) == 0
    # Everybody's pictures at the first camera only, in the gallery.
    narrow = made.with_columns(gallery=(frame["gallery"] & (frame["camid"] == 1)).to_numpy(bool))
    assert split_table.unmatched(narrow) == slow_unmatched(narrow.frame()) > 0
    nowhere = world(places=False)
    assert split_table.unmatched(nowhere) == slow_unmatched(nowhere.frame()) == 0
    said = "\n".join(split_table.sentences(narrow))
    assert f"{slow_unmatched(narrow.frame())} of {int(frame['query'].sum())} queries have no picture" in said


def test_the_sentence_names_distractors_and_junk() -> None:
    first = split_table.sentences(world())[0]
    assert first.startswith(f"set: {len(world())} images of 8 identities at 3 cameras")
    assert "train 4 identities, test 4 identities" in first
    assert "1 distractor" in first
    assert "1 junk image" in first


def test_the_figure_shows_light_and_size_of_every_split(small: Manifest, tmp_path: Path, mistake: Mistake) -> None:
    with mistake("figure.png", "nothing to draw", "unmeasured"):
        split_table.draw(small, tmp_path / "figure.png")
    done = splits.split(measure.measure(small, tmp_path / "scratch", serial), "night600", 0)
    with Image.open(split_table.draw(done, tmp_path / "figure.png")) as image:
        assert image.format == "PNG"
    assert split_table.sentences(done)[-1].startswith("Queries by night600-light: Low 0")


@pytest.mark.parametrize("light", [[5.0, 30.0, 90.0, 90.0, 30.0, 5.0, 5.0]])
def test_the_levels_of_the_queries_are_counted(small: Manifest, tmp_path: Path, light: list[float]) -> None:
    measured = measure.measure(small, tmp_path / "scratch", serial).with_columns(lightness=light)
    done = splits.split(measured, "night600", 0)
    asking = done.frame()["lightness"][done.frame()["query"]]
    numbers = [int((asking == value).sum()) for value in (5.0, 30.0, 90.0)]
    named = ", ".join(f"{name} {number}" for name, number in zip(("Low", "Medium", "High"), numbers, strict=True))
    assert split_table.sentences(done)[-1] == f"Queries by night600-light: {named}"
