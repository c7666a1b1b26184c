"""Materials of KHR_materials_pbrSpecularGlossiness as metallic-roughness, which is what `Looks` and
most programs have.

With diffuse colour d, specular colour s, the greatest of its components S, and F = 0.04, what a
dielectric reflects, a surface of base colour B and metal m has

    d (1 - S) = B (1 - F) (1 - m),        s = F (1 - m) + B m.

For their perceived brightnesses these give  F m^2 + (|d| (1 - S) / (1 - F) + |s| - 2 F) m + F - |s|
= 0. The base colour is that of the first equation where there is little metal and of the second
where there is much, weighed by m^2. Roughness is 1 - glossiness. Source: the conversion that the
appendix of the extension refers to.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np

NAME = "KHR_materials_pbrSpecularGlossiness"
MOST_PIXELS = 1 << 26  # of a texture that is converted
_DIELECTRIC = 0.04
_LEAST = 1e-6  # what is divided by where there is no metal, or nothing else
_ROWS = 1 << 20  # pixels that are converted together
_BRIGHTNESS = np.array([0.299, 0.587, 0.114])  # of the squares of red, green and blue


def _brightness(color: np.ndarray) -> np.ndarray:
    return np.sqrt((color**2) @ _BRIGHTNESS)


def converted(diffuse: np.ndarray, specular: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Base colours (N, 3) and metal (N,) of diffuse and specular colours (N, 3), all linear."""
    left = (1 - specular.max(1)) / (1 - _DIELECTRIC)
    bright = _brightness(specular)
    b = _brightness(diffuse) * left + bright - 2 * _DIELECTRIC
    c = _DIELECTRIC - bright
    root = np.sqrt(np.maximum(b * b - 4 * _DIELECTRIC * c, 0))
    metal = np.where(bright < _DIELECTRIC, 0, ((root - b) / (2 * _DIELECTRIC)).clip(0, 1))
    m = metal[:, None]
    of_diffuse = diffuse * (left[:, None] / np.maximum(1 - m, _LEAST))
    of_specular = (specular - _DIELECTRIC * (1 - m)) / np.maximum(m, _LEAST)
    return (of_diffuse + m**2 * (of_specular - of_diffuse)).clip(0, 1), metal


def _linear(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _encoded(values: np.ndarray) -> np.ndarray:
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.round(values * 255).clip(0, 255).astype(np.uint8)


def _numbers(said: dict, key: str, default: list[float]) -> np.ndarray:
    value = said.get(key, default)
    good = isinstance(value, list) and len(value) == len(default)
    if not good or not all(isinstance(v, (int, float)) for v in value):
        value = default
    return np.array(value, np.float64).clip(0, 1)


def _place(texture: dict) -> dict:
    """How a texture is looked up, without its image."""
    return {k: v for k, v in texture.items() if k != "image"}


def metallic_roughness(
    said: dict, images: dict[str, bytes], take: Callable[[str, bytes], str]
) -> tuple[dict, str]:
    """The extension's words as those of pbrMetallicRoughness -> them, and what was not taken into
    account: "" where all was.

    Args:
        said: the extension's object, its textures named by image.
        take: puts an image into the document, and gives its key.
    """
    diffuse = _numbers(said, "diffuseFactor", [1.0] * 4)
    specular = _numbers(said, "specularFactor", [1.0] * 3)
    gloss = said.get("glossinessFactor", 1.0)
    gloss = float(np.clip(gloss, 0, 1)) if isinstance(gloss, (int, float)) else 1.0
    of_diffuse, of_specular = (
        texture if isinstance(texture, dict) and texture.get("image") in images else None
        for texture in (said.get("diffuseTexture"), said.get("specularGlossinessTexture"))
    )
    problem = ""
    if of_specular and of_diffuse and _place(of_specular) != _place(of_diffuse):
        problem, of_specular = "a texture of specular colours that is placed otherwise", None
    if of_specular is None and (of_diffuse is None or specular.max() <= _DIELECTRIC):
        color, metal = converted(diffuse[None, :3], specular[None])
        surface: dict = {
            "baseColorFactor": [*np.round(color[0], 9).tolist(), float(diffuse[3])],
            "metallicFactor": round(float(metal[0]), 9),
            "roughnessFactor": round(1 - gloss, 9),
        }
        if of_diffuse is not None:
            surface["baseColorTexture"] = of_diffuse
        return surface, problem
    try:
        made = _textures(
            images[of_diffuse["image"]] if of_diffuse else None,
            images[of_specular["image"]] if of_specular else None,
            diffuse, specular, gloss,
        )  # fmt: skip
    except (OSError, ValueError, SyntaxError):
        color, metal = converted(diffuse[None, :3], specular[None])
        surface = {"baseColorFactor": [*color[0].tolist(), float(diffuse[3])]}
        surface |= {"metallicFactor": float(metal[0]), "roughnessFactor": 1 - gloss}
        return surface, "textures that cannot be decoded"
    place = of_diffuse or of_specular
    assert place is not None
    stem = place["image"].rpartition(".")[0] or place["image"]
    words = [{**place, "image": take(f"{stem}_{k}.png", v)} for k, v in made.items()]
    return {
        "baseColorFactor": [1.0, 1.0, 1.0, float(diffuse[3])],
        "baseColorTexture": words[0],
        "metallicFactor": 1.0,
        "roughnessFactor": 1.0,
        "metallicRoughnessTexture": words[1],
    }, problem


def _textures(
    of_diffuse: bytes | None,
    of_specular: bytes | None,
    diffuse: np.ndarray,
    specular: np.ndarray,
    gloss: float,
) -> dict[str, bytes]:
    """Images of base colours and of metal and roughness, of the size of the larger one given."""
    from PIL import Image

    opened = [None if x is None else Image.open(BytesIO(x)) for x in (of_diffuse, of_specular)]
    size = max((x.size for x in opened if x is not None), key=lambda s: s[0] * s[1])
    if size[0] * size[1] > MOST_PIXELS:
        raise ValueError("too many pixels")
    tables: list[np.ndarray | None] = []
    for image in opened:
        if image is None:
            tables.append(None)
            continue
        full = image.convert("RGBA")
        full = full if full.size == size else full.resize(size, Image.Resampling.BILINEAR)
        tables.append(np.asarray(full).reshape(-1, 4))
    first, second = tables
    count = size[0] * size[1]
    base, surface = np.empty((count, 4), np.uint8), np.zeros((count, 3), np.uint8)
    for start in range(0, count, _ROWS):
        rows = slice(start, min(start + _ROWS, count))
        d = np.tile(diffuse[:3], (rows.stop - start, 1))
        s, g = np.tile(specular, (rows.stop - start, 1)), np.full(rows.stop - start, gloss)
        base[rows, 3] = 255
        if first is not None:
            d = d * _linear(first[rows, :3] / 255)
            base[rows, 3] = first[rows, 3]
        if second is not None:
            s = s * _linear(second[rows, :3] / 255)
            g = g * (second[rows, 3] / 255)
        color, metal = converted(d, s)
        base[rows, :3] = _bytes(_encoded(color))
        surface[rows, 1], surface[rows, 2] = _bytes(1 - g), _bytes(metal)
    opaque = bool((base[:, 3] == 255).all())
    shape = (size[1], size[0], -1)
    pictures = {"base": (base[:, :3] if opaque else base), "metal": surface}
    out = {}
    for name, pixels in pictures.items():
        stream = BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels).reshape(shape)).save(stream, "PNG")
        out[name] = stream.getvalue()
    return out
