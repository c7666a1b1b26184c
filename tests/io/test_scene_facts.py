"""What scenes say of copies, visibility, units and numbers."""

from itertools import pairwise

import numpy as np
import pytest

from meshlearn.io import load_document
from meshlearn.io.changes.placement import change_unit
from meshlearn.io.document import FileFormatError, placed_vertices

MESH = (
    'def Mesh "m" {{ int[] faceVertexCounts = [3]\n int[] faceVertexIndices = [0, 1, 2]\n'
    "point3f[] points = [(0, 0, 0), (1, 0, 0), (0, 1, 0)]\n{more}\n}}\n"
)


def usd(tmp_path, body, head=""):
    pytest.importorskip("pxr")
    path = tmp_path / "a.usda"
    path.write_text(f"#usda 1.0\n({head})\n{body}")
    return load_document(path)


def firsts(document):
    return [placed_vertices(p, p.vertices)[0][0].tolist() for p in document.parts]


INSTANCER = """def Xform "w" {{ double3 xformOp:translate = (100, 0, 0)
uniform token[] xformOpOrder = ["xformOp:translate"]
def PointInstancer "i" {{
    rel prototypes = [{targets}]
    int[] protoIndices = [{indices}]
    point3f[] positions = [(0, 0, 1), (0, 0, 2), (0, 0, 3)]
    float3[] scales = [(1, 1, 1), (2, 2, 2), (1, 1, 1)]
    {more}
    def Xform "p" {{ double3 xformOp:translate = (0, 5, 0)
        uniform token[] xformOpOrder = ["xformOp:translate"]
        {mesh} }}
}}
}}
"""


def instancer(indices="0, 0, 0", more=""):
    mesh = MESH.format(more="")
    return INSTANCER.format(targets="</w/i/p>", indices=indices, more=more, mesh=mesh)


def test_a_prototype_stands_at_each_place_and_nowhere_else(tmp_path):
    document = usd(tmp_path, instancer())
    assert firsts(document) == [[100, 5, 1], [100, 10, 2], [100, 5, 3]]
    assert document.left_out == []


def test_instances_that_are_hidden_are_told(tmp_path):
    document = usd(tmp_path, instancer(more="int64[] invisibleIds = [1]"))
    assert firsts(document) == [[100, 5, 1], [100, 5, 3]]
    assert [(x.what, x.count) for x in document.left_out] == [("invisible instance", 1)]


@pytest.mark.parametrize("indices", ["0, 0, 7", "0, 0, 0, 0"])
def test_instances_that_cannot_be(tmp_path, indices):
    with pytest.raises(FileFormatError, match="proto"):
        usd(tmp_path, instancer(indices))


def test_invisible_geometry_is_left_out_and_told(tmp_path):
    hidden = MESH.format(more='token visibility = "invisible"').replace('"m"', '"h"')
    inside = 'def Xform "x" { token visibility = "invisible"\n' + MESH.format(more="") + "}\n"
    document = usd(tmp_path, MESH.format(more="") + hidden + inside)
    assert len(document.parts) == 1
    assert [(x.what, x.count) for x in document.left_out] == [("invisible Mesh", 2)]


def dae(tmp_path, numbers="0 0 0 1 0 0 0 1 0", metre="1"):
    path = tmp_path / "a.dae"
    path.write_text(
        f'<COLLADA><asset><unit meter="{metre}"/></asset><library_geometries><geometry id="g">'
        f'<mesh><source id="s"><float_array id="f" count="9">{numbers}</float_array>'
        '<technique_common><accessor source="#f" count="3" stride="3"/></technique_common>'
        '</source><vertices id="v"><input semantic="POSITION" source="#s"/></vertices>'
        '<triangles count="1"><input semantic="VERTEX" source="#v" offset="0"/><p>0 1 2</p>'
        "</triangles></mesh></geometry></library_geometries></COLLADA>"
    )
    return load_document(path)


