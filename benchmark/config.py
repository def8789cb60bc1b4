"""Configuration: TOML into frozen, strict models. An unknown key, a wrong type or NaN is one line, never a default."""

import datetime
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark import durable
from benchmark.errors import UserError, nearest


class Strict(BaseModel):
    """The base of every configuration: nothing is coerced, nothing extra is taken, nothing changes later."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


Model = TypeVar("Model", bound=BaseModel)


def load(model: type[Model], path: Path | None = None, sets: Sequence[str] = ()) -> Model:
    """Read a TOML file, or nothing, change it by `a.b=value` settings, and check it against a model."""
    table = read_toml(path) if path else {}
    for setting in sets:
        _assign(table, setting)
    where = f"{path} with --set" if path and sets else str(path or "settings")
    return check(model, table, where)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file, or say in one line why not."""
    try:
        return tomllib.loads(durable.read_bytes(path).decode())
    except (ValueError, RecursionError) as error:  # ValueError: bad TOML, bad UTF-8, a number of thousands of digits
        raise UserError(f"{path}: not TOML: {error or type(error).__name__}") from None


def check(model: type[Model], table: dict[str, Any], where: str) -> Model:
    """Check a table against a model; `where` is named in the error."""
    try:
        _refuse_dates(table, where)
        # JSON mode is strict about scalars, yet a list may fill a tuple and a string a path.
        return model.model_validate_json(json.dumps(table))
    except ValidationError as error:
        raise UserError(f"{where}: {_first_complaint(model, error)}") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{where}: {error}") from None


def _assign(table: dict[str, Any], setting: str) -> None:
    name, equals, text = setting.partition("=")
    keys = [part.strip() for part in name.split(".")]
    if not equals or not all(keys):
        raise UserError(f"--set {setting}: write it as key=value or table.key=value")
    for depth, part in enumerate(keys[:-1]):
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise UserError(f"--set {setting}: {'.'.join(keys[: depth + 1])} is a value, not a table")
    table[keys[-1]] = _value(text.strip())


def _value(text: str) -> object:
    """Read a value as TOML; what is not TOML is a plain string, so that --set name=street needs no quotes."""
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    # A line break could smuggle further keys in; then the text was no single value.
    return table["value"] if len(table) == 1 else text


def _first_complaint(model: type[BaseModel], error: ValidationError) -> str:
    first, more = error.errors()[0], error.error_count() - 1
    key = ".".join(str(part) for part in first["loc"]) or "the table"
    if first["type"] == "extra_forbidden":
        allowed = sorted(_keys_at(model, first["loc"][:-1]))
        text = f"unknown key {key!r}; {nearest(str(first['loc'][-1]), allowed)}"
    elif first["type"] == "missing":
        text = f"{key!r} is missing"
    else:
        text = f"{key} = {_shorten(first['input'])}: {first['msg']}"
    return text + (f" (and {more} more)" if more else "")


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Name the keys of the nested model that an error's location points at."""
    for part in location:
        field = model.model_fields.get(str(part))
        inner = next((kind for kind in _models_in(field.annotation)), None) if field else None
        if inner is None:
            continue  # an index into a list, or a key of a mapping: the model below is already the right one
        model = inner
    return list(model.model_fields)


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def _refuse_dates(value: object, where: str, key: str = "") -> None:
    if isinstance(value, datetime.date | datetime.time):
        raise UserError(f"{where}: {key} = {value.isoformat()} is a TOML date; write dates as strings")
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in inner:
        _refuse_dates(part, where, f"{key}.{name}" if key else str(name))


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
