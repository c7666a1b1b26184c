"""Documents of every kind through every format: what differs is what the loss report says."""

import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from meshlearn import io as mio
from meshlearn.io.document import placed_vertices
from tests.io.posed_files import BENT, COPIES, COPIES_USDA
from tests.io.samples import POINTS_ONLY, WRITTEN, available, differences, documents, parameters

TABLE = Path(__file__).with_name("fidelity.json")
ROOT = Path(__file__).resolve().parents[2]


def kind(loss: str) -> str:
    """A loss by the name that `differences` has for it."""
    loss = re.sub(r"^(last )?digits of (\w+) field", r"\2 field", loss)
    names = {
        "names of white materials": "materials",
        "polygons of more than 3 corners": "polygons",
        "polylines": "lines",
    }
    return {**names, "other values of materials": "textures"}.get(loss, loss)


def losses_of(report) -> list[str]:
    return sorted(report.losses)


@pytest.mark.parametrize("suffix", parameters(WRITTEN))
def test_what_differs_is_what_the_report_says(suffix, tmp_path):
    """Both ways: nothing is lost in silence, and nothing reported that was kept."""
    expected = json.loads(TABLE.read_text(encoding="utf-8"))[suffix]
    for name, document in documents().items():
        folder = tmp_path / name
        folder.mkdir()
        path = folder / f"ü x{suffix}"
        if expected[name] == ["all of it, so that nothing is written"]:
            with pytest.raises(mio.FileFormatError, match="nothing would be in it"):
                mio.save_document(document, path)
            continue
        report = mio.save_document(document, path)
        assert losses_of(report) == expected[name], name
        assert all(loss.count > 0 and loss.why for loss in report.items), name
        found = differences(document, mio.load_document(path))
        said = {kind(loss) for loss in report.losses}
        if "polygons" in said or "unused vertices" in said:
            found.discard("shared vertices")  # follows from it
            said.discard("shared vertices")
        assert found == said, name


@pytest.mark.parametrize(
    "suffix", parameters([".ply", ".stl", ".vtk", ".vtu", ".vtp", ".pcd", ".usd"])
)
def test_text_variants_hold_the_same(suffix, tmp_path):
    for name, document in documents().items():
        if name == "points" and suffix == ".stl":
            continue  # nothing of it
        a, b = tmp_path / f"{name} a{suffix}", tmp_path / f"{name} b{suffix}"
        mio.save_document(document, a, ascii=True)
        mio.save_document(document, b)
        text, binary = mio.load_document(a), mio.load_document(b)
        if suffix == ".stl":
            for part in (*text.parts, *binary.parts):
                part.name = ""  # of each solid in text, of one in binary
            text.parts = text.parts if name != "two parts" else []
            binary.parts = binary.parts if name != "two parts" else []
        assert differences(binary, text) == set(), (name, differences(binary, text))


def test_every_pair_of_formats_keeps_the_triangles(tmp_path):
    document = documents()["concave"]
    reference = mio.to_mesh(document, dtype=None)
    suffixes = [s for s in WRITTEN if s not in POINTS_ONLY and available(s)]
    for first in suffixes:
        mio.save_document(document, tmp_path / f"a{first}")
        for second in suffixes:
            mio.convert(tmp_path / f"a{first}", tmp_path / f"b{second}")
            mesh = mio.to_mesh(mio.load_document(tmp_path / f"b{second}"), dtype=None)
            corners = reference.vertices[reference.faces].numpy()
            found = mesh.vertices[mesh.faces].numpy()
            assert np.array_equal(
                np.sort(found.reshape(-1, 9), 0), np.sort(corners.reshape(-1, 9), 0)
            )


def test_the_table_of_the_docs_is_the_measured_one():
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    assert set(table) == set(WRITTEN)
    assert all(set(row) == set(documents()) for row in table.values())
    for suffix, kept in ((".npz", 0), (".safetensors", 0)):
        assert sum(len(lost) for lost in table[suffix].values()) == kept
    made = runpy.run_path(str(ROOT / "scripts" / "make_formats.py"))["markdown"](table)
    assert (ROOT / "docs" / "formats.md").read_text(encoding="utf-8") == made


def test_posed_rows_stand_where_their_files_put_them():
    """Place, size, count and names; the rows above say what each format keeps of them."""
    rows = documents()
    (arm,) = rows["skin"].parts
    assert arm.name == "arm" and np.array_equal(arm.vertices, BENT)
    for name in ("copies", "components"):
        parts = rows[name].parts
        assert [part.name for part in parts] == ["tree"] * 3
        found = [placed_vertices(part, part.vertices)[0] for part in parts]
        assert np.array_equal(np.array(found), COPIES), name


def test_copies_of_usd_are_those_of_the_row(tmp_path):
    """So that the row of copies holds for instancers, too."""
    pytest.importorskip("pxr")
    (tmp_path / "a.usda").write_text(COPIES_USDA)
    document = mio.load_document(tmp_path / "a.usda")
    found = [placed_vertices(part, part.vertices)[0] for part in document.parts]
    assert np.allclose(found, COPIES, atol=1e-6) and document.left_out == []
    assert [part.name for part in document.parts] == ["tree"] * 3


@pytest.mark.parametrize("suffix", parameters([s for s in WRITTEN if s not in POINTS_ONLY]))
@pytest.mark.parametrize("row", ["skin", "copies", "components"])
def test_posed_parts_keep_their_place_in_every_format(suffix, row, tmp_path):
    """Joined or not, by transforms or moved: every triangle is where the file has it."""
    document = documents()[row]
    mio.save_document(document, tmp_path / f"a{suffix}")
    mesh = mio.to_mesh(mio.load_document(tmp_path / f"a{suffix}"), dtype=None)
    wanted = [BENT] if row == "skin" else COPIES
    assert np.allclose(mesh.vertices[mesh.faces].numpy(), np.array(wanted), atol=1e-6)
