"""Meshes of volume cells on the command line: their outer skin where a surface is wanted."""

import json

import pytest

import meshlearn as ml
from meshlearn import io as mio
from meshlearn.io.document import Document
from tests.io.cells import blocks


@pytest.mark.parametrize("suffix", [".stl", ".glb", ".obj", ".ply"])
def test_converted_as_a_surface_and_told(tmp_path, cli, suffix):
    source, target = tmp_path / "beam.vtu", tmp_path / f"beam{suffix}"
    mio.save_document(Document([blocks(2)]), source)
    done = cli("convert", source, target)
    assert done.returncode == 0
    assert "cells 'hexahedron' (8: " in done.stderr and "their outer skin is written" in done.stderr
    mesh = ml.load(target)
    assert mesh.num_faces == 48 and float(mesh.volume()) == pytest.approx(8)
    strict = tmp_path / f"strict{suffix}"
    refused = cli("convert", source, strict, "--strict")
    assert refused.returncode == 1 and "hexahedron" in refused.stderr and not strict.exists()


def test_steps_work_on_the_surface_and_cells_stay_cells_where_they_can(tmp_path, cli):
    source = tmp_path / "beam.vtu"
    mio.save_document(Document([blocks(4)]), source)
    done = cli("convert", source, tmp_path / "few.ply", "--simplify", "40")
    assert done.returncode == 0 and ml.load(tmp_path / "few.ply").num_faces <= 40
    assert cli("convert", source, tmp_path / "same.vtk").returncode == 0
    assert len(mio.load_document(tmp_path / "same.vtk").parts[0].cells["hexahedron"]) == 64
    facts = json.loads(cli("info", source, "--json").stdout)
    assert facts["cells"] == {"hexahedron": 64} and facts["faces"] == 192
    assert facts["polygons"] == 96 and any("outer skin" in word for word in facts["remarks"])