def test_decimal_commas_of_collada(tmp_path):
    document = dae(tmp_path, "0 0 0 1,5 0,010000 0 0 -1,25e1 0")
    assert document.parts[0].vertices[1:].tolist() == [[1.5, 0.01, 0], [0, -12.5, 0]]
    assert len(document.remarks) == 1
    assert dae(tmp_path).remarks == []


@pytest.mark.parametrize("numbers", ["0,0,0 1,0,0 0,1,0", "0, 0 0 1 0 0 0 1 0", "0,5 0.5 1 0 0 0"])
def test_commas_that_could_mean_either_are_refused(tmp_path, numbers):
    with pytest.raises(FileFormatError, match="commas"):
        dae(tmp_path, numbers)


@pytest.mark.parametrize("metre, unit", [("0.0254", "in"), ("0.3", "0.3 m"), ("0.010000001", "cm")])
def test_unit_of_collada(tmp_path, metre, unit):
    assert dae(tmp_path, metre=metre).unit == unit


def test_a_factor_that_is_no_named_unit_is_used(tmp_path):
    changed = change_unit(dae(tmp_path, metre="0.3"), "mm").document
    assert changed.unit == "mm"
    assert np.allclose(changed.parts[0].vertices[1], [300, 0, 0])


@pytest.mark.parametrize("metre", ["0", "-1", "nan", "metre"])
def test_unit_that_is_none(tmp_path, metre):
    with pytest.raises(FileFormatError, match="metres"):
        dae(tmp_path, metre=metre)


def test_colours_in_nifti_are_told(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    from meshlearn.io.volume import load_volume

    kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    image = nibabel.Nifti1Image(np.zeros((3, 3, 3), kind), np.eye(4))
    nibabel.save(image, tmp_path / "a.nii")
    with pytest.raises(ValueError, match=r"a\.nii: its samples are colours"):
        load_volume(tmp_path / "a.nii")


PI = np.pi
SOLIDS = {
    "Sphere": ("double radius = 2", 4 / 3 * PI * 8, [4, 4, 4]),
    "Cube": ("double size = 3", 27, [3, 3, 3]),
    "Cylinder": (
        'double radius = 1\ndouble height = 3\nuniform token axis = "X"',
        3 * PI,
        [3, 2, 2],
    ),
    "Cone": ('double radius = 1\ndouble height = 3\nuniform token axis = "Y"', PI, [2, 3, 2]),
    "Capsule": ("double radius = 1\ndouble height = 2", 2 * PI + 4 / 3 * PI, [2, 2, 4]),
}


def volume_of(part):
    total = 0.0
    for begin, end in zip(part.polygon_start[:-1], part.polygon_start[1:], strict=True):
        p = part.vertices[part.polygon_index[begin:end]].astype(np.float64)
        for k in range(1, len(p) - 1):
            total += np.dot(p[0], np.cross(p[k], p[k + 1])) / 6
    return total


@pytest.mark.parametrize("kind", SOLIDS)
def test_solids_are_meshed_closed_and_outwards(tmp_path, kind):
    said, volume, size = SOLIDS[kind]
    document = usd(tmp_path, f'def {kind} "s" {{ {said}\n}}\n')
    (part,) = document.parts
    box = part.vertices.max(0) - part.vertices.min(0)
    assert np.allclose(box, size, rtol=2e-3)
    assert 0.98 * volume < volume_of(part) < 1.0001 * volume
    index, start = part.polygon_index, part.polygon_start
    turned = index[np.concatenate([np.roll(np.arange(a, b), -1) for a, b in pairwise(start)])]
    edges = set(zip(index.tolist(), turned.tolist(), strict=True))
    assert len(edges) == len(index)
    assert all((b, a) in edges for a, b in edges)
    assert len(np.unique(index)) == len(part.vertices)
    assert kind in document.remarks[0]
    assert document.left_out == []
