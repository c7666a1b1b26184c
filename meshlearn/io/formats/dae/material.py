"""Effects of COLLADA as `Looks`: the common profile of constant, lambert, phong and blinn.

COLLADA 1.5, chapter 8: "Determining transparency (opacity)" gives the four ways in which
`<transparent>` and `<transparency>` say an opacity. A texture names its coordinates by a word,
which the instance of a material binds to a set of the mesh.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import PurePosixPath
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from meshlearn.io.document import Document, Material
from meshlearn.io.formats.dae.file import File
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.looks import Looks, Texture
from meshlearn.io.resolver import take_image

_SHADERS = ("phong", "lambert", "blinn", "constant")
_WRAPS = {"WRAP": "repeat", "MIRROR": "mirror", "CLAMP": "clamp", "BORDER": "clamp"}
_LUMINANCE = (0.212671, 0.715160, 0.072169)  # of COLLADA's own text, for RGB_ZERO and RGB_ONE


class Materials:
    """The materials of a file, in a document's list; more than once where meshes bind the words of
    their textures to different sets."""

    def __init__(self, file: File, document: Document) -> None:
        self.file, self.document = file, document
        self.places: dict[str, int] = {}
        self.words: dict[str, dict[str, str]] = {}  # of textures, by property
        self.made: dict[tuple[str, tuple[tuple[str, int], ...]], int] = {}
        for entry in file.root.iter("material"):
            key = entry.get("id", "")
            looks, words = _effect(file, document, entry)
            material = Material(entry.get("name") or key, looks=looks)
            self.places[key] = len(document.materials)
            self.words[key] = words
            document.materials.append(material)
        self._as_meant()

    def _as_meant(self) -> None:
        """Fills in the opacities; where some material would not be seen at all, its program counted
        the other way, and did so for all."""
        looks = [m.looks for m in self.document.materials if m.looks is not None]
        said = [x for x in looks if x.alpha is not None]
        hidden = sum(x.alpha == 0 and x.alpha_texture is None for x in said)
        if hidden:
            self.document.remarks.append(
                f"{hidden} materials would not be seen at all as the file says their transparency; "
                f"it was read the other way, as their program means it"
            )
        for found in said:
            alpha = 1.0 if found.alpha is None else found.alpha
            alpha = 1 - alpha if hidden and found.alpha_texture is None else alpha
            found.alpha, found.alpha_mode = alpha, "BLEND"
            if alpha == 1 and found.alpha_texture is None:
                found.alpha = found.alpha_mode = None
        for material in self.document.materials:
            if material.looks is not None:
                material.values = _values(material.looks)

    def place(self, key: str, bound: Mapping[str, int], sets: Mapping[int, int]) -> int:
        """The number of a material; -1 where there is none.

        Args:
            bound: the set that each word of its textures means.
            sets: what number of the mesh's fields each set is.
        """
        if key not in self.places:
            return -1
        words = self.words[key]
        chosen = {}
        for name, word in words.items():
            number = bound.get(word, _number_in(word) if len(sets) > 1 else None)
            chosen[name] = sets.get(number, 0) if number is not None else 0
        known = (key, tuple(sorted(chosen.items())))
        if known in self.made:
            return self.made[known]
        first = not any(other == key for other, _ in self.made)
        number = self.places[key]
        if not first:
            self.document.materials.append(deepcopy(self.document.materials[number]))
            number = len(self.document.materials) - 1
        looks = self.document.materials[number].looks
        for name, uv in chosen.items():
            if looks is not None:
                getattr(looks, name).uv = uv
        self.made[known] = number
        return number


def _number_in(word: str) -> int | None:
    """The set that a word such as "UVSET1" says by itself."""
    digits = word[len(word.rstrip("0123456789")) :]
    return int(digits) if digits and len(digits) < 6 else None


def _values(looks: Looks) -> dict:
    values: dict = {}
    if looks.base_color is not None:
        values["base_color"] = [*looks.base_color, 1.0 if looks.alpha is None else looks.alpha]
    if looks.base_texture is not None:
        values["base_texture"] = looks.base_texture.image
    return values


class _Effect:
    """The parameters of one effect."""

    def __init__(self, file: File, document: Document, effect: Element) -> None:
        self.file, self.document = file, document
        self.params = {p.get("sid"): p for p in effect.iter("newparam")}
        self.words: dict[str, str] = {}

    def numbers(self, holder: Element | None) -> list[float]:
        """Of <color> or <float>, or of the parameter that is named instead."""
        if holder is None:
            return []
        for tag in ("color", "float"):
            if holder.find(tag) is not None:
                return self.file.numbers(holder.find(tag)).tolist()
        named = holder.find("param")
        param = self.params.get(named.get("ref", "")) if named is not None else None
        for tag in ("float4", "float3", "float") if param is not None else ():
            if param is not None and param.find(tag) is not None:
                return self.file.numbers(param.find(tag)).tolist()
        return []

    def color(self, holder: Element | None) -> tuple[float, float, float] | None:
        found = self.numbers(holder)
        return (found[0], found[1], found[2]) if len(found) in (3, 4) else None

    def texture(self, holder: Element | None, name: str) -> Texture | None:
        """The texture of a property; its word for coordinates is kept."""
        said = holder.find("texture") if holder is not None else None
        if said is None:
            return None
        image, sampler = self._image(said.get("texture", ""))
        if not image:
            return None
        found = Texture(take_image(self.document, self.file.path, image, percent=True))
        wraps = (
            [(sampler.findtext(w) or "").strip() for w in ("wrap_s", "wrap_t")]
            if (sampler is not None)
            else ["", ""]
        )
        found.wrap = (_WRAPS.get(wraps[0], "repeat"), _WRAPS.get(wraps[1], "repeat"))
        if sampler is not None:
            found.nearest = (sampler.findtext("magfilter") or "").strip() == "NEAREST"
        scale, offset = [1.0, 1.0], [0.0, 0.0]  # of Maya's placing, as it and others write it
        for key, pair, k in (("U", scale, 0), ("V", scale, 1)):
            pair[k] = self._extra(said, f"repeat{key}", 1.0)
        for key, pair, k in (("U", offset, 0), ("V", offset, 1)):
            pair[k] = self._extra(said, f"offset{key}", 0.0)
        found.scale, found.offset = (scale[0], scale[1]), (offset[0], offset[1])
        self.words[name] = said.get("texcoord", "")
        return found

    def _extra(self, said: Element, key: str, default: float) -> float:
        found = self.file.numbers(said.find(f"extra/technique/{key}"))
        return float(found[0]) if len(found) == 1 else default

    def _image(self, label: str) -> tuple[str, Element | None]:
        """The file of a texture, through its sampler and surface, and the sampler."""
        sampler = None
        for _ in range(4):
            param = self.params.get(label)
            if param is None:
                break
            sampler = param.find("sampler2D") if sampler is None else sampler
            inner = param.find(".//instance_image")
            if inner is not None:
                label = unquote((inner.get("url") or "").removeprefix("#"))
                break
            label = (param.findtext(".//source") or param.findtext(".//init_from") or "").strip()
        image = self.file.ids.get(label)
        init = image.find("init_from") if image is not None else None
        name = ((init.findtext("ref") or init.text or "") if init is not None else "").strip()
        if not name and PurePosixPath(label).suffix:
            name = label  # a file's name where an image's id belongs
        if not name:
            inside = image is not None and image.find("data") is not None
            why = "is inside the file, as digits" if inside else "is not there"
            limit = f"names it, and it {why}"
            loss = Loss(LossKind.NAMED_FILE, name=label, limit=limit, holder="the file")
            if loss not in self.document.left_out:
                self.document.left_out.append(loss)
        return name.removeprefix("./"), sampler


def _effect(
    file: File, document: Document, material: Element
) -> tuple[Looks | None, dict[str, str]]:
    """What a material looks like, and the words of its textures' coordinates by property."""
    instance = material.find("instance_effect")
    url = (instance.get("url") or "") if instance is not None else ""
    found = file.ids.get(unquote(url.removeprefix("#")))
    if found is None:
        return None, {}
    common = found.find("profile_COMMON")
    shader = next((s for k in _SHADERS for s in found.iterfind(f"profile_COMMON//{k}")), None)
    if common is None or shader is None:
        kinds = [child.tag for child in found if child.tag.startswith("profile_")]
        beyond = tuple(f"effect of {kind}" for kind in kinds if kind != "profile_COMMON")
        return (Looks(beyond=beyond) if beyond else None), {}
    effect = _Effect(file, document, found)
    looks, more = Looks(), []
    diffuse, emission = shader.find("diffuse"), shader.find("emission")
    if shader.tag == "constant":  # its colour is what it emits
        looks.unlit = True
        diffuse, emission = (emission, None) if diffuse is None else (diffuse, None)
    looks.base_texture = effect.texture(diffuse, "base_texture")
    looks.base_color = effect.color(diffuse)
    if looks.base_texture is not None:
        looks.base_color = (1.0, 1.0, 1.0)
    looks.emissive_texture = effect.texture(emission, "emissive_texture")
    looks.emissive = effect.color(emission)
    if looks.emissive_texture is not None:
        looks.emissive = (1.0, 1.0, 1.0)
    elif looks.emissive is not None and not any(looks.emissive):
        looks.emissive = None
    more += _opacity(effect, shader, looks)
    for name in ("specular", "reflective"):
        holder = shader.find(name)
        shown = holder is not None and holder.find("texture") is not None
        strength = effect.numbers(shader.find("reflectivity")) if name == "reflective" else []
        if shown or (any(effect.color(holder) or ()) and strength != [0.0]):
            more.append(name)
    _extras(effect, found, looks, more)
    looks.beyond = tuple(more)
    return looks, effect.words


