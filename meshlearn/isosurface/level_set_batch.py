"""The surfaces of one field under several codes at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from meshlearn._validate import FLOATS, check_tensor
from meshlearn.isosurface.constants import MARGIN, MIN_SLOPE
from meshlearn.isosurface.deferred import Derivative
from meshlearn.isosurface.level_set import Method, extract, tied_vertices
from meshlearn.isosurface.searching import evaluate_quietly, search
from meshlearn.isosurface.sparse_cells import key
from meshlearn.isosurface.tracking import SurfaceTracker
from meshlearn.mesh import Mesh, Meshes


def level_set_meshes(
    field: Callable[[Tensor, Tensor, Tensor], Tensor],
    latents: Tensor,
    resolution: int | Sequence[int],
    *,
    bounds: Sequence[Sequence[float]] | Tensor = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
    level: float = 0.0,
    method: Method | Callable[..., Mesh] = "mc",
    derivative: Derivative = "general",
    min_slope: float = MIN_SLOPE,
    lipschitz: float | None = None,
    margin: float = MARGIN,
) -> Meshes:
    """The level sets of a field for each of several codes; gradients reach field and codes.

    The search from coarse to fine and the differentiable evaluation at the vertices are made for
    all codes together, each in one pass over the network.

    Args:
        field: ``field(points, latents, index)``, points (P, 3) float32 or float64 as the codes,
            index (P,) int64 which code belongs to each, to (P,) values, negative inside. Neural
            fields of `meshlearn.fields` are called so.
        latents: (B, L), B >= 1.
        resolution, bounds: of the lattice.
        level, method, derivative, min_slope: as for `level_set_mesh`.
        lipschitz, margin: as for `SurfaceTracker`.

    Returns:
        B meshes; one without a zero crossing is empty (with a RuntimeWarning).

    Raises:
        ValueError: bad options. NonFiniteField: NaN from the field.

    Example:
        >>> field = ml.fields.DeepSDF(8, hidden=32, radius=0.5)
        >>> codes = torch.zeros(4, 8, requires_grad=True)
        >>> meshes = ml.level_set_meshes(field, codes, 32)
        >>> sum(mesh.volume() for mesh in meshes).backward()
    """
    check_tensor(latents, "latents", shape=("B", "L"), dtype=FLOATS)
    count = len(latents)
    if count == 0:
        raise ValueError("latents: expected at least one code, got none")
    tracker = SurfaceTracker(
        resolution,
        bounds=bounds,
        lipschitz=lipschitz,
        margin=margin,
        device=latents.device,
        dtype=latents.dtype,
    )
    codes = latents.detach()

    def value(points: Tensor, index: Tensor) -> Tensor:
        return evaluate_quietly(field, points, latent=codes, index=index)

    cells, owner = search(
        lambda p, i: value(p, i) - level, tracker.whole, tracker.levels, lipschitz, margin, count
    )
    corners = tracker.corners(key(cells, tracker.resolution))
    wanted = torch.unique(corners + owner[:, None] * tracker.dense)
    values = value(tracker.places(wanted % tracker.dense), wanted // tracker.dense)
    meshes = []
    for k in range(count):
        mine = wanted // tracker.dense == k
        numbers = key(cells[owner == k], tracker.resolution)

        def of_shape(points: Tensor, k: int = k) -> Tensor:
            return value(points, torch.full_like(points[:, 0], k, dtype=torch.int64))

        grid, sdf = tracker.completed(
            of_shape,
            wanted[mine] % tracker.dense,
            values[mine],
            numbers,
            level=level,
        )
        meshes.append(extract(grid, sdf, level, method))
    index = torch.arange(count, device=latents.device).repeat_interleave(
        torch.tensor([m.num_vertices for m in meshes], device=latents.device)
    )
    vertices = tied_vertices(
        field,
        torch.cat([m.vertices for m in meshes]),
        level=level,
        latent=latents,
        index=index,
        derivative=derivative,
        min_slope=min_slope,
    )
    parts = vertices.split([m.num_vertices for m in meshes])
    return Meshes([m.with_vertices(v) for m, v in zip(meshes, parts, strict=True)])
