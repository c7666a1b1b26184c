"""The table of methods: one place to add one, for the library and the command line."""

import subprocess
import sys

import pytest
import torch

from meshlearn.data import shapes
from meshlearn.io.points import PointCloud
from meshlearn.io.volume import Volume
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import Method, fit, methods, reconstruct, register_method
from meshlearn.reconstruct.sources import MeshSource, as_source
from meshlearn.render import render_images
from meshlearn.representations import MarchingCubes
from tests.cli.runner import ROOT, environment


@pytest.fixture
def added(monkeypatch):
    """A method of somebody else, and the tasks that it got."""
    monkeypatch.setattr(methods, "METHODS", dict(methods.METHODS))
    tasks = []

    def cubes(task):
        tasks.append(task)
        return task.fit(MarchingCubes(task.resolution, bounds=task.target.bounds), lr=0.05)

    method = Method("cubes", "marching cubes", cubes, options=frozenset())
    register_method(method)
    return method, tasks


def test_a_method_of_somebody_else(added):
    method, tasks = added
    ball = shapes.icosphere(2)
    result = reconstruct(ball, method="cubes", resolution=20, steps=3, seed=5, progress=False)
    (task,) = tasks
    assert (task.resolution, task.steps, task.seed, task.sparse) == (20, 3, 5, False)
    assert isinstance(result.representation, MarchingCubes) and result.mesh.is_watertight
    by_hand = MarchingCubes(20, bounds=task.target.bounds)
    same = fit(by_hand, task.target, steps=3, seed=5, resolution=20, lr=0.05, progress=False)
    assert torch.equal(same.mesh.vertices, result.mesh.vertices)
    with pytest.raises(ValueError, match="sparse: expected with method 'flexicubes' or 'gshell'"):
        reconstruct(ball, method="cubes", sparse=True)
    register_method(method)  # the same one again changes nothing
    with pytest.raises(ValueError, match="one of the name 'cubes'"):
        register_method(Method("cubes", "other", method.fit))
    with pytest.raises(ValueError, match=r"expected one of flexicubes, .*cubes, got 'spheres'"):
        reconstruct(ball, method="spheres")


PACKAGE = """
from meshlearn.reconstruct import Method

def shifted(task):
    from meshlearn.data import shapes
    from meshlearn.reconstruct.fitting import FitResult
    return FitResult(shapes.icosphere(1), {}, 0.0, None)

BALL = [Method("ball", "always a ball", shifted)]
WRONG = "no method"
TAKEN = Method("gshell", "another", shifted)
"""


def test_methods_of_installed_packages(tmp_path):
    """By entry points, in the library and on the command line; faulty ones are left out, told."""
    (tmp_path / "ball_method.py").write_text(PACKAGE)
    info = tmp_path / "ball_method-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ball-method\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[meshlearn.methods]\nball = ball_method:BALL\nwrong = ball_method:WRONG\n"
        "taken = ball_method:TAKEN\ngone = ball_method:GONE\n"
    )
    shapes.icosphere(1).save(tmp_path / "in.obj")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from meshlearn.cli import main\nsys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "reconstruct", "in.obj", "out.obj", "--method", "ball"],
        capture_output=True, text=True, env=environment(), cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.obj").exists()
    for name in ("wrong", "taken", "gone"):
        assert f"the method '{name}' of the package ball-method is left out" in done.stderr
    done = subprocess.run(
        [sys.executable, "-c", code, "reconstruct", "--help"],
        capture_output=True, text=True, env=environment(COLUMNS="200"), cwd=tmp_path,
    )  # fmt: skip
    assert "ball: always a ball" in " ".join(done.stdout.split())


def task_of(source, resolution, *, sparse=False, **options):
    where = torch.device("cpu")
    return methods.Task(
        as_source(source), resolution, sparse, None, 0, where, torch.float32, **options
    )


def test_stages_are_coarse_to_fine():
    ball = shapes.icosphere(1)
    images = render_images(ball, 4, size=32, samples=1, progress=False)
    assert task_of(ball, 31).stages == (31,)
    assert task_of(ball, 32).stages == (16, 32)
    assert task_of(ball, 65).stages == (32, 65)
    assert task_of(images, 127).stages == (127,)  # depth gives the start
    assert task_of(images, 128).stages == (64, 128)
    assert task_of(images.only(("masks", "normals")), 32).stages == (16, 32)
    assert task_of(ball, 256, sparse=True).stages == (64, 128, 256)
    assert task_of(ball, 96, sparse=True).stages == (48, 96)
    assert task_of(ball, 48, sparse=True).stages == (24, 48)
    assert task_of(ball, 30, sparse=True).stages == (30,)
    for cells in (12, 130, 97):
        with pytest.raises(ValueError, match="16 to 64 cells times a power of two"):
            _ = task_of(ball, cells, sparse=True).stages


def test_sources_say_how_they_are_best_fitted():
    ball = shapes.icosphere(1)
    images = render_images(ball, 4, size=32, samples=1, progress=False)
    points = PointCloud(ball.vertices)
    volume = Volume(torch.rand(4, 4, 4), torch.eye(4, dtype=torch.float64))
    for given, steps, normals in (
        (ball, 300, False),
        (points, 300, False),
        (volume, 300, False),
        (images, 200, False),
        (images.only(("masks", "depth")), 200, False),
        (images.only(("masks", "normals")), 300, True),
    ):
        source = as_source(given)
        assert (source.steps, source.only_normals) == (steps, normals)
        moved = source.to(torch.device("cpu"), torch.float32)
        assert type(moved) is type(source) and moved.steps == steps
    assert as_source(ball).openings() is None and as_source(points).openings() is None
    assert as_source(shapes.plane()).openings() == 1
    with pytest.raises(ValueError, match="expected a mesh, points or a volume"):
        as_source(images).surface(16)


def test_only_what_is_asked_for_is_loaded():
    code = (
        "import sys\n"
        "def loaded(): return {m for m in sys.modules if m.startswith('meshlearn')}\n"
        "import meshlearn.reconstruct\n"
        "assert len(loaded()) <= 4, loaded()\n"
        "from meshlearn.reconstruct.methods import METHODS\n"
        "assert 'torch' not in sys.modules\n"
        "assert set(METHODS) == {'flexicubes', 'gshell', 'bspnet', 'deepmesh', 'poisson', 'tsdf'}\n"
        "from meshlearn.reconstruct import fit\n"
        "from meshlearn.reconstruct.targets import FromMesh\n"
        "rooms = {m.split('.')[1] for m in loaded() if '.' in m}\n"
        "assert not rooms & {'io', 'heart', 'convex', 'data', 'train', 'cli', 'viewer'}, rooms\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), cwd=ROOT
    )
    assert done.returncode == 0, done.stderr


def test_loose_triangles_of_a_closed_surface_are_no_open_mesh():
    """A file of loose triangles, as STL is, has boundary edges that its surface has not."""
    closed = shapes.box()
    loose = Mesh(closed.triangles.reshape(-1, 3), torch.arange(3 * closed.num_faces).view(-1, 3))
    assert not loose.is_watertight
    assert MeshSource(loose).openings() is None
    assert MeshSource(loose).surface(8).is_watertight
    opened = closed.submesh(torch.arange(closed.num_faces - 2)).mesh
    assert MeshSource(opened).openings() == 1 and MeshSource(opened).mesh is opened
