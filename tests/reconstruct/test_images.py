"""Fits to images: every kind and subset, the starting hull, colours, what is wrong with them."""

import math
import re
import warnings
from dataclasses import replace

import pytest
import torch
from PIL import Image

from meshlearn import Camera, CornerAttribute, Mesh, load, metrics
from meshlearn.data import shapes
from meshlearn.reconstruct import fit, reconstruct, targets
from meshlearn.reconstruct.paint import fit_texture, fit_vertex_colors, textured
from meshlearn.reconstruct.targets.images import FromImages
from meshlearn.reconstruct.targets.mask_agreement import mask_agreement
from meshlearn.reconstruct.targets.sheets import image_sheet
from meshlearn.reconstruct.targets.visual_hull import Hull, silhouette_distance
from meshlearn.render import load_images, render, render_images, save_images, sphere_cameras
from meshlearn.representations import FlexiCubes
from tests.shared_data import shared_data


def bumpy() -> Mesh:
    """A torus with bumps: it has a hole, and hollows that masks do not show."""
    torus = shapes.torus()
    v = torus.vertices
    return torus.with_vertices(
        v * (1 + 0.15 * torch.sin(4 * v[:, :1] + 1) * torch.cos(5 * v[:, 2:]))
    )


@pytest.fixture(scope="module")
def wanted() -> Mesh:
    return bumpy()


@pytest.fixture(scope="module")
def images(wanted):
    return render_images(wanted, 16, size=96, samples=3)


def chamfer(mesh, target):
    return metrics.compare(mesh, target, samples=5000, quality=False)["chamfer"]


# --- start --------------------------------------------------------------------------------------


def test_silhouette_distance_is_that_to_the_border():
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(50.0), indexing="ij")
    exact = torch.hypot(x - 20, y - 18) - 9
    found = silhouette_distance((exact < 0)[None])[0]
    near = exact.abs() < 12
    assert (found - exact)[near].abs().max() < 0.8
    assert torch.equal(found < 0, exact < 0)
    assert float(silhouette_distance(torch.zeros(1, 30, 30, dtype=torch.bool)).min()) > 20


def test_the_hull_of_a_ball_is_a_ball():
    ball = shapes.icosphere(4)
    images = render_images(ball, 24, size=96, samples=2)
    hull = Hull(images.cameras, images.masks)
    points = torch.nn.functional.normalize(
        torch.randn(500, 3, generator=torch.Generator().manual_seed(0)), dim=1
    )
    for radius in (0.9, 1.0, 1.1):
        assert (hull.field(points * radius) - (radius - 1)).abs().max() < 0.035
    box = hull.bounds()
    assert (box - torch.tensor([[-1.0], [1.0]])).abs().max() < 0.12
    deep = Hull(images.cameras, images.masks, images.depth)
    assert (deep.bounds() - torch.tensor([[-1.0], [1.0]])).abs().max() < 0.03


def test_depth_carves_what_masks_cannot(images, wanted):
    bowl = shapes.uv_sphere()
    flat = bowl.vertices.clone()
    flat[:, 1] = torch.where(flat[:, 1] > 0, -0.7 * flat[:, 1], flat[:, 1])  # a hollow
    bowl = bowl.with_vertices(flat)
    images = render_images(bowl, 20, size=96, samples=1)
    hollow = torch.tensor([[0.0, -0.3, 0.0]])
    assert Hull(images.cameras, images.masks).field(hollow) < 0
    assert Hull(images.cameras, images.masks, images.depth).field(hollow) > 0


def test_one_wrong_mask_in_tolerance(images):
    masks = images.masks.clone()
    masks[3] = 0
    assert (Hull(images.cameras, masks).field(torch.tensor([[0.7, 0.0, 0.0]])) > 0).all()
    assert (
        Hull(images.cameras, masks, tolerance=1).field(torch.tensor([[0.7, 0.0, 0.0]])) < 0
    ).all()
    with pytest.raises(ValueError, match="no point in space is inside"):
        FromImages(images.cameras, masks=torch.roll(images.masks, 24, 2) * (images.masks < 0.5))


@pytest.mark.parametrize("shape", ["ball", "torus", "plate"])
@pytest.mark.parametrize("views", [3, 6, 16])
def test_right_masks_agree(shape, views):
    mesh = {"ball": shapes.icosphere(3), "torus": shapes.torus(), "plate": plate()}[shape]
    images = render_images(mesh, views, size=64, samples=2)
    found = mask_agreement(images.cameras, images.masks)
    assert found.share > 0.99 and (found.hold > 0.99).all()


def plate() -> Mesh:
    """Two pixels thick: thinner than a cell of the lattice."""
    ball = shapes.icosphere(3)
    return ball.with_vertices(ball.vertices * torch.tensor([1.0, 0.04, 1.0]))


