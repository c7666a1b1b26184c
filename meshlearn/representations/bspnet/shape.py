"""The direct mode of BSP-Net: planes and T of one shape, from its surface, then refined."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from meshlearn.geometry import MeshBVH, sample_surface
from meshlearn.mesh import Mesh
from meshlearn.progress import progress_bar
from meshlearn.representations.bspnet.constants import (
    KEPT_MOVE,
    KEPT_TURN,
    REFINE_BETAS,
    REFINE_FALL,
    REFINE_FAR,
    REFINE_NEAR,
    REFINE_RATE,
    REFINE_STEEP,
    REFINE_STEEPER,
)
from meshlearn.representations.bspnet.cover import Cover, cover, surface_planes
from meshlearn.representations.bspnet.model import BSPNet


@dataclass(frozen=True)
class ShapeSamples:
    """Where one shape is, in the box of `BSPNet`.

    Attributes:
        surface, normals: (S, 3) samples by area, in random order.
        points, depth: (N, 3) that fill the shape's box evenly, (N,) distances, positive inside.
        near, near_depth: (M, 3) about the surface in that box, and their distances.
    """

    surface: Tensor
    normals: Tensor
    points: Tensor
    depth: Tensor
    near: Tensor
    near_depth: Tensor

    @classmethod
    def of(
        cls, mesh: Mesh, *, generator: torch.Generator, count: int = 40_000, surface: int = 8000
    ) -> ShapeSamples:
        """Samples of a mesh in the box; inside by the winding number."""
        tree = MeshBVH(mesh)
        found = sample_surface(mesh, surface, generator=generator)
        order = torch.randperm(surface, generator=generator)
        normals = mesh.face_normals()[found.faces][order]
        low, high = mesh.bounds().unbind(0)
        size = (high - low).clamp(min=1e-3 * float((high - low).max()))
        step = float((size.double().prod() / count) ** (1 / 3))
        lines = [
            low[a] + (torch.arange(n) + 0.5) * (size[a] / n)
            for a, n in enumerate((size / step).round().long().clamp(min=4).tolist())
        ]
        points = torch.cartesian_prod(*lines)
        spread = torch.randn(count, 3, generator=generator) * 0.6 * step
        near = sample_surface(mesh, count, generator=generator).points + spread
        near = near[((near > low) & (near < high)).all(1)]  # beyond it the box cuts, no plane
        return cls(
            found.points[order],
            normals,
            points,
            -tree.signed_distance(points),
            near,
            -tree.signed_distance(near),
        )


def fit_shape(
    mesh: Mesh,
    *,
    convexes: int = 100,
    samples: int = 40_000,
    steps: int = 150,
    least: float = 2e-4,
    seed: int = 0,
    progress: bool | None = None,
) -> BSPNet:
    """Fits planes and T to one shape that lies in [-½, ½]³: the direct mode of BSP-Net.

    First the shape is covered by convexes of its own tangent planes, see `cover`: T is found, and
    where the shape is flat its planes are exact. Then the planes move, T held, so that the samples
    near the surface come to lie on their sides of the union; planes that hardly moved go back to
    the shape's own. The better of the two by IoU at the samples is kept.

    What is thinner than the spacing of the samples (gaps, plates, what a plane leaves standing over
    an edge) may be missed or left; more samples find it.

    Args:
        mesh: closed, or nearly: inside is where its winding number is above one half in
            magnitude.
        convexes: at most so many.
        samples: that fill the shape's box, and as many near its surface.
        steps: of the refinement; 0 keeps the cover.
        least: share of the volume that a convex has to add.
        seed: the same seed gives the same convexes.

    Returns:
        BSPNet with an ``outline`` (2, 3), the box of the shape, which convexes are cut to.

    Raises:
        ValueError: no faces, no volume, or a mesh beyond the box.
    """
    if mesh.num_faces == 0:
        raise ValueError("mesh: expected one with faces, got none")
    if float(mesh.vertices.detach().abs().max()) > 0.5 + 1e-5:
        raise ValueError("mesh: expected it in the box from -0.5 to 0.5; scale it")
    generator = torch.Generator().manual_seed(seed)
    mesh = mesh.detach().to(torch.float32)
    known = ShapeSamples.of(mesh, generator=generator, count=samples)
    own = surface_planes(known.surface, known.normals)
    with progress_bar("covering", max(1, convexes), enabled=progress) as bar:
        found = cover(
            own, known.points, known.depth, generator=generator, convexes=convexes, least=least,
            callback=lambda n, iou: bar.update(n, f"IoU {iou:.3f}"),
        )  # fmt: skip
    low, high = mesh.bounds().unbind(0)
    found = _bounded(found, low, high)
    planes = found.planes
    if steps:
        refined = _refine(found, known, steps, generator, progress)
        if union_iou(refined, found.connection, known) > union_iou(planes, found.connection, known):
            planes = refined
    model = ShapeModel(*found.connection.shape)
    with torch.no_grad():
        model.primitive.copy_(planes)
        model.connection.copy_(found.connection.float())
        model.weights.fill_(1.0)
        model.outline.copy_(torch.stack([low, high]))
    return model


def _bounded(found: Cover, low: Tensor, high: Tensor) -> Cover:
    """The cover with the sides of the box as planes of a convex that has none."""
    bare = ~found.connection.any(0)
    if not bool(bare.any()):
        return found
    sides = torch.cat([torch.eye(3), -torch.eye(3)])
    box = torch.cat([sides, torch.cat([-high, low])[:, None]], 1)
    connection = torch.cat([found.connection, bare.expand(6, -1)])
    return Cover(torch.cat([found.planes, box]), connection, found.iou)


class ShapeModel(BSPNet):
    """A `BSPNet` of one shape, whose convexes are cut to the box of the shape."""

    outline: Tensor  # (2, 3) that box

    def __init__(self, planes: int, convexes: int) -> None:
        super().__init__(planes, convexes)
        self.register_buffer("outline", torch.tensor([[-0.5] * 3, [0.5] * 3]))

    @property
    def bounds(self) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(row) for row in self.outline.tolist())


def _members(connection: Tensor) -> tuple[Tensor, Tensor]:
    """(C, m) planes of each convex, padded by the first, and (C, m) whether they count."""
    sizes = connection.sum(0)
    order = torch.argsort((~connection).to(torch.uint8), dim=0, stable=True)
    index = order[: int(sizes.max())].T
    return index, torch.arange(index.shape[1]) < sizes[:, None]


def union_iou(planes: Tensor, connection: Tensor, known: ShapeSamples) -> float:
    """IoU of the union of convexes with the shape, at samples near its surface and all over."""
    points = torch.cat([known.points, known.near])
    inside = torch.cat([known.depth, known.near_depth]) > 0
    found = signed_union(points, planes, *_members(connection)) <= 0
    return float((found & inside).sum() / (found | inside).sum())


def signed_union(points: Tensor, planes: Tensor, index: Tensor, counts: Tensor) -> Tensor:
    """(N,) min over convexes of the max over their planes: negative inside, to first order the
    distance near faces."""
    value = points @ planes[:, :3].T + planes[:, 3]
    each = torch.where(counts, value[:, index], -torch.inf)
    return each.amax(2).amin(1)


def _refine(
    start: Cover, known: ShapeSamples, steps: int, generator: torch.Generator, progress: bool | None
) -> Tensor:
    """Planes moved so that the union's sign is right at samples; unit length."""
    planes = start.planes.clone().requires_grad_()
    members = _members(start.connection)
    optimizer = torch.optim.Adam([planes], lr=REFINE_RATE, betas=REFINE_BETAS)
    count = len(known.near)
    with progress_bar("refining", max(1, steps), enabled=progress) as bar:
        for step in range(steps):
            done = step / steps
            for group in optimizer.param_groups:
                group["lr"] = REFINE_RATE * (1 - REFINE_FALL * done)
            some = torch.randint(count, (REFINE_NEAR,), generator=generator)
            all_over = torch.randint(len(known.points), (REFINE_FAR,), generator=generator)
            points = torch.cat([known.near[some], known.points[all_over]])
            depth = torch.cat([known.near_depth[some], known.depth[all_over]])
            unit = planes / planes[:, :3].norm(dim=1, keepdim=True)
            value = signed_union(points, unit, *members)
            steep = REFINE_STEEP + REFINE_STEEPER * done
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                -steep * value, (depth > 0).float()
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            bar.update(step + 1, f"loss {float(loss.detach()):.4f}")
    with torch.no_grad():
        moved = planes / planes[:, :3].norm(dim=1, keepdim=True)
        turn = (moved[:, :3] * start.planes[:, :3]).sum(1)
        near = (turn > KEPT_TURN) & ((moved[:, 3] - start.planes[:, 3]).abs() < KEPT_MOVE)
        return torch.where(near[:, None], start.planes, moved)
