"""What pages show while the database does not respond: the results that they had last."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from arena.errors import DatabaseError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def last_known(query: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Make a query return its last result for the same arguments if the database fails."""
    known: dict[object, Result] = {}

    @wraps(query)
    def run(*args: Parameters.args, **values: Parameters.kwargs) -> Result:
        key = (args, tuple(sorted(values.items())))
        try:
            result = query(*args, **values)
        except DatabaseError:
            if key not in known:
                raise
            return known[key]
        known[key] = result
        return result

    return run
