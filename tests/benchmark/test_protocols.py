"""The protocols on made-up sets that have the structure, and where it is known the numbers, of the real ones."""

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmark import filters, junk, manifest, resolve
from benchmark.columns import MEASURED
from benchmark.lists import Lists
from benchmark.manifest import Manifest
from benchmark.plugins import Room
from benchmark.protocol import PROTOCOLS, load

Row = dict[str, object]

DEFAULTS: Row = {"split": "test", "query": False, "gallery": False, "modality": "visible", "subsets": []}


def paper(rows: Iterable[Row]) -> Manifest:
    """Make a measured manifest; every file is another, but for those with one `copy`."""
    table = [DEFAULTS | {"place": row["camid"], "copy": row["path"]} | row for row in rows]
    count = len(table)
    columns: dict[str, object] = dict.fromkeys(MEASURED, np.zeros(count, np.float32))
    columns |= {"width": np.full(count, 9, np.int32), "height": np.full(count, 9, np.int32)}
    columns |= {name: [row[name] for row in table] for name in (*DEFAULTS, "path", "pid", "camid", "place")}
    columns["sha256"] = [f"{random.Random(str(row['copy'])).getrandbits(256):064x}" for row in table]
    return manifest.build(columns, "paper", Path("/nowhere"))


def positives(lists: Lists) -> list[int]:
    codes = junk.codes(lists.query, lists.gallery)
    found: list[int] = junk.matches(*codes, lists.rules.junk).positives().tolist()
    return found


def paths(part: Manifest) -> list[str]:
    return [str(path) for path in part.column("path")]


# SYSU-MM01: 96 test identities, 56 of them indoors; the counts are those of the official files.
INDOOR, TEST = range(1, 57), range(1, 97)
ROOM = {1: 1, 2: 2, 3: 2, 4: 4, 5: 5, 6: 6}
SIXTH = {1: [5, 17, 38], 2: [7, 10, 18], 4: [10, 20, 4], 5: [15, 1, 8]}  # first picks for identity 6, trials 1 to 3


def sysu_cells() -> Iterator[tuple[int, int, int, str]]:
    """Give (pid, camera, pictures, modality): 301 visible cells, 112 of them indoors; 1,883 + 1,920 infrared."""
    for pid in INDOOR:
        yield from ((pid, camera, 42 if pid == 6 else 13, "visible") for camera in (1, 2))
        yield pid, 3, 34 if pid <= 35 else 33, "infrared"
        yield pid, 6, 6 if pid <= 45 else 5, "infrared"
    for pid in TEST:
        yield from ((pid, camera, 20, "visible") for camera in (4, 5) if (pid, camera) not in ((1, 4), (2, 4), (3, 4)))
        if pid not in INDOOR:
            yield pid, 6, 40 if pid < 92 else 39, "infrared"


def sysu() -> Manifest:
    rows: list[Row] = []
    for pid, camera, count, modality in sysu_cells():
        for number in range(1, count + 1):
            marks = [f"multi-{trial}" for trial in (1, 2, 3) if number <= 10 and modality == "visible"]
            picks = SIXTH[camera] if pid == 6 and camera in SIXTH else [number] * 3 if number == 13 else []
            marks += [f"single-{trial}" for trial, pick in enumerate(picks, 1) if pick == number]
            row: Row = {"path": f"cam{camera}/{pid:04d}/{number:04d}.jpg", "pid": pid, "camid": camera}
            rows.append(row | {"place": ROOM[camera], "modality": modality, "subsets": marks})
    for camera, modality in ((1, "visible"), (6, "infrared")):
        row = {"path": f"cam{camera}/0400/0001.jpg", "pid": 400, "camid": camera, "split": "train"}
        rows.append(row | {"modality": modality})
    return paper(rows)


@pytest.fixture(scope="module")
def sysu_set() -> Manifest:
    return sysu()


