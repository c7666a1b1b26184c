"""Cameras, and the one place where the conventions of rendering are said.

- *World*: right-handed, in the mesh's own unit.
- *Camera space* (OpenCV): x to the right of the image, y down, z forward. `depth` is the camera z.
- *Image*: pixel (row r, column c) covers [c, c + 1] × [r, r + 1]; row 0 is the top; the centre of
  pixel (r, c) is at (u, v) = (c + 0.5, r + 0.5), u along columns and v along rows.
- *Homogeneous image space*, what the rasteriser reads: (u w, v w, z, w) with w = z for a
  perspective camera and w = 1 for an orthographic one.
- *OpenGL*: camera space with y up and z backward; clip space with x right, y up and z in [-w, w].
  `Camera.from_opengl` and `Camera.to_opengl` convert; `from_opencv` and `to_opencv` do for K, R, t.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import torch
from torch import Tensor

from meshlearn.mesh.centring import kind_for
from meshlearn.render.camera_matrices import (
    Numbers,
    OpenCV,
    OpenGL,
    check_undistorted,
    frustum_of,
    opencv_lens,
    opencv_view,
)
from meshlearn.render.homogeneous import Projection, homogeneous

_FLIP = (1.0, -1.0, -1.0, 1.0)

Vector = Sequence[float] | Tensor


def image_size(size: int | Sequence[int], name: str = "size") -> tuple[int, int]:
    """(height, width) from an int (square) or a (height, width) pair."""
    given = size.tolist() if isinstance(size, Tensor | np.ndarray | np.generic) else size
    pair = tuple(given) if isinstance(given, Iterable) else (given, given)
    pair = tuple(s.item() if isinstance(s, np.generic | Tensor) else s for s in pair)
    if len(pair) != 2 or not all(type(s) is int and s > 0 for s in pair):
        raise ValueError(f"{name}: expected a positive int or (height, width), got {size!r}")
    return pair[0], pair[1]


def vector(value: Vector | float, name: str, width: int = 3) -> Tensor:
    out = value if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)
    out = out if out.is_floating_point() else out.to(torch.float32)
    if out.dim() == 0 or out.shape[-1] != width:
        raise ValueError(f"{name}: expected (..., {width}) numbers, got {tuple(out.shape)}")
    if not bool(torch.isfinite(out).all()):
        raise ValueError(f"{name}: holds NaN or infinite values; give finite numbers")
    return out


def positive(value: float, name: str) -> float:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name}: expected a positive finite number, got {value!r}")
    return float(value)


def unit(v: Tensor) -> Tensor:
    return v / v.norm(dim=-1, keepdim=True)


def nearest_rotation(matrix: Tensor) -> Tensor:
    """The rigid motion (…, 4, 4) nearest to one that is rounded, in float64."""
    out = matrix.double().clone()
    u, _, v = torch.linalg.svd(out[..., :3, :3])
    out[..., :3, :3] = u @ v
    return out


@dataclass(frozen=True)
class Camera:
    """One camera, or a batch of N that share projection type, near and far plane.

    Attributes:
        view: (4, 4) or (N, 4, 4), world to camera space (OpenCV), a rigid motion.
        focal: (2,) or (N, 2), focal lengths along u and v in units of the image *height* (for an
            orthographic camera: image heights per unit of the world).
        centre: (2,) or (N, 2), principal point as a fraction of (width, height).
        orthographic: parallel instead of perspective projection.
        near: surfaces nearer than this depth are not seen; positive for a perspective camera.
        far: only used by `projection`; nothing is cut at the far end.
    """

    view: Tensor
    focal: Tensor
    centre: Tensor
    orthographic: bool = False
    near: float = 1e-3
    far: float = 1e3

    def __post_init__(self) -> None:
        view = self.view
        if not isinstance(view, Tensor) or view.dim() not in (2, 3) or view.shape[-2:] != (4, 4):
            raise ValueError(
                f"view: expected (4, 4) or (N, 4, 4), got {getattr(view, 'shape', type(view))}"
            )
        rotation = view.detach()[..., :3, :3].double()
        gram = rotation @ rotation.transpose(-1, -2)
        eye = torch.eye(3, dtype=torch.float64, device=view.device)
        if not bool(torch.isfinite(view).all()) or bool(((gram - eye).abs() > 1e-3).any()):
            raise ValueError(
                "view: its upper left 3x3 is not a rotation; remove scale and shear, and NaN"
            )
        if bool((torch.linalg.det(rotation) < 0).any()):
            raise ValueError("view: its upper left 3x3 mirrors space; negate one axis")
        last = view.detach()[..., 3, :].double()
        if bool(((last - last.new_tensor([0, 0, 0, 1])).abs() > 1e-4).any()):
            raise ValueError(
                f"view: expected the last row (0, 0, 0, 1), got {last.reshape(-1, 4)[0].tolist()}; "
                "transpose a matrix that multiplies rows from the right (view.mT)"
            )
        for name, value in (("focal", self.focal), ("centre", self.centre)):
            if value.shape not in ((2,), (*view.shape[:-2], 2)):
                raise ValueError(f"{name}: expected (2,) or (N, 2), got {tuple(value.shape)}")
        if not bool((self.focal > 0).all()):
            raise ValueError("focal: expected positive numbers")
        if not self.orthographic and not self.near > 0:
            raise ValueError(f"near: expected a positive number, got {self.near}")
        if not self.far > self.near:
            raise ValueError(f"far: expected more than near ({self.near}), got {self.far}")

    # --- making -------------------------------------------------------------------------------

    @staticmethod
    def look_at(
        eye: Vector,
        target: Vector = (0, 0, 0),
        up: Vector = (0, 1, 0),
        *,
        fov: float = 45.0,
        height: float | None = None,
        near: float | None = None,
        far: float | None = None,
    ) -> Camera:
        """A camera at `eye` that looks at `target`.

        Numbers make a float32 camera, or a float64 one where they lie far from the origin; tensors
        one of their dtype.

        Args:
            eye: (3,) or (N, 3) positions in the world; N makes a batch.
            target: (3,) or (N, 3).
            up: (3,) or (N, 3), the direction that shows upwards in the image.
            fov: vertical field of view in degrees, in (0, 180).
            height: if given, an orthographic camera whose image is this high in world units.
            near, far: depths; by default 1/1000 and 1000 times the distance from eye to target.

        Raises:
            ValueError: eye equals target, or the view direction is along `up`.

        Example:
            >>> cam = Camera.look_at((0, 1, 3), fov=40.0)
            >>> cam.project(torch.zeros(1, 3), 256)[0, :2]   # the target is at the centre
            tensor([128., 128.])
        """
        eye_t, target_t, up_t = vector(eye, "eye"), vector(target, "target"), vector(up, "up")
        given = [t.dtype for t in (eye, target) if isinstance(t, Tensor) and t.is_floating_point()]
        ends = (eye_t.detach().reshape(-1, 3), target_t.detach().reshape(-1, 3))
        kind = kind_for(*(end.cpu() for end in ends))
        dtype = kind if not given else given[0] if len(given) == 1 else torch.promote_types(*given)
        eye_t, target_t, up_t = (
            t.to(dtype=dtype, device=eye_t.device) for t in (eye_t, target_t, up_t)
        )
        eye_t, target_t, up_t = torch.broadcast_tensors(eye_t, target_t, up_t)
        if eye_t.dim() > 2:
            raise ValueError(f"eye: expected (3,) or (N, 3), got {tuple(eye_t.shape)}")
        forward = target_t - eye_t
        distance = forward.norm(dim=-1)
        if bool((distance == 0).any()):
            raise ValueError("eye: equals target, so there is no direction to look in; move one")
        forward = unit(forward)
        right = torch.linalg.cross(forward, up_t)
        if bool((right.norm(dim=-1) <= 1e-6 * up_t.norm(dim=-1)).any()):
            raise ValueError("up: is parallel to the view direction; choose another")
        right = unit(right)
        down = torch.linalg.cross(forward, right)
        rotation = torch.stack((right, down, forward), -2)
        view = torch.zeros(*eye_t.shape[:-1], 4, 4, dtype=dtype, device=eye_t.device)
        view[..., :3, :3] = rotation
        view[..., :3, 3] = -(rotation * eye_t[..., None, :]).sum(-1)
        view[..., 3, 3] = 1
        if height is not None:
            focal = 1 / positive(height, "height")
        elif not (isinstance(fov, (int, float)) and 0 < fov < 180):
            raise ValueError(f"fov: expected degrees between 0 and 180, got {fov!r}")
        else:
            focal = 0.5 / math.tan(math.radians(fov) / 2)
        typical = float(distance.min())
        return Camera(
            view,
            torch.tensor([focal, focal], dtype=dtype, device=view.device),
            torch.tensor([0.5, 0.5], dtype=dtype, device=view.device),
            orthographic=height is not None,
            near=1e-3 * typical if near is None else float(near),
            far=1e3 * float(distance.max()) if far is None else float(far),
        )

    @staticmethod
    def orbit(
        n: int,
        *,
        radius: float = 3.0,
        elevation: float | Sequence[float] = 20.0,
        azimuth: float = 0.0,
        target: Vector = (0, 0, 0),
        up: Vector = (0, 1, 0),
        fov: float = 45.0,
        height: float | None = None,
    ) -> Camera:
        """A batch of `n` cameras on a circle around `target`, evenly spaced in azimuth.

        Args:
            n: how many.
            radius: distance to the target.
            elevation: degrees above the plane through the target across `up`; a sequence is
                walked through in turn.
            azimuth: degrees of the first camera; 0 lies towards +z when `up` is +y.
            target, up, fov, height: as in `look_at`.
        """
        if not isinstance(n, int) or n < 1:
            raise ValueError(f"n: expected a positive int, got {n!r}")
        radius = positive(radius, "radius")
        heights = [elevation] if isinstance(elevation, (int, float)) else list(elevation)
        if not heights or not all(-90 < h < 90 for h in heights):
            raise ValueError(f"elevation: expected degrees between -90 and 90, got {elevation!r}")
        up_t = unit(vector(up, "up").to(torch.float64))
        seed = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
        if float((seed * up_t).sum().abs()) > 0.9:
            seed = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
        front = unit(seed - (seed * up_t).sum() * up_t)
        side = torch.linalg.cross(up_t, front)
        angle = math.radians(azimuth) + 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
        lift = torch.tensor([math.radians(heights[i % len(heights)]) for i in range(n)]).double()
        direction = (
            torch.cos(lift)[:, None]
            * (torch.cos(angle)[:, None] * front + torch.sin(angle)[:, None] * side)
            + torch.sin(lift)[:, None] * up_t
        )
        middle = vector(target, "target").to(torch.float64)
        eye = middle + radius * direction
        kind = kind_for(eye, middle.reshape(-1, 3))
        return Camera.look_at(eye.to(kind), middle.to(kind), up, fov=fov, height=height)

    @staticmethod
    def framing(
        lower: Vector,
        upper: Vector,
        *,
        direction: Vector = (0.6, 0.45, 1.0),
        up: Vector = (0, 1, 0),
        fov: float = 30.0,
        margin: float = 1.05,
    ) -> Camera:
        """A perspective camera from `direction` that sees the whole box (lower, upper): float32, or
        float64 where the box lies far from the origin."""
        low, high = vector(lower, "lower"), vector(upper, "upper")
        kind = kind_for(torch.stack((low.detach().cpu().double(), high.detach().cpu().double())))
        low, high = low.to(kind), high.to(kind)
        middle = (low + high) / 2
        radius = max(float((high - low).norm()) / 2, 1e-12)
        distance = margin * radius / math.sin(math.radians(fov) / 2)
        eye = middle + distance * unit(vector(direction, "direction").to(middle))
        return Camera.look_at(eye, middle, up, fov=fov, near=1e-3 * distance)

    @staticmethod
    def from_opengl(
        view: Tensor,
        projection: Tensor | None = None,
        size: int | Sequence[int] | None = None,
        *,
        fov: float = 45.0,
        near: float = 1e-3,
    ) -> Camera:
        """From OpenGL matrices: `clip = projection @ view @ x`.

        Args:
            view: (4, 4) or (N, 4, 4), world to camera with y up and z backward.
            projection: (4, 4) or (N, 4, 4), camera to clip space, perspective or orthographic,
                without skew; without it `fov` and `near` say what it would.
            size: (height, width) of the image, with a projection.
            fov: vertical field of view in degrees.

        Returns:
            A camera of the dtype of `view`.

        Raises:
            ValueError: a matrix is singular, mirrored or of another form.

        Example:
            >>> cam = Camera.from_opengl(view, projection, (480, 640))
        """
        view = torch.as_tensor(view)
        if view.dim() not in (2, 3) or view.shape[-2:] != (4, 4):
            raise ValueError(f"view: expected (4, 4) or (N, 4, 4), got {tuple(view.shape)}")
        view = view if view.is_floating_point() else view.to(torch.float32)
        turned = torch.tensor(_FLIP, dtype=view.dtype, device=view.device)[:, None] * view
        if projection is None:
            focal = 0.5 / math.tan(math.radians(fov) / 2)
            ends = view.new_tensor([focal, focal]), view.new_tensor([0.5, 0.5])
            return Camera(turned, *ends, near=near)
        if size is None:
            raise ValueError("size: expected (height, width) of the image beside a projection")
        found = frustum_of(projection, image_size(size))
        return Camera(turned, found.focal.to(view), found.centre.to(view), *found[2:])

    def to_opengl(self, size: int | Sequence[int]) -> OpenGL:
        """(view, projection) of OpenGL, the inverse of `from_opengl`, in float64.

        Returns:
            view, world to camera with y up and z backward, and projection, camera to clip space of
            an image of `size` whose row 0 is at the top: (4, 4) or (N, 4, 4) each.

        Example:
            >>> view, projection = cam.to_opengl((480, 640))
        """
        cam = self.to(torch.float64)
        flip = cam.view.new_tensor(_FLIP)
        return OpenGL(flip[:, None] * cam.view, cam.projection(size) * flip)

    @staticmethod
    def from_opencv(
        K: Numbers,
        R: Numbers,
        t: Numbers,
        size: int | Sequence[int],
        distortion: Numbers | None = None,
        *,
        integer_centres: bool = False,
        near: float = 1e-3,
        far: float = 1e3,
    ) -> Camera:
        """From OpenCV's matrices: x_camera = R x + t, and (u, v, 1) ~ K x_camera in pixels.

        Args:
            K: (3, 3) or (N, 3, 3), without skew.
            R: (3, 3) or (N, 3, 3), world to camera; of a vector `cv2.Rodrigues` makes one.
            t: (3,), (3, 1), (N, 3) or (N, 3, 1): no position in the world, which is -Rᵀ t.
            size: (height, width) of the image, the other way round than OpenCV's imageSize.
            distortion: 4, 5, 8, 12 or 14 coefficients k1 k2 p1 p2 k3 …, all of them 0.
            integer_centres: K has the centre of the first pixel at (0, 0), as `calibrateCamera`
                has; by default it is at (0.5, 0.5), as here and in COLMAP.

        Returns:
            A camera of the dtype of the tensors among K, R and t; without any of float32, or
            float64 where it lies far from the origin.

        Raises:
            ValueError: an image that a lens bends, skew, a mirror, or shapes that do not fit.

        Example:
            >>> K = [[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]
            >>> cam = Camera.from_opencv(K, torch.eye(3), (0, 0, 3), (480, 640))
            >>> cam.project(torch.zeros(1, 3), (480, 640))
            tensor([[320., 240.,   3.]])
        """
        check_undistorted(distortion)
        view = opencv_view(R, t)
        focal, centre = opencv_lens(K, image_size(size), 0.5 if integer_centres else 0.0)
        if focal.dim() == 2 and view.dim() == 2:
            view = view.expand(len(focal), 4, 4)
        if focal.dim() == 2 and len(focal) != len(view):
            raise ValueError(f"K: expected 1 or {len(view)} matrices, got {len(focal)}")
        ends = focal.to(view.device), centre.to(view.device)
        cam = Camera(view, *ends, near=near, far=far)
        given = [m.dtype for m in (K, R, t) if isinstance(m, Tensor) and m.is_floating_point()]
        if given:
            return cam.to(reduce(torch.promote_types, given))
        ends = cam.position.reshape(-1, 3), (cam.position + cam.forward).reshape(-1, 3)
        return cam.to(kind_for(*(end.cpu() for end in ends)))

    def to_opencv(self, size: int | Sequence[int], *, integer_centres: bool = False) -> OpenCV:
        """(K, R, t) of OpenCV, the inverse of `from_opencv`, in float64.

        Raises:
            ValueError: the camera is orthographic.

        Example:
            >>> K, R, t = cam.to_opencv((480, 640))
        """
        if self.orthographic:
            raise ValueError("to_opencv: K has no orthographic camera; use to_opengl")
        cam = self.to(torch.float64)
        K = cam.intrinsics(size)[..., :3, :3].clone()
        K[..., :2, 2] -= 0.5 if integer_centres else 0.0
        return OpenCV(K, cam.view[..., :3, :3].clone(), cam.view[..., :3, 3].clone())

    # --- looking ------------------------------------------------------------------------------

    @property
    def batched(self) -> bool:
        """Whether this is a batch of cameras."""
        return self.view.dim() == 3

    def __len__(self) -> int:
        return self.view.shape[0] if self.batched else 1

    def __getitem__(self, index: int | slice | Tensor | Sequence[int]) -> Camera:
        """One camera, or a subset, of a batch."""
        if not self.batched:
            raise ValueError("index: this is a single camera; only a batch can be indexed")

        def pick(t: Tensor) -> Tensor:
            return t[index] if t.dim() == 2 else t

        return replace(
            self, view=self.view[index], focal=pick(self.focal), centre=pick(self.centre)
        )

    def to(self, *args: Any, **kwargs: Any) -> Camera:
        """As `Tensor.to`, for all tensors of the camera."""
        return replace(
            self,
            view=self.view.to(*args, **kwargs),
            focal=self.focal.to(*args, **kwargs),
            centre=self.centre.to(*args, **kwargs),
        )

    def moved(self, shift: Tensor) -> Camera:
        """The camera moved by `shift` (3,) in the world, in float64: it sees of what is moved along
        what it saw before.

        Example:
            >>> middle = far_middle(mesh.vertices)
            >>> near = moved(mesh, -middle).to(torch.float32)
            >>> image = render(near, cam.moved(-middle).to(torch.float32), 256)
        """
        old = self.view.double()
        place = -torch.linalg.solve(old[..., :3, :3], old[..., :3, 3:])[..., 0] + shift.to(old)
        # a rotation of float32 would turn a place far off by as much as it is rounded
        view = nearest_rotation(old)
        view[..., :3, 3] = -(view[..., :3, :3] * place[..., None, :]).sum(-1)
        return replace(self.to(torch.float64), view=view)

    @property
    def position(self) -> Tensor:
        """(3,) or (N, 3), the eye in the world."""
        return -(self.view[..., :3, :3] * self.view[..., :3, 3:]).sum(-2)

    @property
    def forward(self) -> Tensor:
        """(3,) or (N, 3), unit view direction in the world."""
        return self.view[..., 2, :3]

    def intrinsics(self, size: int | Sequence[int]) -> Tensor:
        """(4, 4) or (N, 4, 4): camera space to homogeneous image space (u w, v w, z, w)."""
        h, w = image_size(size)
        focal = self.focal.expand(*self.view.shape[:-2], 2) * h
        centre = self.centre.expand(*self.view.shape[:-2], 2) * self.centre.new_tensor([w, h])
        out = self.view.new_zeros(self.view.shape)
        last = 3 if self.orthographic else 2
        for axis in (0, 1):
            out[..., axis, axis] = focal[..., axis]
            out[..., axis, last] = centre[..., axis]
        out[..., 2, 2] = 1
        out[..., 3, last] = 1
        return out

    def projection(self, size: int | Sequence[int]) -> Tensor:
        """(4, 4) or (N, 4, 4): OpenCV camera space to OpenGL clip space of such an image."""
        h, w = image_size(size)
        image = self.intrinsics(size)
        out = torch.zeros_like(image)
        out[..., 0, :] = image[..., 0, :] * (2 / w) - image[..., 3, :]
        out[..., 1, :] = image[..., 3, :] - image[..., 1, :] * (2 / h)
        n, f = self.near, self.far
        if self.orthographic:
            out[..., 2, 2], out[..., 2, 3] = 2 / (f - n), -(f + n) / (f - n)
        else:
            out[..., 2, 2], out[..., 2, 3] = (f + n) / (f - n), -2 * f * n / (f - n)
        out[..., 3, :] = image[..., 3, :]
        return out

    def homogeneous(self, points: Tensor, size: int | Sequence[int]) -> Tensor:
        """Homogeneous image coordinates (u w, v w, z, w) of world points, differentiable.

        Args:
            points: (P, 3), on the camera's device.

        Returns:
            (P, 4), or (N, P, 4) for a batch, in the dtype of `points`.
        """
        frame = (self.view, self.focal, self.centre, self.orthographic, *image_size(size))
        return homogeneous(points, Projection(*frame))

    def project(self, points: Tensor, size: int | Sequence[int]) -> Tensor:
        """(P, 3) world points -> (P, 3) or (N, P, 3) of (u, v, depth); u, v in pixels."""
        out = self.homogeneous(points, size)
        return torch.cat((out[..., :2] / out[..., 3:], out[..., 2:3]), -1)

    def rays(self, size: int | Sequence[int]) -> tuple[Tensor, Tensor]:
        """Origins and unit directions in the world of the rays through all pixel centres.

        Returns:
            two tensors (H, W, 3), or (N, H, W, 3) for a batch.
        """
        h, w = image_size(size)
        like = self.view
        v, u = torch.meshgrid(
            torch.arange(h, dtype=like.dtype, device=like.device) + 0.5,
            torch.arange(w, dtype=like.dtype, device=like.device) + 0.5,
            indexing="ij",
        )
        k = self.intrinsics(size)[..., None, None, :, :]
        last = 3 if self.orthographic else 2
        x = (u - k[..., 0, last]) / k[..., 0, 0]
        y = (v - k[..., 1, last]) / k[..., 1, 1]
        turn = self.view[..., None, None, :3, :3]
        eye = self.position[..., None, None, :]
        if self.orthographic:
            origin = eye + x[..., None] * turn[..., 0, :] + y[..., None] * turn[..., 1, :]
            return origin, turn[..., 2, :].expand(origin.shape)
        ray = x[..., None] * turn[..., 0, :] + y[..., None] * turn[..., 1, :] + turn[..., 2, :]
        return eye.expand(ray.shape), unit(ray)
