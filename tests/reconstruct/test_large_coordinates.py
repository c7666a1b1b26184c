"""Fits to what lies far from the origin: those at the origin, where the source is."""

import json
import re
import warnings

import numpy as np
import pytest
import torch

from meshlearn.data import shapes
from meshlearn.io.points import PointCloud
from meshlearn.io.volume import Volume
from meshlearn.mesh import moved
from meshlearn.reconstruct import reconstruct
from meshlearn.reconstruct.agreement import disagreements
from meshlearn.reconstruct.sources import as_source
from meshlearn.reconstruct.volume import extract_volume
from meshlearn.render import render_images
from meshlearn.run_folder import SETTINGS
from meshlearn.viewer.runs import Run
from tests.survey import UTM

SHIFT = torch.from_numpy(UTM)
BOUND = 1e-5  # what float32 rounds at the size of one, in a fit of some steps


def ball():
    return shapes.icosphere(2, dtype=torch.float64)


def volume(shift=0 * SHIFT):
    axis = torch.linspace(-1.2, 1.2, 13, dtype=torch.float64)
    at = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
    affine = torch.eye(4, dtype=torch.float64)
    affine[:3, :3] *= 0.2
    affine[:3, 3] = -1.2 + shift
    return Volume((at.norm(dim=-1) - 0.9).float(), affine)


def source(kind, shift):
    mesh = moved(ball(), shift)
    if kind == "mesh":
        return mesh
    if kind == "points":
        return PointCloud(mesh.vertices, ball().vertices)
    if kind == "volume":
        return volume(shift)
    return render_images(mesh, 6, size=24, samples=1, progress=False)


@pytest.mark.parametrize("kind", ["mesh", "points", "volume", "images"])
def test_a_fit_far_off_is_that_at_the_origin(kind):
    near, far = (
        reconstruct(source(kind, s), resolution=12, steps=4, progress=False)
        for s in (0 * SHIFT, SHIFT)
    )
    assert near.origin is None and near.mesh.dtype == torch.float32
    assert far.mesh.dtype == torch.float64 and torch.equal(near.mesh.faces, far.mesh.faces)
    back = moved(far.mesh, -SHIFT)
    # a hundredth of a cell where more than the fit is rounded: the camera of an image by its pose,
    # and slopes of a volume, zero by symmetry, which Adam's first steps make as long as others
    bound = 2e-3 if kind in ("images", "volume") else BOUND
    torch.testing.assert_close(back.vertices, near.mesh.vertices.double(), rtol=0, atol=bound)


@pytest.mark.parametrize("method", ["gshell", "deepmesh"])
def test_other_methods_answer_where_the_source_is(method):
    found = reconstruct(moved(ball(), SHIFT), method=method, resolution=12, steps=2, progress=False)
    assert found.mesh.dtype == torch.float64
    middle = found.mesh.bounds().mean(0)
    torch.testing.assert_close(middle, SHIFT, rtol=0, atol=0.3)


def test_convexes_and_their_union_are_where_the_source_is():
    pytest.importorskip("manifold3d")
    found = reconstruct(
        moved(shapes.box(dtype=torch.float64), SHIFT),
        method="bspnet", resolution=16, steps=2, progress=False,
    )  # fmt: skip
    for vertices in (found.mesh.vertices, found.convexes.vertices):
        assert vertices.dtype == torch.float64
        assert float((vertices - SHIFT).abs().max()) < 1.5


@pytest.mark.parametrize("method", ["mc", "dmc", "flexicubes"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_volume_far_off_is_extracted_as_at_the_origin(method, turned):
    near, far = volume(), volume(SHIFT)
    if turned:
        turn = torch.eye(4, dtype=torch.float64)
        turn[:2, :2] = torch.tensor([[0.8, -0.6], [0.6, 0.8]])
        near = Volume(near.values, turn @ near.affine)
        far = near.moved(SHIFT)
    first, second = (extract_volume(v, method=method) for v in (near, far))
    assert torch.equal(first.faces, second.faces) and second.dtype == torch.float64
    torch.testing.assert_close(second.vertices - SHIFT, first.vertices.double(), rtol=0, atol=1e-6)


def test_a_source_is_moved_only_from_far_off():
    assert as_source(ball()).far_middle() is None
    assert as_source(moved(ball(), torch.full((3,), 5.0))).far_middle() is None
    assert as_source(volume()).far_middle() is None
    torch.testing.assert_close(as_source(volume(SHIFT)).far_middle(), SHIFT)


def test_a_run_folder_is_shown_where_the_source_is(tmp_path):
    folder = tmp_path / "run"
    options = {"resolution": 12, "steps": 4, "progress": False, "checkpoint": folder}
    found = reconstruct(moved(ball(), SHIFT), **options)
    settings = json.loads((folder / SETTINGS).read_text())
    np.testing.assert_allclose(settings["origin"], UTM, rtol=0, atol=1e-9)
    target = Run(folder).target().mesh
    torch.testing.assert_close(target.vertices, moved(ball(), SHIFT).vertices, rtol=0, atol=1e-6)
    again = reconstruct(moved(ball(), SHIFT), **{**options, "resume": True})
    assert torch.equal(again.mesh.vertices, found.mesh.vertices)


def test_places_that_are_told_are_those_of_the_source():
    two = shapes.icosphere(2)
    gone = two.with_vertices(two.vertices * 0.2)
    (sentence,) = disagreements(gone, two, 0.1, SHIFT)
    place = re.search(r" at \(([-\d.]+), ([-\d.]+), ([-\d.]+)\)", sentence)
    away = np.array(place.groups(), float) - UTM
    assert 0.9 < np.linalg.norm(away) < 1.1 and "e+" not in sentence, sentence


def test_no_warning_of_rounding_reaches_the_user(tmp_path):
    path = tmp_path / "a.obj"
    moved(ball(), SHIFT).save(path)
    from meshlearn.reconstruct.sources import read_source

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_source(path).dtype == torch.float64
