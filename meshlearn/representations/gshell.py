"""G-Shell as a representation: open surfaces as a part of a learnable watertight template."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from meshlearn._segment import stable_mean
from meshlearn.geometry import knn
from meshlearn.isosurface import (
    GShellOutput,
    TetGrid,
    VoxelGrid,
    gshell,
    sign_regularizer,
)
from meshlearn.mesh import Mesh, cut_mesh
from meshlearn.mesh.connected import connected_components
from meshlearn.representations.base import Guide, RepresentationOutput
from meshlearn.representations.flexicubes import FlexiCubes, cubic_grid


class GShell(FlexiCubes):
    """An open (or closed) mesh: the part of a watertight template where an msdf is positive.

    Args:
        grid: a VoxelGrid, also sparse, a TetGrid, or a number of cells along the longest side of
            `bounds`.
        method: "flexicubes" or "tets", when `grid` is a number.
        bounds, weights, deform, sparse, device, dtype: as for `FlexiCubes`; tetrahedra have no
            weights and are not sparse.
        speckle: in the final mesh, holes and pieces of less area than this many cell faces are
            filled and dropped; 0 keeps them.
        unseen: weight of giving up what was not seen, relative to what was seen not to be there.

    Parameters: those of `FlexiCubes`, and ``msdf`` (N,) in units of the cell edge.

    The mesh has a vertex attribute ``boundary`` (V,) uint8, 1 on the cut. After `forward` the
    attribute `shell` holds the whole `GShellOutput`, with the template.

    Losses: ``dev`` and ``sign`` as of `FlexiCubes`; and where the target says what it saw (see
    `Guide.evidence`): ``opening``, which draws the msdf of the template's vertices below -1 cell
    where there is seen to be no surface, and weakly where nothing was seen; ``closing``, which
    draws it above 1 cell where surface was seen, so that the boundary is not eaten away.

    Example:
        >>> shape = GShell(32)
        >>> shape.initialize(lambda p: p.norm(dim=1) - 0.5, lambda p: 0.2 - p[:, 2])
        >>> mesh, losses = shape()

    Source: Liu et al., "Ghost on the Shell" (ICLR 2024), sections 3 and 4.
    """

    default_weights = {"dev": 0.02, "sign": 0.0, "opening": 0.1, "closing": 0.1}  # noqa: RUF012
    every = 5  # steps between looks at what the target saw

    def __init__(
        self,
        grid: VoxelGrid | TetGrid | int = 64,
        *,
        method: Literal["flexicubes", "tets"] = "flexicubes",
        bounds: Sequence[Sequence[float]] | Tensor = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
        weights: bool = True,
        deform: bool = True,
        sparse: bool = False,
        speckle: float = 12.0,
        unseen: float = 0.05,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if method not in ("flexicubes", "tets"):
            raise ValueError(f"method: expected 'flexicubes' or 'tets', got {method!r}")
        if not isinstance(grid, (int, VoxelGrid, TetGrid)):
            raise ValueError(
                f"grid: expected a number, a VoxelGrid or a TetGrid, got {type(grid).__name__}"
            )
        self.tets = method == "tets" or isinstance(grid, TetGrid)
        if self.tets and sparse:
            raise ValueError("sparse: expected False with tetrahedra, got True; leave it out")
        box = torch.as_tensor(bounds, dtype=torch.float64).detach().cpu()
        if self.tets and not isinstance(grid, TetGrid):
            grid = (
                cubic_grid(grid, box, device=device, dtype=dtype) if isinstance(grid, int) else grid
            )
            grid = _tetrahedra(grid)
        super().__init__(
            grid,  # type: ignore[arg-type]
            bounds=bounds,
            weights=weights and not self.tets,
            deform=deform,
            sparse=sparse,
            device=device,
            dtype=dtype,
        )
        self.unseen, self.speckle = float(unseen), float(speckle)
        self.shell: GShellOutput | None = None

    def _allocate(self, grid: Any) -> None:
        super()._allocate(grid)
        self.msdf = nn.Parameter(torch.ones_like(self.sdf))
        if self.tets:
            self._scale = 2.0 * float(grid.reach.median())

    @property
    def _tets(self) -> TetGrid:
        """The grid, where it is one of tetrahedra."""
        return cast("TetGrid", self.grid)

    @property
    def scale(self) -> float:
        """Edge length of a cell; of tetrahedra, their typical shortest edge."""
        return self._scale if self.tets else max(self.grid.spacing)

    def forward(self) -> RepresentationOutput:
        shell = self._cut()
        # of a closed target: an open one says nothing of what its template should be
        if self._wanted is not None and self._is_torn(shell.watertight):
            shell = self._cut()
        self.shell = shell
        mesh = _marked(shell.mesh, shell.kept.shape[0])
        losses = {}
        if self.training:
            losses = {"dev": shell.dev_loss / self.scale}
            if not self.tets:
                losses["sign"] = sign_regularizer(self.grid, self.sdf)
        return RepresentationOutput(mesh, losses)

    def _cut(self) -> GShellOutput:
        return gshell(
            self.grid,
            self.sdf,
            self.msdf,
            deform=self.deform,
            alpha=self.alpha,
            beta=self.beta,
            gamma=self.gamma,
            training=self.training and not self.tets,
            detach_weights=True,
        )

    def hold(self, target: Guide, *, started: bool = False) -> None:
        """Keeps the topology of a closed target, as `FlexiCubes` does, but on a grid of
        tetrahedra."""
        if not self.tets:
            super().hold(target, started=started)

    def steer(self, target: Guide) -> None:
        """Of a closed target as `FlexiCubes` does, but on a grid of tetrahedra."""
        if not self.tets and target.solid is not None:
            super().steer(target)

    @torch.no_grad()
    def initialize(
        self,
        field: Callable[[Tensor], Tensor],
        msdf: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """The template from a field, and the msdf from another, clamped to 2 cells; without it
        everything is surface."""
        self._reset(self.grid.evaluate(field))
        self._set_msdf(self.scale if msdf is None else self.grid.evaluate(msdf))

    def _set_msdf(self, values: Tensor | float) -> None:
        """The msdf in the world's unit."""
        found = torch.as_tensor(values).to(self.msdf)
        if bool(found.isnan().any()):
            raise ValueError("msdf: it gives NaN on the grid")
        self.msdf.copy_((found / self.scale).clamp(-2, 2).expand_as(self.msdf))

    @torch.no_grad()
    def start(self, target: Guide) -> None:
        """From the target's own open fields; then what it saw of that template decides."""
        sdf, msdf = target.shell(self.grid.vertices, self.scale)
        self._reset(sdf)
        self._set_msdf(msdf)
        was = self.training
        self.eval()
        self()
        self.train(was)
        assert self.shell is not None
        template = self.shell.watertight
        found = None if template.num_faces == 0 else target.evidence(template, self.scale)
        if found is None:
            return
        seen = _spread(template, found)
        near, index = _nearest(self.grid.vertices, template.vertices)
        close = near < 4 * self.scale
        self.msdf[close] = (2 * seen[index[close]]).clamp(-1, 1)

    def guided(self, target: Guide, step: int) -> dict[str, Tensor]:
        """``opening`` and ``closing`` on every fifth step; see the class."""
        shell = self.shell
        if shell is None or step % self.every or shell.watertight.num_faces == 0:
            return {}
        found = target.evidence(shell.watertight.detach(), self.scale)
        if found is None:
            return {}
        found = found.to(shell.msdf)
        away = torch.where(found == 0, self.unseen, (-found).clamp(min=0))
        return {
            "opening": stable_mean(away * _huber(shell.msdf.clamp(min=-1) + 1)),
            "closing": stable_mean(found.clamp(min=0) * _huber(shell.msdf.clamp(max=1) - 1)),
        }

    @torch.no_grad()
    def refine(self, resolution: int) -> None:
        """Another resolution: both fields are interpolated, weights start at rest."""
        scale = self.scale
        if self.tets:
            box = cubic_grid(resolution, self._box, device=self.grid.device, dtype=self.grid.dtype)
            grid = _tetrahedra(box)
            field, msdf = (
                _scattered(self._tets, v * scale, grid.vertices) for v in (self.sdf, self.msdf)
            )
            self._allocate(grid)
        else:
            finer = self._finer(resolution)
            field, msdf = self._carried(finer, [self.sdf * scale, self.msdf * scale])
            self._allocate(finer)
        self._reset(field)
        self._set_msdf(msdf)

    def parameter_groups(self, lr: float) -> list[dict]:
        """All at `lr`, the msdf at four times that: an opening is many cells wide."""
        groups = super().parameter_groups(lr)
        for group in groups:
            if group["params"][0] is self.msdf:
                group["lr"] = 4 * lr
        return groups

    @torch.no_grad()
    def final_mesh(self) -> Mesh:
        """The mesh to keep, detached, without specks."""
        mesh = super().final_mesh()
        shell = self.shell
        if self.speckle <= 0 or shell is None or shell.watertight.num_faces == 0:
            return mesh
        value = _without_specks(shell.watertight, shell.msdf, self.speckle * self.scale**2)
        if value is shell.msdf:
            return mesh
        cut = cut_mesh(shell.watertight.detach(), value)
        return _marked(cut.mesh, cut.kept.shape[0]).detach()

    def template(self) -> Mesh | None:
        """The watertight template with the vertex attribute ``msdf``, in cells."""
        if self.shell is None:
            return None
        whole, value = self.shell.watertight.detach(), self.shell.msdf.detach()
        return Mesh(whole.vertices, whole.faces, vertex_attributes={"msdf": value}, validate=False)

    @torch.no_grad()
    def after_step(self) -> None:
        """Keeps the template closed, and the msdf within 2 cells, so that it can turn."""
        if self.tets:
            border = self._tets.border
            self.sdf[border] = self.sdf[border].clamp(min=0.1)
        else:
            super().after_step()
        self.msdf.clamp_(-2, 2)


