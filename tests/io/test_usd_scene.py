"""Scenes of USD: layers beside the file, nested copies, skeletons, what moves and what is not
shown."""

import numpy as np
import pytest

from meshlearn import io as mio
from meshlearn.io import load_document
from meshlearn.io.document import FileFormatError, placed_vertices
from tests.io.samples import png
from tests.io.usd_files import MESH, usda, usdz

pytest.importorskip("pxr.Usd", reason="usd-core is not installed")


def lines(body, head=""):
    """A layer, its brackets on lines of their own where they have to be."""
    return usda(body.replace(" }", "\n}"), head)


def load(folder, body, head="", **others):
    for name, data in others.items():
        place = folder / name.replace("__", "/").replace("_usda", ".usda").replace("_png", ".png")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data if isinstance(data, bytes) else lines(data).encode())
    (folder / "a.usda").write_text(lines(body, head))
    return load_document(folder / "a.usda")


def firsts(document):
    return [placed_vertices(p, p.vertices)[0][0].tolist() for p in document.parts]


def told(document):
    return {x.what: x.count for x in document.left_out}


def at(x, y=0, z=0):
    return (
        f"double3 xformOp:translate = ({x}, {y}, {z})\n"
        'uniform token[] xformOpOrder = ["xformOp:translate"]\n'
    )


@pytest.mark.parametrize("arc", ["references", "payload"])
def test_layers_beside_the_file_are_read(tmp_path, arc):
    body = f'def "x" ({arc} = @./parts/b.usda@</m>) {{ {at(5)} }}'
    document = load(tmp_path, body, parts__b_usda=MESH)
    assert firsts(document) == [[5, 0, 0]]


def test_sublayers_and_layers_of_layers(tmp_path):
    document = load(
        tmp_path,
        "",
        "subLayers = [@./b.usda@]",
        b_usda='def "x" (references = @parts/c.usda@</m>) {}',
        parts__c_usda='def "m" (references = @../deep/d.usda@</m>) {}',
        deep__d_usda=MESH,
    )
    assert len(document.parts) == 1


def test_layers_of_an_absolute_path_are_looked_for_here(tmp_path):
    body = 'def "x" (references = @/home/me/shots/parts/b.usda@</m>) {}'
    assert len(load(tmp_path, body, parts__b_usda=MESH).parts) == 1


def test_what_is_no_layer_is_not_opened(tmp_path):
    body = 'def "x" (references = @./b.usda@</m>) {}'
    with pytest.raises(FileFormatError, match=r"needs the layer './b\.usda'"):
        load(tmp_path, body, b_usda=b"root:x:0:0")


TEXTURED = """def Material "t" {
token outputs:surface.connect = </t/s.outputs:surface>
def Shader "s" {
    uniform token info:id = "UsdPreviewSurface"
    color3f inputs:diffuseColor.connect = </t/u.outputs:rgb>
    token outputs:surface
}
def Shader "u" { uniform token info:id = "UsdUVTexture"
    asset inputs:file = @./tex/a.png@
    float3 outputs:rgb
}
}
"""
BOUND = MESH.replace('"m" {', '"m" {\nrel material:binding = </t>\n')


def test_textures_of_a_layer_are_those_beside_it(tmp_path):
    body = (
        'def Xform "x" (references = @./one/b.usda@</x>) {}\n'
        'def Xform "y" (references = @./two/b.usda@</x>) {}'
    )
    inner = TEXTURED.replace("</t", "</x/t")
    other = f'def Xform "x" {{ {inner}\n{BOUND.replace("</t>", "</x/t>")} }}'
    document = load(
        tmp_path, body, one__b_usda=other, two__b_usda=other,
        one__tex__a_png=png(), two__tex__a_png=png() + b"2",
    )  # fmt: skip
    names = [m.looks.base_texture.image for m in document.materials]
    assert [document.images[n] for n in names] == [png(), png() + b"2"]
    assert told(document) == {}


def test_textures_of_layers_in_a_package(tmp_path):
    inner = TEXTURED.replace("</t", "</x/t")
    other = lines(f'def Xform "x" {{ {inner}\n{BOUND.replace("</t>", "</x/t>")} }}')
    body = (
        'def Xform "x" (references = @./one/b.usda@</x>) {}\n'
        'def Xform "y" (references = @./two/b.usda@</x>) {}'
    )
    members = {"a.usda": lines(body), "one/b.usda": other, "two/b.usda": other}
    members |= {"one/tex/a.png": png(), "two/tex/a.png": png() + b"2"}
    (tmp_path / "a.usdz").write_bytes(usdz(members))
    document = load_document(tmp_path / "a.usdz")
    names = [m.looks.base_texture.image for m in document.materials]
    assert [document.images[n] for n in names] == [png(), png() + b"2"]


