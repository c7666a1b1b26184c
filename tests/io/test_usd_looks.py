"""Materials of USD: UsdPreviewSurface to looks and back, textures with their coordinates."""

import json
import math
import struct
from pathlib import Path

import numpy as np
import pytest

from meshlearn import io as mio
from meshlearn.io import CornerField, Document, Material
from meshlearn.io.left_behind import LossKind
from meshlearn.io.looks import Looks, Texture
from tests.io.samples import SQUARE, TWO, part_of, png
from tests.io.usd_files import usda

pytest.importorskip("pxr.Usd", reason="usd-core is not installed")
from pxr import Usd, UsdGeom, UsdShade

QUAD = (
    "point3f[] points = [(0,0,0), (1,0,0), (1,1,0), (0,1,0)]\nint[] faceVertexCounts = [3, 3]\n"
    "int[] faceVertexIndices = [0,1,2, 0,2,3]\n"
    'texCoord2f[] primvars:st = [(0,0), (1,0), (1,1), (0,1)] (interpolation = "vertex")\n'
    'float2[] primvars:map2 = [(0,0), (2,0), (2,2), (0,2)] (interpolation = "vertex")\n'
)


def shader(name, kind, *lines):
    body = "\n".join(lines)
    return f'def Shader "{name}" {{\nuniform token info:id = "{kind}"\n{body}\n}}\n'


def material(name, *lines, more="", surface="UsdPreviewSurface"):
    base = f"/{name}"
    return (
        f'def Material "{name}" {{\ntoken outputs:surface.connect = <{base}/s.outputs:surface>\n'
        + shader("s", surface, "token outputs:surface", *lines)
        + more
        + "}\n"
    )


def texture(base, name, *lines, file="t.png", st="uv"):
    return shader(
        name,
        "UsdUVTexture",
        f"asset inputs:file = @{file}@",
        f"float2 inputs:st.connect = <{base}/{st}.outputs:result>",
        *lines,
    )


def reader(name, varname, kind="string"):
    line = f'{kind} inputs:varname = "{varname}"'
    return shader(name, "UsdPrimvarReader_float2", line, "float2 outputs:result")


def mesh(name="m", bound="/a", more=""):
    line = f"rel material:binding = <{bound}>\n" if bound else ""
    api = '(prepend apiSchemas = ["MaterialBindingAPI"])'
    return f'def Mesh "{name}" {api} {{\n{line}{QUAD}{more}}}\n'


def load(folder, body, name="a.usda"):
    (folder / "t.png").write_bytes(png())
    (folder / name).write_text(usda(body))
    return mio.load_document(folder / name)


def told(report):
    return {x.name: x.count for x in report.items if x.kind is LossKind.MATERIAL_PROPERTY}


def gltf(folder: Path, document: Document):
    report = mio.save_document(document, folder / "o.glb")
    data = (folder / "o.glb").read_bytes()
    size = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + size]), report


def test_every_input_is_a_property(tmp_path):
    lines = (
        "color3f inputs:diffuseColor = (0.5, 0.25, 0.125)",
        "color3f inputs:emissiveColor = (2, 0, 0)",
        "float inputs:metallic = 0.75",
        "float inputs:roughness = 0.125",
        "float inputs:opacity = 0.5",
        "float inputs:opacityThreshold = 0.25",
    )
    document = load(tmp_path, mesh(more="uniform bool doubleSided = 1\n") + material("a", *lines))
    looks = document.materials[0].looks
    assert looks.said() == {
        "base_color": (0.5, 0.25, 0.125),
        "emissive": (2, 0, 0),
        "metallic": 0.75,
        "roughness": 0.125,
        "alpha": 0.5,
        "alpha_mode": "MASK",
        "alpha_cutoff": 0.25,
        "double_sided": True,
    }


def test_what_is_not_said_is_what_the_specification_says(tmp_path):
    looks = load(tmp_path, mesh() + material("a")).materials[0].looks
    assert (looks.metallic, looks.roughness, looks.alpha_mode) == (0, 0.5, None)
    assert looks.base_color == (0.18, 0.18, 0.18)
    assert looks.emissive is None and looks.double_sided is None