def _marked(mesh: Mesh, kept: int) -> Mesh:
    """With the attribute ``boundary``: 1 at the vertices after the first `kept`."""
    marks = torch.zeros(mesh.num_vertices, dtype=torch.uint8, device=mesh.device)
    marks[kept:] = 1
    return Mesh(mesh.vertices, mesh.faces, vertex_attributes={"boundary": marks}, validate=False)


def _without_specks(template: Mesh, value: Tensor, least: float) -> Tensor:
    """Values with signs turned so that no hole and no piece of less area is left: first whole
    parts of the template go, then holes are filled, then pieces dropped."""
    edges = template.topology.edges
    positive, magnitude = value > 0, value.abs().clamp(min=1e-3)
    corner = (template.face_areas() / 3).repeat_interleave(3).double()

    def small(links: Tensor) -> Tensor:
        part = connected_components(links, template.num_vertices)
        area = torch.zeros(part.count, dtype=torch.float64, device=value.device)
        area.index_add_(0, part.labels[template.faces.reshape(-1)], corner)
        return (area < least)[part.labels]

    turned = positive & ~small(edges)
    for fill in (True, False):
        same = turned[edges[:, 0]] == turned[edges[:, 1]]
        speck = small(edges[same])
        turned = turned | (speck & ~small(edges)) if fill else turned & ~speck
    if torch.equal(turned, positive) or not bool(turned.any()):
        return value
    return torch.where(turned == positive, value, torch.where(turned, magnitude, -magnitude))


