"""`meshlearn decompose`: parts in OBJ, GLB, URDF and MJCF, with their masses."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import meshlearn as ml
from meshlearn.convex.bodies import mass_properties, save_parts
from meshlearn.data.shapes import box
from meshlearn.io import load_document, save_document
from meshlearn.io.meshes import from_mesh

pytest.importorskip("manifold3d")


@pytest.fixture
def angle(tmp_path):
    """Two boxes at right angles, 3 of 5 units long, in millimetres."""
    path = tmp_path / "angle.3mf"
    whole = ml.boolean(box((3, 1, 1)), box((1, 3, 1)).translate((-1, 1, 0)))
    document = from_mesh(whole, "angle")
    document.unit = "mm"
    save_document(document, path)
    return path


def test_meshes_of_parts(angle, cli):
    facts = json.loads(
        cli("decompose", angle, angle.with_name("a.obj"), "-n", "2", "--json").stdout
    )
    assert facts["parts"] == 2 and facts["iou"] == pytest.approx(1) and facts["holes"] == [0, 0]
    text = angle.with_name("a.obj").read_text()
    assert text.count("\ng part_") == 2 and text.count("\nusemtl part_") == 2
    done = cli("decompose", angle, angle.with_name("a.glb"), "--parts", "2", "--vertices", "8")
    assert done.returncode == 0 and "2 convex parts, at most 8 vertices" in done.stderr
    assert [p.name for p in load_document(angle.with_name("a.glb")).parts] == ["part_0", "part_1"]


def test_bodies_of_parts(angle, cli):
    out = angle.with_name("a.urdf")
    assert cli("decompose", angle, out, "-n", "2", "--density", "2000").returncode == 0
    link = ET.parse(out).getroot().find("link")
    files = [mesh.attrib["filename"] for mesh in link.findall("collision/geometry/mesh")]
    assert files == ["a_parts/part_0.obj", "a_parts/part_1.obj"]
    assert link.find("collision/geometry/mesh").attrib["scale"] == "0.001 0.001 0.001"
    assert float(link.find("inertial/mass").attrib["value"]) == pytest.approx(2000 * 5e-9)
    whole = ml.boolean(*(ml.load(out.parent / file) for file in files))
    assert float(whole.volume()) == pytest.approx(5)
    known = mass_properties(whole.vertices.double().numpy(), whole.faces.numpy())
    found = link.find("inertial/inertia").attrib
    expected = known.inertia * 2000 * 1e-15
    for i, j in ((0, 0), (1, 1), (2, 2), (0, 1)):
        name = "i" + "xyz"[i] + "xyz"[j]
        assert float(found[name]) == pytest.approx(expected[i, j], rel=1e-4)
    again = cli("decompose", angle, out)
    assert again.returncode == 1 and "--overwrite" in again.stderr
    out = angle.with_name("a.xml")  # its folder is there
    refused = cli("decompose", angle, out, "-n", "2")
    assert refused.returncode == 1 and not out.exists()
    assert cli("decompose", angle, out, "-n", "2", "--overwrite").returncode == 0
    root = ET.parse(out).getroot()
    assert len(root.findall("worldbody/body/geom")) == len(root.findall("asset/mesh")) == 2


def test_refusals(angle, cli):
    out = angle.with_name("a.obj")
    for wrong in (["-n", "0"], ["--vertices", "3"], ["--concavity", "-1"], ["--density", "0"]):
        assert cli("decompose", angle, out, *wrong).returncode == 2
    done = cli("decompose", angle, angle.with_name("a.txt.zip"))
    assert done.returncode == 1 and ".urdf" in done.stderr and not out.exists()


def test_mass_of_a_box():
    mesh = box((1.0, 2.0, 3.0)).translate((5, 6, 7))
    found = mass_properties(mesh.vertices.double().numpy(), mesh.faces.numpy())
    assert found.volume == pytest.approx(6) and np.allclose(found.centre, [5, 6, 7])
    expected = np.diag([4 + 9, 1 + 9, 1 + 4]) * 6 / 12
    assert np.allclose(found.inertia, expected, atol=1e-5)


def test_points_are_no_parts(angle, cli):
    for suffix in (".xyz", ".txt"):
        done = cli("decompose", angle, angle.with_name("a" + suffix))
        assert done.returncode == 1 and ".glb" in done.stderr and suffix in done.stderr
        assert not angle.with_name("a" + suffix).exists()
    with pytest.raises(ValueError, match="holds faces"):
        save_parts([box()], angle.with_name("a.xyz"))


def test_a_body_of_fewer_parts_leaves_none_of_the_old_ones(angle):
    path = angle.with_name("a.urdf")
    save_parts([box(), box().translate((2, 0, 0))], path)
    save_parts([box()], path)
    assert [p.name for p in angle.with_name("a_parts").iterdir()] == ["part_0.obj"]
