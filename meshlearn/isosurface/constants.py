"""The numbers of the isosurface methods, each with its unit and its reason or source.

Those that native kernels need as well stand there under the name given here, and a test holds the
two together.
"""

# --- FlexiCubes: Shen et al. (2023) and the authors' code (github.com/nv-tlabs/FlexiCubes) ---

# Half width of the range of alpha and beta about 1, and width of that of gamma about 1/2; no unit.
# Below 1, so that every weight is positive and no crossing leaves its edge. `weight_scale` of the
# authors.
WEIGHT_RANGE = 0.99  # kWeightRange in csrc/kernels/flexicubes.h

# Least gamma; no unit: what is left of (0, 1) below the range.
GAMMA_LEAST = 0.005  # kGammaLeast in csrc/kernels/flexicubes.h

# Farthest that a grid vertex moves, in halves of a cell along each axis. Just below 1, so that two
# neighbours whose parameters are both saturated do not meet: rounding would make their cell flat.
DISPLACEMENT = 1.0 - 1e-6  # kDisplacement in csrc/kernels/lattice.h

# Pull of a dual vertex towards the mean of its crossings, against the mean square of its tangent
# planes; no unit, since both terms are squared lengths. `qef_reg_scale` of the authors.
QEF_PULL = 1e-3

# --- tetrahedra inside a surface ---

# Least `TetMesh.quality` that is sought, where 1 is a regular tetrahedron, 0 a flat one: an edge of
# a cell over a face of a cell at a height of about 1/1000 of it. Far above the rounding of float32.
LEAST_QUALITY = 0.01  # _FLAT in metrics/quality.py

# Rounds of moving inverted tetrahedra's points, and the part of the way to the mean of their
# neighbours that a point goes in each: half, so that two neighbours do not change places.
UNTANGLE_ROUNDS = 20
UNTANGLE_STEP = 0.5

# Edge of a regular tetrahedron that has about the volume of those between a grid and its dual, in
# cells. Chosen here: the mean over a sphere.
TYPICAL_EDGE = 0.6

# What the regularised determinant of a foldover is softened by: this part of the worst one, and no
# less than this, in determinants of that regular tetrahedron. By hand.
FOLD_PART = 0.2
FOLD_LEAST = 1e-2

# Price of a square step of a vertex of the surface across and within its faces, in square cells,
# against energies of a few for each tetrahedron around it. By hand.
SURFACE_ACROSS = 1e5
SURFACE_WITHIN = 100.0

# --- gradient of a level set ---

# Least slope |grad f| that a vertex's step is divided by, as a part of the median slope: at a
# saddle the slope vanishes and the true step is infinite. Chosen here: 1/20 bounds a step by 20
# times that of a typical vertex.
MIN_SLOPE = 0.05

# Vertices, evenly among all, whose median slope stands for that of all in a backward pass: its
# standard error is about 1 / sqrt(2048) = 2 % of the spread, and they cost one small evaluation.
TYPICAL_VERTICES = 2048

# --- search for a level set, coarse to fine (`searching`), and following it (`tracking`) ---
#
# None of these decides what the surface is, only how many points are evaluated to find it. They are
# chosen here, none is from a paper.

# Points evaluated at a time: on the CPU so few that the outputs of a layer of 512 units (16 MB in
# float32) stay near the cache; elsewhere so many that a launch costs nothing beside its work.
POINTS_AT_ONCE_CPU = 8192
POINTS_AT_ONCE = 1 << 18

# Factor on a slope or a dip that was measured at some points and is taken for a bound elsewhere; 1
# or more, no unit. More finds thinner things and evaluates more.
MARGIN = 1.25

# Slack of a comparison of a distance in float32 with one bound by the same length; no unit.
ROUNDING = 1e-5

# Largest dip of a cell that passes for a plane, as a part of the change of the field in the cell.
FLAT = 0.3

# How far beyond a dip at the centre of a cell a zero may be, in dips; no unit.
DIP = 1.5

# Part of the reach of the predicted pieces that is evaluated; no unit. Below 1, since following
# the surface across faces finds the others.
SEED = 0.8

# Calls of a warm tracker between two searches from scratch.
CHECK_EVERY = 10

# Part of the last cells below which the surface has left them (it is searched from scratch), and
# below which it has moved quickly (a ring of cells around them is evaluated too); no unit.
LOST = 0.25
QUICK = 0.75