def _huber(value: Tensor) -> Tensor:
    return torch.nn.functional.huber_loss(
        value, torch.zeros_like(value), reduction="none", delta=0.25
    )


def _tetrahedra(grid: VoxelGrid) -> TetGrid:
    return TetGrid.from_voxels(
        grid.resolution, bounds=grid.bounds, device=grid.device, dtype=grid.dtype
    )


def _nearest(points: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """(P,) distance to, and index of, the nearest of `others`."""
    squared, index = knn(points, others, 1)
    return squared[:, 0].sqrt(), index[:, 0]


def _scattered(grid: TetGrid, values: Tensor, points: Tensor) -> Tensor:
    """Values at the vertices of tetrahedra, at other points: of the four nearest, by distance."""
    squared, index = knn(points, grid.vertices, 4)
    weight = 1 / (squared + 1e-6 * squared.mean())
    return (values.detach()[index] * weight).sum(1) / weight.sum(1)


def _spread(template: Mesh, evidence: Tensor, rounds: int = 4) -> Tensor:
    """Evidence of a template's vertices; unseen ones take it from around, as far as it goes."""
    ends = template.topology.edges
    value, known = evidence.clone(), (evidence != 0).to(evidence)
    for _ in range(rounds):
        total, weight = torch.zeros_like(value), torch.zeros_like(value)
        for a, b in ((0, 1), (1, 0)):
            total.index_add_(0, ends[:, a], (value * known)[ends[:, b]])
            weight.index_add_(0, ends[:, a], known[ends[:, b]])
        value = torch.where(known > 0, value, total / weight.clamp(min=1))
        known = ((known > 0) | (weight > 0)).to(value)
    return torch.where(known > 0, value, 0.25)