SYSU = [
    ("sysu-all-single-official", 301, 3803),
    ("sysu-all-single-pyrandom", 301, 3803),
    ("sysu-all-multi-official", 3010, 3803),
    ("sysu-all-multi-keyed", 3010, 3803),
    ("sysu-indoor-single-official", 112, 2208),
    ("sysu-indoor-single-pyrandom", 112, 2208),
    ("sysu-indoor-multi-official", 1120, 2208),
    ("sysu-indoor-multi-keyed", 1120, 2208),
]


@pytest.mark.parametrize(("name", "size", "valid"), SYSU)
def test_sysu_has_the_official_numbers(name: str, size: int, valid: int, sysu_set: Manifest) -> None:
    lists = resolve.resolve(sysu_set, name, 2)
    assert (len(lists.query), len(lists.gallery), len(lists.train)) == (3803, size, 2)
    assert sum(found > 0 for found in positives(lists)) == valid
    # A query of cam3 does not see cam2: 245 of 301 are left, 56 of 112.
    hidden = junk.unseen(2, junk.codes(lists.query, lists.gallery)[1], lists.rules.junk)
    assert set(lists.gallery.column("camid")[hidden].tolist()) == {2}
    assert int(hidden.sum()) == 56 * (10 if "multi" in name else 1)
    assert lists.notes == ()


@pytest.mark.parametrize("trial", range(3))
def test_sysu_takes_the_official_picks_of_its_trial(trial: int, sysu_set: Manifest) -> None:
    lists = resolve.resolve(sysu_set, "sysu-all-single-official", trial)
    assert lists.trial == trial  # counted from 0; the set counts from 1
    sixth = [path for path in paths(lists.gallery) if "/0006/" in path]
    assert sixth == [f"cam{camera}/0006/{picks[trial]:04d}.jpg" for camera, picks in SIXTH.items()]


def test_sysu_draws_anew_in_every_trial(sysu_set: Manifest) -> None:
    for name in ("sysu-all-single-pyrandom", "sysu-indoor-multi-keyed"):
        hashes = {resolve.resolve(sysu_set, name, trial).lists_sha256 for trial in (0, 1, 9)}
        assert len(hashes) == 3
        cells = resolve.resolve(sysu_set, name, 0).gallery
        pairs = zip(cells.column("pid").tolist(), cells.column("camid").tolist(), strict=True)
        assert set(Counter(pairs).values()) == {load(name).trials.shots}


def test_regdb_trains_and_tests_on_the_lists_of_its_trial() -> None:
    halves = [set(random.Random(trial).sample(range(1, 413), 206)) for trial in range(1, 11)]
    rows: list[Row] = []
    for pid in range(1, 413):
        marks = [f"{'train' if pid in half else 'test'}-{trial}" for trial, half in enumerate(halves, 1)]
        for modality, folder in (("visible", "Visible"), ("thermal", "Thermal")):
            for number in range(10):
                path = f"{folder}/{pid}/male_front_{folder[0].lower()}_{number:05d}_{pid}.bmp"
                rows.append({"path": path, "pid": pid, "camid": 0, "modality": modality, "subsets": marks})
    made = paper(rows)
    for trial in (0, 4, 9):
        lists = resolve.resolve(made, "regdb-vt", trial)
        assert (len(lists.query), len(lists.gallery), len(lists.train)) == (2060, 2060, 4120)
        assert set(lists.train.column("pid").tolist()) == halves[trial]
        assert set(positives(lists)) == {10}  # no cameras: nothing is removed
        back = resolve.resolve(made, "regdb-tv", trial)
        assert (paths(back.query), paths(back.gallery)) == (paths(lists.gallery), paths(lists.query))
        assert lists.notes == ()


