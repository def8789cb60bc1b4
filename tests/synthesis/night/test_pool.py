"""Pools of noise: unit variance, the neighbour correlation of a blur of .6, and the same bytes everywhere."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from synthesis.night import pool
from synthesis.night.pool import Pool


def numbers(made: Pool) -> NDArray[np.float64]:
    return np.asarray(made.values[0] * float(made.unit))


def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_the_pool_is_the_same_on_every_machine() -> None:
    # Other bytes make other nights of old plans: a change here needs a new version of the chain.
    assert pool.normal().sha256 == "f171baafffa326056b29f6f0892f2d9966d17b2c6af154f891b6bc5e5f432e95"
    assert pool.tukey(-0.1).sha256 == "e17d0af62f0ec3c6d79f32489f59d5f38b21191d3cb2c75588d2fd1fde205dd9"
    assert pool.lines()[:4].tolist() == [-0.99072265625, -0.712890625, -0.65673828125, -1.51220703125]


@pytest.mark.parametrize("made", [pool.normal(), pool.tukey(-0.1)])
def test_numbers_have_mean_0_and_variance_1_in_every_channel(made: Pool) -> None:
    for plane in numbers(made):
        assert abs(plane.mean()) < 1e-3
        assert plane.var() == pytest.approx(1, abs=5e-3)


def test_neighbours_correlate_and_channels_do_not() -> None:
    planes = numbers(pool.normal())
    for plane in planes:
        for axis in (0, 1):  # around the ends, too: a window may wrap
            assert correlation(plane, np.roll(plane, 1, axis)) == pytest.approx(0.445, abs=0.005)
            assert correlation(plane, np.roll(plane, 3, axis)) == pytest.approx(0, abs=0.01)
        edge = np.concatenate([plane[:, 0], plane[0]]), np.concatenate([plane[:, -1], plane[-1]])
        assert correlation(*edge) == pytest.approx(0.445, abs=0.06)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert abs(correlation(planes[one], planes[other])) < 0.01
        assert abs(correlation(planes[one], np.roll(planes[other], 1, 1))) < 0.01


def test_the_first_pool_is_normal_and_the_second_has_heavier_tails() -> None:
    normal, tukey = (numbers(made)[0, ::4, ::4].ravel() for made in (pool.normal(), pool.tukey(-0.1)))
    for quantile in (0.001, 0.05, 0.25, 0.5, 0.9, 0.999):
        assert np.quantile(normal, quantile) == pytest.approx(stats.norm.ppf(quantile), abs=0.1)
    assert abs(stats.kurtosis(normal)) < 0.1
    assert stats.kurtosis(tukey) > 1
    assert not (pool.normal().values == pool.tukey(-0.1).values).mean() > 0.1  # other draws, too


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.14])
def test_quantiles_are_those_of_tukeys_law(shape: float) -> None:
    share = np.array([0.01, 0.3, 0.5, 0.8, 0.999])
    np.testing.assert_allclose(pool._tukey(share, shape), stats.tukeylambda.ppf(share, shape), atol=1e-9)


def test_lines_are_unit_normals_of_their_own() -> None:
    lines = pool.lines().astype(np.float64)
    assert len(lines) == pool.LINES
    assert stats.kstest(lines, "norm").pvalue > 0.01
    assert abs(correlation(lines[1:], lines[:-1])) < 0.02
