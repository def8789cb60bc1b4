"""Table I of the Night600 paper for any sets: facts from the cards, numbers counted from the manifests."""

from collections.abc import Sequence

from benchmark import counts
from benchmark.card import Card
from benchmark.manifest import Manifest

UNKNOWN = "-"

FACTS = (
    *("Identity Number", "Camera Number", "Image Number"),
    *("Viewpoint", "Labeling Method", "Glimmer Image", "Time of Day"),
)


def titles(manifests: Sequence[Manifest], cards: Sequence[Card | None]) -> list[str]:
    """Call every set by its card's title; by its sources where it has none, or where two share one."""
    given = [card.title if card else "" for card in cards]
    sources = counts.names(manifests)
    return [title if given.count(title) == 1 and title else name for title, name in zip(given, sources, strict=True)]


def facts(manifest: Manifest, card: Card | None) -> list[str]:
    """Give one column of the table, in the order of `FACTS`."""
    counted = counts.People(manifest).summary(counts.roles(manifest)["all"])
    images, identities = card.counts.get("all", (None, None)) if card else (None, None)
    return [
        number(counted.identities, identities),
        number(counted.cameras, card.cameras if card else None),
        number(counted.images, images),
        (card.view if card else "") or UNKNOWN,
        (card.labelling if card else "") or UNKNOWN,
        glimmer(counts.glimmer(manifest)),
        time_of_day(manifest),
    ]


def number(counted: int, card: int | None) -> str:
    """Show what was counted, and the card's number where it differs; nothing counted is nothing known."""
    shown = f"{counted:,}" if counted else UNKNOWN
    return shown if card is None or card == counted else f"{shown} (card: {card:,})"


def glimmer(share: float | None) -> str:
    """Say whether a set holds glimmer images: pictures at the Low level of light."""
    if share is None:
        return UNKNOWN
    return f"YES ({percent(share)})" if share else "NO"


def time_of_day(manifest: Manifest) -> str:
    """Say when a set was taken, with shares where it holds both."""
    times = manifest.column("time")
    shares = {name: float((times == name).mean()) for name in ("day", "night", "unknown")}
    present = {name: share for name, share in shares.items() if share}
    if list(present) == ["unknown"]:
        return UNKNOWN
    return ", ".join(name if share == 1 else f"{name} {percent(share)}" for name, share in present.items())


def percent(share: float) -> str:
    """Show a share so that something never reads as nothing, and nearly all never as all."""
    if 0 < share < 0.01 or 0.99 < share < 1:
        return "< 0.1 %" if share < 0.001 else "> 99.9 %" if share > 0.999 else f"{100 * share:.1f} %"
    return f"{100 * share:.0f} %"