def llcm() -> Manifest:
    rng = np.random.default_rng(0)
    rows: list[Row] = [
        {"path": f"{part}/0900/0900_c01_{part}.jpg", "pid": 900, "camid": 1, "split": "train", "modality": modality}
        for part, modality in (("vis", "visible"), ("nir", "infrared"))
    ]
    for pid in range(3, 33):
        for part, modality, cameras in (
            ("vis", "visible", range(1, 10)),
            ("nir", "infrared", (1, 2, 4, 5, 6, 7, 8, 9)),
        ):
            for camera in sorted(rng.choice(list(cameras), 3, replace=False).tolist()):
                for number in range(int(rng.integers(1, 9))):
                    path = f"test_{part}/cam{camera}/{pid:04d}/{pid:04d}_c{camera:02d}_f{number:04d}_{part}.jpg"
                    rows.append({"path": path, "pid": pid, "camid": camera, "modality": modality})
    return paper(rows)


def test_llcm_b_turns_the_roles_of_a_round() -> None:
    made = llcm()
    for trial in (0, 9):
        a = resolve.resolve(made, "llcm-a-vis-ir", trial)
        b = resolve.resolve(made, "llcm-b-vis-ir", trial)
        assert (paths(b.query), paths(b.gallery)) == (paths(a.gallery), paths(a.query))
        assert a.protocol_sha256 != b.protocol_sha256
        other = resolve.resolve(made, "llcm-a-ir-vis", trial)
        assert paths(other.query) == [path for path in paths(made) if "test_nir" in path]
        cells = [path.rpartition("/")[0] for path in paths(other.gallery)]
        assert cells == sorted({path.rpartition("/")[0] for path in paths(made) if "test_vis" in path})


def test_llcm_takes_away_the_same_camera_across_modalities_for_the_same_identity_only() -> None:
    lists = resolve.resolve(llcm(), "llcm-a-ir-vis")
    hidden, _ = junk.masks(*junk.codes(lists.query, lists.gallery), lists.rules.junk)
    pids, cameras = (
        lists.query.column(name)[:, None] == lists.gallery.column(name)[None, :] for name in ("pid", "camid")
    )
    np.testing.assert_array_equal(hidden, pids & cameras)
    assert hidden.any()


def test_cuhk03_classic_searches_one_image_of_everybody() -> None:
    people = range(1, 301)
    tested = [set(random.Random(trial).sample(people, 100)) for trial in range(1, 21)]
    rows: list[Row] = []
    for pid in people:
        marks = [f"{'test' if pid in half else 'train'}-{trial}" for trial, half in enumerate(tested, 1)]
        for camera in (1, 2):
            for number in range(1, 6):
                path = f"images_labeled/1_{pid:03d}_{camera}_{number:02d}.png"
                rows.append({"path": path, "pid": pid, "camid": camera, "subsets": marks})
    made = paper(rows)
    galleries = set()
    for trial in (0, 7, 19):
        lists = resolve.resolve(made, "cuhk03-classic", trial)
        assert sorted(lists.gallery.column("pid").tolist()) == sorted(tested[trial])
        assert len(lists.query) == 500
        assert set(positives(lists)) == {1}
        assert (lists.rules.rank_by, len(lists.train)) == ("R1", 2000)
        galleries.add(lists.lists_sha256)
    assert len(galleries) == 3


def knight() -> Manifest:
    """People whom all three cameras saw, whom two saw, and whom one saw; even numbers train."""
    seen = {2: (1, 2), 3: (1, 2, 3), 4: (1, 3), 5: (1,), 6: (2, 3), 7: (1, 2), 8: (1, 2, 3), 9: (2, 3), 11: (1, 3)}
    rows: list[Row] = []
    for pid, cameras in seen.items():
        for camera in cameras:
            pairs = [f"c{min(camera, other)}c{max(camera, other)}" for other in cameras if other != camera]
            row: Row = {"pid": pid, "camid": camera, "subsets": pairs, "split": "test" if pid % 2 else "train"}
            rows += [row | {"path": f"Person/{pid:04d}/cam{camera}_{n}.jpg"} for n in range(14 if pid == 3 else 4)]
    return paper(rows)


KNIGHT = {"c1c2": ({3, 7}, {2, 8}), "c1c3": ({3, 11}, {4, 8}), "c2c3": ({3, 9}, {6, 8})}