TEXTURES = (
    "color3f inputs:diffuseColor.connect = </a/base.outputs:rgb>",
    "float inputs:opacity.connect = </a/base.outputs:a>",
    "float inputs:roughness.connect = </a/orm.outputs:g>",
    "float inputs:metallic.connect = </a/orm.outputs:b>",
    "normal3f inputs:normal.connect = </a/bump.outputs:rgb>",
)
PLACE = shader(
    "place",
    "UsdTransform2d",
    "float2 inputs:in.connect = </a/uv.outputs:result>",
    "float inputs:rotation = 90",
    "float2 inputs:scale = (2, 3)",
    "float2 inputs:translation = (0.5, 0.25)",
    "float2 outputs:result",
)
NODES = (
    reader("uv", "st")
    + reader("second", "map2", "token")
    + PLACE
    + texture(
        "/a", "base", "float4 inputs:scale = (0.5, 1, 1, 0.25)", "float3 outputs:rgb",
        "float outputs:a", 'token inputs:wrapS = "mirror"', 'token inputs:wrapT = "clamp"',
        st="place",
    )
    + texture("/a", "orm", "float outputs:g", "float outputs:b", st="second")
    + texture(
        "/a", "bump", "float3 outputs:rgb", "float4 inputs:scale = (1, 1, 2, 1)",
        "float4 inputs:bias = (-0.5, -0.5, -1, 0)",
    )
)  # fmt: skip


def test_textures_with_placing_channels_and_second_coordinates(tmp_path):
    document = load(tmp_path, mesh() + material("a", *TEXTURES, more=NODES))
    looks, part = document.materials[0].looks, document.parts[0]
    base = looks.base_texture
    assert (base.image, base.uv, base.wrap) == ("t.png", 0, ("mirror", "clamp"))
    assert (base.scale, base.offset) == ((2, 3), (0.5, 0.25))
    assert base.rotation == pytest.approx(math.pi / 2)
    assert (looks.base_color, looks.alpha, looks.alpha_mode) == ((0.5, 1, 1), 0.25, "BLEND")
    assert (looks.alpha_texture.channel, looks.alpha_texture.image) == ("a", "t.png")
    assert (looks.roughness_texture.channel, looks.metallic_texture.channel) == ("g", "b")
    assert looks.roughness_texture.uv == 1 and (looks.roughness, looks.metallic) == (1, 1)
    assert looks.normal_texture.strength == 0.5
    assert part.vertex_fields["uv"].tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]
    assert part.vertex_fields["uv1"].tolist() == [[0, 0], [2, 0], [2, 2], [0, 2]]
    assert document.images == {"t.png": png()} and looks.beyond == ()


@pytest.mark.parametrize("name", ["o.usda", "o.usdc", "o.usdz"])
def test_they_come_back_as_they_were(tmp_path, name):
    document = load(tmp_path, mesh() + material("a", *TEXTURES, more=NODES))
    (tmp_path / "out").mkdir()
    assert not mio.save_document(document, tmp_path / "out" / name)
    found = mio.load_document(tmp_path / "out" / name)
    assert found.materials[0].looks == document.materials[0].looks
    assert found.materials[0].values == document.materials[0].values
    for key, values in document.parts[0].vertex_fields.items():
        assert np.array_equal(found.parts[0].vertex_fields[key], values)


def test_they_become_those_of_gltf(tmp_path):
    document = load(tmp_path, mesh() + material("a", *TEXTURES, more=NODES))
    body, report = gltf(tmp_path, document)
    (said,) = body["materials"]
    surface = said["pbrMetallicRoughness"]
    assert surface["baseColorFactor"] == [0.5, 1, 1, 0.25] and said["alphaMode"] == "BLEND"
    placing = surface["baseColorTexture"]["extensions"]["KHR_texture_transform"]
    assert placing["scale"] == [2, 3] and placing["rotation"] == pytest.approx(math.pi / 2)
    assert said["normalTexture"]["scale"] == 0.5
    assert "TEXCOORD_1" in body["meshes"][0]["primitives"][0]["attributes"]
    assert not {"base texture", "normal texture"} & set(told(report))


