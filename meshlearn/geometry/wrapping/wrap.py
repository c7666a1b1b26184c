"""A closed surface around anything: triangle soups, shells with holes, several parts, points."""

from __future__ import annotations

import math
import warnings
from numbers import Real
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._memory import available_memory
from meshlearn._validate import TensorLike, check_tensor
from meshlearn.geometry._space import check_points
from meshlearn.geometry.bvh import MeshBVH
from meshlearn.geometry.neighbours import knn
from meshlearn.geometry.wrapping.cells import (
    BAND,
    BLOCK,
    FREE,
    SLACK,
    cell_surface,
    cells_inside,
    codes,
    mend_cells,
    settle,
)
from meshlearn.geometry.wrapping.fitting import Quads, apart, fit
from meshlearn.geometry.wrapping.nearest import Wrapped
from meshlearn.mesh import Mesh, used_vertices

ALPHA = 0.01  # of the diagonal, the default radius of the ball
OFFSET = 0.1  # of alpha, the default offset
_SPACINGS = 1.5  # of points, that alpha is at least by default, so that no ball falls between
_FINEST = 0.005  # of the diagonal, the width of cells that a larger ball is divided into
_ALONG = (2.0, 6.0)  # cells along the radius of the ball, fewest and most
_WIDER = 1.5  # times as wide as its hole is the least room behind one
_HELD = 0.9  # cells around what is wrapped that no ball enters: above SLACK, so that none leaks
_BEYOND = 0.5  # cells that balls are larger, since their centres are at those of cells only
_MOST = 1 << 30  # cells
_BYTES = 8  # a cell, with what is computed on the way
_LEVELS = 8  # halvings to find how wide an opening is that was closed
_TOLD = 0.9  # of the radius that keeps an opening as it was measured, for the error of cells
_SIZES = (1e-60, 1e60)  # of a shape, so that products of three lengths are finite
_DIGITS = 64.0  # steps of the dtype's rounding in a cell, the least that tells its corners apart


def wrap(
    shape: Mesh | TensorLike,
    alpha: float | None = None,
    offset: float | None = None,
    *,
    keep_cavities: bool = False,
    holes_up_to: float = 0.0,
    tight: bool = False,
) -> Mesh:
    """A closed, oriented 2-manifold without self-intersections around any mesh or points.

    A ball of radius `alpha` rolls around the shape; where it does not come is inside. So gaps and
    holes narrower than the ball are closed, double walls and inner parts vanish, and what
    remains is a solid, whatever the triangles were: loose, turned, crossing, in several parts.

    The surface is where cells that the ball reaches end (they are mended until that is a manifold),
    moved to `offset` from the shape, along sharp edges to where the planes beside them meet
    (quadric error). No face crosses another, nor the shape, decided by exact arithmetic: vertices
    of faces that would are moved back towards the cells.

    Args:
        shape: a mesh, or points (P, 3) float32 or float64, also as an array or a list. Faces may
            have any defect; coordinates are finite.
        alpha: radius of the ball in the shape's unit; gaps narrower than a ball with the offset
            around it (twice `alpha` and `offset`) are closed, others are entered, to a quarter of a
            cell. Default: 1 % of the diagonal of the shape's box, of points at least 1.5 times
            their spacing.
        offset: distance of the surface from the shape; default: a tenth of `alpha`.
        keep_cavities: closed rooms, wide enough for the ball, stay hollow, where the winding number
            of the faces says that they are not within the material: faces must be oriented.
        holes_up_to: holes of a diameter up to this are closed, too, where the room behind them is
            wider than they are by half, so that open hollows stay what they are. 0 for none.
        tight: the surface is on the shape, and touches it; `offset` is then 0 and what it encloses
            may stand out by rounding.

    Returns:
        A mesh in the dtype and on the device of the shape, without its attributes
        (`geometry.carry_attributes` brings them over); not differentiable. Where the ball comes it
        is within `offset` and a cell of the shape, in corners and gaps that no ball enters as far
        as they are deep. A cell is 0.5 % of the diagonal, but within a sixth and a half of `alpha`.

    Raises:
        ValueError: no faces and no points, coordinates that are not finite, a length that is not
            positive or larger than the shape, an alpha so small that cells take more memory than
            there is, or are below the precision of the coordinates.

    Warns:
        UserWarning: a closed mesh has more handles than its wrap, with the width of the widest that
            was closed and an alpha that keeps it; points that fall into several parts.

    Example:
        >>> solid = ml.geometry.wrap(ml.load("scan.ply"), alpha=0.5, holes_up_to=20)
        >>> solid.is_watertight, solid.is_vertex_manifold
        (True, True)

    Source: the idea of a ball that is kept out is Portaneri et al., Alpha wrapping with an offset
    (2022); cells whose boundary is a manifold are well-composed sets, Latecki (1997); the quadric
    of tangent planes is Ju et al., Dual contouring of Hermite data (2002).
    """
    given = _given(shape)
    if keep_cavities and not len(given.faces):
        raise ValueError("keep_cavities: points do not tell a room from material; give a mesh")
    lengths = _lengths(given, alpha, offset, holes_up_to, tight)
    if given.diagonal == 0:
        given = given._replace(unit=_power_of_two(lengths.alpha))
    lengths = lengths.over(given.unit)
    found = _cells(given, lengths, keep_cavities)
    corner, squares = cell_surface(found.inside)
    start = found.origin + corner.double() * lengths.cell
    quads = Quads(squares, len(start))
    reach = lengths.held + 2 * SLACK * lengths.cell
    points, sharp = fit(given.wrapped, start, quads, lengths.offset, reach, lengths.cell)
    triangles = quads.triangles(points, sharp)
    begin, end = ((p * given.unit + given.middle).to(given.dtype) for p in (start, points))
    others = (given.vertices.to(given.dtype), given.faces)
    moved = apart(others, begin, end, triangles, touches=tight)
    made = Mesh(moved, triangles)
    _warn(given, lengths, found, made)
    return made.to(given.device)


