import gzip
import io
import zipfile

import numpy as np
import pytest
import torch

from meshlearn.io import load_document, save_document
from meshlearn.io.columns import plain_numbers
from meshlearn.io.volume import Volume, is_volume, load_volume


@pytest.fixture
def array():
    return np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", ">f8", "<f2", "<i2", "u1", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_of_any_number_type(tmp_path, array, dtype, order):
    stored = np.asarray(np.abs(array) * 3, dtype=dtype, order=order)
    np.save(tmp_path / "a.npy", stored)
    volume = load_volume(tmp_path / "a.npy")
    wide = torch.float64 if dtype.endswith("f8") else torch.float32
    assert volume.values.dtype == wide
    np.testing.assert_array_equal(volume.values.numpy(), stored.astype(volume.values.numpy().dtype))
    assert torch.equal(volume.affine, torch.eye(4, dtype=torch.float64))


@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_the_order_of_bytes_changes_no_type(tmp_path, kind):
    """What numpy wrote on another machine is of the same precision here, as volume and as mesh."""
    corners = np.array([[0, 0, 0], [1.1, 0, 0], [0, 1.3, 0]], ">" + kind)
    heat = np.array([0.1, 0.2, 0.3], ">" + kind)
    np.savez(tmp_path / "a.npz", vertices=corners, faces=np.array([[0, 1, 2]], ">i8"), heat=heat)
    save_document(load_document(tmp_path / "a.npz"), tmp_path / "b.ply")
    for name in ("a.npz", "b.ply"):
        (part,) = load_document(tmp_path / name).parts
        for found, wanted in ((part.vertices, corners), (part.vertex_fields["heat"], heat)):
            assert found.dtype == np.dtype(kind)
            np.testing.assert_array_equal(found, wanted)
    assert plain_numbers(heat).dtype == np.dtype(kind)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_keeps_its_place(tmp_path, array, save):
    save(tmp_path / "a.npz", sdf=array, spacing=[0.1, 0.2, 0.3], origin=[1, 2, 3], note=np.ones(3))
    volume = load_volume(tmp_path / "a.npz")
    assert volume.spacing == pytest.approx((0.1, 0.2, 0.3))
    corner = volume.to_world(torch.tensor([[0.0, 0, 0], [3, 4, 5]]))
    torch.testing.assert_close(corner, torch.tensor([[1.0, 2, 3], [1.3, 2.8, 4.5]]))
    torch.testing.assert_close(volume.bounds().float(), corner)
    moved = load_volume(tmp_path / "a.npz", spacing=2, origin=(0, 0, 0))
    assert moved.spacing == (2, 2, 2) and moved.bounds()[1].tolist() == [6, 8, 10]


def test_a_spacing_beside_an_affine_keeps_its_directions(tmp_path, array):
    """As the option does: the steps are replaced, not the rotation."""
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, -1]]) * [2, 3, 4]
    affine[:3, 3] = 5, 6, 7
    np.savez(tmp_path / "a.npz", sdf=array, affine=affine)
    steps = [0.5, 1.5, 2.5]
    wanted = load_volume(tmp_path / "a.npz", spacing=steps)
    np.savez(tmp_path / "b.npz", sdf=array, affine=affine, spacing=steps)
    found = load_volume(tmp_path / "b.npz")
    torch.testing.assert_close(found.affine, wanted.affine)
    np.testing.assert_allclose(found.affine[:3, 0], [0.4, 0.3, 0], atol=1e-12)
    np.savez(tmp_path / "c.npz", sdf=array, affine=np.zeros((4, 4)), spacing=steps)
    with pytest.raises(ValueError, match="affine: its axes do not span a space"):
        load_volume(tmp_path / "c.npz")


