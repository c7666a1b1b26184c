"""The equations of half-space intersections by number, and their numbers with their reasons.

Comments of this folder and of csrc/kernels/halfspace.h name the equations so:

(1)  n . x + d <= 0, (n, d) divided by |n|            a half-space
(2)  s_v = n . v + d                                  on which side of its plane a vertex lies
(3)  x = p + (q - p) s_p / (s_p - s_q)                where the edge from p to q is cut
(4)  x - ((b x c) s_a + (c x a) s_b + (a x b) s_c) / det(a, b, c)
                                                      the point of three planes, by one step from x
(5)  y = N^-T g: dL/dn_i = -y_i x, dL/dd_i = -y_i     gradients of planes from that of their vertex

Those that the kernel needs stand there too, and a test holds the two together. All are chosen here.
"""

# How near a plane a vertex counts as on it, in machine epsilons of the dtype times the farthest
# corner of the box: what (2) may be off by for planes in that dtype, with room.
TOLERANCE_EPSILONS = 32

# Tolerances tried for one cut, each so many times the one before: where rounding leaves what a
# plane cannot cut from a convex, a wider one joins what is doubtful. The tenth is 3e5 times the
# first.
CUT_ATTEMPTS = 10  # kCutAttempts
TOLERANCE_GROWTH = 4.0  # kToleranceGrowth

# Least |det(a, b, c)| of unit normals by which (4) divides: below, half of the digits of a double
# are gone, and the vertex stays where the edge was cut.
LEAST_DETERMINANT = 1e-8  # kLeastDeterminant

# Longest step of (4), in tolerances: a vertex known within one must not go far.
MOST_STEP = 4.0  # kMostStep

# Vertices of planes whose unit normals span less than this get no gradient: (5) would be millions
# of times that of the vertex.
LEAST_SPAN = 1e-6

# How far a vertex of a convex that lies in another may stand out, in the largest coordinate: above
# the rounding of float32 vertices.
INNER_TOLERANCE = 1e-6
