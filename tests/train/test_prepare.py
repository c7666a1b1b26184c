"""Preparing meshes: robust to bad ones, going on after a stop, and drawn from as a data set."""

import os

import pytest
import torch
from shared_data import shared_data

import meshlearn as ml
from meshlearn.data import open_shapes, shapes
from meshlearn.geometry import MeshBVH
from meshlearn.train import PrepareOptions, load_prepared, open_data, prepare, prepare_mesh
from meshlearn.train.prepare import family_spec
from meshlearn.train.prepared import pack_bits, unpack_bits

SMALL = PrepareOptions(near=300, space=200, surface=100, voxels=(16,))


def folder_of_meshes(path):
    """Two good meshes, one below, and four that are none."""
    (path / "deeper").mkdir(parents=True)
    ml.save(shapes.box((2.0, 1.0, 0.5)), path / "box.obj")
    ball = shapes.icosphere(2)
    ml.save(ball.with_vertices(ball.vertices * 3 + 7), path / "deeper" / "ball.ply")
    (path / "empty.obj").write_bytes(b"")
    (path / "torn.stl").write_bytes(b"solid x\n facet normal 0 0\n")
    (path / "points.obj").write_text("v 0 0 0\nv 1 0 0\n")
    (path / "flat.obj").write_text("v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n")
    (path / "notes.txt").write_text("not a mesh")
    return path


def test_distances_voxels_and_surface_of_a_box():
    made = prepare_mesh(shapes.box((2.0, 1.0, 0.5)), PrepareOptions(voxels=(16, 20)))
    half = torch.tensor([0.45, 0.225, 0.1125])
    q = made.near[:, :3].abs() - half
    exact = q.clamp(min=0).norm(dim=1) + q.amax(1).clamp(max=0)
    torch.testing.assert_close(made.near[:, 3], exact, rtol=0, atol=1e-5)
    assert made.near[1::2, 3].abs().median() < 0.006 < made.near[::2, 3].abs().median() < 0.03
    assert made.space[:, :3].abs().max() <= 0.5 and made.space[:, 3].max() > 0.2
    flat = (made.surface[:, :3].abs() - half).abs().amin(1)
    assert flat.max() < 1e-6
    from_centres = [
        int((2 * (torch.arange(20) + 0.5) / 20 - 1).abs().lt(2 * h).sum()) for h in half
    ]
    assert int(made.voxels(20).sum()) == torch.tensor(from_centres).prod()
    assert made.closed and made.scale == pytest.approx(0.45)
    with pytest.raises(ValueError, match=r"voxels: shape was prepared with \[16, 20\], not 32"):
        made.voxels(32)


def test_open_and_broken_meshes_have_signs():
    """A sphere with holes keeps its inside; an inverted and doubled one too."""
    whole = prepare_mesh(shapes.icosphere(4), SMALL)
    holed = prepare_mesh(open_shapes.sphere_with_holes(), SMALL)
    assert not holed.closed
    middle = torch.tensor([[0.0, 0.0, 0.0], [0.49, 0.49, 0.49]])
    assert MeshBVH(holed.mesh).signed_distance(middle).sign().tolist() == [-1, 1]
    turned = ml.Mesh(whole.mesh.vertices, whole.mesh.faces.flip(1))
    both = ml.Mesh(whole.mesh.vertices, torch.cat((whole.mesh.faces, whole.mesh.faces)))
    for other in (turned, both):
        made = prepare_mesh(other, SMALL)
        radius = made.space[:, :3].norm(dim=1)
        sure = (radius - 0.45).abs() > 0.01
        assert ((made.space[:, 3] < 0) == (radius < 0.45))[sure].all()


def test_a_folder_leaves_out_what_is_bad(tmp_path):
    source = folder_of_meshes(tmp_path / "in")
    outcomes = prepare(source, tmp_path / "out", SMALL)
    states = {o.source.rsplit("/", 1)[-1]: o.state for o in outcomes}
    bad = dict.fromkeys(["empty.obj", "flat.obj", "points.obj", "torn.stl"], "failed")
    assert states == {"box.obj": "converted", "ball.ply": "converted"} | bad
    errors = {o.source.rsplit("/", 1)[-1]: o.error for o in outcomes if o.error}
    assert "no area" in errors["flat.obj"] and "no faces" in errors["points.obj"]
    assert all(str(source) in error for error in errors.values())
    data = open_data(tmp_path / "out", points=50, voxels=16, surface=9)
    assert data.names == ["box.obj", "deeper/ball.ply"]
    ball = data[1]
    torch.testing.assert_close(torch.tensor(ball.centre), torch.full((3,), 7.0), rtol=0, atol=0.2)
    draw = data.sample(1, torch.Generator().manual_seed(0))
    assert {k: tuple(v.shape) for k, v in draw.items()} == {
        "index": (), "points": (50, 3), "sdf": (50,), "surface": (9, 3), "normals": (9, 3),
        "voxels": (1, 16, 16, 16),
    }  # fmt: skip
    exact = MeshBVH(ball.mesh).signed_distance(draw["points"])
    torch.testing.assert_close(draw["sdf"], exact, rtol=0, atol=1e-6)