class _Given(NamedTuple):
    """What is wrapped, on the CPU."""

    vertices: Tensor  # (V, 3) float64
    faces: Tensor  # (F, 3) int64; none for points
    middle: Tensor  # (3,) float64
    extent: Tensor  # (3,) float64
    diagonal: float
    unit: float  # a power of two about as large as the shape; cells and feet are in it
    wrapped: Wrapped
    rounding: float  # of coordinates
    mesh: Mesh | None
    dtype: torch.dtype
    device: torch.device


def _given(shape: Mesh | TensorLike) -> _Given:
    mesh = None
    if isinstance(shape, Mesh):
        name = "mesh.vertices"
        mesh = shape.detach().to("cpu")
        vertices, faces = mesh.vertices, mesh.faces
        device = shape.device
        if len(faces):
            vertices = used_vertices(mesh)
            faces = mesh.remove_unreferenced().mesh.faces
    elif isinstance(shape, str | Path):
        raise ValueError(
            f"shape: expected a Mesh or points (P, 3), got {type(shape).__name__}; read one with "
            "ml.load"
        )
    else:
        name, faces = "points", torch.zeros(0, 3, dtype=torch.int64)
        vertices = check_points(shape, name)
        vertices, device = vertices.detach().cpu(), vertices.device
    if not len(vertices):
        raise ValueError("shape: expected faces or points, got none; there is nothing to wrap")
    check_tensor(vertices, name, finite=True)
    numbers = torch.finfo(vertices.dtype)
    rounding = numbers.eps * max(float(vertices.abs().max()), numbers.tiny)
    dtype, vertices = vertices.dtype, vertices.double()
    low, high = vertices.amin(0), vertices.amax(0)
    extent = high / 2 - low / 2
    largest = 2 * float(extent.max())
    if largest > 0 and not _SIZES[0] <= largest <= _SIZES[1]:
        raise ValueError(
            f"shape: expected a size between {_SIZES[0]:g} and {_SIZES[1]:g}, got {largest:.3g}; "
            "give it in another unit"
        )
    middle = low + extent
    unit = _power_of_two(largest) if largest else 1.0
    wrapped = Wrapped((vertices - middle) / unit, faces)
    diagonal = 2 * unit * float((extent / unit).norm())
    return _Given(
        vertices, faces, middle, 2 * extent, diagonal, unit, wrapped, rounding, mesh, dtype, device
    )


def _power_of_two(size: float) -> float:
    return math.ldexp(1.0, math.frexp(size)[1])


