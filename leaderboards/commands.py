"""`luxreid board`: from bundles to tables that can be trusted. Heavy modules are imported by each command."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.console import console, count, say
from benchmark.errors import UserError, nearest

if TYPE_CHECKING:
    from leaderboards.check import Report
    from leaderboards.entry import Said
    from leaderboards.store import Board, Row

FORMATS = ("terminal", "markdown", "latex", "csv")
ORDERS = ("overall", "worst")

Many = list[str] | None
Place = Annotated[Path, typer.Argument(metavar="BOARD", help="The board: a folder.")]
Data = Annotated[Path | None, typer.Option(help="The manifest whose images are meant, a Parquet file.")]
Protocol = Annotated[str | None, typer.Option(help="A protocol (luxreid list protocols) or a TOML file.")]


def commands() -> typer.Typer:
    """Make the commands."""
    app = typer.Typer(help="From results to a board that can be checked.", no_args_is_help=True, rich_markup_mode=None)
    for command in (add, hide, submit, check, compact, mark, table):
        app.command(command.__name__)(command)
    return app


def add(
    board: Place,
    paths: Annotated[list[Path], typer.Argument(help="Bundles, folders of them, submissions, or CSVs of papers.")],
    name: Annotated[str | None, typer.Option(help="What tables call it, where its record does not say.")] = None,
    paper: Annotated[str | None, typer.Option(help="The paper: a link or a reference.")] = None,
    licence: Annotated[str | None, typer.Option(help="The licence of the method's code.")] = None,
    division: Annotated[str | None, typer.Option(help="closed or open.")] = None,
    official: Annotated[
        bool | None, typer.Option("--official/--unofficial", help="Whether the method's authors ran it.")
    ] = None,
    disclose: Annotated[Many, typer.Option(help="What a reader must know of it, in words; as often as needed.")] = None,
    weights: Annotated[bool, typer.Option("--weights", help="Keep the weights on the board, too.")] = False,
    data: Data = None,
    protocol: Protocol = None,
) -> None:
    """Put runs on a board; an absent or empty folder becomes one, and what is there already is left as it is.

    A bundle is checked: every number must follow from its ranks. A submission is scored, by --data and --protocol. The
    rows of a CSV are numbers of papers.
    """
    from leaderboards import entry, store

    facts: dict[str, Any] = {
        "display_name": name,
        "paper_ref": paper,
        "licence": licence,
        "division": division,
        "official": official,
    }
    facts |= {"disclosures": disclose}
    said = entry.Said({key: value for key, value in facts.items() if value is not None}, weights)
    _require_printable([name, paper, licence, *(disclose or ())])
    found = [item for path in paths for item in _found(path)]  # a mistyped path should not leave half of them added
    for path, kind in found:
        if kind == "submission" and not (data and protocol):
            raise UserError(f"{path}: is a submission; give --data and --protocol to score it by")
    place = store.begun(board)
    refused = [path for path, kind in found if not _added(place, path, kind, said, data, protocol)]
    if any(kind == "bundle" for _, kind in found) and (division is None or official is None):
        typer.echo("note: tables say of these runs what --division and --official or --unofficial say", err=True)
    if refused:
        raise UserError(f"{board}: {len(refused)} of {len(found)} were refused, as said above")


def _require_printable(texts: list[str | None]) -> None:
    for text in texts:
        if text and not text.isprintable():
            raise UserError(f"{text!r}: has a line break, or another sign that is not printed")


def _found(path: Path) -> list[tuple[Path, str]]:
    """Find what a path holds: a CSV of papers, or the bundles and submissions of a folder and all below it."""
    if path.is_file() and path.suffix == ".csv":
        return [(path, "published")]
    if not path.is_dir():
        raise UserError(f"{path}: is no bundle, no submission, no folder that holds some, and no CSV of papers")
    names = {"run.json": "bundle", "submission.json": "submission"}
    found = [(record.parent, kind) for name, kind in names.items() for record in sorted(path.rglob(name))]
    if not found:
        raise UserError(f"{path}: holds no run.json and no submission.json, and no folder below it does")
    return found


def _added(place: "Board", path: Path, kind: str, said: "Said", data: Path | None, protocol: str | None) -> bool:
    """Add one thing and say so; what is refused is said too, and the next ones are added all the same."""
    from leaderboards import entry, literature, submission

    try:
        if kind == "published":
            say(f"{path}: {count(literature.add(place, path), 'published row')}")
        elif kind == "submission":
            _tell(submission.add(place, path, _manifest(data), str(protocol), said), path)
        else:
            _tell(entry.add(place, path, said), path)
    except UserError as error:
        typer.echo(f"refused: {error}", err=True)
        return False
    return True


def _tell(row: "Row", path: Path) -> None:
    from leaderboards import history

    reason = history.unranked(row)
    score = "" if row.get("mAP") is None else f"mAP {100 * row['mAP']:.1f}, "
    say(f"{path}: run {row['run_id'][:8]}, {score}{f'not ranked: {reason}' if reason else row['provenance']}")


def _manifest(data: Path | None) -> Any:  # noqa: ANN401
    from benchmark import manifest

    if data is None:
        raise UserError("--data: name the manifest")
    return manifest.read(data)


def hide(
    manifest: Annotated[Path, typer.Argument(metavar="MANIFEST", help="The manifest with the labels, a Parquet file.")],
    out: Annotated[Path, typer.Option(help="The folder to write and to give away.")],
    protocol: Annotated[str, typer.Option(help="A protocol (luxreid list protocols) or a TOML file.")],
) -> None:
    """Copy a protocol's test pictures under neutral names, with a manifest that does not say who is on them."""
    from benchmark import protocol as protocols
    from leaderboards import hiding

    say(str(hiding.hide(_manifest(manifest), protocols.load(protocol), out)))


