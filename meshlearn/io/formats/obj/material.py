"""Materials of OBJ files (.mtl): read with the images they name, as `Looks`, and written.

Kd, d (or 1 - Tr), Ke, Pr and Pm are colour, opacity, emission, roughness and metal; map_Kd, map_d,
map_Ke, map_Pr, map_Pm, norm and bump their textures, with -s and -o the scale and offset of their
coordinates, -clamp, -bm and -imfchan. "Tr 1" without d is opaque: MeshLab writes it of every
material, and no one a surface that cannot be seen. Ka, illum and Ni tell of lamps and old ways of
shading and are no part of a look.

Statements are understood in letters of any case, with decimal commas, continued on the next line,
and with the options of a map behind its file; names of materials also where only quotes or case
differ from those that faces name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from meshlearn.io.document import Document, Material
from meshlearn.io.encoding import COMMAS_SAID, decoded_name, plain_text
from meshlearn.io.looks import Looks, Texture
from meshlearn.io.names import distinct, on_one_line
from meshlearn.io.resolver import find_named, take_image, take_named

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
_KEYS = {
    key.lower(): key for key in (*reversed(_MAPS), *_NO_LOOK, "newmtl", "Kd", "Ke", "Ks", "Ns")
}
_KEYS |= {key.lower(): key for key in ("d", "Tr", "Pr", "Pm", "Ps", "Pc", "Pcr", "aniso", "anisor")}
_CHANNELS = {"r": "r", "g": "g", "b": "b", "m": "a", "l": "luminance"}
_MAP_OPTIONS = {"-blendu": 1, "-blendv": 1, "-boost": 1, "-mm": 2, "-texres": 1, "-clamp": 1}
_MAP_OPTIONS |= {"-bm": 1, "-imfchan": 1, "-type": 1, "-cc": 1, "-colorspace": 1}
_OPTIONS = "|".join(word[1:] for word in ("-s", "-o", "-t", *_MAP_OPTIONS))
_BEHIND = re.compile(rf"(.*?\S)((?:\s+-(?:{_OPTIONS})(?:\s+[^\s-]\S*|\s+-[\d.]\S*){{1,3}})+)\s*")
_COMMAS = re.compile(r"(?=.*\d,\d)[-+]?\d+(?:,\d+)?(?:\s+[-+]?\d+(?:,\d+)?){0,2}")


def _map_name(text: str) -> str:
    """The file's name behind the options of a map."""
    words = text.split()
    k = 0
    while k < len(words) and words[k].startswith("-"):
        if words[k] in ("-o", "-s", "-t"):  # one to three numbers
            k += 1
            taken = 0
            while k < len(words) and taken < 3 and _is_number(words[k]):
                k, taken = k + 1, taken + 1
            continue
        k += 1 + _MAP_OPTIONS.get(words[k], 0)
    if k == 0:
        return text.strip().strip('"')
    return " ".join(words[k:]).strip('"')


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def decoded(data: bytes) -> str:
    """Text whose lines are UTF-8, or Latin-1 where they are not: distinct bytes stay so."""
    try:
        lines = plain_text(data).replace(b"\r\n", b"\n").split(b"\n")
    except ValueError:
        lines = data.split(b"\n")
    return "\n".join(map(decoded_name, map(bytes, lines)))


def plain_name(text: str) -> str:
    """A material's name without a remark behind it."""
    return re.split(r"\s#", text, maxsplit=1)[0].strip()


def names_of(materials: list[Material]) -> list[str]:
    """A name for each material that a file can hold, no two the same."""
    names = [on_one_line(m.name).replace(" #", "_#") for m in materials]
    return distinct(("_" + n if n.startswith("#") else n for n in names), empty="material")


