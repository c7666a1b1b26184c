"""Auto-decoder, codes fitted to points, contours and images, networks fitted to one shape."""

import math
import warnings

import pytest
import torch

import meshlearn as ml
from meshlearn.data import shapes
from meshlearn.fields import SIREN, DeepSDF
from meshlearn.io.points import PointCloud
from meshlearn.reconstruct import NonFiniteLoss, fit, reconstruct, targets
from meshlearn.render import render_images
from meshlearn.representations import DeepMesh
from meshlearn.train import Stage, train
from meshlearn.train.deepmesh import make_network, sdf_loss, train_deepmesh

GROW = [0.2, 0.25, 0.3, 0.35, 0.4]


class Eggs:
    """Balls drawn out along x, of known field: what an auto-decoder can learn in seconds."""

    def __init__(self, lengths=GROW, count=256):
        self.lengths, self.count = lengths, count

    def __len__(self):
        return len(self.lengths)

    @staticmethod
    def field(p, length):
        x = p[:, :1] - p[:, :1].clamp(-(length - 0.15), length - 0.15)
        return torch.cat([x, p[:, 1:]], 1).norm(dim=1) - 0.15

    def sample(self, k, generator):
        p = torch.rand(self.count, 3, generator=generator) - 0.5
        near = self.field(p, self.lengths[k])[:, None]
        p[::2] = p[::2] * (1 - near[::2] / p[::2].norm(dim=1, keepdim=True))
        return {"index": torch.tensor(k), "points": p, "sdf": self.field(p, self.lengths[k])}


@pytest.fixture(scope="module")
def model():
    net = make_network(4, hidden=64, layers=4)
    result = train_deepmesh(
        Eggs(), network=net, steps=400, batch=5, lr=5e-3, resolution=32, progress=False
    )
    assert result.history["sdf"][-1] < 0.005
    return result.model


@pytest.mark.parametrize("amp", [None, "bf16"])
def test_codes_are_trained_in_either_precision(amp):
    net = make_network(4, hidden=32, layers=3)
    result = train_deepmesh(
        Eggs(), network=net, steps=20, batch=5, lr=5e-3, resolution=8, amp=amp, progress=False
    )
    assert result.history["sdf"][-1] < 0.8 * result.history["sdf"][0]
    assert result.model.codes.abs().max() > 0.02


def length(mesh):
    low, high = mesh.bounds()
    return float(high[0] - low[0]) / 2


def test_each_code_is_its_shape(model):
    for k, wanted in enumerate(GROW):
        mesh = model.mesh(k)
        assert mesh.is_watertight and mesh.topology.euler_number == 2
        assert length(mesh) == pytest.approx(wanted, abs=0.02)
    together = model.meshes([1, 3])
    assert len(together) == 2
    torch.testing.assert_close(together[1].vertices, model.mesh(3).vertices, atol=1e-4, rtol=0)
    model.zero_grad()
    together[0].volume().backward()
    assert model.codes.grad[1].abs().max() > 0
    unused = torch.tensor([0, 2, 4])
    assert model.codes.grad[unused].abs().max() == 0
    model.zero_grad()


def egg(wanted=0.325):
    grid = ml.VoxelGrid(48, bounds=((-0.5,) * 3, (0.5,) * 3))
    return ml.marching_cubes(grid, Eggs.field(grid.vertices, wanted))


def test_a_code_is_fitted_to_points_of_a_shape_not_seen(model):
    points = ml.sample_points(egg(), 500, generator=torch.Generator().manual_seed(0))
    shape = model.fitting(resolution=32)
    before = [p.clone() for p in shape.network.parameters()]
    target = targets.FromPoints(points)
    result = fit(shape, target, steps=15, progress=False)
    assert length(result.mesh) == pytest.approx(0.325, abs=0.02)
    assert all(torch.equal(a, b) for a, b in zip(before, shape.network.parameters(), strict=True))
    assert not any(p.requires_grad for p in shape.network.parameters())
    near = min(abs(k - 0.325) for k in GROW)
    assert abs(length(result.mesh) - 0.325) < near


