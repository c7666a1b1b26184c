"""Where an object can be, seen from its images: the visual hull, carved further by depth.

The hull of N masks is what all cameras see inside their mask. Its field is the largest, over the
cameras, of the distance to the silhouette's cone, so it is a distance near the surface, and the
hull of smooth masks is smooth. A camera with depth also says that space in front of what it sees is
free.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from meshlearn.reconstruct import settings
from meshlearn.render import Camera


def silhouette_distance(masks: Tensor, *, reach: int = settings.REACH) -> Tensor:
    """Signed distance in pixels from pixel centres to the silhouette, negative inside.

    Args:
        masks: (N, H, W) bool.
        reach: distances beyond are given as this one.

    Returns:
        (N, H, W) float32.

    Example:
        >>> silhouette_distance(torch.tensor([[[False, True, True]]]))
        tensor([[[ 0.5000, -0.5000, -1.5000]]])
    """
    return _to_nearest(masks, reach) - _to_nearest(~masks, reach)


def _to_nearest(masks: Tensor, reach: int) -> Tensor:
    """Distance from each centre outside a mask to its border, 0 inside."""
    far = float(reach + 1)
    n, h, w = masks.shape
    columns = torch.arange(w, device=masks.device, dtype=torch.float32).expand(n, h, w)
    left = torch.where(masks, columns, -far * w).cummax(2).values
    right = torch.where(masks, columns, far * w).flip(2).cummin(2).values.flip(2)
    along = torch.minimum(columns - left, right - columns).clamp(max=far) ** 2
    best = along.clone()
    for shift in range(1, min(reach, h - 1) + 1):
        best[:, shift:] = torch.minimum(best[:, shift:], along[:, :-shift] + shift * shift)
        best[:, :-shift] = torch.minimum(best[:, :-shift], along[:, shift:] + shift * shift)
    distance = best.sqrt().clamp(max=reach)
    return torch.where(masks, 0.0, distance - 0.5)


def _beside(pixels: Tensor) -> Tensor:
    """(N, H, W) bool: the pixels themselves and their neighbours along rows and columns."""
    out = pixels.clone()
    out[:, 1:] |= pixels[:, :-1]
    out[:, :-1] |= pixels[:, 1:]
    out[:, :, 1:] |= pixels[:, :, :-1]
    out[:, :, :-1] |= pixels[:, :, 1:]
    return out


class Hull:
    """The space that images leave to an object.

    Args:
        cameras: a batch of N.
        masks: (N, H, W) in 0 to 1; a pixel of 0.5 or more is inside.
        depth: (N, H, W) camera z, 0 for none.
        tolerance: how many cameras may be wrong about a point: it is outside only where more of
            them say so.
        known: (N, H, W) bool, the pixels that a camera saw; None for all.
    """

    def __init__(
        self,
        cameras: Camera,
        masks: Tensor,
        depth: Tensor | None = None,
        *,
        tolerance: int = 0,
        known: Tensor | None = None,
    ) -> None:
        self.cameras, self.depth, self.tolerance, self.known = cameras, depth, tolerance, known
        inside = masks >= settings.COVERED
        self.size = (masks.shape[1], masks.shape[2])
        edge = (inside[:, 0].any(1) | inside[:, -1].any(1)) | (
            inside[:, :, 0].any(1) | inside[:, :, -1].any(1)
        )
        if known is not None:
            edge |= (inside & _beside(~known)).any(2).any(1)
            # where it may go on, the end of what is known is no silhouette
            inside = inside | (~known & edge[:, None, None])
        self.distance = silhouette_distance(inside)
        self.cut = edge.tolist()  # the object may go on beyond the image
        self.cosine = None if depth is None else facing(cameras, depth)

    def field(self, points: Tensor) -> Tensor:
        """(P, 3) -> (P,), negative inside; a distance in the world's unit near the surface."""
        parts = [self._part(part) for part in points.split(settings.HULL_CHUNK)]
        return torch.cat(parts) if parts else points[:, 0]

    def outside(self, points: Tensor, slack: float) -> Tensor:
        """(P, 3) -> (P, N) bool, which cameras say that a point is farther outside than `slack`."""
        out = [self._says(i, points) > slack for i in range(len(self.cameras))]
        return torch.stack(out, 1)

    def _part(self, points: Tensor) -> Tensor:
        top = points.new_full((self.tolerance + 1, len(points)), -torch.inf)
        for i in range(len(self.cameras)):
            value = self._says(i, points)
            top = torch.cat((top, value[None])).topk(self.tolerance + 1, 0).values
        found = top[-1]
        return torch.where(torch.isfinite(found), found, self._outside(points))

    def _says(self, i: int, points: Tensor) -> Tensor:
        """(P,) the field by camera i alone, -inf where it says nothing."""
        h, w = self.size
        cam = self.cameras[i]
        place = cam.project(points, (h, w))
        u, v, z = place.unbind(1)
        seen = (u >= 0) & (u < w) & (v >= 0) & (v < h) & (z >= cam.near)
        per_pixel = 1 / (cam.focal.mean() * h)
        per_pixel = per_pixel.to(z) if cam.orthographic else z * per_pixel.to(z)
        where = torch.stack((2 * u / w - 1, 2 * v / h - 1), 1).clamp(-2, 2)
        value = torch.nn.functional.grid_sample(
            self.distance[i, None, None].to(z), where[None, None], align_corners=False,
            padding_mode="border",
        ).view(-1) * per_pixel  # fmt: skip
        column = u.nan_to_num(0).clamp(0, w - 1).long()
        row = v.nan_to_num(0).clamp(0, h - 1).long()
        if self.known is not None:
            seen &= self.known[i, row, column]
        if self.depth is not None and self.cosine is not None:
            found = self.depth[i, row, column].to(z)
            cosine = self.cosine[i, row, column].to(z)
            # across the surface; less two pixels, which a slanted one may be off its sample:
            # masks say where thin parts end, depth carves hollows
            ahead = (found - z) * cosine - settings.SLACK * per_pixel
            ahead = torch.where(seen & (found > 0), ahead, -torch.inf)
            value = torch.maximum(value, ahead)
        # beyond the image of an object that lies wholly in it, the border's distance holds
        said = seen if self.cut[i] else z >= cam.near
        return torch.where(said, value, -torch.inf)

    def _outside(self, points: Tensor) -> Tensor:
        """A value for points that no camera sees: outside."""
        return (points - self.middle().to(points)).norm(
            dim=1
        ) * settings.UNSEEN_SLOPE + settings.UNSEEN_LEAST

    def middle(self) -> Tensor:
        """(3,) the point nearest to all optical axes."""
        eye = self.cameras.position.double()
        axis = self.cameras.forward.double()
        project = torch.eye(3, dtype=torch.float64, device=eye.device) - (
            axis[:, :, None] * axis[:, None]
        )
        matrix = project.sum(0) + 1e-9 * torch.eye(3, dtype=torch.float64, device=eye.device)
        return torch.linalg.solve(matrix, (project @ eye[:, :, None]).sum(0)[:, 0])

    def view_box(self) -> Tensor:
        """(2, 3) float64 box around the middle that cameras look at, as large as they see there."""
        h, w = self.size
        middle, eye = self.middle(), self.cameras.position.double()
        away = (eye - middle).norm(dim=1)
        focal = self.cameras.focal.double().expand(len(eye), 2)
        half = 0.5 * torch.hypot(w / h / focal[:, 0], 1 / focal[:, 1])
        reach = float((half if self.cameras.orthographic else half * away).amax())
        return torch.stack((middle - reach, middle + reach))

    def bounds(self, search: Sequence[int] = settings.HULL_SEARCH) -> Tensor:
        """(2, 3) float64 box around the object.

        Args:
            search: cells along the box in which it is looked for, in turn.

        Raises:
            ValueError: no point lies inside the masks of all cameras.
        """
        if self.depth is not None and bool((self.depth > 0).any()):
            points = backproject(self.cameras, self.depth)
            return torch.stack((points.amin(0), points.amax(0))).double()
        box = self.view_box()
        for cells in search:
            step = (box[1] - box[0]).amax() / cells
            counts = torch.ceil((box[1] - box[0]) / step).long() + 1
            lines = [
                box[0, a] + step * torch.arange(int(n), device=box.device)
                for a, n in enumerate(counts)
            ]
            lattice = torch.stack(torch.meshgrid(*lines, indexing="ij"), -1).view(-1, 3)
            inside = lattice[self.field(lattice.float()) < 0.5 * float(step)]
            if not len(inside):
                raise ValueError(
                    "masks: no point in space is inside the masks of all cameras; check that "
                    "cameras and masks belong together, or raise tolerance"
                )
            box = torch.stack((inside.amin(0) - step, inside.amax(0) + step))
        return box


