"""Pictures that a night sets aside: a list with the reason of each."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from benchmark import durable, images
from benchmark.errors import UserError
from benchmark.manifest import Manifest
from synthesis.night.order import ASIDE, Order


def write(order: Order, aside: Sequence[tuple[int, str]], out: Path) -> Path:
    """Write what is set aside, parents and reasons, with what was never measured; where there is nothing, no file."""
    rows, path = _listed(order, aside), out / ASIDE
    if not rows:
        path.unlink(missing_ok=True)
        return path
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([("image_id", "path", "reason"), *rows])
    durable.write_bytes(path, text.getvalue().encode())
    return path


def _listed(order: Order, aside: Sequence[tuple[int, str]]) -> list[tuple[str, str, str]]:
    """Give name, path and reason of all that was set aside."""
    rows = [(order.parents, row, _more(order.parents, row, reason)) for row, reason in aside]
    if order.unmeasured:
        reasons = [_fault(order.unmeasured, row) or "was never measured" for row in range(len(order.unmeasured))]
        rows += [(order.unmeasured, row, reason) for row, reason in enumerate(reasons)]
    return sorted((of.table["image_id"][row].as_py(), of.file(row)[1], reason) for of, row, reason in rows)


def _more(parents: Manifest, row: int, reason: str) -> str:
    """Say of a file that changed since it was measured whether it is a picture at all."""
    fault = _fault(parents, row) if reason.startswith("is not the file that was measured") else ""
    return f"is not the file that was measured, and cannot be decoded: {fault}" if fault else reason


def _fault(parents: Manifest, row: int) -> str:
    """Say why a picture cannot be decoded; nothing where it can."""
    root, path = parents.file(row)
    try:
        images.load(root, path)
    except UserError as error:
        return str(error).removeprefix(f"{root / path}: ")
    return ""
