"""Lists that end early: a value is given where no order of the rest could change it, and nowhere else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark import protocol, resolve, results
from benchmark.errors import UserError
from benchmark.evaluation import Options
from benchmark.manifest import Manifest
from benchmark.protocol import Protocol
from benchmark.results import Bundle
from leaderboards import submission, truncated
from tests.benchmark import little
from tests.leaderboards import handing
from tests.leaderboards.handing import Ranked

QUICK = Options(draws=0)
DEPTHS = (1, 3, 7, 12)

Row = dict[str, Any]
Key = tuple[str, str, str | None, str | None, str]


def crowded() -> Manifest:
    """Make a set where some gallery rows are junk for a query, an own copy or of its own camera, and once all are."""
    rows = little.rows(people=9)
    for row in rows:
        if row["path"].startswith("g/") and row["camid"] == 3 and row["pid"] % 2:
            row["camid"] = 1
        if row["path"] == "g/009-2.jpg":
            row["camid"] = 1  # so this person has nobody to find
        row["gallery"] = row["gallery"] or row["pid"] in (2, 5)
        row["split"] = "test" if row["gallery"] else row["split"]
    return little.world([row for row in rows if row["pid"] < 900 or not row["gallery"]])


def scored(folder: Path, of: Manifest, plan: Protocol, ranked: Ranked, depth: int | None = None) -> Bundle:
    """Submit lists and score them."""
    source = handing.lists(folder / "ranks.parquet", ranked, depth=depth)
    submission.pack(source, folder / "handed", handing.facts(depth=depth))
    return results.read(submission.score(folder / "handed", of, plan, folder / "bundle", QUICK))


def values(bundle: Bundle) -> dict[Key, float]:
    rows = bundle.tables["strata"].to_pylist()
    names = ("cut", "scheme_id", "q_stratum", "g_stratum", "metric")
    return {tuple(row[name] for name in names): row["value"] for row in rows if row["metric"] in truncated.METRICS}


def ended(of: Manifest, plan: Protocol, ranked: Ranked, depth: int, *, good: bool) -> Ranked:
    """Complete lists: the query's own people first among the rest, or last."""
    who = dict(zip(of.table["image_id"].to_pylist(), of.table["pid"].to_pylist(), strict=True))
    return {
        query: images[:depth] + sorted(images[depth:], key=lambda name: (who[name] == who[query]) != good)
        for query, images in ranked.items()
    }


def drawn(ranked: Ranked, depth: int, seed: int) -> Ranked:
    rng = np.random.default_rng(seed)
    return {query: images[:depth] + list(rng.permutation(images[depth:])) for query, images in ranked.items()}


@pytest.mark.parametrize("depth", DEPTHS)
def test_where_nothing_is_junk_a_value_is_there_exactly_if_the_ends_agree(depth: int, tmp_path: Path) -> None:
    of, plan = little.world(little.rows(people=9)), protocol.load("no-cameras")
    ranked = handing.ranked(of, plan)
    found = values(scored(tmp_path / "cut", of, plan, ranked, depth))
    best, worst = (
        values(scored(tmp_path / name, of, plan, ended(of, plan, ranked, depth, good=good)))
        for name, good in (("best", True), ("worst", False))
    )
    assert found == {key: value for key, value in best.items() if worst[key] == value}
    assert depth > 10 or any(value != worst[key] for key, value in best.items())  # there was something to leave out


@pytest.mark.parametrize("name", ["market-style", "no-cameras"])
@pytest.mark.parametrize("depth", [3, 7])
def test_no_order_of_the_rest_changes_a_value_that_is_given(depth: int, name: str, tmp_path: Path) -> None:
    of, plan = crowded(), protocol.load(name)
    ranked = handing.ranked(of, plan)
    found = values(scored(tmp_path / "cut", of, plan, ranked, depth))
    assert ("all", "all", None, None, "R1") in found
    ends = [ended(of, plan, ranked, depth, good=good) for good in (True, False)]
    for number, other in enumerate([drawn(ranked, depth, 1), *ends]):
        whole = values(scored(tmp_path / f"whole-{number}", of, plan, other))
        assert found == {key: whole[key] for key in found}


def twin(of: Manifest, plan: Protocol, ranked: Ranked, depth: int) -> Iterator[tuple[list[int], int, bool]]:
    """Walk down every list: the ranks of positives, how many rows of it count, and whether a positive is missing."""
    one = resolve.resolve(of, plan, 0, trains=False)
    gallery = {row["image_id"]: row for row in one.gallery.table.to_pylist()}
    for asker in one.query.table.to_pylist():
        seen = {
            name: row["pid"] == asker["pid"]
            for name, row in gallery.items()
            if name != asker["image_id"] and not (row["pid"] == asker["pid"] and row["place"] == asker["place"])
        }
        left = [name for name in ranked[asker["image_id"]][:depth] if name in seen]
        ranks = [place for place, name in enumerate(left, 1) if seen[name]]
        yield ranks, len(left), len(ranks) < sum(seen.values())


