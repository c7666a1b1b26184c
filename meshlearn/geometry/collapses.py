"""Collapses of edges, one after the other, by what each costs: the work behind `simplify`.

With p a place, each vertex has a quadric: a sum of squares in p, that of the two ends of an edge
being the sum of theirs. The edge whose sum is least at its best place collapses next.

(Q1) w (g·p + d)², the square of a distance to a plane, or of an attribute's error;
     for each face: g its normal, d = -g·(its centre), w its area (Garland, Heckbert, 1997, 5)
(Q2) ε w |p - q|², of a vertex at q: a weak pull, so that every sum has one place where it is least
(Q3) (s - g·p - d)² w for an attribute s, of which a face says s(p) = g·p + d, with w its area
     (Hoppe, 1999, 4: g lies in the face's plane)
(Q4) β |b - a|² (n·(p - a))², for an edge from a to b that is a border or a seam: n is
     perpendicular to it in its face (Garland, Heckbert, 1997, 6)
(Q5) over all s, the sum of (Q3) is least where s = (Σ w g · p + Σ w d) / Σ w; put in, a square is
     taken away: Σ w (Σ w g / Σ w · p + Σ w d / Σ w)² (Hoppe, 1999, 5, by elimination)
(Q6) the value of an attribute at the new vertex: that s, at its place

Where the best place turns a face over, the better end of the edge, or its middle, is tried.
Corners of a vertex that have the same value of an attribute are a wedge. Two wedges of an edge's
ends become one where a face of the edge joins them, so both sides of a seam stay two.

Sources: M. Garland, P. Heckbert, Surface simplification using quadric error metrics, 1997;
H. Hoppe, New quadric metric for simplifying meshes with appearance attributes, 1999; T. Dey,
H. Edelsbrunner, S. Guha, D. Nekhayev, Topology preserving edge contraction, 1999.

Each collapse depends on all before it: this runs on one thread of a CPU, also for a mesh on a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE
from meshlearn.geometry.collapses_reference import Surface, collapsed_reference

STEADY = 1e-6  # (Q2), of a face's area: too weak to move what planes hold
BORDER = 100.0  # (Q4): a border that moves costs as a surface that moves ten times as far
TURN = 0.2  # least cosine between the normals of a face before and after, about 78 degrees
THIN = 1e-3  # least area of a face by its longest side squared, unless it had less
FLAT = 1e-4  # the same, below which a face's slopes of attributes are rounding
CROWDED = 2.0  # seams at more than a share of 1 / CROWDED of the edges are no features
_RULES = (STEADY, BORDER, TURN, THIN, FLAT, CROWDED)


@dataclass(frozen=True)
class Values:
    """An attribute of corners.

    Attributes:
        index: (F, 3) int64, row of each corner.
        rows: (R, D) float64, in which a difference of 1 costs as much as a distance of 1.
        flat: every two columns are coordinates of a texture, in which no face may turn over.
    """

    index: Tensor
    rows: Tensor
    flat: bool = False


@dataclass(frozen=True)
class Collapsed:
    """What is left.

    Attributes:
        vertices: (V', 3) float64.
        faces: (F', 3) int64, in the order of the faces that they were.
        face_index: (F',) int64, those faces.
        vertex_map: (V,) int64, new vertex of each old one, -1 where no face had it.
        nearest: (V',) int64, of the old vertices that became each the one that is nearest to it.
        values: as given, of the new corners.
    """

    vertices: Tensor
    faces: Tensor
    face_index: Tensor
    vertex_map: Tensor
    nearest: Tensor
    values: tuple[Values, ...]


def collapsed(
    vertices: Tensor,
    faces: Tensor,
    target: int,
    values: Sequence[Values] = (),
    seams: Sequence[Tensor] = (),
) -> Collapsed:
    """The surface after collapses to `target` faces, or to where no more are possible.

    Args:
        vertices: (V, 3) float64 on the CPU, finite, about one unit large.
        faces: (F, 3) int64, of three distinct vertices each.
        target: faces wanted.
        values: attributes that cost, and are mixed.
        seams: (F, 3) int64 each: an edge whose two faces have other numbers at its ends is kept.
    """
    seam = torch.stack(list(seams)) if seams else faces.new_zeros(0, len(faces), 3)
    index = [item.index.contiguous() for item in values]
    rows = [item.rows.double().contiguous() for item in values]
    flat = [int(item.flat) for item in values]
    if HAS_NATIVE:
        run = torch.ops.meshlearn.simplify
        out = run(vertices, faces, index, rows, flat, seam, list(_RULES), target)
    else:
        surface = Surface(vertices, faces, index, rows, flat, seam)
        out = collapsed_reference(surface, _RULES, target)
    made = tuple(
        Values(wedge, value, item.flat)
        for wedge, value, item in zip(out[5::2], out[6::2], values, strict=True)
    )
    return Collapsed(out[0], out[1], out[2], out[3], out[4], made)


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::simplify")
    def _(vertices, faces, wedge, values, flat, seam, rules, target):
        context = torch.library.get_ctx()
        v, f = context.new_dynamic_size(), context.new_dynamic_size()
        out = [
            vertices.new_empty(v, 3),
            faces.new_empty(f, 3),
            faces.new_empty(f),
            faces.new_empty(vertices.shape[0]),
            faces.new_empty(v),
        ]
        for item in values:
            out.append(faces.new_empty(f, 3))
            out.append(item.new_empty(context.new_dynamic_size(), item.shape[1]))
        return out
