"""G-Shell: open surfaces as the part of a watertight template where a second field is positive.

The equations of Liu et al. (2024), by the numbers in brackets at the code which computes them:
csrc/kernels/tets.h, flexicubes.h and cut.h; `reference`, `flexicubes_parts` and
`meshlearn.mesh.cut` in torch. (M) and (F) are those of `marching_cubes` and `flexicubes`.

(G1) msdf on a crossed edge (a, b) of a tetrahedron: nu_a + (nu_b - nu_a) t, t as in (M1)
(G2) msdf on a crossed edge of a cell: the same, t as in (F4)
(G3) msdf at a dual vertex: sum beta_e nu(u_e) / sum beta_e as in (F5); at a quad's centre as in
     (F7)
(G4) a quad of a tetrahedron whose positive corners lie across is cut between these two
(G5) cut of an edge from p, nu_p > 0, to q: p + (q - p) t, t = nu_p / (nu_p - nu_q)
(G6) triangles of the side where nu > 0; their cut edges are the boundary
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from meshlearn._compile import eager
from meshlearn._validate import check_tensor
from meshlearn.isosurface.checks import check_deform, check_grid
from meshlearn.isosurface.flexicubes import flexicubes_surface
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.marching_tetrahedra import tet_surface
from meshlearn.isosurface.tetgrid import TetGrid
from meshlearn.mesh import Mesh
from meshlearn.mesh.cut import cut_faces, interpolated

Method = Literal["flexicubes", "tets"]


@dataclass(frozen=True)
class GShellOutput:
    """What `gshell` returns. The mesh's vertices are kept ones of the template, then cut ones."""

    mesh: Mesh  # the open surface
    watertight: Mesh  # the template it is cut from
    dev_loss: Tensor  # (), see FlexiCubesOutput; 0 on tetrahedra
    msdf: Tensor  # (Vt,) at the template's vertices
    kept: Tensor  # (K,) int64 template vertices that stay
    cut_edges: Tensor  # (X, 2) int64 template vertices of each cut edge, the positive one first
    boundary_edges: Tensor  # (B, 2) int64 vertices of `mesh` along its cut, as faces are oriented

    @property
    def boundary_vertices(self) -> Tensor:
        """(X,) int64 vertices of `mesh` on its cut."""
        first = self.kept.shape[0]
        return torch.arange(first, first + self.cut_edges.shape[0], device=self.kept.device)

    @property
    def boundary_msdf(self) -> Tensor:
        """(X,) msdf at the boundary vertices with the places of the cuts held fixed: all 0, with
        gradients that move the boundary outward or inward when they are minimised."""
        return interpolated(self.msdf, self.cut_edges)

    @property
    def boundary_loops(self) -> list[Tensor]:
        """Closed loops of boundary edges of `mesh`, each (n,) int64 vertices."""
        return self.mesh.topology.boundary_loops()


@eager
def gshell(
    grid: VoxelGrid | TetGrid,
    sdf: Tensor,
    msdf: Tensor,
    *,
    method: Method | None = None,
    deform: Tensor | None = None,
    alpha: Tensor | None = None,
    beta: Tensor | None = None,
    gamma: Tensor | None = None,
    training: bool = False,
    detach_weights: bool = False,
) -> GShellOutput:
    """An open surface: the zero set of `sdf` where `msdf` is positive.

    The template is the surface of `sdf` by FlexiCubes or marching tetrahedra. `msdf` is carried to
    its vertices by the weights that carry positions (crossings by interpolation, dual vertices by
    beta, quad centres by gamma), and triangles are cut along its zero line. The result is a mesh
    with shared vertices, edge-manifold with boundary and oriented; each cut vertex has two boundary
    edges. Where `msdf` is positive everywhere it is the template itself.

    Args:
        grid: a VoxelGrid (FlexiCubes), also sparse, or a TetGrid.
        sdf: (N,) negative inside the template.
        msdf: (N,) manifold signed distance, positive on the surface, of the grid's dtype.
        method: "flexicubes" or "tets"; it follows from the grid and is checked against it.
        deform, alpha, beta, gamma, training: as in `flexicubes`; on tetrahedra only `deform`.
        detach_weights: gradients of `GShellOutput.msdf` (and so of regularisers on it) reach `msdf`
            only and do not move the template through the interpolation weights. Gradients of the
            mesh's vertices are exact either way.

    Returns:
        GShellOutput. Gradients reach sdf, msdf, deform, alpha, beta and gamma.

    Raises:
        ValueError: wrong shape, dtype or device, NaN, a method that is not the grid's.

    Warns:
        RuntimeWarning: `msdf` is positive nowhere on the template, or there is no template.

    Example:
        >>> grid = VoxelGrid(32)
        >>> sdf = grid.vertices.norm(dim=1) - 0.5
        >>> bowl = gshell(grid, sdf, 0.1 - grid.vertices[:, 2])
        >>> len(bowl.boundary_loops)
        1

    Source: Liu et al., "Ghost on the Shell: An Expressive Representation of General 3D Shapes"
    (ICLR 2024).
    """
    own: Method = "tets" if isinstance(grid, TetGrid) else "flexicubes"
    if own == "flexicubes":
        check_grid(grid)
    if method not in (None, "flexicubes", "tets"):
        raise ValueError(f"method: expected 'flexicubes' or 'tets', got {method!r}")
    if method not in (None, own):
        want = "VoxelGrid" if method == "flexicubes" else "TetGrid"
        raise ValueError(
            f"grid: expected a {want} for method {method!r}, got a {type(grid).__name__}; make one"
        )
    nu = check_tensor(
        grid.check_field(msdf, "msdf"), "msdf", shape=(grid.num_vertices,), finite=True
    )
    if isinstance(grid, TetGrid):
        given = {"alpha": alpha, "beta": beta, "gamma": gamma}
        extra = next((name for name, weight in given.items() if weight is not None), None)
        if extra is not None:
            raise ValueError(f"{extra}: expected None on a TetGrid, got a tensor; leave it out")
        surface = tet_surface(grid, grid.check_field(sdf), nu, check_deform(grid, deform))
        vertices, faces = surface.vertices, surface.faces
        value, weighted = surface.msdf, surface.msdf_weighted
        dev_loss = vertices.new_zeros(())
    else:
        vertices, faces, dev_loss, value, weighted = flexicubes_surface(
            grid, sdf, deform, alpha, beta, gamma, training, msdf=nu
        )
    cut = cut_faces(vertices, value, faces)
    if cut.mesh.num_faces == 0:
        why = "the sdf has no zero crossing" if len(value) == 0 else "the msdf is positive nowhere"
        warnings.warn(f"{why} on {grid}: the mesh is empty", RuntimeWarning, stacklevel=3)
    return GShellOutput(
        cut.mesh,
        Mesh(vertices, faces, validate=False),
        dev_loss,
        weighted if detach_weights else value,
        cut.kept,
        cut.cut_edges,
        cut.boundary_edges,
    )
