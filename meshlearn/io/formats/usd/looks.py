"""UsdPreviewSurface and `Looks`: inputs and textures to properties, and back.

Specification: https://openusd.org/release/spec_usdpreviewsurface.html. A texture gives its channel
times `scale` plus `bias`; the scale is the factor that `Looks` has beside its texture.
"""

from __future__ import annotations

import math
from typing import Any

from meshlearn.io.looks import Looks, Texture

# inputs that `Looks` has no word for, and what they are where a file does not say
_PLAIN: dict[str, Any] = {
    "clearcoat": 0.0,
    "displacement": 0.0,
    "ior": 1.5,
    "occlusion": 1.0,
    "specularColor": [0.0, 0.0, 0.0],
}
_WORDS = {  # input: property
    "diffuseColor": "base_texture",
    "emissiveColor": "emissive_texture",
    "opacity": "alpha_texture",
    "metallic": "metallic_texture",
    "roughness": "roughness_texture",
    "normal": "normal_texture",
    "occlusion": "occlusion_texture",
}
_INPUTS = {word: name for name, word in _WORDS.items()}
_WRAPS = {"repeat": "repeat", "mirror": "mirror", "clamp": "clamp", "black": "clamp"}
_CHANNEL = {"r": 0, "g": 1, "b": 2, "a": 3}
_COLORS = ("base_texture", "emissive_texture")


def _four(said: dict, key: str, default: float) -> list[float]:
    value = said.get(key)
    good = isinstance(value, list) and len(value) == 4
    return [float(x) for x in value] if good and value else [default] * 4


def _pair(value: object, default: float) -> tuple[float, float]:
    if isinstance(value, list) and len(value) == 2:
        return float(value[0]), float(value[1])
    return default, default


def _texture(said: dict) -> Texture | None:
    if not said.get("file"):
        return None
    found = Texture(str(said["file"]))
    found.uv = said["uv"] if isinstance(said.get("uv"), int) else 0
    wrap = [_WRAPS.get(str(said.get(key)), "repeat") for key in ("wrapS", "wrapT")]
    found.wrap = (wrap[0], wrap[1])
    more = said.get("transform")
    if isinstance(more, dict):
        turn = more.get("rotation")
        found.rotation = math.radians(turn) if isinstance(turn, (int, float)) else 0.0
        found.scale, found.offset = _pair(more.get("scale"), 1), _pair(more.get("translation"), 0)
    channel = str(said.get("channel", ""))
    found.channel = channel if channel in _CHANNEL else ""
    return found


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, (int, float)) else default


def _color(value: object, default: float) -> tuple[float, float, float]:
    if isinstance(value, list) and len(value) == 3:
        return float(value[0]), float(value[1]), float(value[2])
    return default, default, default


def looks_of(inputs: dict[str, Any], textures: dict[str, dict], beyond: list[str]) -> Looks:
    """What a surface means.

    Args:
        inputs: values of its inputs; those that are absent have the specification's.
        textures: what textures say, by input.
        beyond: what else the material has.
    """
    looks, more = Looks(), list(beyond)
    factor: dict[str, Any] = {}
    for name, said in textures.items():
        texture, word = _texture(said), _WORDS.get(name)
        if texture is None:
            continue
        if word is None:
            more.append(name)
            continue
        scale, bias = _four(said, "scale", 1), _four(said, "bias", 0)
        if word == "normal_texture":
            texture.channel, texture.strength = "", abs(scale[0]) / 2 if "scale" in said else 1.0
            if "scale" in said and scale[0] * scale[1] < 0:
                more.append("normal map with y downwards")
        elif word in _COLORS:
            texture.channel = ""
            if said.get("sourceColorSpace") == "raw":
                more.append(f"linear image of {word}")
            factor[name] = tuple(scale[:3])
        else:
            factor[name] = scale[_CHANNEL[texture.channel or "r"]]
        if any(bias) and word != "normal_texture":
            more.append(f"bias of {word}")
        setattr(looks, word, texture)
    if looks.occlusion_texture is not None:
        looks.occlusion_texture.strength = factor["occlusion"]
    looks.base_color = factor.get("diffuseColor") or _color(inputs.get("diffuseColor"), 0.18)
    emissive = factor.get("emissiveColor") or _color(inputs.get("emissiveColor"), 0)
    looks.emissive = emissive if any(emissive) else None
    looks.metallic = factor.get("metallic", _number(inputs.get("metallic"), 0))
    looks.roughness = factor.get("roughness", _number(inputs.get("roughness"), 0.5))
    alpha, cut = _number(inputs.get("opacity"), 1), _number(inputs.get("opacityThreshold"), 0)
    alpha = factor.get("opacity", alpha)
    if alpha != 1 or looks.alpha_texture is not None:
        looks.alpha, looks.alpha_mode = alpha, "MASK" if cut > 0 else "BLEND"
        looks.alpha_cutoff = cut if cut > 0 else None
    more += [
        n for n, usual in _PLAIN.items() if n not in textures and inputs.get(n, usual) != usual
    ]
    looks.beyond = tuple(dict.fromkeys(more))
    return looks


