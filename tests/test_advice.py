"""What a refusal says to do works when it is done, and mixes nothing up."""

import re
from functools import partial

import pytest
import torch

import meshlearn as ml
from meshlearn._validate import check_tensor, mend_of_shape
from meshlearn.data import shapes
from meshlearn.geometry import ray_mesh_intersection
from meshlearn.mesh import cut_mesh

GRID = ml.VoxelGrid(12)
SDF = GRID.vertices.norm(dim=1) - 0.6


def refusal(call) -> str:
    with pytest.raises(ValueError) as error:
        call()
    return str(error.value)


def followed(text: str, value: torch.Tensor) -> torch.Tensor:
    """`value` after the one expression that the sentence gives."""
    found = re.search(r"(\.T|\.(?:permute|reshape|flatten)\([\d, ]*\)(?:\.T)?)$", text)
    assert found, text
    return eval(f"value{found[1]}", {"value": value})


@pytest.mark.parametrize(
    ("shape", "got"),
    [
        ((4096, 8), (8, 4096)),
        ((8, 12, 3), (3, 8, 12)),
        ((4096,), (4096, 1)),
        ((4096,), (1, 4096)),
        ((5, 1, 3), (5, 3)),
        (("P", 3), (3,)),
        (("P", 3), (3, 7)),
        ((24, 5), (2, 3, 4, 5)),
        ((24, 5), (5, 2, 3, 4)),
    ],
)
def test_advice_on_shapes_keeps_every_value_in_its_row(shape, got):
    value = torch.arange(torch.Size(got).numel()).reshape(got)
    text = refusal(lambda: check_tensor(value, "x", shape=shape))
    made = followed(text, value)
    check_tensor(made, "x", shape=shape)
    axis = next((k for k, size in enumerate(got) if size == shape[-1]), None)
    if len(shape) == 2 and len(got) > 1 and axis is not None:  # values along the last axis stay so
        first = value.movedim(axis, -1).reshape(-1, got[axis])[0]
        assert torch.equal(made[0], first)


@pytest.mark.parametrize(
    ("shape", "got", "text"),
    [
        ((4096, 8), (4096,), "it takes 32,768 values, and these are 4,096"),
        ((4096, 8), (4096, 12), "it takes 32,768 values, and these are 49,152"),
        (("P", 3), (7, 2), "it takes 3 of axis 1"),
        (("P", 3), (2, 5, 3), "pass its items one at a time, as [0]"),
        (("P", 3), (4, 2, 5, 3), "pass its items one at a time, as [0, 0]"),
        (("P", "N", 3), (7, 2), "it takes 3 axes"),
    ],
)
def test_where_no_expression_serves_none_is_given(shape, got, text):
    assert mend_of_shape(shape, got) == text


def test_weights_the_wrong_way_round_are_transposed_not_reshaped():
    generator = torch.Generator().manual_seed(0)
    for name, count in (("alpha", 8), ("beta", 12)):
        right = torch.rand(GRID.num_cells, count, generator=generator) + 0.5
        wrong = right.T.contiguous()
        said = refusal(partial(ml.flexicubes, GRID, SDF, **{name: wrong}))
        made = ml.flexicubes(GRID, SDF, **{name: followed(said, wrong)})
        assert torch.equal(
            made.mesh.vertices, ml.flexicubes(GRID, SDF, **{name: right}).mesh.vertices
        )
    turned = torch.zeros(3, GRID.num_vertices)
    said = refusal(lambda: ml.flexicubes(GRID, SDF, deform=turned))
    assert ml.flexicubes(GRID, SDF, deform=followed(said, turned)).mesh.is_watertight


@pytest.mark.parametrize("operator", [ml.marching_cubes, ml.dual_marching_cubes, ml.flexicubes])
@pytest.mark.parametrize("flat", [False, True])
def test_values_of_cells_become_a_grid_of_their_centres(operator, flat):
    """A field of a function sampled at the centres of the cells, as voxels are."""
    grid = ml.VoxelGrid((16, 12, 14), bounds=((-1.0, -1.0, -1.0), (1.5, 1.0, 1.2)))
    low, high = (torch.tensor(end, dtype=torch.float64) for end in grid.bounds)
    step = (high - low) / torch.tensor(grid.resolution)
    axes = [torch.arange(n) for n in grid.resolution]
    centres = low + (torch.cartesian_prod(*axes) + 0.5) * step
    voxels = (centres.norm(dim=1) - 0.7).float()
    if not flat:
        voxels = voxels.reshape(grid.resolution)
    said = refusal(lambda: operator(grid, voxels))
    assert "values of the cells" in said and "grid.vertices" in said
    given = re.search(r"VoxelGrid\(.*\)\)$", said)
    assert given, said
    centred = eval(given[0], {"VoxelGrid": ml.VoxelGrid})
    made = operator(centred, voxels.reshape(-1))
    mesh = made if isinstance(made, ml.Mesh) else made.mesh
    radius = mesh.vertices.norm(dim=1)
    assert mesh.is_watertight and float((radius - 0.7).abs().max()) < 0.03
    exact = operator(grid, grid.vertices.norm(dim=1) - 0.7)  # the other advice
    mesh = exact if isinstance(exact, ml.Mesh) else exact.mesh
    assert float((mesh.vertices.norm(dim=1) - 0.7).abs().max()) < 0.03


