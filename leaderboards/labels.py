"""What a configuration is called in a table, and in which words its runs are described."""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from leaderboards.store import Row

TIERS = {"ran_here": "ran here", "rescored": "rescored", "verified": "verified", "literature": "literature"}

MOST_KEYS = 3  # of a configuration in a name; where more are needed, its hash says it shorter
_LONGEST = 24  # of a value in a name


def plain(text: object) -> str:
    """Give a text as one line that can be printed: what moves a cursor or turns the writing about becomes a blank."""
    blank = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    shown = "".join(" " if unicodedata.category(letter) in blank else letter for letter in str(text))
    return " ".join(shown.split())


def names(configurations: Mapping[str, Sequence[Row]]) -> dict[str, str]:
    """Name every configuration: as its runs say, and where two say the same, by the keys that tell them apart."""
    said = {config: given(rows[0]) for config, rows in configurations.items()}
    alike: dict[str, list[str]] = {}
    for config, name in said.items():
        alike.setdefault(name, []).append(config)
    for name, configs in alike.items():
        if len(configs) > 1:
            said |= _told_apart(name, {config: _facts(configurations[config][0]) for config in configs})
    return said


def tier(rows: Sequence[Row]) -> str:
    """Say how the runs of a configuration came to the board."""
    found = Counter(row["provenance"] for row in rows)
    words = [TIERS.get(name, plain(name)) for name in found]
    if len(found) == 1:
        return words[0]
    return ", ".join(f"{count} {word}" for count, word in zip(found.values(), words, strict=True))


def flags(rows: Sequence[Row]) -> tuple[str, ...]:
    """Say in words what was done that others may not have done."""
    return tuple(dict.fromkeys(word for row in rows for word in _flags(row)))


def disclosures(rows: Sequence[Row]) -> tuple[str, ...]:
    """Give what was said by whoever handed the runs in."""
    return tuple(dict.fromkeys(plain(text) for row in rows for text in row.get("disclosures") or ()))


def common(rows: Sequence[Row], name: str) -> Any:  # noqa: ANN401
    """Give what all rows say under a name; nothing where they do not agree."""
    found = {row.get(name) for row in rows}
    return found.pop() if len(found) == 1 else None


def given(row: Row) -> str:
    """Give the name that a run says."""
    return plain(row.get("display_name") or "") or plain(row.get("method") or "") or "without a name"


def _flags(row: Row) -> Iterable[str]:
    if _undisclosed(row):
        yield "nothing disclosed"
    if row.get("rerank") not in (None, "", "none"):
        yield "re-ranked"
    if row.get("flip_tta"):
        yield "flip"
    if row.get("ckpt_selection") == "test_best":
        yield "chosen on the test set"
    if row.get("pretrain_data"):
        yield f"also learnt from {', '.join(plain(name) for name in row['pretrain_data'])}"
    if row.get("overlap_declared"):
        yield "has seen test people"
    if row.get("list_depth") is not None:
        yield f"first {row['list_depth']} of each ranking known"


def _undisclosed(row: Row) -> bool:
    """Say whether somebody's features were scored without a word on where they come from; a submission has answers."""
    foreign = (row.get("added_as") or row.get("provenance")) == "rescored" and not row.get("submission_sha256")
    return foreign and not any(row.get(name) for name in ("disclosures", "pretrain_data", "train_sets"))


def _told_apart(name: str, facts: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Add the fewest keys, those that divide most first, that give every configuration a name of its own."""
    differ = [key for key in _keys(facts) if len({one.get(key) for one in facts.values()}) > 1]
    order = sorted(differ, key=lambda key: -len({one.get(key) for one in facts.values()}))
    chosen = list[str]()
    while order and len(chosen) < MOST_KEYS and _parts(facts, chosen) < len(facts):
        best = max(order, key=lambda key: _parts(facts, [*chosen, key]))
        order.remove(best)
        chosen.append(best)
    if _parts(facts, chosen) < len(facts):
        return {config: f"{name} ({config[:8]})" for config in facts}
    usual = {key: _usual(one.get(key) for one in facts.values()) for key in chosen}
    return {config: _described(name, {key: one.get(key) for key in chosen}, usual) for config, one in facts.items()}


def _usual(values: Iterable[str | None]) -> tuple[str | None, ...]:
    """Find the value that more than half have, which needs no mention."""
    counted = Counter(values)
    value, count = counted.most_common(1)[0]
    return (value,) if 2 * count > counted.total() else ()


def _described(name: str, known: Mapping[str, str | None], usual: Mapping[str, tuple[str | None, ...]]) -> str:
    said = [f"{_short(key)} {value or '-'}" for key, value in known.items() if value not in usual[key]]
    return f"{name} ({', '.join(said)})" if said else name


def _keys(facts: Mapping[str, Mapping[str, str]]) -> list[str]:
    return list(dict.fromkeys(key for one in facts.values() for key in one))


def _parts(facts: Mapping[str, Mapping[str, str]], keys: Sequence[str]) -> int:
    return len({tuple(one.get(key) for key in keys) for one in facts.values()})


def _short(key: str) -> str:
    return key.rsplit(".", 1)[-1]


def _facts(row: Row) -> dict[str, str]:
    """Put in words what may tell configurations of one name apart, what a person would name first, first."""
    trained = "+".join(plain(one.get("name")) for one in row.get("train_sets") or ())
    known = {"version": row.get("method_version"), "backbone": row.get("backbone"), "mode": row.get("mode")}
    facts = {name: _value(value) for name, value in known.items() if value}
    facts |= {"trained on": _value(trained)} if trained else {}
    try:
        config = json.loads(row.get("config_json") or "{}")
    except ValueError:
        config = {}
    return facts | dict(_flat(config))


def _flat(config: object, prefix: str = "") -> Iterable[tuple[str, str]]:
    if not isinstance(config, Mapping):
        return
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{plain(key)}.")
        else:
            yield f"{prefix}{plain(key)}", _value(value)


def _value(value: object) -> str:
    """Give a value as text; a long one keeps its beginning and the hash of all, so that unlike ones stay unlike."""
    text = plain(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    if len(text) <= _LONGEST:
        return text
    from benchmark import durable

    return f"{text[: _LONGEST - 10]}… {durable.sha256(text)[:8]}"