def facing(cameras: Camera, depth: Tensor) -> Tensor:
    """(N, H, W) cosine between surface and view, from differences to neighbours with a depth."""
    h = depth.shape[1]
    focal = cameras.focal.expand(len(cameras), 2)[:, 1].to(depth)[:, None, None] * h
    pixel = 1 / focal if cameras.orthographic else depth.clamp(min=1e-30) / focal
    slopes = torch.zeros_like(depth)
    for axis in (1, 2):
        n = depth.shape[axis]
        if n < 2:
            continue
        a, b = depth.narrow(axis, 0, n - 1), depth.narrow(axis, 1, n - 1)
        step = torch.where((a > 0) & (b > 0), (b - a).abs(), torch.inf)
        least = torch.full_like(depth, torch.inf)  # the smaller of both sides: no step at a rim
        least.narrow(axis, 0, n - 1).copy_(step)
        least.narrow(axis, 1, n - 1).copy_(torch.minimum(least.narrow(axis, 1, n - 1), step))
        slopes += (torch.where(torch.isfinite(least), least, 0.0) / pixel) ** 2
    return torch.rsqrt(1 + slopes)


def backproject(cameras: Camera, depth: Tensor) -> Tensor:
    """(P, 3) world points of all pixels of (N, H, W) that have a depth."""
    out = []
    for i in range(len(cameras)):
        cam = cameras[i]
        origin, ray = cam.rays(tuple(depth.shape[1:]))
        along = (ray * cam.forward).sum(-1)
        seen = depth[i] > 0
        out.append((origin + ray * (depth[i] / along)[..., None])[seen])
    return torch.cat(out)
