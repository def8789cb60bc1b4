"""Cuts: a cell's ranks are those of a gallery whose other positives are junk; light is read where it is seen."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark import cuts, durable, metrics
from benchmark.cuts import Cut
from benchmark.metrics import Ints
from benchmark.strata import SCHEMES

Mistake = Callable[..., AbstractContextManager[None]]
Columns = dict[str, Any]

LIGHT, SCALE, STOPS = (SCHEMES[name].id for name in ("night600-light", "night600-scale", "stops-5"))


@dataclass
class Ranked:
    """Ranks as `Ranking` holds them."""

    starts: Ints
    ranks: Ints
    rows: Ints
    seen: Ints


@dataclass
class World:
    """Scores of every pair, which pairs are of one identity, and which the query does not see."""

    query: pa.Table
    gallery: pa.Table
    scores: NDArray[np.float64]
    same: NDArray[np.bool_]
    hidden: NDArray[np.bool_]

    def ranked(self) -> Ranked:
        """Walk down every query's list with a pencil."""
        found = [self.walk(query, np.ones(len(self.gallery), dtype=bool)) for query in range(len(self.query))]
        counts = [len(mine) for mine, _, _ in found]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        ranks = np.array([rank for mine, _, _ in found for rank in mine], dtype=np.int32)
        rows = np.array([row for _, mine, _ in found for row in mine], dtype=np.int32)
        return Ranked(starts, ranks, rows, np.array([seen for _, _, seen in found], dtype=np.int32))

    def walk(self, query: int, wanted: NDArray[np.bool_]) -> tuple[list[int], list[int], int]:
        """Give the ranks and rows of the wanted positives, others being junk, and how long the list is."""
        # Equal scores: a negative stands first, then positives by their place in the gallery.
        keys = [(-self.scores[query, row], self.same[query, row], row) for row in range(len(self.gallery))]
        ranks: list[int] = []
        rows: list[int] = []
        length = 0
        for _, same, row in sorted(keys):
            if self.hidden[query, row] or (same and not wanted[row]):
                continue
            length += 1
            if same:
                ranks.append(length)
                rows.append(row)
        return ranks, rows, length


def table(count: int, **columns: object) -> pa.Table:
    """Make the rows of one role; what is not given is the same for all."""
    given: Columns = {
        "modality": "visible",
        "lightness": 9.0,
        "stops": -5.0,
        "size": 128.0,
        "exposure": None,
        "camid": 1,
    }
    given |= columns
    kinds = {"lightness": "float32", "stops": "float32", "size": "float32", "exposure": "float32", "camid": "int16"}
    listed = {name: [value] * count if np.isscalar(value) or value is None else value for name, value in given.items()}
    return pa.table({name: pa.array(value, kinds.get(name)) for name, value in listed.items()})


def world(seed: int, queries: int = 12, gallery: int = 40) -> World:
    """Draw a world with ties, junk, queries without a positive, unmeasured rows and infrared pictures."""
    rng = np.random.default_rng(seed)

    def rows(count: int) -> pa.Table:
        return table(
            count,
            lightness=[float(value) if value < 70 else None for value in rng.integers(0, 80, count)],
            stops=rng.uniform(-10, -1, count),
            size=rng.integers(40, 300, count),
            camid=rng.integers(1, 4, count),
            modality=rng.choice(["visible", "visible", "infrared"], count),
            exposure=rng.choice([-2.0, 0.0], count),
            time=rng.choice(["day", "night"], count),
        )

    people, others = rng.integers(1, 6, queries), rng.integers(1, 5, gallery)
    hidden = rng.uniform(size=(queries, gallery)) < 0.1
    scores = rng.integers(0, 15, (queries, gallery)).astype(float)
    return World(rows(queries), rows(gallery), scores, people[:, None] == others, hidden)