def test_frames_and_keys_of_one_array_are_refused(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", sdf=array)
    for name in ("a.npy", "a.npz"):
        assert load_volume(tmp_path / name, frame=0).values.shape == array.shape
        with pytest.raises(ValueError, match="there is no frame 7; it holds one"):
            load_volume(tmp_path / name, frame=7)
    with pytest.raises(ValueError, match=r"key: expected none, .* got 'sdf'"):
        load_volume(tmp_path / "a.npy", key="sdf")
    with pytest.raises(ValueError, match="fill: expected none with a label"):
        load_volume(tmp_path / "a.npy", fill=0, label=1)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_is_held_against_its_checksum(tmp_path, array, save):
    """Also where unpacking stops at the last sample, before the end of the packed data."""
    save(tmp_path / "a.npz", sdf=np.tile(array, (20, 1, 1)))
    data = bytearray((tmp_path / "a.npz").read_bytes())
    found = data.rfind(b"PK\1\2") + 16  # the sum in the directory
    data[found] ^= 1
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(ValueError, match="Bad CRC-32"):
        load_volume(tmp_path / "a.npz")


def test_npz_with_several_arrays_wants_a_key(tmp_path, array):
    np.savez(tmp_path / "a.npz", one=array, two=array + 1)
    with pytest.raises(ValueError, match=r"2 3-D arrays among \['one', 'two'\]; name one by key"):
        load_volume(tmp_path / "a.npz")
    assert np.array_equal(load_volume(tmp_path / "a.npz", key="two").values, array + 1)
    with pytest.raises(ValueError, match="no array 'three'"):
        load_volume(tmp_path / "a.npz", key="three")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_keeps_its_affine(tmp_path, array, suffix):
    nibabel = pytest.importorskip("nibabel")
    affine = np.array([[-0.5, 0, 0, 7], [0, 0, 0.8, 1], [0, 0.7, 0, 2], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(array, affine), tmp_path / f"a{suffix}")
    volume = load_volume(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(volume.values, array)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-6)
    assert volume.spacing == pytest.approx((0.5, 0.7, 0.8))


def test_interpolates_linearly_and_differentiably():
    affine = torch.tensor(
        [[0.0, -0.5, 0, 1], [0.25, 0, 0, 2], [0, 0, -2, 3], [0, 0, 0, 1]], dtype=torch.float64
    )
    index = torch.cartesian_prod(*(torch.arange(n).double() for n in (4, 5, 6)))
    slope = torch.tensor([0.3, -0.7, 1.1], dtype=torch.float64)
    flat = Volume(torch.zeros(4, 5, 6), affine)
    values = flat.to_world(index) @ slope + 0.5
    volume = Volume(values.reshape(4, 5, 6), affine)
    inside = torch.rand(50, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    points = volume.to_world(inside * torch.tensor([3.0, 4.0, 5.0])).requires_grad_()
    torch.testing.assert_close(volume(points), points.detach() @ slope + 0.5)
    torch.testing.assert_close(volume.to_index(volume.to_world(index)), index)
    (gradient,) = torch.autograd.grad(volume(points).sum(), points)
    torch.testing.assert_close(gradient, slope.expand(50, 3))
    far = volume(volume.to_world(torch.tensor([[-9.0, 2, 3]]).double()))
    torch.testing.assert_close(far, volume(volume.to_world(torch.tensor([[0.0, 2, 3]]).double())))


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_bad_files_get_one_sentence(tmp_path, array):
    good = npy(array)
    lying = good.replace(b"(4, 5, 6)", b"(4000,5,6)".ljust(9))[: len(good)]
    bomb = npy(np.zeros((2, 2, 2), np.float32)).replace(b"(2, 2, 2)", b"(99999, 99999, 99999)")
    cases = {
        "empty.npy": (b"", "the file is empty"),
        "short.npy": (good[:-10], "truncated"),
        "lying.npy": (lying, "truncated"),
        "bomb.npy": (bomb, "."),
        "text.npy": (b"hello there", "not a numpy file"),
        "flat.npy": (npy(array[0]), "expected a 3-D array"),
        "thin.npy": (npy(array[:1]), "at least 2 samples"),
        "complex.npy": (npy(array * 1j), "expected real numbers"),
        "objects.npy": (npy(np.array([[[None]]])), "Python objects"),
        "nan.npy": (npy(np.where(array > 0, array, np.nan)), "NaN or infinite; choose"),
        "broken.npz": (b"PK\x03\x04" + b"x" * 50, "."),
        "text.nii": (b"x" * 400, "."),
        "text.nii.gz": (b"x" * 400, "."),
        "short.nii.gz": (gzip.compress(b"x" * 4000)[:-10], "."),
        "a.obj": (b"x", "unknown kind of volume '.obj'"),
    }
    for name, (data, text) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=text) as caught:
            load_volume(tmp_path / name)
        assert "\n" not in str(caught.value) and name in str(caught.value), str(caught.value)
    with pytest.raises(ValueError, match="the folder holds no DICOM slices"):
        load_volume(tmp_path)
    with pytest.raises(FileNotFoundError):
        load_volume(tmp_path / "absent.npy")
    filled = load_volume(tmp_path / "nan.npy", fill=7)
    assert float(filled.values.max()) == 7


def test_a_promise_is_not_believed(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    image = nibabel.Nifti1Image(np.zeros((3, 3, 3), np.float32), np.eye(4))
    raw = bytearray(image.to_bytes())
    raw[42:48] = np.array([30000, 30000, 30000], "<i2").tobytes()
    for name, data in (("a.nii", bytes(raw)), ("a.nii.gz", gzip.compress(bytes(raw)))):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match="the header promises 108,000,000,000,000 bytes"):
            load_volume(tmp_path / name)
    header = npy(np.zeros((2, 2, 2), np.float32)).replace(b"(2, 2, 2)", b"(9, 9, 9)")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("sdf.npy", header)
    with pytest.raises(ValueError, match="promises 2,916 bytes of data, but the file holds 32"):
        load_volume(tmp_path / "a.npz")


@pytest.mark.parametrize("spacing", [0, -1, (1, 2), float("nan")])
def test_bad_spacing(tmp_path, array, spacing):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ValueError, match="spacing: expected one or three positive numbers"):
        load_volume(tmp_path / "a.npy", spacing=spacing)


def test_names_of_volumes():
    assert is_volume("A.NII.GZ") and is_volume("x.npz") and not is_volume("x.obj")


def test_volume_checks_its_parts():
    with pytest.raises(ValueError, match="values: expected shape"):
        Volume(torch.zeros(3, 3), torch.eye(4, dtype=torch.float64))
    with pytest.raises(ValueError, match="singular"):
        Volume(torch.zeros(3, 3, 3), torch.zeros(4, 4, dtype=torch.float64))
