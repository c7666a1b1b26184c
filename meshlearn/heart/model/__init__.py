"""Bi-ventricular hearts: a primitive of parameter functions under a neural flow.

Equations, by the numbers that the code names. u is the angle from apex (-π/2) to base (u_b),
t the same as a height (0 to 1), v the angle about the long axis, s' the place across the RV:

(H1) x = c + R φ(s)                                        pose, flow, primitive
(H2) e = (a₁(u) cos u cos^ε v,  a₂(u) cos u sin^ε v,  a₃ (1 + sin u) / (1 + sin u_b) - a₃ / 2)
(H3) s = (e₁ cos τ - e₂ sin τ + b_x,  e₁ sin τ + e₂ cos τ + b_y,  e₃)      τ, b_x, b_y of u
(H4) e(ρ) = e + ρ r(u, v)                                  rays r outward that diverge
(H5) ρ = 0 on the LV cavity, w(u, v) = exp(..) > 0 on its wall and on the septum of the RV,
     w + b(u, s') on the free wall of the RV, b = 0 at the insertions and at the RV's apex
(H6) ρ = w + b + w_RV on the epicardium
(H7) dφ/dt = F(φ, t; z), φ(0) = s, taken at t = 1

The first three and the last follow Ye et al., Neural deformable models (2023), and
Terzopoulos and Metaxas, Dynamic 3D models with local and global deformations (1991). In place of
the blend of two superquadrics there, with a weight that is 0 on the septum and 1 on the free wall,
the other three measure all surfaces by one depth, so that they cannot cross. Gauges: the b_x and
the b_y have mean 0, and τ is 0 at the base. Fits go on with (H8) in `meshlearn.heart.fit`.
"""

from meshlearn.heart.model.constants import RV_SHARE
from meshlearn.heart.model.flow import Flow
from meshlearn.heart.model.heart_model import HeartModel, part_of, quaternion, rotation
from meshlearn.heart.model.parameters import ENTRIES, SIZE, index_of, named, roughness
from meshlearn.heart.model.primitive import SHEETS, Primitive
from meshlearn.heart.model.tessellation import Tessellation, primitive_vertices, tessellation

__all__ = [
    "ENTRIES",
    "RV_SHARE",
    "SHEETS",
    "SIZE",
    "Flow",
    "HeartModel",
    "Primitive",
    "Tessellation",
    "index_of",
    "named",
    "part_of",
    "primitive_vertices",
    "quaternion",
    "rotation",
    "roughness",
    "tessellation",
]