def submit(
    source: Annotated[Path, typer.Argument(help="features/1 or another file of vectors, or rank lists.")],
    out: Annotated[Path, typer.Option(help="The folder to write: what is handed in.")],
    about: Annotated[Path | None, typer.Option(help="TOML: who made it, and with what; docs/submitting.md.")] = None,
    sets: Annotated[Many, typer.Option("--set", help="key=value, as often as needed; overrides --about.")] = None,
    data: Data = None,
    protocol: Protocol = None,
) -> None:
    """Pack features or rank lists of a method for somebody else's board, with what a reader of its row must know."""
    from benchmark.config import load
    from leaderboards import submission

    facts = load(submission.Facts, about, sets or ())
    say(str(submission.pack(source, out, facts, data, protocol)))


def check(
    board: Place,
    deep: Annotated[bool, typer.Option("--deep", help="Compute every interval again, too.")] = False,
    look: Annotated[bool, typer.Option("--look", help="Only say what is broken; set nothing aside.")] = False,
    against: Annotated[
        Path | None, typer.Option(help="An older state: a board or a release. Say what changed.")
    ] = None,
    clean: Annotated[bool, typer.Option("--clean", help="Remove what killed writers and older versions left.")] = False,
    verify: Annotated[Path | None, typer.Option(help="A bundle with weights: run them again on --data.")] = None,
    data: Data = None,
    device: Annotated[str, typer.Option(help="Where --verify runs: cpu or cuda.")] = "cpu",
) -> None:
    """Check a board: hashes, columns, references, identities, and every number against the ranks.

    What is broken is moved to BOARD/quarantine with the reason beside it; nothing is deleted. The exit code is 1 where
    something was found.
    """
    from leaderboards import check as checking
    from leaderboards import compact, difference, store

    place = store.opened(board)
    if against and not against.is_dir():
        raise UserError(f"{against}: is no folder; an older state is a board or a release")
    images = _manifest(data) if verify else None
    report = checking.check(place, deep)
    _print(report)
    if report.problems and not look:
        for path in checking.quarantine(place, report):
            say(f"set aside: {path}")
    lost = difference.against(place, against) if against else None
    for line in lost.lines if lost else ():
        say(line)
    if clean:
        for path in compact.clean(place):
            say(f"removed: {path}")
    if verify:
        _verify(place, verify, images, device)
    if report.problems or (lost and lost.removed):
        raise typer.Exit(1)


def _print(report: "Report") -> None:
    for note in report.notes:
        typer.echo(f"note: {note}", err=True)
    for problem in report.problems:
        say(f"{problem.path}: {problem.what}")
    say(report.summary)


def _verify(place: "Board", folder: Path, images: Any, device: str) -> None:  # noqa: ANN401
    from leaderboards import verify

    done = verify.verify(place, folder, images, device)
    say(done.sentence)


