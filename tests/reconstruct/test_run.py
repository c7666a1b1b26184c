import pytest
import torch

from meshlearn.data import shapes
from meshlearn.io.points import PointCloud
from meshlearn.io.volume import Volume
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import reconstruct


def ball() -> tuple[torch.Tensor, torch.Tensor]:
    normals = torch.randn(3000, 3, generator=torch.Generator().manual_seed(0))
    normals = torch.nn.functional.normalize(normals, dim=1)
    return 0.5 * normals, normals


def sources() -> dict:
    points, normals = ball()
    axis = torch.linspace(-1, 1, 24)
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    affine = torch.diag(torch.tensor([2 / 23, 2 / 23, 2 / 23, 1.0], dtype=torch.float64))
    affine[:3, 3] = -1
    return {
        "mesh": Mesh(0.5 * shapes.icosphere(3).vertices, shapes.icosphere(3).faces),
        "double": Mesh(0.5 * shapes.icosphere(3).vertices.double(), shapes.icosphere(3).faces),
        "oriented": PointCloud(points, normals),
        "unoriented": PointCloud(points),
        "field": Volume((x * x + y * y + z * z).sqrt() - 0.5, affine),
    }


@pytest.mark.parametrize("name", ["mesh", "double", "oriented", "unoriented", "field"])
def test_a_ball_comes_out_of_each_kind(name):
    result = reconstruct(sources()[name], resolution=20, steps=10)
    radius = result.mesh.vertices.norm(dim=1)
    assert result.mesh.is_watertight and result.mesh.dtype == torch.float32
    assert (radius - 0.5).abs().mean() < 0.03 and (radius - 0.5).abs().max() < 0.12
    assert len(result.history["loss"]) == 10


@pytest.mark.parametrize("name", ["mesh", "oriented", "field"])
def test_the_same_seed_gives_the_same_mesh_on_any_number_of_threads(name):
    source, before = sources()[name], torch.get_num_threads()
    made = []
    try:
        for threads, seed in ((1, 1), (2, 1), (2, 2)):
            torch.set_num_threads(threads)
            made.append(reconstruct(source, resolution=16, steps=4, seed=seed).mesh.vertices)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_far_from_the_origin_it_is_computed_in_double():
    near = sources()["double"]
    shift = torch.tensor([4e6, 5e6, 100.0], dtype=torch.float64)
    result = reconstruct(near.with_vertices(near.vertices + shift), resolution=16, steps=4)
    assert result.mesh.dtype == torch.float64
    radius = (result.mesh.vertices - shift).norm(dim=1)
    assert (radius - 0.5).abs().mean() < 0.03


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"method": "nets"}, "method: expected one of flexicubes, gshell, .*got 'nets'"),
        ({"resolution": 4}, "resolution: "),
        ({"resolution": 60_000}, "lower the resolution"),
        ({"steps": -1}, "steps: expected 0 or more"),
        ({"device": "nonsense"}, "device: nonsense cannot be used here"),
        ({"resume": True}, "resume: expected a checkpoint folder"),
    ],
)
def test_bad_options(change, text):
    with pytest.raises(ValueError, match=text) as caught:
        reconstruct(sources()["mesh"], **change)
    assert "\n" not in str(caught.value)


def test_bad_sources():
    with pytest.raises(ValueError, match="expected a mesh with faces, got none"):
        reconstruct(Mesh(torch.zeros(3, 3), torch.zeros(0, 3, dtype=torch.int64)))
    with pytest.raises(ValueError, match="expected a mesh, points, a volume or images, got str"):
        reconstruct("part.obj")
    broken = sources()["mesh"]
    broken = broken.with_vertices(
        broken.vertices.clone().index_fill_(0, torch.tensor([3]), float("nan"))
    )
    with pytest.raises(ValueError, match="finite"):
        reconstruct(broken, resolution=16, steps=1)