class _Lengths(NamedTuple):
    alpha: float
    offset: float
    gap: float  # between the ball and the shape
    cell: float
    held: float  # distance that the ball keeps
    wide: list[float]  # radii of wider balls, see `cells_inside`
    size: list[int]  # cells along each axis

    def over(self, unit: float) -> _Lengths:
        """The same in another unit."""
        held, wide = self.held / unit, [r / unit for r in self.wide]
        return self._replace(
            alpha=self.alpha / unit,
            offset=self.offset / unit,
            gap=self.gap / unit,
            cell=self.cell / unit,
            held=held,
            wide=wide,
        )


def _lengths(
    given: _Given, alpha: float | None, offset: float | None, holes: float, tight: bool
) -> _Lengths:
    diagonal = given.diagonal
    if alpha is None:
        if diagonal == 0:
            raise ValueError(
                "alpha: expected a radius, since all of the shape is at one place; give one"
            )
        alpha = min(max(ALPHA * diagonal, _SPACINGS * _spacing(given)), diagonal)
    alpha = _length(alpha, "alpha", "the radius of the ball", zero=False)
    offset = OFFSET * alpha if offset is None else offset
    offset = _length(offset, "offset", "a distance from the shape", zero=True)
    holes = _length(holes, "holes_up_to", "a diameter", zero=True)
    for name, value in (("alpha", alpha), ("offset", offset), ("holes_up_to", holes)):
        if value > diagonal > 0:
            raise ValueError(
                f"{name}: {value:.4g} is larger than the shape, whose diagonal is {diagonal:.4g}; "
                "give a smaller one, in the unit of the shape"
            )
    gap = offset
    if tight:  # balls that touched points would sink between them
        gap, offset = 0.0 if len(given.faces) else OFFSET * alpha, 0.0
    fewest, most = _ALONG
    along = min(max(alpha / (_FINEST * diagonal), fewest), most) if diagonal else most
    cell = alpha / along
    held = max(gap, _HELD * cell)
    wide = _wider(alpha, holes / 2)
    span = given.extent + 2 * (held + alpha + 2 * cell)  # cells at the border are all FREE
    size = [math.ceil(n / BLOCK) * BLOCK for n in (span / cell).tolist()]
    count = math.prod(size)
    room = min(_MOST, available_memory() // _BYTES)
    if count > room:
        raise ValueError(
            f"alpha: {alpha:.4g} takes {count:.2g} cells, and there is room for {room:.2g}; "
            f"give at least {alpha * (count / room) ** (1 / 3):.2g}"
        )
    if cell < _DIGITS * given.rounding:
        raise ValueError(
            f"alpha: {alpha:.4g} is too fine for coordinates that are rounded to "
            f"{given.rounding:.2g}; move the shape to the origin, take float64, or give a larger "
            "one"
        )
    return _Lengths(alpha, offset, gap, cell, held, wide, size)


def _length(value: object, name: str, what: str, *, zero: bool) -> float:
    fine = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not fine or value < 0 or (value == 0 and not zero):  # type: ignore[operator]
        least = "of at least 0" if zero else "above 0"
        raise ValueError(f"{name}: expected {what} {least}, got {value!r}")
    return float(value)  # type: ignore[arg-type]


def _spacing(given: _Given) -> float:
    """Of points: how far the neighbours of nearly all are; 0 of faces."""
    if len(given.faces) or len(given.vertices) < 2:
        return 0.0
    points = given.wrapped.vertices
    k = min(7, len(points))
    away = knn(points, points, k)[0][:, -1].sqrt().sort().values[int(0.99 * len(points))]
    return given.unit * float(away)


def _wider(alpha: float, radius: float) -> list[float]:
    """Radii of balls wider than alpha up to `radius`, and one beyond."""
    if radius <= alpha:
        return []
    found = [radius * _WIDER, radius]
    while found[-1] / _WIDER > alpha:
        found.append(found[-1] / _WIDER)
    return found[::-1]


def _hollow(given: _Given, code: Tensor, origin: Tensor, cell: float) -> Tensor:
    """Codes without the centres that are in the material, by the winding number of the faces."""
    closed = ((code >= FREE) & (cells_inside(code, 0.0) > 0)).nonzero()
    assert isinstance(given.wrapped.tree, MeshBVH)
    centre = (origin + (closed.double() + 0.5) * cell).float()
    solid = closed[given.wrapped.tree.winding_number(centre).abs() > 0.5]
    code[tuple(solid.T)] = BAND
    return code


class _Cells(NamedTuple):
    code: Tensor
    inside: Tensor
    origin: Tensor  # (3,) float64 lowest corner of the grid, of a shape whose middle is 0


def _cells(given: _Given, lengths: _Lengths, cavities: bool) -> _Cells:
    cell, size, least = lengths.cell, lengths.size, lengths.gap + lengths.alpha
    # where a ball's centre surely is, and before that where it may be, but not in the middle of the
    # cell
    bounds = [lengths.held, least - SLACK * cell, least]
    bounds += [lengths.gap + r for r in lengths.wide]
    origin = -torch.tensor(size, dtype=torch.float64) * cell / 2
    reach = lengths.alpha / cell + _BEYOND
    pruned = None if cavities else reach
    code = codes(
        given.wrapped.distance, origin.float(), cell, size, torch.tensor(bounds), reach=pruned
    )
    code = settle(code, given.wrapped.distance, origin.float(), cell, least)
    if cavities:
        code = _hollow(given, code, origin, cell)
    shut = [r / cell + SLACK for r in lengths.wide[:-1]]  # up to the rims
    inside = cells_inside(code, reach, wide=shut, cavities=cavities)
    while True:
        mended = mend_cells(inside)
        if cavities or torch.equal(mended, inside):
            return _Cells(code, mended, origin)
        # cells that were cut off from the outside
        inside = cells_inside(2 * (1 - mended), 0.0)
        if torch.equal(mended, inside):
            return _Cells(code, mended, origin)


def _warn(given: _Given, lengths: _Lengths, found: _Cells, made: Mesh) -> None:
    """Says what was lost that was perhaps wanted."""
    if given.mesh is None or not given.mesh.num_faces:
        parts = int(made.topology.components().count)
        if parts > 1:
            least = max(lengths.alpha * given.unit, _SPACINGS * _spacing(given))
            wanted = f"an alpha above {least:.4g} or " if least < given.diagonal else ""
            warnings.warn(
                f"shape: the wrap of the points has {parts:,} parts; {wanted}a larger offset joins "
                "what the ball falls between",
                stacklevel=3,
            )
        return
    topology = given.mesh.topology
    had, has = topology.genus, made.topology.genus
    if had is None or has is None or has >= had:
        return
    widest = given.unit * _widest_closed(given, lengths, found)
    keeps = _TOLD * widest * lengths.alpha / (lengths.alpha + lengths.gap)
    warnings.warn(
        f"alpha: {had - has} of {had} openings through the shape closed, the widest about "
        f"{2 * widest:.2g} wide; an alpha below {keeps:.2g} keeps that one open",
        stacklevel=3,
    )


def _widest_closed(given: _Given, lengths: _Lengths, found: _Cells) -> float:
    """Radius of the largest ball that passes through an opening that was closed.

    Cells outside the material that no ball came to are opened from the widest places on, until the
    boundary has a handle more.
    """
    inside = found.inside
    shut = inside.nonzero()
    centre = (found.origin + (shut.double() + 0.5) * lengths.cell).float()
    assert isinstance(given.wrapped.tree, MeshBVH)
    away = given.wrapped.distance(centre)
    room = away > lengths.cell / 2
    room[room.clone()] = given.wrapped.tree.winding_number(centre[room]).abs() < 0.5
    shut, away = shut[room], away[room]
    none, every = lengths.cell / 2, lengths.alpha + lengths.gap
    least = _euler(inside)
    for _ in range(_LEVELS):
        level = (none + every) / 2
        opened = inside.clone()
        opened[tuple(shut[away > level].T)] = 0
        reached = cells_inside(2 * (1 - opened), 0.0)
        none, every = (level, every) if _euler(mend_cells(reached)) < least else (none, level)
    return none + lengths.cell / 4  # on the mean of where a passage lies between centres


def _euler(inside: Tensor) -> int:
    """Euler number of the boundary of cells: each square has half of four edges."""
    corner, squares = cell_surface(inside)
    return len(corner) - len(squares)