@pytest.mark.parametrize("wrong", [0, 7])
def test_an_emptied_hull_names_the_view_that_empties_it(images, wrong):
    masks = images.masks.clone()
    masks[wrong] = 0
    text = rf"cover are view {wrong} \({images.names[wrong]}\): "
    with pytest.raises(ValueError, match=text) as e:
        FromImages(replace(images, masks=masks, depth=None, normals=None, colors=None))
    assert "\n" not in str(e.value) and str(e.value).count("view") == 1  # only that one
    with pytest.raises(ValueError, match=rf"cover are view {wrong}: 100%"):  # tensors have no names
        FromImages(images.cameras, masks=masks)
    FromImages(images.cameras, masks=masks, tolerance=1)


def test_masks_that_cut_off_a_part_are_told(images):
    masks = images.masks.clone()
    masks[9, :, :48] = 0  # half of the object is missing
    with pytest.warns(UserWarning, match="of what they cover, which is cut off") as told:
        cut = FromImages(images.cameras, masks=masks)
    (text,) = (str(warning.message) for warning in told)
    assert "others cover are view 9: " in text and text.count("view ") == 1
    share = int(re.search(r"about (\d+)%", text)[1]) / 100
    # what is missing of the hull is missing of its silhouettes, about
    places = cut.hull_of(images.masks).bounds()
    steps = [torch.linspace(float(a), float(b), 40) for a, b in places.T]
    points = torch.cartesian_prod(*steps)
    whole = (cut.hull_of(images.masks).field(points) < 0).sum()
    lost = 1 - float((cut.hull.field(points) < 0).sum() / whole)
    assert 0.5 * lost < share < 1.5 * lost


def test_masks_with_depth_are_held_together_where_the_depth_is():
    """Cameras that look at no one place: one alone, parallel ones, those of a room from inside."""
    ball = shapes.icosphere(3)
    pose = Camera.look_at((0, 0, 3))
    one = Camera(pose.view[None], pose.focal[None], pose.centre[None])
    beside = pose.view.clone()
    beside[0, 3] += 0.2
    two = Camera(torch.stack([pose.view, beside]), pose.focal, pose.centre)
    room = sphere_cameras(8, radius=0.3, fov=80)
    for cameras in (one, two, room):
        seen = render(ball, cameras, 48, channels=("mask", "depth"))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            FromImages(cameras, masks=seen["mask"], depth=seen["depth"])


def test_cameras_far_off_are_refused_where_they_are_not_moved(images):
    far = images.moved(torch.tensor([5e5, 4e6, 0.0]))
    with pytest.raises(ValueError, match=r"expected near the origin.*reconstruct"):
        FromImages(far)


def test_a_texture_is_not_multiplied_by_older_colours():
    ball = shapes.icosphere(1)
    uv = CornerAttribute(torch.rand(12, 2), torch.zeros_like(ball.faces))
    red = torch.tensor([1.0, 0, 0])
    given = Mesh(
        ball.vertices, ball.faces,
        vertex_attributes={"color": red.expand(ball.num_vertices, 3), "heat": ball.vertices[:, 0]},
        face_attributes={"color": red.expand(ball.num_faces, 3)},
        corner_attributes={"uv": uv, "color": CornerAttribute(red[None], uv.index * 0)},
    )  # fmt: skip
    made = textured(given, torch.full((4, 4, 3), 0.5))
    color = render(made, Camera.look_at((0, 0, 3)), 24, channels=("mask", "color"))
    assert (color["color"][color["mask"] > 0] - 0.5).abs().max() < 0.01
    assert "heat" in made.vertex_attributes
    with pytest.raises(ValueError, match='expected texture coordinates, an attribute "uv"'):
        textured(ball, torch.zeros(4, 4, 3))


def test_shifted_masks_are_found(images):
    masks = images.masks.clone()
    masks[5] = masks[5].roll(30, 1)
    found = mask_agreement(images.cameras, masks)
    assert found.share < 0.9 and int(found.blame.argmax()) == 5


def test_an_object_beyond_the_image_agrees():
    """A close-up says nothing of what is beside it."""
    cams = sphere_cameras(8, radius=3.4, fov=24.0)
    images = render_images(shapes.torus(), cams, size=64, samples=2)
    assert mask_agreement(images.cameras, images.masks).share > 0.99
    known = torch.ones_like(images.masks, dtype=torch.bool)
    known[:, :, :20] = False
    assert mask_agreement(images.cameras, images.masks * known, known).share > 0.98