def test_a_mesh_of_another_primvar_has_it_as_its_first(tmp_path):
    more = reader("uv", "map2") + texture("/a", "t", "float3 outputs:rgb")
    line = "color3f inputs:diffuseColor.connect = </a/t.outputs:rgb>"
    quad = mesh().replace("primvars:st", "primvars:other")
    document = load(tmp_path, quad + material("a", line, more=more))
    assert document.parts[0].vertex_fields["uv"][1].tolist() == [2, 0]
    assert document.parts[0].vertex_fields["other"][1].tolist() == [1, 0]
    assert document.materials[0].looks.base_texture.uv == 0


def test_two_materials_of_one_mesh_count_its_sets_alike(tmp_path):
    line = "color3f inputs:diffuseColor.connect = </{0}/t.outputs:rgb>"
    kinds = [("a", "st"), ("b", "map2")]
    bodies = "".join(
        material(
            k,
            line.format(k),
            more=reader("uv", v) + texture(f"/{k}", "t", "float3 outputs:rgb"),
        )
        for k, v in kinds
    )
    subset = (
        'def GeomSubset "g" (prepend apiSchemas = ["MaterialBindingAPI"]) {\n'
        'uniform token elementType = "face"\nuniform token familyName = "materialBind"\n'
        "int[] indices = [1]\nrel material:binding = </b>\n}\n"
    )
    document = load(tmp_path, mesh(more=subset) + bodies)
    names = [document.materials[k].name for k in document.parts[0].face_fields["material"]]
    assert names == ["a", "b"]
    sets = {m.name: m.looks.base_texture.uv for m in document.materials}
    assert sets == {"a": 0, "b": 1} and "uv1" in document.parts[0].vertex_fields


def test_bindings_are_inherited_and_need_no_applied_schema(tmp_path):
    plain = mesh(bound="").replace('(prepend apiSchemas = ["MaterialBindingAPI"]) ', "")
    body = f'def Xform "x" {{\nrel material:binding = </a>\n{plain}}}\n'
    document = load(tmp_path, body + material("a", "color3f inputs:diffuseColor = (1, 0, 0)"))
    assert document.parts[0].face_fields["material"].tolist() == [0, 0]
    assert document.materials[0].looks.base_color == (1, 0, 0)


def test_values_come_through_interfaces(tmp_path):
    body = material("a", "float inputs:roughness.connect = </a.inputs:rough>").replace(
        'def Material "a" {', 'def Material "a" {\nfloat inputs:rough = 0.75', 1
    )
    assert load(tmp_path, mesh() + body).materials[0].looks.roughness == 0.75


BEYOND = {
    "clearcoat": ("float inputs:clearcoat = 1",),
    "ior": ("float inputs:ior = 1.25",),
    "specularColor": (
        "int inputs:useSpecularWorkflow = 1", "color3f inputs:specularColor = (1,1,0)",
    ),
    "displacement": ("float inputs:displacement = 0.5",),
}  # fmt: skip


@pytest.mark.parametrize("name", BEYOND)
def test_what_looks_have_no_word_for_is_told_and_kept_in_usd(tmp_path, name):
    document = load(tmp_path, mesh() + material("a", *BEYOND[name]))
    assert name in told(gltf(tmp_path, document)[1])
    assert not told(mio.save_document(document, tmp_path / "b.usda"))
    assert mio.load_document(tmp_path / "b.usda").materials[0].looks.beyond == (name,)


def test_usual_values_are_no_loss(tmp_path):
    document = load(tmp_path, mesh() + material("a", "float inputs:ior = 1.5"))
    assert told(gltf(tmp_path, document)[1]) == {}


def test_other_shaders_are_told_by_name(tmp_path):
    document = load(tmp_path, mesh() + material("a", surface="ND_standard_surface_surfaceshader"))
    name = "the shader ND standard surface surfaceshader"
    assert told(gltf(tmp_path, document)[1]) == {name: 1}
    assert told(mio.save_document(document, tmp_path / "b.usda")) == {name: 1}
    assert document.parts[0].face_fields["material"].tolist() == [0, 0]


def test_a_shader_of_one_renderer_is_told_too(tmp_path):
    body = material("a", surface="ND_glass").replace(
        "outputs:surface.connect", "outputs:mtlx:surface.connect"
    )
    assert told(gltf(tmp_path, load(tmp_path, mesh() + body))[1]) == {"the shader ND glass": 1}


