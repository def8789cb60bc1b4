"""What stages' settings are made of: shares, and ranges to draw from."""

from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

Number = TypeVar("Number", int, float)


def refusal(what: str) -> PydanticCustomError:
    """Say, in the one line of a bad setting, what cannot be."""
    return PydanticCustomError("impossible", "{what}", {"what": what})


def in_order(ends: tuple[Number, Number]) -> tuple[Number, Number]:
    """Refuse a range that runs backwards."""
    if ends[0] > ends[1]:
        raise refusal(f"no range goes from {ends[0]:g} to {ends[1]:g}; write the smaller number first")
    return ends


Share = Annotated[float, Field(ge=0, le=1)]
# No number in use is beyond a million; beyond, squares leave what 32 bits hold.
_Part = Annotated[float, Field(ge=0, le=1e6)]
_Above = Annotated[float, Field(gt=0, le=1e6)]
_Any = Annotated[float, Field(ge=-1e6, le=1e6)]

Range = Annotated[tuple[_Any, _Any], AfterValidator(in_order)]  # from, to
Shares = Annotated[tuple[Share, Share], AfterValidator(in_order)]
Amount = Annotated[tuple[_Part, _Part], AfterValidator(in_order)]  # nothing is below 0
Positive = Annotated[tuple[_Above, _Above], AfterValidator(in_order)]  # nothing is 0
