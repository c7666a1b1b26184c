"""USD: what the library itself writes is read whole, and what is written here it understands."""

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from meshlearn import io as mio
from meshlearn.io import CornerField, Document, FileFormatError, Material, Part
from meshlearn.io.files import encode
from meshlearn.io.formats.usd import child as usd_child
from tests.io.samples import SQUARE, TWO, documents, part_of, png
from tests.io.usd_files import MESH, USD_ILLEGAL, usda

Usd = pytest.importorskip("pxr.Usd", reason="usd-core is not installed")
from pxr import Gf, Sdf, UsdGeom, UsdShade, Vt  # noqa: E402


def again(document: Document, name: str = "a.usdc") -> Document:
    files = encode(document, name)
    return mio.read_document(bytearray(files[name]), name)


def opened(document: Document, folder, name: str = "a.usda"):
    mio.save_document(document, folder / name)
    return Usd.Stage.Open(str(folder / name))


def test_an_absent_library_is_named_with_its_extra(monkeypatch, tmp_path):
    monkeypatch.setattr(usd_child, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"usd-core: pip install 'meshlearn\[usd\]'"):
        mio.read_document(bytearray(usda(MESH).encode()), "a.usda")
    with pytest.raises(ImportError, match=r"meshlearn\[usd\]"):
        mio.save_document(documents()["quad"], tmp_path / "a.usdz")
    assert list(tmp_path.iterdir()) == []


def test_a_stage_of_the_library_is_read_whole(tmp_path):
    stage = Usd.Stage.CreateNew(str(tmp_path / "a.usdc"))
    UsdGeom.SetStageUpAxis(stage, "Z")
    UsdGeom.SetStageMetersPerUnit(stage, 0.01)
    top = UsdGeom.Xform.Define(stage, "/top")
    top.AddTranslateOp().Set((1, 2, 3))
    top.AddRotateZOp().Set(90)
    mesh = UsdGeom.Mesh.Define(stage, "/top/mesh")
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(SQUARE))
    mesh.CreateFaceVertexCountsAttr([3, 3])
    mesh.CreateFaceVertexIndicesAttr([0, 1, 2, 0, 2, 3])
    mesh.CreateHoleIndicesAttr([1])
    mesh.CreateNormalsAttr([(0, 0, 1)] * 2)
    mesh.SetNormalsInterpolation("uniform")
    mesh.CreateDisplayColorPrimvar("constant").Set([(1, 0, 0)])
    api, types = UsdGeom.PrimvarsAPI(mesh), Sdf.ValueTypeNames
    st = api.CreatePrimvar("UVMap", types.TexCoord2fArray, "faceVarying")
    st.Set([(0, 0), (1, 0), (1, 1)])
    st.SetIndices(Vt.IntArray([0, 1, 2, 0, 2, -1]))
    heat = api.CreatePrimvar("heat", types.DoubleArray, "vertex")
    heat.Set([0.5, 1.5])
    heat.SetIndices(Vt.IntArray([0, 1, 1, 0]))
    six = api.CreatePrimvar("stress", types.FloatArray, "uniform", 6)
    six.Set(Vt.FloatArray(range(12)))
    api.CreatePrimvar("label", types.String, "constant").Set("wing")
    material = UsdShade.Material.Define(stage, "/top/red")
    shader = UsdShade.Shader.Define(stage, "/top/red/s")
    shader.CreateIdAttr("UsdPreviewSurface")
    shader.CreateInput("diffuseColor", types.Color3f).Set((1, 0, 0))
    shader.CreateInput("roughness", types.Float).Set(0.25)
    material.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
    subset = UsdGeom.Subset.CreateGeomSubset(mesh, "s", "face", Vt.IntArray([1]), "materialBind")
    UsdShade.MaterialBindingAPI.Apply(subset.GetPrim()).Bind(material)
    for name, faces in (("left", [0]), ("right", [1]), ("both", [0, 1])):
        UsdGeom.Subset.CreateGeomSubset(mesh, name, "face", Vt.IntArray(faces))
    UsdGeom.Cube.Define(stage, "/top/cube")
    stage.Save()
    document = mio.load_document(tmp_path / "a.usdc")
    part, cube = document.parts
    assert (document.up, document.unit, part.name) == ("z", "cm", "mesh")
    assert document.metadata == {}
    assert (cube.name, cube.num_faces) == ("cube", 6)
    assert "1 Cube" in document.remarks[0]
    assert np.allclose(part.transform[:3], [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3]], atol=1e-7)
    assert np.array_equal(part.vertices, SQUARE) and part.vertices.dtype == np.float32
    assert part.vertex_fields["color"].tolist() == [[255, 0, 0]] * 4
    assert part.vertex_fields["heat"].tolist() == [0.5, 1.5, 1.5, 0.5]
    uv = part.corner_fields["uv"]
    assert uv.index.tolist() == [0, 1, 2, 0, 2, -1]
    assert uv.values.tolist() == [
        [0, 0],
        [1, 0],
        [1, 1],
    ]
    fields = part.face_fields
    assert fields["stress"].tolist() == [list(range(6)), list(range(6, 12))]
    assert fields["normal"].tolist() == [[0, 0, 1]] * 2 and fields["label"].tolist() == ["wing"] * 2
    assert fields["hole"].tolist() == [False, True] and fields["material"].tolist() == [-1, 0]
    assert part.groups == ["left", "right"] and fields["group"].tolist() == [0, 1]
    assert fields["group both"].tolist() == [True, True]  # faces may be in several subsets
    assert document.materials[0].name == "red"
    assert document.materials[0].values["base_color"] == [1, 0, 0, 1]
    assert document.materials[0].values["usd"]["inputs"]["roughness"] == 0.25


