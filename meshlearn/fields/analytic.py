"""Solids whose distance is known in closed form, and what can be built of them.

A solid is a function of points: ``solid(points (..., 3)) -> (...)``, negative inside, in torch and
differentiable in the points and in every parameter that is a tensor. Combine solids by ``a | b``
(union), ``a & b`` (intersection), ``a - b`` (difference), ``~a`` (what is outside) and
`smooth_union`; place them by ``.moved``, ``.turned``, ``.scaled``; give them skins by ``.rounded``
and ``.shell``.

Every solid says what its values are: ``exact_outside`` and ``exact_inside`` are True where the
value is the distance to the surface; where they are False it is a bound, never larger than the
distance. Either way no value changes faster than the point moves (Lipschitz constant 1). A union of
exact solids is exact outside and a bound inside, an intersection the other way round.

Batches: parameters broadcast against ``points[..., 0]``, points and directions against ``points``.
B solids of one kind at points (B, P, 3) take radii (B, 1) and centres (B, 1, 3).

Example:
    >>> mug = Cylinder(0.4, 0.5) - Cylinder(0.35, 0.5).moved((0, 0, 0.1))
    >>> mug(points).min()

Source of the closed forms: elementary geometry; J. C. Hart, Sphere tracing (1996), for the algebra
of bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Number = float | Tensor
Vector = Sequence[float] | Tensor

__all__ = [
    "Box",
    "Capsule",
    "Cone",
    "Cylinder",
    "Ellipsoid",
    "HalfSpace",
    "RoundedBox",
    "Solid",
    "Sphere",
    "Torus",
    "smooth_union",
]


def as_like(value: Number | Vector | Sequence[Sequence[float]], points: Tensor) -> Tensor:
    """A parameter as tensor of the dtype and device of points; gradients go through."""
    return torch.as_tensor(value, dtype=points.dtype, device=points.device)


def positive(value: Number, name: str) -> Number:
    """`value` where it is above zero everywhere."""
    if not bool((torch.as_tensor(value) > 0).all()):
        raise ValueError(f"{name}: expected positive, got {value}")
    return value


def length(v: Tensor) -> Tensor:
    """Lengths (...) of vectors (..., n), with gradient zero at the zero vector."""
    squared = (v * v).sum(-1)
    away = squared > 0
    return torch.where(away, squared, 1).sqrt() * away


class Solid:
    """A solid as a function of points; see the module.

    Args:
        function: points (..., dims) -> (...).
        exact: whether values are distances, (outside, inside).
        dims: 3, or 2 for the profiles of `meshlearn.fields.profiles`.
    """

    dims = 3

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        *,
        exact: tuple[bool, bool] = (True, True),
        dims: int = 3,
    ) -> None:
        self._function = function
        self.exact_outside, self.exact_inside = exact
        self.dims = dims

    @property
    def exact(self) -> bool:
        """Whether all values are distances."""
        return self.exact_outside and self.exact_inside

    def __call__(self, points: Tensor) -> Tensor:
        """Values (...) at points (..., dims)."""
        if not isinstance(points, Tensor) or not points.is_floating_point():
            raise ValueError(f"points: expected a float tensor, got {type(points).__name__}")
        if points.dim() < 1 or points.shape[-1] != self.dims:
            turned = points.dim() == 2 and points.shape[0] == self.dims
            raise ValueError(
                f"points: expected shape (..., {self.dims}), got {tuple(points.shape)}; "
                + ("transpose it with .T" if turned else f"give points of {self.dims} numbers")
            )
        return self._function(points)

    def _like(self, function: Callable[[Tensor], Tensor], *exact: bool) -> Solid:
        found = exact or (self.exact_outside, self.exact_inside)
        return Solid(function, exact=(found[0], found[-1]), dims=self.dims)

    def _with(self, other: Solid, function: Callable, exact: tuple[bool, bool]) -> Solid:
        if not isinstance(other, Solid):
            raise ValueError(f"other: expected a solid, got {type(other).__name__}")
        if other.dims != self.dims:
            raise ValueError("other: expected a solid of as many dimensions")
        return Solid(lambda p: function(self(p), other(p)), exact=exact, dims=self.dims)

    def __or__(self, other: Solid) -> Solid:
        """Union: exact outside where both are, a bound inside."""
        outside = self.exact_outside and getattr(other, "exact_outside", False)
        return self._with(other, torch.minimum, (outside, False))

    def __and__(self, other: Solid) -> Solid:
        """Intersection: exact inside where both are, a bound outside."""
        inside = self.exact_inside and getattr(other, "exact_inside", False)
        return self._with(other, torch.maximum, (False, inside))

    def __sub__(self, other: Solid) -> Solid:
        """Difference: exact inside where `self` is inside and `other` is outside."""
        inside = self.exact_inside and getattr(other, "exact_outside", False)
        return self._with(other, lambda a, b: torch.maximum(a, -b), (False, inside))

    def __invert__(self) -> Solid:
        """Everything outside, and exact there where this one is inside."""
        return self._like(lambda p: -self(p), self.exact_inside, self.exact_outside)

    def moved(self, offset: Vector) -> Solid:
        """Shifted by `offset` (..., dims)."""
        return self._like(lambda p: self(p - as_like(offset, p)))

    def turned(self, axis: Vector, degrees: Number) -> Solid:
        """Turned about an axis through the origin, counter-clockwise seen from its tip."""
        direction = torch.as_tensor(axis, dtype=torch.float64)
        if direction.shape[-1:] != (3,) or not bool((length(direction) > 0).all()):
            raise ValueError(f"axis: expected a vector of length above zero, got {axis}")

        def turn(p: Tensor) -> Tensor:
            n = as_like(axis, p)
            n = n / length(n)[..., None]
            angle = -as_like(degrees, p)[..., None] * (math.pi / 180)
            along = (p * n).sum(-1, keepdim=True) * n
            n = n.expand_as(p)
            return along + (p - along) * angle.cos() + torch.linalg.cross(n, p) * angle.sin()

        return self._like(lambda p: self(turn(p)))

    def placed(self, rotation: Tensor, offset: Vector = (0.0, 0.0, 0.0)) -> Solid:
        """Each point x of it goes to ``rotation @ x + offset``; rotation (..., 3, 3) orthogonal."""
        matrix = torch.as_tensor(rotation, dtype=torch.float64)
        unit = torch.eye(3, dtype=torch.float64, device=matrix.device)
        if matrix.shape[-2:] != (3, 3) or not torch.allclose(
            matrix.detach() @ matrix.detach().mT, unit.expand_as(matrix), atol=1e-5
        ):
            raise ValueError("rotation: expected orthogonal matrices (..., 3, 3)")

        def back(p: Tensor) -> Tensor:
            moved = p - as_like(offset, p)
            return (moved[..., None, :] @ as_like(rotation, p)).squeeze(-2)

        return self._like(lambda p: self(back(p)))

    def scaled(self, factor: Number) -> Solid:
        """Larger by one factor in all directions; distances stay distances."""
        positive(factor, "factor")

        def scale(p: Tensor) -> Tensor:
            by = as_like(factor, p)
            return self(p / by[..., None]) * by

        return self._like(scale)

    def stretched(self, factors: Vector) -> Solid:
        """Larger by a factor along each axis: a bound, scaled with the smallest factor."""
        positive(factors, "factors")  # type: ignore[arg-type]

        def stretch(p: Tensor) -> Tensor:
            by = as_like(factors, p)
            return self(p / by) * by.amin(-1)

        return self._like(stretch, False)

    def rounded(self, radius: Number) -> Solid:
        """Grown by `radius`, which rounds its convex edges: exact outside where this one is."""
        positive(radius, "radius")
        return self._like(lambda p: self(p) - as_like(radius, p), self.exact_outside, False)

    def shell(self, thickness: Number) -> Solid:
        """What is within half the thickness of the surface: a bound inside itself."""
        positive(thickness, "thickness")
        return self._like(lambda p: self(p).abs() - as_like(thickness, p) / 2, self.exact, False)

    def mirrored(self, axis: int) -> Solid:
        """With the half of negative coordinate `axis` replaced by the mirrored positive half.

        A bound, unless the solid stays away from the plane or is cut by it at right angles.
        """
        if axis not in range(self.dims):
            raise ValueError(f"axis: expected 0 to {self.dims - 1}, got {axis}")

        def fold(p: Tensor) -> Tensor:
            parts = list(p.unbind(-1))
            parts[axis] = parts[axis].abs()
            return self(torch.stack(parts, -1))

        return self._like(fold, False)


def smooth_union(a: Solid, b: Solid, radius: Number) -> Solid:
    """Union with a fillet, where both are nearer than `radius` to each other: a bound.

    Minimum of both less ``max(radius - |a - b|, 0)² / (4 radius)``.
    """
    positive(radius, "radius")

    def blend(x: Tensor, y: Tensor) -> Tensor:
        k = as_like(radius, x)
        overlap = (k - (x - y).abs()).clamp(min=0)
        return torch.minimum(x, y) - overlap * overlap / (4 * k)

    return a._with(b, blend, (False, False))


class Sphere(Solid):
    """Ball of a radius about the origin: exact."""

    def __init__(self, radius: Number = 1.0) -> None:
        positive(radius, "radius")
        super().__init__(lambda p: length(p) - as_like(radius, p))


class HalfSpace(Solid):
    """Points with ``normal · p <= offset``, the normal of any length above zero: exact."""

    def __init__(self, normal: Vector = (0.0, 0.0, 1.0), offset: Number = 0.0) -> None:
        if not bool((length(torch.as_tensor(normal, dtype=torch.float64)) > 0).all()):
            raise ValueError(f"normal: expected a vector of length above zero, got {normal}")

        def value(p: Tensor) -> Tensor:
            n = as_like(normal, p)
            return ((p * n).sum(-1) - as_like(offset, p)) / length(n)

        super().__init__(value)


class Box(Solid):
    """Box about the origin with half its sides (..., 3): exact."""

    def __init__(self, half: Vector = (1.0, 1.0, 1.0)) -> None:
        positive(half, "half")  # type: ignore[arg-type]

        def value(p: Tensor) -> Tensor:
            q = p.abs() - as_like(half, p)
            return length(q.clamp(min=0)) + q.amax(-1).clamp(max=0)

        super().__init__(value)


class RoundedBox(Solid):
    """Box with half its outer sides, its edges rounded by a radius: exact."""

    def __init__(self, half: Vector = (1.0, 1.0, 1.0), radius: Number = 0.1) -> None:
        positive(radius, "radius")
        sides, least = torch.as_tensor(half), torch.as_tensor(radius)
        if not bool((sides > least[..., None]).all()):
            raise ValueError(f"half: expected above the radius {radius}, got {half}")

        def value(p: Tensor) -> Tensor:
            r = as_like(radius, p)
            q = p.abs() - (as_like(half, p) - r[..., None])
            return length(q.clamp(min=0)) + q.amax(-1).clamp(max=0) - r

        super().__init__(value)


class Cylinder(Solid):
    """Cylinder about the z axis, from -half_height to half_height: exact."""

    def __init__(self, radius: Number = 1.0, half_height: Number = 1.0) -> None:
        positive(radius, "radius")
        positive(half_height, "half_height")

        def value(p: Tensor) -> Tensor:
            side = length(p[..., :2]) - as_like(radius, p)
            cap = p[..., 2].abs() - as_like(half_height, p)
            q = torch.stack(torch.broadcast_tensors(side, cap), -1)
            return length(q.clamp(min=0)) + q.amax(-1).clamp(max=0)

        super().__init__(value)


class Capsule(Solid):
    """Points nearer than a radius to the segment from `start` to `end`: exact."""

    def __init__(self, start: Vector, end: Vector, radius: Number) -> None:
        positive(radius, "radius")

        def value(p: Tensor) -> Tensor:
            a, b = as_like(start, p), as_like(end, p)
            along = b - a
            squared = (along * along).sum(-1).clamp(min=torch.finfo(p.dtype).tiny)
            t = (((p - a) * along).sum(-1) / squared).clamp(0, 1)
            return length(p - a - t[..., None] * along) - as_like(radius, p)

        super().__init__(value)


class Cone(Solid):
    """Frustum about the z axis: radius `bottom` at -half_height, `top` at half_height: exact.

    One of the radii may be 0.
    """

    def __init__(self, bottom: Number = 1.0, top: Number = 0.0, half_height: Number = 1.0) -> None:
        positive(half_height, "half_height")
        low, high = torch.as_tensor(bottom), torch.as_tensor(top)
        if not bool(((low >= 0) & (high >= 0) & (low + high > 0)).all()):
            raise ValueError(f"bottom, top: expected 0 or more, not both 0, got {bottom} and {top}")

        def value(p: Tensor) -> Tensor:
            r, z = length(p[..., :2]), p[..., 2]
            r1, r2, h = (as_like(v, p) for v in (bottom, top, half_height))
            # to the nearer cap, a disc
            cap = torch.stack(
                torch.broadcast_tensors(
                    (r - torch.where(z < 0, r1, r2)).clamp(min=0), z.abs() - h
                ), -1,
            )  # fmt: skip
            # to the slanted side, a segment of the half plane
            dr, dz = r2 - r1, 2 * h
            t = (((r - r1) * dr + (z + h) * dz) / (dr * dr + dz * dz)).clamp(0, 1)
            side = torch.stack(torch.broadcast_tensors(r - r1 - t * dr, z + h - t * dz), -1)
            inside = (side[..., 0] * dz - side[..., 1] * dr < 0) & (z.abs() < h)
            distance = torch.minimum(length(cap), length(side))
            return torch.where(inside, -distance, distance)

        super().__init__(value)


class Torus(Solid):
    """Ring about the z axis, `major` to the middle of its tube of radius `minor`: exact."""

    def __init__(self, major: Number = 1.0, minor: Number = 0.3) -> None:
        positive(minor, "minor")
        if not bool((torch.as_tensor(major) >= torch.as_tensor(minor)).all()):
            raise ValueError(f"major: expected at least minor, got {major} and {minor}")

        def value(p: Tensor) -> Tensor:
            around = length(p[..., :2]) - as_like(major, p)
            q = torch.stack(torch.broadcast_tensors(around, p[..., 2]), -1)
            return length(q) - as_like(minor, p)

        super().__init__(value)


class Ellipsoid(Solid):
    """Ellipsoid about the origin with three radii (..., 3): exact, by the foot of each point.

    The foot of p is ``r² p / (t + r²)`` for the largest root t of ``Σ (r p / (t + r²))² = 1``,
    found by bisection in float64; gradients are those of the root.
    """

    def __init__(self, radii: Vector) -> None:
        positive(radii, "radii")  # type: ignore[arg-type]

        def value(p: Tensor) -> Tensor:
            r = as_like(radii, p).double()
            # a point in a plane of symmetry has two feet: one side is taken
            x = torch.where(p < 0, -1, 1) * p.double()
            x = x + (1e-9 * r - x).clamp(min=0).detach()
            squared = r * r
            with torch.no_grad():
                scaled = x * r
                low = (scaled - squared).amax(-1)  # there the sum is at least 1
                high = length(scaled) - squared.amin(-1)  # there at most 1
                for _ in range(60):
                    middle = (low + high) / 2
                    over = ((scaled / (middle[..., None] + squared)) ** 2).sum(-1) > 1
                    low, high = torch.where(over, middle, low), torch.where(over, high, middle)
                root = (low + high) / 2
                slope = (-2 * scaled**2 / (root[..., None] + squared) ** 3).sum(-1)
            # one step of Newton: nothing in value, all in gradient
            left = ((x * r / (root[..., None] + squared)) ** 2).sum(-1) - 1
            t = root - left / slope
            foot = squared * x / (t[..., None] + squared)
            outside = ((x / r) ** 2).sum(-1) > 1
            distance = length(x - foot)
            return torch.where(outside, distance, -distance).to(p.dtype)

        super().__init__(value)
