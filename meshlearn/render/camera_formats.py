"""Cameras from the matrices of other libraries, and back: OpenGL, nvdiffrast, PyTorch3D, NeRF.

All conventions are those of `meshlearn.render.camera`; what differs elsewhere is said here.

- *nvdiffrast* takes clip coordinates of OpenGL, `projection @ view`, and its image has row 0 at the
  bottom; ours has it at the top.
- *PyTorch3D* writes points as rows, x_camera = x_world @ R + T, with x to the left, y up and z
  forward; in NDC the shorter side of the image spans [-1, 1], +1 at the left and at the top.
- *NeRF* (`transforms.json`) gives the OpenGL camera-to-world matrix.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from meshlearn.captures.poses import rigid_fault
from meshlearn.mesh.centring import kind_for
from meshlearn.render.camera import Camera, image_size, nearest_rotation
from meshlearn.render.camera_matrices import frustum_of

_FLIP = (1.0, -1.0, -1.0, 1.0)  # OpenGL camera axes <-> OpenCV's
_TURN = (-1.0, -1.0, 1.0)  # PyTorch3D's camera axes <-> OpenCV's


def rigid(matrix: Tensor, name: str) -> Tensor:
    """`matrix` (4, 4) or (N, 4, 4) if it is a rigid motion, else a ValueError of one sentence."""
    fault = rigid_fault(matrix.detach().double().cpu().numpy())
    if fault:
        raise ValueError(f"{name}: {fault}")
    return matrix


def from_camera_to_world(
    matrix: Tensor,  # (4, 4) or (N, 4, 4)
    *,
    focal: Sequence[float] | Tensor,
    centre: Sequence[float] | Tensor = (0.5, 0.5),
    near: float = 1e-3,
    far: float = 1e3,
    name: str = "matrix",
) -> Camera:
    """From OpenGL camera-to-world matrices, as NeRF's `transform_matrix`.

    Args:
        matrix: (4, 4) or (N, 4, 4); columns are the camera's x (right), y (up), z (backward) axes
            and its position in the world.
        focal: (2,) or (N, 2) in units of the image height.
        centre: (2,) or (N, 2), principal point as a fraction of (width, height).
        name: what an error calls the matrix.

    Returns:
        A float32 camera; float64 where several lie far from the origin, seen from their distance.

    Raises:
        ValueError: the matrix is singular, mirrored, scaled or not finite.

    Example:
        >>> cam = from_camera_to_world(torch.eye(4), focal=(1.2, 1.2))
        >>> cam.forward
        tensor([0., 0., -1.])
    """
    turned = nearest_rotation(rigid(torch.as_tensor(matrix), name))
    flip = turned.new_tensor(_FLIP)
    view = torch.linalg.inv(turned * flip)
    return _narrow(
        Camera(
            view,
            torch.as_tensor(focal, dtype=torch.float64),
            torch.as_tensor(centre, dtype=torch.float64),
            near=near,
            far=far,
        )
    )


def _narrow(cam: Camera) -> Camera:
    """The camera in float32, unless several stand where that would cost the places between them."""
    return cam.to(kind_for(cam.position.reshape(-1, 3)))


def to_camera_to_world(cam: Camera) -> Tensor:
    """(4, 4) or (N, 4, 4) float64 OpenGL camera-to-world matrices, as NeRF's."""
    flip = torch.tensor(_FLIP, dtype=torch.float64, device=cam.view.device)
    return torch.linalg.inv(nearest_rotation(cam.view)) * flip


def from_projection(view: Tensor, projection: Tensor, size: int | Sequence[int]) -> Camera:
    """From OpenGL matrices, such as are multiplied for nvdiffrast: `clip = projection @ view @ x`.

    Args:
        view: (4, 4) or (N, 4, 4), world to camera with y up and z backward.
        projection: (4, 4) or (N, 4, 4), camera to clip space; perspective or orthographic, without
            skew, all with the same near and far plane.
        size: of the image, which the focal lengths are relative to.

    Raises:
        ValueError: a matrix is singular, mirrored or of another form.

    Example:
        >>> cam = from_projection(view, projection, 256)
    """
    view = torch.as_tensor(view)
    frustum = frustum_of(projection, image_size(size))
    flip = torch.tensor(_FLIP, dtype=torch.float64, device=view.device)
    turned = flip[:, None] * nearest_rotation(rigid(view, "view"))
    return _narrow(Camera(turned, *frustum))


