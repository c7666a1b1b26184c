"""`convert --fill-holes` and `--drop-islands`: by size, with fields and transforms."""

import json

import numpy as np
import pytest

from meshlearn.io import CornerField, Document, FileFormatError, Part, load_document
from meshlearn.io.changes.holes import drop_islands, fill_holes


def open_box(size: float = 1.0, **more) -> Part:
    """A box of five squares."""
    corner = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * size
    polygons = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4]]
    return Part(
        vertices=corner.astype(np.float32),
        polygon_start=np.arange(0, 21, 4),
        polygon_index=np.array(polygons).reshape(-1),
        **more,
    )


def test_polygons_and_fields_stay():
    part = open_box()
    part.vertex_fields["heat"] = np.arange(8.0)
    part.face_fields["group"] = np.full(5, 3)
    part.corner_fields["uv"] = CornerField(np.arange(16.0).reshape(8, 2), part.polygon_index.copy())
    changed = fill_holes(Document([part]), 2.0)
    made = changed.document.parts[0]
    assert changed.done == "1 holes filled" and made.num_faces == 7
    assert made.sizes.tolist() == [4] * 5 + [3] * 2
    assert made.face_fields["group"].tolist() == [3] * 7
    assert (made.corner_fields["uv"].index == made.polygon_index).all()
    assert sorted(set(made.polygon_index[20:])) == [1, 3, 5, 7]
    assert fill_holes(Document([part]), 1.0).document.parts[0] is part


def test_sizes_are_those_of_placed_parts():
    part = open_box(transform=np.diag([10.0, 10.0, 10.0, 1.0]))
    assert fill_holes(Document([part]), 2.0).document.parts[0].num_faces == 5
    assert fill_holes(Document([part]), 15.0).document.parts[0].num_faces == 7
    small = open_box(1.0, name="small")
    done = drop_islands(Document([part, small]), 5.0)
    assert [p.num_faces for p in done.document.parts] == [5, 0]
    assert "1 components smaller than 5 dropped" in done.done
    alone = drop_islands(Document([small]), 5.0)
    assert alone.document.parts[0].num_faces == 5


def test_what_is_not_finite_is_refused():
    part = open_box()
    part.vertices[0] = np.nan
    for step in (fill_holes, drop_islands):
        with pytest.raises(FileFormatError, match="--repair drops them"):
            step(Document([part]), 1.0)


def test_the_command(tmp_path, capsys):
    from meshlearn.cli import main
    from meshlearn.io import save_document

    source, out = tmp_path / "box.obj", tmp_path / "closed.obj"
    save_document(Document([open_box()]), source)
    with pytest.raises(SystemExit) as ended:
        main(["convert", str(source), str(out), "--fill-holes", "inf", "--json"])
    assert ended.value.code in (0, None)
    assert json.loads(capsys.readouterr().out)["steps"] == ["1 holes filled"]
    assert load_document(out).parts[0].num_faces == 7
    with pytest.raises(SystemExit) as ended:
        main(["convert", str(source), str(out), "--fill-holes", "-1", "--overwrite"])
    assert ended.value.code == 2
