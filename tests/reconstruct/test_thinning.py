"""Points of any number thinned as they come, and large files read by blocks."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

import meshlearn as ml
from meshlearn.io import load, point_blocks
from meshlearn.io.points import load_points
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.poisson.surface import most_points
from meshlearn.reconstruct.poisson.thinning import Thinned
from meshlearn.reconstruct.sources import read_thinned

SEED = int(os.environ.get("MESHLEARN_TEST_SEED", 0))


def sphere(count: int, *, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    normals = np.random.default_rng(SEED).normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return normals + shift, normals


def test_few_points_stay_as_they_are_and_many_become_means_on_the_surface():
    points, normals = sphere(20_000)
    thin = Thinned(20_000)
    for part in np.array_split(np.arange(20_000), 3):
        thin.add(points[part], normals[part])
    assert all(np.array_equal(a, b) for a, b in zip(thin.result(), (points, normals), strict=True))
    thin = Thinned(4_000)
    for part in np.array_split(np.arange(20_000), 7):
        thin.add(points[part], normals[part])
    few, facing = thin.result()
    assert 900 < len(few) <= 4_000 and thin.total == 20_000
    assert np.abs(np.linalg.norm(few, axis=1) - 1).max() < 2 * thin.cell**2 + 0.02
    assert np.allclose(np.linalg.norm(facing, axis=1), 1) and (facing * few).sum(1).min() > 0.98
    # no point is left without one near it
    apart = ml.knn(torch.tensor(points), torch.tensor(few), 1).squared_distance.sqrt()
    assert float(apart.max()) < 2 * thin.cell * 3**0.5


def test_sheets_back_to_back_stay_apart_and_noise_becomes_less():
    rng = np.random.default_rng(SEED)
    flat = rng.random((40_000, 3))
    flat[:, 2] = np.repeat([0.0, 0.001], 20_000) + 1e-4 * rng.normal(size=40_000)
    normals = np.zeros((40_000, 3))
    normals[:, 2] = np.repeat([-1.0, 1.0], 20_000)
    thin = Thinned(3_000)
    order = rng.permutation(40_000)
    first = [[0.5, 0.5, 0.37]] * 2  # so that both sheets lie in one layer of cells
    thin.add(np.concatenate([first, flat[order[:9000]]]), normals[[0, 0, *order[:9000]]])
    for part in np.array_split(order[9000:], 4):
        thin.add(flat[part], normals[part])
    few, facing = thin.result()
    few, facing = few[few[:, 2] < 0.1], facing[few[:, 2] < 0.1]
    assert thin.cell > 0.01
    for side, level in ((-1, 0.0), (1, 0.001)):
        height = few[facing[:, 2] == side, 2]
        assert len(height) > 300 and abs(height.mean() - level) < 2e-5 and height.std() < 6e-5


def test_far_from_the_origin_and_over_a_wide_box():
    points, _ = sphere(5_000, shift=4e6)
    thin = Thinned(1_000)
    thin.add(points[:1000])
    thin.add(points[:1000] + 1.0)
    thin.add(points + 1e5)  # thousands of boxes away from the first
    few, none = thin.result()
    assert none is None and len(few) <= 1_000 and few.min() > 4e6 - 2
    with pytest.raises(ValueError, match="in all blocks or in none"):
        thin.add(points, points)


def test_poisson_of_more_points_than_it_takes(monkeypatch):
    points, normals = (torch.tensor(x).float() for x in sphere(30_000))
    monkeypatch.setattr(settings, "POISSON_POINTS", 4_000)
    mesh = ml.poisson(points, normals, resolution=24)
    assert mesh.is_watertight
    assert float((mesh.vertices.norm(dim=1) - 1).abs().mean()) < 2e-3
    assert most_points(None) == 4_000 and most_points(512) == 6 * 512**2


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(point_blocks, "LARGE", 1)
    monkeypatch.setattr(point_blocks, "_POINTS", 1_000)
    monkeypatch.setattr(point_blocks, "_TEXT", 30_000)


def write(path, points: np.ndarray, normals: np.ndarray) -> None:
    both = np.concatenate([points, normals], 1)
    if path.suffix == ".npy":
        np.save(path, both)
    elif path.suffix == ".ply":
        names = "".join(f"property double {n}\n" for n in ("x", "y", "z", "nx", "ny", "nz"))
        head = f"ply\nformat binary_big_endian 1.0\nelement vertex {len(both)}\n{names}end_header\n"
        path.write_bytes(head.encode() + both.astype(">f8").tobytes())
    else:
        lines = "\n".join(" ".join(map(repr, row)) for row in both.tolist())
        names = "//X Y Z Nx Ny Nz\n" if path.stem == "named" else ""
        path.write_text(names + lines + ("" if path.stem == "named" else "\n"))


@pytest.mark.parametrize("name", ["a.ply", "a.npy", "a.xyz", "named.txt"])
def test_blocks_of_a_file_are_what_is_loaded_whole(name, tmp_path, small_blocks):
    points, normals = sphere(3_210)
    write(tmp_path / name, points, normals)
    blocks = list(point_blocks.point_blocks(tmp_path / name))
    assert len(blocks) > 3 and blocks[-1].done == pytest.approx(1.0)
    if name == "a.ply":
        mesh = load(tmp_path / name, dtype=None)
        whole = mesh.vertices, mesh.vertex_attributes["normal"]
    else:
        cloud = load_points(tmp_path / name)
        whole = cloud.points, cloud.normals
    found = np.concatenate([b.points for b in blocks]), np.concatenate([b.normals for b in blocks])
    for a, b in zip(found, whole, strict=True):
        assert np.allclose(a, b.numpy(), atol=1e-12)
    cloud, total = read_thinned(tmp_path / name, 700)
    assert total == 3_210 and 150 < len(cloud.points) <= 700 and cloud.normals is not None


def test_laser_scans_by_blocks(tmp_path, small_blocks):
    laspy = pytest.importorskip("laspy")
    pytest.importorskip("lazrs")
    points, _ = sphere(2_500, shift=1e5)
    scan = laspy.create()
    scan.header.scales, scan.header.offsets = [1e-4] * 3, [1e5] * 3
    scan.x, scan.y, scan.z = points.T
    for name in ("a.las", "a.laz"):
        scan.write(str(tmp_path / name))
        found = np.concatenate([b.points for b in point_blocks.point_blocks(tmp_path / name)])
        assert np.abs(found - points).max() < 1e-4


def test_other_files_are_not_read_by_blocks(tmp_path, small_blocks):
    ml.save(ml.Mesh(torch.rand(3, 3), torch.tensor([[0, 1, 2]])), tmp_path / "mesh.ply")
    assert point_blocks.point_blocks(tmp_path / "mesh.ply") is None
    assert read_thinned(tmp_path / "mesh.ply", 10) is None
    points, normals = sphere(2_000)
    write(tmp_path / "cut.ply", points, normals)
    (tmp_path / "cut.ply").write_bytes((tmp_path / "cut.ply").read_bytes()[:-9])
    with pytest.raises(ValueError, match="the file ends before"):
        read_thinned(tmp_path / "cut.ply", 10)
    points[1_500] = np.nan
    write(tmp_path / "nan.npy", points, normals)
    with pytest.raises(ValueError, match="1 of 1,000 points are NaN"):
        read_thinned(tmp_path / "nan.npy", 10)
    write(tmp_path / "colours.npy", sphere(2_000)[0], 255 * np.abs(normals))
    with pytest.warns(UserWarning, match="not unit vectors"):
        assert read_thinned(tmp_path / "colours.npy", 10)[0].normals is None