@pytest.mark.parametrize(("pair", "people"), KNIGHT.items())
def test_knight_asks_at_the_lower_camera_and_caps_the_probes(pair: str, people: tuple[set[int], set[int]]) -> None:
    low, high = int(pair[1]), int(pair[3])
    capped, full = (resolve.resolve(knight(), name) for name in (f"knight-{pair}", f"knight-{pair}-full"))
    for lists in (capped, full):
        assert set(lists.query.column("camid").tolist()) == {low}
        assert set(lists.gallery.column("camid").tolist()) == {high}
        assert set(lists.query.column("pid").tolist()) == set(lists.gallery.column("pid").tolist()) == people[0]
        assert set(lists.train.column("pid").tolist()) == people[1]
    assert paths(capped.gallery) == paths(full.gallery)
    assert set(paths(capped.query)) < set(paths(full.query))
    assert Counter(capped.query.column("pid").tolist())[3] == 10
    assert Counter(full.query.column("pid").tolist())[3] == 14


def test_nightreid_takes_its_lists_from_the_folders_and_own_copies_by_their_bytes() -> None:
    folders = {
        "query": ("query-528", [10, 11]),
        "query-1000": ("query-1000", [10, 11, 12]),
        "bounding_box_test": ("gallery-528", [10, 11, 0]),
        "bounding_box_test-528-noDistractors": ("gallery-528-nd", [10, 11]),
        "bounding_box_test_withDistractors": ("gallery-1000", [10, 11, 12, 0]),
        "bounding_box_test-1000-noDistractors": ("gallery-1000-nd", [10, 11, 12]),
    }
    rows: list[Row] = [{"path": "bounding_box_train/0002R1C041.jpg", "pid": 2, "camid": 4, "split": "train"}]
    for folder, (word, people) in folders.items():
        for pid in people:
            for camera in (1, 5) if "box" in folder else (1,):
                file = f"{pid:04d}L{camera}C001.jpg"
                rows.append({"path": f"{folder}/{file}", "pid": pid, "camid": camera, "subsets": [word], "copy": file})
    sizes = {"528": (2, 6), "528-nd": (2, 4), "1000": (3, 8), "1000-nd": (3, 6)}
    made = paper(rows)
    for name, size in sizes.items():
        lists = resolve.resolve(made, f"nightreid-{name}")
        assert (len(lists.query), len(lists.gallery)) == size
        assert set(positives(lists)) == {1}
        assert (0 in lists.gallery.column("pid").tolist()) == (not name.endswith("nd"))


@pytest.mark.parametrize(("end", "modality"), [("rgb", "visible"), ("ni", "infrared"), ("ti", "thermal")])
def test_rgbnt201_is_one_modality_against_itself(end: str, modality: str) -> None:
    rows: list[Row] = []
    for folder, kind in (("RGB", "visible"), ("NI", "infrared"), ("TI", "thermal")):
        for pid, split in ((18, "train"), (258, "test"), (259, "test")):
            for camera in (1, 2):
                path = f"{'test' if split == 'test' else 'train_171'}/{folder}/{pid:06d}_cam{camera}_0_00.jpg"
                row: Row = {"path": path, "pid": pid, "camid": camera, "split": split, "modality": kind}
                rows.append(row | {"query": split == "test", "gallery": split == "test"})
    lists = resolve.resolve(paper(rows), f"rgbnt201-{end}")
    assert {kind for part in (lists.train, lists.query, lists.gallery) for kind in part.column("modality")} == {
        modality
    }
    assert paths(lists.query) == paths(lists.gallery)
    assert len(lists.query) == 4
    assert positives(lists) == [1] * 4  # neither the picture itself nor its camera


ROLES = ["market-style", "msmt17", "night600", "night600-idf", "syn_dark", "cuhk03-new"]