# --- fits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "bound"),
    [
        (("masks", "depth"), 2.5e-3),
        (("depth",), 3e-3),
        (("masks", "normals"), 5e-3),
        (("masks", "colors"), 7e-3),
        (("masks",), 8e-3),
    ],
)
def test_fits_every_subset(images, wanted, kinds, bound):
    target = FromImages(images.only(kinds))
    shape = FlexiCubes(28, bounds=target.bounds)
    shape.initialize(target.field)
    before = chamfer(shape.final_mesh(), wanted)
    mesh = fit(shape, target, steps=50, progress=False).mesh
    assert mesh.is_watertight and mesh.is_consistently_oriented
    assert mesh.topology.euler_number == 0
    after = chamfer(mesh, wanted)
    assert after < bound and after < 0.8 * before


def test_the_same_on_any_number_of_threads_and_resumed(images, tmp_path):
    def run(**more):
        target = FromImages(images)
        return fit(FlexiCubes(16, bounds=target.bounds), target, steps=4, progress=False, **more)

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = run()
        torch.set_num_threads(2)
        two = run(checkpoint=tmp_path)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(one.mesh.vertices, two.mesh.vertices)
    assert one.history["loss"] == two.history["loss"]
    assert Image.open(tmp_path / "sheet.png").size[0] > 300  # the contact sheet

    def stop(step, *_):
        if step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(checkpoint=tmp_path / "b", callback=stop)
    again = run(checkpoint=tmp_path / "b", resume=True)
    assert torch.equal(one.mesh.vertices, again.mesh.vertices)


def test_parts_that_no_camera_sees_are_left_out(images, wanted):
    bubble = shapes.icosphere(1)
    ring = wanted.vertices[(wanted.vertices[:, 0] > 0.4)].mean(0)
    both = Mesh(
        torch.cat((wanted.vertices, bubble.vertices * 0.01 + ring)),
        torch.cat((wanted.faces, bubble.faces + wanted.num_vertices)),
    )
    kept = FromImages(images).finish(both)
    assert torch.equal(kept.faces, wanted.faces)


def test_small_images_for_coarse_grids(images):
    target = FromImages(images)
    assert target.level(1e-3).size == (96, 96) and target.level(0.5).size == (48, 48)


def test_background_and_alpha_give_masks(images, wanted):
    opaque = images.colors[..., :3] * images.masks[..., None] + (1 - images.masks[..., None])
    target = FromImages(images.cameras, colors=opaque, background=(1, 1, 1))
    assert ((target.levels[0].images["masks"] > 0.5) != (images.masks > 0)).float().mean() < 0.01
    target = FromImages(images.cameras, colors=images.colors)
    assert torch.equal(target.levels[0].images["masks"], images.masks)
    assert set(target.default_weights) == {"mask", "color", "smooth"}


def test_reconstruct_paints_nothing_by_itself(images, wanted):
    result = reconstruct(images.only(("masks", "depth")), resolution=16, steps=5, progress=False)
    assert result.mesh.is_watertight and not result.mesh.vertex_attributes


# --- colours ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def painted(wanted):
    v = wanted.vertices
    color = 0.5 + 0.5 * torch.stack((torch.sin(6 * v[:, 0]), torch.cos(5 * v[:, 2]), v[:, 1]), 1)
    mesh = Mesh(v, wanted.faces, vertex_attributes={"color": color.clamp(0, 1)})
    return mesh, render_images(mesh, 16, size=96, samples=3, light=None)


def test_vertex_colors_come_back(painted, wanted):
    mesh, images = painted
    found = fit_vertex_colors(wanted, images).vertex_attributes["color"]
    off = (found - mesh.vertex_attributes["color"]).abs()
    assert off.mean() < 0.02 and off.quantile(0.95) < 0.06


def test_a_texture_looks_like_the_images(painted, wanted, tmp_path):
    pytest.importorskip("xatlas")
    images = painted[1]
    made, texture = fit_texture(wanted, images, size=128)
    assert texture.shape == (128, 128, 3) and texture.min() >= 0 and texture.max() <= 1
    assert torch.equal(made.vertices, wanted.vertices)
    uv = made.corner_attributes["uv"]
    assert uv.values.min() >= 0 and uv.values.max() <= 1
    seen = render(made, images.cameras[0:4], 96, channels=("color",), texture=texture)["color"]
    inside = images.masks[:4] == 1
    assert (seen - images.colors[:4, ..., :3])[inside].abs().mean() < 0.03
    # and by itself, from a file, as it does with the texture beside it
    made.save(tmp_path / "a.glb")
    back = render(load(tmp_path / "a.glb"), images.cameras[0:4], 96, channels=("color",))["color"]
    assert (back - seen)[inside].abs().mean() < 0.005


