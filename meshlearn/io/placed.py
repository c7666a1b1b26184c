"""Parts where their transforms put them: vertices, and the directions that turn with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from meshlearn.io.document import CornerField, Part, placed_vertices


def placed_part(part: Part) -> tuple[Part, bool]:
    """The part without its transform -> it, and whether the transform mirrors, so that faces that
    are to keep their outside have to run the other way round.

    Normals go by the inverse transpose, tangents (their w is the side of the bitangent) with the
    surface; both keep their length. Other fields are numbers and stay.
    """
    if part.transform is None:
        return part, False
    vertices, mirrored = placed_vertices(part, part.vertices)
    linear = np.asarray(part.transform, np.float64)[:3, :3]
    if np.array_equal(linear, np.eye(3)):
        return replace(part, vertices=vertices, transform=None), mirrored
    sign = -1.0 if mirrored else 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        across = sign * cofactors(linear)
    by = {"normal": across, "tangent": linear}
    vertex_fields = {
        key: turned(values, by[key], sign) if key in by else values
        for key, values in part.vertex_fields.items()
    }
    corner_fields = {
        key: CornerField(turned(field.values, by[key], sign), field.index) if key in by else field
        for key, field in part.corner_fields.items()
    }
    made = replace(
        part,
        vertices=vertices,
        vertex_fields=vertex_fields,
        corner_fields=corner_fields,
        transform=None,
    )
    return made, mirrored


def cofactors(linear: np.ndarray) -> np.ndarray:
    """Cofactors (..., 3, 3) of linear maps, by which normals go with a surface."""
    a, b, c = np.moveaxis(linear, -1, 0)
    return np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], -1)


def turned(values: np.ndarray, by: np.ndarray, sign: float) -> np.ndarray:
    """Directions (N, 3), or (N, 4) with the side of a bitangent, after a linear map (3, 3)."""
    if values.ndim != 2 or values.shape[1] not in (3, 4) or values.dtype.kind != "f":
        return values
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        old = values[:, :3].astype(np.float64)
        new = old @ by.T
        length = np.linalg.norm(new, axis=1, keepdims=True)
        new *= np.where(length > 0, np.linalg.norm(old, axis=1, keepdims=True) / length, 1)
    out = values.copy()
    out[:, :3] = new
    out[:, 3:] *= sign
    return out
