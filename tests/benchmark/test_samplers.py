"""How trials draw: published draws exactly, our own by its laws, official lists checked."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from benchmark import manifest, samplers
from benchmark.manifest import Manifest
from benchmark.protocol import Trials

Cell = tuple[int, int]
KEYED = Trials(sampler="keyed", shots=2)


def shots(cells: dict[Cell, int], distractors: int = 0, subsets: dict[str, list[str]] | None = None) -> Manifest:
    """Make so many pictures of every (pid, camid), in folders like those of SYSU-MM01."""
    rows = [(p, c, f"cam{c}/{p:04d}/{n:04d}.jpg") for (p, c), count in cells.items() for n in range(1, count + 1)]
    rows += [(0, 1, f"cam1/none/{number:04d}.jpg") for number in range(distractors)]
    pids, cameras, paths = zip(*rows, strict=True)
    marks = [(subsets or {}).get(path, []) for path in paths]
    columns = {"path": list(paths), "pid": list(pids), "camid": list(cameras), "subsets": marks}
    return manifest.build(columns, "set", Path("/nowhere"))


def drawn(rows: Manifest, trials: Trials, number: int = 0) -> set[str]:
    kept = samplers.draw(rows, trials, number, "lab: [gallery]")
    return {str(path) for path in rows.column("path")[kept]}


def per_cell(rows: Manifest, trials: Trials) -> Counter[Cell]:
    kept = rows.select(samplers.draw(rows, trials, 0, "lab"))
    pairs = zip(kept.column("pid").tolist(), kept.column("camid").tolist(), strict=True)
    return Counter((int(pid), int(camera)) for pid, camera in pairs if pid > 0)


CELLS = {(12, 1): 13, (12, 4): 20, (3, 2): 15, (3, 1): 42, (100, 5): 17, (7, 2): 3, (7, 1): 1}


def as_published(cells: dict[Cell, int], seed: int) -> set[str]:
    """Draw as the public code of SYSU-MM01 and LLCM does: the global generator, over people, then cameras."""
    state = random.getstate()
    random.seed(seed)
    chosen = set()
    for pid in sorted({pid for pid, _ in cells}):
        for camera in (1, 2, 4, 5):
            if (pid, camera) in cells:
                files = sorted(f"cam{camera}/{pid:04d}/{n:04d}.jpg" for n in range(1, cells[pid, camera] + 1))
                chosen.add(random.choice(files))
    random.setstate(state)
    return chosen


@pytest.mark.parametrize("number", range(10))
def test_pyrandom_draws_the_rows_of_published_code(number: int) -> None:
    trials = Trials(count=10, sampler="pyrandom")
    assert drawn(shots(CELLS), trials, number) == as_published(CELLS, number)


def test_pyrandom_does_not_drift_between_versions_of_python() -> None:
    cells = {(pid, 1): 40 for pid in range(1, 9)}
    chosen = sorted(drawn(shots(cells), Trials(count=10, sampler="pyrandom"), 3))
    assert [int(path[-8:-4]) for path in chosen] == [16, 38, 35, 9, 24, 39, 31, 38]


def test_pyrandom_leaves_the_global_generator_alone() -> None:
    random.seed(5)
    before = random.getstate()
    drawn(shots(CELLS), Trials(count=10, sampler="pyrandom"))
    assert random.getstate() == before


def test_pyrandom_goes_through_identities_by_space_then_number() -> None:
    # As texts "10" comes before "9"; the published code pads its names, and so sorts by number.
    cells = {(9, 1): 7, (10, 1): 7, (1000, 1): 7}
    assert drawn(shots(cells), Trials(count=10, sampler="pyrandom"), 4) == as_published(cells, 4)


def test_keyed_draws_so_many_of_every_cell_or_all() -> None:
    rows = shots(CELLS, distractors=4)
    assert per_cell(rows, KEYED) == {cell: min(2, count) for cell, count in CELLS.items()}
    of_identity = per_cell(rows, Trials(sampler="keyed", per="identity", shots=10))
    people: Counter[int] = Counter()
    for (pid, _), count in of_identity.items():
        people[pid] += count
    assert people == {12: 10, 3: 10, 100: 10, 7: 4}


def test_distractors_are_never_left_out() -> None:
    rows = shots({(1, 1): 5}, distractors=4)
    for trials in (KEYED, Trials(count=2, sampler="pyrandom")):
        assert len([path for path in drawn(rows, trials) if "none" in path]) == 4
    nobody = shots({}, distractors=3)
    assert len(drawn(nobody, KEYED)) == 3


def test_one_more_identity_or_picture_elsewhere_disturbs_no_draw() -> None:
    few = drawn(shots(CELLS), KEYED)
    many = drawn(shots(CELLS | {(4, 1): 9, (12, 2): 8, (100, 5): 17}), KEYED)
    assert few < many


def test_a_draw_is_a_function_of_seed_trial_and_role() -> None:
    rows = shots(CELLS)
    draws = [drawn(rows, KEYED), drawn(rows, KEYED, 1)]
    draws += [drawn(rows, Trials(sampler="keyed", shots=2, **more)) for more in ({"seed": 1}, {"role": "query"})]
    assert all(one != other for place, one in enumerate(draws) for other in draws[:place])
    assert drawn(rows, KEYED) == draws[0]


def test_every_picture_is_drawn_as_often_as_another() -> None:
    rows = shots({(1, 1): 8})
    times: Counter[str] = Counter()
    for number in range(400):
        times.update(drawn(rows, KEYED, number))
    # 400 draws of 2 out of 8: 100 each, with a standard deviation of 8.7.
    assert len(times) == 8
    assert np.ptp(list(times.values())) < 6 * 8.7


# The first picks of the official permutation for identity 6 of SYSU-MM01, trials 1 to 10, counted from 1.
OFFICIAL = {
    1: [5, 17, 38, 9, 34, 4, 42, 9, 41, 27],
    2: [7, 10, 18, 15, 11, 24, 5, 17, 19, 17],
    4: [10, 20, 4, 11, 18, 12, 12, 12, 6, 17],
    5: [15, 1, 8, 2, 2, 16, 14, 7, 8, 2],
}


def official(shots: int = 1) -> Trials:
    return Trials(count=10, first=1, sampler="official", official="single-{t}", shots=shots)


def marked() -> dict[str, list[str]]:
    marks: dict[str, list[str]] = {}
    for camera, picks in OFFICIAL.items():
        for number, pick in enumerate(picks, 1):
            marks.setdefault(f"cam{camera}/0006/{pick:04d}.jpg", []).append(f"single-{number}")
    return marks


@pytest.mark.parametrize("number", range(1, 11))
def test_the_official_draw_is_the_list_of_its_trial_and_no_other(number: int) -> None:
    rows = shots({(6, camera): max(picks) for camera, picks in OFFICIAL.items()}, subsets=marked())
    expected = {f"cam{camera}/0006/{picks[number - 1]:04d}.jpg" for camera, picks in OFFICIAL.items()}
    assert drawn(rows, official(), number) == expected


def test_an_official_list_that_is_missing_or_holds_too_few_is_an_error(
    mistake: Callable[..., AbstractContextManager[None]],
) -> None:
    cells = {(6, camera): max(picks) for camera, picks in OFFICIAL.items()}
    with mistake("lab: [gallery] no row is in the official list 'single-3'", "'subsets'"):
        drawn(shots(cells), official(), 3)
    with mistake("official list 'single-3' holds no rows of identity set/9, camera 2, must hold 1"):
        drawn(shots(cells | {(9, 2): 4}, subsets=marked()), official(), 3)
    with mistake("holds 1 row of identity set/6, camera 1, must hold 10"):
        drawn(shots(cells, subsets=marked()), official(shots=10), 3)


def test_cells_of_neighbours_do_not_meet_whatever_their_cameras() -> None:
    # With people 8 apart, camera 9 of the first would be camera 1 of the second.
    cells = {(1, 9): 4, (2, 1): 4, (1, 300): 4, (2, 44): 4}
    assert per_cell(shots(cells), KEYED) == dict.fromkeys(cells, 2)
