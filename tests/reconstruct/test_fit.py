"""The fitting loop: it converges, repeats, resumes, and says what is wrong."""

import json
import math

import pytest
import torch
from safetensors.torch import load_file

from meshlearn import Mesh, metrics
from meshlearn.data import shapes
from meshlearn.isosurface import VoxelGrid, marching_cubes
from meshlearn.reconstruct import NonFiniteLoss, fit, targets
from meshlearn.representations import FlexiCubes
from meshlearn.run_folder import fingerprint

SMALL = {"samples": 2000}


def turned_box() -> Mesh:
    angle = torch.tensor(0.4)
    c, s = angle.cos(), angle.sin()
    turn = torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ torch.tensor(
        [[1, 0, 0], [0, c, -s], [0, s, c]]
    )
    box = shapes.box()
    return box.with_vertices(box.vertices @ turn.T)


def distance(mesh: Mesh, target: Mesh) -> float:
    return metrics.compare(mesh, target, samples=5000)["chamfer"]


def test_each_resolution_gets_twice_the_steps_of_the_one_before():
    """Of 15 steps the first of four resolutions gets one, the last eight."""
    target = targets.FromMesh(turned_box(), **SMALL)
    shape = FlexiCubes(8, bounds=target.bounds)
    history = fit(shape, target, steps=15, resolution=[8, 9, 10, 11], progress=False).history
    assert history["resolution"] == [8] + [9] * 2 + [10] * 4 + [11] * 8


def test_fits_a_box_with_sharp_edges():
    target_mesh = turned_box()
    target = targets.FromMesh(target_mesh, **SMALL)
    shape = FlexiCubes(20, bounds=target.bounds)
    start = marching_cubes(shape.grid, target.field(shape.grid.vertices))
    result = fit(shape, target, steps=60, progress=False)
    assert result.mesh.is_watertight and result.mesh.is_consistently_oriented
    assert result.mesh.topology.is_edge_manifold and result.mesh.topology.euler_number == 2
    before, after = (metrics.compare(m, target_mesh, samples=5000) for m in (start, result.mesh))
    assert after["chamfer"] < 0.25 * before["chamfer"]
    assert after["inaccurate_normals_percent"] < 0.5 * before["inaccurate_normals_percent"]
    assert len(result.history["loss"]) == 60 and result.seconds > 0
    assert not result.mesh.vertices.requires_grad


def test_the_same_seed_gives_the_same_mesh():
    def run(seed):
        target = targets.FromMesh(turned_box(), **SMALL)
        return fit(FlexiCubes(12, bounds=target.bounds), target, steps=5, seed=seed, progress=False)

    one, again, other = run(3), run(3), run(4)
    assert torch.equal(one.mesh.vertices, again.mesh.vertices)
    assert one.history["loss"] == again.history["loss"]
    assert not torch.equal(one.mesh.vertices, other.mesh.vertices)


def test_the_number_of_threads_does_not_matter():
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            target = targets.FromMesh(turned_box(), **SMALL)
            shape = FlexiCubes(24, bounds=target.bounds)
            found.append(fit(shape, target, steps=4, progress=False).mesh)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0].vertices, found[1].vertices)


def test_resume_knows_its_target(tmp_path):
    """Another target of the same kind and size is refused, the same one again is not."""

    def run(target, resume=False):
        shape = FlexiCubes(12, bounds=target.bounds)
        return fit(shape, target, steps=4, seed=1, checkpoint=tmp_path, resume=resume,
                   progress=False)  # fmt: skip

    ball = shapes.icosphere(2)
    moved = Mesh(ball.vertices * ball.vertices.new_tensor([1, 0.9, 1]), ball.faces)
    first = run(targets.FromMesh(ball))
    with pytest.raises(ValueError, match=r"another fit, to another source than this; give the"):
        run(targets.FromMesh(moved), resume=True)
    assert torch.equal(run(targets.FromMesh(ball), resume=True).mesh.vertices, first.mesh.vertices)
    for make in (
        lambda m: targets.FromPoints(m.vertices, m.vertices),
        lambda m: targets.FromPoints(m.vertices),
        lambda m: targets.FromContours([m.vertices[:20]]),
    ):
        here = torch.device("cpu")
        assert fingerprint(make(ball).given(here)) == fingerprint(make(ball).given(here))
        assert fingerprint(make(ball).given(here)) != fingerprint(make(moved).given(here))


