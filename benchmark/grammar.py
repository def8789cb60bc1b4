"""What readers of names share: the folders of a set, the names in them, and complaints about all that fits neither."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmark.columns import KNOWN
from benchmark.console import count
from benchmark.errors import UserError
from benchmark.images import SUFFIXES
from benchmark.tree import Listing, check_root, pictures

SHOWN = 3  # of the names that are wrong


class Part(NamedTuple):
    """A folder of a set, below the root, and what its pictures are; "" is the root itself."""

    folder: str
    split: str = "none"
    query: bool = False
    gallery: bool = False
    subsets: tuple[str, ...] = ()
    required: bool = True  # where no part is, one of them must be there


@dataclass(frozen=True, eq=False)
class Names:
    """The pictures whose names parse, sorted by path: the part that each lies in, and the fields of its name."""

    root: Path
    paths: list[str]
    parts: tuple[Part, ...]
    part: NDArray[np.int64]  # position in `parts`
    fields: Mapping[str, Sequence[str]]  # named groups of the pattern; "" where one took no part
    notes: list[str]

    def columns(self) -> dict[str, object]:
        """Give the columns that the folders tell: path, split, query, gallery, subsets."""
        kinds = {"split": pa.string(), "query": pa.bool_(), "gallery": pa.bool_(), "subsets": pa.list_(pa.string())}
        told = {name: pa.array([getattr(one, name) for one in self.parts], kind) for name, kind in kinds.items()}
        return {"path": self.paths} | {name: values.take(pa.array(self.part)) for name, values in told.items()}

    def keep(self, rows: NDArray[np.bool_], notes: Iterable[str] = ()) -> "Names":
        """Keep some of the pictures, and add notes that say why."""
        kept = np.flatnonzero(rows).tolist()
        fields = {name: [texts[row] for row in kept] for name, texts in self.fields.items()}
        paths = [self.paths[row] for row in kept]
        return Names(self.root, paths, self.parts, self.part[rows], fields, [*self.notes, *notes])

    def numbers(self, field: str, low: int = -1, high: int | None = None) -> NDArray[np.int64]:
        """Give a field of digits as numbers, 0 where it took no part; one that is out of bounds is an error."""
        numbers, most = _whole(self.fields[field]), largest(field) if high is None else high
        wrong = (numbers < low) | (numbers > most)
        if wrong.any():
            row = int(wrong.argmax())
            few, many = f"at least {low}", f"at most {most}"
            allowed = f"{low} to {most}" if high is not None else few if numbers[row] < low else many
            raise UserError(f"{self.root}: {self.paths[row]}: {field} is {self.fields[field][row]}, must be {allowed}")
        return numbers


def find(
    root: Path,
    parts: Sequence[Part],
    pattern: str,
    like: str,
    *,
    unmatched: str = "error",
    ignored: Mapping[str, str] = MappingProxyType({}),
    beside: Sequence[str] = (),
) -> Names:
    """List a set's folders and match the whole of each path below its folder against one pattern.

    A picture that fits nowhere is an error, or with `unmatched="skip"` a note; `like` is a path that is right.
    Folders and files in `ignored` belong to the set and are left out; the text says why. No folder may lie in another.
    Files in `beside` are no pictures, and the reader's own business.
    """
    check_root(root)
    _require_folders(root, parts)
    listing = pictures(root)
    refuse_equal_but_for_case(root, listing.pictures)
    ranges = [_below(listing.pictures, part.folder) for part in parts]
    _require_pictures(root, listing, parts, ranges)
    left_out = {name: _below(listing.pictures, name) or _itself(listing.pictures, name) for name in ignored}
    strange = _outside(listing.pictures, [*ranges, *left_out.values()])
    names = _match(root, listing.pictures, parts, ranges, re.compile(pattern, re.ASCII), strange)
    names.notes.extend(_left_out(listing.pictures, left_out, ignored))
    names.notes.extend(f"{part.folder}/ is not there" for part, found in zip(parts, ranges, strict=True) if not found)
    names.notes.extend(tree_notes(listing, [root / file for file in beside]))
    names.notes.extend(unfit(root, sorted(strange), len(listing.pictures), like, unmatched, left=len(names.paths)))
    return names


def layout(root: Path, layouts: Mapping[str, Sequence[Part]]) -> str:
    """Say which of several layouts lies under the root; two of them are a mixture of versions, and refused."""
    check_root(root)
    found = [name for name, parts in layouts.items() if _fits(root, parts)]
    if len(found) > 1:
        mixed = " and ".join(f"{name} ({folders(layouts[name])})" for name in found)
        raise UserError(f"{root}: holds {mixed}; a root must hold one of them")
    if not found:
        allowed = " or ".join(folders(parts) for parts in layouts.values())
        near = nearby(root, lambda place: any(_fits(place, parts) for parts in layouts.values()))
        raise UserError(f"{root}: must hold {allowed}{near}")
    return found[0]


def nearby(root: Path, is_root: Callable[[Path], bool]) -> str:
    """Look one folder up and one down for the right root, and say where it is."""
    for place in _neighbours(root):
        with suppress(OSError):  # what may not be looked into is not proposed
            if is_root(place):
                return f"; {place} looks right: give that folder as the root"
    return ""


def is_folder(path: Path) -> bool:
    """Say whether a folder is there; what may not be looked into is not."""
    with suppress(OSError):
        return path.is_dir()
    return False


def folders(parts: Sequence[Part]) -> str:
    """Name the folders that a set must hold."""
    required = [f"{part.folder}/" for part in parts if part.required]
    return ", ".join(required) if required else " or ".join(f"{part.folder}/" for part in parts)


def require(root: Path, what: str, names: Iterable[str], there: Collection[str]) -> None:
    """Refuse a list that names pictures which are not there."""
    missing = sorted(set(names).difference(there))
    if missing:
        raise UserError(f"{root}: {what} names {count(len(missing), 'picture')} not there: {shown(missing)}")


def unfit(root: Path, strange: Sequence[str], total: int, like: str, unmatched: str, *, left: int) -> list[str]:
    """Refuse names that do not parse, or give the note that they are skipped; to have nothing left is refused."""
    if not strange:
        return []
    text = f"{len(strange)} of {total} names do not parse: {shown(strange)}; must be like {like}"
    if unmatched == "error":
        raise UserError(f"{root}: {text}; --set unmatched=skip skips them")
    if not left:
        raise UserError(f"{root}: {text}")
    return [f"skipped: {text}"]


def known(names: Names, fits: NDArray[np.bool_], allowed: str, unmatched: str) -> Names:
    """Keep the pictures whose numbers a set can have; others are an error, or left out with a note."""
    strange = [names.paths[row] for row in np.flatnonzero(~fits)]
    if not strange:
        return names
    text = f"{len(strange)} of {len(names.paths)} names have unknown numbers: {shown(strange)}; {allowed}"
    if unmatched == "error":
        raise UserError(f"{names.root}: {text}; --set unmatched=skip skips them")
    if not fits.any():
        raise UserError(f"{names.root}: {text}")
    return names.keep(fits, [f"skipped: {text}"])


def shown(names: Sequence[str]) -> str:
    """Show the first few of many names."""
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def tree_notes(listing: Listing, read: Iterable[Path] = ()) -> list[str]:
    """Say what else lies under a root, but for the files that a reader read."""
    notes, others = [], listing.others - sum(file.is_file() for file in read)
    if others:
        notes.append(f"{others} files that are no pictures are ignored")
    if listing.linked:
        notes.append(f"{listing.linked} links to folders are not followed")
    return notes


def no_picture(place: Path, listing: Listing) -> UserError:
    """Say that a folder is empty of pictures."""
    linked = "; links to folders are not followed" if listing.linked else ""
    return UserError(f"{place}: no picture found; a picture ends in {', '.join(SUFFIXES)}{linked}")


def refuse_equal_but_for_case(root: Path, paths: Sequence[str]) -> None:
    """Refuse two names that differ only in case: on many disks one would replace the other."""
    if len({path.lower() for path in paths}) == len(paths):
        return
    first: dict[str, str] = {}
    for path in paths:
        other = first.setdefault(path.lower(), path)
        if other != path:
            raise UserError(f"{root}: {other} and {path} differ only in case; one copy of the set would lose a file")


def largest(name: str) -> int:
    """Give the largest number that a column of the manifest holds."""
    kind = KNOWN[name].type if name in KNOWN else pa.int32()
    return int(np.iinfo(kind.to_pandas_dtype()).max)


def source_name(root: Path) -> str:
    """Make a set's name from its folder's name."""
    name = (root.resolve() if root.name in ("", "..") else root).name
    slug = re.sub(r"[^a-z0-9._+-]+", "-", name.lower()).strip("-._+")
    if not slug:
        raise UserError(f"{root}: no name for the set can be made from the folder's name; set source")
    return slug


def _whole(texts: Iterable[str]) -> NDArray[np.int64]:
    """Turn digits into numbers; what no column can hold stays too large for it."""
    numbers = [int(text or 0) for text in texts]
    try:
        return np.array(numbers, np.int64)
    except OverflowError:
        return np.array([min(number, 2**62) for number in numbers], np.int64)


def _below(paths: Sequence[str], folder: str) -> range:
    """Find the sorted paths below a folder."""
    if not folder:
        return range(len(paths))
    return range(bisect_left(paths, f"{folder}/"), bisect_left(paths, f"{folder}0"))  # 0 is the letter after /


def _itself(paths: Sequence[str], file: str) -> range:
    """Find a file among the sorted paths."""
    return range(bisect_left(paths, file), bisect_right(paths, file))


def _left_out(paths: Sequence[str], ranges: Mapping[str, range], reasons: Mapping[str, str]) -> Iterator[str]:
    """Say what was left out, all that has one reason in one note."""
    for why in dict.fromkeys(reasons.values()):
        found = {name: places for name, places in ranges.items() if places and reasons[name] == why}
        if found:
            where = ", ".join(
                paths[places[0]] if paths[places[0]] == name else f"{name}/" for name, places in found.items()
            )
            yield f"{where}: {count(sum(map(len, found.values())), 'picture')} left out: {why}"


def _outside(paths: Sequence[str], ranges: Iterable[range]) -> list[str]:
    """List the paths that lie in none of some folders."""
    known = np.zeros(len(paths), bool)
    for found in ranges:
        known[found.start : found.stop] = True
    return [paths[place] for place in np.flatnonzero(~known).tolist()]


def _match(
    root: Path,
    paths: Sequence[str],
    parts: Sequence[Part],
    ranges: Sequence[range],
    pattern: re.Pattern[str],
    strange: list[str],
) -> Names:
    """Match every path below its folder; one that does not parse is added to the strange ones."""
    fitting: list[str] = []
    values: list[str] = []  # of all groups of all names in one flat list: tuples would wake the garbage collector
    where: list[int] = []
    match = pattern.fullmatch
    # In the order of the paths, so that what is found stays sorted.
    for number in sorted(range(len(parts)), key=lambda number: ranges[number].start):
        start = len(parts[number].folder) + bool(parts[number].folder)
        for path in paths[ranges[number].start : ranges[number].stop]:
            if found := match(path, start):
                values.extend(found.groups(""))
                fitting.append(path)
            else:
                strange.append(path)
        where += [number] * (len(fitting) - len(where))
    fields = {name: values[place - 1 :: pattern.groups] for name, place in pattern.groupindex.items()}
    return Names(root, fitting, tuple(parts), np.array(where, np.int64), fields, [])


def _require_folders(root: Path, parts: Sequence[Part]) -> None:
    if not _fits(root, parts):
        missing = [part for part in parts if part.required and not is_folder(root / part.folder)] or parts
        near = nearby(root, lambda place: _fits(place, parts))
        raise UserError(f"{root}: must hold {folders(missing)}{near}")


def _require_pictures(root: Path, listing: Listing, parts: Sequence[Part], ranges: Sequence[range]) -> None:
    for part, found in zip(parts, ranges, strict=True):
        if not found and is_folder(root / part.folder):
            raise no_picture(root / part.folder, listing)


def _fits(root: Path, parts: Sequence[Part]) -> bool:
    """Say whether a folder holds the parts that are required, or any part where none is."""
    required = [part for part in parts if part.required]
    there = [is_folder(root / part.folder) for part in required or parts]
    return all(there) if required else any(there)


def _neighbours(root: Path) -> Iterator[Path]:
    yield (root.resolve() if root.name in ("", "..") else root).parent
    with suppress(OSError):
        yield from sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
