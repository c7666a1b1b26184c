"""Files inside others: gzip, zip archives with one mesh, file objects; bombs are refused."""

import gzip
import io
import json
import zipfile

import numpy as np
import pytest

import meshlearn as ml
import meshlearn.io as mio
from meshlearn.data import shapes
from meshlearn.io.conversion.batch import plan
from meshlearn.io.document import Document
from meshlearn.io.points import is_points, load_points
from tests.cli.runner import meshlearn
from tests.io.samples import POINTS_ONLY, WRITTEN, documents, parameters, png

QUAD = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
TEXT = f"{QUAD}f 1/1 2/2 3/3 4/4\n"


@pytest.mark.parametrize("suffix", parameters(WRITTEN))
def test_gzip_around_every_format(suffix, tmp_path):
    if suffix in (".usda", ".usdc", ".usdz"):
        pytest.importorskip("pxr")
    mio.save_document(documents()["triangle"], tmp_path / f"a{suffix}")
    mio.save_document(documents()["triangle"], tmp_path / f"a{suffix}.gz")
    packed = (tmp_path / f"a{suffix}.gz").read_bytes()
    assert packed[:2] == b"\x1f\x8b"
    assert gzip.decompress(packed) == (tmp_path / f"a{suffix}").read_bytes()
    again = mio.load_document(tmp_path / f"a{suffix}.gz")
    assert len(again.parts[0].vertices) == 3
    assert again.parts[0].num_faces == (suffix not in POINTS_ONLY)


def test_the_same_bytes_every_time_in_one_piece_or_many(tmp_path):
    document = mio.from_mesh(shapes.torus(segments=200, rings=100))
    made = []
    for name in ("a", "b"):
        mio.save_document(document, tmp_path / f"{name}.obj.gz")
        made.append((tmp_path / f"{name}.obj.gz").read_bytes())
    assert made[0] == made[1]
    assert mio.load_document(tmp_path / "a.obj.gz").parts[0].num_faces == 40000


def test_what_a_packed_file_names_lies_beside_it(tmp_path):
    (tmp_path / "p.mtl").write_text("newmtl Red\nmap_Kd tex.png\n")
    (tmp_path / "tex.png").write_bytes(png())
    with gzip.open(tmp_path / "a.obj.gz", "wt") as file:
        file.write(f"mtllib p.mtl\n{QUAD}usemtl Red\nf 1/1 2/2 3/3 4/4\n")
    out = tmp_path / "out"
    out.mkdir()
    assert not mio.convert(tmp_path / "a.obj.gz", out / "b.obj.gz", strict=True)
    assert {p.name for p in out.iterdir()} == {"b.obj.gz", "b.mtl", "tex.png"}
    assert mio.load_document(out / "b.obj.gz").images == {"tex.png": png()}


def test_gzip_without_its_name_and_of_several_members(tmp_path):
    (tmp_path / "a.obj").write_bytes(
        gzip.compress(TEXT[:30].encode()) + gzip.compress(TEXT[30:].encode())
    )
    assert mio.load_document(tmp_path / "a.obj").parts[0].num_faces == 1
    (tmp_path / "b.bin").write_bytes(gzip.compress(TEXT.encode()))
    assert mio.load_document(tmp_path / "b.bin", format="obj").parts[0].num_faces == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gzip.compress(bytes(80 << 20), mtime=0), "expands to more than 67,108,864 bytes"),
        (gzip.compress(TEXT.encode(), mtime=0)[:-12], "ends too early"),
        (b"\x1f\x8b" + b"x" * 90, "damaged"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
    ],
    ids=["bomb", "short", "damaged", "empty"],  # the same for every worker
)  # fmt: skip
def test_bad_gzip_gets_one_sentence(data, said, tmp_path):
    path = tmp_path / "a.obj.gz"
    path.write_bytes(data)
    with pytest.raises(mio.FileFormatError, match=said) as caught:
        mio.load_document(path)
    assert str(caught.value).startswith(str(path.with_suffix(""))) and "\n" not in str(caught.value)


