"""Self-intersections: against rational arithmetic, and by hand."""

import pytest
import torch

from meshlearn import Mesh
from meshlearn._native import HAS_NATIVE
from meshlearn.geometry.intersections import morton_order, self_intersections_reference
from meshlearn.metrics import self_intersections
from tests.render.shapes import box, plane, read, sphere
from tests.shared_data import shared_data

native_only = pytest.mark.skipif(not HAS_NATIVE, reason="native operators are not built")


def cat(*meshes: Mesh) -> Mesh:
    shift, faces = 0, []
    for m in meshes:
        faces.append(m.faces + shift)
        shift += m.num_vertices
    return Mesh(torch.cat([m.vertices for m in meshes]), torch.cat(faces))


def hit(mesh: Mesh) -> list[int]:
    """Faces that intersect another, said alike by the operator and the reference."""
    found = self_intersections(mesh)
    exact = self_intersections_reference(mesh.vertices, mesh.faces, None)
    assert torch.equal(found >= 0, exact >= 0)
    partner = found[found >= 0]
    assert bool((found[partner] >= 0).all())  # it is mutual
    return torch.nonzero(found >= 0).flatten().tolist()


@native_only
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(6))
def test_random_triangles(seed: int, dtype: torch.dtype) -> None:
    g = torch.Generator().manual_seed(seed)
    free = torch.rand(40, 3, generator=g, dtype=dtype)
    grid = torch.randint(0, 4, (40, 3), generator=g).to(dtype)  # many coplanar and touching ones
    tilted = torch.randint(0, 6, (30, 3), generator=g).to(dtype) * 0.1
    tilted[:, 2] = tilted[:, 0] * 0.3 + tilted[:, 1] * 0.7  # coplanar but for rounding
    for vertices in (free, grid, tilted):
        hit(Mesh(vertices, torch.randint(0, len(vertices), (25, 3), generator=g)))


@native_only
@pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 16, 17, 64, 65, 200])
def test_any_number_of_faces(count: int) -> None:
    """Trees of one level and more, whole ones and others; of several partners the first is named
    in the order of the faces in space."""
    g = torch.Generator().manual_seed(count)
    around = torch.rand(count, 1, 3, generator=g) + 0.3 * torch.rand(count, 3, 3, generator=g)
    mesh = Mesh(around.reshape(-1, 3), torch.arange(3 * count).reshape(-1, 3))
    hit(mesh)
    order, found = morton_order(mesh.vertices, mesh.faces), self_intersections(mesh)
    for face in range(0, count, 7):
        pairs = (Mesh(mesh.vertices, mesh.faces[[face, g]]) for g in order.tolist() if g != face)
        first = (int(g) for g, p in zip(order[order != face], pairs, strict=True) if hit(p))
        assert int(found[face]) == next(first, -1)


def test_sound_meshes_have_none() -> None:
    for mesh in (sphere(), box(), plane(5), cat(box(), box((1, 1, 1), (2, 2, 2)))):
        assert hit(mesh) == []


def test_a_needle_through_one_face() -> None:
    sheet = torch.tensor([[0.0, 0, 0], [4, 0, 0], [0, 4, 0], [4, 4, 0]])
    needle = torch.tensor([[1.0, 1, -1], [1, 1, 1], [1, 1.1, 1]])
    mesh = Mesh(torch.cat((sheet, needle)), torch.tensor([[0, 1, 2], [1, 3, 2], [4, 5, 6]]))
    assert hit(mesh) == [0, 2]
    lifted = mesh.with_vertices(mesh.vertices + torch.tensor([[0.0, 0, 0]] * 4 + [[0, 0, 1.5]] * 3))
    assert hit(lifted) == []
    touching = mesh.with_vertices(
        mesh.vertices + torch.tensor([[0.0, 0, 0]] * 4 + [[0, 0, 1.0]] * 3)
    )
    assert hit(touching) == [0, 2]