def codes_of(cut: Cut, made: World) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Give codes for both sides; a side that is not cut is all in level 0."""
    asked = cut.q_codes if cut.q_levels else np.zeros(len(made.query), dtype=np.int16)
    return asked, cut.g_codes if cut.g_levels else np.zeros(len(made.gallery), dtype=np.int16)


ASKED = [("night600-light", "query"), ("camid", "query"), ("time", "pair_pos"), ("stops-5", "pair_pos")]
ASKED += [("night600-light", "pos"), ("size:64,128,256", "pos"), ("camid", "pair_pos")]
ASKED += [("night600-light+night600-scale", "query"), ("camid+time", "pair_pos")]


@pytest.mark.parametrize(("text", "kind"), ASKED)
@pytest.mark.parametrize("seed", range(3))
def test_a_cell_holds_what_a_pencil_finds(text: str, kind: cuts.Kind, seed: int) -> None:
    made = world(seed)
    ranking, cut = made.ranked(), cuts.parse(text, made.query, made.gallery, kind)
    assert cut.kind == kind
    asked, found = codes_of(cut, made)
    for q, g in cuts.cells(cut):
        queries, starts, ranks, seen = cuts.members(cut, ranking, q, g)
        walked = {query: made.walk(query, found == g) for query in np.flatnonzero(asked == q).tolist()}
        walked = {query: walk for query, walk in walked.items() if walk[0]}
        assert queries.tolist() == list(walked)
        assert seen.tolist() == [length for _, _, length in walked.values()]
        parts = [ranks[first:last].tolist() for first, last in pairwise(starts)]
        assert parts == [walk[0] for walk in walked.values()]


@given(st.integers(0, 2**32 - 1))
def test_levels_that_hold_all_positives_give_the_overall_ranks(seed: int) -> None:
    made = world(seed)
    ranking = made.ranked()
    whole = cuts.members(cuts.everything(), ranking)
    assert whole[0].tolist() == np.flatnonzero(np.diff(ranking.starts)).tolist()
    assert whole[2].tolist() == ranking.ranks.tolist()
    one_level = cuts.parse("object", add(made.query, "person"), add(made.gallery, "person"), "pair_pos")
    for mine, theirs in zip(cuts.members(one_level, ranking), whole, strict=True):
        assert mine.tolist() == theirs.tolist()


def add(rows: pa.Table, value: str) -> pa.Table:
    return rows.append_column("object", pa.repeat(value, len(rows)))


@given(st.integers(0, 2**32 - 1), st.sampled_from(["camid", "time", "size:100,200", "camid+time"]))
def test_query_levels_recombine_to_the_whole(seed: int, text: str) -> None:
    made = world(seed)
    ranking, cut = made.ranked(), cuts.parse(text, made.query, made.gallery)
    parts = [cuts.members(cut, ranking, *cell) for cell in cuts.cells(cut)]
    queries = np.concatenate([part[0] for part in parts])
    values = np.concatenate([metrics.per_query(*part[1:]).ap for part in parts])
    overall = metrics.per_query(ranking.starts, ranking.ranks, ranking.seen).ap
    assert sorted(queries.tolist()) == np.flatnonzero(~np.isnan(overall)).tolist()
    assert values.tolist() == overall[queries].tolist()


@given(st.integers(0, 2**32 - 1), st.sampled_from(["camid", "time", "size:100,200"]))
def test_pairs_of_levels_share_out_the_positives(seed: int, text: str) -> None:
    """Every positive is in one cell, no rank is worse there than overall, and the negatives are all there."""
    made = world(seed)
    ranking, cut = made.ranked(), cuts.parse(text, made.query, made.gallery, "pair_pos")
    negatives = ranking.seen - np.diff(ranking.starts)
    shared = np.zeros(len(made.query), dtype=int)
    for cell in cuts.cells(cut):
        queries, starts, ranks, seen = cuts.members(cut, ranking, *cell)
        shared[queries] += np.diff(starts)
        assert (seen - np.diff(starts)).tolist() == negatives[queries].tolist()
        for place, query in enumerate(queries):
            overall = ranking.ranks[ranking.starts[query] : ranking.starts[query + 1]]
            mine = ranks[starts[place] : starts[place + 1]]
            assert (np.diff(mine) > 0).all()
            assert (mine <= overall[-len(mine) :]).all()
    assert shared.tolist() == np.diff(ranking.starts).tolist()


def test_a_query_without_positives_in_a_cell_is_absent() -> None:
    query, gallery = table(2, camid=[1, 2]), table(3, camid=[3, 3, 4])
    same = np.array([[True, False, False], [False, True, True]])
    made = World(query, gallery, np.arange(6.0).reshape(2, 3), same, np.zeros((2, 3), dtype=bool))
    cut, ranking = cuts.parse("camid", query, gallery, "pair_pos"), made.ranked()
    found = {cuts.label(cut, *cell): cuts.members(cut, ranking, *cell)[0].tolist() for cell in cuts.cells(cut)}
    assert found == {"1 -> 3": [0], "1 -> 4": [], "2 -> 3": [1], "2 -> 4": [1]}
    empty = cuts.members(cut, ranking, 0, 1)
    assert [part.tolist() for part in empty] == [[], [0], [], []]
    assert len(metrics.per_query(*empty[1:]).ap) == 0


# Names


def test_cells_stand_in_the_order_of_their_levels() -> None:
    query, gallery = table(3, size=[50, 150, 250]), table(3, camid=[7, 5, 6])
    for text, kind, count in (("size:100,200", "query", 3), ("camid", "pos", 3), ("camid", "pair_pos", 3)):
        cut = cuts.parse(text, query, gallery, kind)  # type: ignore[arg-type]
        assert [cuts.order(cut, *cell) for cell in cuts.cells(cut)] == list(range(count))
    both = cuts.parse("size:100,200", query, gallery, "pair_pos")
    assert [cuts.order(both, *cell) for cell in cuts.cells(both)] == list(range(9))
    assert cuts.label(both, 0, 2) == "below 100 -> 200 and up"
    assert cuts.names(both, 0, 2) == ("below 100", "200 and up")


def test_what_a_cell_is_called() -> None:
    rows = table(3, camid=[10, 9, 2])
    assert cuts.parse("camid", rows, rows).q_levels == ("2", "9", "10")
    cut = cuts.parse("camid", rows, rows, "pos")
    assert (cuts.label(cut, 0, 2), cuts.names(cut, 0, 2)) == ("-> 10", (None, "10"))
    assert cuts.label(cuts.parse("camid", rows, rows), 1, 0) == "9"
    whole = cuts.everything()
    assert list(cuts.cells(whole)) == [(0, 0)]
    assert (cuts.label(whole, 0, 0), cuts.names(whole, 0, 0), whole.scheme_id) == ("all", (None, None), "all")


def test_two_at_once_are_all_pairs_of_levels() -> None:
    rows = table(4, lightness=[10, 30, 60, None], size=[50, 250, 150, 50])
    cut = cuts.parse("night600-light+night600-scale", rows, rows)
    assert cut.q_levels == tuple(f"{a}, {b}" for a in ("Low", "Medium", "High") for b in ("Small", "Medium", "Big"))
    assert [cut.q_levels[code] if code >= 0 else None for code in cut.q_codes] == [
        "Low, Small",
        "Medium, Big",
        "High, Medium",
        None,
    ]
    assert cut.scheme_id == f"{LIGHT}+{SCALE}"
    hashes = [SCHEMES[name].sha256 for name in ("night600-light", "night600-scale")]
    assert cut.scheme_sha256 == durable.sha256(durable.canonical(hashes))
    assert cut.notes == ("night600-light+night600-scale: 1 of 4 queries are in no level",)


# Light


def kinds(query: str, gallery: str, asked: cuts.Kind) -> tuple[str, str]:
    cut = cuts.parse("stops-5", table(2, modality=query), table(2, modality=gallery), asked)
    return cut.kind, "; ".join(cut.notes)


def test_light_is_cut_on_the_side_that_is_visible(mistake: Mistake) -> None:
    assert kinds("visible", "infrared", "query") == ("query", "")
    assert kinds("visible", "visible", "pair_pos") == ("pair_pos", "")
    only_positives = ("pos", "stops-5: no query is a visible picture, so only the positives are cut")
    assert kinds("infrared", "visible", "query") == only_positives
    assert kinds("thermal", "visible", "pair_pos") == only_positives
    only_queries = ("query", "stops-5: no gallery row is a visible picture, so only the queries are cut")
    assert kinds("visible", "infrared", "pair_pos") == only_queries
    both: tuple[cuts.Kind, cuts.Kind] = ("query", "pair_pos")
    for asked in both:
        with mistake("stops-5", "neither a query nor a gallery row is a visible picture"):
            kinds("infrared", "thermal", asked)
    with mistake("stops-5", "no gallery row is a visible picture"):
        kinds("visible", "infrared", "pos")


@pytest.mark.parametrize("text", ["stops-5", "lightness:25.5,51", "night600-scale+stops-5", "luma"])
def test_infrared_pictures_are_in_no_light_level_however_it_is_asked(text: str) -> None:
    rows = table(4, modality=["visible", "infrared", "thermal", None], luma=[1.0, 2.0, 3.0, 4.0])
    cut = cuts.parse(text, rows, rows, "pair_pos")
    assert (cut.q_codes >= 0).tolist() == (cut.g_codes >= 0).tolist() == [True, False, False, False]
    assert cut.notes == (
        f"{text}: 3 of 4 queries are in no level",
        f"{text}: 3 of 4 gallery rows are in no level",
    )


def test_what_no_row_has_is_refused(mistake: Mistake) -> None:
    made = table(2, lightness=None)
    with mistake("night600-light", "no query has 'lightness' in visible light"):
        cuts.parse("night600-light", made, table(2))
    with mistake("night600-light", "no gallery row has 'lightness' in visible light"):
        cuts.parse("night600-light", table(2), made, "pair_pos")
    with mistake("exposure", "no query has 'exposure'"):
        cuts.parse("exposure", made, made)
    rows = table(2, lightness=[1.0, None], exposure=[None, 1.0])
    with mistake("no query is in a level of both"):
        cuts.parse("night600-light+exposure", rows, rows)


# The cuts that every evaluation has


def many(**columns: object) -> pa.Table:
    measured: Columns = {"lightness": [10, 30, 60], "stops": [-9, -5, -1], "size": [50, 150, 250], "camid": [1, 2, 3]}
    return table(3, **measured | columns)


def listed(query: pa.Table, gallery: pa.Table) -> tuple[list[tuple[str, str]], list[str]]:
    found, notes = cuts.standard(query, gallery)
    return [(cut.scheme_id.split("@")[0] if "+" not in cut.scheme_id else "both", cut.kind) for cut in found], notes


FIRST = [("all", "all"), ("night600-light", "query"), ("night600-scale", "query"), ("both", "query")]
STANDARD = [*FIRST, ("stops-5", "query"), ("night600-light", "pair_pos"), ("stops-5", "pair_pos")]
STANDARD += [("camid", "pair_pos")]


def test_the_standard_cuts() -> None:
    assert listed(many(), many()) == (STANDARD, [])
    exposed = many(exposure=[-1.0, 0.0, 0.0])
    assert listed(exposed, many()) == ([*STANDARD, ("exposure", "query")], [])
    found, _ = cuts.standard(exposed, many())
    assert found[1].scheme_id == LIGHT
    assert found[4].scheme_id == found[6].scheme_id == STOPS
    assert found[7].scheme_id.startswith("camid@")


def test_what_divides_nothing_is_left_out_and_told() -> None:
    found, notes = listed(many(size=50, exposure=1.0), many(camid=2))
    assert found == [pair for pair in STANDARD if pair not in (("night600-scale", "query"), ("both", "query"))]
    assert notes == [
        "night600-scale has one occupied level, Small: it divides nothing here",
        "exposure has one occupied level, 1: it divides nothing here",
    ]
    found, notes = listed(many(camid=1), many(camid=2))
    assert ("camid", "pair_pos") not in found
    assert notes == ["camid has one occupied pair of levels, 1 -> 2: it divides nothing here"]


def test_light_is_left_out_where_nobody_sees_it() -> None:
    infrared = many(modality="infrared")
    positives = [("all", "all"), ("night600-light", "pos"), ("night600-scale", "query"), ("both", "pos")]
    found, notes = listed(infrared, many())
    assert found == [*positives, ("stops-5", "pos"), ("camid", "pair_pos")]
    assert "night600-light: no query is a visible picture, so only the positives are cut" in notes

    found, notes = listed(many(), infrared)
    assert found == [*FIRST, ("stops-5", "query"), ("camid", "pair_pos")]
    assert "stops-5: no gallery row is a visible picture, so only the queries are cut" in notes

    found, notes = listed(infrared, infrared)
    assert found == [("all", "all"), ("night600-scale", "query"), ("camid", "pair_pos")]
    said = "neither a query nor a gallery row is a visible picture, and light is read from no other"
    assert notes == [f"night600-light: {said}", f"stops-5: {said}"]


def test_unknown_cameras_and_unmeasured_light_are_told() -> None:
    found, notes = listed(many(camid=0, stops=None, lightness=None), many())
    assert found == [("all", "all"), ("night600-scale", "query")]
    assert notes == [
        "night600-light: no query has 'lightness' in visible light",
        "stops-5: no query has 'stops' in visible light",
        "camid: no query has 'camid'",
    ]


def test_pairs_of_very_many_cameras_are_made_by_name_only() -> None:
    rows = table(30, camid=list(range(1, 31)))
    _, notes = cuts.standard(rows, rows)
    assert "camid: 30 x 30 levels are too many for a table; ask for it by name" in notes
    assert len(list(cuts.cells(cuts.parse("camid", rows, rows, "pair_pos")))) == 900


@pytest.mark.parametrize("text", ["camid+camid", "camid+time+modality"])
def test_two_different_ones_may_be_joined(text: str, mistake: Mistake) -> None:
    rows = table(3, time="day")
    with mistake(text, "two different ones joined by +"):
        cuts.parse(text, rows, rows)


def test_too_many_pairs_of_levels_are_refused(mistake: Mistake) -> None:
    rows = table(30, camid=list(range(1, 31)), frame=list(range(30)))
    with mistake("camid+frame", "900 pairs of levels, at most 256"):
        cuts.parse("camid+frame", rows, rows)
