"""Every number of virtual acquisitions and of the encoder's training: its unit, and its reason.

All by hand: what a cardiac scan looks like, and what a training of some minutes needs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Acquisition:
    """How a heart is seen.

    Attributes:
        gap: between short-axis slices, mm, lowest and highest.
        spacing: of contour points, mm.
        noise: of contour points in their plane, mm.
        shift: of a slice in its plane, mm (its standard deviation).
        missing: chance that a slice is lost; two short-axis slices and one long-axis one stay.
    """

    gap: tuple[float, float] = (8.0, 18.0)
    spacing: float = 3.0
    noise: float = 0.4
    shift: float = 1.0
    missing: float = 0.1


# --- planes of a scan -----------------------------------------------------------------------------

FIRST = (0.2, 1.0), 0.7  # the lowest slice lies so many of 0.7 gaps above the apex
TOP_GAP = 0.15  # of a gap that the highest slice stays below the base
TILT = 0.05  # of the short-axis normal, per axis (standard deviation)
# degrees about the long axis from the RV: four, three, two chambers, outflow of the RV
LONG_AXES = (-25.0, 55.0, 100.0, 20.0)
AIM = 10.0  # degrees that a long axis may be turned by
BESIDE = 3.0  # mm that its plane may lie beside the axis
OUTFLOW_FRONT = 12.0  # mm that the plane of the RV's outflow lies in front
SEEN = (16, 40)  # rows and columns of the surfaces that are cut

# --- training -------------------------------------------------------------------------------------

POINTS = 256  # of an example
TURNED, MOVED = 0.08, 3.0  # radians and mm that an example is turned and moved by (its spreads)
NO_LONG_AXES = 0.1  # chance that an example has none
SEED_STEP = 1_000_003  # between the seeds of two populations: a prime beyond any count of hearts
LEARNING_RATE = 3e-3  # measured: after 400 steps 6.7 mm, with 1e-3 7.4
CLIP = 5.0  # norm of the gradients at most
DISTANCE_FLOOR = 1e-4  # mm², under the root of a distance, whose slope is finite then
WEIGHTS = {"distance": 1.0, "primitive": 0.5, "prior": 0.02, "code": 0.01}  # of the loss
SNAPSHOTS = 40  # of a training, for looking at