def parse(text: str, again: list[str]) -> dict[str, dict[str, str]]:
    """Statements of each material, by its name.

    Args:
        again: takes the names of those that are described a second time, which counts.
    """
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] | None = None
    for line in re.sub(r"\\[ \t]*\n", " ", text).split("\n"):
        word, *more = line.split(None, 1) or [""]
        if not word or word.startswith("#"):
            continue
        word = word if word in _MAPS else _KEYS.get(word.lower(), word)
        rest = more[0] if more else ""
        if word == "newmtl":
            name = plain_name(rest)
            again += [name] if name in found else []
            current = found[name] = {}
        elif current is not None:
            current[word] = rest.strip()
    return found


def _numbers(text: str, count: int) -> list[float] | None:
    try:
        found = [float(word) for word in text.split()[:count]]
    except ValueError:
        return None
    return found if len(found) == count else None


def library_names(path: Path, text: str) -> list[str]:
    """The libraries that "mtllib TEXT" names: one, whose name may have blanks, or several."""
    plain = re.split(r"\s#", text, maxsplit=1)[0]
    found = re.findall(r'"[^"]+"|\S.*?\.mtl(?=\s|$)|\S+', plain, re.IGNORECASE)
    quoted = len(found) > 1 and found[0].startswith('"')
    if len(found) < 2 or (not quoted and find_named(path, text) is not None):
        return [text]
    names = [name.strip('"') for name in found]
    if all(name.lower().endswith(".mtl") or find_named(path, name) is not None for name in names):
        return names
    return [text]


def load_materials(document: Document, path: Path, texts: Iterable[str]) -> list[str]:
    """Fills the document's materials from the libraries that lines "mtllib TEXT" name beside
    `path`; those that are absent, or in another folder, are noted in `left_out` -> their names."""
    missing: list[str] = []
    known = {material.name: material for material in document.materials}
    described: dict[str, dict[str, str]] | None = None
    again: list[str] = []
    names = [name for text in texts for name in library_names(path, text)]
    for name in dict.fromkeys(names):
        data = take_named(document, path, name)
        if data is None:
            missing.append(name)
            continue
        described = described or {}
        found = parse(decoded(data), again)
        again += [label for label in found if label in described]
        described |= found
    meant = _meant(list(known), described or {})
    commas = False
    for label, name in meant.items():
        said = dict((described or {})[name])
        commas |= _take(document, path, known[label], said)
    if commas and COMMAS_SAID not in document.remarks:
        document.remarks.append(COMMAS_SAID)
    other = [f"'{label}' is '{name}'" for label, name in meant.items() if label != name]
    if other:
        document.remarks.append(
            f"names of materials were understood without regard to case and quotes: {_some(other)}"
        )
    twice = [f"'{name}'" for name in dict.fromkeys(again) if name in meant.values()]
    if twice:
        document.remarks.append(
            f"the material libraries describe {_some(twice)} more than once; the last time counts"
        )
    if described is not None and not missing:
        unknown = [f"'{name}'" for name in known if name not in meant]
        if unknown:
            document.remarks.append(
                f"the material libraries do not describe {len(unknown)} of {len(known)} materials "
                f"that faces name: {_some(unknown)}"
            )
    return missing


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def _meant(labels: list[str], described: Mapping[str, object]) -> dict[str, str]:
    """Which described material each label of faces means, in the order of the libraries: that of
    its name, else the only one whose name differs in case or quotes."""

    def fold(name: str) -> str:
        return name.strip("\"' ").casefold()

    alike: dict[str, list[str]] = {}
    for name in described:
        alike.setdefault(fold(name), []).append(name)
    found: dict[str, str] = {}
    for label in labels:
        others = alike.get(fold(label), [])
        if label in described:
            found[label] = label
        elif len(others) == 1:
            found[label] = others[0]
    order = {name: k for k, name in enumerate(described)}
    return dict(sorted(found.items(), key=lambda pair: order[pair[1]]))


