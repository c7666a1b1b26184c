"""Materials of .mtl files and `Looks`: statements to properties and back.

Kd, d (or 1 - Tr), Ke, Pr and Pm are colour, opacity, emission, roughness and metal; map_Kd, map_d,
map_Ke, map_Pr, map_Pm, norm and bump their textures, with -s and -o the scale and offset of their
coordinates, -clamp, -bm and -imfchan. "Tr 1" without d is opaque: MeshLab writes it of every
material, and no one a surface that cannot be seen. Ka, illum and Ni tell of lamps and old ways of
shading and are no part of a look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from meshlearn.io.looks import Looks, Texture

_MAPS = {
    "map_Kd": "base_texture",
    "map_d": "alpha_texture",
    "map_Ke": "emissive_texture",
    "map_Pr": "roughness_texture",
    "map_Pm": "metallic_texture",
    "norm": "normal_texture",
    "map_Bump": "bump_texture",
    "map_bump": "bump_texture",
    "bump": "bump_texture",
}
WRITTEN = {field: key for key, field in reversed(list(_MAPS.items()))}  # the first word of each
_NO_LOOK = {"Ka", "illum", "Ni", "Tf", "sharpness", "map_Ka"}
_CHANNELS = {"r": "r", "g": "g", "b": "b", "m": "a", "l": "luminance"}


def _numbers(text: str, most: int) -> list[float]:
    found: list[float] = []
    for word in text.split()[:most]:
        try:
            found.append(float(word))
        except ValueError:
            break
    return found


def _color(text: str) -> tuple[float, float, float] | None:
    """Three numbers, or one for all three."""
    found = _numbers(text, 3)
    if len(found) == 1:
        found *= 3
    return (found[0], found[1], found[2]) if len(found) == 3 else None


def _texture(text: str, image: str) -> Texture:
    """The options of a map before its file's name."""
    head = text[: len(text) - len(image)] if text.endswith(image) else text
    words, texture = head.split(), Texture(image)
    for k, word in enumerate(words):
        rest = " ".join(words[k + 1 : k + 4])
        if word in ("-s", "-o"):
            default = 1.0 if word == "-s" else 0.0
            pair = (*_numbers(rest, 2), default, default)[:2]
            if word == "-s":
                texture.scale = (pair[0], pair[1])
            else:
                texture.offset = (pair[0], pair[1])
        elif word == "-clamp" and rest.split()[:1] == ["on"]:
            texture.wrap = ("clamp", "clamp")
        elif word == "-bm" and _numbers(rest, 1):
            texture.strength = _numbers(rest, 1)[0]
        elif word == "-imfchan":
            texture.channel = _CHANNELS.get(rest[:1], "")
    return texture


def looks_of(said: Mapping[str, str], image_of: Callable[[str], str]) -> Looks:
    """What the statements of a material mean.

    Args:
        image_of: the image's key of a map's text.
    """
    looks, beyond = Looks(), []
    for key, text in said.items():
        if key == "Kd":
            looks.base_color = _color(text)
        elif key == "Ke":
            looks.emissive = _color(text)
        elif key in ("d", "Tr"):
            found = _numbers(text.replace("-halo", ""), 1)
            if found and not (key == "Tr" and "d" in said):
                looks.alpha = found[0] if key == "d" else 1 - found[0] or 1.0
        elif key in ("Pr", "Pm"):
            found = _numbers(text, 1)
            if found:
                setattr(looks, "roughness" if key == "Pr" else "metallic", found[0])
        elif key in _MAPS:
            setattr(looks, _MAPS[key], _texture(text, image_of(text)))
        elif key == "Ns" or key in _NO_LOOK:
            continue
        elif key == "Ks" and not any(_color(text) or (0,)):
            continue
        else:
            beyond.append(key)
    if looks.emissive is not None and not any(looks.emissive):
        looks.emissive = None  # as exporters write it, beside a map too
    if (looks.alpha is not None and looks.alpha < 1) or looks.alpha_texture is not None:
        looks.alpha_mode = "BLEND"
    looks.beyond = tuple(beyond)
    return looks


def statements(looks: Looks) -> tuple[dict[str, str], list[str]]:
    """Looks in the words of a .mtl file -> them, and the properties that it has no word for."""
    said: dict[str, str] = {}
    unsaid: list[str] = []
    for color, key in ((looks.base_color, "Kd"), (looks.emissive, "Ke")):
        if color is not None:
            said[key] = " ".join(f"{c:.9g}" for c in color)
    alpha = None if looks.alpha == 1 else looks.alpha
    for value, key in ((alpha, "d"), (looks.roughness, "Pr"), (looks.metallic, "Pm")):
        if value is not None:
            said[key] = f"{value:.9g}"
    if looks.alpha_mode == "MASK":
        unsaid.append("alpha_mode")
    unsaid += [n for n in ("double_sided", "unlit") if getattr(looks, n)]
    for name, texture in looks.textures():
        if name not in WRITTEN:
            unsaid.append(name)
            continue
        key = WRITTEN[name]
        words = []
        if texture.scale != (1, 1):
            words += ["-s", *(f"{x:.9g}" for x in texture.scale), "1"]
        if texture.offset != (0, 0):
            words += ["-o", *(f"{x:.9g}" for x in texture.offset), "0"]
        if texture.wrap == ("clamp", "clamp"):
            words += ["-clamp", "on"]
        if name == "bump_texture" and texture.strength != 1:
            words += ["-bm", f"{texture.strength:.9g}"]
        elif texture.strength != 1:
            unsaid.append(f"strength of {name}")
        if texture.rotation:
            unsaid.append(f"rotation of {name}")
        if texture.uv:
            unsaid.append(f"second texture coordinates of {name}")
        if texture.channel in ("r", "g", "b"):
            words += ["-imfchan", texture.channel]
        said[key] = " ".join([*words, texture.image])
    return said, unsaid
