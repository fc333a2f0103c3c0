"""The same vote in several files, or several times in one: it counts once."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from ratings.arrays import Codes
from ratings.errors import VotesError
from ratings.schema import ID
from ratings.votes.columns import find_layout, text_of


def drop_repeated_ids(
    frame: pd.DataFrame, place: Callable[[int], str]
) -> tuple[pd.DataFrame, Codes | None]:
    """Leave out rows whose vote was in an earlier row.

    Args:
        frame: votes, of which the column `id`, if there is one, identifies each.
        place: names a row, counted from 1, in messages.

    Returns:
        The remaining votes, and the rows of `frame` that they were; None if all remain.

    Raises:
        VotesError: two different votes have the same id.
    """
    if ID not in frame:
        return frame, None
    ids = frame[ID]
    known = ids.notna().to_numpy()
    repeated = ids.duplicated().to_numpy() & known
    if not repeated.any():
        return frame, None
    later = np.flatnonzero(repeated)
    first_of = pd.Series(np.arange(len(ids)), index=ids)[lambda rows: ~rows.index.duplicated()]
    earlier = first_of.loc[ids.iloc[later]].to_numpy()
    for name in find_layout(frame).columns:
        column = frame[name].astype("object")
        texts = [
            ["" if pd.isna(value) else text_of(value) for value in column.iloc[rows]]
            for rows in (earlier, later)
        ]
        for index, (one, other) in enumerate(zip(*texts, strict=True)):
            if one != other:
                row = int(later[index]) + 1
                raise VotesError(
                    f"the id {text_of(ids.iloc[row - 1])} is that of another vote in "
                    f"{place(int(earlier[index]) + 1)}: leave one of them out",
                    row=row,
                )
    kept: Codes = np.flatnonzero(~repeated)
    return frame.iloc[kept].reset_index(drop=True), kept
