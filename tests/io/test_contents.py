"""Nothing goes in and nothing comes out without a word; counts are of what was written."""

import json

import numpy as np
import pytest

import meshlearn.io as mio
from meshlearn.io.contents import counts_in
from meshlearn.io.conversion.pipeline import ConvertOptions, convert_file
from meshlearn.io.document import Document, Part
from meshlearn.io.registry import format_of
from tests.cli.runner import meshlearn
from tests.io.samples import POINTS_ONLY, WRITTEN, documents, parameters, part_of

V = np.random.default_rng(0).random((6, 3)).astype(np.float32)
THINGS = {
    "vertices": Part(vertices=V),
    "points": Part(vertices=V, points=np.arange(6)),
    "lines": Part(vertices=V, lines=[np.array([0, 1, 2])]),
    "cells": Part(vertices=V, cells={"tetra": np.array([[0, 1, 2, 3]])}),
    "digon": part_of(V, [[0, 1]]),
}


def elements(document):
    parts = document.parts
    cells = sum(len(i) for p in parts for i in p.cells.values())
    return cells + sum(p.num_faces + len(p.lines) + len(p.points) for p in parts)


@pytest.mark.parametrize("suffix", parameters(WRITTEN))
@pytest.mark.parametrize("thing", THINGS)
def test_what_is_written_has_something_or_is_refused(thing, suffix, tmp_path):
    path = tmp_path / f"a{suffix}"
    try:
        mio.save_document(Document([THINGS[thing]]), path)
    except mio.FileFormatError as error:
        assert "nothing would be in it" in str(error) and "\n" not in str(error)
        assert not list(tmp_path.iterdir())
    else:
        again = mio.load_document(path)
        assert elements(again)
        if thing in ("cells", "lines") and suffix not in POINTS_ONLY:
            assert not any(len(p.points) for p in again.parts)  # not what was left of them


@pytest.mark.parametrize("suffix", parameters(WRITTEN))
def test_an_empty_document_stays_one(suffix, tmp_path):
    mio.save_document(Document([Part()]), tmp_path / f"a{suffix}")
    assert not elements(mio.load_document(tmp_path / f"a{suffix}"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.obj", "v 0 0 0\nv 1 0 0\n"),
        ("a.ply", "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\n"
         "property float z\nend_header\n0 0 0\n"),
        ("a.off", "OFF\n1 0 0\n0 0 0\n"),
        ("a.xyz", "0 0 0\n"),
    ],
)  # fmt: skip
def test_vertices_alone_are_points(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    part = mio.load_document(tmp_path / name).parts[0]
    assert part.points.tolist() == list(range(len(part.vertices)))


def test_curves_alone_are_an_error_with_their_name(tmp_path):
    (tmp_path / "a.obj").write_text("v 0 0 0\nv 1 0 0\ncstype bspline\ncurv 0 1 1 2\nend\n")
    with pytest.raises(mio.FileFormatError, match=r"nothing of it can be read.*1 of curves 'curv'"):
        mio.load_document(tmp_path / "a.obj")
    with open(tmp_path / "a.obj", "a") as file:
        file.write("l 1 2\n")
    assert len(mio.load_document(tmp_path / "a.obj").parts[0].lines) == 1


@pytest.mark.parametrize("suffix", parameters(WRITTEN))
def test_counts_are_of_what_was_written(suffix, tmp_path):
    """Of faces everywhere, of vertices where a format says what it does with them."""
    for name in ("quad", "n-gon", "mixed", "concave", "two parts", "triangle", "groups"):
        document = documents()[name]
        path = tmp_path / f"{name}{suffix}"
        mio.save_document(document, path)
        again = mio.load_document(path)
        vertices, faces = counts_in(document, format_of(path).holds)
        assert faces == sum(p.num_faces for p in again.parts), name
        assert vertices == sum(len(p.vertices) for p in again.parts), name


def test_convert_says_the_triangles_of_an_stl(tmp_path):
    mio.save_document(documents()["n-gon"], tmp_path / "a.obj")
    made = convert_file(tmp_path / "a.obj", tmp_path / "b.stl", ConvertOptions())
    assert (made.vertices, made.faces) == (15, 5)
    done = meshlearn("convert", tmp_path / "a.obj", tmp_path / "c.stl", "--json")
    assert json.loads(done.stdout)["faces"] == 5


@pytest.mark.parametrize("option", [[], ["--outdir", "out", "--to", "stl"]])
def test_the_command_fails_where_nothing_would_be_written(option, tmp_path):
    (tmp_path / "a.xyz").write_text("0 0 0\n1 0 0\n")
    target = [tmp_path / "b.stl"] if not option else ["--outdir", tmp_path / "out", *option[2:]]
    done = meshlearn("convert", tmp_path / "a.xyz", *target)
    assert done.returncode == 1 and "STL has no points" in done.stderr
    assert done.stderr.count("error: ") == 1 and not list(tmp_path.glob("**/*.stl"))


def nothing_shown() -> dict[str, str]:
    """Files that have meshes and show none."""
    triangle = "<triangles/>"
    dae = (
        '<COLLADA version="1.4.1"><asset/><library_geometries><geometry id="g"><mesh>{}</mesh>'
        '</geometry></library_geometries><library_visual_scenes><visual_scene id="s"/>'
        '</library_visual_scenes><scene><instance_visual_scene url="#s"/></scene></COLLADA>'
    )
    outside = {"scene": 0, "scenes": [{"nodes": []}], "nodes": [{"mesh": 0}]}
    bare = {"nodes": [{"mesh": 0}], "scenes": [{"nodes": [0]}]}
    meshes = {"asset": {"version": "2.0"}, "meshes": [{"primitives": [{"attributes": {}}]}]}
    return {
        "a.dae": dae.format(triangle),
        "outside.gltf": json.dumps(meshes | outside),
        "bare.gltf": json.dumps(meshes | bare),
        "a.usda": '#usda 1.0\ndef NurbsPatch "n" {\n}\n',
        "b.usda": '#usda 1.0\ndef Sphere "n" {\ntoken visibility = "invisible"\n}\n',
    }


@pytest.mark.parametrize("name", nothing_shown())
def test_meshes_that_a_file_does_not_show_are_no_empty_file(name, tmp_path):
    if name.endswith("usda"):
        pytest.importorskip("pxr")
    (tmp_path / name).write_text(nothing_shown()[name])
    with pytest.raises(mio.FileFormatError, match="nothing of it can be read"):
        mio.load_document(tmp_path / name)


def test_a_scene_of_lamps_only_is_empty(tmp_path):
    pytest.importorskip("pxr")
    (tmp_path / "a.usda").write_text('#usda 1.0\ndef SphereLight "l" {\n}\ndef Camera "c" {\n}\n')
    document = mio.load_document(tmp_path / "a.usda")
    assert not document.parts and len(document.left_out) == 2
