"""What glTF 2.0 demands of numbers: finite ones, directions of length 1, colours from 0 to 1,
places that are a turn, a scale and a translation, properties of materials within their ranges."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from meshlearn.io.capability import is_numeric
from meshlearn.io.document import CornerField, Part, as_table
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.placed import placed_part
from meshlearn.io.surface import cut_polygons, take_corners

ROUND = 2e-3  # of a length: what three digits of each component leave
EVEN = 2.0**-22  # of a length: as near to 1 as single precision is
_FINITE = "has finite numbers only; they became 0"
_SHEAR = 1e-5  # sine of the angle by which axes may miss a right one: float32 turns leave 1e-7
_PLAIN = 10.0  # a turn and scale up to here is kept as the matrix that it was: validators compare
#                matrices of single precision by their absolute difference


def legal_part(part: Part) -> tuple[Part, list[Loss]]:
    """The part as a file can have it -> it, and what was changed."""
    losses: list[Loss] = []
    if part.transform is not None and placing_of(part.transform) is None:
        limit = "places parts by turn, scale and translation; vertices of others were moved"
        losses.append(Loss(LossKind.TRANSFORMS, limit=limit))
        part, mirrored = placed_part(part)
        if mirrored:
            part = cut_polygons(part)
            corner = np.arange(len(part.polygon_index)).reshape(-1, 3)[:, ::-1].reshape(-1)
            part = take_corners(part, corner, part.polygon_start, np.arange(part.num_faces))
    if any(len(line) == 0 for line in part.lines):
        count = sum(len(line) == 0 for line in part.lines)
        losses.append(Loss(LossKind.LINES, count=count, limit="has no lines without vertices"))
        part = replace(part, lines=[line for line in part.lines if len(line)])
    part = _finite_vertices(part, losses)
    vertex_fields, corner_fields = dict(part.vertex_fields), dict(part.corner_fields)
    for key, values in part.vertex_fields.items():
        made = _legal_values("vertex", key, values, losses)
        if made is None:
            del vertex_fields[key]
        else:
            vertex_fields[key] = made
    for key, field in part.corner_fields.items():
        made = _legal_values("corner", key, field.values, losses)
        if made is None:
            del corner_fields[key]
        elif made is not field.values:
            corner_fields[key] = CornerField(made, field.index)
    return replace(part, vertex_fields=vertex_fields, corner_fields=corner_fields), losses


def _finite_vertices(part: Part, losses: list[Loss]) -> Part:
    """The part without faces at vertices that are not finite, which are unused then, at 0."""
    with np.errstate(over="ignore"):
        good = np.asarray(np.isfinite(part.vertices.astype(np.float32, copy=False)).all(axis=1))
    if good.all():
        return part
    losses.append(Loss(LossKind.NOT_FINITE, count=int((~good).sum()), limit=_FINITE))
    owner = np.repeat(np.arange(part.num_faces), part.sizes)
    bad = np.zeros(part.num_faces, bool)
    bad[owner[~good[part.polygon_index]]] = True
    limit = "has no faces at vertices that are not finite"
    losses.append(Loss(LossKind.FACES, count=int(bad.sum()), limit=limit))
    keep = np.nonzero(~bad)[0]
    start = np.concatenate([[0], np.cumsum(part.sizes[keep])])
    part = take_corners(part, np.nonzero(~bad[owner])[0], start, keep)
    lines = [line for line in part.lines if good[line].all()]
    points = part.points[good[part.points]]
    vertices = np.where(good[:, None], part.vertices, 0).astype(part.vertices.dtype)
    return replace(part, vertices=vertices, lines=lines, points=points)


def _legal_values(
    domain: str, key: str, values: np.ndarray, losses: list[Loss]
) -> np.ndarray | None:
    """The values of a field as a file can have them; None where it can have none of them."""
    if not is_numeric(values):
        return values  # said by what the format holds
    if values.ndim > 1 and len(as_table(values).T) == 0:
        limit = "has fields of 1 to 4 components"
        losses.append(Loss(LossKind.FIELD, domain, key, len(values), limit))
        return None
    if values.dtype.kind == "f" and key != "normal":  # normals have words of their own
        with np.errstate(over="ignore"):
            good = np.isfinite(values.astype(np.float32, copy=False))
        if not good.all():
            name = f"values of {domain} field {key!r} that are NaN or infinite"
            count = int((~good).sum())
            losses.append(Loss(LossKind.OTHER, domain, name, count, _FINITE))
            values = np.where(good, values, 0).astype(values.dtype)
    if key == "color" and values.shape[1:] in ((3,), (4,)):
        return _colors(values, losses)
    if key == "tangent" and values.shape[1:] == (4,):
        return _tangents(values, losses)
    if key == "tangent" and domain == "corner":
        limit = "has tangents of corners with the side of the bitangent behind them, (N, 4)"
        losses.append(Loss(LossKind.FIELD, domain, key, len(values), limit))
        return None
    return values


def _colors(values: np.ndarray, losses: list[Loss]) -> np.ndarray:
    if values.dtype.kind in "iu" and values.dtype not in (np.uint8, np.uint16) and values.size:
        top = int(values.max())
        if values.min() >= 0 and top <= 65535:  # bytes, or 16 bits, in a wider type
            return values.astype(np.uint8 if top <= 255 else np.uint16)
    if values.dtype.kind == "f":
        bad = int(((values < 0) | (values > 1)).sum())
        if bad:
            limit = "has colours from 0 to 1; others were cut"
            losses.append(Loss(LossKind.OTHER, name="colours beyond 1", count=bad, limit=limit))
            return values.clip(0, 1)
    return values


def _tangents(values: np.ndarray, losses: list[Loss]) -> np.ndarray:
    length = np.linalg.norm(values[:, :3].astype(np.float64), axis=1)
    side = np.where(values[:, 3] < 0, -1.0, 1.0)
    bad = ~(np.abs(length - 1) <= ROUND) | (values[:, 3] != side)
    even = np.abs(length - 1) <= EVEN
    if even.all() and not bad.any():
        return values
    out = np.concatenate([values[:, :3], side[:, None]], 1).astype(np.float64)
    none = length == 0
    out[none, :3], length[none] = (1, 0, 0), 1
    out[:, :3] /= np.where(even, 1, length)[:, None]
    if bad.any():
        limit = "has tangents of length 1 with a side of 1 or -1"
        losses.append(
            Loss(LossKind.OTHER, name="lengths of tangents", count=int(bad.sum()), limit=limit)
        )
    return out.astype(np.float32)


def placing_of(transform: np.ndarray) -> dict[str, list[float]] | None:
    """What a node says of a transform (4, 4): its matrix, or turn, scale and translation where
    single precision would not find them in it again; None where it is none of these."""
    matrix = np.asarray(transform, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        single = np.isfinite(matrix.astype(np.float32)).all()
    if not single or not np.array_equal(matrix[3], [0, 0, 0, 1]):
        return None
    linear = matrix[:3, :3]
    scale = np.linalg.norm(linear, axis=0)
    if not (scale > 1e-30).all():
        return None
    words = {"matrix": matrix.T.reshape(-1).tolist()}
    if np.array_equal(linear, np.diag(scale)):
        return words
    turn = linear / scale
    if np.linalg.det(turn) < 0:
        turn[:, 0], scale[0] = -turn[:, 0], -scale[0]
    miss = float(np.abs(turn.T @ turn - np.eye(3)).max())
    if miss > _SHEAR:
        return None
    if miss <= 1e-6 and np.abs(scale).max() <= _PLAIN:
        return words
    placing = {"rotation": _quaternion(turn), "scale": scale.tolist()}
    return {"translation": matrix[:3, 3].tolist(), **placing}


def _quaternion(turn: np.ndarray) -> list[float]:
    """(x, y, z, w) of a rotation matrix (3, 3): the eigenvector of the greatest eigenvalue of the
    symmetric matrix whose quadratic form a unit quaternion of the rotation maximises."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = turn.tolist()
    below = np.array(  # the triangle of it that is looked at
        [
            [xx - yy - zz, 0, 0, 0],
            [yx + xy, yy - xx - zz, 0, 0],
            [zx + xz, zy + yz, zz - xx - yy, 0],
            [zy - yz, xz - zx, yx - xy, xx + yy + zz],
        ]
    )
    found = np.linalg.eigh(below, UPLO="L")[1][:, -1]
    return (found * (1 if found[3] >= 0 else -1)).tolist()


