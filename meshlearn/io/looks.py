"""How a surface looks, between formats: metal and roughness, textures and their placing.

Readers make `Looks` of what their format says of a material (`Material.looks`), writers say it in
the words of theirs and tell by name what those have no word for. What a file says beyond it stays
with the material under the format's own name, and goes back into a file of that format unchanged.

The model is that of glTF 2.0 (metallic-roughness).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

from meshlearn.io.left_behind import Loss, LossKind


@dataclass
class Texture:
    """An image as one property of a material uses it.

    The place at which texture coordinates uv are looked up is ``offset + R(rotation) (scale * uv)``
    (KHR_texture_transform), in coordinates whose v counts from an image's bottom, as documents
    have them: glTF's own numbers are turned over when they are read.

    Attributes:
        image: a key of the document's images; also of one that could not be read.
        uv: which set of coordinates: 0 is the field "uv", 1 "uv1" and so on.
        offset, scale: (u, v).
        rotation: radians, counter-clockwise.
        wrap: of (u, v): "repeat", "clamp" or "mirror".
        nearest: the image is magnified without interpolation.
        channel: one of "r", "g", "b", "a", "luminance", where the property is one number.
        strength: factor of a normal map, an occlusion map or a bump map.
    """

    image: str
    uv: int = 0
    offset: tuple[float, float] = (0.0, 0.0)
    scale: tuple[float, float] = (1.0, 1.0)
    rotation: float = 0.0
    wrap: tuple[str, str] = ("repeat", "repeat")
    nearest: bool = False
    channel: str = ""
    strength: float = 1.0

    @property
    def placed(self) -> bool:
        """Whether coordinates change before the image is looked up."""
        return self.offset != (0, 0) or self.scale != (1, 1) or self.rotation != 0


@dataclass
class Looks:
    """A surface's appearance; None where the file says nothing of it.

    Attributes:
        base_color: (red, green, blue) linear, in [0, 1]; a factor of its texture.
        alpha: opacity, 1 opaque; a factor of `alpha_texture` or of the base texture's alpha.
        alpha_mode: "OPAQUE", "MASK" (cut at `alpha_cutoff`) or "BLEND".
        metallic, roughness: in [0, 1].
        emissive: (red, green, blue) linear; above 1 for lights.
        double_sided: seen from behind too.
        unlit: shown without lighting.
        beyond: what else the file says of it, by the words of its format: lost in every other.
    """

    base_color: tuple[float, float, float] | None = None
    alpha: float | None = None
    alpha_mode: str | None = None
    alpha_cutoff: float | None = None
    metallic: float | None = None
    roughness: float | None = None
    emissive: tuple[float, float, float] | None = None
    double_sided: bool | None = None
    unlit: bool | None = None
    base_texture: Texture | None = None
    alpha_texture: Texture | None = None
    metallic_texture: Texture | None = None
    roughness_texture: Texture | None = None
    emissive_texture: Texture | None = None
    normal_texture: Texture | None = None
    occlusion_texture: Texture | None = None
    bump_texture: Texture | None = None
    beyond: tuple[str, ...] = ()

    def said(self) -> dict[str, object]:
        """What is said, by name."""
        found = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "beyond"}
        return {name: value for name, value in found.items() if value is not None}

    def textures(self) -> Iterator[tuple[str, Texture]]:
        """The textures that are there, with the property's name."""
        for name, value in self.said().items():
            if isinstance(value, Texture):
                yield name, value


def plain_of(looks: Looks) -> dict[str, object]:
    """Looks as values that JSON has; `looks_of_plain` takes them back."""
    found: dict[str, object] = {
        name: asdict(value) if isinstance(value, Texture) else value
        for name, value in looks.said().items()
    }
    return found | ({"beyond": looks.beyond} if looks.beyond else {})


def looks_of_plain(said: object) -> Looks:
    """Looks of what `plain_of` made.

    Raises:
        ValueError: something else; the message names the property.
    """
    if not isinstance(said, dict):
        raise ValueError("looks: expected an object of JSON")
    return Looks(**{name: _checked(Looks(), name, value) for name, value in said.items()})


_COUNTS = {"base_color": 3, "emissive": 3, "offset": 2, "scale": 2, "wrap": 2}
_WORDS = {"alpha_mode", "image", "channel"}
_TRUTHS = {"double_sided", "unlit", "nearest"}


def _checked(owner: Looks | Texture, name: str, value: object) -> Any:
    wrong = ValueError(f"looks: {name!r} is no property, or {str(value)[:40]!r} is none of its")
    if not isinstance(name, str) or name not in {f.name for f in fields(owner)}:
        raise wrong
    if name.endswith("_texture"):
        if not isinstance(value, dict) or "image" not in value:
            raise wrong
        blank = Texture("")
        return Texture(**{key: _checked(blank, key, item) for key, item in value.items()})
    if name == "beyond" or name in _COUNTS:
        kind: type | tuple[type, ...] = str if name in ("beyond", "wrap") else (int, float)
        if not isinstance(value, (list, tuple)) or not all(isinstance(v, kind) for v in value):
            raise wrong
        if len(value) != _COUNTS.get(name, len(value)):
            raise wrong
        return tuple(value)
    kinds = (str,) if name in _WORDS else (bool,) if name in _TRUTHS else (int, float)
    if not isinstance(value, kinds) or (isinstance(value, bool) and name not in _TRUTHS):
        raise wrong
    if name == "uv" and not isinstance(value, int):
        raise wrong
    return value


def losses_of_looks(materials: Iterable[tuple[Looks, Iterable[str]]]) -> Iterator[Loss]:
    """What a format has no word for, by name and number of materials.

    Args:
        materials: each one's looks, and the names of those of its properties that are not written.
    """
    count: dict[str, int] = {}
    for looks, unsaid in materials:
        for name in dict.fromkeys([*unsaid, *looks.beyond]):
            count[name] = count.get(name, 0) + 1
    for name, number in count.items():
        yield Loss(LossKind.MATERIAL_PROPERTY, name=name.replace("_", " "), count=number)
