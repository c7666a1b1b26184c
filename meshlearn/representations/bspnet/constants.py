"""The equations of BSP-Net by number, and the numbers of the method with their reasons.

For points x, planes P (P, 4), the connection T (P, C) of planes to convexes, weights W (C,) and
F, 1 inside the shape and 0 outside; comments of this folder name the equations so:

(1)  D = [x 1] Pᵀ                                     distances beyond planes, positive outside
(2)  h2 = max(D, 0) T                                 of convexes, 0 inside
(3)  S+ = clamp(sum_j W_j clamp(1 - h2_j, 0, 1), 0, 1)     the soft union, 1 inside
(4)  S* = min_j h2_j                                  the hard union, 0 inside
(5)  mean (F - S+)²                                   phase 0: occupancy
(6)  sum max(T - 1, 0) - min(T, 0)                    phase 0: T in [0, 1]
(7)  sum |W - 1|                                      phase 0: weights
(8)  mean F max(S*, 0) + (1 - F) (1 - min(S*, 1))     phases 1 to 4: occupancy
(9)  -mean h2 F [x in two convexes or more]           phases 2 and 4: overlap
(10) sum |T| where T < 0.01, |T - 1| elsewhere        phases 3 and 4: T of 0 and 1

Source: Chen, Tagliasacchi, Zhang, "BSP-Net: Generating Compact Meshes via Binary Space
Partitioning" (CVPR 2020), section 3, and the authors' code
(github.com/czq142857/BSP-NET-original), which has phases 3 and 4. The numbers are those of this
list, not of the paper. What is chosen here says so.
"""

# --- fields: (1) to (4) ---

# h2 below it is inside, entries of T above it connect; in units of D. The authors' threshold.
INSIDE = 0.01

# Numbers of a primitive: a plane's a, b, c, d; a quadric's ten coefficients.
PRIMITIVES = {"planes": 4, "quadrics": 10}

# Entries of D that are held at once: 2 MB in float32 stay in a core's cache. Chosen here.
CHUNK = 1 << 19

# Entries a plane, at most, for which a held T is gone through one by one: with more, a product with
# all of T is worth its zeros. Chosen here.
FEW_ENTRIES = 3

# --- the start (chosen here; see `start`) ---

# Length of a plane's normal, 1 / side of the box: (3) falls from 1 to 0 over 1/12 of the box, more
# than the spacing of a 16³ grid of samples, so that some lie in it.
STEEP = 12.0

# Radius of the first convexes, in sides of the box: small beside their spacing, 1/6 for 256.
FIRST_RADIUS = 0.03

# Share of the box's sides that their centres lie in: shapes seldom reach its corners.
FIRST_SPREAD = 0.7

# --- from the soft to the hard union (chosen here; see `BSPNet.harden`) ---

# Entries of T above it become 1: half way between the two values that (10) draws them to.
ROUNDED = 0.5

# How far primitives move out, in units of D: (3) counts as inside what lies up to h2 = 1/2 beyond
# one plane, (4) nothing; half of that, since h2 adds up where several planes are near.
MOVED_OUT = 0.25

# Factor of primitives then: the border half as thick, as (8) is steeper than (5).
STEEPER = 2.0

# Share of the rate at which T and W learn: planes, not a haze of small entries of T, make shapes.
SHARED_RATE = 0.1

# --- the cover of one shape (chosen here; see `cover`) ---

# Share of what a convex newly holds that it may hold outside the shape: more is left to others.
MOST_FALSE = 0.2

# Shares of the shape that a cut may take without mattering. The first keeps small true cuts from
# being worth more than large ones; a convex that ran out of planes goes on to the next.
EASE = (0.005, 0.02, 0.08, 0.32)

# What a sample counts that other convexes hold already. A power of 2: sums of samples are then
# exact in float32, in any order, up to 2^18 samples.
HELD = 1 / 64

# A sample this far beyond a plane is cut off, in sides of the box: above the rounding of a sample's
# place and of a plane (1e-7), far below the spacing of samples (1e-2).
SLACK = 1e-4

# Times that a convex is grown and thinned, at most; it ends when nothing changes.
TURNS = 6

# First worth of a sample held outside, and of one cut off inside, against one held inside; both are
# halved while nothing is found, as long as the first is above the last. Holding outside is worth
# more at first, since a true convex may still be found.
PENALTY, PRICE, LAST_PENALTY = 6.0, 0.04, 1.5

# Least depth that a sample is drawn by, in sides of the box: those at the surface have a
# chance too.
LEAST_DEPTH = 1e-3

# Least samples that a convex adds: one alone may be rounding.
LEAST_SAMPLES = 2.0

# Share of `least` below which a convex that was found is taken out again: half, so that what was
# worth taking is not dropped for a few samples.
NEEDED = 0.5

# Share of a surface that no plane need stand for: specks and fillets.
MOST_MISSED = 0.1

# Degrees: planes that stand for wider ones than this follow no surface any more. 4 doubled twice.
MOST_ANGLE = 16.0

# --- the refinement of one shape (chosen here; see `fit_shape`) ---

# Rate of Adam, in sides of the box a step: a tenth of the spacing of samples; it falls to a
# twentieth. The second moment forgets in 50 steps, since there are 150.
REFINE_RATE, REFINE_FALL, REFINE_BETAS = 1e-3, 0.95, (0.9, 0.98)

# Samples a step near the surface and all over the box, which keep it from bulging elsewhere.
REFINE_NEAR, REFINE_FAR = 3000, 1000

# Steepness of the sign, 1 / side of the box: its border is 1/200 wide, then half of that.
REFINE_STEEP, REFINE_STEEPER = 200.0, 200.0

# A plane that turned by less than this cosine (1.6 degrees), and moved by less than this share of a
# side, goes back to the shape's own: flat faces are exact.
KEPT_TURN, KEPT_MOVE = 0.9996, 4e-3