@pytest.mark.parametrize("name", ROLES)
def test_sets_with_roles_keep_their_queries_in_the_gallery_and_remove_the_copy(name: str) -> None:
    rows: list[Row] = [{"path": "bounding_box_train/000012_c3_0007.jpg", "pid": 12, "camid": 3, "split": "train"}]
    rows += [{"path": "query_3/000345_c1_0012.jpg", "pid": 345, "camid": 1, "query": True, "copy": "q"}]
    rows += [
        {"path": f"bounding_box_test/{file}.jpg", "pid": pid, "camid": camera, "gallery": True, "copy": copy}
        for file, pid, camera, copy in (
            ("000345_c1_0012", 345, 1, "q"),
            ("000345_c1_0013", 345, 1, "same view"),
            ("000345_c5_0003", 345, 5, "match"),
            ("000345_c6_0012", 345, 6, "q"),  # a copy that somebody filed under another camera
            ("000346_c5_0003", 346, 5, "other"),
        )
    ]
    lists = resolve.resolve(paper(rows), name)
    hidden, positive = junk.masks(*junk.codes(lists.query, lists.gallery), lists.rules.junk)
    assert hidden.tolist() == [[True, True, False, True, False]]
    assert positive.tolist() == [[False, False, True, False, False]]


READ = [
    (reader, name)
    for reader, names in {
        "market1501": ["market-style"],
        "msmt17": ["msmt17"],
        "night600": ["night600", "night600-idf"],
        "knight": [f"knight-{pair}{end}" for pair in KNIGHT for end in ("", "-full")],
        "nightreid": [f"nightreid-{end}" for end in ("528", "528-nd", "1000", "1000-nd")],
        "rgbnt201": [f"rgbnt201-{end}" for end in ("rgb", "ni", "ti")],
        "syn_dark": ["syn_dark"],
    }.items()
    for name in names
]


@pytest.mark.parametrize(("reader", "name"), READ)
def test_readers_write_the_words_that_protocols_filter_by(reader: str, name: str, tmp_path: Path) -> None:
    module = Room("benchmark.readers", "reader").load(reader)
    root = tmp_path / reader
    files: dict[str, bytes] = {str(example["path"]): b"" for example in module.EXAMPLES}
    files |= getattr(module, "example_files", dict)()
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    read = module.read(root, module.Options())
    for role in ("query", "gallery"):
        assert filters.meet(read, load(name).filters(role, 0), f"{name}: [{role}]").any()


def test_without_cameras_only_a_query_s_own_copy_is_hidden() -> None:
    rows: list[Row] = [{"path": "train/a.jpg", "pid": 12, "camid": 0, "split": "train"}]
    rows += [{"path": "query/a.jpg", "pid": 7, "camid": 0, "query": True, "copy": "q"}]
    rows += [
        {"path": f"gallery/{file}.jpg", "pid": pid, "camid": 0, "gallery": True, "copy": copy}
        for file, pid, copy in (("a", 7, "q"), ("b", 7, "b"), ("c", 8, "c"), ("d", 0, "d"))
    ]
    lists = resolve.resolve(paper(rows), "no-cameras")
    hidden, positive = junk.masks(*junk.codes(lists.query, lists.gallery), lists.rules.junk)
    assert hidden.tolist() == [[True, False, False, False]]
    assert positive.tolist() == [[False, True, False, False]]


def test_no_protocol_is_left_without_a_set() -> None:
    tested = (
        {name for name, _, _ in SYSU} | set(ROLES) | {f"knight-{pair}{end}" for pair in KNIGHT for end in ("", "-full")}
    )
    tested |= {f"nightreid-{end}" for end in ("528", "528-nd", "1000", "1000-nd")}
    tested |= {f"rgbnt201-{end}" for end in ("rgb", "ni", "ti")} | {"regdb-vt", "regdb-tv", "cuhk03-classic"}
    tested |= {"no-cameras", "llcm-a-ir-vis", "llcm-a-vis-ir", "llcm-b-vis-ir"}
    # Those of day and night are in test_resolve.py.
    tested |= {f"street-{end}" for end in ("day", "night", "cross", "cross-reverse", "mixed")}
    assert set(PROTOCOLS.names()) == tested
