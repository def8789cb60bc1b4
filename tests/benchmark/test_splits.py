"""Splits: laws that hold for every style, and the paper's numbers on the street that is laid out like Night600."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark import config, manifest, splits
from benchmark.columns import MEASURED
from benchmark.manifest import Manifest
from synthesis.street import config as street
from synthesis.street.shots import walks

Mistake = Callable[..., AbstractContextManager[None]]
Row = tuple[int, int, int]  # pid, camid, frame

PEOPLE, CAMERAS, FRAMES = 11, 4, 5
STYLES = sorted(splits.STYLES)


def shots(people: int = PEOPLE, cameras: int = CAMERAS) -> list[Row]:
    """Everybody passes every camera but one, one after the other."""
    return [
        (person, camera, frame)
        for person in range(1, people + 1)
        for camera in range(1, cameras + 1)
        for frame in range(FRAMES - person % 3)
        if camera != person % cameras + 1
    ]


def build(rows: Sequence[Row], source: str = "set", **columns: object) -> Manifest:
    """Make a measured manifest; the light goes round the levels, and time goes on with the people."""
    pids, camids, _ = zip(*rows, strict=True)
    light = [float((7 * pid + 3 * camid + frame) % 8 * 10) for pid, camid, frame in rows]
    numbers: dict[str, object] = {name: [0.0] * len(rows) for name in MEASURED}
    numbers["lightness"] = light
    numbers |= {name: [9] * len(rows) for name in ("width", "height")}
    numbers |= {"sha256": [f"{place:064x}" for place in range(len(rows))]}
    return manifest.build(
        {
            "path": [f"{pid:03d}/c{camid}_{frame}.jpg" for pid, camid, frame in rows],
            "pid": list(pids),
            "camid": list(camids),
            "timestamp": [100.0 * pid + 40 * camid + frame for pid, camid, frame in rows],
            **numbers,
            **columns,
        },
        source,
        Path("/nowhere"),
    )


def split(made: Manifest, style: str, seed: int = 0, **settings: object) -> pd.DataFrame:
    return done(made, style, seed, **settings).frame()


def done(made: Manifest, style: str, seed: int = 0, **settings: object) -> Manifest:
    return splits.split(made, style, seed, config.check(splits.STYLES[style].options, dict(settings), "settings"))


def sides(frame: pd.DataFrame) -> dict[tuple[str, int], str]:
    """Give every identity's side."""
    known = frame[(frame["pid"] > 0) & (frame["split"] != "none")]
    found = known.groupby(["id_space", "pid"])["split"].unique()
    assert (found.map(len) == 1).all(), "an identity is on two sides"
    return {(str(space), int(pid)): str(side[0]) for (space, pid), side in zip(found.index, found, strict=True)}


def asked(frame: pd.DataFrame) -> set[str]:
    return set(frame["image_id"][frame["query"]])


@pytest.fixture(scope="module")
def night600() -> Manifest:
    """The table of the street's preset: who is where, without boxes or pictures."""
    rows = [(w.pid, w.camid, f) for w in walks(street.load("night600"), 0) for f in range(w.frames)]
    pids, camids, frames = zip(*rows, strict=True)
    paths = [f"{pid:04d}/c{camid}_{frame:03d}.jpg" for pid, camid, frame in rows]
    made = {"path": paths, "pid": list(pids), "camid": list(camids), "frame": list(frames)}
    return manifest.build(made, "street-night", Path("/nowhere"))


def test_the_street_laid_out_like_night600_comes_out_like_night600(night600: Manifest) -> None:
    frame = split(night600, "night600")
    people = {side: frame[frame["split"] == side]["pid"].nunique() for side in ("train", "test")}
    assert people == {"train": 300, "test": 300}
    for rows in (frame["split"] == "train", frame["split"] == "test"):
        assert abs(frame[rows].groupby("pid")["camid"].nunique().mean() - 2.4) <= 0.1
    # Section IV of the paper: 2,180 probes, 14,351 pictures in the gallery.
    for role, number in (("query", 2180), ("gallery", 14351)):
        assert abs(frame[role].sum() - number) <= 0.03 * number, role
    cells = frame[frame["split"] == "test"].groupby(["pid", "camid"])
    assert (cells["query"].sum() == np.minimum(cells.size(), 3)).all()
    assert frame["gallery"].equals((frame["split"] == "test").rename("gallery").astype("boolean"))


