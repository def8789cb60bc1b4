"""Strata: levels are half open, exactly at their edges, and a scheme is known by what it cuts."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import manifest, strata
from benchmark.manifest import Manifest
from benchmark.strata import SCHEMES, Strata

Mistake = Callable[..., AbstractContextManager[None]]


def rows(count: int, **columns: Any) -> Manifest:  # noqa: ANN401
    """Make a measured manifest."""
    made = manifest.build({"path": [f"{number:05d}.jpg" for number in range(count)]}, "toy", Path())
    light = {"lightness": 9.0, "luma": 8.0, "stops": -5.0, "p05": 1.0, "p95": 20.0, "dark": 0.1, "saturated": 0.0}
    return made.with_columns(**{"width": 64, "height": 128, **light, "sha256": "0" * 64, **columns})


def names(found: Strata) -> list[str]:
    """Give the level of every row as a word, a dash for none."""
    return [found.levels[code] if code >= 0 else "-" for code in found.codes]


def below(value: float) -> float:
    """Give the last float32 under a value."""
    return float(np.nextafter(np.float32(value), np.float32(-np.inf)))


def test_light_is_cut_at_a_tenth_and_a_fifth_of_the_range() -> None:
    values = [0.0, below(25.5), 25.5, below(51), 51.0, 255.0]
    found = strata.assign(rows(6, lightness=values), strata.scheme("night600-light"))
    assert names(found) == ["Low", "Low", "Medium", "Medium", "High", "High"]
    assert found.occupied == 3


def test_size_is_cut_at_100_and_200_pixels() -> None:
    found = strata.assign(rows(5, height=[1, 99, 100, 199, 200]), strata.scheme("night600-scale"))
    assert names(found) == ["Small", "Small", "Medium", "Medium", "Big"]


def test_size_is_that_of_the_frame_where_known() -> None:
    made = rows(4, h=[None, 99.5, 250.0, None], height=[128, 128, 128, 300])
    assert strata.sizes(made).tolist() == [128, 99.5, 250, 300]
    assert names(strata.assign(made, strata.scheme("night600-scale"))) == ["Medium", "Small", "Big", "Big"]


@pytest.mark.parametrize("name", [name for name, scheme in SCHEMES.items() if scheme.edges])
def test_every_edge_opens_its_level(name: str) -> None:
    scheme = replace(SCHEMES[name], measure="h" if SCHEMES[name].measure == "size" else SCHEMES[name].measure)
    edges = [float(np.float32(edge)) for edge in scheme.edges]
    at = strata.assign(rows(len(edges), **{scheme.measure: edges}), scheme)
    under = strata.assign(rows(len(edges), **{scheme.measure: [below(edge) for edge in edges]}), scheme)
    assert at.codes.tolist() == [number + 1 for number in range(len(edges))]
    assert under.codes.tolist() == list(range(len(edges)))


@given(st.lists(st.floats(0, 255, width=32), min_size=1, max_size=20))
def test_light_levels_equal_their_slow_twin(values: list[float]) -> None:
    found = strata.assign(rows(len(values), lightness=values), strata.scheme("night600-light"))
    assert found.codes.tolist() == [0 if value < 25.5 else 1 if value < 51 else 2 for value in values]


@pytest.mark.parametrize("name", ["night600-light", "stops-5"])
def test_infrared_rows_are_in_no_light_level(name: str, mistake: Mistake) -> None:
    made = rows(3, modality=["visible", "infrared", "thermal"])
    assert (strata.assign(made, strata.scheme(name)).codes >= 0).tolist() == [True, False, False]
    with mistake(name, "no row has", "in visible light"):
        strata.assign(made.with_columns(modality="infrared"), strata.scheme(name))


def test_infrared_rows_do_have_a_size() -> None:
    made = rows(1, modality="infrared")
    assert names(strata.assign(made, strata.scheme("night600-scale"))) == ["Medium"]


def test_exposures_are_levels_to_a_tenth_and_zero_has_no_sign() -> None:
    made = rows(7, exposure=[-1.0, -0.04, 0.0, -0.0, 0.04, -1.04, None])
    found = strata.assign(made, strata.scheme("exposure"))
    assert found.levels == ("-1", "0")
    assert names(found) == ["-1", "0", "0", "0", "0", "-1", "-"]
    fine = strata.assign(made.with_columns(exposure=[-2.5, -2.4, -2.3, 0.1, 0.2, 0.3, 10]), strata.scheme("exposure"))
    assert fine.levels == ("-2.5", "-2.4", "-2.3", "0.1", "0.2", "0.3", "10")
    assert fine.codes.tolist() == list(range(7))


def test_one_occupied_level_is_told() -> None:
    assert strata.assign(rows(3), strata.scheme("night600-light")).occupied == 1


def test_a_scheme_is_known_by_what_it_cuts() -> None:
    light = SCHEMES["night600-light"]
    assert light.id == f"night600-light@{light.sha256[:8]}"
    assert replace(light, edges=(25.5, 51)).id == light.id
    others = [replace(light, edges=(25.5, 52.0)), replace(light, measure="luma"), replace(light, light=False)]
    assert len({scheme.id for scheme in (light, *others)}) == 4
    # Published boards hold this name: it may change only together with the edges.
    assert light.id == "night600-light@09e785fc"


def test_unmeasured_rows_name_the_command(mistake: Mistake) -> None:
    made = manifest.build({"path": ["a", "b"]}, "toy", Path())
    for name in ("night600-light", "stops-5", "night600-scale"):
        with mistake(name, "2 of 2 rows unmeasured", "luxreid data measure"):
            strata.assign(made, strata.scheme(name))
    with mistake("exposure", "no row has 'exposure'"):
        strata.assign(made, strata.scheme("exposure"))


def test_sizes_from_the_frame_need_no_measuring() -> None:
    made = manifest.build({"path": ["a", "b"], "h": [50.0, 150.0]}, "toy", Path())
    assert names(strata.assign(made, strata.scheme("night600-scale"))) == ["Small", "Medium"]


def test_an_unknown_scheme_is_named_with_the_nearest(mistake: Mistake) -> None:
    with mistake("'night600-ligth'", "did you mean 'night600-light'?", "exposure, night600-light"):
        strata.scheme("night600-ligth")


def test_bare_values_of_any_kind_are_divided() -> None:
    everywhere = np.ones(4, dtype=bool)
    texts = np.array(["b", None, "a", "b"], dtype=object)
    found = strata.divide(strata.Scheme("time", "time"), texts, everywhere)
    assert (found.levels, names(found)) == (("a", "b"), ["b", "-", "a", "b"])
    # 2^24 + 1 is no float32: whole numbers keep their own precision under an edge.
    whole = np.array([2**24, 2**24 + 1, 2**24 + 2, 0])
    at = strata.Scheme("frame", "frame", (2.0**24 + 1,), ("low", "high"))
    assert names(strata.divide(at, whole, everywhere)) == ["low", "high", "high", "low"]


def test_digits_decide_which_numbers_are_one_level_and_are_hashed() -> None:
    coarse, fine = strata.Scheme("noise", "noise"), strata.Scheme("noise", "noise", digits=3)
    values, everywhere = np.array([0.011, 0.0111, 0.02]), np.ones(3, dtype=bool)
    assert strata.divide(coarse, values, everywhere).levels == ("0",)
    assert strata.divide(fine, values, everywhere).levels == ("0.011", "0.02")
    assert coarse.sha256 != fine.sha256
    # Made before digits could be chosen: a board may hold it.
    assert strata.scheme("exposure").sha256.startswith("6d8edb8c")
