"""Materials as the UsdPreviewSurface of USD: colours, numbers and textures."""

from __future__ import annotations

from typing import Any

from meshlearn.io.document import Material
from meshlearn.io.formats.usd.looks import words_of

_INPUTS = {  # of UsdPreviewSurface, https://openusd.org/release/spec_usdpreviewsurface.html
    **dict.fromkeys(("diffuseColor", "emissiveColor", "specularColor"), "Color3f"),
    "normal": "Normal3f",
    "useSpecularWorkflow": "Int",
    "opacityMode": "Token",
    **dict.fromkeys(
        ("opacity", "opacityThreshold", "metallic", "roughness", "clearcoat", "ior"), "Float"
    ),
    **dict.fromkeys(("clearcoatRoughness", "occlusion", "displacement"), "Float"),
}


def inputs_of(material: Material) -> tuple[dict[str, Any], dict[str, dict]]:
    """Values and textures of a surface, by the names of UsdPreviewSurface."""
    said = material.values.get("usd")
    if isinstance(said, dict):
        return dict(said.get("inputs", {})), dict(said.get("textures", {}))
    if material.looks is not None:
        return words_of(material.looks)[:2]
    inputs: dict[str, Any] = {}
    textures: dict[str, dict] = {}
    colour = material.values.get("base_color")
    if colour is not None:
        inputs["diffuseColor"] = [float(c) for c in colour[:3]]
        if len(colour) > 3 and colour[3] != 1:
            inputs["opacity"] = float(colour[3])
    if material.values.get("base_texture"):
        textures["diffuseColor"] = {"file": str(material.values["base_texture"]), "channel": "rgb"}
    return inputs, textures


def type_of_input(name: str) -> str:
    """The type of an input of UsdPreviewSurface; "" where it has none of that name."""
    return _INPUTS.get(name, "")