def test_the_library_understands_what_is_written_here(tmp_path):
    document = documents()["texture"]
    document.up, document.unit = "z", "mm"
    turn = np.eye(4)
    turn[:3, 3] = [1, 2, 3]
    document.parts[0].name, document.parts[0].transform = "plate", turn
    stage = opened(document, tmp_path)
    assert UsdGeom.GetStageUpAxis(stage) == "Z" and UsdGeom.GetStageMetersPerUnit(stage) == 0.001
    mesh = UsdGeom.Mesh(stage.GetDefaultPrim())
    assert UsdGeom.Mesh.ValidateTopology(
        mesh.GetFaceVertexIndicesAttr().Get(), mesh.GetFaceVertexCountsAttr().Get(), 4
    )[0]
    assert np.array_equal(np.array(mesh.GetPointsAttr().Get()), SQUARE)
    assert mesh.GetSubdivisionSchemeAttr().Get() == "none"  # not to be smoothed
    place = UsdGeom.XformCache().GetLocalToWorldTransform(mesh.GetPrim())
    assert place.Transform(Gf.Vec3d(0, 0, 0)) == Gf.Vec3d(1, 2, 3)
    st = UsdGeom.PrimvarsAPI(mesh).GetPrimvar("st")
    assert st.GetInterpolation() == "vertex" and len(st.Get()) == 4
    material, _ = UsdShade.MaterialBindingAPI(mesh.GetPrim()).ComputeBoundMaterial()
    shader, _, _ = material.ComputeSurfaceSource()
    source = shader.GetInput("diffuseColor").GetConnectedSources()[0][0].source
    assert source.GetInput("file").Get().resolvedPath == str(tmp_path / "wood.png")
    assert (tmp_path / "wood.png").read_bytes() == png()


@pytest.mark.parametrize("name", ["a.usda", "a.usdc", "a.usdz"])
def test_fields_of_every_type_come_back_as_they_were(name):
    rng = np.random.default_rng(0)
    types = "? u1 i4 u4 i8 u8 f2 f4 f8".split()
    part = part_of(SQUARE, TWO)
    for kind in types:
        for width in (1, 2, 3, 4, 7):
            shape = (4,) if width == 1 else (4, width)
            part.vertex_fields[f"{kind} {width}"] = (rng.random(shape) * 9).astype(kind)
    part.vertex_fields["big"] = np.array([2**63 - 1, -(2**63), 0, 1])
    part.face_fields["words"] = np.array(["", "größe 木"])
    part.face_fields["hole"] = np.array([True, False])
    part.corner_fields["weight"] = CornerField(rng.random((3, 1)), np.array([0, 1, 2, -1, 1, 2]))
    for key in ("st", "normals", "displayColor", "a:b", "with blank", "9", "x:indices"):
        part.vertex_fields[key] = np.arange(4, dtype=np.float32)
    (found,) = again(Document([part]), name).parts
    assert list(found.vertex_fields) != [] and set(found.vertex_fields) == set(part.vertex_fields)
    for key, values in part.vertex_fields.items():
        assert found.vertex_fields[key].dtype == values.dtype, key
        assert np.array_equal(found.vertex_fields[key], values), key
    for key, values in part.face_fields.items():
        assert np.array_equal(found.face_fields[key], values), key
    field = found.corner_fields["weight"]
    assert field.index.tolist() == [0, 1, 2, -1, 1, 2]
    assert np.array_equal(field.values, part.corner_fields["weight"].values)


