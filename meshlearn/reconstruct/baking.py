"""What a fine mesh shows, as the material of a coarse one: colour, normals, ambient occlusion."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from meshlearn.geometry.texturing import NormalSpace, bake, shared_texels, unwrap
from meshlearn.io.document import Material
from meshlearn.io.looks import Looks, Texture
from meshlearn.mesh import CornerAttribute, Mesh
from meshlearn.mesh.tangents import shading_normals, tangents
from meshlearn.render.materials import has_looks
from meshlearn.render.picture import to_pil

MAPS = ("color", "normal", "occlusion")
_SHARED = 0.01  # of the texture: what faces may share before it is told
_CLAMPED = ("clamp", "clamp")


def baked(
    fine: Mesh,
    coarse: Mesh,
    maps: Sequence[str] = ("color", "normal"),
    *,
    size: int = 1024,
    reach: float | None = None,
    rays: int = 64,
    margin: int = 4,
) -> Mesh:
    """The coarse mesh with a material that shows the fine one.

    Args:
        fine, coarse: near to each other; a coarse mesh without texture coordinates is unwrapped.
        maps: of "color" (left out where the fine mesh has none), "normal", a map in the coarse
            mesh's tangent space, for which it gets the attributes "normal" and "tangent" of
            corners, and "occlusion".
        size, reach, rays, margin: as `geometry.bake` has them.

    Returns:
        The coarse mesh with one material; without other colours, which would multiply it.

    Raises:
        ValueError: what `geometry.bake` refuses, or a map that there is not.
        ImportError: xatlas is wanted and not installed (`pip install meshlearn[texture]`).

    Warns:
        UserWarning: faces share texels, or lie outside of the texture.

    Example:
        >>> baked(scan, ml.simplify(scan, 5000)).save("coarse.glb")

    Source: Khronos, glTF 2.0, section 3.9, for what the maps mean.
    """
    wrong = [name for name in maps if name not in MAPS]
    if wrong or not maps:
        got = repr(wrong[0]) if wrong else "none"
        raise ValueError(f"maps: expected some of {', '.join(MAPS)}, got {got}; pass such")
    if "uv" not in coarse.corner_attributes and "uv" not in coarse.vertex_attributes:
        coarse = unwrap(coarse, size=size)
    else:
        shared = shared_texels(coarse)
        if shared > _SHARED:
            warnings.warn(
                f"coarse: faces share {shared:.0%} of the texture, or lie outside of it, where it "
                "shows only one of them; take its attribute 'uv' away, and it is unwrapped anew",
                stacklevel=2,
            )
    bare = {k: v for k, v in coarse.corner_attributes.items() if k not in ("color", "tangent")}
    if "normal" in maps and coarse.num_faces:
        values, index = shading_normals(coarse)
        bare["normal"] = CornerAttribute(values.detach(), index)
    label = torch.zeros(coarse.num_faces, dtype=torch.int64, device=coarse.device)
    kept = {k: v for k, v in coarse.face_attributes.items() if k != "color"}
    gone = {"color", "normal", "tangent"} if "normal" in maps else {"color"}
    made = Mesh(
        coarse.vertices.detach(),
        coarse.faces,
        vertex_attributes={k: v for k, v in coarse.vertex_attributes.items() if k not in gone},
        face_attributes={**kept, "material": label},
        corner_attributes=bare,
    )
    looks, images = Looks(metallic=0.0, roughness=1.0), {}

    def texture(what: str, space: NormalSpace = "mesh") -> Tensor:
        return bake(fine, made, what, size=size, reach=reach, rays=rays, margin=margin, space=space)

    def use(name: str, image: Tensor) -> Texture:
        images[name] = _png(image)
        return Texture(name, wrap=_CLAMPED)

    if "color" in maps and _is_colored(fine):
        looks.base_texture = use("color.png", texture("color"))
    if "normal" in maps:
        looks.normal_texture = use("normal.png", (texture("normal", "tangent") + 1) / 2)
    if "occlusion" in maps:
        looks.occlusion_texture = use("occlusion.png", texture("occlusion").expand(-1, -1, 3))
    if "normal" in maps:
        bare["tangent"] = tangents(made)
    return Mesh(
        made.vertices,
        made.faces,
        vertex_attributes=made.vertex_attributes,
        face_attributes=made.face_attributes,
        corner_attributes=bare,
        materials=[Material("baked", {}, looks, images)],
    )


def _is_colored(mesh: Mesh) -> bool:
    own = mesh.vertex_attributes, mesh.face_attributes, mesh.corner_attributes
    return has_looks(mesh) or any("color" in attributes for attributes in own)


def _png(image: Tensor) -> bytes:
    stream = io.BytesIO()
    to_pil(image.clamp(0, 1)).save(stream, format="PNG")
    return stream.getvalue()
