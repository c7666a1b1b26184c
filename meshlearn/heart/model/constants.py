"""Every number of the heart model in one place: its unit, and its reason or source.

The means and spreads of the parameter functions are the table `parameters.ENTRIES`, which takes
from here what other code uses too. "By hand" marks numbers that were chosen for the pictures and
the errors they gave, and come from no paper. Equations are listed in `meshlearn.heart.model`.
"""

from __future__ import annotations

# --- heights and the average LV (H2, H3) ----------------------------------------------------------

U_BASE = 0.35  # radians, u of the LV's base in the average heart; by hand
T_END = 1.35  # splines over t reach so far beyond the base, for the outflow of the RV; by hand
LENGTH, LENGTH_SPREAD = 88.0, 0.1  # mm and in its logarithm: the LV cavity, apex to base; by hand
RADIUS, RADIUS_SPREAD = 27.0, 0.16  # mm and in its logarithm: the LV cavity; by hand
POWER = (1.0, 0.3)  # ε₂ = 1 ± 0.3: a₁(u), a₂(u) make ε₁ redundant, and leave that range to ε₂
POWER_FLOOR = 1e-6  # under the root of a squared cosine, so that sgn(c)|c|^ε has a slope at 0

# --- the RV (H4, H5, H6) --------------------------------------------------------------------------

INSERTION = (0.2, 1.6)  # radians, least and largest angle of an insertion; by hand
FAN = (0.35, 0.3)  # radians, how far rays lean over the insertions, and its range; by hand
RV_POWER = (0.9, 0.4)  # of the profile from one insertion to the other, and its range; by hand
WALL_LOG = (-1.0, 4.0)  # of mm, limits of the LV wall's logarithm: 0.4 to 55 mm, never inverted
BULGE_LOG = (-1.0, 5.0)  # of mm, limits of the logarithm of the RV's depth: 0.4 to 148 mm
BULGE_EDGE = 1e-5  # under the power of the profile, whose slope is finite then on the insertions
BULGE_APEX = 1e-3  # the same under the root of the RV's height, at its apex
RV_APEX_LEAST = 0.02  # t, so that the RV ends above the LV's apex; by hand
TOP = (0.5, 1.3)  # t, limits of a base; the upper one lies below `T_END`
RV_HEIGHT_LEAST = 0.1  # t from the RV's lower to its upper edge; by hand
COVER_BESIDE, COVER_BELOW = (
    0.45,
    0.15,
)  # radians and t in which the RV's muscle fades out; by hand
EPI_BESIDE = 0.6  # radians over which the epicardium comes down from the RV's base to the LV's

# --- tessellations --------------------------------------------------------------------------------

RV_SHARE = 0.4  # of the columns, the first ones, which lie on the RV; by hand
LID_RINGS = 3  # of a lid over a valve: enough for a dome of few mm

# --- the flow (H7) --------------------------------------------------------------------------------

FLOW_UNIT = 50.0  # mm: lengths are divided by it before they enter the network; a heart is some 2
FLOW_GAIN = 1.5  # spread of the first layer's weights: they vary over some 30 mm; by hand
FLOW_BIAS = 0.5  # largest spread of the biases; by hand
FLOW_TIME = 0.2  # of the weights of time against those of place: velocities that change slowly

# --- the generated population ---------------------------------------------------------------------
# All by hand, held by what comes out: volumes of adult hearts, and surfaces that do not cross
# (tests/heart/test_model.py). Numbers without a unit count in spreads of the parameter functions.

NEIGHBOURS = (0.75, 0.66)  # share of the knot before, and of new noise; 0.75² + 0.66² is about 1
OWN = 0.8  # of the spread of each coefficient
OWN_SIZE = 0.6  # of that again for sizes, which vary together:
BODY = 0.7  # spread of the size of a body
BODY_WALL, CONTRACTED_WALL = 0.4, 2.2  # what size and contraction add to the wall
MOMENT = 1.5  # power of a uniform moment: more hearts are filled than contracted
CONTRACTION = {  # what contraction adds at its full extent
    "length": -1.6,
    "r1": -2.4,
    "r2": -2.4,
    "bulge": -1.2,
}
FARTHEST = 3.5  # no coefficient lies further out
PRIOR_HEARTS = 20_000  # that the population's mean and covariance are measured on
# rows and columns; measured: at (24, 60) facets of 2 in 200 hearts cut through thin walls
SAMPLED = (32, 80)
SMOOTH = 0.6  # of the flow's first layer in random flows: smoother than those of fits

# --- the encoder ----------------------------------------------------------------------------------

LATENT = 16  # entries of the flow's code; by hand
ENCODER_WIDTH, ENCODER_STEPS = 64, 2  # layers of its flow, and steps in training; by hand
COMPARED = (6, 15)  # rows and columns of the tessellation that trained hearts are compared on
TURN, MOVE = 0.3, 10.0  # radians and mm, what one unit of the network's output turns and moves by
FIRST_OUTPUT = 0.1  # of the last layer's first weights, so that training begins near the average
