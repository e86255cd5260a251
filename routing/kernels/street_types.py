"""Array types of the street kernels."""

from typing import Any

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Int8 = npt.NDArray[np.int8]
UInt8 = npt.NDArray[np.uint8]
UInt16 = npt.NDArray[np.uint16]
UInt32 = npt.NDArray[np.uint32]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Memory = npt.NDArray[Any]
"""int64, kept from call to call by whoever need not know what it holds."""
Number = Any
"""A NumPy scalar; mixed widths are the point, so the checker is kept out of them."""