@pytest.mark.parametrize("depth", [3, 7, 12])
def test_the_rows_hold_the_ranks_up_to_the_depth_that_every_query_reaches(depth: int, tmp_path: Path) -> None:
    of, plan = crowded(), protocol.load("market-style")
    ranked = handing.ranked(of, plan)
    bundle = scored(tmp_path, of, plan, ranked, depth)
    expected = list(twin(of, plan, ranked, depth))
    reached = min(length for _, length, missing in expected if missing)
    assert reached < depth  # junk is in the way
    assert bundle.run["list_depth"] == reached
    rows = bundle.tables["queries"].to_pylist()
    assert [row["pos_ranks"] for row in rows] == [[one for one in ranks if one <= reached] for ranks, _, _ in expected]
    assert 0 in {row["n_pos"] for row in rows}
    for row, (ranks, _, _) in zip(rows, expected, strict=True):
        assert len(row["pos_gidx"]) == len(row["pos_ranks"])
        assert row["first_rank"] == next((one for one in ranks if one <= reached), None if row["n_pos"] else 0)
        assert {row[name] for name in ("ap", "ap_trapz", "inp", "ap_opt", "n_ties", "d_first_pos")} == {None}


def test_the_record_says_what_is_missing_and_why(tmp_path: Path) -> None:
    of, plan = little.world(), protocol.load("no-cameras")
    run = scored(tmp_path, of, plan, handing.ranked(of, plan), 7).run
    assert (run["status"], run["provenance"], run["reason_code"], run["list_depth"]) == (
        "ok",
        "rescored",
        "truncated",
        7,
    )
    assert run["R1"] is not None
    assert run["R5"] is not None
    lost = ("mAP", "mINP", "R10", "mAP_id_macro", "mAP_trapz", "mAP_opt", "R1_opt", "mAP_all", "mAP_trapz_all")
    assert {run[name] for name in lost} == {None}
    assert run["n_query_valid"] == 12


def test_whole_lists_lose_nothing(tmp_path: Path) -> None:
    of, plan = little.world(), protocol.load("no-cameras")
    run = scored(tmp_path, of, plan, handing.ranked(of, plan)).run
    assert run["list_depth"] is None
    assert run["reason_code"] is None
    assert run["mAP"] is not None


def test_among_identities_only_what_the_first_match_decides_is_known(tmp_path: Path) -> None:
    path = tmp_path / "by-identity.toml"
    path.write_text((protocol.PROTOCOLS.path("no-cameras")).read_text().replace('cmc = "first"', 'cmc = "dedup"'))
    of, plan = little.world(little.rows(people=9)), protocol.load(path)
    assert plan.cmc == "dedup"
    ranked = handing.ranked(of, plan)
    whole = values(scored(tmp_path / "whole", of, plan, ranked))
    for depth in (3, len(next(iter(ranked.values()))) - 1):
        bundle = scored(tmp_path / f"cut-{depth}", of, plan, ranked, depth)
        found = values(bundle)
        assert found == {key: whole[key] for key in found}
        rows = bundle.tables["queries"].to_pylist()
        ranks = [row["first_rank"] for row in rows]
        assert [row["first_rank_id"] == 0 for row in rows] == [rank is None for rank in ranks]
        known = ("all", "all", None, None, "R10") in found
        assert known == (None not in ranks) == (depth > 3)


def test_of_several_trials_a_value_is_known_where_it_is_in_each(tmp_path: Path) -> None:
    (tmp_path / "shots.toml").write_text(handing.SHOTS)
    of, plan = little.world(), protocol.load(tmp_path / "shots.toml")
    source = handing.lists(tmp_path / "r.parquet", *(handing.ranked(of, plan, trial) for trial in range(3)))
    submission.pack(source, tmp_path / "handed", handing.facts())
    whole = results.read(submission.score(tmp_path / "handed", of, plan, tmp_path / "whole", QUICK))
    cut = [{query: names[:6] for query, names in handing.ranked(of, plan, trial).items()} for trial in range(3)]
    submission.pack(handing.lists(source, *cut), tmp_path / "cut", handing.facts(depth=6))
    bundle = results.read(submission.score(tmp_path / "cut", of, plan, tmp_path / "bundle", QUICK))
    found, expected = values(bundle), values(whole)
    assert found == {key: expected[key] for key in found}
    assert ("all", "all", None, None, "R5") in found
    assert ("all", "all", None, None, "R10") not in found
    assert bundle.run["list_depth"] == 6
    assert bundle.run["sd_trials_R1"] == whole.run["sd_trials_R1"]
    assert (bundle.run["sd_trials_mAP"], whole.run["sd_trials_mAP"] is None) == (None, False)
    for row, other in zip(*(one.tables["queries"].to_pylist() for one in (bundle, whole)), strict=True):
        assert row["pos_ranks"] == [one for one in other["pos_ranks"] if one <= 6]
        assert row["pos_gidx"] == other["pos_gidx"][: len(row["pos_ranks"])]


def test_a_list_that_is_nothing_but_junk_says_so(tmp_path: Path) -> None:
    of, plan = crowded(), protocol.load("market-style")
    one = resolve.resolve(of, plan, 0, trains=False)
    ranked = handing.ranked(of, plan)
    asker = next(row for row in one.query.table.to_pylist() if row["pid"] == 2)
    own = asker["image_id"]
    ranked[own] = [own, *(name for name in ranked[own] if name != own)]
    with pytest.raises(UserError, match="of some query all 1 images of its list are junk; longer lists are needed"):
        scored(tmp_path, of, plan, ranked, 1)
