"""G-Shell as a representation: open meshes, points and images; sparse refinement; what is told."""

import warnings

import pytest
import torch

import meshlearn as ml
from meshlearn.data import open_shapes
from meshlearn.data.families import shape
from meshlearn.isosurface import SparseVoxelGrid
from meshlearn.reconstruct import fit, reconstruct, targets
from meshlearn.reconstruct.poisson import oriented_normals, point_noise, smoothed_points
from meshlearn.reconstruct.targets.boundary import MeshBoundary
from meshlearn.reconstruct.targets.open_surfaces import closed_masks
from meshlearn.reconstruct.targets.point_normals import estimate_normals
from meshlearn.render.image_set import render_images
from meshlearn.representations import FlexiCubes, GShell


def fitted(target, *, resolution=16, steps=8, **options):
    shape = GShell(resolution, bounds=target.bounds, **options)
    return fit(shape, target, steps=steps, resolution=resolution, progress=False).mesh


def check_open(mesh, source, loops):
    assert len(mesh.topology.boundary_loops()) == loops
    assert mesh.is_edge_manifold and mesh.is_consistently_oriented
    found = ml.metrics.compare(mesh, source, samples=4000, quality=False)
    assert found["boundary_loops_pred"] == loops
    return found


@pytest.mark.parametrize("method", ["flexicubes", "tets"])
@pytest.mark.parametrize("name,loops", [("bowl", 1), ("skirt", 2)])
def test_open_meshes(method, name, loops):
    source = getattr(open_shapes, name)()
    found = check_open(fitted(targets.FromMesh(source, samples=3000), method=method), source, loops)
    assert found["chamfer"] < 2.5e-3 and found["boundary_chamfer"] < 8e-3
    assert found["accuracy"] < 1.5 * found["completeness"] + 1e-3  # a single sheet, not two
    assert found["flipped_normals_percent"] < 2


def test_a_flat_sheet_has_a_template():
    source = open_shapes.leaf()
    found = check_open(
        fitted(targets.FromMesh(source, samples=3000), resolution=24, steps=5), source, 1
    )
    assert found["chamfer"] < 4e-3


def test_a_closed_target_stays_closed():
    source = ml.data.shapes.torus()
    mesh = fitted(targets.FromMesh(source, samples=3000), steps=6)
    assert mesh.is_watertight and mesh.topology.genus == 1
    assert int(mesh.vertex_attributes["boundary"].sum()) == 0


@pytest.mark.parametrize("oriented", [pytest.param(True, marks=pytest.mark.slow), False])
def test_points_alone_give_the_openings(oriented):
    source = open_shapes.skirt()
    generator = torch.Generator().manual_seed(0)
    points, normals = ml.sample_points(source, 5000, normals=True, generator=generator)
    points = points + 0.004 * torch.randn(points.shape, generator=generator)
    target = targets.FromPoints(points, normals if oriented else None, noise=0.004, samples=3000)
    found = check_open(fitted(target), source, 2)
    assert found["chamfer"] < 6e-3


@pytest.mark.slow
def test_images_give_the_openings():
    source = open_shapes.sphere_with_holes(2, opening=40.0, subdivisions=4)
    images = render_images(source, 16, size=64, samples=2, progress=False)
    target = targets.FromImages(images.only(("masks", "normals")))
    found = check_open(fitted(target, resolution=24, steps=15), source, 2)
    assert found["chamfer"] < 2e-2


def test_evidence_of_images():
    """The template of a sphere with a hole is a sphere: its cap is seen not to be there."""
    source = open_shapes.sphere_with_holes(1, opening=45.0, subdivisions=4)
    template = ml.data.shapes.icosphere(3)
    images = render_images(source, 12, size=64, samples=1, progress=False)
    middle = template.vertices[:, 0]
    for kinds in (("masks", "normals"), ("masks", "depth")):
        said = targets.FromImages(images.only(kinds)).evidence(template, 0.1)
        assert float(said[middle > 0.85].max()) < 0 < float(said[middle < 0.3].min())
    for two_sided in (True, False):  # one cannot tell a flat cap by normals turned to the camera
        target = targets.FromImages(images.only(("masks", "normals")), two_sided=two_sided)
        assert float(target.evidence(template, 0.1)[middle < 0.3].min()) > 0


def test_gaps_are_closed_where_one_looks_through_openings():
    def gaps(source):
        images = render_images(source, 24, size=64, samples=1, progress=False)
        return images.masks, closed_masks(images.cameras, images.masks, images.normals)

    masks, closed = gaps(open_shapes.sphere_with_holes(2, opening=50.0, subdivisions=4))
    added = closed != masks
    assert int(added.any((1, 2)).sum()) >= 2 and bool((closed[added] == 1).all())
    ball = render_images(ml.data.shapes.icosphere(4), 24, size=64, samples=1, progress=False)
    assert float((closed >= 0.5).float().mean()) <= float((ball.masks > 0).float().mean()) + 0.02
    masks, closed = gaps(ml.data.shapes.torus())  # its hole is no opening: it shows no back
    assert torch.equal(masks, closed)