def test_and_anywhere_else_in_the_world(model):
    points = ml.sample_points(egg(), 500, generator=torch.Generator().manual_seed(0))
    points = 40 * points + torch.tensor([100.0, 0, -30])
    target = targets.FromPoints(points)
    shape = model.fitting(target.bounds, resolution=32)
    mesh = fit(shape, target, steps=10, progress=False).mesh
    low, high = mesh.bounds()
    assert ((low + high) / 2 - torch.tensor([100.0, 0, -30])).abs().max() < 1.5
    assert length(mesh) / 40 == pytest.approx(0.325, abs=0.03)


def test_a_code_is_fitted_to_contours(model):
    """Two sections across and one along say how long the egg is."""
    turn = torch.linspace(0, 2 * math.pi, 40)[:-1]
    around = 0.15 * torch.stack([0 * turn, turn.cos(), turn.sin()], 1)
    along = torch.stack([turn.cos(), 0 * turn, turn.sin()], 1) * 0.15
    along[:, 0] += torch.where(along[:, 0] > 0, 0.175, -0.175)
    target = targets.FromContours([around, around + torch.tensor([0.1, 0, 0]), along])
    shape = model.fitting(resolution=32)
    mesh = fit(shape, target, steps=15, progress=False).mesh
    assert length(mesh) == pytest.approx(0.325, abs=0.03)
    with pytest.raises(ValueError, match="nothing of what is inside"):
        fit(ml.representations.FlexiCubes(16), target, steps=1, progress=False)
    for bad in ([], [torch.zeros(1, 3)], [torch.zeros(3, 3)]):
        with pytest.raises(ValueError, match="contours"):
            targets.FromContours(bad)


def test_a_code_is_fitted_to_silhouettes(model):
    images = render_images(egg(), 6, size=64, progress=False).only(("masks",))
    shape = model.fitting(resolution=32)
    mesh = fit(shape, targets.FromImages(images), steps=10, progress=False).mesh
    assert length(mesh) == pytest.approx(0.325, abs=0.03)


def test_weights_are_fitted_where_asked(model):
    shape = model.fitting(resolution=32, weights=True)
    target = targets.FromMesh(egg(0.3), samples=2000)
    fit(shape, target, steps=3, progress=False)
    moved = [
        float((a - b).abs().max())
        for a, b in zip(shape.network.parameters(), model.network.parameters(), strict=True)
    ]
    assert max(moved) > 0


def test_a_network_alone_fits_one_shape(monkeypatch):
    monkeypatch.setattr("meshlearn.representations.deepmesh.WEIGHT_STEPS", 100)
    torus = shapes.torus()
    result, again = (
        reconstruct(torus, method="deepmesh", resolution=32, steps=n, progress=False)
        for n in (5, 5)
    )
    assert torch.equal(result.mesh.vertices, again.mesh.vertices)
    assert result.mesh.is_watertight and result.mesh.topology.euler_number == 0
    assert ml.metrics.compare(result.mesh, torus, samples=5000)["chamfer"] < 0.01
    assert {"distance", "eikonal", "loss"} <= result.history.keys()


def test_end_to_end_steps_improve_on_the_regression():
    torch.manual_seed(0)
    torus, moved = shapes.torus(), []
    target = targets.FromMesh(torus, samples=4000)
    shape = DeepMesh(SIREN(hidden=32, layers=3, omega=8.0), bounds=target.bounds, resolution=32)
    shape.initialize(target.field, steps=100, samples=4096)
    moved.append(shape.final_mesh())
    moved.append(fit(shape, target, steps=20, initialize=False, progress=False).mesh)
    errors = [ml.metrics.compare(m, torus, samples=5000)["chamfer"] for m in moved]
    assert errors[1] < 0.9 * errors[0]