def test_two_boxes_that_overlap() -> None:
    mesh = cat(box((0, 0, 0), (2, 2, 2)), box((1, 0.5, 0.5), (3, 1.5, 1.5)))
    found = hit(mesh)
    # the side x = 2 of the first is pierced by the four long sides of the second
    sides = mesh.vertices[mesh.faces]
    pierced = [f for f in range(12) if bool((sides[f, :, 0] == 2).all())]
    assert [f for f in found if f < 12] == pierced
    ends = [f for f in range(12, 24) if bool((sides[f, :, 0] == sides[f, 0, 0]).all())]
    assert not set(found) & set(ends) and len(found) == 2 + 8


def test_neighbours() -> None:
    shared_edge = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0.2, 0.9, 0], [0, 0, 1.0]])
    # folded flat onto its neighbour, flat beside it, bent
    assert hit(Mesh(shared_edge, torch.tensor([[0, 1, 2], [1, 0, 3]]))) == [0, 1]
    beside = shared_edge * torch.tensor([[1.0], [1], [1], [-1], [1]])
    assert hit(Mesh(beside, torch.tensor([[0, 1, 2], [1, 0, 3]]))) == []
    assert hit(Mesh(shared_edge, torch.tensor([[0, 1, 2], [1, 0, 4]]))) == []
    # sharing one vertex: a wedge through the other, and one beside it
    through = torch.tensor([[0.0, 0, 0], [2, 1, 0], [2, -1, 0], [1, 0, 1], [1, 0, -1]])
    assert hit(Mesh(through, torch.tensor([[0, 1, 2], [0, 3, 4]]))) == [0, 1]
    away = through * torch.tensor([[1.0], [1], [1], [-1], [-1]])
    assert hit(Mesh(away, torch.tensor([[0, 1, 2], [0, 3, 4]]))) == []
    # duplicates, and the same by positions alone
    assert hit(Mesh(shared_edge, torch.tensor([[0, 1, 2], [2, 0, 1]]))) == [0, 1]
    soup = sphere()
    soup = Mesh(
        soup.vertices[soup.faces].reshape(-1, 3), torch.arange(3 * soup.num_faces).view(-1, 3)
    )
    assert hit(soup) == []


def test_what_has_no_area_or_is_not_finite_takes_no_part() -> None:
    vertices = torch.tensor(
        [[0.0, 0, 0], [2, 0, 0], [0, 2, 0], [0.5, 0.5, -1], [0.5, 0.5, 1], [torch.nan, 0, 0]]
    )
    assert hit(Mesh(vertices, torch.tensor([[0, 1, 2], [3, 4, 4], [3, 4, 5]]))) == []
    assert hit(Mesh(vertices[:0], torch.zeros(0, 3, dtype=torch.int64))) == []


def test_faces_with_a_corner_twice_beside_sound_ones() -> None:
    """Every face that names a corner twice, before and after the sound face in the order."""
    vertices = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0.2, 0.2, 1]], dtype=torch.float64)
    sound = [[0, 1, 2]]
    twice = [[a, b, c] for a in range(4) for b in range(4) for c in range(4) if len({a, b, c}) == 2]
    for faces in (sound + twice, twice + sound):
        assert hit(Mesh(vertices, torch.tensor(faces))) == []
    for corners in twice:  # alone with the sound face, so that both orders of the pair are asked
        assert hit(Mesh(vertices, torch.tensor([corners, *sound]))) == []
        assert hit(Mesh(vertices, torch.tensor([*sound, corners]))) == []


@pytest.mark.parametrize(
    ("name", "count"),
    [("beetle.obj", 71), ("truck.obj", 415), ("camelhead.off", 6), ("armadillo.obj", 0)],
)
def test_real_meshes(name: str, count: int) -> None:
    # counts as by CGAL's exact kernel
    if not HAS_NATIVE:
        pytest.skip("native operators are not built")
    assert int((self_intersections(read(shared_data("meshes", name))) >= 0).sum()) == count


@native_only
def test_threads_and_opcheck() -> None:
    g = torch.Generator().manual_seed(0)
    vertices = torch.rand(900, 3, generator=g)
    faces = torch.arange(900).view(-1, 3)
    order = morton_order(vertices, faces)
    torch.library.opcheck(torch.ops.meshlearn.self_intersections, (vertices, faces, order))
    threads = torch.get_num_threads()
    try:
        found = []
        for n in (1, 2):
            torch.set_num_threads(n)
            found.append(self_intersections(Mesh(vertices, faces)))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*found)