def compact(board: Place) -> None:
    """Put all rows into one file a kind, with the hashes of all files: what is published, and what is read faster."""
    from leaderboards import compact as compacting
    from leaderboards import store

    say(str(compacting.compact(store.opened(board))))


def mark(
    board: Place,
    runs: Annotated[list[str], typer.Argument(help="Run ids, or the first eight digits or more of them.")],
    why: Annotated[str, typer.Option(help="The reason, in words.")],
    flag: Annotated[
        bool, typer.Option("--flag", help="Something is wrong with it: it is shown apart, and not ranked.")
    ] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Nothing is wrong with it after all.")] = False,
    superseded_by: Annotated[str | None, typer.Option(help="The run that stands for it.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why it has no number: a reason code.")] = None,
) -> None:
    """Say something of runs that are on a board; their rows stay as they are."""
    from leaderboards import history, store

    said = {"flagged": flag, "cleared": clear, "superseded": superseded_by, "reason": reason}
    chosen = [(word, value) for word, value in said.items() if value]
    if len(chosen) != 1:
        raise UserError("board mark: say one of --flag, --clear, --superseded-by and --reason")
    word, value = chosen[0]
    if word == "reason" and value not in history.REASONS:
        raise UserError(f"--reason {value}: {nearest(str(value), list(history.REASONS))}")
    place = store.opened(board)
    known = [row["run_id"] for row in store.runs(place, ["run_id"]).rows]
    other = _run(known, str(value), board) if word == "superseded" else str(value) if word == "reason" else None
    for run in [_run(known, run, board) for run in runs]:
        store.publish_mark(place, run, word, other, why)
        say(f"run {run[:8]}: {word}{f' {other[:8]}' if other else ''}: {why}")


def _run(known: list[str], given: str, board: Path) -> str:
    found = [run for run in known if run.startswith(given)] if len(given) >= 8 else []
    if len(found) != 1:
        what = f"{len(found)} runs begin so" if found else "no run begins so (eight digits or more are needed)"
        raise UserError(f"{board}: {given!r}: {what}")
    return found[0]


def table(
    board: Place,
    by: Annotated[Many, typer.Option(help="light, size, stops, exposure, COLUMN, COLUMN:edges, ONE+OTHER.")] = None,
    pairs: Annotated[Many, typer.Option(help="Queries and their positives by light, stops, camid or COLUMN.")] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="mAP, R1, R5, R10, mINP, mAP_trapz, mAP_id_macro; default: as the protocol ranks."),
    ] = None,
    protocol: Annotated[Many, typer.Option(help="Only runs by this protocol.")] = None,
    lists: Annotated[Many, typer.Option(help="Only runs on these lists: the first digits of lists_sha256.")] = None,
    order: Annotated[str, typer.Option(help="overall, or worst: by the lowest level.")] = "overall",
    form: Annotated[str, typer.Option("--format", help=" or ".join(FORMATS) + ".")] = "terminal",
    out: Annotated[
        Path | None, typer.Option(help="Write into this file; for csv, with its dictionary beside it.")
    ] = None,
    published: Annotated[bool, typer.Option("--published/--no-published", help="Numbers of papers, grey.")] = True,
    everything: Annotated[bool, typer.Option("--all", help="Show each run that is not ranked, and why.")] = False,
) -> None:
    """Print tables: overall, and by what is asked; mean and spread over seeds, intervals over people, chance, counts.

    Bold is what a paired test over five seeds says is better than all others.
    """
    from leaderboards import compact as compacting
    from leaderboards import rendering, store, tables

    for flag, value, allowed in (("--format", form, FORMATS), ("--order", order, ORDERS)):
        if value not in allowed:
            raise UserError(f"{flag} {value}: {nearest(value, list(allowed))}")
    place = store.opened(board)
    compacting.maintain(place)
    asked = tables.Asked(
        by=tuple(by or ()),
        pairs=tuple(pairs or ()),
        metric=metric,
        protocols=tuple(protocol or ()),
        lists=tuple(lists or ()),
        order=order,
        published=published,
        everything=everything,
    )
    for problem in store.runs(place, ["run_id"]).problems:
        typer.echo(f"note: left out: {problem}", err=True)
    made = tables.tables(place, asked)
    if out is not None or form != "terminal":
        rendering.write(made, form, out)
        return
    for part in rendering.terminal.parts(made):
        console().print(part, soft_wrap=isinstance(part, str), markup=False, highlight=False)
