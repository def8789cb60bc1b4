"""The one error class that a person, not a programmer, is meant to read."""


class UserError(Exception):
    """A person's mistake: one line that names what was found and what is allowed; the command exits with 2."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def nearest(name: str, allowed: list[str]) -> str:
    """Say what is allowed, the closest name first."""
    from difflib import get_close_matches

    if not allowed:
        return "there are none"
    close = get_close_matches(name, allowed, n=1, cutoff=0.5)
    listing = "allowed: " + ", ".join(allowed)
    return f"did you mean {close[0]!r}? {listing}" if close else listing