def test_msdf_of_a_boundary():
    plane = ml.data.shapes.plane(dtype=torch.float64)
    boundary = MeshBoundary(plane)
    points = torch.tensor([[0.0, 0, 0.1], [0.4, 0, 0], [0.7, 0, 0]], dtype=torch.float64)
    closest = points.clone()
    closest[:, 2] = 0
    closest[2, 0] = 0.5
    want = torch.tensor([0.5, 0.1, -0.2], dtype=torch.float64)
    assert torch.allclose(boundary.msdf(points, closest, 9.0), want, atol=1e-3)
    assert len(MeshBoundary(ml.data.shapes.box()).points) == 0


def test_normals_of_unoriented_points_agree():
    source = open_shapes.bowl()
    generator = torch.Generator().manual_seed(0)
    points, normals = ml.sample_points(source, 2000, normals=True, generator=generator)
    cosine = (estimate_normals(points) * normals).sum(1)
    assert float(cosine.min()) > 0.9 or float(cosine.max()) < -0.9


@pytest.mark.parametrize("kind", [pytest.param(FlexiCubes, marks=pytest.mark.slow), GShell])
def test_sparse_refinement(kind):
    source = ml.data.shapes.torus() if kind is FlexiCubes else open_shapes.skirt()
    target = targets.FromMesh(source, samples=4000)
    shape = kind(16, bounds=target.bounds, sparse=True)
    result = fit(shape, target, steps=7, resolution=(16, 32, 64), progress=False)
    assert isinstance(shape.grid, SparseVoxelGrid) and max(shape.grid.resolution) == 64
    assert shape.grid.num_cells < 0.6 * shape.grid.resolution[0] * 64 * shape.grid.resolution[2]
    found = ml.metrics.compare(result.mesh, source, samples=4000, quality=False)
    assert found["chamfer"] < 3e-3
    if kind is FlexiCubes:
        assert result.mesh.is_watertight
    with pytest.raises(ValueError, match="resolution: expected 128, twice"):
        shape.refine(100)


def test_regularisers_open_what_is_unseen_and_close_what_is_seen():
    class Half(targets.Target):
        def evidence(self, template, scale):
            return torch.sign(template.vertices[:, 2] - 0.01)

    shape = GShell(12)
    shape.initialize(lambda p: p.norm(dim=1) - 0.6)
    with torch.no_grad():
        shape.msdf.fill_(0.1)
    optimizer = torch.optim.Adam([shape.msdf], lr=0.05)
    for _ in range(20):
        shape()
        losses = shape.guided(Half(), 0)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        assert shape.sdf.grad is None or float(shape.sdf.grad.abs().sum()) == 0
        optimizer.step()
    assert shape.guided(Half(), 1) == {}  # only on every fifth step
    mesh = shape.final_mesh()
    assert len(mesh.topology.boundary_loops()) == 1
    assert float(mesh.vertices[:, 2].min()) > -0.15


def test_specks_go_and_large_openings_stay():
    shape = GShell(24)
    shape.initialize(
        lambda p: p.norm(dim=1) - 0.6,
        lambda p: torch.minimum(
            torch.minimum(0.3 - p[:, 2], (p - torch.tensor([0.6, 0, 0])).norm(dim=1) - 0.12),
            1 + 0 * p[:, 0],
        ),
    )
    assert len(shape.eval()().mesh.topology.boundary_loops()) == 2
    mesh = shape.final_mesh()
    assert len(mesh.topology.boundary_loops()) == 1
    assert len(mesh.topology.boundary_loops()[0]) == int(mesh.vertex_attributes["boundary"].sum())
    shape.speckle = 0.0
    assert len(shape.final_mesh().topology.boundary_loops()) == 2


def test_a_bubble_beside_the_template_goes_whatever_its_msdf():
    def field(p):
        bubble = (p - torch.tensor([0.85, 0.85, 0.85])).norm(dim=1) - 0.1
        return torch.minimum(p.norm(dim=1) - 0.6, bubble)

    shape = GShell(24)
    shape.initialize(field, lambda p: torch.where(p[:, 0] > 0.85, -0.1, 0.1) * (1 + 0 * p[:, 0]))
    assert shape.eval()().mesh.topology.components().count == 2
    mesh = shape.final_mesh()
    assert mesh.topology.components().count == 1 and mesh.is_watertight