def test_a_volume_with_its_axes_in_another_order_is_permuted():
    grid = ml.VoxelGrid((4, 6, 8))
    right = torch.rand(grid.shape)
    said = refusal(lambda: ml.marching_cubes(grid, right.permute(2, 1, 0)))
    assert torch.equal(followed(said, right.permute(2, 1, 0)), right)
    said = refusal(lambda: ml.marching_cubes(grid, torch.rand(5, 5, 5)))
    assert said.endswith("it takes 315 values, and these are 125")


def test_lists_are_stacked_where_that_serves_and_else_taken_one_by_one():
    mesh = shapes.icosphere(1)
    ragged = [torch.rand(4, 3), torch.rand(6, 3)]
    said = refusal(lambda: ml.signed_distance(ragged, mesh))
    assert said.endswith("pass them one at a time, as points[0]")
    assert ml.signed_distance(ragged[0], mesh).shape == (4,)
    said = refusal(lambda: ml.signed_distance(torch.rand(2, 4, 3), mesh))
    assert said.endswith("pass its items one at a time, as [0]")

    def strict(value: object) -> torch.Tensor:
        return check_tensor(value, "x", shape=("P", 3))

    assert refusal(lambda: strict(ragged)).endswith("pass its tensors one at a time, as x[0]")
    assert refusal(lambda: strict(list(torch.rand(2, 4, 3)))).endswith("as x[0]")
    rows = list(torch.rand(4, 3))
    assert refusal(lambda: strict(rows)).endswith("torch.stack makes one of these")
    assert strict(torch.stack(rows)).shape == (4, 3)
    assert refusal(lambda: strict([[1.0, 2.0, 3.0]])).endswith("with torch.as_tensor")
    assert strict(torch.as_tensor([[1.0, 2.0, 3.0]])).shape == (1, 3)
    for wrong in ([[1.0, 2.0, 3.0], [1.0]], "points", None):
        said = refusal(lambda wrong=wrong: strict(wrong))
        assert said.endswith("pass numbers in rows of one length")


def test_dtypes_devices_and_numbers_are_mended_as_said():
    mesh = shapes.icosphere(1)
    points = torch.rand(5, 3, dtype=torch.float64)
    said = refusal(lambda: ml.signed_distance(points, mesh))
    assert said.endswith("convert it with .to(torch.float32)")
    assert ml.signed_distance(points.to(torch.float32), mesh).shape == (5,)
    said = refusal(lambda: ray_mesh_intersection(torch.rand(5, 3), torch.rand(1, 3), mesh))
    assert said.endswith("pass one direction for each origin")
    toward = torch.rand(1, 3).expand(5, 3)
    assert ray_mesh_intersection(torch.rand(5, 3), toward, mesh).face.shape == (5,)
    said = refusal(lambda: ml.chamfer_distance([points], [points, points[:0]]))
    assert "as many clouds as in x" in said
    said = refusal(lambda: ml.chamfer_distance([points, points], [points, points[:0]]))
    assert said.endswith("leave empty clouds out")
    assert float(ml.chamfer_distance([points], [points])) == 0


def _render(v: torch.Tensor, channel: str, **options) -> torch.Tensor:
    camera = ml.Camera.look_at((0.0, 0.3, 3.0), (0.0, 0.0, 0.0))
    mesh = shapes.icosphere(1).with_vertices(v)
    return ml.render(mesh, camera, 16, channels=(channel,), **options)[channel].square().sum()


TETS = ml.TetGrid.from_voxels(5)
BALL = shapes.icosphere(1)
ONCE = {
    "marching_cubes": (lambda q: ml.marching_cubes(GRID, q).area(), SDF),
    "dual_marching_cubes": (lambda q: ml.dual_marching_cubes(GRID, q).area(), SDF),
    "flexicubes": (lambda q: ml.flexicubes(GRID, q).mesh.area(), SDF),
    "marching_tetrahedra": (
        lambda q: ml.marching_tetrahedra(TETS, q).area(),
        TETS.vertices.norm(dim=1) - 0.6,
    ),
    "cut_mesh": (
        lambda v: cut_mesh(BALL.with_vertices(v), v[:, 2] + 0.1).mesh.area(),
        BALL.vertices,
    ),
    "rasterize": (lambda v: _render(v, "depth"), BALL.vertices),
    "antialias": (lambda v: _render(v, "mask", antialias=True), BALL.vertices),
    "texture": (
        lambda i: ml.texture(i, torch.full((2, 2, 2), 0.3)).square().sum(),
        torch.rand(4, 4, 3),
    ),
}


@pytest.mark.parametrize("name", ONCE)
def test_gradients_of_gradients_are_never_silently_zero(name):
    work, start = ONCE[name]
    x = start.clone().requires_grad_()
    (slope,) = torch.autograd.grad(work(x), x, create_graph=True)
    with pytest.raises(
        RuntimeError, match=f"{name}.*: its gradient cannot be differentiated again"
    ):
        slope.square().sum().backward()
    (plain,) = torch.autograd.grad(work(x), x)  # as the sentence says
    assert torch.equal(plain, slope.detach()) and not plain.requires_grad


def test_gradients_of_gradients_are_right_where_there_is_a_rule():
    planes = torch.tensor(
        [[1, 0, 0, -0.3], [0, 1, 0.1, -0.4], [0, 0.2, 1, -0.5], [-1, 0, 0, -0.3]],
        dtype=torch.float64,
    ).requires_grad_()
    box = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))

    def volume(p):
        return ml.intersect_halfspaces(p[None], bounds=box).volumes()

    assert torch.autograd.gradgradcheck(volume, (planes,))
    cloud = torch.rand(6, 3, dtype=torch.float64, requires_grad=True)
    other = torch.rand(5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(ml.chamfer_distance, (cloud, other))
