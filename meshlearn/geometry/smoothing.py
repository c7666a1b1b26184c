"""Smoothing: Taubin's filter, which keeps the size, and implicit fairing by cotangents."""

from __future__ import annotations

import math
import warnings
from typing import Literal

import torch
from torch import Tensor

from meshlearn._segment import Incidence, gather, segment_sum
from meshlearn._validate import check_tensor
from meshlearn.geometry._space import check_mesh
from meshlearn.geometry.laplacian import laplacian_matrix
from meshlearn.geometry.sparse_solver import solve
from meshlearn.geometry.turning import turned_normals
from meshlearn.mesh import Mesh, Topology
from meshlearn.mesh.measure import safe_norm

SmoothingMethod = Literal["taubin", "implicit"]
SmoothingBorder = Literal["fixed", "along", "free"]


def smooth(
    mesh: Mesh,
    iterations: int | None = None,
    *,
    method: SmoothingMethod = "taubin",
    amount: float | None = None,
    border: SmoothingBorder = "fixed",
    pass_band: float = 0.1,
) -> Mesh:
    """The mesh without noise and small details; indices and attributes stay.

    Attributes "normal" turn with the surface. Vertices that stand at one place, as along seams,
    stay together.

    Args:
        mesh: any; its vertices finite.
        iterations: steps; default 10 of "taubin", 1 of "implicit".
        method: "taubin": each step goes to the mean of the neighbours by a share, and back by a
            larger one, so that coarse shape and size stay; differentiable in the vertices.
            "implicit": each step flows by mean curvature for a time, stable for any; thin parts
            and the size shrink, triangles stay as they are shaped; detached.
        amount: "taubin": the share, above 0 to 1, default 0.5. "implicit": the time of a step in
            squares of the mean length of edges, default 1: details below the root of it go.
        border: where a surface ends, and at edges of more than two faces: vertices are "fixed",
            or smoothed "along" the border, or "free" as all others (Taubin only).
        pass_band: of Taubin: frequencies below it (0 to 2, as eigenvalues of the Laplacian) stay.

    Raises:
        ValueError: a wrong number or name, no faces, vertices that are not finite.

    Example:
        >>> calm = ml.geometry.smooth(scan, 20)
        >>> calm = ml.geometry.smooth(scan, method="implicit", amount=4)

    Source: G. Taubin, A signal processing approach to fair surface design, 1995; M. Desbrun et
    al., Implicit fairing of irregular meshes using diffusion and curvature flow, 1999; M. Kazhdan
    et al., Can mean-curvature flow be modified to be non-singular?, 2012, for fixed cotangents.
    """
    check_mesh(mesh)
    check_tensor(mesh.vertices, "mesh.vertices", finite=True)
    if method not in ("taubin", "implicit"):
        raise ValueError(f"method: expected 'taubin' or 'implicit', got {method!r}; pass one")
    if border not in ("fixed", "along", "free"):
        raise ValueError(f"border: expected 'fixed', 'along' or 'free', got {border!r}; pass one")
    if iterations is None:
        iterations = 10 if method == "taubin" else 1
    if not isinstance(iterations, int) or isinstance(iterations, bool) or iterations < 0:
        raise ValueError(f"iterations: expected a whole number of 0 or more, got {iterations!r}")
    most = 1.0 if method == "taubin" else math.inf
    if amount is None:
        amount = 0.5 if method == "taubin" else 1.0
    if not 0 < amount <= most or not math.isfinite(amount):
        room = "above 0 to 1" if method == "taubin" else "above 0"
        raise ValueError(f"amount: expected a number {room}, got {amount!r}; pass such")
    if not 0 < pass_band < 1 / amount:
        raise ValueError(f"pass_band: expected a number above 0 and small, got {pass_band!r}")
    if method == "implicit" and border == "along":
        raise ValueError("border: 'along' is for method 'taubin'; pass 'fixed' or 'free'")
    whole, number = one_place(mesh)
    if method == "taubin":
        back = 1 / (pass_band - 1 / amount)  # 1 / share + 1 / back = pass band
        made = _taubin(whole, iterations, (amount, back), border)
    else:
        made = _implicit(whole, iterations, amount, border)
    vertices = made if number is None else made[number]
    return turned_normals(mesh, mesh.with_vertices(vertices))


def one_place(mesh: Mesh) -> tuple[Mesh, Tensor | None]:
    """The mesh with vertices at one place as one, and the number of each in it."""
    edit = mesh.merge_vertices()
    if edit.mesh.num_vertices == mesh.num_vertices:
        return mesh, None
    return edit.mesh, edit.vertex_map


# --- Taubin -------------------------------------------------------------------------------------