def test_photographs_of_a_textured_mesh_give_its_texture_back(wanted, tmp_path):
    """From a file with a texture through a folder of images to another one."""
    pytest.importorskip("xatlas")
    texels = torch.zeros(64, 64, 3)
    texels[:, :32, 0] = texels[:32, :, 1] = texels[:, 20:44, 2] = 1
    uv = wanted.vertices[:, :2] - wanted.vertices[:, :2].amin(0)
    mesh = Mesh(wanted.vertices, wanted.faces, vertex_attributes={"uv": uv / uv.amax(0)})
    textured(mesh, texels).save(tmp_path / "a.glb")
    save_images(render_images(load(tmp_path / "a.glb"), 12, size=96, light=None), tmp_path / "d")
    images = load_images(tmp_path / "d")
    found, _ = fit_texture(wanted, images, size=256)
    found.save(tmp_path / "b.obj")
    seen = render(load(tmp_path / "b.obj"), images.cameras, 96, channels=("color",))["color"]
    inside = images.masks == 1
    off = (seen - images.colors[..., :3])[inside].abs()
    assert off.mean() < 0.03 and images.colors[..., :3][inside].std() > 0.3


def test_without_xatlas_the_error_names_the_extra(wanted, painted, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "xatlas", None)
    with pytest.raises(ImportError, match=r"meshlearn\[texture\]"):
        fit_texture(wanted, painted[1])


def test_colours_need_colours(images, wanted):
    with pytest.raises(ValueError, match="expected colors, got only masks"):
        fit_vertex_colors(wanted, images.only(("masks",)))
    with pytest.raises(ValueError, match="no faces"):
        fit_vertex_colors(Mesh(wanted.vertices, wanted.faces[:0]), images)
    with pytest.raises(ValueError, match="no pixel sees"):
        fit_vertex_colors(wanted.with_vertices(wanted.vertices + 99), images)


# --- bad input ----------------------------------------------------------------------------------


def test_bad_images_are_refused(images):
    cams, masks = images.cameras, images.masks
    nan = images.colors.clone()
    nan[0, 0, 0] = math.nan
    for make, text in (
        (lambda: FromImages(cams), "expected masks, depth, normals or colors"),
        (lambda: FromImages(cams[0], masks=masks[:1]), "expected a batch"),
        (lambda: FromImages(cams, masks=masks[:3]), "one image for each of 16 cameras, got 3"),
        (lambda: FromImages(cams, masks=masks, depth=images.depth[:, :48]), "of one size"),
        (lambda: FromImages(cams, masks=masks[0]), r"masks: expected shape \(N, H, W\)"),
        (lambda: FromImages(cams, colors=images.colors[..., :3]), "masks: are missing"),
        (lambda: FromImages(cams, masks=masks * 0), "no pixel is covered"),
        (lambda: FromImages(cams, masks=masks * 255), "values in 0 to 1"),
        (lambda: FromImages(cams, colors=nan), "NaN"),
        (lambda: FromImages(images, views=0), "views"),
        (lambda: FromImages(images, light="lamp"), "light"),
        (lambda: FromImages(images, tolerance=16), "tolerance"),
        (lambda: FromImages(images, background=(1, 1)), "three numbers"),
        (lambda: FromImages(images, bounds=((1, 1, 1), (0, 0, 0))), "lower below upper"),
    ):
        with pytest.raises(ValueError, match=text) as found:
            make()
        assert "\n" not in str(found.value)


def test_nan_depth_is_no_depth(images):
    depth = torch.where(images.depth > 0, images.depth, torch.nan)
    target = targets.FromImages(images.cameras, masks=images.masks, depth=depth)
    assert torch.equal(target.levels[0].images["depth"], images.depth)


def test_image_sheet(tmp_path):
    row = [torch.rand(20, 30), torch.rand(20, 30, 3)]
    path = image_sheet([row, row], tmp_path / "a.png", labels=["x", "y"], heads=["1", "2"])
    assert Image.open(path).size[0] > 60
    with pytest.raises(ValueError, match="one image or more"):
        image_sheet([], path)


# --- the aim ---------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kinds", "bound"),
    [
        ("spot", ("masks", "depth"), 1.2e-3),
        ("spot", ("masks", "normals"), 1.2e-3),
        ("spot", ("masks", "colors"), 1.0e-3),
        ("block", ("masks", "depth"), 1.2e-3),
        ("armadillo", ("masks", "depth"), 1.2e-3),
        ("armadillo", ("masks", "normals"), 1.2e-3),
    ],
)
def test_real_meshes_come_back_from_forty_views(tmp_path, name, kinds, bound):
    """Mean distance both ways, in bounding-box diagonals, on a grid of 64 cells."""
    goal = load(shared_data("meshes", f"{name}.obj"))
    save_images(render_images(goal, 40, size=256), tmp_path / "views")
    mesh = reconstruct(load_images(tmp_path / "views", use=kinds), progress=False).mesh
    assert mesh.is_watertight and mesh.is_edge_manifold and mesh.is_consistently_oriented
    figures = metrics.compare(mesh, goal, samples=50_000, quality=False)
    assert figures["accuracy"] <= bound and figures["completeness"] <= bound
