"""Camera geometry: pan, and zoom about a fixed point, for NumPy arrays and PyTorch tensors alike.

World coordinates equal image coordinates for a camera at rest. Units are image heights.
"""

from typing import Any

VIEW_CENTRE = (0.5, 0.62)  # the fixed point of a zoom
PAN = 0.09  # image heights to either side
ZOOM = 1.20  # maximum magnification


def image_to_world(x: Any, y: Any, pan: Any, zoom: Any) -> tuple[Any, Any]:
    """Convert image coordinates; pan and zoom must broadcast against x and y."""
    return (
        (x - VIEW_CENTRE[0]) / zoom + VIEW_CENTRE[0] + pan,
        (y - VIEW_CENTRE[1]) / zoom + VIEW_CENTRE[1],
    )


def world_to_image(x: Any, y: Any, pan: Any, zoom: Any) -> tuple[Any, Any]:
    """Convert world coordinates; the inverse of `image_to_world`."""
    return (
        (x - VIEW_CENTRE[0] - pan) * zoom + VIEW_CENTRE[0],
        (y - VIEW_CENTRE[1]) * zoom + VIEW_CENTRE[1],
    )
