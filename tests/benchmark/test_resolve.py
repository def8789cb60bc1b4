"""Who is in the lists of a protocol, and every way in which a protocol can fail to make lists."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from benchmark import config, junk, manifest, resolve
from benchmark.columns import MEASURED
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from benchmark.protocol import Protocol, load

Mistake = Callable[..., AbstractContextManager[None]]
Row = dict[str, Any]


def world(rows: Sequence[Row], source: str = "set") -> Manifest:
    """Make a measured manifest; a row says what it is, `copy` makes equal files."""
    count = len(rows)
    defaults = {"camid": 1, "split": "test", "query": False, "gallery": False, "time": "unknown", "subsets": []}
    defaults |= {"id_space": source, "modality": "visible"}
    columns: dict[str, object] = dict.fromkeys(MEASURED, [0.0] * count)
    columns |= {"width": [9] * count, "height": [9] * count, "path": [f"{place:05d}.jpg" for place in range(count)]}
    files = [f"copy {row['copy']}" if "copy" in row else f"{source}{place}" for place, row in enumerate(rows)]
    columns["sha256"] = [file.encode().hex().ljust(64, "0") for file in files]
    columns |= {name: [row.get(name, value) for row in rows] for name, value in defaults.items()}
    columns["pid"] = [row["pid"] for row in rows]
    columns["place"] = [row.get("place", row.get("camid", 1)) for row in rows]
    return manifest.build(columns, source, Path("/nowhere"))


def train(pid: int, **more: object) -> Row:
    return {"pid": pid, "split": "train"} | more


def query(pid: int, camid: int = 1, **more: object) -> Row:
    return {"pid": pid, "camid": camid, "query": True} | more


def gallery(pid: int, camid: int = 2, **more: object) -> Row:
    return {"pid": pid, "camid": camid, "gallery": True} | more


def made(**more: object) -> Protocol:
    plain: Row = {"name": "lab", "title": "ours", "train": {"split": "train"}}
    plain |= {"query": {"query": True}, "gallery": {"gallery": True}}
    return config.check(Protocol, plain | more, "lab.toml")


SMALL = [train(1), query(2), gallery(2), gallery(3)]


def test_distractors_are_in_the_gallery_and_junk_is_not() -> None:
    rows = [train(1), query(2), gallery(2), gallery(0), gallery(-1), {"pid": 3, "camid": 2}]
    lists = resolve.resolve(world(rows))
    parts = (lists.train, lists.query, lists.gallery)
    assert [part.column("pid").tolist() for part in parts] == [[1], [2], [2, 0]]
    assert lists.notes == ("gallery: 1 row left out: junk (pid -1)",)


def test_nobody_is_learnt_or_asked_for() -> None:
    rows = [train(1), train(0), train(-1), query(2), gallery(2), {"pid": 0, "camid": 1}, {"pid": 3, "camid": 1}]
    lists = resolve.resolve(world(rows), made(query={"split": "test", "camid": 1}))
    assert [part.column("pid").tolist() for part in (lists.train, lists.query)] == [[1], [2, 3]]
    assert lists.notes[:2] == (
        "train: 2 rows left out: junk or distractors (pid -1 or 0)",
        "query: 1 row left out: junk or distractors (pid -1 or 0)",
    )


def test_lists_carry_what_the_evaluation_must_know() -> None:
    lists = resolve.resolve(world(SMALL), "night600-idf")
    protocol = load("night600-idf")
    assert (lists.protocol, lists.protocol_sha256, lists.trial) == ("night600-idf", protocol.sha256, 0)
    assert (lists.rules.rank_by, lists.rules.invalid_queries, lists.rules.cmc) == ("mAP_trapz", "count", "first")
    assert lists.rules.junk.same_place
    assert lists.facts() == {
        "lists_sha256": lists.lists_sha256,
        "protocol_id": "night600-idf",
        "protocol_sha256": protocol.sha256,
        "junk_rule": "own copy; same identity same place",
        "cmc_kind": "first",
        "rank_by": "mAP_trapz",
        "invalid_query_policy": "count",
        "n_trials": 1,
    }


def test_every_role_that_is_left_empty_is_named_with_its_filter(mistake: Mistake) -> None:
    for role, filters, words in (
        ("train", {"split": "val"}, "split = 'val' leaves none of 4 rows; they have 'test', 'train'"),
        ("query", {"query": True, "time": "day"}, "time = 'day' leaves none of 1 row; they have 'unknown'"),
        ("gallery", {"gallery": True, "subsets": "nd"}, "subsets = 'nd' leaves none of 2 rows; they have nothing"),
        ("gallery", {"galery": True}, "unknown column 'galery'; did you mean 'gallery'?"),
        ("query", {"split": "tset"}, "split = 'tset'; did you mean 'test'?"),
    ):
        with mistake(f"lab: [{role}] {words}"):
            resolve.resolve(world(SMALL), made(**{role: filters}))
    with mistake("lab: [gallery] holds nothing but junk (pid -1): 1 row"):
        resolve.resolve(world([train(1), query(2), gallery(-1)]), made())


@pytest.mark.parametrize("trial", [-1, 3])
def test_a_trial_out_of_range_is_an_error(trial: int, mistake: Mistake) -> None:
    repeated = made(trials={"count": 3, "sampler": "keyed"})
    with mistake(f"lab: there is no trial {trial}; a trial is a number from 0 to 2"):
        resolve.resolve(world(SMALL), repeated, trial)
    with mistake("market-style: there is no trial 1; the only trial is number 0"):
        resolve.resolve(world(SMALL), "market-style", 1)


def test_rows_without_a_hash_are_an_error_where_they_are_compared(mistake: Mistake) -> None:
    rows = world(SMALL)
    for name, ends in (("query", 1), ("gallery", 3), ("train", 0)):
        hashed = [place != ends for place in range(4)]
        bare = rows.with_columns(
            **{
                column: pa.array(rows.table[column].to_pylist(), mask=~pa.array(hashed).to_numpy(False))
                for column in MEASURED
            }
        )
        if name == "train":
            assert len(resolve.resolve(bare).train) == 1
            continue
        with mistake(f"market-style: [{name}]", "1 of", "run `luxreid data measure` first"):
            resolve.resolve(bare)


def test_a_picture_may_not_be_learnt_and_tested(mistake: Mistake) -> None:
    rows = world([*SMALL, {"pid": 4, "subsets": ["train-1", "test-1"]}])
    leaky = made(train={"subsets": "train-1"}, gallery={"camid": [1, 2], "split": "test"})
    with mistake("lab: 1 image in [train] and in [gallery], such as set/00004.jpg"):
        resolve.resolve(rows, leaky)


def test_an_identity_that_is_learnt_and_asked_for_is_noted() -> None:
    lists = resolve.resolve(world([train(2), *SMALL]))
    assert lists.notes == ("1 identity in [train] and in [query], such as set/2",)
    # The same number in another space is somebody else.
    assert resolve.resolve(world([train(2, id_space="other"), *SMALL])).notes == ()


def test_who_is_learnt_and_stands_in_the_gallery_is_noted_too() -> None:
    lists = resolve.resolve(world([train(3), *SMALL, gallery(3)]))
    assert lists.notes == ("1 identity in [train] and in [gallery], such as set/3",)
    # Distractors are nobody: they are no identity that is learnt.
    assert resolve.resolve(world([*SMALL, gallery(0)])).notes == ()


def test_a_file_that_is_learnt_under_another_name_and_tested_is_noted() -> None:
    lists = resolve.resolve(world([train(1), train(7, copy="a"), query(2, copy="a"), gallery(2)]))
    assert lists.notes == ("1 file of [query] in [train] too, such as set/00002.jpg",)


def test_several_kinds_of_light_asked_as_one_are_noted() -> None:
    lists = resolve.resolve(world([train(1), query(2), query(2, modality="infrared"), gallery(2)]))
    assert lists.notes == ("queries of 2 modalities, infrared, visible, are asked as one",)


def test_equal_files_under_another_identity_are_counted_and_stay() -> None:
    rows = [
        train(1),
        query(2, copy="a"),
        gallery(2, copy="a"),
        gallery(2, 3),
        gallery(3, copy="a"),
        gallery(0, copy="a"),
    ]
    lists = resolve.resolve(world(rows))
    assert len(lists.gallery) == 4
    assert lists.notes == ("2 pairs of equal files under different identities: set/00001.jpg and set/00004.jpg",)


def test_unknown_places_and_place_pairs_without_effect_are_noted() -> None:
    lists = resolve.resolve(world([train(1), query(2, 0), query(2), gallery(2)]))
    assert lists.notes == ("1 query at an unknown place: the rule same_place does not touch them",)
    pairs = made(junk={"same_place": False, "place_pairs": [[1, 9], [9, 2]]})
    assert resolve.resolve(world(SMALL), pairs).notes == (
        "place_pairs hides nothing from anybody: no query and no gallery row are at such places",
    )
    assert resolve.resolve(world([*SMALL, gallery(2, 9)]), pairs).notes == ()


def test_lists_in_which_nothing_can_be_scored_are_an_error(mistake: Mistake) -> None:
    with mistake("market-style: no query has a positive in the gallery", "1 one that is there only"):
        resolve.resolve(world([train(1), query(2), gallery(2, 1), gallery(3)]))


def test_the_lists_do_not_depend_on_the_order_in_which_rows_were_made() -> None:
    rows = world([train(1), *(query(pid) for pid in range(2, 9)), *(gallery(pid, 3) for pid in range(2, 12))])
    turned = Manifest(rows.table.take(pa.array(range(len(rows)))[::-1]), rows.roots)
    draw = made(trials={"sampler": "keyed", "role": "query", "per": "identity"})
    assert resolve.resolve(rows, draw).lists_sha256 == resolve.resolve(turned, draw).lists_sha256


# Day and night: two manifests of one world.
def street(time: str, people: int = 4, cameras: int = 3) -> Manifest:
    rows = []
    for pid in range(1, people + 1):
        for camid in range(1, cameras + 1):
            row: Row = {"pid": pid, "camid": camid, "time": time, "id_space": "street-s0"}
            half = {"split": "train"} if pid > people // 2 else {"query": camid == 1, "gallery": True}
            rows.append(row | half)
    return world(rows, f"street-s0-{time}")


@pytest.mark.parametrize(
    ("name", "asking", "searched", "positives"),
    [
        ("street-day", {"day"}, {"day"}, 2),
        ("street-night", {"night"}, {"night"}, 2),
        ("street-cross", {"day"}, {"night"}, 2),
        ("street-cross-reverse", {"night"}, {"day"}, 2),
        ("street-mixed", {"day", "night"}, {"day", "night"}, 4),
    ],
)
def test_day_and_night_meet_as_the_protocol_says(
    name: str, asking: set[str], searched: set[str], positives: int, tmp_path: Path
) -> None:
    both = manifest.concat([street("day"), street("night")])
    lists = resolve.resolve(both, name)
    assert set(lists.query.column("time")) == asking
    assert set(lists.gallery.column("time")) == searched
    assert len(lists.query) == 2 * len(asking)
    assert len(lists.gallery) == 6 * len(searched)
    # At another camera only: the same shot by day and by night is no positive of itself.
    codes = junk.codes(lists.query, lists.gallery)
    assert set(junk.matches(*codes, lists.rules.junk).positives().tolist()) == {positives}
    assert lists.notes == ()
    # Written under one root the paths are others, the lists are the same.
    manifest.write(both, tmp_path / "both.parquet")
    assert resolve.resolve(manifest.read(tmp_path / "both.parquet"), name).lists_sha256 == lists.lists_sha256


def test_the_day_alone_gives_the_same_lists_as_the_day_of_both() -> None:
    both = manifest.concat([street("day"), street("night")])
    alone = resolve.resolve(street("day"), "street-day")
    joined = resolve.resolve(both, "street-day")
    assert (alone.lists_sha256, alone.protocol_sha256) == (joined.lists_sha256, joined.protocol_sha256)
    assert set(joined.train.column("time")) == {"day"}
    assert set(resolve.resolve(both, "street-cross").train.column("time")) == {"day", "night"}


def test_a_cross_protocol_on_the_night_alone_says_what_is_missing(mistake: Mistake) -> None:
    with mistake("street-cross: [query] time = 'day' leaves none of 2 rows; they have 'night'"):
        resolve.resolve(street("night"), "street-cross")


def test_day_and_night_that_are_split_apart_are_noted() -> None:
    night = street("night")
    flipped = world(
        [
            {"pid": 5 - row["pid"], "id_space": "street-s0"}
            | {name: row[name] for name in ("camid", "time", "split", "query", "gallery")}
            for row in night.table.to_pylist()
        ],
        "street-s0-night",
    )
    lists = resolve.resolve(manifest.concat([street("day"), flipped]), "street-mixed")
    assert lists.notes == ("4 identities in [train] and in [query], such as street-s0/1",)


def test_where_nobody_trains_a_manifest_of_the_test_alone_will_do() -> None:
    rows = [query(1), gallery(1), gallery(2)]
    with pytest.raises(UserError, match="train"):
        resolve.resolve(world(rows), made())
    alone = resolve.resolve(world(rows), made(), trains=False)
    assert (len(alone.query), len(alone.gallery)) == (1, 2)
    with pytest.raises(UserError, match="there is no row to train on"):
        len(alone.train)
    whole = resolve.resolve(world([*rows, train(9)]), made(), trains=False)
    assert alone.lists_sha256 == whole.lists_sha256
    assert len(whole.train) == 1