def test_a_resumed_fit_goes_on_the_same(tmp_path):
    target = targets.FromMesh(open_shapes.bowl(segments=24, rings=8), samples=1000)

    def run(steps, **options):
        shape = GShell(12, bounds=target.bounds)
        return fit(shape, target, steps=8, resolution=12, progress=False, **options)

    whole = run(8).mesh

    def stop(step, mesh, terms):
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(8, checkpoint=tmp_path, callback=stop)
    again = run(8, checkpoint=tmp_path, resume=True).mesh
    assert torch.equal(whole.vertices, again.vertices) and torch.equal(whole.faces, again.faces)


def test_an_open_mesh_for_a_closed_method_is_told():
    source = open_shapes.bowl(segments=24, rings=8)
    with pytest.warns(UserWarning, match="1 boundary loops.*method 'gshell'.* fits it open"):
        reconstruct(source, method="flexicubes", resolution=8, steps=0, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reconstruct(source, method="gshell", resolution=16, steps=0, progress=False)


def test_a_one_sided_mesh_is_told_and_sides_that_differ_are_turned():
    band = ml.data.shapes.moebius()
    with pytest.warns(UserWarning, match="cannot be oriented .* seam"):
        reconstruct(band, method="gshell", resolution=16, steps=0, progress=False)
    bowl = open_shapes.bowl(segments=24, rings=8)
    faces = bowl.faces.clone()
    faces[::2] = faces[::2].flip(1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mixed = ml.Mesh(bowl.vertices, faces)
        mesh = reconstruct(mixed, method="gshell", resolution=16, steps=0, progress=False).mesh
    assert len(mesh.topology.boundary_loops()) == 1


def test_noisy_points_are_smoothed_and_clean_ones_are_left():
    source = open_shapes.skirt(folds=0)
    generator = torch.Generator().manual_seed(0)
    clean = ml.sample_points(source, 6000, generator=generator)
    clean = getattr(clean, "points", clean)
    noisy = clean + 0.02 * torch.randn(clean.shape, generator=generator)
    assert 0.012 < point_noise(noisy) < 0.024 and point_noise(clean) < 0.004
    assert torch.equal(targets.FromPoints(clean).points, clean)
    same = targets.FromPoints(noisy, noise=1e-4).points
    assert torch.equal(same, noisy)  # as one says

    def off(points):
        return float(ml.point_mesh_distance(points, source)[0].sqrt().mean())

    known = {"noise": 0.02, "spacing": 0.02}
    smooth = smoothed_points(noisy, oriented_normals(noisy, **known), **known)[0]
    assert off(smooth) < 0.4 * off(noisy)
    for told in (None, 0.02):  # measured, or said
        found = targets.FromPoints(noisy, noise=told).points
        assert off(found) < 0.3 * off(noisy)


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [("masks", "depth"), ("masks", "normals", "colors")])
def test_depth_and_colours_give_the_openings(kinds):
    source = open_shapes.shirt(subdivisions=4)
    images = render_images(source, 24, size=96, samples=1, progress=False).only(kinds)
    mesh = reconstruct(images, method="gshell", resolution=32, steps=60, progress=False).mesh
    large = [loop for loop in mesh.topology.boundary_loops() if len(loop) > 12]
    assert len(large) == 4
    found = ml.metrics.compare(mesh, source, samples=4000, quality=False)
    assert found["accuracy"] < 1.5 * found["completeness"] and found["chamfer"] < 4e-3


BAD = [
    (lambda: GShell(16, method="cubes"), "method: expected 'flexicubes' or 'tets'"),
    (lambda: GShell(16, method="tets", sparse=True), "sparse: expected False"),
    (
        lambda: GShell(8).initialize(lambda p: p[:, 0], lambda p: p[:, 0] * float("nan")),
        "msdf: it gives NaN",
    ),
    (
        lambda: reconstruct(open_shapes.bowl(), method="gshell", resolution=130, sparse=True),
        "resolution: expected 16 to 64 cells times a power of two",
    ),
    (
        lambda: targets.FromPoints(torch.rand(20, 3), torch.full((20, 3), float("nan"))),
        "normals: .* NaN",
    ),
]


@pytest.mark.parametrize("call,message", BAD)
def test_bad_input_is_one_sentence(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_features_of_a_sparse_cloud_are_no_noise():
    bent = ml.sample_points(
        shape("cars", 1000).mesh, 2000, generator=torch.Generator().manual_seed(0)
    )
    spacing = targets.FromPoints(bent).spacing
    shift = torch.randn(bent.shape, generator=torch.Generator().manual_seed(1))
    assert point_noise(bent) < 0.05 * spacing
    assert point_noise(bent + 0.15 * spacing * shift) == pytest.approx(0.15 * spacing, rel=0.3)
    assert point_noise(bent + 0.6 * spacing * shift) > 0.45 * spacing
    torch.testing.assert_close(targets.FromPoints(bent).points, bent)
