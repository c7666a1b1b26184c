"""What a checkpoint knows its fit by: the source, where it is fitted, and with which options."""

from __future__ import annotations

import json

import pytest
import torch

from meshlearn.data import shapes
from meshlearn.io.volume import Volume
from meshlearn.isosurface import VoxelGrid
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import fit, targets
from meshlearn.render import render_images
from meshlearn.representations import FlexiCubes
from meshlearn.run_folder import SETTINGS, fingerprint

BOX = [[-1.2] * 3, [1.2] * 3]
HERE = torch.device("cpu")


def run(target, folder, *, resume=False, bounds=None):
    shape = FlexiCubes(8, bounds=target.bounds if bounds is None else bounds)
    return fit(shape, target, steps=2, checkpoint=folder, resume=resume, progress=False).mesh


def plane(height):
    return targets.FromField(lambda p: p[:, 2] - height, bounds=BOX)


def labels(radius):
    """A field that is no distance: half inside and outside."""
    lattice = torch.linspace(-6, 6, 13)
    at = torch.stack(torch.meshgrid(lattice, lattice, lattice, indexing="ij"), -1)
    affine = torch.eye(4, dtype=torch.float64)
    affine[:3, 3] = -6
    values = torch.where(at.norm(dim=-1) < radius, -0.5, 0.5)
    volume = Volume(values, affine)
    return targets.FromField(volume, bounds=volume.bounds())


def on_grid(radius):
    grid = VoxelGrid(6)
    return targets.FromField.from_grid(grid, grid.vertices.norm(dim=1) - radius)


def photographs(shift):
    ball = shapes.icosphere(2)
    mesh = Mesh(ball.vertices + ball.vertices.new_tensor([shift, 0, 0]), ball.faces)
    return targets.FromImages(render_images(mesh, 4, size=24, samples=1, progress=False))


@pytest.mark.parametrize(
    ("make", "one", "other"),
    [
        (plane, 0.01, 0.05),
        (plane, 0.01, 0.011),
        (labels, 3, 4),
        (on_grid, 0.5, 0.50001),
        (photographs, 0.0, 0.1),
    ],
)
def test_another_source_is_refused(make, one, other, tmp_path):
    first = run(make(one), tmp_path)
    with pytest.raises(ValueError, match="another fit, to another source"):
        run(make(other), tmp_path, resume=True, bounds=make(one).bounds)
    assert torch.equal(run(make(one), tmp_path, resume=True).vertices, first.vertices)


def test_a_function_may_differ_in_its_last_bits(tmp_path):
    run(plane(0.01), tmp_path)
    run(plane(0.01 + 1e-7), tmp_path, resume=True)


def test_where_and_with_which_options(tmp_path):
    target = targets.FromMesh(shapes.icosphere(2))
    run(target, tmp_path)
    with pytest.raises(ValueError, match=r"another fit \(domain was"):
        run(target, tmp_path, resume=True, bounds=3 * target.bounds)
    with pytest.raises(ValueError, match=r"another fit \(options was"):
        run(targets.FromMesh(shapes.icosphere(2), samples=50), tmp_path, resume=True)


def test_what_is_kept_of_points_is_what_was_given():
    """Not what was made of them: normals that are turned, points that are smoothed."""
    ball = shapes.icosphere(3)
    with pytest.warns(UserWarning, match="inward"):
        made = targets.FromPoints(ball.vertices, -ball.vertices)
    assert fingerprint(made.given(HERE)) == fingerprint((ball.vertices, -ball.vertices))


def test_a_checkpoint_of_before(tmp_path):
    """Of a version that did not keep what it was fitted to: said, and not taken for another."""
    from meshlearn.run_folder import same_settings

    with pytest.raises(ValueError, match="of an earlier version"):
        same_settings(tmp_path, {"seed": 0}, {"seed": 0, "content": "ab"}, "fit")
    run(targets.FromMesh(shapes.icosphere(1)), tmp_path)
    assert len(json.loads((tmp_path / SETTINGS).read_text())["content"]) == 32
