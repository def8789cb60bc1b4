"""Who is in the lists of the stand-in protocol."""

from pathlib import Path

from benchmark import manifest, resolve
from benchmark.columns import MEASURED


def test_distractors_are_in_the_gallery_and_junk_is_not() -> None:
    pids = [1, 2, 2, 0, -1, 3]
    count = len(pids)
    numbers = dict.fromkeys(MEASURED, [0.0] * count) | {"width": [9] * count, "height": [9] * count}
    rows: dict[str, object] = numbers | {
        "path": [f"{place}.jpg" for place in range(count)],
        "pid": pids,
        "camid": [1, 1, 2, 2, 2, 2],
        "split": ["train", *["test"] * (count - 1)],
        "query": [place == 1 for place in range(count)],
        "gallery": [place in (2, 3, 4) for place in range(count)],
        "sha256": [f"{place:064x}" for place in range(count)],
    }
    made = resolve.resolve(manifest.build(rows, "set", Path("/nowhere")))
    parts = (made.train, made.query, made.gallery)
    assert [part.column("pid").tolist() for part in parts] == [[1], [2], [2, 0]]