def words_of(looks: Looks) -> tuple[dict[str, Any], dict[str, dict], list[str]]:
    """Looks as a surface says them -> inputs, textures, and the properties without a word."""
    inputs: dict[str, Any] = {}
    textures: dict[str, dict] = {}
    unsaid = ["unlit"] if looks.unlit else []
    clear = looks.alpha_mode in ("MASK", "BLEND")
    if looks.base_color is not None:
        inputs["diffuseColor"] = [float(x) for x in looks.base_color]
    if clear and looks.alpha is not None:
        inputs["opacity"] = float(looks.alpha)
    if looks.alpha_mode == "MASK":
        inputs["opacityThreshold"] = 0.5 if looks.alpha_cutoff is None else looks.alpha_cutoff
    for name in ("metallic", "roughness"):
        value = getattr(looks, name)
        if value is not None:
            inputs[name] = float(value)
    if looks.emissive is not None:
        inputs["emissiveColor"] = [float(x) for x in looks.emissive]
    for word, texture in looks.textures():
        if word not in _INPUTS:
            unsaid.append(word)
            continue
        if word == "alpha_texture" and not clear:
            continue
        said, name = _words(texture), _INPUTS[word]
        if texture.nearest:
            unsaid.append("nearest texture filter")
        if word == "normal_texture":
            s = 2 * texture.strength
            said |= {"scale": [s, s, 2.0, 1.0], "bias": [-s / 2, -s / 2, -1.0, 0.0]}
            said["sourceColorSpace"] = "raw"
        elif word in _COLORS:
            value = inputs.pop(name, [1.0, 1.0, 1.0])
            said |= {"scale": [*value, 1.0]} if value != [1, 1, 1] else {}
        else:
            base, own = looks.base_texture, word == "alpha_texture"
            same = own and base is not None and base.image == texture.image
            usual = "a" if same else "r"
            channel = texture.channel if texture.channel in _CHANNEL else usual
            value = texture.strength if word == "occlusion_texture" else inputs.pop(name, 1.0)
            said |= {"channel": channel, "sourceColorSpace": "raw"}
            said |= {"scale": [value] * 4} if value != 1 else {}
        textures[name] = said
    base = looks.base_texture
    if clear and base is not None and looks.alpha_texture is None:  # its own alpha counts
        said = {**_words(base), "channel": "a"}
        value = inputs.pop("opacity", 1.0)
        textures["opacity"] = said | ({"scale": [1.0, 1.0, 1.0, value]} if value != 1 else {})
    return inputs, textures, unsaid


def _words(texture: Texture) -> dict:
    said: dict[str, Any] = {"file": texture.image, "channel": "rgb"}
    said |= {"wrapS": texture.wrap[0], "wrapT": texture.wrap[1]}
    if texture.uv:
        said["uv"] = texture.uv
    if texture.placed:
        said["transform"] = {
            "rotation": math.degrees(texture.rotation),
            "scale": list(texture.scale),
            "translation": list(texture.offset),
        }
    return said