NESTED = """def PointInstancer "outer" {{
    rel prototypes = </outer/group>
    int[] protoIndices = [0, 0]
    point3f[] positions = [(100, 0, 0), (200, 0, 0)]
    def Xform "group" {{ {place}
        def PointInstancer "inner" {{
            rel prototypes = {target}
            int[] protoIndices = [0, 0, 0]
            point3f[] positions = [(1, 0, 0), (2, 0, 0), (3, 0, 0)]
            float3[] scales = [(1, 1, 1), (2, 2, 2), (1, 1, 1)]
            def Xform "leaf" {{ {more}
                {mesh}
            }}
        }}
    }}
}}
"""


def nested(target="</outer/group/inner/leaf>", more=""):
    return NESTED.format(target=target, more=more, mesh=MESH, place=at(0, 7))


def test_instancers_within_instancers(tmp_path):
    document = load(tmp_path, nested())
    assert firsts(document) == [[b + k, 7, 0] for b in (100, 200) for k in (1, 2, 3)]
    second = placed_vertices(document.parts[1], document.parts[1].vertices)[0]
    assert second[1].tolist() == [104, 7, 0] and told(document) == {}


def test_an_instancer_of_itself_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match="prototype of itself"):
        load(tmp_path, nested("</outer>"))


def test_what_a_prototype_hides_is_told(tmp_path):
    more = (
        'def Mesh "g" { uniform token purpose = "guide" }\n'
        'def Mesh "h" { token visibility = "invisible" }\n'
    )
    document = load(tmp_path, nested(more=more))
    assert len(document.parts) == 6
    assert told(document) == {"Mesh for proxies": 1, "invisible Mesh": 1}


def test_prototypes_in_a_hidden_scope_are_shown_where_they_are_placed(tmp_path):
    body = (
        f'def Scope "protos" {{ token visibility = "invisible"\n{MESH} }}\n'
        'def PointInstancer "i" { rel prototypes = </protos/m>\nint[] protoIndices = [0]\n'
        "point3f[] positions = [(9, 0, 0)]\n}"
    )
    document = load(tmp_path, body)
    assert firsts(document) == [[9, 0, 0]] and told(document) == {"invisible Mesh": 1}


@pytest.mark.parametrize("purpose", ["guide", "proxy"])
def test_what_is_not_for_rendering_is_told(tmp_path, purpose):
    hidden = f'def Xform "g" {{ uniform token purpose = "{purpose}"\n{MESH} }}'
    document = load(tmp_path, f"{MESH}\n{hidden}")
    assert len(document.parts) == 1
    assert told(document) == {"Mesh of another purpose than rendering": 1}


@pytest.mark.parametrize("kind", ["Camera", "SphereLight", "DomeLight"])
def test_cameras_and_lamps_are_told(tmp_path, kind):
    assert told(load(tmp_path, f'def {kind} "x" {{\n}}\n')) == {kind: 1}


@pytest.mark.parametrize("scheme, count", [("catmullClark", 1), ("loop", 1), ("none", 0)])
def test_smoothing_is_told(tmp_path, scheme, count):
    line = f'"m" {{\nuniform token subdivisionScheme = "{scheme}"\n'
    document = load(tmp_path, MESH.replace('"m" {', line))
    assert told(document) == ({"smoothing of subdivision surfaces": 1} if count else {})


def test_what_moves_is_read_at_first_and_said(tmp_path):
    move = (
        "double3 xformOp:translate.timeSamples = {3: (4, 0, 0), 9: (8, 0, 0)}\n"
        'uniform token[] xformOpOrder = ["xformOp:translate"]\n'
    )
    document = load(tmp_path, f'def Xform "x" {{ {move}\n{MESH} }}')
    assert firsts(document) == [[4, 0, 0]]
    assert document.remarks == ["what moves is read as it stands first"]
    assert load(tmp_path, MESH).remarks == []


@pytest.mark.parametrize("axis, normal", [("X", [1, 0, 0]), ("Y", [0, 1, 0]), ("Z", [0, 0, 1])])
def test_planes(tmp_path, axis, normal):
    body = f'def Plane "p" {{ double width = 2\ndouble length = 3\nuniform token axis = "{axis}" }}'
    part = load(tmp_path, body).parts[0]
    p = part.vertices
    assert (np.cross(p[1] - p[0], p[2] - p[1]) * (1 if axis == "Z" else -1) / 6).tolist() == normal
    q = p[part.polygon_index]
    assert np.cross(q[1] - q[0], q[2] - q[1]).tolist() == [6 * x for x in normal]
    size = {"X": [0, 3, 2], "Y": [2, 0, 3], "Z": [2, 3, 0]}[axis]
    assert (p.max(0) - p.min(0)).tolist() == size