def test_resume_with_more_steps(tmp_path):
    """The total grows; stages behind stay; fewer than are behind are refused."""
    target = targets.FromMesh(shapes.icosphere(2))

    def run(steps, resume=True, stop=None):
        def callback(step, mesh, terms):
            if step == stop:
                raise KeyboardInterrupt

        shape = FlexiCubes(8, bounds=target.bounds)
        return fit(shape, target, steps=steps, resolution=(8, 12), seed=1, checkpoint=tmp_path,
                   resume=resume, progress=False, callback=callback)  # fmt: skip

    run(9, resume=False)
    with pytest.raises(ValueError, match="has 9 steps behind it; expected at least as many steps"):
        run(6)
    more = run(18)
    assert more.history["step"] == list(range(1, 19))
    assert more.history["resolution"] == [8.0] * 3 + [12.0] * 15
    stages = json.loads((tmp_path / "run.json").read_text())["stages"]
    assert stages == [[8, 3], [12, 15]]
    again = run(18)  # the stages of the checkpoint, not those of 18 steps from the start
    assert torch.equal(again.mesh.vertices, more.mesh.vertices)
    with pytest.raises(KeyboardInterrupt):
        run(9, resume=False, stop=2)  # in the first stage, which grows with the second
    assert run(18).history["resolution"] == [8.0] * 6 + [12.0] * 12


@pytest.mark.parametrize("resolution", [None, (8, 12)])
def test_resumes_to_the_same_result(tmp_path, resolution):
    def parts():
        target = targets.FromMesh(turned_box(), **SMALL)
        return FlexiCubes(12, bounds=target.bounds), target

    options = {"steps": 12, "resolution": resolution, "progress": False, "checkpoint_every": 3}
    whole = fit(*parts(), **options)

    def stop(step, mesh, terms):
        if step == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(*parts(), **options, checkpoint=tmp_path / "run", callback=stop)
    resumed = fit(*parts(), **options, checkpoint=tmp_path / "run", resume=True)
    assert torch.equal(whole.mesh.vertices, resumed.mesh.vertices)
    assert whole.history["loss"] == resumed.history["loss"]
    assert load_file(tmp_path / "run" / "checkpoint.safetensors")
    history = json.loads((tmp_path / "run" / "history.json").read_text())
    assert history["step"] == list(range(1, 13))
    assert json.loads((tmp_path / "run" / "run.json").read_text())["seed"] == 0


def test_refuses_the_checkpoint_of_another_fit(tmp_path):
    target = targets.FromMesh(turned_box(), **SMALL)
    fit(FlexiCubes(12, bounds=target.bounds), target, steps=2, checkpoint=tmp_path, progress=False)
    with pytest.raises(ValueError, match=r"another fit .*seed was 0, is 1"):
        fit(
            FlexiCubes(12, bounds=target.bounds),
            target,
            steps=2,
            seed=1,
            checkpoint=tmp_path,
            resume=True,
        )
    (tmp_path / "checkpoint.safetensors").write_bytes(b"not one")
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        fit(
            FlexiCubes(12, bounds=target.bounds),
            target,
            steps=2,
            checkpoint=tmp_path,
            resume=True,
        )


def test_fits_a_field():
    def field(p):
        return p.norm(dim=1) - 0.7

    target = targets.FromField(field, bounds=((-0.8,) * 3, (0.8,) * 3), samples=3000)
    shape = FlexiCubes(16, bounds=target.bounds)
    start = marching_cubes(shape.grid, target.field(shape.grid.vertices))
    result = fit(shape, target, steps=40, progress=False)
    exact = shapes.icosphere(5, radius=0.7)
    # the best that 1,068 flat faces of equal size can do: a quarter of their height L²/(6 R)
    edge = (exact.area() / result.mesh.num_faces * 4 / 3**0.5).sqrt()
    best = 0.25 * edge**2 / (6 * 0.7) / (1.4 * 3**0.5)
    assert distance(result.mesh, exact) < min(1.5 * best, 0.25 * distance(start, exact))


