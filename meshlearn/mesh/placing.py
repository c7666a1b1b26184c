"""Meshes moved, turned and scaled: affine maps of vertices, and of attributes that point."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from meshlearn._validate import as_tensor

_ALONG = ("tangent", "bitangent")  # attributes that turn with the surface; "normal" stays upright


def affine(matrix: object, like: Tensor) -> tuple[Tensor, Tensor]:
    """Linear part (3, 3) and offset (3,) of a matrix (3, 3), (3, 4) or (4, 4), as `like`."""
    found = as_numbers(matrix, "matrix", like)
    shape = tuple(found.shape)
    if shape not in ((3, 3), (3, 4), (4, 4)):
        raise ValueError(f"matrix: expected shape (4, 4), (3, 4) or (3, 3), got {shape}; pass one")
    if shape == (4, 4) and not torch.equal(found[3], found.new_tensor([0, 0, 0, 1])):
        raise ValueError(
            f"matrix: expected the last row 0 0 0 1 of an affine map, got {found[3].tolist()}; "
            "transpose it, or divide by its corner"
        )
    offset = found[:3, 3] if shape[1] == 4 else found.new_zeros(3)
    return found[:3, :3], offset


def as_numbers(value: object, name: str, like: Tensor) -> Tensor:
    """Numbers, an array or a tensor as a finite tensor of the dtype and device of `like`."""
    found = as_tensor(value, name, dtype=torch.float64)
    if not bool(torch.isfinite(found.detach()).all()):
        raise ValueError(f"{name}: expected finite numbers, got {found.tolist()}; remove NaN first")
    return found.to(like.device, like.dtype)


def positions(
    vertices: Tensor, linear: Tensor, offset: Tensor | None, about: Tensor | None
) -> Tensor:
    """(V, 3) by a linear map about a point (3,), the origin if None, and an offset (3,)."""
    made = (vertices if about is None else vertices - about) @ linear.T
    for shift in (offset, about):
        made = made if shift is None else made + shift
    return made


def mirrors(linear: Tensor) -> bool:
    """Whether a map turns surfaces inside out."""
    return float(torch.linalg.det(linear.detach().double())) < 0


def turned(attributes: Mapping[str, Tensor], linear: Tensor) -> dict[str, Tensor]:
    """Attributes under a linear map: normals and tangents turn, others stay."""
    sign = -1.0 if mirrors(linear) else 1.0

    def turn(name: str, values: Tensor) -> Tensor:
        if not values.is_floating_point() or values.dim() != 2:
            return values
        if name == "normal" and values.shape[1] == 3:
            upright = sign * cofactors(linear).to(values)
            return torch.nn.functional.normalize(values @ upright.T, dim=1)
        if name in _ALONG and values.shape[1] in (3, 4):
            along = torch.nn.functional.normalize(values[:, :3] @ linear.T.to(values), dim=1)
            return torch.cat((along, sign * values[:, 3:]), 1)
        return values

    return {name: turn(name, values) for name, values in attributes.items()}


def cofactors(linear: Tensor) -> Tensor:
    """(3, 3) by which normals turn: the inverse transposed, times the determinant."""
    a, b, c = linear.unbind(0)
    cross = torch.linalg.cross
    return torch.stack((cross(b, c), cross(c, a), cross(a, b)))


def rotation(axis: object, degrees: float, like: Tensor) -> Tensor:
    """(3, 3) turn about an axis through the origin, counter-clockwise seen from its tip.

    Source: O. Rodrigues, Des lois géométriques qui régissent les déplacements d'un système solide,
    1840.
    """
    if isinstance(axis, str):
        if axis not in ("x", "y", "z"):
            raise ValueError(f"axis: expected x, y, z or three numbers, got {axis!r}; pass one")
        axis = [float(axis == name) for name in "xyz"]
    if not math.isfinite(degrees):
        raise ValueError(f"degrees: expected a finite number, got {degrees!r}; pass one")
    direction = as_numbers(axis, "axis", like.new_zeros(0, dtype=torch.float64))
    length = float(direction.norm()) if direction.shape == (3,) else 0.0
    if not length > 0:
        raise ValueError(
            f"axis: expected x, y, z or three numbers that are not all 0, got {axis!r}; pass one"
        )
    x, y, z = (direction / length).tolist()
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    if degrees % 90 == 0:  # no 6e-17 where there is a 0
        cosine, sine = round(cosine), round(sine)
    cross = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
    turn = torch.eye(3, dtype=torch.float64) + sine * cross + (1 - cosine) * (cross @ cross)
    return turn.to(like.device, like.dtype)


def factors(factor: float | Sequence[float] | Tensor, like: Tensor) -> Tensor:
    """(3, 3) of one factor or three, none of them 0."""
    found = as_numbers(factor, "factor", like)
    if found.shape not in ((), (1,), (3,)) or bool((found == 0).any()):
        raise ValueError(
            f"factor: expected one number or three, none of them 0, got {factor!r}; pass such"
        )
    return torch.diag_embed(found.expand(3))