SKELETON = """def SkelRoot "root" (prepend apiSchemas = ["SkelBindingAPI"] {instance}) {{
{place}
def Skeleton "skel" (prepend apiSchemas = ["SkelBindingAPI"]) {{
    uniform token[] joints = ["a", "a/b"]
    uniform matrix4d[] bindTransforms = [((1,0,0,0),(0,1,0,0),(0,0,1,0),(0,0,0,1)),
        ((1,0,0,0),(0,1,0,0),(0,0,1,0),(1,0,0,1))]
    uniform matrix4d[] restTransforms = [((1,0,0,0),(0,1,0,0),(0,0,1,0),(0,0,0,1)),
        ((1,0,0,0),(0,1,0,0),(0,0,1,0),(1,0,2,1))]
    {animated}
}}
{animation}
def Mesh "m" (prepend apiSchemas = ["SkelBindingAPI"]) {{
    rel skel:skeleton = </root/skel>
    int[] faceVertexCounts = [3, 3]
    int[] faceVertexIndices = [0, 1, 2, 0, 2, 3]
    point3f[] points = [(0,0,0), (1,0,0), (1,1,0), (0,1,0)]
    int[] primvars:skel:jointIndices = [0, 1, 1, 0] (
        elementSize = 1
        interpolation = "vertex"
    )
    float[] primvars:skel:jointWeights = [1, 1, 1, 1] (
        elementSize = 1
        interpolation = "vertex"
    )
}}
}}
"""
ANIMATION = """def SkelAnimation "anim" {
    uniform token[] joints = ["a/b"]
    float3[] translations.timeSamples = {5: [(1,0,7)], 6: [(1,0,9)]}
    quatf[] rotations = [(1,0,0,0)]
    half3[] scales = [(1,1,1)]
}
"""


def skeleton(animation="", **more):
    words = {"animated": "", "animation": animation, "place": at(10), "instance": "", **more}
    if animation:
        words["animated"] = "rel skel:animationSource = </root/anim>"
    return SKELETON.format(**words)


@pytest.mark.parametrize("animation, z", [("", 2), (ANIMATION, 7)])
def test_skinned_meshes_stand_as_their_skeleton_does_first(tmp_path, animation, z):
    document = load(tmp_path, skeleton(animation))
    part = document.parts[0]
    found = placed_vertices(part, part.vertices)[0]
    assert found.tolist() == [[10, 0, 0], [11, 0, z], [11, 1, z], [10, 1, 0]]
    assert "meshes of skeletons are posed as these stand first" in document.remarks
    assert part.vertex_fields == {} and told(document) == {}


def test_instances_of_skinned_meshes(tmp_path):
    body = (
        skeleton().replace("def SkelRoot", "class SkelRoot")
        + 'def "one" (instanceable = true\nreferences = </root>) {}\n'
        + 'def "two" (instanceable = true\nreferences = </root>) {}\n'
    )
    document = load(tmp_path, body)
    found = [placed_vertices(p, p.vertices)[0][1].tolist() for p in document.parts]
    assert found == [[11, 0, 2], [11, 0, 2]]


def test_instances_and_variants_and_handedness_together(tmp_path):
    """Each copy is read with what it has, and turned outwards."""
    left = MESH.replace('"m" {', '"m" {\nuniform token orientation = "leftHanded"\n')
    body = (
        f'class Xform "c" (variants = {{string v = "on"}}\nprepend variantSets = "v") {{\n'
        f'variantSet "v" = {{\n"off" {{\n}}\n"on" {{\n{left}\n}}\n}}\n}}\n'
        f'def Xform "a" (instanceable = true\nreferences = </c>) {{ {at(1)} }}\n'
        'def Xform "b" (instanceable = true\nreferences = </c>\n'
        'variants = {string v = "off"}) {}'
    )
    document = load(tmp_path, body)
    (part,) = document.parts
    assert firsts(document) == [[1, 0, 0]]
    p = part.vertices[part.polygon_index]
    assert np.cross(p[1] - p[0], p[2] - p[1])[2] < 0


def test_a_unit_in_single_precision(tmp_path):
    document = load(tmp_path, MESH, f"metersPerUnit = {float(np.float32(0.01))!r}")
    assert document.unit == "cm"


def test_units_of_no_name_reach_other_formats(tmp_path):
    document = load(tmp_path, MESH, 'metersPerUnit = 0.3\nupAxis = "Z"')
    assert (document.unit, document.up) == ("0.3 m", "z")
    report = mio.save_document(document, tmp_path / "a.3mf")
    assert "unit '0.3 m'" in report.losses
