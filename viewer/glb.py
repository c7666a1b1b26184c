"""A surface with colours or a texture as a binary glTF, in memory: what the page draws.

The page is given what is to be seen, colours and normals among it; the file is
written by `meshlearn.io.formats.gltf`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from meshlearn.io.document import Document, Material, Part
from meshlearn.io.formats.gltf.write import write
from meshlearn.io.looks import Looks, Texture


def surface_glb(
    vertices: np.ndarray,  # (V, 3) float32
    faces: np.ndarray,  # (F, 3)
    *,
    vertex_colors: np.ndarray | None = None,  # (V, 3) uint8, sRGB
    face_colors: np.ndarray | None = None,  # (F, 3) uint8, sRGB
    normals: np.ndarray | None = None,  # (V, 3); found from the faces if `smooth`
    uv: np.ndarray | None = None,  # (V, 2), v up
    image: bytes | None = None,  # PNG or JPEG
    smooth: bool = True,
    opacity: float = 1.0,
    looks: Looks | None = None,  # colour, opacity, and how "image" is looked up
) -> bytes:
    """The bytes of a .glb with one double-sided mesh.

    Colours on faces part the triangles from one another. Smooth normals are written out; without
    them the page shades each triangle flat.
    """
    vertices = np.ascontiguousarray(vertices, np.float32)
    faces = np.asarray(faces)
    if smooth and normals is None:
        normals = smooth_normals(vertices, faces)
    elif not smooth:
        normals = None
    if face_colors is not None:
        corner = faces.reshape(-1)
        vertices = vertices[corner]
        normals = None if normals is None else normals[corner]
        vertex_colors = np.repeat(face_colors, 3, 0)
        faces = np.arange(len(corner)).reshape(-1, 3)
    fields: dict[str, np.ndarray] = {}
    if normals is not None:
        fields["normal"] = normals
    if vertex_colors is not None:
        fields["color"] = np.full((len(vertices), 4), 255, np.uint8)
        fields["color"][:, :3] = vertex_colors
    if uv is not None:
        fields["uv"] = uv
    looks = replace(looks or Looks(), metallic=0.0, roughness=0.9, double_sided=True)
    looks.base_color = looks.base_color or (1.0, 1.0, 1.0)
    looks.alpha = opacity * (1.0 if looks.alpha is None else looks.alpha)
    if opacity < 1:
        looks.alpha_mode = "BLEND"
    images: dict[str, bytes] = {}
    if image is not None and uv is not None:
        images["image"] = image
        looks.base_texture = looks.base_texture or Texture("image")
    of_faces = {"material": np.zeros(len(faces), np.int64)}
    part = Part.triangles(vertices, faces, vertex_fields=fields, face_fields=of_faces)
    document = Document([part], materials=[Material("surface", {}, looks)], images=images)
    return write(document, Path("surface.glb"))


def smooth_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) float32 unit normals, faces weighted by area; up where there is none."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros((len(vertices), 3))
    for axis in range(3):
        for k in range(3):
            total[:, axis] += np.bincount(faces[:, k], across[:, axis], len(vertices))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    total = np.where(length > 0, total / np.where(length > 0, length, 1), (0.0, 1.0, 0.0))
    return total.astype(np.float32)