def test_lines_and_points_of_a_mesh_stay_in_its_part():
    part = part_of(SQUARE, TWO, lines=[np.array([3, 1]), np.array([0, 2, 3])], name="ü")
    part.points = np.array([2, 2, 0])
    part.line_fields = {"load": np.array([1.5, 2.5])}
    part.point_fields = {"tag": np.array([7, 8, 9], np.int32)}
    (found,) = again(Document([part])).parts
    assert found.name == "ü" and np.array_equal(found.vertices, SQUARE)
    assert [line.tolist() for line in found.lines] == [[3, 1], [0, 2, 3]]
    assert found.points.tolist() == [2, 2, 0] and found.num_faces == 2
    assert found.line_fields["load"].tolist() == [1.5, 2.5]
    assert found.point_fields["tag"].tolist() == [7, 8, 9]


def test_bent_curves_are_told():
    points = (
        "point3f[] points = [(0,0,0), (1,0,0), (1,1,0), (0,1,0)]\nint[] curveVertexCounts = [4]"
    )
    for kind, told in (("linear", []), ("cubic", ["1 BasisCurves bent between their points"])):
        text = f'def BasisCurves "c" {{\nuniform token type = "{kind}"\n{points}\n}}'
        found = mio.read_document(bytearray(usda(text).encode()), "a.usda")
        assert [line.tolist() for line in found.parts[0].lines] == [[0, 1, 2, 3]]
        said = [f"{loss.count} {loss.name}" for loss in found.left_out]
        assert [line.split(",")[0] for line in said] == told


def test_names_that_are_no_identifiers_and_come_twice():
    parts = [part_of(SQUARE, TWO, name=n) for n in ("a", "a", "", "", "1 2", "Materials", "/x")]
    for part in parts:
        part.face_fields["material"] = np.array([0, 1], np.int32)
    document = Document(parts, [Material("same"), Material("same")])
    found = again(document)
    assert [p.name for p in found.parts] == [p.name for p in parts]
    assert [m.name for m in found.materials] == ["same", "same"]
    assert all(p.face_fields["material"].tolist() == [0, 1] for p in found.parts)


def test_what_it_has_no_place_for_is_told():
    document = documents()["triangle"]
    document.up, document.unit, document.metadata = "x", "parsec", {"mood": "good"}
    document.materials = [Material("m", {"mtl": {"Ns": "3"}})]
    report = mio.find_losses(document, "a.usda")
    assert set(report.losses) == {
        "up axis 'x'",
        "unit 'parsec'",
        "metadata 'mood'",
        "other values of materials",
    }
    document.unit = "0.02 m"
    assert again(document).unit == "0.02 m"


def test_surfaces_of_usd_keep_all_their_inputs():
    values = {
        "inputs": {"diffuseColor": [0.5, 0.25, 1.0], "opacity": 0.5, "ior": 1.25},
        "textures": {
            "normal": {"file": "wood.png", "channel": "rgb", "wrapS": "repeat"},
            "roughness": {"file": "wood.png", "channel": "g", "scale": [1.0, 2.0, 1.0, 1.0]},
        },
    }
    document = documents()["texture"]
    document.materials = [Material("m", {"usd": values})]
    found = again(document, "a.usdz")
    assert found.materials[0].values["usd"] == values
    assert found.materials[0].values["base_color"] == [0.5, 0.25, 1.0, 0.5]
    assert found.images == {"wood.png": png()}