@pytest.mark.parametrize("style", STYLES)
def test_a_split_is_a_function_of_its_seed_and_not_of_the_order_of_the_rows(style: str) -> None:
    made = build(shots())
    first = done(made, style)
    turned = Manifest(made.table.take(np.random.default_rng(0).permutation(len(made))), made.roots)
    assert done(turned, style).table.equals(first.table)
    others = [done(made, style, seed) for seed in range(1, 9)]
    assert any(other.labels_sha256 != first.labels_sha256 for other in others)


@pytest.mark.parametrize("style", STYLES)
def test_every_style_keeps_identities_apart_and_gives_every_role_somebody(style: str) -> None:
    for seed in range(5):
        frame = split(build(shots()), style, seed)
        assert set(sides(frame).values()) == {"train", "test"}
        test = frame["split"] == "test"
        assert not (frame["query"] & ~test).any()
        assert frame["gallery"].equals(test.rename("gallery").astype("boolean"))


@pytest.mark.parametrize("style", STYLES)
def test_distractors_go_to_the_gallery_and_junk_nowhere(style: str) -> None:
    late = [(0, camera, frame) for camera in range(1, CAMERAS + 1) for frame in (0, 1)]
    junk = [(-1, camera, 0) for camera in range(1, CAMERAS + 1)]
    made = build([*shots(), *late, *junk])
    when = np.where(made.column("pid").astype(int) == 0, 1e6, made.column("timestamp").astype(float))
    frame = split(made.with_columns(timestamp=when), style)
    nobody, gone = frame[frame["pid"] == 0], frame[frame["pid"] == -1]
    assert (gone["split"] == "none").all()
    assert not gone[["query", "gallery"]].any(axis=None)
    assert nobody["gallery"].any()
    assert not nobody["query"].any()
    assert (nobody["split"] == np.where(nobody["gallery"], "test", "none")).all()
    if style == "camera-disjoint":
        test = set(frame["camid"][(frame["split"] == "test") & (frame["pid"] > 0)])
        assert (nobody["gallery"] == nobody["camid"].isin(test)).all()
    else:
        assert nobody["gallery"].all()


@pytest.mark.parametrize("style", ["night600", "identities", "camera-disjoint"])
def test_one_more_identity_moves_at_most_one_other_and_no_probe(style: str) -> None:
    before = split(build(shots(6)), style, val=0.4)
    for people in range(7, 25):
        after = split(build(shots(people)), style, val=0.4)
        few, many = sides(before), sides(after)
        tested = {key: side == "test" for key, side in few.items()}
        assert sum((many[key] == "test") != test for key, test in tested.items() if key in many) <= 1
        stay = {pid for (_, pid), test in tested.items() if test and many.get(("set", pid)) == "test"}
        assert stay
        for one, other in ((before, after), (after, before)):
            own = one[one["pid"].isin(stay)]
            assert asked(own) == asked(other[other["pid"].isin(stay)])
        before = after


@pytest.mark.parametrize("style", ["night600", "identities", "camera-disjoint", "time-aware"])
def test_a_set_is_split_alike_alone_and_joined_with_another(style: str) -> None:
    one, other = build(shots(), "one"), build(shots(7, 6), "other")
    joined = split(manifest.concat([one, other]), style)
    for alone in (one, other):
        frame = split(alone, style)
        part = joined[joined["source"] == frame["source"][0]].reset_index(drop=True)
        assert part.equals(frame)


def test_two_sets_that_number_their_people_alike_are_not_split_alike() -> None:
    found = sides(split(manifest.concat([build(shots(20), "one"), build(shots(20), "other")]), "night600"))
    one, other = ([found[space, pid] for pid in range(1, 21)] for space in ("one", "other"))
    assert one.count("train") == other.count("train") == 10
    assert one != other


