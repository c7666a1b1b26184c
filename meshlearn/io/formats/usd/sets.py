"""Which primvar of a mesh is its first set of texture coordinates, and which its second: as the
textures of its materials name them.

`Texture.uv` counts sets, USD names them. Materials of one mesh share a count, so that each set is
one field of it: "st" comes first, then those of base textures, then others.
"""

from __future__ import annotations

from collections.abc import Iterator


def materials_of(prim: dict) -> Iterator[str]:
    """Paths of the materials of a mesh and its subsets."""
    for path in (prim["material"], *(subset["material"] for subset in prim["subsets"])):
        if path is not None:
            yield path


def count_sets(scene: dict) -> dict[str, dict[str, int]]:
    """For each material: the number of each primvar that textures of it, and of those beside it on
    a mesh, are looked up at."""
    owner = {path: path for path in scene["materials"]}

    def root(path: str) -> str:
        while owner[path] != path:
            owner[path] = path = owner[owner[path]]
        return path

    first: set[str] = set()
    for prim in scene["prims"]:
        paths = list(materials_of(prim))
        for path in paths[1:]:
            owner[root(path)] = root(paths[0])
    for prim in scene["prims"]:
        if any(primvar["plain"] == "st" for primvar in prim["primvars"]):
            first |= {root(path) for path in materials_of(prim)}
    names: dict[str, dict[str, int]] = {}
    for path, entry in scene["materials"].items():
        found = names.setdefault(root(path), {"st": 0} if root(path) in first else {})
        textures = sorted(entry["textures"].items(), key=lambda item: item[0] != "diffuseColor")
        for _, texture in textures:
            found.setdefault(texture.get("varname") or "st", len(found))
    return {path: names[root(path)] for path in scene["materials"]}


def primvar_of(number: int) -> str:
    """The primvar that such a field is written as."""
    return f"st{number}" if number else "st"