def test_fits_a_sampled_field():
    grid = VoxelGrid(24)
    values = grid.vertices.norm(dim=1) - 0.7
    target = targets.FromField.from_grid(grid, values, samples=3000)
    result = fit(FlexiCubes(20, bounds=target.bounds), target, steps=20, progress=False)
    assert distance(result.mesh, shapes.icosphere(5, radius=0.7)) < 2e-3


@pytest.mark.parametrize("oriented", [True, False])
def test_fits_points(oriented):
    from meshlearn.geometry import sample_points

    mesh = shapes.torus()
    generator = torch.Generator().manual_seed(0)
    points, normals = sample_points(mesh, 4000, normals=True, generator=generator)
    target = targets.FromPoints(points, normals if oriented else None, samples=4000)
    shape = FlexiCubes(16, bounds=target.bounds)
    result = fit(shape, target, steps=80, resolution=(16, 24), progress=False)
    assert result.mesh.is_watertight
    assert result.mesh.topology.euler_number == 0
    assert distance(result.mesh, mesh) < 4e-3


def test_zero_steps_give_the_start():
    target = targets.FromMesh(turned_box(), **SMALL)
    shape = FlexiCubes(12, bounds=target.bounds)
    result = fit(shape, target, steps=0)
    assert result.mesh.num_faces > 0 and result.history == {}


def test_nan_is_named():
    class Broken(targets.FromMesh):
        def losses(self, mesh, **options):
            return {"distance": mesh.vertices.sum() * math.nan}

    target = Broken(turned_box(), **SMALL)
    with pytest.raises(NonFiniteLoss, match="step 0: the term 'distance' is nan"):
        fit(FlexiCubes(12, bounds=target.bounds), target, steps=2)


BOX = shapes.box()


@pytest.mark.parametrize(
    "call,message",
    [
        (lambda t, r: fit(r, t, steps=-1), "steps: expected 0 or more"),
        (lambda t, r: fit(r, t, lr=0), "lr: expected a positive"),
        (lambda t, r: fit(r, t, resume=True), "resume: expected a checkpoint folder"),
        (lambda t, r: fit(r, t, weights={"colour": 1}), "weights: unknown term 'colour'"),
        (lambda t, r: fit(r, t, resolution=()), "resolution: expected at least one"),
        (lambda t, r: targets.FromMesh(Mesh(BOX.vertices, BOX.faces[:0])), "at least one face"),
        (
            lambda t, r: targets.FromMesh(BOX.with_vertices(BOX.vertices * math.nan)),
            "mesh: expected finite vertices to fit to, got 8 of 8",
        ),
        (lambda t, r: targets.FromMesh(BOX, samples=0), "samples: expected at least 1"),
        (lambda t, r: targets.FromField(3, bounds=BOX.bounds()), "field: expected a function"),
        (lambda t, r: targets.FromField(len, bounds=((0, 0),)), "bounds: expected shape"),
        (lambda t, r: targets.FromPoints(BOX.vertices), "points: expected at least 16"),
        (lambda t, r: targets.FromPoints(BOX.vertices[:, :2]), "points: expected shape"),
        (lambda t, r: targets.FromPoints(torch.zeros(20, 3)), "points: expected distinct points"),
        (
            lambda t, r: targets.FromPoints(torch.full((20, 3), math.nan)),
            "points: 60 of 60 values are NaN",
        ),
        (lambda t, r: FlexiCubes(4), "resolution: expected at least 8"),
        (lambda t, r: FlexiCubes(4000), "needs about .* GiB"),
        (lambda t, r: FlexiCubes(16, bounds=((0, 0, 0), (0, 0, 0))), "bounds: expected a box"),
        (
            lambda t, r: r.initialize(lambda p: p[:, 0] * math.nan),
            "field: it gives NaN or infinite values",
        ),
    ],
)
def test_bad_input_is_one_sentence(call, message):
    target = targets.FromMesh(BOX, **SMALL)
    with pytest.raises(ValueError, match=message) as caught:
        call(target, FlexiCubes(12, bounds=target.bounds))
    assert "\n" not in str(caught.value)