def _opacity(effect: _Effect, shader: Element, looks: Looks) -> list[str]:
    """Sets the opacity; what has no word."""
    clear, amount = shader.find("transparent"), effect.numbers(shader.find("transparency"))
    if clear is None and not amount:
        return []
    mode = clear.get("opaque", "A_ONE") if clear is not None else "A_ONE"
    factor = amount[0] if len(amount) == 1 else 1.0
    color = (effect.numbers(clear) + [1.0] * 4)[:4] if clear is not None else [1.0] * 4
    light = sum(w * c for w, c in zip(_LUMINANCE, color, strict=False))
    solid = light if mode in ("RGB_ZERO", "RGB_ONE") else color[3]
    texture = effect.texture(clear, "alpha_texture")
    if texture is not None:
        texture.channel = "a" if mode in ("A_ONE", "A_ZERO") else "luminance"
        if mode in ("A_ZERO", "RGB_ZERO"):
            effect.words.pop("alpha_texture", None)
            return ["transparency map"]
        looks.alpha_texture = texture
    alpha = factor * solid
    alpha = 1 - alpha if mode in ("A_ZERO", "RGB_ZERO") else alpha
    looks.alpha = min(max(alpha, 0.0), 1.0)
    return []


def _extras(effect: _Effect, found: Element, looks: Looks, more: list[str]) -> None:
    """What programs add: bump maps and two-sidedness."""
    for technique in found.iter("technique"):
        if technique.get("profile") is None:
            continue
        if (technique.findtext("double_sided") or "").strip() in ("1", "true"):
            looks.double_sided = True
        bump = technique.find("bump")
        if bump is not None:
            normal = "NORMAL" in (bump.get("bumptype") or "").upper()
            name = "normal_texture" if normal else "bump_texture"
            setattr(looks, name, effect.texture(bump, name))
        for name in ("displacement", "diffuse_level", "reflection_map"):
            if technique.find(name) is not None:
                more.append(name)