_NONE = object()


def finite(value: Any) -> Any:
    """A value of JSON without numbers that it has no word for (NaN, infinite), and without what is
    no value of JSON; a list that has one goes whole."""
    found = _finite(value)
    return None if found is _NONE else found


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        made = {str(k): _finite(v) for k, v in value.items()}
        return {k: v for k, v in made.items() if v is not _NONE}
    if isinstance(value, (list, tuple)):
        items = [_finite(v) for v in value]
        return _NONE if any(v is _NONE for v in items) else items
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else _NONE
    return value if value is None or isinstance(value, (bool, int, str)) else _NONE


def legal_material(said: dict) -> dict:
    """The words of a material within the ranges that the format has for them."""
    out = finite(said)
    _legal_numbers(out, "emissiveFactor", 3)
    surface = out.get("pbrMetallicRoughness")
    if not isinstance(surface, dict):
        out.pop("pbrMetallicRoughness", None)
    else:
        _legal_numbers(surface, "baseColorFactor", 4)
        for key in ("metallicFactor", "roughnessFactor"):
            _legal_number(surface, key, 1.0)
    if out.get("alphaMode") not in ("OPAQUE", "MASK", "BLEND"):
        out.pop("alphaMode", None)
    if out.get("alphaMode") != "MASK":
        out.pop("alphaCutoff", None)
    _legal_number(out, "alphaCutoff", math.inf)
    if not isinstance(out.get("doubleSided", False), bool):
        del out["doubleSided"]
    occlusion = out.get("occlusionTexture")
    if isinstance(occlusion, dict):
        _legal_number(occlusion, "strength", 1.0)
    return out


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _legal_number(said: dict, key: str, top: float) -> None:
    if key in said:
        if _is_number(said[key]):
            said[key] = min(max(said[key], 0), top)
        else:
            del said[key]


def _legal_numbers(said: dict, key: str, count: int) -> None:
    value = said.get(key)
    if isinstance(value, list) and len(value) == count and all(map(_is_number, value)):
        said[key] = [min(max(v, 0), 1) for v in value]
    else:
        said.pop(key, None)