def _take(document: Document, path: Path, material: Material, said: dict[str, str]) -> bool:
    """Gives a material what is said of it, and the document its images; whether numbers had decimal
    commas."""
    commas = False
    material.values["mtl"] = said
    for key, value in list(said.items()):
        if key.startswith(("map_", "bump", "norm", "disp", "decal", "refl")):
            name = _map_name(value)
            behind = None
            if len(value) < 4096 and find_named(path, name) is None:
                behind = _BEHIND.fullmatch(value)
            if behind is not None and find_named(path, _map_name(behind[1])) is not None:
                name = _map_name(behind[1])
                front = behind[1][: behind[1].find(name)].rstrip('"')
                value = f"{front} {behind[2].strip()} {name}".strip()
            image = take_image(document, path, name)
            said[key] = value.replace(name, image) if name else value
            if key == "map_Kd" and image:
                material.values["base_texture"] = image
        elif _COMMAS.fullmatch(value):
            said[key], commas = value.replace(",", "."), True
    colour = _numbers(said.get("Kd", ""), 3)
    if colour is not None:
        material.values["base_color"] = [*colour, 1.0]
    material.looks = looks_of(said, _map_name)
    if colour is not None and material.looks.alpha is not None:
        material.values["base_color"][3] = material.looks.alpha
    return commas


def write_materials(materials: list[Material]) -> bytes:
    """A .mtl file."""
    out = ["# meshlearn"]
    for name, material in zip(names_of(materials), materials, strict=True):
        out.append(f"newmtl {name}")
        said = dict(material.values.get("mtl", {}))
        colour, image = material.values.get("base_color"), material.values.get("base_texture")
        if not said and material.looks is not None:
            said = statements(material.looks)[0]
        if not said:
            if colour is not None:
                said["Kd"] = " ".join(f"{c:.9g}" for c in colour[:3])
                if len(colour) > 3 and colour[3] != 1:
                    said["d"] = f"{colour[3]:.9g}"
            if image is not None:
                said["map_Kd"] = image
        out += [f"{key} {value}" for key, value in said.items()]
    return ("\n".join(out) + "\n").encode()


# --- statements and looks -------------------------------------------------------------------------


def _leading(text: str, most: int) -> list[float]:
    found: list[float] = []
    for word in text.split()[:most]:
        try:
            found.append(float(word))
        except ValueError:
            break
    return found


def _color(text: str) -> tuple[float, float, float] | None:
    """Three numbers, or one for all three."""
    found = _leading(text, 3)
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
            pair = (*_leading(rest, 2), default, default)[:2]
            if word == "-s":
                texture.scale = (pair[0], pair[1])
            else:
                texture.offset = (pair[0], pair[1])
        elif word == "-clamp" and rest.split()[:1] == ["on"]:
            texture.wrap = ("clamp", "clamp")
        elif word == "-bm" and _leading(rest, 1):
            texture.strength = _leading(rest, 1)[0]
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
        if key in ("Kd", "Ke"):
            setattr(looks, "base_color" if key == "Kd" else "emissive", _color(text))
            if _color(text) is None:  # a spectrum, CIE XYZ, or no numbers
                beyond.append(key)
        elif key in ("d", "Tr"):
            found = _leading(text.replace("-halo", ""), 1)
            if found and not (key == "Tr" and "d" in said):
                looks.alpha = found[0] if key == "d" else 1 - found[0] or 1.0
        elif key in ("Pr", "Pm"):
            found = _leading(text, 1)
            if found:
                setattr(looks, "roughness" if key == "Pr" else "metallic", found[0])
        elif key in _MAPS:
            image = image_of(text)
            if not image:  # a map of nothing, as some exporters write it
                continue
            setattr(looks, _MAPS[key], _texture(text, image))
            beyond += [f"{w} of {key}" for w in ("-mm", "-t", "-boost") if w in text.split()]
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
    clear = looks.alpha_mode in ("MASK", "BLEND") and looks.alpha != 1
    alpha = looks.alpha if clear else None  # an opaque surface may have any
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
