"""What triangles of 3MF look like: base materials, colours, textures, and what is made of them.

Colours of the format are sRGB, of which materials have linear light; what is mixed or multiplied is
so in linear light. Specification: 3MF core, 5 (base materials), and its materials and properties
extension, 1.2 and 2 to 6.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import ClassVar

import numpy as np

from meshlearn.io.archive import Archive
from meshlearn.io.color_space import linear_color
from meshlearn.io.document import CornerField, Document, Material, Part
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.looks import Looks, Texture

READER = "the reader of 3MF"
_WRAP = {"wrap": "repeat", "mirror": "mirror", "clamp": "clamp", "none": "clamp"}


@dataclass
class Group:
    """A group of properties: its kind, its attributes, and those of its entries in order."""

    KINDS: ClassVar[dict[str, str]] = {
        "basematerials": "base",
        "colorgroup": "color",
        "texture2dgroup": "tex2coord",
        "compositematerials": "composite",
        "multiproperties": "multi",
        "pbmetallicdisplayproperties": "pbmetallic",
        "pbspeculardisplayproperties": "pbspecular",
        "translucentdisplayproperties": "translucent",
        "pbmetallictexturedisplayproperties": "",
        "pbspeculartexturedisplayproperties": "",
    }
    kind: str
    attributes: dict[str, str]
    rows: list[dict[str, str]] = field(default_factory=list)
    places: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # materials
    values: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))  # colours, coordinates
    varies: bool = False  # corners of one triangle have several of its colours


_Layer = tuple[Group, np.ndarray]  # and (N, 3) indices of its entries


def colour_of(text: str) -> tuple[list[float] | None, bool]:
    """(red, green, blue, alpha) in [0, 1] of a colour, sRGB, and whether it is written by the rule.

    Without its "#", or as #RGB, a colour is understood; None for what is none.
    """
    text = text.strip()
    digits = re.fullmatch(r"#?([0-9A-Fa-f]{6})([0-9A-Fa-f]{2})?", text)
    short = re.fullmatch(r"#?([0-9A-Fa-f]{3})", text)
    if digits is not None:
        both = digits[1] + (digits[2] or "FF")
    elif short is not None:
        both = "".join(2 * c for c in short[1]) + "FF"
    else:
        return None, False
    return [int(both[k : k + 2], 16) / 255 for k in range(0, 8, 2)], text[0] == "#" and not short


def _linear(colour: list[float]) -> list[float]:
    """A colour of a file, which is sRGB, in linear light; opacity stays."""
    return [*linear_color(colour[0], colour[1], colour[2]), colour[3]]


class Properties:
    """Takes the properties of models into a document."""

    def __init__(
        self, document: Document, archive: Archive, member: Callable[[str], str | None]
    ) -> None:
        self.document, self.archive, self.member = document, archive, member
        self.groups: dict[tuple[str, str], Group] = {}
        self.known: set[str] = set()
        self.images: dict[str, str] = {}  # member of the archive: image of the document
        self.lost: Counter[tuple[str, str]] = Counter()
        self.odd = 0
        self.tinted: dict[tuple[int, int], int] = {}  # of a base and a texture
        self.parts_of_tinted: set[int] = set()  # those, which may be nothing by themselves

    def model(
        self, name: str, groups: dict[str, Group], textures: dict[str, dict[str, str]]
    ) -> None:
        """Takes the groups of a model, once."""
        if name in self.known:
            return
        self.known.add(name)
        for key, group in groups.items():
            self.groups[name, key] = group
            if group.kind in ("basematerials", "colorgroup"):
                self._coloured(group)
                self._displayed(group, groups)
            elif group.kind == "texture2dgroup":
                self._textured(group, textures)
        for group in groups.values():
            if group.kind == "compositematerials":
                self._mixed(group, groups)

    def _colour(self, text: str | None) -> list[float] | None:
        if text is None:
            self.odd += 1
            return None
        found, good = colour_of(text)
        if found is None:
            limit = "does not understand them; they are as if not there"
            self.lost[f"colours such as {text[:20]!r}", limit] += 1
            return None
        self.odd += not good
        return found

    def _add(self, material: Material) -> int:
        self.document.materials.append(material)
        return len(self.document.materials) - 1

    def _coloured(self, group: Group) -> None:
        word = "displaycolor" if group.kind == "basematerials" else "color"
        places, values = [], []
        for row in group.rows:
            colour = self._colour(row.get(word))
            label = row.get("name", f"color {len(self.document.materials)}")
            said = {"base_color": _linear(colour)} if colour else {}
            places.append(self._add(Material(label, said)))
            values.append(colour or [1.0, 1.0, 1.0, 1.0])
        group.places = np.array(places, np.int64)
        group.values = np.array(values).reshape(-1, 4)

    def _displayed(self, group: Group, groups: dict[str, Group]) -> None:
        """Gives the materials of a group the metal and roughness that it is to be shown with; other
        ways to show it are told."""
        key = group.attributes.get("displaypropertiesid")
        found = groups.get(key or "")
        if key is None or not len(group.places):
            return
        if found is None or found.kind != "pbmetallicdisplayproperties":
            kind = found.kind if found is not None else f"displayproperties {key!r}"
            self.lost[f"{kind} of materials", "reads metal and roughness of display only"] += len(
                group.places
            )
            return
        for place, row in zip(group.places.tolist(), found.rows, strict=False):
            material = self.document.materials[place]
            looks = material.appearance
            looks.metallic = float(row.get("metallicness", "0"))
            looks.roughness = float(row.get("roughness", "1"))
            material.looks = looks

    def _textured(self, group: Group, textures: dict[str, dict[str, str]]) -> None:
        group.values = np.array(
            [[float(row["u"]), float(row["v"])] for row in group.rows], np.float64
        ).reshape(-1, 2)
        said = textures.get(group.attributes.get("texid", ""))
        if said is None:
            raise ValueError(
                f"it names the texture {group.attributes.get('texid')!r}, which is not there"
            )
        image = self._image(said.get("path", ""))
        wrap = tuple(
            _WRAP.get(said.get(f"tilestyle{axis}", "wrap"), "repeat") for axis in ("u", "v")
        )
        nearest = said.get("filter") == "nearest"
        texture = Texture(image, wrap=(wrap[0], wrap[1]), nearest=nearest)
        values = {"base_color": [1.0, 1.0, 1.0, 1.0], "base_texture": image}
        stem = PurePosixPath(image).stem
        number = self._add(Material(stem, values, Looks(base_texture=texture)))
        group.places = np.full(len(group.rows), number, np.int64)

    def _image(self, name: str) -> str:
        """The document's image of a member of the package; told where there is none."""
        place = self.member(name)
        if place is not None and place in self.images:
            return self.images[place]
        label = PurePosixPath(place or name).name or "texture"
        stem, suffix = PurePosixPath(label).stem, PurePosixPath(label).suffix
        number = 1
        while label in self.document.images:
            label, number = f"{stem}_{number}{suffix}", number + 1
        if place is None:
            self.document.left_out.append(Loss(LossKind.NAMED_FILE, name=name, holder="the file"))
            return label
        self.document.images[label] = self.archive.read(place)
        self.images[place] = label
        return label

    def _mixed(self, group: Group, groups: dict[str, Group]) -> None:
        """Composites get the colour that their base materials have in these shares."""
        base = groups.get(group.attributes.get("matid", ""))
        if base is None or base.kind != "basematerials":
            raise ValueError("compositematerials name no basematerials")
        chosen = [int(word) for word in group.attributes.get("matindices", "").split()]
        if any(not 0 <= k < len(base.values) for k in chosen):
            raise ValueError("compositematerials name a base that is not there")
        names = [base.rows[k].get("name", "") for k in chosen]
        places = []
        for row in group.rows:
            shares = np.array([float(word) for word in row.get("values", "").split()])
            shares = np.pad(shares[: len(chosen)], (0, max(len(chosen) - len(shares), 0)))
            if not np.isfinite(shares).all() or (shares < 0).any():
                raise ValueError("the shares of a composite are not numbers from 0 to 1")
            shares = shares if shares.any() else np.ones(len(chosen))
            linear = np.array([_linear(base.values[k].tolist()) for k in chosen])
            colour = shares @ linear.reshape(-1, 4) / max(shares.sum(), 1e-300)
            label = " ".join(f"{s:g} {n}" for s, n in zip(shares, names, strict=True) if s)
            places.append(self._add(Material(label, {"base_color": colour.tolist()})))
        group.places = np.array(places, np.int64)
        if places:
            self.lost["shares of mixed materials", "gives them one colour each"] += len(places)

    def apply(self, part: Part, model: str, ids: list[str], table: np.ndarray) -> None:
        """Materials, colours and texture coordinates of a part.

        Args:
            ids: the groups by number.
            table: (F, 4) the number of a group, -1 for none, and an index for each corner.
        """
        label = np.full(len(table), -1, np.int64)
        colour = _Corners(len(table), 4)
        uv = _Corners(len(table), 2)
        for number in np.unique(table[:, 0]).tolist():
            if number < 0:
                continue
            rows = np.nonzero(table[:, 0] == number)[0]
            for group, index in self._layers(model, ids[number], table[rows, 1:]):
                self._layer(group, rows, index, label, colour, uv)
        if (label >= 0).any():
            part.face_fields["material"] = label.astype(np.int32)
        if colour.used:
            values = np.round(colour.values() * 255).astype(np.uint8)
            opaque = bool((values[:, 3] == 255).all())
            part.corner_fields["color"] = CornerField(
                values[:, :3].copy() if opaque else values, colour.index.reshape(-1)
            )
        if uv.used:
            part.corner_fields["uv"] = CornerField(uv.values(), uv.index.reshape(-1))

    def _layers(self, model: str, key: str, index: np.ndarray) -> list[_Layer]:
        """What is one over the other: a group and (N, 3) indices of its entries."""
        group = self.groups.get((model, key))
        if group is None:
            self.lost[f"properties of the group {key!r}", "does not find it"] += len(index)
            return []
        bad = (index < 0) | (index >= len(group.rows))
        if bad.any():
            self.lost[f"properties of the group {key!r}", "finds fewer entries"] += int(
                bad.any(axis=1).sum()
            )
            index = np.where(bad.any(axis=1, keepdims=True), -1, index)
        if group.kind != "multiproperties":
            return [(group, index)]
        ids = group.attributes.get("pids", "").split()
        entries = [[int(w) for w in row.get("pindices", "").split()] for row in group.rows]
        out = []
        for k, inner in enumerate(ids):
            found = self.groups.get((model, inner))
            if found is None or found.kind == "multiproperties":
                raise ValueError(f"multiproperties name the group {inner!r}, which they cannot")
            column = np.array([row[k] if k < len(row) else 0 for row in entries] + [-1], np.int64)
            chosen = column[index]
            out.append((found, np.where(chosen < len(found.rows), chosen, -1)))
        ways = group.attributes.get("blendmethods", "").split()
        if len(ids) > 1 and not (len(ways) >= len(ids) - 1 and set(ways) == {"multiply"}):
            self.lost["blending of properties over each other", "keeps each by itself"] += len(
                index
            )
        elif len(out) > 1:
            out = self._multiplied(out)
        return out

    def _multiplied(self, layers: list[_Layer]) -> list[_Layer]:
        """Layers that multiply: a texture has the colour and the name of the base under it."""
        (base, below), (image, above) = layers[:2]
        if base.kind != "basematerials" or image.kind != "texture2dgroup" or not len(image.places):
            return layers
        one = (below == below[:, :1]).all(axis=1) & (below[:, 0] >= 0)
        if not one.all():
            return layers
        made: list[_Layer] = []
        for number in np.unique(below[:, 0]).tolist():
            place = self._tinted(base, number, int(image.places[0]))
            mine = np.where(below[:, :1] == number, above, -1)
            made.append((replace(image, places=np.full(len(image.rows), place)), mine))
        return [*made, *layers[2:]]

    def _tinted(self, base: Group, number: int, textured: int) -> int:
        """The material of a texture times a base's colour, made once."""
        key = (int(base.places[number]), textured)
        if key not in self.tinted:
            plain, image = (self.document.materials[k] for k in key)
            color = _linear(base.values[number].tolist())
            looks = replace(image.appearance, base_color=(color[0], color[1], color[2]))
            below = plain.appearance
            looks.metallic, looks.roughness = below.metallic, below.roughness
            if color[3] < 1:
                looks.alpha, looks.alpha_mode = color[3], "BLEND"
            values = {**image.values, "base_color": color}
            self.tinted[key] = self._add(Material(plain.name, values, looks))
            self.parts_of_tinted |= set(key)
        return self.tinted[key]

    def _layer(
        self,
        group: Group,
        rows: np.ndarray,
        index: np.ndarray,
        label: np.ndarray,
        colour: _Corners,
        uv: _Corners,
    ) -> None:
        has = (index >= 0).all(axis=1)
        rows, index = rows[has], index[has]
        if not len(rows):
            return
        varied = (index != index[:, :1]).any(axis=1)
        if group.kind == "colorgroup" and (varied.any() or (label[rows] >= 0).any()):
            group.varies = True
        if group.kind == "colorgroup" and group.varies:
            colour.set(rows, index, group.values)
            return
        if group.kind == "texture2dgroup":
            uv.set(rows, index, group.values)
        elif varied.any():
            self.lost["mixed materials within triangles", "keeps the first"] += int(varied.sum())
        covered = int((label[rows] >= 0).sum())
        if covered:
            self.lost["materials under other ones", "keeps one for each triangle"] += covered
        label[rows] = group.places[index[:, 0]]

    def finish(self) -> None:
        """Drops colours that became fields of corners, and says what was left out."""
        document = self.document
        used = [p.face_fields["material"] for p in document.parts if "material" in p.face_fields]
        here = np.zeros(len(document.materials) + 1, bool)
        for label in used:
            here[label] = True
        keep = np.ones(len(document.materials), bool)
        for group in self.groups.values():
            if group.varies:
                keep[group.places] = here[:-1][group.places]
        for number in self.parts_of_tinted:
            keep[number] = here[number]
        place = np.concatenate([np.cumsum(keep) - 1, [-1]]).astype(np.int32)
        for part in document.parts:
            if "material" in part.face_fields:
                part.face_fields["material"] = place[part.face_fields["material"]]
        document.materials = [m for m, k in zip(document.materials, keep, strict=True) if k]
        for (name, limit), count in self.lost.items():
            loss = Loss(LossKind.OTHER, name=name, count=count, limit=limit, holder=READER)
            document.left_out.append(loss)
        if self.odd:
            document.remarks.append(
                f"{self.odd} colours are missing or not written as #RRGGBB; those written "
                f"otherwise were read as they are meant"
            )


class _Corners:
    """Values of corners of triangles, from several groups."""

    def __init__(self, faces: int, width: int) -> None:
        self.index = np.full((faces, 3), -1, np.int64)
        self.width, self.size = width, 0
        self.tables: dict[int, tuple[int, np.ndarray]] = {}  # by identity: where it begins

    @property
    def used(self) -> bool:
        return self.size > 0

    def set(self, rows: np.ndarray, index: np.ndarray, values: np.ndarray) -> None:
        """Corners of the triangles `rows` name rows `index` (N, 3) of `values`."""
        if id(values) not in self.tables:
            self.tables[id(values)] = (self.size, values)
            self.size += len(values)
        self.index[rows] = index + self.tables[id(values)][0]

    def values(self) -> np.ndarray:
        return np.concatenate([np.zeros((0, self.width)), *(v for _, v in self.tables.values())])
