"""Files far from the origin, as surveys are: what single precision costs is told or spared."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

import meshlearn as ml
import meshlearn.io as mio
from meshlearn.io.conversion.pipeline import ConvertOptions, convert_file
from meshlearn.io.document import Document, Part
from meshlearn.io.left_behind import LossKind
from tests.survey import UTM, survey


def saved(path, *parts):
    report = mio.save_document(Document(list(parts)), path)
    return path, report


def losses(report):
    return {loss.kind: loss for loss in report.items}


def test_load_says_what_float32_costs_in_the_unit_of_the_file(tmp_path):
    path, _ = saved(tmp_path / "a.obj", survey())
    exact = survey().vertices
    moved = np.abs(exact.astype(np.float32).astype(np.float64) - exact).max()
    fallen = len(np.unique(exact, axis=0)) - len(np.unique(exact.astype(np.float32), axis=0))
    with pytest.warns(UserWarning, match=rf"up to {moved:.2g}, and {fallen} of 400 fall on others"):
        mesh = ml.load(path)
    assert mesh.dtype == torch.float32 and fallen > 0


@pytest.mark.parametrize("offset", [np.zeros(3), np.full(3, 5.0)])
@pytest.mark.parametrize("suffix", ["obj", "ply", "stl", "glb"])
def test_load_is_silent_where_float32_costs_nothing_that_is_seen(offset, suffix, tmp_path):
    path, _ = saved(tmp_path / f"a.{suffix}", survey(offset))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ml.load(path)


def test_load_tells_of_vertices_that_fall_together_near_the_origin(tmp_path):
    (tmp_path / "a.obj").write_text("v 1 0 0\nv 1.00000001 0 0\nv 0 1 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.warns(UserWarning, match="and 1 of 4 fall on others"):
        ml.load(tmp_path / "a.obj")


@pytest.mark.parametrize("suffix", ["obj", "ply", "off", "vtk", "vtp", "3mf", "mesh"])
def test_without_a_dtype_doubles_stay_as_the_file_has_them(suffix, tmp_path):
    path, _ = saved(tmp_path / f"a.{suffix}", survey())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mesh = ml.load(path, dtype=None)
    np.testing.assert_array_equal(mesh.vertices.numpy(), survey().vertices)


def test_the_size_of_a_rounding_is_told(tmp_path):
    _, report = saved(tmp_path / "a.stl", survey())
    exact = survey().vertices
    found = losses(report)[LossKind.PRECISION]
    assert found.size == np.abs(exact.astype(np.float32).astype(np.float64) - exact).max()
    assert f"by up to {found.size:.2g}" in str(report)
    assert found.to_dict()["largest"] == found.size
    assert losses(report)[LossKind.TOGETHER].count > 0


def test_a_rounding_of_several_parts_is_the_largest(tmp_path):
    _, report = saved(tmp_path / "a.stl", survey(np.full(3, 0.1)), survey(), survey(UTM / 10))
    exact = survey().vertices
    expected = np.abs(exact.astype(np.float32).astype(np.float64) - exact).max()
    assert losses(report)[LossKind.PRECISION].size == expected


@pytest.mark.parametrize("suffix", ["glb", "gltf", "usda"])
@pytest.mark.parametrize(
    ("offset", "size"), [(UTM, 0.1), (1e6 * UTM, 1e5), (1e-6 * UTM, 1e-7), (np.full(3, 1e4), 1e-4)]
)
def test_formats_of_single_precision_keep_large_coordinates_by_a_place(
    suffix, offset, size, tmp_path
):
    if suffix == "usda":
        pytest.importorskip("pxr")
    part = survey(offset, size=size)
    path, report = saved(tmp_path / f"a.{suffix}", part)
    extent = 20 * size
    assert losses(report)[LossKind.PRECISION].size < 1e-7 * extent + 1e-15 * offset.max()
    assert LossKind.TOGETHER not in losses(report)
    again = mio.load_document(path).parts[0]
    assert again.vertices.dtype == np.float32 and np.abs(again.vertices).max() < 2 * extent
    mesh = ml.load(path, dtype=None)
    assert mesh.dtype == torch.float64
    error = np.abs(mesh.vertices.numpy() - part.vertices).max()
    assert error == pytest.approx(losses(report)[LossKind.PRECISION].size, rel=1e-6, abs=1e-15)


def test_parts_side_by_side_round_alike_where_they_meet(tmp_path):
    left = survey()
    right = survey(UTM + np.array([1.9, 0, 0]))
    path, _ = saved(tmp_path / "a.glb", left, right)
    transforms = [p.transform for p in mio.load_document(path).parts]
    np.testing.assert_array_equal(*transforms)


def test_small_parts_far_apart_have_places_of_their_own(tmp_path):
    parts = [survey(np.array([x, 0, 0]), size=1e-4) for x in (1e4, -1e4)]
    path, report = saved(tmp_path / "a.glb", *parts)
    assert losses(report)[LossKind.PRECISION].size < 1e-9
    mesh = ml.load(path, dtype=None).vertices.numpy()
    np.testing.assert_allclose(mesh, np.concatenate([p.vertices for p in parts]), atol=1e-9)


def test_a_part_that_is_placed_already_keeps_its_place(tmp_path):
    turn = np.array([[0.0, -2, 0, 7], [2, 0, 0, 8], [0, 0, 2, 9], [0, 0, 0, 1]])
    part = replace(survey(), transform=turn)
    path, _ = saved(tmp_path / "a.glb", part)
    expected = part.vertices @ turn[:3, :3].T + turn[:3, 3]
    np.testing.assert_allclose(ml.load(path, dtype=None).vertices, expected, rtol=0, atol=1e-6)


def test_what_lies_near_is_written_without_a_place(tmp_path):
    path, _ = saved(tmp_path / "a.glb", survey(np.full(3, 3.0)))
    assert mio.load_document(path).parts[0].transform is None


def test_what_a_file_places_far_off_keeps_its_detail_in_formats_without_places(tmp_path):
    path, _ = saved(tmp_path / "a.glb", survey())
    report = mio.convert(path, tmp_path / "b.ply")
    assert LossKind.PRECISION not in losses(report)
    again = mio.load_document(tmp_path / "b.ply").parts[0].vertices
    np.testing.assert_allclose(again, survey().vertices, rtol=0, atol=3e-7)
    _, report = saved(tmp_path / "c.stl", *mio.load_document(path).parts)
    assert 0.1 < losses(report)[LossKind.PRECISION].size < 0.5


def test_a_polygon_far_off_is_cut_as_at_the_origin(tmp_path):
    corners = np.array([[0, 0], [4, 0], [4, 4], [2, 0.5], [0, 4]]) * 0.1  # concave
    shape = np.column_stack([corners, np.zeros(5)])
    index, start = np.arange(5), np.array([0, 5])
    for name, offset in (("near", 0), ("far", UTM)):
        part = Part(vertices=shape + offset, polygon_start=start, polygon_index=index)
        saved(tmp_path / f"{name}.obj", part)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        far = ml.load(tmp_path / "far.obj")
    assert torch.equal(far.faces, ml.load(tmp_path / "near.obj").faces)


# --- moved to the origin, and back ----------------------------------------------------------------

KEEPING = ["obj", "ply", "glb", "gltf", "3mf", "vtk", "vtu", "vtp", "usda", "npz", "safetensors"]
DROPPING = ["stl", "off", "mesh"]


def converted(source, target, **options):
    return convert_file(source, target, ConvertOptions(overwrite=True, **options))


@pytest.mark.parametrize("suffix", KEEPING)
@pytest.mark.parametrize("ascii", [False, True])
def test_centred_and_moved_back(suffix, ascii, tmp_path):
    if suffix == "usda":
        pytest.importorskip("pxr")
    if ascii and suffix not in ("ply", "vtk", "vtp", "vtu"):
        pytest.skip("one variant only")
    path, _ = saved(tmp_path / "a.ply", survey())
    made = converted(path, tmp_path / f"b.{suffix}", center=True, ascii=ascii)
    assert not {LossKind.METADATA, LossKind.TRANSFORMS} & losses(made.report).keys()
    assert any("431001.32 5398001.16" in step for step in made.steps)
    document = mio.load_document(tmp_path / f"b.{suffix}")
    low, high = ml.load(tmp_path / f"b.{suffix}", dtype=None).bounds().numpy()
    np.testing.assert_allclose(low, -high, rtol=0, atol=1e-6)
    middle = (survey().vertices.min(0) + survey().vertices.max(0)) / 2
    np.testing.assert_allclose(document.metadata["offset"], middle, rtol=1e-15, atol=1e-15)
    converted(tmp_path / f"b.{suffix}", tmp_path / "c.ply", center=False)
    back = mio.load_document(tmp_path / "c.ply")
    np.testing.assert_allclose(back.parts[0].vertices, survey().vertices, rtol=0, atol=2e-7)
    assert "offset" not in back.metadata and "comments" not in back.metadata


@pytest.mark.parametrize("suffix", DROPPING)
def test_a_format_without_a_place_for_the_offset_loses_it_aloud(suffix, tmp_path):
    path, _ = saved(tmp_path / "a.ply", survey())
    made = converted(path, tmp_path / f"b.{suffix}", center=True)
    assert losses(made.report)[LossKind.METADATA].name == "offset"
    assert any("431001.32 5398001.16" in step for step in made.steps)
    with pytest.raises(mio.FileFormatError, match="offset"):
        converted(path, tmp_path / f"c.{suffix}", center=True, strict=True)


@pytest.mark.parametrize("suffix", ["xyz", "pts", "pcd", "ply"])
def test_points_are_centred_and_moved_back(suffix, tmp_path):
    part = Part(vertices=survey().vertices, points=np.arange(400))
    path, _ = saved(tmp_path / f"a.{suffix}", part)
    converted(path, tmp_path / f"b.{suffix}", center=True)
    document = mio.load_document(tmp_path / f"b.{suffix}")
    assert np.abs(document.parts[0].vertices).max() < 2 and len(document.parts[0].vertices) == 400
    converted(tmp_path / f"b.{suffix}", tmp_path / f"c.{suffix}", center=False)
    back = mio.load_document(tmp_path / f"c.{suffix}").parts[0].vertices
    np.testing.assert_allclose(back, part.vertices, rtol=0, atol=2e-9)


def test_an_offset_goes_from_file_to_file_and_is_added_to(tmp_path):
    path, _ = saved(tmp_path / "a.obj", survey())
    converted(path, tmp_path / "b.ply", center=True)
    converted(tmp_path / "b.ply", tmp_path / "c.glb")
    converted(tmp_path / "c.glb", tmp_path / "d.obj", center=True)
    first, last = (mio.load_document(tmp_path / n).metadata["offset"] for n in ("b.ply", "d.obj"))
    np.testing.assert_allclose(first, last, rtol=0, atol=1e-6)


def test_an_offset_is_turned_scaled_and_converted_with_the_mesh(tmp_path):
    path, _ = saved(tmp_path / "a.ply", survey())
    converted(path, tmp_path / "b.ply", center=True)
    converted(tmp_path / "b.ply", tmp_path / "c.ply", unit="m:mm", up="z:y", scale=2.0)
    converted(tmp_path / "c.ply", tmp_path / "d.ply", center=False)
    converted(path, tmp_path / "e.ply", unit="m:mm", up="z:y", scale=2.0)
    got, expected = (mio.load_document(tmp_path / f"{n}.ply").parts[0].vertices for n in "de")
    np.testing.assert_allclose(got, expected, rtol=1e-14, atol=1e-9)


def test_placed_parts_are_centred_by_their_places(tmp_path):
    place = np.eye(4)
    place[:3, 3] = UTM
    parts = [replace(survey(0 * UTM), transform=place), survey(UTM + 5)]
    path, _ = saved(tmp_path / "a.glb", *parts)
    converted(path, tmp_path / "b.glb", center=True)
    vertices = ml.load(tmp_path / "b.glb", dtype=None).vertices.numpy()
    np.testing.assert_allclose(vertices.min(0), -vertices.max(0), rtol=0, atol=1e-5)
    offset = mio.load_document(tmp_path / "b.glb").metadata["offset"]
    expected = np.concatenate([survey().vertices, survey(UTM + 5).vertices])
    np.testing.assert_allclose(vertices + offset, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "remark",
    ["offset 1 2", "offset a b c", "offset 1 2 nan", "offset 1 2 3 4", "the offset 1 2 3"],
)
def test_other_remarks_are_no_offset(remark, tmp_path):
    (tmp_path / "a.obj").write_text(f"# {remark}\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    assert "offset" not in mio.load_document(tmp_path / "a.obj").metadata
    document = Document([survey(0 * UTM)], metadata={"comments": [remark]})
    mio.save_document(document, tmp_path / "b.ply")
    assert mio.load_document(tmp_path / "b.ply").metadata == {"comments": [remark]}


def test_what_else_a_file_says_stays_beside_the_offset(tmp_path):
    said = {
        "ply": {"comments": ["made by hand", "in May"]},
        "glb": {"asset": {"copyright": "me", "extras": {"a": 1}}},
        "3mf": {"3mf": {"Title": "hill", "Description": "two\nlines"}},
    }
    for suffix, metadata in said.items():
        document = Document([survey(0 * UTM)], metadata={**metadata, "offset": [1.5, 2, -3]})
        mio.save_document(document, tmp_path / f"a.{suffix}")
        found = mio.load_document(tmp_path / f"a.{suffix}").metadata
        assert found == {**metadata, "offset": [1.5, 2, -3]}, suffix


def test_nothing_to_centre_and_nothing_to_move_back():
    from meshlearn.io.changes.placement import center, uncenter

    nothing = Document([Part(vertices=np.zeros((0, 3)))])
    assert center(nothing).document is nothing
    changed = uncenter(Document([survey()]))
    assert "no offset" in changed.done
    np.testing.assert_array_equal(changed.document.parts[0].vertices, survey().vertices)


@pytest.mark.parametrize("suffix", ["obj", "glb", "ply", "vtp", "npz"])
@pytest.mark.parametrize("center", [None, True])
def test_normals_and_texture_coordinates_are_those_at_the_origin(suffix, center, tmp_path):
    generator = np.random.default_rng(0)
    uv = generator.random((400, 2)).astype(np.float32)
    normal = generator.normal(size=(400, 3))
    normal = (normal / np.linalg.norm(normal, axis=1, keepdims=True)).astype(np.float32)
    found = []
    for offset in (0 * UTM, UTM):
        part = survey(offset)
        part.vertex_fields |= {"uv": uv, "normal": normal}
        path, _ = saved(tmp_path / "a.npz", part)
        converted(path, tmp_path / f"b.{suffix}", center=center)
        made = mio.load_document(tmp_path / f"b.{suffix}").parts[0]
        values = [made.vertex_fields.get(k) for k in ("uv", "normal")]
        found.append(
            [
                v if v is not None else made.corner_fields[k].values[made.corner_fields[k].index]
                for k, v in zip(("uv", "normal"), values, strict=True)
            ]
        )
    for near, far in zip(*found, strict=True):
        np.testing.assert_array_equal(near, far)
