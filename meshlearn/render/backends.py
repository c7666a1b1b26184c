"""Who rasterises and antialiases: our own operators, their torch references, or nvdiffrast.

A backend is an object with `rasterize(mesh, cam, size)` and `antialias(image, fragments, mesh,
cam)`; everything else (interpolation, textures, shading) is the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module, util
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from meshlearn.render.antialias import antialias
from meshlearn.render.camera import Camera, image_size
from meshlearn.render.fragments import Fragments
from meshlearn.render.rasterize import rasterize

if TYPE_CHECKING:
    from meshlearn.mesh import Mesh

BACKENDS = ("native", "reference", "nvdiffrast")


class Backend(Protocol):
    """What every backend offers."""

    name: str

    def rasterize(self, mesh: Mesh, cam: Camera, size: int | Sequence[int]) -> Fragments:
        """As `meshlearn.render.rasterize`."""

    def antialias(self, image: Tensor, fragments: Fragments, mesh: Mesh, cam: Camera) -> Tensor:
        """As `meshlearn.render.antialias`."""


class _Own:
    def __init__(self, name: str) -> None:
        self.name = name

    def rasterize(self, mesh: Mesh, cam: Camera, size: int | Sequence[int]) -> Fragments:
        return rasterize(mesh, cam, size, backend=self.name)

    def antialias(self, image: Tensor, fragments: Fragments, mesh: Mesh, cam: Camera) -> Tensor:
        return antialias(image, fragments, mesh, cam, backend=self.name)


class _Nvdiffrast:
    """nvdiffrast's rasteriser and antialiasing, in float32 on CUDA.

    Its rows count from the bottom and its barycentrics leave out the last corner; both are turned
    into ours. It knows no near plane but that of clip space.
    """

    name = "nvdiffrast"

    def __init__(self, module: Any) -> None:
        self.module = module
        self.contexts: dict[torch.device, Any] = {}

    def _context(self, device: torch.device) -> Any:
        if device.type != "cuda":
            raise ValueError(
                f"backend: 'nvdiffrast' works on CUDA only, and the mesh is on {device}; move it "
                "with .to('cuda'), or take backend='native'"
            )
        if device not in self.contexts:
            self.contexts[device] = self.module.RasterizeCudaContext(device=device)
        return self.contexts[device]

    def _clip(self, mesh: Mesh, cam: Camera, size: tuple[int, int]) -> Tensor:
        """(N, V, 4) OpenGL clip coordinates."""
        h, w = size
        image = cam.homogeneous(mesh.vertices, size)
        image = (image if cam.batched else image[None]).float()
        u, v, z, last = image.unbind(-1)
        near, far = cam.near, cam.far
        if cam.orthographic:
            deep = (2 * z - (far + near)) / (far - near)
        else:
            deep = ((far + near) * z - 2 * far * near) / (far - near)
        return torch.stack((u * (2 / w) - last, last - v * (2 / h), deep, last), -1).contiguous()

    def rasterize(self, mesh: Mesh, cam: Camera, size: int | Sequence[int]) -> Fragments:
        h, w = image_size(size)
        context = self._context(mesh.device)
        if mesh.num_faces == 0:
            return rasterize(mesh, cam, (h, w))
        clip = self._clip(mesh, cam, (h, w))
        faces = mesh.faces.int().contiguous()
        rast, _ = self.module.rasterize(context, clip, faces, (h, w))
        rast = rast.flip(1)
        face = rast[..., 3].long() - 1
        seen = face >= 0
        u, v = rast[..., 0], rast[..., 1]
        bary = torch.stack((u, v, 1 - u - v), -1) * seen[..., None]
        z = cam.homogeneous(mesh.vertices, (h, w))[..., 2:3]
        z = z if cam.batched else z[None]
        corner = mesh.faces[face.clamp(min=0)]  # (N, H, W, 3)
        view = torch.arange(len(z), device=z.device)[:, None, None, None]
        depth = (z[..., 0][view, corner] * bary).sum(-1)
        out = Fragments(face, bary.to(mesh.dtype), depth.to(mesh.dtype))
        return out if cam.batched else Fragments(*(t[0] for t in out))

    def antialias(self, image: Tensor, fragments: Fragments, mesh: Mesh, cam: Camera) -> Tensor:
        face = fragments.face if cam.batched else fragments.face[None]
        if mesh.num_faces == 0:
            return image
        n, h, w = face.shape
        bary = fragments.barycentric.reshape(n, h, w, 3).float()
        clip = self._clip(mesh, cam, (h, w))
        depth = fragments.depth.reshape(n, h, w).float()
        deep = depth
        if not cam.orthographic:  # z / w of clip space
            near, far = cam.near, cam.far
            deep = (far + near - 2 * far * near / depth.clamp(min=1e-20)) / (far - near)
        rast = torch.cat((bary[..., :2], deep[..., None], (face + 1).float()[..., None]), -1)
        flat = image.reshape(n, h, w, -1).float()
        out = self.module.antialias(
            flat.flip(1).contiguous(),
            rast.flip(1).contiguous(),
            clip,
            mesh.faces.int().contiguous(),
        )
        return out.flip(1).reshape(image.shape).to(image.dtype)


_loaded: dict[str, Backend] = {}


def available(name: str) -> str:
    """Why a backend cannot be used here, "" if it can.

    Example:
        >>> available("native")
        ''
    """
    if name not in BACKENDS:
        return f"{name!r} is not one of {', '.join(BACKENDS)}"
    if name != "nvdiffrast":
        return ""
    if util.find_spec("nvdiffrast") is None:
        return "the package nvdiffrast is not installed"
    if not torch.cuda.is_available():
        return "nvdiffrast needs a CUDA device, and torch sees none"
    return ""


def get_backend(name: str) -> Backend:
    """The backend of that name: "native", "reference" or "nvdiffrast".

    Raises:
        ValueError: there is none of that name.
        ImportError: it cannot be used here; the message names what is missing.
    """
    reason = available(name)
    if name not in BACKENDS:
        raise ValueError(f"backend: {reason}")
    if reason:
        raise ImportError(f"backend: {reason}; take backend='native'")
    if name not in _loaded:
        if name == "nvdiffrast":
            _loaded[name] = _Nvdiffrast(import_module("nvdiffrast.torch"))
        else:
            _loaded[name] = _Own(name)
    return _loaded[name]