def test_files(model, tmp_path):
    model.save(tmp_path / "eggs.safetensors")
    again = DeepMesh.load(tmp_path / "eggs.safetensors", resolution=32)
    assert torch.equal(again.mesh(2).vertices, model.mesh(2).vertices)
    points = ml.sample_points(egg(), 500, generator=torch.Generator().manual_seed(0))
    result = reconstruct(
        PointCloud(points, None),
        method="deepmesh",
        network=tmp_path / "eggs.safetensors",
        resolution=32,
        steps=5,
        progress=False,
    )
    assert length(result.mesh) == pytest.approx(0.325, abs=0.03)
    from meshlearn.fields import save_field

    save_field(model.network, tmp_path / "net.safetensors")
    with pytest.raises(ValueError, match="without a table"):
        DeepMesh.load(tmp_path / "net.safetensors")


def test_training_again_gives_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("meshlearn.train.deepmesh._sheet", lambda model, path: None)  # slow

    def run(folder, steps=6):
        net = make_network(4, hidden=16, layers=2)
        return train_deepmesh(
            Eggs(), network=net, steps=steps, batch=2, folder=folder, resolution=16, progress=False
        )

    first, second = run(tmp_path / "a"), run(tmp_path / "b")
    assert first.history["loss"] == second.history["loss"]
    loaded = DeepMesh.load(tmp_path / "a" / "model.safetensors")
    assert torch.equal(loaded.codes, first.model.codes)
    assert (tmp_path / "a" / "loss.png").is_file()
    with pytest.raises(ValueError, match="latent code"):
        train_deepmesh(Eggs(), network=SIREN(), progress=False)


def test_codes_train_at_twice_the_rate_of_the_network():
    net = make_network(4, hidden=16, layers=2)
    shape = DeepMesh(net, codes=5, weights=True)
    stage = Stage(sdf_loss, Eggs(), steps=1, batch=2, lr=1e-3)
    before = shape.codes.detach().clone()
    train(shape, stage, progress=False)
    changed = (shape.codes.detach() - before).abs().amax(1) > 0
    assert int(changed.sum()) == 2


def test_nan_stops_with_the_step_and_the_tensor():
    shape = DeepMesh(SIREN(hidden=32, layers=2), resolution=16)
    target = targets.FromMesh(egg(), samples=500)
    shape.initialize(target.field, steps=60, samples=2048)

    def poison(step, mesh, terms):
        if step == 2:
            with torch.no_grad():
                shape.network.last.bias.fill_(torch.nan)

    with pytest.raises(NonFiniteLoss, match=r"step 2: .*'last\.bias' of SIREN"):
        fit(shape, target, steps=4, initialize=False, callback=poison, progress=False)


def test_a_surface_that_would_leave_the_box_is_closed():
    shape = DeepMesh(DeepSDF(0, hidden=16, layers=2, skip=None), resolution=16)
    with torch.no_grad():
        shape.network.last.bias.fill_(-5.0)  # inside everywhere
    mesh = shape.final_mesh()
    assert mesh.is_watertight and mesh.num_faces > 0
    with torch.no_grad():
        shape.network.last.bias.fill_(5.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        assert shape.final_mesh().num_faces == 0


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: DeepMesh(3), "network"),
        (lambda: DeepMesh(codes=0), "codes"),
        (lambda: DeepMesh(codes=torch.zeros(2, 3)), "codes"),
        (lambda: DeepMesh(resolution=4), "resolution"),
        (lambda: DeepMesh(bounds=((0, 0, 0), (0, 0, 0))), "bounds"),
        (lambda: DeepMesh().code(3), "index"),
        (lambda: DeepMesh().meshes([0]), "indices"),
        (lambda: DeepMesh().initialize(lambda p: p[:, 0] * torch.nan), "field"),
        (lambda: reconstruct(egg(), method="flexicubes", network="x"), "network"),
        (lambda: reconstruct(egg(), method="deepmesh", network="/none"), "no such file"),
        (lambda: reconstruct(egg(), method="deepmesh", sparse=True), "sparse"),
    ],
)
def test_bad_input(call, word):
    with pytest.raises(ValueError, match=word) as caught:
        call()
    assert "\n" not in str(caught.value)