def test_the_day_and_the_night_of_a_scene_get_the_same_split_and_ask_together() -> None:
    rows = shots()
    scenes = [f"world/{pid}/{camid}/{frame}" for pid, camid, frame in rows]
    day, night = (
        build(rows, f"world-{time}", id_space=["world"] * len(rows), scene=scenes) for time in ("day", "night")
    )
    both = split(manifest.concat([day, night]), "night600")
    for name in ("split", "query"):
        assert both.groupby("scene")[name].nunique().eq(1).all(), name
    assert split(night, "night600")["split"].tolist() == split(day, "night600")["split"].tolist()
    alone = split(night, "night600")
    assert asked(both[both["source"] == "world-night"]) == asked(alone)
    assert alone.groupby(["pid", "camid"])["query"].sum().isin([0, 3]).all()


def test_a_synthetic_set_asks_with_the_children_of_its_parents_probes() -> None:
    rows = shots()
    day = build(rows, "day")
    ids = [f"day/{pid:03d}/c{camid}_{frame}.jpg" for pid, camid, frame in rows]
    night = build(rows, "day+dark", id_space=["day"] * len(rows), parent=ids, scene=ids)
    frame = split(night, "night600")
    assert set(frame["parent"][frame["query"]]) == asked(split(day, "night600"))


def test_probes_of_one_shot_in_several_exposures_are_not_drawn_before_all_shots_are() -> None:
    rows = [(pid, 1, frame) for pid in range(1, 9) for frame in range(12)]
    made = build(rows, scene=[f"{pid}-{frame // 4}" for pid, _, frame in rows])
    frame = split(made, "night600")
    assert frame[frame["query"]].groupby("pid")["scene"].nunique().eq(3).all()


def test_queries_stay_in_the_gallery_or_leave_it() -> None:
    made = build(shots())
    stay, leave = split(made, "night600"), split(made, "night600", queries_stay=False)
    assert asked(stay) == asked(leave)
    assert (stay["query"] & stay["gallery"]).sum() == stay["query"].sum() > 0
    assert (leave["gallery"] == (leave["split"] == "test") & ~leave["query"]).all()
    assert leave["gallery"].any()


def test_the_validation_is_cut_from_train_by_identity() -> None:
    made = build(shots(20))
    without, cut = split(made, "night600"), split(made, "night600", val=0.3)
    assert [list(sides(cut).values()).count(side) for side in ("train", "val", "test")] == [7, 3, 10]
    assert (without["split"] == cut["split"].replace("val", "train")).all()
    assert asked(without) == asked(cut)


def test_cameras_and_identities_are_parted_and_what_falls_out_is_counted() -> None:
    made = done(build([*shots(), (3, 0, 0)]), "camera-disjoint")
    frame = made.frame()
    parts = [frame[frame["split"] == side] for side in ("train", "test")]
    for name in ("camid", "pid"):
        assert set(parts[0][name]).isdisjoint(parts[1][name])
    assert [part["camid"].nunique() for part in parts] == [2, 2]
    assert set(frame["split"][frame["camid"] == 0]) == {"none"}
    fallen = int((frame["split"] == "none").sum())
    assert 0 < fallen < len(frame)
    assert any(note.startswith(f"{fallen} images of {len(frame)} fall out") for note in made.notes)
    train = set(parts[0]["camid"])
    # Nobody falls out whole: whoever is seen on one side only is on that side.
    for pid, seen in frame[frame["camid"] > 0].groupby("pid")["camid"]:
        expected = "train" if set(seen) <= train else "test" if train.isdisjoint(seen) else None
        assert expected in (None, sides(frame)["set", int(str(pid))])


