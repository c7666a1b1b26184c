"""Every number of the fit in one place: its unit, and its reason or source.

`HeartSettings` is what a caller may change; the constants below it are not. "By hand" marks numbers
that were chosen on the contours of one patient and on generated hearts, and come from no paper;
"measured" says what was seen with others. Equations are listed in `gauss_newton`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HeartSettings:
    """How a heart is fitted; the defaults are those that its quality was measured with.

    Attributes:
        global_steps: of Gauss-Newton at most, for pose and parameter functions; by hand, most fits
            end sooner by `TOLERANCE`.
        local_steps: the same with the flow.
        huber: where the robust loss turns from squares to lines, mm; the construction's 3 mm.
        shift: spread of slices in their plane, mm; 0 for none. The construction's 2 mm.
        shift_weight: of that prior.
        prior, rough: weights of how far a heart lies from the population, by its `gaussian_prior`,
            and of the roughness of the splines; by hand.
        energy, strain, ridge: weights of the flow's velocity, of its change along the surfaces, and
            of its last layer. Measured: with an energy of 0.003 and a strain of 12 surfaces follow
            single slices, and lie further from another program's.
        valve, insertion, disc: weights of a valve point, an insertion point and a point of a
            valve's disc against a contour point; by hand.
        roof: weight of the RV's roof between its valves, all its points together against as many
            contour points; used where both valves are seen, see `rv_roof`. Measured: a tension on
            the whole RV in its place gave volumes 7 % too large at end-diastole and 2 % too small
            at end-systole.
        consensus: whether slices that lie apart from the others are moved or left out before.
        still: weight of the acceleration of a series' surfaces, squared second differences from
            frame to frame in mm; 0 for frames that know nothing of each other. By hand.
        rows, columns: of the tessellation during the fit; by hand.
    """

    global_steps: int = 40
    local_steps: int = 40
    huber: float = 3.0
    shift: float = 2.0
    shift_weight: float = 1.0
    prior: float = 0.1
    rough: float = 0.05
    energy: float = 0.006
    strain: float = 30.0
    ridge: float = 1e-3
    valve: float = 6.0
    insertion: float = 10.0
    disc: float = 1.0
    roof: float = 1.0
    consensus: bool = True
    still: float = 0.05
    rows: int = 12
    columns: int = 30


# --- the heart that is fitted ---------------------------------------------------------------------

FEATURES = 256  # of the flow; measured: with 128, what the seed draws shows between the slices
FLOW_STEPS = 4  # of RK4; by hand, the construction asks for 5 to 10
DENSITY = (24, 60)  # rows and columns of a fitted heart's meshes; by hand

# --- the first pose and size, `initial_pose` ------------------------------------------------------

LEAST_POINTS = 10  # of the LV cavity, without which there is no fit, and of the RV to have one
LEAST_ON_SLICE = 6  # points that a slice must show for a plane or a comparison of contours
MIDDLE = (0.3, 0.9)  # of the LV's length: where it is about round, for its centre and radius
LEAST_MIDDLE = 5  # points there, else all are taken
LEAST_MITRAL = 4  # points, of two views, for an axis through the middle of the valve
APEX_WALL = 6.0  # mm from the apex point, on the epicardium, to the cavity; by hand
LEAST_LENGTH, LEAST_RADIUS = 20.0, 5.0  # mm, of an LV cavity; by hand
MEAN_RADIUS = 25.0  # mm over `MIDDLE` in the average heart, whose widest radius is 27; by hand
FARTHEST_INITIAL = 3.0  # spreads, of the first length and radius
SWAPPED_INSIDE = 0.4  # of the epicardium's points outside the cavity: below, labels are swapped
SWAPPED_SEPTUM = 1.1  # of the free wall's distance: a septum further out has its label
SWAPPED_VENTRICLES = 0.6  # of the distance to the LV cavity: a wall nearer to the RV is the RV's
MIRRORED = 0.2  # of a unit axis that points away from where it does in patients: a mirror image

# --- steps of Gauss-Newton (H10) ------------------------------------------------------------------
# By hand but where measured. A step that is too long is not wrong, since steps that do not lower
# the loss are taken back and damped more; the limits save such attempts.

DIFFERENCE = 1e-2  # spreads, of the differences that the primitive's Jacobian is taken by
STEP_THETA = 1.5  # spreads that a coefficient moves by at most
FARTHEST_THETA = 8.0  # spreads that a coefficient may lie from the average
STEP_TURN = 0.3  # radians about each axis at most
STEP_MOVE = 20.0  # mm along each axis at most
DAMPING = 1e-3  # at first, of the diagonal (Marquardt's scaling)
DAMPING_RANGE = (1e-5, 1e4)  # least and largest
DAMPING_LESS, DAMPING_MORE = 4.0, 8.0  # divided by after a step that held, times after one that not
TRIES = 8  # of stronger damping before the steps end; measured: with 4 they ended too early
TOLERANCE = 5e-4  # of the loss: steps end where they lower it by less; by hand
TOUCHING = 0.2  # mm: nearer points grow their distance along the normal, as gaps have no direction
STRAIN_FLOOR = 1.0  # mm², added to an edge's squared length in the strain, which may be 0

# --- valves of the RV and of the LV ---------------------------------------------------------------

DISC_POINTS = 12  # of a disc on its edge
CURTAIN = 4.0  # mm from the line between two valves, to be on the wall between them; by hand
SAG = 0.15  # of the distance between the RV's valves, by which the aortic root indents its roof
ROOF_TURN = 5  # degrees between places on an annulus that are tried as a roof's end
ROOF_ROWS = 8  # of points on the roof, from valve to valve
ROOF_ACROSS = (-0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6)  # of the annuli's half widths

# --- bases that only short-axis slices show ------------------------------------------------------

LID_SHARES = (0.25, 0.5, 0.75)  # of the way from the middle of a flat lid to its rim; by hand

# --- slices that moved, `consensus` --------------------------------------------------------------
# By hand, on one patient's contours with slices moved by known steps, and on generated hearts.

NEAR_PLANE = 3.0  # mm from a plane, of contour points that stand for where it cuts them
SPREAD_MIDDLE = 2.0  # mm by which middles of the LV agree
SPREAD_SLICE = 3.0  # mm by which most slices move; few move far
WIDE = (8.0, 8.0, 4.0, 4.0, 2.0, 1.0)  # times these spreads, from the first steps to the last
LEAST_MOVED = 6.0  # mm: the fit's own shifts serve for less
LEAST_WITNESSES = 2  # middles of others that a slice is held against
AGREE = 4.0  # mm between middles that agree
LEAST_SURE = 0.5  # confidence in a move, below which the slice is left out
MOST_MOVED = 0.5  # of the short-axis slices: where more moved, none can be believed
LEAST_FRAMES = 0.5  # of a series' frames in which a slice moved, to have moved in all

# --- what is refused and told, `soundness` -------------------------------------------------------
# By hand: far from what contours of patients and of generated hearts give.

FLATTEST = 1.0  # mm, spread of the LV's contours across their plane: flatter is no heart
SECTORS = 12  # about a slice's middle, in which radii are compared
TWICE = 0.18  # of the radius, without a point in most sectors between two: drawn twice
LEAST_DRAWN_TWICE = 2  # slices that can show that
FAR_OFF = 8.0  # mm from half of the contours to the fit: no heart
OFF = 8.0  # mm from one contour point in twenty: told
BEYOND = 15.0  # mm of a cavity above the highest contour: told
DISC_DIFFERENCE = 0.15  # of the sum of discs where only short-axis slices are seen: told
LEAST_WALL = 3.0  # mm, mean thickness of the LV wall

# --- series (H11) ---------------------------------------------------------------------------------

SWEEPS, SETTLE_STEPS = 2, 3  # over the cycle, and of each frame, once all frames are known; by hand
APART = 3  # frames that far apart have no acceleration in common: second differences span three
SMOOTHING = 1.0  # of second differences where that begins: halves swings over six frames; by hand
SHIFTING = 0.5  # of the shifts' prior a frame, since frames have one shift a slice in common

# --- from a trained encoder -----------------------------------------------------------------------

REFINE = HeartSettings(global_steps=6, local_steps=8)  # fewer, as it begins near; by hand
FARTHEST_PREDICTED = 6.0  # spreads, of the coefficients that an encoder gives; by hand
