import numpy as np
import pytest
import torch

from meshlearn.io.points import is_points, load_points


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    normals = generator.normal(size=(20, 3))
    return generator.normal(size=(20, 3)), normals / np.linalg.norm(normals, axis=1, keepdims=True)


def write(path, points, normals):
    both = points if normals is None else np.concatenate([points, normals], 1)
    if path.suffix == ".npy":
        np.save(path, both)
    elif path.suffix == ".npz":
        np.savez(path, points=points, **({} if normals is None else {"normals": normals}))
    else:
        np.savetxt(
            path, both, delimiter="," if path.suffix == ".csv" else " ", fmt="%.17g", header="x y z"
        )


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".xyz", ".csv", ".txt"])
@pytest.mark.parametrize("with_normals", [False, True])
def test_round_trip(tmp_path, rows, suffix, with_normals):
    path = tmp_path / f"a{suffix}"
    write(path, rows[0], rows[1] if with_normals else None)
    assert is_points(path)
    cloud = load_points(path)
    assert cloud.points.dtype == torch.float64
    np.testing.assert_array_equal(cloud.points, rows[0])
    if with_normals:
        np.testing.assert_allclose(cloud.normals, rows[1], atol=1e-15)
    else:
        assert cloud.normals is None


def test_float32_stays(tmp_path, rows):
    np.save(tmp_path / "a.npy", rows[0].astype(np.float32))
    assert load_points(tmp_path / "a.npy").points.dtype == torch.float32


def test_colours_are_not_normals(tmp_path, rows):
    write(tmp_path / "a.xyz", rows[0], np.full((20, 3), 200.0))
    with pytest.warns(UserWarning, match="not unit normals"):
        assert load_points(tmp_path / "a.xyz").normals is None


def test_a_volume_is_not_points(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 5, 3)))
    np.savez(tmp_path / "b.npz", sdf=np.zeros((4, 5, 3)), spacing=np.ones(3))
    assert not is_points(tmp_path / "a.npy") and not is_points(tmp_path / "b.npz")
    assert not is_points("a.obj")


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("a.xyz", b"", "the file is empty"),
        ("a.xyz", b"# nothing\n", "no points"),
        ("a.xyz", b"1 2 3\n4 5\n", "point 1 has 2 numbers"),
        ("a.xyz", b"1 2 x\n", "line 1: expected a number"),
        ("a.xyz", b"\xff\xfe\x00", "UTF-16"),
        ("a.xyz", b"1 2 nan\n1 2 3\n", "1 of 2 points are NaN or infinite"),
        ("a.xyz", b"1 2\n", "three numbers or more"),
        ("a.npy", b"hello", "not a numpy file"),
        ("a.stlx", b"1", "unknown kind"),
    ],
)
def test_bad_files_get_one_sentence(tmp_path, name, data, text):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=text) as caught:
        load_points(tmp_path / name)
    assert "\n" not in str(caught.value) and name in str(caught.value)