def test_colours_of_vertices_stay_the_colour_of_the_surface(tmp_path):
    node = shader(
        "c", "UsdPrimvarReader_float3", 'string inputs:varname = "displayColor"',
        "float3 outputs:result",
    )  # fmt: skip
    line = "color3f inputs:diffuseColor.connect = </a/c.outputs:result>"
    more = "color3f[] primvars:displayColor = [(1,0,0)]\n"
    document = load(tmp_path, mesh(more=more) + material("a", line, more=node))
    assert document.materials[0].looks.base_color == (1, 1, 1)
    mio.save_document(document, tmp_path / "b.usda")
    stage = Usd.Stage.Open(str(tmp_path / "b.usda"))
    surface = UsdShade.Shader(stage.GetPrimAtPath("/Materials/a/surface"))
    source = surface.GetInput("diffuseColor").GetConnectedSources()[0][0].source
    assert UsdShade.Shader(source.GetPrim()).GetInput("varname").Get() == "displayColor"


def full() -> Document:
    part = part_of(SQUARE, TWO, face_fields={"material": np.zeros(2, np.int32)})
    index = np.array([0, 1, 2, 0, 2, 3])
    part.corner_fields = {
        "uv": CornerField(SQUARE[:, :2].copy(), index),
        "uv1": CornerField(2 * SQUARE[:, :2], index),
    }
    looks = Looks(
        base_color=(0.5, 1, 1),
        alpha=0.25,
        alpha_mode="MASK",
        alpha_cutoff=0.75,
        metallic=0.5,
        roughness=0.125,
        emissive=(1, 2, 3),
        double_sided=True,
        base_texture=Texture("t.png", wrap=("clamp", "mirror"), scale=(2, 3), offset=(0.5, 0)),
        alpha_texture=Texture("t.png", channel="a"),
        roughness_texture=Texture("t.png", channel="g", uv=1),
        normal_texture=Texture("t.png", strength=0.5, rotation=1.0),
        emissive_texture=Texture("t.png"),
        occlusion_texture=Texture("t.png", channel="r", strength=0.5),
    )
    return Document([part], [Material("m", looks=looks)], images={"t.png": png()})


def test_looks_of_other_formats_are_written_in_its_words(tmp_path):
    document = full()
    assert told(mio.save_document(document, tmp_path / "a.usda")) == {}
    found = mio.load_document(tmp_path / "a.usda")
    (before,), (after,) = document.materials, found.materials
    assert after.looks.normal_texture.rotation == pytest.approx(1.0)
    after.looks.normal_texture.rotation = 1.0
    assert after.looks == before.looks
    assert set(found.parts[0].corner_fields) == {"uv", "uv1"}
    stage = Usd.Stage.Open(str(tmp_path / "a.usda"))
    assert UsdGeom.Mesh(stage.GetDefaultPrim()).GetDoubleSidedAttr().Get()


def test_words_that_it_lacks_are_told(tmp_path):
    document = full()
    looks = document.materials[0].looks
    looks.unlit, looks.bump_texture = True, Texture("t.png")
    looks.base_texture.nearest = True
    names = set(told(mio.save_document(document, tmp_path / "a.usda")))
    assert names == {"unlit", "bump texture", "nearest texture filter"}


def test_a_texture_s_own_alpha_is_its_opacity(tmp_path):
    document = full()
    document.materials[0].looks.alpha_texture = None
    mio.save_document(document, tmp_path / "a.usda")
    looks = mio.load_document(tmp_path / "a.usda").materials[0].looks
    assert (looks.alpha_texture.image, looks.alpha_texture.channel) == ("t.png", "a")
    assert looks.alpha_texture.scale == (2, 3) and looks.alpha == 0.25


def test_an_image_that_is_not_there_is_told_and_not_named_again(tmp_path):
    more = reader("uv", "st") + texture(
        "/a", "t", "float3 outputs:rgb", "float4 inputs:scale = (0.5, 1, 1, 1)", file="none.png"
    )
    line = "color3f inputs:diffuseColor.connect = </a/t.outputs:rgb>"
    document = load(tmp_path, mesh() + material("a", line, more=more))
    report = mio.save_document(document, tmp_path / "b.usda")
    assert [x.name for x in report.items] == ["none.png"]
    assert "none.png" not in (tmp_path / "b.usda").read_text()
    again = mio.load_document(tmp_path / "b.usda")
    assert again.materials[0].looks.base_color == (0.5, 1, 1)