def test_goes_on_and_does_not_depend_on_processes(tmp_path):
    source = folder_of_meshes(tmp_path / "in")
    first = prepare(source, tmp_path / "one", SMALL)
    prepare(source, tmp_path / "two", SMALL, jobs=2)
    for outcome in first:
        if outcome.state == "converted":
            there = outcome.target.replace("/one/", "/two/")
            a, b = load_prepared(outcome.target), load_prepared(there)
            assert torch.equal(a.near, b.near) and torch.equal(a.packed[16], b.packed[16])
    box = next(o for o in first if o.source.endswith("box.obj"))
    os.unlink(box.target)
    (tmp_path / "one" / ".x.shape.safetensors.abcd1234").write_bytes(b"torn")
    again = {o.source: o.state for o in prepare(source, tmp_path / "one", SMALL)}
    assert again[box.source] == "converted" and list(again.values()).count("skipped") == 1
    assert not list((tmp_path / "one").glob(".*"))
    # another file, other options: made anew
    ml.save(shapes.box((1.0, 1.0, 1.0)), box.source)
    states = {o.source: o.state for o in prepare(source, tmp_path / "one", SMALL)}
    assert states[box.source] == "converted"
    other = prepare(source, tmp_path / "one", PrepareOptions(10, 10, 10, ()))
    assert [o.state for o in other].count("converted") == 2


def test_families_as_data(tmp_path):
    pytest.importorskip("manifold3d")
    spec = "families:chairs+mugs:3:first=2:seed=1"
    data = open_data(spec, options=SMALL, points=40)
    assert data.names[:3] == ["chairs-1-2", "chairs-1-3", "chairs-1-4"] and len(data) == 6
    kept = open_data(spec, options=SMALL, cache=tmp_path / "cache", points=40)
    for k in (0, 4):
        assert torch.equal(data[k].near, kept[k].near) and data[k].parts == kept[k].parts
        assert torch.equal(data[k].label, kept[k].label)
    one, other = (data.sample(0, torch.Generator().manual_seed(s)) for s in (0, 1))
    assert not torch.equal(one["points"], other["points"])
    training, test = data.split(2, seed=3)
    assert len(training) == 4 and not set(training.names) & set(test.names)
    assert torch.equal(training[0].near, data[data.names.index(training.names[0])].near)
    assert data[0] is data.subset([0])[0]  # made once
    assert data.with_draw(points=7).sample(0, torch.Generator())["sdf"].shape == (7,)


def test_bits():
    grid = torch.rand(5, 5, 5) > 0.5
    assert torch.equal(unpack_bits(pack_bits(grid), 5), grid)


def test_a_real_mesh():
    mesh = ml.load(shared_data("meshes", "plane_holes.obj"))  # open
    made = prepare_mesh(mesh, SMALL)
    assert not made.closed and torch.isfinite(made.near).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("families:boats:3", "'boats' is no family"),
        ("families:cars:x", "expected such as"),
        ("families:cars:0", "got no shapes"),
        ("families:cars:3:size=2", "expected such as"),
    ],
)
def test_bad_specifications(text, words):
    with pytest.raises(ValueError, match=f"DATA: .*{words}"):
        family_spec(text)


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match=r"no prepared shapes are in .*meshlearn prepare"):
        open_data(tmp_path)
    with pytest.raises(ValueError, match="voxels: expected resolutions"):
        PrepareOptions(voxels=(0,))
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match=r"OUT: .* is a file"):
        prepare("families:cars:1", tmp_path / "file")
    with pytest.raises(ValueError, match="not a readable prepared shape"):
        load_prepared(tmp_path / "file")
    nan = shapes.box()
    nan = nan.with_vertices(nan.vertices * float("nan"))
    with pytest.raises(ValueError, match="not finite"):
        prepare_mesh(nan)
