"""Convex parts in files: objects of a mesh format, and bodies of robot descriptions.

Source: the elements of URDF (ROS wiki, urdf/XML) and of MJCF (MuJoCo documentation, XML reference).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

import numpy as np

from meshlearn.convex.export import convex_colors
from meshlearn.io.document import Document, Material, Part
from meshlearn.io.files import save_document, write_file
from meshlearn.io.left_behind import LossReport
from meshlearn.io.registry import format_of
from meshlearn.mesh import Mesh

URDF, MJCF = ".urdf", ".xml"
DENSITY = 1000.0  # kg / m³, of water
_METRES = {"um": 1e-6, "mm": 1e-3, "cm": 1e-2, "dm": 0.1, "m": 1.0, "km": 1e3, "in": 0.0254}
_METRES |= {"ft": 0.3048, "yd": 0.9144}


class MassProperties(NamedTuple):
    """Of a solid of density one.

    Attributes:
        volume: in cubed units.
        centre: (3,) of mass.
        inertia: (3, 3) about the centre, in unit⁵.
    """

    volume: float
    centre: np.ndarray
    inertia: np.ndarray


def mass_properties(vertices: np.ndarray, faces: np.ndarray) -> MassProperties:
    """Volume, centre and inertia of a closed mesh (V, 3), (F, 3), by tetrahedra to a point of it.

    The integral of x xᵀ over a tetrahedron with a corner at the origin is
    ``V / 20 (Σ v vᵀ + s sᵀ)``, over its other corners v with the sum s.
    """
    corners = vertices.astype(np.float64)[faces]
    origin = corners.reshape(-1, 3).mean(0)
    corners = corners - origin
    volumes = np.linalg.det(corners) / 6
    total = float(volumes.sum())
    sums = corners.sum(1)
    centre = (volumes[:, None] * sums).sum(0) / 4 / total
    each = np.einsum("fci,fcj->fij", corners, corners) + sums[:, :, None] * sums[:, None]
    second = (volumes[:, None, None] * each).sum(0) / 20 - total * np.outer(centre, centre)
    inertia = np.trace(second) * np.eye(3) - second
    return MassProperties(total, origin + centre, inertia)


def parts_document(parts: Sequence[Mesh], *, grouped: bool = False) -> Document:
    """A document of convex parts, each with a colour of its own.

    Args:
        grouped: one part with a group for each convex, as OBJ has them, not a part for each.
    """
    names = [f"part_{i}" for i in range(len(parts))]
    colors = convex_colors(len(parts)).tolist()
    materials = [
        Material(name, {"base_color": [*color, 1.0]})
        for name, color in zip(names, colors, strict=True)
    ]
    arrays = [(m.detach().to("cpu").vertices.numpy(), m.faces.cpu().numpy()) for m in parts]
    if not grouped:
        made = [
            Part.triangles(v, f, name=name, face_fields={"material": np.full(len(f), i, np.int32)})
            for i, (name, (v, f)) in enumerate(zip(names, arrays, strict=True))
        ]
        return Document(made, materials)
    first = np.cumsum([0, *(len(v) for v, _ in arrays)])
    label = np.repeat(np.arange(len(parts), dtype=np.int32), [len(f) for _, f in arrays])
    whole = Part.triangles(
        np.concatenate([v for v, _ in arrays]),
        np.concatenate([f + k for (_, f), k in zip(arrays, first[:-1], strict=True)]),
        name="parts",
        face_fields={"group": label, "material": label},
        groups=names,
    )
    return Document([whole], materials)


def save_parts(
    parts: Sequence[Mesh],
    path: str | os.PathLike[str],
    *,
    like: Document | None = None,
    density: float = DENSITY,
    overwrite: bool = True,
) -> LossReport | None:
    """Writes convex parts: a group each in OBJ, an object each in other mesh formats; as one body
    of a URDF (.urdf) or of MuJoCo (.xml), with the parts as OBJ files in a folder beside it.

    Args:
        like: a document whose unit and up axis are kept; bodies are in metres then, and as the
            numbers are where no unit is known.
        density: of bodies, in kg / m³; a URDF gets mass and inertia of it.

    Returns:
        What the format could not hold; None for bodies.

    Raises:
        ValueError: no parts, a format without faces, or a file that exists without `overwrite`.

    Example:
        >>> save_parts(ml.decompose(mesh), "chair.urdf")
    """
    path = Path(path)
    if not parts:
        raise ValueError("parts: expected one or more, got none; decompose a solid first")
    kind = path.suffix.lower()
    if kind not in (URDF, MJCF):
        if not format_of(path, writing=True).holds.faces:
            raise ValueError(
                f"{path}: expected a format that holds faces, as convex parts are nothing without; "
                "write .obj, .glb, .urdf or .xml"
            )
        made = parts_document(parts, grouped=kind == ".obj")
        if like is not None:
            made.unit, made.up = like.unit, like.up
        return save_document(made, path, overwrite=overwrite)
    folder = path.with_name(f"{path.stem}_parts")
    names = [f"part_{i}.obj" for i in range(len(parts))]
    for place in (path, folder):
        if place.exists() and not overwrite:
            raise ValueError(f"{place}: it exists; give overwrite=True to replace it")
    unit = like.unit if like is not None else None
    scale = _METRES.get(unit or "m", 1.0)
    write = _urdf if kind == URDF else _mjcf
    text = write(path.stem, folder.name, names, parts, scale, density)
    folder.mkdir(exist_ok=True)
    for name, part in zip(names, parts, strict=True):
        save_document(Document([parts_document([part]).parts[0]]), folder / name)
    write_file(path, text.encode())  # behind its parts, so that it names what is there
    for old in folder.glob("part_*.obj"):  # of a body of more parts
        if old.name not in names:
            old.unlink()
    return None


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{float(v):.9g}" for v in values)


def _urdf(
    name: str, folder: str, files: list[str], parts: Sequence[Mesh], scale: float, density: float
) -> str:
    known = [
        mass_properties(p.detach().to("cpu").vertices.double().numpy(), p.faces.cpu().numpy())
        for p in parts
    ]
    volume = sum(k.volume for k in known)
    centre = np.sum([k.volume * k.centre for k in known], 0) / volume
    inertia = np.zeros((3, 3))
    for k in known:  # each about the common centre (Steiner)
        away = k.centre - centre
        inertia += k.inertia + k.volume * (away @ away * np.eye(3) - np.outer(away, away))
    inertia *= density * scale**5
    i = {"ixx": inertia[0, 0], "ixy": inertia[0, 1], "ixz": inertia[0, 2]}
    i |= {"iyy": inertia[1, 1], "iyz": inertia[1, 2], "izz": inertia[2, 2]}
    lines = [
        '<?xml version="1.0"?>',
        f"<robot name={quoteattr(name)}>",
        f"  <link name={quoteattr(name)}>",
        "    <inertial>",
        f'      <origin xyz="{_numbers(centre * scale)}" rpy="0 0 0"/>',
        f'      <mass value="{density * volume * scale**3:.9g}"/>',
        "      <inertia " + " ".join(f'{key}="{value:.9g}"' for key, value in i.items()) + "/>",
        "    </inertial>",
    ]
    for kind in ("visual", "collision"):
        for file in files:
            place = quoteattr(f"{folder}/{file}")
            lines += [
                f"    <{kind}>",
                '      <origin xyz="0 0 0" rpy="0 0 0"/>',
                f'      <geometry><mesh filename={place} scale="{_numbers(np.full(3, scale))}"/>'
                "</geometry>",
                f"    </{kind}>",
            ]
    return "\n".join([*lines, "  </link>", "</robot>", ""])


def _mjcf(
    name: str, folder: str, files: list[str], parts: Sequence[Mesh], scale: float, density: float
) -> str:
    names = [file.removesuffix(".obj") for file in files]
    colors = convex_colors(len(parts)).double().numpy()
    size = _numbers(np.full(3, scale))
    lines = [
        f"<mujoco model={quoteattr(name)}>",
        f"  <compiler meshdir={quoteattr(folder)}/>",
        "  <asset>",
        *(
            f'    <mesh name="{one}" file="{file}" scale="{size}"/>'
            for one, file in zip(names, files, strict=True)
        ),
        "  </asset>",
        "  <worldbody>",
        f"    <body name={quoteattr(name)}>",
        "      <freejoint/>",
        *(
            f'      <geom type="mesh" mesh="{one}" density="{density:.9g}" '
            f'rgba="{_numbers(color)} 1"/>'
            for one, color in zip(names, colors, strict=True)
        ),
        "    </body>",
        "  </worldbody>",
        "</mujoco>",
    ]
    return "\n".join([*lines, ""])