class _Means:
    """Means of neighbours: rows of a matrix, sorted by the vertex they belong to."""

    def __init__(self, topology: Topology, border: str, like: Tensor) -> None:
        edges, ends = topology.edges, topology.edge_ends
        self.start, self.ends = ends.start, ends
        self.other = edges.reshape(-1)[ends.order ^ 1]  # of rows 2 e + side, by their vertex
        degree = ends.start.diff()
        loose = topology.edge_face_counts != 2
        keep = None
        self.still = degree == 0
        if border != "free" and bool(loose.any()):
            at_border = torch.zeros(topology.num_vertices, dtype=torch.bool, device=like.device)
            at_border[edges[loose].reshape(-1)] = True
            if border == "fixed":
                self.still = self.still | at_border
            else:
                keep = loose[ends.order // 2] | ~at_border.repeat_interleave(degree)
        if keep is None:
            share = 1 / degree.clamp(min=1).to(like.dtype)
            self.weight = share.repeat_interleave(degree)
        else:
            total = segment_sum(keep.to(like.dtype)[:, None], _listed(ends.start, len(keep)))
            self.weight = keep / total[:, 0].clamp(min=1).repeat_interleave(degree)
        self.any_still = bool(self.still.any())

    def matrix(self) -> Tensor:
        size, index = len(self.start) - 1, (self.start, self.other)
        if len(self.other) < 2**31 and self.other.device.type == "cpu":
            index = (self.start.int(), self.other.int())  # half the memory to read
        with warnings.catch_warnings():  # torch calls the layout a beta
            warnings.simplefilter("ignore", UserWarning)
            return torch.sparse_csr_tensor(
                *index, self.weight, (size, size), check_invariants=False
            )


def _listed(start: Tensor, size: int) -> Incidence:
    """Rows that already stand in the order of their targets."""
    made = Incidence.__new__(Incidence)
    made.size, made.start = len(start) - 1, start
    made.order = torch.arange(size, device=start.device)
    made.index = torch.arange(made.size, device=start.device).repeat_interleave(start.diff())
    return made


def _taubin(mesh: Mesh, steps: int, shares: tuple[float, float], border: str) -> Tensor:
    x = mesh.vertices
    if not steps:
        return x
    means = _Means(mesh.topology, border, x)
    if torch.is_grad_enabled() and x.requires_grad:
        rows = _listed(means.start, len(means.other))
        named = Incidence(means.other, len(x))
        for share in shares * steps:
            mean = segment_sum(gather(x, named) * means.weight[:, None], rows)
            x = torch.where(means.still[:, None], x, x + share * (mean - x))
        return x
    # about the middle, so that far coordinates lose nothing
    middle = x.detach().double().mean(0).to(x.dtype)
    x = x.detach() - middle
    first, matrix = x, means.matrix()
    for share in shares * steps:
        x = torch.addmm(x, matrix, x, beta=1 - share, alpha=share)
        if means.any_still:
            x[means.still] = first[means.still]
    return torch.where(means.still[:, None], mesh.vertices.detach(), x + middle)


# --- implicit -----------------------------------------------------------------------------------


def _implicit(mesh: Mesh, steps: int, amount: float, border: str) -> Tensor:
    whole = mesh.detach().to(torch.float64)
    topology, x = whole.topology, whole.vertices
    middle = x.mean(0)
    x = x - middle
    lengths = safe_norm(x[topology.edges[:, 0]] - x[topology.edges[:, 1]])
    time = amount * float(lengths.mean()) ** 2
    still = torch.bincount(topology.faces.reshape(-1), minlength=len(x)) == 0
    if border == "fixed":
        still[topology.edges[topology.edge_face_counts != 2].reshape(-1)] = True
    stiffness = -laplacian_matrix(whole, "cotangent", layout="csr")
    fixed = torch.where(still[:, None], x, 0)
    for _ in range(steps):
        area = lumped_areas(whole.with_vertices(x))
        area = torch.where(still, 1.0, area.clamp(min=1e-12 * float(area.mean())))
        moves = ~still[:, None]

        def apply(y: Tensor, area: Tensor = area, moves: Tensor = moves) -> Tensor:
            inner = y * moves
            return (area[:, None] * inner + time * (stiffness @ inner)) * moves

        right = area[:, None] * x - time * (stiffness @ fixed)
        diagonal = area + time * _diagonal(stiffness)
        x = fixed + solve(apply, right * moves, diagonal, x * moves)
    return torch.where(still[:, None], mesh.vertices.detach(), (x + middle).to(mesh.dtype))


def lumped_areas(mesh: Mesh) -> Tensor:
    """(V,) a third of the area of the faces at each vertex."""
    third = (mesh.face_areas() / 3)[:, None].expand(-1, 3).reshape(-1, 1)
    return segment_sum(third, mesh.topology.corners)[:, 0]


def _diagonal(matrix: Tensor) -> Tensor:
    """(V,) of a CSR matrix."""
    start, column = matrix.crow_indices(), matrix.col_indices()
    row = torch.arange(len(start) - 1, device=start.device).repeat_interleave(start.diff())
    out = matrix.values().new_zeros(len(start) - 1)
    own = row == column
    out[row[own]] = matrix.values()[own]
    return out
