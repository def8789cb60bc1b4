"""Compile a numeric function, and keep the result on disk where there is a folder to keep it in."""

import numba


def compiled(function):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Compile with IEEE rules: division by zero gives infinity, and nothing is reordered for speed."""
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # neither this folder nor the user's cache can be written
        return numba.njit(nogil=True, error_model="numpy")(function)