def archive(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return path


def test_an_archive_with_one_mesh_and_what_it_names(tmp_path):
    path = archive(
        tmp_path / "a.zip",
        {
            "model/a.obj": f"mtllib p.mtl\n{QUAD}usemtl Red\nf 1/1 2/2 3/3 4/4\n",
            "model/p.mtl": "newmtl Red\nmap_Kd textures\\tex.png\n",
            "model/textures/tex.png": png(),
            "README.txt": "hello",
            "costs.csv": "a,b",
            "__MACOSX/model/._a.obj": b"\0",
            "model/": b"",
        },
    )
    document = mio.load_document(path)
    assert document.parts[0].num_faces == 1 and not document.left_out
    assert document.images == {"textures/tex.png": png()}
    assert mio.load_document(archive(tmp_path / "b.zip", {"a.obj": TEXT})).parts[0].num_faces == 1
    packed = archive(tmp_path / "c.zip", {"a.obj.gz": gzip.compress(TEXT.encode()), "x.md": b"x"})
    assert ml.load(packed).num_faces == 2


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"a.obj": TEXT, "b/b.stl": TEXT}, r"several \('a.obj', 'b/b.stl'\); unpack it"),
        ({"a.md": TEXT}, r"none \('a.md'\)"),
        ({}, r"none \(nothing\)"),
        ({f"{k}.obj": TEXT for k in range(20)}, "and 12 more"),
        ({"a.obj": "v 1 2\n"}, r"a\.zip/a\.obj: .*line 1"),
        ({"a.obj": "v 1 2\n", "p.mtl": ""}, r"a\.zip/a\.obj: .*line 1"),
        ({"a.obj": bytes(80 << 20)}, "which is refused"),
        ({"a.obj": TEXT, "b.png": bytes(80 << 20)}, "which is refused"),
    ],
)
def test_archives_that_are_refused(members, said, tmp_path):
    path = archive(tmp_path / "a.zip", members)
    with pytest.raises(mio.FileFormatError, match=said) as caught:
        mio.load_document(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_members_never_leave_their_folder(tmp_path):
    inner = tmp_path / "in"
    inner.mkdir()
    path = archive(inner / "a.zip", {"a.obj": TEXT, "../../evil.mtl": "x", "/tmp/evil2.mtl": "x"})
    assert mio.load_document(path).parts[0].num_faces == 1
    assert not list(tmp_path.glob("**/evil*"))


@pytest.mark.parametrize("suffix", [".glb", ".ply", ".stl", ".obj", ".3mf", ".ply.gz"])
def test_file_objects(suffix):
    mesh = shapes.box()
    stream = io.BytesIO()
    ml.save(mesh, stream, format=suffix[1:])
    stream.seek(0)
    assert ml.load(stream, format=suffix[1:]).num_faces == mesh.num_faces
    stream.seek(0)
    assert (stream.read(2) == b"\x1f\x8b") == suffix.endswith(".gz")


def test_file_objects_with_a_name_and_without(tmp_path):
    with open(tmp_path / "a.ply", "wb") as file:
        ml.save(shapes.box(), file)
    with open(tmp_path / "a.ply", "rb") as file:
        assert ml.load(file).num_faces == 12
    assert ml.load(io.StringIO(TEXT), format="obj").num_faces == 2
    with pytest.raises(mio.FileFormatError, match="say its format"):
        ml.load(io.BytesIO(b"x"))
    with pytest.raises(mio.FileFormatError, match="say its format"):
        ml.save(shapes.box(), io.BytesIO())
    with pytest.raises(mio.FileFormatError, match="takes bytes"):
        ml.save(shapes.box(), io.StringIO(), format="ply")
    with pytest.raises(ValueError, match="file object, got int"):
        ml.load(7, format="ply")
    document = documents()["texture"]
    with pytest.raises(mio.FileFormatError, match=r"it takes 3 files \(.*wood\.png\)"):
        mio.save_document(document, io.BytesIO(), format="obj")
    with pytest.raises(mio.FileFormatError, match="nothing would be in it"):
        mio.save_document(Document([documents()["points"].parts[0]]), io.BytesIO(), format="stl")


def test_the_command_takes_packed_files(tmp_path):
    (tmp_path / "a.obj.gz").write_bytes(gzip.compress(TEXT.encode()))
    archive(tmp_path / "b.zip", {"b.obj": TEXT})
    done = meshlearn("convert", tmp_path / "a.obj.gz", tmp_path / "c.ply.gz")
    assert done.returncode == 0, done.stderr
    assert mio.load_document(tmp_path / "c.ply.gz").parts[0].num_faces == 1
    assert meshlearn("convert", tmp_path / "b.zip", tmp_path / "d.ply").returncode == 0
    for name in ("a.obj.gz", "b.zip"):
        assert json.loads(meshlearn("info", tmp_path / name, "--json").stdout)["polygons"] == 1
        assert meshlearn("check", tmp_path / name).returncode == 0
    done = meshlearn("convert", tmp_path, "--outdir", tmp_path / "out", "--to", "stl")
    assert done.returncode == 0 and (tmp_path / "out" / "a.stl").exists()
    done = meshlearn("convert", tmp_path / "a.obj.gz", "--outdir", tmp_path / "o", "--to", "ply.gz")
    assert (tmp_path / "o" / "a.ply.gz").exists(), done.stderr
    done = meshlearn("convert", tmp_path / "a.obj.gz", tmp_path / "x.zip")
    assert done.returncode == 1 and done.stderr.count("\n") == 1


def test_a_batch_names_packed_files_by_their_stem(tmp_path):
    (tmp_path / "a.obj.gz").write_bytes(b"x")
    (job,) = plan([str(tmp_path)], tmp_path / "out", "ply")
    assert job.target.endswith("out/a.ply")


def test_packed_points(tmp_path):
    path = tmp_path / "a.xyz.gz"
    path.write_bytes(gzip.compress(b"0 0 0\n1 2 3\n"))
    assert is_points(path) and load_points(path).points.tolist() == [[0, 0, 0], [1, 2, 3]]
    assert np.isfinite(json.loads(meshlearn("info", path, "--json").stdout)["upper"]).all()
