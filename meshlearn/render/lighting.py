"""Light: directions that move with the camera, and spherical harmonics fixed in the world."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from meshlearn.render.camera import Camera


@dataclass(frozen=True)
class Lights:
    """Directional lights that move with the camera, over an ambient that is brighter from above.

    Attributes:
        directions: where light comes from, in camera space (x right, y down, z forward).
        intensities: one a direction; a surface that faces a light of 1 gets all its albedo.
        sky, ground: ambient on surfaces that face up and down in the image.
    """

    directions: tuple[tuple[float, float, float], ...] = ((0.0, 0.0, -1.0),)
    intensities: tuple[float, ...] = (0.8,)
    sky: float = 0.2
    ground: float = 0.2


HEADLIGHT = Lights()
STUDIO = Lights(
    directions=((-0.55, -0.75, -0.85), (0.9, -0.15, -0.6), (0.1, -0.5, 0.9)),
    intensities=(0.62, 0.22, 0.2),
    sky=0.46,
    ground=0.26,
)

# Three lamps of different colours over a grey sky, fixed in the world: each direction of a normal
# has a brightness of its own. Rows: the nine functions of `sh_basis`; columns: red, green, blue.
DAYLIGHT = torch.tensor(
    [
        [2.60, 2.60, 2.60],
        [0.48, 0.52, 0.58],
        [0.32, 0.12, -0.20],
        [0.44, 0.22, -0.06],
        [0.10, 0.00, -0.08],
        [0.08, 0.04, 0.00],
        [-0.06, -0.05, -0.04],
        [0.06, 0.00, -0.06],
        [0.05, 0.05, 0.08],
    ]
)


# Norms of the real spherical harmonics of orders 0 to 2, to the digits of the source below.
_ONE = 0.282095  # √(1/π) / 2
_LINEAR = 0.488603  # √(3/π) / 2, of x, y and z
_PRODUCT = 1.092548  # √(15/π) / 2, of xy, yz and xz
_AXIAL = 0.315392  # √(5/π) / 4, of 3z² - 1
_SADDLE = 0.546274  # √(15/π) / 4, of x² - y²


def sh_basis(normal: Tensor) -> Tensor:
    """The nine real spherical harmonics to second order of unit vectors (…, 3) -> (…, 9).

    Order: 1; y, z, x; xy, yz, 3z² - 1, xz, x² - y², each with its norm: the integral of the square
    of each over the sphere is 1, of the product of two 0.

    Source: Ramamoorthi and Hanrahan (2001), "An efficient representation for irradiance environment
    maps".
    """
    x, y, z = normal.unbind(-1)
    return torch.stack(
        (
            torch.full_like(x, _ONE),
            _LINEAR * y,
            _LINEAR * z,
            _LINEAR * x,
            _PRODUCT * x * y,
            _PRODUCT * y * z,
            _AXIAL * (3 * z * z - 1),
            _PRODUCT * x * z,
            _SADDLE * (x * x - y * y),
        ),
        -1,
    )


def sh_light(normal: Tensor, albedo: Tensor, light: Tensor) -> Tensor:
    """Light reflected by a matte surface under spherical harmonics, not clamped.

    Args:
        normal: (…, 3) unit normals in the world, turned towards the viewer.
        albedo: (…, 3).
        light: (9,) or (9, 3) coefficients of the reflected light, per colour.

    Example:
        >>> sh_light(normal, albedo, DAYLIGHT)
    """
    if light.shape not in ((9,), (9, 3)):
        raise ValueError(f"light: expected (9,) or (9, 3) coefficients, got {tuple(light.shape)}")
    light = light.to(normal) if light.dim() == 2 else light.to(normal)[:, None].expand(9, 3)
    basis = sh_basis(normal)
    # Spelled out: a matrix product would sum in an order that depends on the library.
    strength = basis[..., 0, None] * light[0]
    for k in range(1, 9):
        strength = strength + basis[..., k, None] * light[k]
    return albedo * strength


def fit_sh_light(normal: Tensor, albedo: Tensor, color: Tensor, *, damping: float = 1e-3) -> Tensor:
    """The light (9, 3) under which surfaces look most like their images, by least squares.

    Args:
        normal: (P, 3) unit.
        albedo: (P, 3).
        color: (P, 3) as seen.
        damping: pulls coefficients that no normal tells of to 0, in mean squares.
    """
    basis = sh_basis(normal.double())
    out = []
    for c in range(3):
        rows = basis * albedo[:, c, None].double()
        joined = torch.cat((rows, color[:, c, None].double()), 1)
        pad = -len(joined) % 1024
        # blocks of fixed length: the order of the sum does not depend on the threads
        blocks = torch.nn.functional.pad(joined, (0, 0, 0, pad)).view(-1, 1024, 10)
        gram = (blocks.mT @ blocks).sum(0) / max(len(joined), 1)
        eye = torch.eye(9, dtype=gram.dtype, device=gram.device)
        out.append(torch.linalg.solve(gram[:9, :9] + damping * eye, gram[:9, 9]))
    return torch.stack(out, 1).to(normal.dtype)


def lambert(normal: Tensor, albedo: Tensor, cam: Camera, lights: Lights = HEADLIGHT) -> Tensor:
    """Light reflected by a matte surface: Lambert's cosine law under a sky and over a ground.

    albedo (Σ iₖ max(0, n · lₖ) + ground + (sky - ground) (1 + n · up) / 2), with the directions lₖ
    of lights, their intensities iₖ, and up in the image: a sky that fills the upper half of all
    directions lights a surface by the share of it that the surface faces.

    Args:
        normal: (..., 3) unit normals in the world, turned towards the viewer.
        albedo: (..., 3).
        cam: one camera, whose axes the lights are given in.

    Returns:
        (..., 3), not clamped.
    """
    turn = cam.view[:3, :3].to(normal)
    strength = torch.zeros_like(normal[..., 0])
    for direction, intensity in zip(lights.directions, lights.intensities, strict=True):
        to_light = normal.new_tensor(direction)
        to_light = ((to_light / to_light.norm())[:, None] * turn).sum(0)
        strength = strength + intensity * (normal * to_light).sum(-1).clamp(min=0)
    up = -(normal * turn[1]).sum(-1)
    strength = strength + lights.ground + (lights.sky - lights.ground) * (0.5 + 0.5 * up)
    return albedo * strength[..., None]
