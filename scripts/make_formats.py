"""Writes tests/io/fidelity.json and docs/formats.md: what each format loses of each mesh."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from meshlearn import io as mio  # noqa: E402
from meshlearn.io.formats import BUILT_IN  # noqa: E402
from tests.io.samples import WRITTEN, documents  # noqa: E402

NOTES = """
## Notes

- **OBJ** objects (`o`) are parts where each has vertices of its own: those that stand between its
  line and the next, also where two have one name. Where objects share vertices (all `v` lines
  in front, a face that names a vertex of another object), splitting would copy or reorder
  vertices; they stay one part whose face field `object` says whose each face is, and are
  written as they were. Names of objects that repeat are numbered (`tree`, `tree_2`), since many
  programs join objects of one name. A vertex has 3 numbers, 4 (homogeneous), 6 or 7 (a colour,
  with alpha).
- **PLY** textures are those of MeshLab: remarks `comment TextureFile NAME`, a number `texnumber`
  of each face, coordinates by vertex (`u v`, `s t`, …) or by corner (a list `texcoord`).
- **glTF** 1.0 and 2.0 are read; skins, morphs and copies as they stand. Images are PNG, JPEG,
  WebP and KTX2, others become PNG. By `--compress meshopt`, nothing is rounded (a triangle may
  begin at another of its corners); by `--compress draco`, coordinates are, to 16 bits over the
  size of a part. Numbers that are not finite, sheared placements and the like are made legal,
  and told.
- **3MF** colours of vertices and corners are a colorgroup, textures a texture2dgroup with their
  placing in the coordinates; where a material's colour, its texture and colours of corners come
  together, they are a multiproperties that multiplies. Colours have 8 bits. Objects of the types
  `support`, `solidsupport` and `other` are left out and told, unless there is nothing else.
- **COLLADA** is read as it stands: morphs by their default weights, skins by their joints' nodes.
  Effects of the common profile are looks; an opacity by which nothing at all would be seen is
  taken as opaque, with a remark.
- **STEP** and **IGES** (`pip install 'meshlearn[cad]'`) are meshed by OpenCASCADE: a part for each
  shape, in the file's unit; faces share their borders, normals are those of the surfaces.
- **VTK** images, rectilinear and structured grids are read as their outer skin with the data of
  points and cells; `extract` takes surfaces inside them. Pieces of parallel files and blocks are
  parts.
- Volume cells without faces (tetrahedra, pyramids, wedges, hexahedra) are a surface by their outer
  skin, sides outward and with the fields of their cells, wherever a surface is wanted: `load`,
  `check`, `render`, `reconstruct`; `convert` writes it where the format has no such cells, and
  tells it. VTK, Gmsh and MEDIT keep the cells.
- **VTK**, **Gmsh** and **MEDIT**: curved elements become straight by their corners; the nodes
  between are dropped and counted.
- **gzip** around any format (`a.ply.gz`) is read and written; a **zip** archive is read that
  holds one mesh, with what that names.
- Formats of other packages: see `adding_a_format.md`.
- **OFF** is written as text; binary files (`OFF BINARY`, as Geomview writes) are read. Their
  numbers have 32 bits, so that writing them would lose what the text keeps.
- **USD** (`pip install 'meshlearn[usd]'`) is read as its stage composes it, at its first time:
  references, payloads, inherits, variants and instances, also from layers in the file's folder or
  below it (none outside), and without clips. Instancers may be prototypes of others; meshes with
  a skeleton stand as it does first. Smoothing of subdivision surfaces is told, not done.
  Shapes that are no mesh, points or curves, and those for proxies and guides, are told as losses.
  Surfaces are those of UsdPreviewSurface, with UsdUVTexture, UsdPrimvarReader and
  UsdTransform2d. A constant primvar becomes a field of every face (a colour: of every
  vertex), cubic curves their control polygons. A process of its own opens the layers, its memory
  and time bounded by the size of the file.
""".splitlines()


NOTHING = "all of it, so that nothing is written"


def measure() -> dict[str, dict[str, list[str]]]:
    """Losses by suffix and kind of mesh."""
    table: dict[str, dict[str, list[str]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for suffix in WRITTEN:
            table[suffix] = {}
            for name, document in documents().items():
                try:
                    report = mio.save_document(document, Path(folder) / f"x{suffix}")
                    table[suffix][name] = sorted(report.losses)
                except mio.FileFormatError:
                    table[suffix][name] = [NOTHING]
    return table


def markdown(table: dict[str, dict[str, list[str]]]) -> str:
    """The table with a tick where nothing is lost, else a note."""
    names = list(next(iter(table.values())))
    notes: dict[str, int] = {}
    lines = [
        "# What the formats keep",
        "",
        "Each mesh was written and read again by the tests (`tests/io/test_matrix.py`), which hold",
        "that what differs is what the loss report says. ✓: nothing is lost; a number: see below.",
        "",
        "| mesh | " + " | ".join(s[1:] for s in table) + " |",
        "|---|" + "---|" * len(table),
    ]
    for name in names:
        cells = []
        for row in table.values():
            lost = "; ".join(row[name])
            cells.append("✓" if not lost else str(notes.setdefault(lost, len(notes) + 1)))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines.append("")
    lines += [f"{number}. {lost}" for lost, number in notes.items()]
    lines += [
        "",
        f"Read: {' '.join(s for f in BUILT_IN for s in f.suffixes)}.",
        f"Written: {' '.join(s for f in BUILT_IN if f.write for s in f.suffixes)}.",
        *NOTES,
    ]
    return "\n".join(lines)


def main() -> None:
    table = measure()
    (ROOT / "tests" / "io" / "fidelity.json").write_text(
        json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    docs = ROOT / "docs"
    docs.mkdir(exist_ok=True)
    (docs / "formats.md").write_text(markdown(table), encoding="utf-8")


if __name__ == "__main__":
    main()
