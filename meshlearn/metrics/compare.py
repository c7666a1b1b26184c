"""How far a mesh is from the one it should be: the measures of the FlexiCubes paper, and more."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn._compile import eager
from meshlearn._segment import stable_mean
from meshlearn._validate import check_tensor
from meshlearn.mesh.centring import far_middle, moved, used_vertices
from meshlearn.metrics.boundary import boundary_points, compare_boundaries
from meshlearn.metrics.edges import edge_points
from meshlearn.metrics.quality import mesh_quality, triangle_shapes

if TYPE_CHECKING:
    from meshlearn.mesh import Mesh


class _Side(NamedTuple):
    """One mesh, in the target's frame, with samples on it."""

    mesh: Mesh
    points: Tensor  # (P, 3)
    normals: Tensor  # (P, 3)


class _Reach(NamedTuple):
    """From samples on one mesh to the surface of another."""

    distance: Tensor  # (P,)
    cosine: Tensor  # (P,) between the normals at both ends
    worst: float  # over samples and vertices


@eager
def compare(
    pred: Mesh,
    target: Mesh,
    *,
    samples: int = 100_000,
    seed: int = 0,
    f1_threshold: float = 0.003,
    edge_threshold: float = 0.005,
    edge_radius: float = 0.004,
    edge_max_dot: float = 0.2,
    quality: bool = True,
) -> dict[str, float | int | bool | None]:
    """Compares a mesh with a target.

    Both are scaled by the same factor, so that the *target's* bounding box has diagonal 1; every
    distance below is in that unit, and times ``scale`` in the unit of the meshes. Distances go from
    `samples` area-weighted random points on one mesh to the nearest point of the other's surface.

    Args:
        pred: the mesh to judge; may be empty: distances are then infinite, shares 0.
        target: the mesh it should be; with at least one face that has area.
        samples: points on each mesh.
        seed: of the points; the same seed draws the same points on the same mesh.
        f1_threshold: distance within which a point counts as found, in diagonals (0.003, as in
            Neural Marching Cubes, Chen and Zhang 2021, whose measures FlexiCubes reports).
        edge_threshold: the same for edge points (0.005 there).
        edge_radius, edge_max_dot: what an edge point is, see `edge_points` (0.004 and 0.2 there).
        quality: also report `mesh_quality` of pred, which counts its self-intersections.

    Returns:
        A dict of numbers, None where a figure has no meaning:

        - ``chamfer``: mean distance, both ways averaged; ``chamfer_raw`` in the meshes' unit;
          ``chamfer_l2``: mean squared distance, both ways averaged; ``accuracy`` (pred to target)
          and ``completeness`` (target to pred): the one-way means.
        - ``hausdorff``: largest distance, both ways, over samples and vertices (``hausdorff_raw``).
        - ``f1``: harmonic mean of ``precision`` (share of pred within the threshold of target) and
          ``recall`` (the other way round).
        - ``normal_consistency``: mean |cos| between the normal at a sample and the normal where it
          meets the other mesh, both ways averaged; ``inaccurate_normals_percent``: share whose
          lines differ by more than 5°; ``flipped_normals_percent``: share that point oppositely.
        - ``edge_chamfer``, ``edge_f1``: mean distance, both ways averaged, between edge points of
          one and the nearest edge point of the other, and their F1. Where only one mesh has edge
          points they are infinite and 0; where neither has, 0 and 1. ``edge_points_pred``,
          ``edge_points_target``: how many of the samples are edge points. Two samplings of one
          surface are apart by their spacing, which is a floor: two equal cubes sampled
          independently have 0.005 at 100,000 samples.
        - ``sharp_edge_distance``: mean distance from points on the target's sharp edges (faces that
          bend by more than 30°) to the surface of pred; None where it has none.
        - ``boundary_chamfer``: mean distance, both ways averaged, between points along the boundary
          edges of one and the nearest such point of the other; 0 where both are closed, infinite
          where one is. ``boundary_loops_pred``, ``boundary_loops_target``: closed loops of boundary
          edges; ``euler_pred``, ``euler_target``: Euler numbers.
        - ``volume_error``: |V_pred - V_target| / |V_target|, None unless both are watertight;
          ``area_error`` likewise.
        - ``scale``: the target's diagonal. ``empty``: pred has no face with area.
        - all of `mesh_quality(pred)`.

    Raises:
        ValueError: target has no surface, coordinates are not finite, or devices differ.

    Example:
        >>> ml.metrics.compare(fit, target)["chamfer"]
    """
    _check(pred, target, samples)
    middle = far_middle(used_vertices(target))
    if middle is not None:  # what is counted of pred must not depend on the place either
        pred, target = moved(pred, -middle), moved(target, -middle)
    used = used_vertices(target).double()
    low, high = used.amin(0), used.amax(0)
    scale = float((high - low).norm())
    middle = (low + high) / 2

    def placed(mesh: Mesh) -> Mesh:
        vertices = mesh.vertices.detach().double()
        return mesh.detach().with_vertices((vertices - middle) / scale)

    empty = not _has_area(pred)
    goal = _side(placed(target), samples, seed)
    out: dict[str, float | int | bool | None] = {"empty": empty, "scale": scale}
    if empty:
        out.update(_nothing(goal, edge_radius, edge_max_dot))
    else:
        own = _side(placed(pred), samples, seed)
        out.update(_distances(own, goal, f1_threshold))
        out.update(_edges(own, goal, edge_radius, edge_max_dot, edge_threshold))
        out["sharp_edge_distance"] = _sharp_edge_distance(own.mesh, goal.mesh, samples, seed)
        out.update(compare_boundaries(own.mesh, goal.mesh, max(1, samples // 4)))
        out["volume_error"] = None
        if own.mesh.is_watertight and goal.mesh.is_watertight:
            out["volume_error"] = _relative(own.mesh.volume(), goal.mesh.volume())
        out["area_error"] = _relative(own.mesh.area(), goal.mesh.area())
    for name in ("chamfer", "hausdorff"):
        distance = out[name]
        assert distance is not None  # infinite at worst
        out[f"{name}_raw"] = distance * scale
    if quality:
        out.update(mesh_quality(pred))
    return out


def _check(pred: Mesh, target: Mesh, samples: int) -> None:
    for name, mesh in (("pred", pred), ("target", target)):
        if not hasattr(mesh, "with_vertices"):
            raise ValueError(
                f"{name}: expected a Mesh, got {type(mesh).__name__}; read one with ml.load"
            )
        check_tensor(mesh.vertices, f"{name}.vertices", shape=("V", 3), finite=True)
    if pred.vertices.device != target.vertices.device:
        raise ValueError(
            f"pred: expected on {target.vertices.device} (as target), got {pred.vertices.device}; "
            f"move it with .to('{target.vertices.device}')"
        )
    if not isinstance(samples, int) or samples < 1:
        raise ValueError(f"samples: expected a positive int, got {samples!r}")
    if not _has_area(target):
        raise ValueError(
            f"target: has no surface to compare with ({target.faces.shape[0]} faces, none with "
            "area); give a mesh with faces"
        )


def _has_area(mesh: Mesh) -> bool:
    if mesh.faces.shape[0] == 0:
        return False
    return bool((triangle_shapes(mesh)["area"] > 0).any())


def _side(mesh: Mesh, samples: int, seed: int) -> _Side:
    generator = torch.Generator().manual_seed(seed)  # the same points on every device
    points, normals = geometry.sample_points(mesh, samples, normals=True, generator=generator)
    return _Side(mesh, points, normals)


def _reach(source: _Side, goal: _Side) -> _Reach:
    squared, face, _ = geometry.point_mesh_distance(source.points, goal.mesh)
    cosine = (source.normals * goal.mesh.face_normals()[face]).sum(1)
    used = source.mesh.vertices[torch.unique(source.mesh.faces)]
    corners, _, _ = geometry.point_mesh_distance(used, goal.mesh)
    worst = max(float(squared.amax()), float(corners.amax()))
    return _Reach(squared.clamp(min=0).sqrt(), cosine, math.sqrt(max(worst, 0.0)))


def _share(flags: Tensor) -> float:
    return int(flags.sum()) / flags.numel()


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _distances(own: _Side, goal: _Side, threshold: float) -> dict[str, float]:
    there, back = _reach(own, goal), _reach(goal, own)
    accuracy, completeness = (float(stable_mean(r.distance)) for r in (there, back))
    precision, recall = (_share(r.distance <= threshold) for r in (there, back))
    bound = math.cos(math.radians(5.0))
    return {
        "chamfer": (accuracy + completeness) / 2,
        "chamfer_l2": sum(float(stable_mean(r.distance**2)) for r in (there, back)) / 2,
        "accuracy": accuracy,
        "completeness": completeness,
        "hausdorff": max(there.worst, back.worst),
        "precision": precision,
        "recall": recall,
        "f1": _f1(precision, recall),
        "normal_consistency": sum(float(stable_mean(r.cosine.abs())) for r in (there, back)) / 2,
        "inaccurate_normals_percent": 50
        * sum(_share(r.cosine.abs() < bound) for r in (there, back)),
        "flipped_normals_percent": 50 * sum(_share(r.cosine < 0) for r in (there, back)),
    }


def _edges(
    own: _Side, goal: _Side, radius: float, max_dot: float, threshold: float
) -> dict[str, float | int]:
    sharp = [
        s.points[edge_points(s.points, s.normals, radius=radius, max_dot=max_dot)]
        for s in (own, goal)
    ]
    out: dict[str, float | int] = {
        "edge_points_pred": len(sharp[0]),
        "edge_points_target": len(sharp[1]),
    }
    if not len(sharp[0]) or not len(sharp[1]):
        neither = not len(sharp[0]) and not len(sharp[1])
        return {
            **out,
            "edge_chamfer": 0.0 if neither else math.inf,
            "edge_f1": 1.0 if neither else 0.0,
        }
    gaps = [_nearest(sharp[0], sharp[1]), _nearest(sharp[1], sharp[0])]
    means = [float(stable_mean(g)) for g in gaps]
    shares = [_share(g <= threshold) for g in gaps]
    return {**out, "edge_chamfer": sum(means) / 2, "edge_f1": _f1(*shares)}


def _nearest(x: Tensor, y: Tensor) -> Tensor:
    """(X,) distance from each of x to the nearest of y."""
    index = geometry.knn(x, y, 1).index[:, 0]
    return (x - y[index]).norm(dim=1)


def sharp_edges(mesh: Mesh, *, degrees: float = 30.0) -> Tensor:
    """(E, 2) vertex pairs of edges between two faces that bend by more than `degrees`."""
    faces = mesh.faces
    ends = torch.stack((faces, faces.roll(-1, 1)), 2).reshape(-1, 2).sort(1).values
    pairs, edge, count = torch.unique(ends, dim=0, return_inverse=True, return_counts=True)
    order = torch.argsort(edge, stable=True)
    begin = torch.cumsum(count, 0) - count
    two = count == 2
    first, second = (order[begin[two] + k] // 3 for k in (0, 1))
    normal = mesh.face_normals()
    bend = (normal[first] * normal[second]).sum(1)
    # a face without area has no normal to bend from
    real = (normal[first].norm(dim=1) > 0.5) & (normal[second].norm(dim=1) > 0.5)
    return pairs[two][real & (bend < math.cos(math.radians(degrees)))]


def _sharp_edge_distance(own: Mesh, goal: Mesh, samples: int, seed: int) -> float | None:
    pairs = sharp_edges(goal)
    if not len(pairs):
        return None
    a, b = goal.vertices[pairs[:, 0]], goal.vertices[pairs[:, 1]]
    length = (b - a).norm(dim=1)
    end = torch.cumsum(length.cpu(), 0)
    if not float(end[-1]) > 0:
        return None
    # evenly along the edges laid end to end: no random numbers needed
    count = max(1, samples // 4)
    place = (torch.arange(count, dtype=torch.float64) + 0.5) * (float(end[-1]) / count)
    edge = torch.searchsorted(end, place).clamp(max=len(pairs) - 1)
    along = ((place - (end - length.cpu())[edge]) / length.cpu()[edge].clamp(min=1e-300)).to(a)
    edge = edge.to(a.device)
    points = a[edge] + along[:, None].clamp(0, 1) * (b[edge] - a[edge])
    squared, _, _ = geometry.point_mesh_distance(points, own)
    return float(stable_mean(squared.clamp(min=0).sqrt()))


def _relative(value: Tensor, truth: Tensor) -> float | None:
    truth_value = abs(float(truth))
    return abs(float(value) - float(truth)) / truth_value if truth_value else None


def _nothing(goal: _Side, radius: float, max_dot: float) -> dict[str, float | int | None]:
    """Figures of a prediction without a surface."""
    far = (
        "chamfer", "chamfer_l2", "accuracy", "completeness", "hausdorff", "edge_chamfer",
    )  # fmt: skip
    none = ("precision", "recall", "f1", "edge_f1", "normal_consistency")
    sharp = edge_points(goal.points, goal.normals, radius=radius, max_dot=max_dot)
    return {
        **dict.fromkeys(far, math.inf),
        **dict.fromkeys(none, 0.0),
        "inaccurate_normals_percent": 100.0,
        "flipped_normals_percent": 0.0,
        "edge_points_pred": 0,
        "edge_points_target": int(sharp.sum()),
        "sharp_edge_distance": math.inf if len(sharp_edges(goal.mesh)) else None,
        "boundary_loops_pred": 0,
        "euler_pred": 0,
        "boundary_loops_target": len(goal.mesh.topology.boundary_loops()),
        "euler_target": goal.mesh.topology.euler_number,
        "boundary_chamfer": math.inf if len(boundary_points(goal.mesh, 1)) else 0.0,
        "volume_error": None,
        "area_error": 1.0,
    }
