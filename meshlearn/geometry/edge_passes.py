"""Passes of splits, collapses, flips and moves over the edges of a surface: the work of `remesh`.

With s the wanted length at a vertex, that of an edge is the smaller of its ends'; lengths are in
units of the wanted one. A round is (I1) to (I4), one after the other (Botsch, Kobbelt, 2004, 4):

(I1) an edge longer than 4/3 s is halved, the longest first; a new vertex wants the mean of the ends
(I2) an edge shorter than 4/5 s becomes a point, the shortest first, in classes by length: its
     middle, or the end that is on a feature; not where a face would turn, become thin or longer
     than 4/3 s, nor where the ends have neighbours in common that are no corners of the edge's
     faces (Dey et al., 1999)
(I3) an edge is flipped where Σ (valence - 6)², 4 in place of 6 at borders, over the four corners
     of its faces becomes less; not where a face would turn or become thin
(I4) a free vertex p goes to p + λ (m - n (n·m)), and from there to the nearest point of the given
     surface, before the last round to that of the faces around, if it looks to the same side. m is
     the mean of its neighbours q - p, each by 1 / s(q), so that edges keep their lengths where
     these differ; n the normal of the faces at p by area. Vertices of faces that would turn go back
(I5) with a number of faces wanted, s grows each round by the square root of how many times too many
     there are, and the last rounds split the longest or collapse the shortest until there are
     that many

Features stay: their edges are not flipped, and only collapse along them; free vertices are those on
none. Where an edge has more than two faces, or several fans meet at a vertex, vertices stay.

Sources: M. Botsch, L. Kobbelt, A remeshing approach to multiresolution modeling, 2004; M. Dunyach,
D. Vanderhaeghe, L. Barthe, M. Botsch, Adaptive remeshing for real-time mesh deformation, 2013, for
lengths that differ; T. Dey, H. Edelsbrunner, S. Guha, D. Nekhayev, Topology preserving edge
contraction, 1999.

Each change depends on all before it: this runs on a CPU, also for a mesh on a GPU, and only (I4) on
several threads; the result does not depend on how many.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE
from meshlearn.geometry.bvh import MeshBVH
from meshlearn.geometry.edge_passes_reference import passes_reference
from meshlearn.mesh import Mesh

LONG, SHORT = 4 / 3, 4 / 5  # (I1), (I2)
AGREE = 0.3  # least cosine between a face's normal before and after a collapse or a move
FLIP = 0.7  # the same between both faces of an edge and both after its flip
THIN = 0.02  # least twice the area of a face by its longest side squared
RELAX = 0.7  # λ of (I4)
_RULES = (LONG, SHORT, AGREE, FLIP, THIN, RELAX)


@dataclass(frozen=True)
class Given:
    """A surface as the passes take it, on the CPU.

    Attributes:
        vertices: (V, 3) float64, in units of the wanted length.
        faces: (F, 3) int64, of three distinct vertices each.
        feature: (F, 3) bool, edges that stay, from corner k to the next one. Borders do anyway.
        corner: (V,) bool, vertices that stay.
        size: (V,) float64, wanted lengths; None: 1.
    """

    vertices: Tensor
    faces: Tensor
    feature: Tensor
    corner: Tensor
    size: Tensor | None = None


def passes(given: Given, rounds: int, target: int = 0) -> tuple[Tensor, Tensor]:
    """Vertices (V', 3) and faces (F', 3) after rounds of passes.

    Args:
        rounds: 0 or more.
        target: faces wanted; 0: as many as the lengths make.
    """
    # places are looked for in single precision, and found in double
    tree = MeshBVH(Mesh(given.vertices.float(), given.faces, validate=False))
    if HAS_NATIVE and tree._tree is not None:
        return torch.ops.meshlearn.remesh(
            given.vertices,
            given.faces,
            given.feature,
            given.corner,
            given.size,
            *tree._tree,
            tree._scale,
            list(_RULES),
            rounds,
            target,
        )
    return passes_reference(
        given.vertices,
        given.faces,
        given.feature,
        given.corner,
        given.size,
        tree,
        _RULES,
        rounds,
        target,
    )


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::remesh")
    def _(vertices, faces, feature, corner, size, node, least, leaf, id, scale, rules, rounds, n):
        context = torch.library.get_ctx()
        v, f = context.new_dynamic_size(), context.new_dynamic_size()
        return vertices.new_empty(v, 3), faces.new_empty(f, 3)
