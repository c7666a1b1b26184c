"""What hearts are fitted to: contours of cardiac MR, segmentations as contours."""

from meshlearn.heart.data.contours import (
    Contours,
    load_contour_series,
    load_contours,
    save_contours,
)

__all__ = ["Contours", "load_contour_series", "load_contours", "save_contours"]