def test_a_package_is_laid_out_as_its_specification_says():
    data = encode(documents()["texture"], "ü x.usdz")["ü x.usdz"]
    with zipfile.ZipFile(BytesIO(data)) as archive:
        names = archive.namelist()
        assert names == ["ü x.usdc", "wood.png"]
        for info in archive.infolist():
            head = data[info.header_offset : info.header_offset + 30]
            begin = info.header_offset + 30 + head[26] + 256 * head[27] + head[28] + 256 * head[29]
            assert begin % 64 == 0 and info.compress_type == zipfile.ZIP_STORED
            assert data[begin : begin + info.file_size] == archive.read(info)


def test_the_same_document_is_the_same_bytes():
    for name in ("a.usda", "a.usdc", "a.usdz"):
        assert encode(documents()["fields"], name) == encode(documents()["fields"], name)
    text = encode(documents()["fields"], "a.usd", ascii=True)["a.usd"]
    assert text.startswith(b"#usda")
    with pytest.raises(FileFormatError, match=r"a \.usdc is binary"):
        encode(documents()["fields"], "a.usdc", ascii=True)


def test_a_file_that_ends_the_process_leaves_the_next_one_alone():
    good = bytearray(usda(MESH).encode())
    assert len(mio.read_document(good, "a.usda").parts) == 1
    before = usd_child._child
    for name in ("laughs.usda", "deep.usda"):
        with pytest.raises(FileFormatError):
            mio.read_document(bytearray(USD_ILLEGAL[name][0].encode()), name)
        assert len(mio.read_document(good, "a.usda").parts) == 1
    assert usd_child._child is not before
    kept = usd_child._child
    mio.read_document(good, "a.usda")
    assert usd_child._child is kept  # one process for file after file


def test_a_library_that_does_not_start_is_no_fault_of_the_file(monkeypatch, tmp_path):
    usd_child.close()
    monkeypatch.setattr(usd_child.usd_dump, "__file__", str(tmp_path / "gone.py"))
    with pytest.raises(RuntimeError, match="not the fault of the file"):
        mio.read_document(bytearray(usda(MESH).encode()), "a.usda")


def test_the_process_takes_nothing_from_the_environment(monkeypatch, tmp_path):
    """Plugins that a variable names would be loaded by the library."""
    (tmp_path / "plugInfo.json").write_text("{}")
    monkeypatch.setenv("PXR_PLUGINPATH_NAME", str(tmp_path))
    usd_child.close()
    mio.read_document(bytearray(usda(MESH).encode()), "a.usda")
    assert usd_child._child is not None
    place = Path(f"/proc/{usd_child._child.process.pid}/environ")
    if not place.exists():
        pytest.skip("the environment of a process is read from /proc, which is not here")
    assert b"PLUGINPATH" not in place.read_bytes()


def test_a_mesh_is_limited_by_what_its_file_can_hold():
    part = Part.triangles(np.zeros((60_000, 3), np.float32), np.zeros((60_000, 3), np.int64))
    for name in ("a.usda", "a.usdc"):
        assert again(Document([part]), name).parts[0].num_faces == 60_000


def test_values_that_belong_to_no_element_are_told(tmp_path):
    points = "point3f[] points = [(0,0,0), (1,0,0), (0,1,0)]\n"
    cloud = f'def Points "p" {{\n{points}float[] widths = [1, 2]\nint64[] ids = [7, 8]\n}}\n'
    faces = "int[] faceVertexCounts = [3]\nint[] faceVertexIndices = [0, 1, 2]\n"
    mesh = (
        f'def Mesh "m" {{\n{points}{faces}float[] primvars:mood = [1, 2] '
        '(interpolation = "constant")\nfloat[] primvars:one = [4] (interpolation = "constant")\n}'
    )
    (tmp_path / "a.usda").write_text(usda(cloud + mesh))
    document = mio.load_document(tmp_path / "a.usda")
    told = {(loss.domain, loss.name, loss.count) for loss in document.left_out}
    assert told == {("vertex", "width", 2), ("vertex", "id", 2), ("face", "mood", 2)}
    assert document.parts[1].face_fields["one"].tolist() == [4]
