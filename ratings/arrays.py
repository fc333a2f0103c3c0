"""Type aliases for the arrays of this package."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Codes = NDArray[np.intp]  # category codes, positions or ranks
AnyCodes = NDArray[Any]  # the same in any integer type
