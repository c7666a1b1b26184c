"""Materials of OBJ files (.mtl): colours, numbers and maps, with the images they name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from meshlearn.io.document import Document, Material
from meshlearn.io.encoding import plain_text
from meshlearn.io.formats.obj.looks import looks_of, statements
from meshlearn.io.names import distinct, on_one_line
from meshlearn.io.resolver import find_named, take_image, take_named

_MAP_OPTIONS = {"-blendu": 1, "-blendv": 1, "-boost": 1, "-mm": 2, "-texres": 1, "-clamp": 1}
_MAP_OPTIONS |= {"-bm": 1, "-imfchan": 1, "-type": 1, "-cc": 1, "-colorspace": 1}


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
    return "\n".join(map(decoded_line, map(bytes, lines)))


def decoded_line(line: bytes) -> str:
    """One line of `decoded`."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("latin-1")


def plain_name(text: str) -> str:
    """A material's name without a remark behind it."""
    return re.split(r"\s#", text, maxsplit=1)[0].strip()


def names_of(materials: list[Material]) -> list[str]:
    """A name for each material that a file can hold, no two the same."""
    names = [on_one_line(m.name).replace(" #", "_#") for m in materials]
    return distinct(("_" + n if n.startswith("#") else n for n in names), empty="material")


def parse(text: str) -> dict[str, dict[str, str]]:
    """Statements of each material, by its name."""
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] | None = None
    for line in text.split("\n"):
        word, *more = line.split(None, 1) or [""]
        if not word or word.startswith("#"):
            continue
        rest = more[0] if more else ""
        if word == "newmtl":
            current = found.setdefault(plain_name(rest), {})
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
    names = [name for text in texts for name in library_names(path, text)]
    for name in dict.fromkeys(names):
        data = take_named(document, path, name)
        if data is None:
            missing.append(name)
            continue
        for label, said in parse(decoded(data)).items():
            material = known.get(label)
            if material is None:
                continue
            material.values["mtl"] = said
            colour = _numbers(said.get("Kd", ""), 3)
            if colour is not None:
                alpha = _numbers(said.get("d", ""), 1) or [1.0]
                material.values["base_color"] = [*colour, *alpha]
            for key, value in list(said.items()):
                if key.startswith(("map_", "bump", "norm", "disp", "decal", "refl")):
                    name = _map_name(value)
                    image = take_image(document, path, name)
                    said[key] = value.replace(name, image)
                    if key == "map_Kd":
                        material.values["base_texture"] = image
            material.looks = looks_of(said, _map_name)
            if colour is not None and material.looks.alpha is not None:
                material.values["base_color"][3] = material.looks.alpha
    return missing


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