def to_projection(cam: Camera, size: int | Sequence[int]) -> tuple[Tensor, Tensor]:
    """(view, projection) of OpenGL, the inverse of `from_projection`; (4, 4) or (N, 4, 4) each."""
    flip = torch.tensor(_FLIP, dtype=cam.view.dtype, device=cam.view.device)
    return flip[:, None] * cam.view, cam.projection(size) * flip


def clip_matrix(cam: Camera, size: int | Sequence[int]) -> Tensor:
    """(4, 4) or (N, 4, 4): world to clip space, as nvdiffrast takes; row 0 is the bottom there."""
    return cam.projection(size) @ cam.view


def from_pytorch3d(
    R: Tensor,  # (3, 3) or (N, 3, 3)
    T: Tensor,  # (3,) or (N, 3)
    *,
    focal_length: float | Sequence[float] | Tensor,
    principal_point: Sequence[float] | Tensor = (0.0, 0.0),
    size: int | Sequence[int],
    in_ndc: bool = True,
    near: float = 1e-3,
    far: float = 1e3,
) -> Camera:
    """From the arguments of PyTorch3D's `PerspectiveCameras`.

    Args:
        R, T: x_camera = x_world @ R + T.
        focal_length: one number, (2,) or (N, 2), in NDC or in pixels.
        principal_point: (2,) or (N, 2), in NDC (+x left, +y up) or in pixels from the top left.
        size: (height, width) of the image.
        in_ndc: whether focal length and principal point are in NDC.

    Raises:
        ValueError: R is singular, mirrored, scaled or not finite.

    Example:
        >>> R, T = torch.eye(3), torch.tensor([0.0, 0, 3])
        >>> cam = from_pytorch3d(R, T, focal_length=2.0, size=256)
    """
    h, w = image_size(size)
    R, T = torch.as_tensor(R).double(), torch.as_tensor(T).double()
    if R.dim() not in (2, 3) or R.shape[-2:] != (3, 3) or T.shape != (*R.shape[:-2], 3):
        raise ValueError(
            f"R, T: expected (3, 3) and (3,), or (N, 3, 3) and (N, 3), got {tuple(R.shape)} and "
            f"{tuple(T.shape)}"
        )
    turn = R.new_tensor(_TURN)
    view = R.new_zeros(*R.shape[:-2], 4, 4)
    view[..., :3, :3] = turn[:, None] * R.mT
    view[..., :3, 3] = turn * T
    view[..., 3, 3] = 1
    focal = torch.as_tensor(focal_length, dtype=torch.float64, device=R.device)
    focal = focal.expand(2) if focal.dim() == 0 else focal
    point = torch.as_tensor(principal_point, dtype=torch.float64, device=R.device)
    extent = R.new_tensor([w, h])
    if in_ndc:
        half = min(h, w) / 2
        focal, point = focal * half, extent / 2 - point * half
    return _narrow(
        Camera(
            nearest_rotation(rigid(view, "R")),
            focal / h,
            point / extent,
            near=near,
            far=far,
        )
    )


def to_pytorch3d(cam: Camera, size: int | Sequence[int]) -> dict[str, Tensor]:
    """R (N, 3, 3), T (N, 3), focal_length and principal_point (N, 2) in NDC, for PyTorch3D.

    Pass them to its `PerspectiveCameras` (`FoVOrthographicCameras` have no counterpart here).

    Raises:
        ValueError: the camera is orthographic.
    """
    if cam.orthographic:
        raise ValueError("cam: expected a perspective camera, got an orthographic one")
    h, w = image_size(size)
    view = cam.view if cam.batched else cam.view[None]
    turn = view.new_tensor(_TURN)
    half = min(h, w) / 2
    n = view.shape[0]
    extent = view.new_tensor([w, h])
    return {
        "R": (turn[:, None] * view[:, :3, :3]).mT.contiguous(),
        "T": turn * view[:, :3, 3],
        "focal_length": cam.focal.expand(n, 2) * h / half,
        "principal_point": (0.5 - cam.centre.expand(n, 2)) * extent / half,
    }