def test_train_ends_before_test_begins() -> None:
    for seed in range(4):
        frame = split(build(shots()), "time-aware", seed)
        when = {side: frame["timestamp"][frame["split"] == side] for side in ("train", "test")}
        assert when["train"].max() < when["test"].min()
        assert sides(frame)
        cut = when["test"].min()
        early = (frame["timestamp"] < cut).mean()
        assert abs(early - 0.5) < 0.05
        leads: dict[bool, list[int]] = {
            True: [],
            False: [],
        }  # of those who are seen before and after, by whether they train
        for pid, times in frame.groupby("pid")["timestamp"]:
            before, after = int((times < cut).sum()), int((times >= cut).sum())
            trains = sides(frame)["set", int(str(pid))] == "train"
            if before and after:
                leads[trains].append(before - after)
            else:
                assert trains == (before > 0)
        assert min(leads[True], default=99) >= max(leads[False], default=-99)
        assert abs(list(sides(frame).values()).count("train") - PEOPLE // 2) <= 1


def test_whoever_is_seen_before_and_after_goes_where_most_of_them_is() -> None:
    # Person p is seen p times before and 9 - p times after.
    rows = [(pid, 1, frame) for pid in range(1, 9) for frame in range(9)]
    made = build(rows, timestamp=[float(frame >= pid) for pid, _, frame in rows])
    for share, first in ((0.25, 7), (0.5, 5), (0.75, 3)):
        train = {pid for (_, pid), side in sides(split(made, "time-aware", share=share)).items() if side == "train"}
        assert train == set(range(first, 9))


def test_a_share_is_counted_in_decimals() -> None:
    made = build([(pid, 1, frame) for pid in range(1, 101) for frame in (0, 1)])
    for hundredth in range(1, 100):
        found = sides(split(made, "night600", share=hundredth / 100))
        assert list(found.values()).count("train") == hundredth


def test_the_words_of_a_column_tell_the_time_in_their_declared_order(mistake: Mistake) -> None:
    rows = shots(12)
    slots = [("morning", "noon", "afternoon")[(pid + frame // 2) % 3] for pid, _, frame in rows]
    made = build(rows, slot=slots)
    order = ["morning", "noon", "afternoon"]
    frame = split(made, "time-aware", column="slot", order=order, before=0.3)
    assert set(frame["slot"][frame["split"] == "train"]) == {"morning"}
    assert set(frame["slot"][frame["split"] == "test"]) == {"noon", "afternoon"}
    sorted_words = split(made, "time-aware", column="slot", before=0.3)
    assert set(sorted_words["slot"][sorted_words["split"] == "train"]) == {"afternoon"}
    with mistake("'slot'", "'noon'", "morning, afternoon"):
        split(made, "time-aware", column="slot", order=["morning", "afternoon"])


def test_light_balanced_probes_are_as_many_as_night600s_and_more_even() -> None:
    rows = [(pid, camid, frame) for pid in range(1, 41) for camid in (1, 2) for frame in range(9)]
    light = [5.0 if frame == 0 else 30.0 if frame < 3 else 90.0 for _, _, frame in rows]
    made = build(rows, lightness=light)
    plain = _levels(split(made, "night600"))
    even, equal = (_levels(split(made, "light-balanced", equal=equal)) for equal in (False, True))
    assert sum(plain) == sum(even) == 120
    # One dark picture in each of 40 cells: no more can be had, and the rest is parted evenly.
    assert even == [40, 40, 40]
    assert max(plain) > 60
    assert equal == [40, 40, 40]
    cells = split(made, "light-balanced")
    assert (cells[cells["split"] == "test"].groupby(["pid", "camid"])["query"].sum() == 3).all()


def _levels(frame: pd.DataFrame) -> list[int]:
    asking = frame["lightness"][frame["query"]]
    return [int((asking == light).sum()) for light in (5.0, 30.0, 90.0)]


def test_splits_that_cannot_be_are_errors_that_say_why(mistake: Mistake) -> None:
    made = build(shots())
    with mistake("did you mean 'night600'?", "camera-disjoint"):
        splits.split(made, "nigth600", 0)
    with mistake("share = 1.5", "settings"):
        split(made, "night600", share=1.5)
    with mistake("probs", "did you mean 'probes'?"):
        split(made, "night600", probs=2)
    with mistake("share = 0.01 of the 11 identities of 'set' is 0"):
        split(made, "night600", share=0.01)
    with mistake("val = 0.1 of the 5 identities"):
        split(made, "night600", val=0.1)
    with mistake("for gallery", "ask for fewer probes"):
        split(made, "identities", queries_stay=False)
    with mistake("nobody to part"):
        split(build([(0, 1, 0), (-1, 1, 0)]), "night600")
    with mistake("needs two known cameras, 'set' has 1"):
        split(build([(pid, 1, frame) for pid in (1, 2) for frame in (0, 1)]), "camera-disjoint")
    with mistake("'slot'", "it has image_id"):
        split(made, "time-aware", column="slot")
    with mistake("have no 'frame'", "--set column="):
        split(made, "time-aware", column="frame")
    with mistake("'subsets' holds neither numbers nor texts"):
        split(made, "time-aware", column="subsets")
    with mistake("all rows of 'set' have one 'modality'"):
        split(made, "time-aware", column="modality")
    bare = manifest.build({"path": ["1/a.jpg", "2/a.jpg"], "pid": [1, 2], "camid": [1, 1]}, "set", Path("/nowhere"))
    with mistake("2 of 2 rows unmeasured", "luxreid data measure"):
        split(bare, "light-balanced")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("stay", [True, False])
def test_copies_of_a_picture_have_no_role_and_change_nothing_else(style: str, stay: bool) -> None:
    rows = shots()
    plain = split(build(rows), style, queries_stay=stay, probes=3)
    hashes = [f"{place:064x}" for place in range(len(rows))]
    # Every picture at camera 1 is there a second time, with a higher frame and so a later name.
    again = [place for place, (_, camid, _) in enumerate(rows) if camid == 1]
    more = [*rows, *((*rows[place][:2], rows[place][2] + 900) for place in again)]
    at = [*range(len(rows)), *again]
    when = build(rows).frame().set_index("sha256")
    sames: dict[str, object] = {
        name: [when[name][hashes[place]] for place in at] for name in ("lightness", "timestamp")
    }
    made = done(build(more, "set", sha256=[hashes[place] for place in at], **sames), style, queries_stay=stay, probes=3)
    frame = made.frame()
    copies = frame["path"].str.contains("_9..[.]")
    assert frame[~copies].reset_index(drop=True).equals(plain)
    assert (frame["split"][copies] == "none").all()
    assert not frame[copies][["query", "gallery"]].any(axis=None)
    assert any(note.startswith(f"{len(again)} rows of {len(more)} repeat the bytes") for note in made.notes)
    if not stay:
        assert set(frame["sha256"][frame["query"]]).isdisjoint(frame["sha256"][frame["gallery"]])


def test_equal_bytes_of_others_or_unmeasured_rows_are_pictures_of_their_own() -> None:
    rows = shots()
    hashes = [f"{frame:064x}{camid}"[1:] for _, camid, frame in rows]  # everybody's alike
    assert done(build(rows, sha256=hashes), "night600").notes == ()
    bare: dict[str, object] = {name: [None] * len(rows) for name in MEASURED}
    assert done(build(rows, "set", **bare), "night600").notes == ()


def test_the_cut_in_time_is_a_share_of_the_pictures_not_of_the_moments() -> None:
    # Ten moments: the first holds four pictures of everybody, the others one.
    rows = [(pid, 1, frame) for pid in range(1, 9) for frame in range(13)]
    made = build(rows, timestamp=[float(max(0, frame - 3)) for _, _, frame in rows])
    frame = split(made, "time-aware", before=0.5)
    assert frame["timestamp"][frame["split"] == "train"].max() == 2  # six of thirteen, 0.46; the moments' half is 4
    assert frame["timestamp"][frame["split"] == "test"].min() == 3


def test_roles_that_were_there_are_replaced_and_said_so() -> None:
    made = done(build(shots()), "night600")
    again = done(made, "night600")
    assert again.table.equals(made.table)
    assert made.notes == ()
    assert any("test, train" in note for note in again.notes)


def test_every_style_and_option_stands_in_the_documents_with_its_default() -> None:
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text()
    rows = {cells[1].strip(" `"): cells for line in page.splitlines() if len(cells := line.split("|")) > 3}
    for name, style in splits.STYLES.items():
        assert name in rows
        for key, field in style.options.model_fields.items():
            assert field.description, key
            default = str(field.default).lower() if field.default != () else "none"
            assert any(default == word.strip("`;:, ") for cell in rows[key] for word in cell.split()), (name, key)
