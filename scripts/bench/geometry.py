"""Edits and measures of surfaces beside manifold3d, trimesh, pyvista, small_gicp and others.

The mesh is a bumpy ball of about 270,000 faces, as a scan would be; `--quick` takes a small one,
and leaves convex parts out.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from _common import ROOT, Bench, main, optional, version

import meshlearn as ml
from meshlearn import Mesh, geometry


def bumpy(rings: int) -> Mesh:
    """A closed surface of 4 rings² faces."""
    ball = ml.data.shapes.torus(segments=2 * rings, rings=rings)
    x, y, z = ball.vertices.unbind(1)
    noise = torch.randn(len(x), 1, generator=torch.Generator().manual_seed(0))
    scale = 1 + 0.05 * torch.sin(5 * x) * torch.cos(4 * y) + 0.02 * torch.sin(9 * z)
    return ball.with_vertices(ball.vertices * (scale[:, None] + 2e-4 * noise))


def fresh(mesh: Mesh) -> Mesh:
    """The same mesh, of whose connectivity nothing is known yet."""
    return Mesh(mesh.vertices, mesh.faces, validate=False)


def solid(library, mesh: Mesh):  # type: ignore[no-untyped-def]
    faces = np.ascontiguousarray(mesh.faces.numpy(), np.uint64)
    return library.Manifold(library.Mesh64(mesh.vertices.double().numpy(), faces))


def booleans(bench: Bench, mesh: Mesh) -> None:
    library = optional("manifold3d")
    other = mesh.rotate("x", 50).translate((0.3, 0.1, 0))

    def theirs() -> None:
        (solid(library, mesh) - solid(library, other)).to_mesh64()

    bench.compare(
        f"difference of two of {mesh.num_faces:,} faces",
        lambda: ml.boolean(fresh(mesh), fresh(other), "difference"),
        {version("manifold3d"): library and theirs},
        repeats=3,
    )


def simplification(bench: Bench, mesh: Mesh) -> None:
    """Times; and the mean distance from the surface, of its diagonal, which is what counts."""
    fast, optimizer = optional("fast_simplification"), optional("meshoptimizer")
    meshlib, arrays = optional("meshlib.mrmeshpy"), optional("meshlib.mrmeshnumpy")
    target = mesh.num_faces // 13
    points, faces = mesh.vertices.float().numpy(), mesh.faces.int().numpy()
    made: dict[str, Mesh] = {}

    def ours() -> None:
        made["meshlearn"] = geometry.simplify(fresh(mesh), target)

    def by_fast() -> None:
        found = fast.simplify(points, faces, target_count=target)
        made[version("fast_simplification")] = Mesh(*found)

    def by_optimizer() -> None:
        index = np.zeros(faces.size, np.uint32)
        count = optimizer.simplify(
            index,
            faces.reshape(-1).astype(np.uint32),
            points,
            target_index_count=3 * target,
            target_error=1.0,
        )
        kept = index[:count].reshape(-1, 3).astype(np.int64)
        made[version("meshoptimizer")] = Mesh(points, kept).remove_unreferenced().mesh

    def by_meshlib() -> None:
        other = arrays.meshFromFacesVerts(faces, points)
        settings = meshlib.DecimateSettings()
        settings.maxDeletedFaces = len(faces) - target
        settings.maxError, settings.packMesh = 1e9, True
        meshlib.decimateMesh(other, settings)
        found = arrays.getNumpyFaces(other.topology).astype(np.int64)
        made[version("meshlib")] = Mesh(arrays.getNumpyVerts(other), found)

    bench.compare(
        f"simplification of {mesh.num_faces:,} faces to {target:,}",
        ours,
        {
            version("fast_simplification"): fast and by_fast,
            version("meshoptimizer"): optimizer and by_optimizer,
            version("meshlib"): meshlib and by_meshlib,
        },
        repeats=3,
    )
    for name, small in made.items():
        found = ml.metrics.compare(small.to(mesh.dtype), mesh, samples=20_000, quality=False)
        bench.value(
            "distance after simplification",
            peer=None if name == "meshlearn" else name,
            chamfer=float(found["chamfer"] or 0),
            faces=small.num_faces,
        )


def remeshing(bench: Bench, mesh: Mesh) -> None:
    """Times at the mean length of edges, one thread each; and how even the triangles are, by the
    spread of lengths, their mean shape (1: equilateral) and their distance from the surface."""
    meshlib, arrays = optional("meshlib.mrmeshpy"), optional("meshlib.mrmeshnumpy")
    pymeshlab, toolbox = optional("pymeshlab"), optional("gpytoolbox")
    length = float(sides(mesh).mean())
    points, faces = mesh.vertices.double().numpy(), mesh.faces.numpy()
    made: dict[str, Mesh] = {}

    def ours() -> None:
        made["meshlearn"] = geometry.remesh(fresh(mesh), length)

    def by_meshlib() -> None:
        other = arrays.meshFromFacesVerts(faces.astype(np.int32), points.astype(np.float32))
        settings = meshlib.RemeshSettings()
        settings.targetEdgeLen, settings.packMesh = length, True
        meshlib.remesh(other, settings)
        found = arrays.getNumpyFaces(other.topology).astype(np.int64)
        made[version("meshlib")] = Mesh(arrays.getNumpyVerts(other), found)

    def by_pymeshlab() -> None:
        set_ = pymeshlab.MeshSet()
        set_.add_mesh(pymeshlab.Mesh(points, faces))
        set_.meshing_isotropic_explicit_remeshing(
            targetlen=pymeshlab.PureValue(length), iterations=5
        )
        found = set_.current_mesh()
        made[version("pymeshlab")] = Mesh(found.vertex_matrix(), found.face_matrix())

    def by_toolbox() -> None:
        found = toolbox.remesh_botsch(points, faces.astype(np.int32), 5, length)
        made[version("gpytoolbox")] = Mesh(found[0], found[1].astype(np.int64))

    bench.compare(
        f"remeshing of {mesh.num_faces:,} faces",
        ours,
        {
            version("meshlib"): meshlib and by_meshlib,
            version("pymeshlab"): pymeshlab and by_pymeshlab,
            version("gpytoolbox"): toolbox and by_toolbox,
        },
        repeats=3,
    )
    tree = geometry.MeshBVH(mesh.to(torch.float64))
    for name, even in made.items():
        even = even.to(torch.float64)
        side, area = sides(even), even.face_areas()
        generator = torch.Generator().manual_seed(0)
        far = tree.closest(ml.sample_points(even, 20_000, generator=generator)).squared_distance
        bench.value(
            "triangles after remeshing",
            peer=None if name == "meshlearn" else name,
            faces=even.num_faces,
            length=float(side.mean()) / length,
            spread=float(side.std()) / length,
            shape=float((4 * 3**0.5 * area / (side**2).sum(1)).mean()),
            distance=float(far.sqrt().mean()) / length,
        )


def sides(mesh: Mesh) -> torch.Tensor:
    corner = mesh.triangles
    return (corner - corner.roll(1, 1)).norm(dim=2)


def smoothing(bench: Bench, mesh: Mesh) -> None:
    vista, trimesh = optional("pyvista"), optional("trimesh")
    other = vista and vista.PolyData.from_regular_faces(mesh.vertices.numpy(), mesh.faces.numpy())
    third = trimesh and trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False)
    bench.compare(
        f"Taubin, 10 steps, {mesh.num_faces:,} faces",
        lambda: geometry.smooth(fresh(mesh), 10),
        {version("pyvista"): other and (lambda: other.smooth_taubin(n_iter=10))},
        repeats=3,
    )
    bench.compare(
        f"Loop subdivision of {mesh.num_faces:,} faces",
        lambda: geometry.subdivide(fresh(mesh), method="loop"),
        {
            version("pyvista"): other and (lambda: other.subdivide(1, "loop")),
            version("trimesh"): third and (lambda: third.subdivide_loop(1)),
        },
        repeats=2,
    )


def distances(bench: Bench, mesh: Mesh) -> None:
    peer = optional("potpourri3d")
    build = peer and peer.MeshHeatMethodDistanceSolver
    points, faces = mesh.vertices.double().numpy(), mesh.faces.numpy()
    bench.compare(
        f"geodesic solver of {mesh.num_faces:,} faces",
        lambda: geometry.GeodesicSolver(fresh(mesh)),
        {
            version("potpourri3d"): peer
            and (lambda: peer.MeshHeatMethodDistanceSolver(points, faces))
        },
        repeats=2,
    )
    ours = geometry.GeodesicSolver(mesh)
    theirs = peer and build(points, faces)
    bench.compare(
        "distances from one vertex",
        lambda: ours.distance(7),
        {version("potpourri3d"): theirs and (lambda: theirs.compute_distance(7))},
        repeats=5,
    )


def sections(bench: Bench, mesh: Mesh) -> None:
    trimesh, igl = optional("trimesh"), optional("igl")
    heights = np.linspace(-0.35, 0.35, 50)
    points, faces = mesh.vertices.double().numpy(), mesh.faces.numpy()
    other = trimesh and trimesh.Trimesh(points, faces, process=False)
    bench.compare(
        f"50 sections of {mesh.num_faces:,} faces",
        lambda: geometry.section_stack(mesh, [0, 0, 0], [0, 0, 1], heights),
        {
            version("trimesh"): other
            and (lambda: other.section_multiplane([0, 0, 0], [0, 0, 1], heights))
        },
        repeats=3,
    )
    bench.compare(
        f"principal curvatures of {mesh.num_faces:,} faces",
        lambda: geometry.curvature(fresh(mesh)),
        {version("libigl"): igl and (lambda: igl.principal_curvature(points, faces))},
        repeats=2,
    )


def registration(bench: Bench, mesh: Mesh, n: int) -> None:
    peer = optional("small_gicp")
    one, two = (
        ml.sample_points(mesh, n, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1)
    )
    moved = Mesh(two, []).rotate("y", 8).translate((0.05, 0.02, 0)).vertices
    a, b = one.double().numpy(), moved.double().numpy()

    def theirs() -> None:
        peer.align(a, b, registration_type="PLANE_ICP", downsampling_resolution=0.02)

    bench.compare(
        f"registration of {n:,} points",
        lambda: geometry.register(moved, one, start="none"),
        {version("small_gicp"): peer and theirs},
        repeats=3,
    )


def rays(bench: Bench, mesh: Mesh, n: int) -> None:
    """From around the mesh into it; and distances with signs, of points near it."""
    trimesh, engine, scenes = optional("trimesh"), optional("embreex"), optional("open3d")
    generator = torch.Generator().manual_seed(0)
    start = torch.nn.functional.normalize(torch.randn(n, 3, generator=generator), dim=1) * 3
    way = 2 * mesh.vertices.abs().max() * (torch.rand(n, 3, generator=generator) - 0.5) - start
    tree = geometry.MeshBVH(mesh)
    peers: dict[str, Callable[[], object] | None] = {}
    points, faces = mesh.vertices.float().numpy(), mesh.faces.numpy()
    if engine and trimesh:
        whole = trimesh.Trimesh(points, faces, process=False)
        scene = optional("trimesh.ray.ray_pyembree").RayMeshIntersector(whole, scale_to_box=False)
        peers[version("embreex")] = lambda: scene._scene.run(start.numpy(), way.numpy())
    else:
        peers[version("embreex")] = None
    world = scenes and scenes.t.geometry.RaycastingScene(nthreads=1)
    if world:
        world.add_triangles(points, faces.astype(np.uint32))
    rows = scenes and scenes.core.Tensor(torch.cat((start, way), 1).float().numpy())
    peers[version("open3d")] = world and (lambda: world.cast_rays(rows, nthreads=1))
    bench.compare(
        f"{n:,} rays on {mesh.num_faces:,} faces", lambda: tree.rays(start, way), peers, repeats=5
    )
    near = ml.sample_points(mesh, n, generator=generator)
    near = near + 0.05 * torch.randn(n, 3, generator=generator)
    other = scenes and scenes.core.Tensor(near.float().numpy())
    bench.compare(
        f"{n:,} signed distances to {mesh.num_faces:,} faces",
        lambda: ml.signed_distance(near, mesh),
        {
            version("open3d"): world
            and (lambda: world.compute_signed_distance(other, nthreads=1, nsamples=3))
        },
        repeats=1,
    )


def mending(bench: Bench, mesh: Mesh) -> None:
    """A mesh with doubled, flat and turned faces, and vertices for each corner."""
    fix = optional("pymeshfix")
    doubled = torch.cat((mesh.faces, mesh.faces[:500], mesh.faces[500:800].flip(1)))
    broken = Mesh(mesh.vertices[doubled].reshape(-1, 3), torch.arange(doubled.numel()).view(-1, 3))
    points, faces = mesh.vertices.double().numpy(), doubled.numpy().astype(np.int32)

    def theirs() -> None:
        tool = fix.PyTMesh()
        tool.load_array(points, faces)
        tool.clean(max_iters=10, inner_loops=3)

    made = geometry.repair(broken).mesh
    bench.compare(
        f"repair of {broken.num_faces:,} faces",
        lambda: geometry.repair(fresh(broken)),
        {version("pymeshfix"): fix and theirs},
        repeats=1,
        watertight=str(made.is_watertight),
    )


def convexes(bench: Bench) -> None:
    """The gear of the assets as convex parts, and how much of its volume they have."""
    peer = optional("coacd")
    gear = ml.load(ROOT / "assets" / "gear.obj", dtype=torch.float64)
    found: dict[str, list[Mesh]] = {}

    def ours() -> None:
        found["meshlearn"] = ml.decompose(gear)

    def theirs() -> None:
        peer.set_log_level("error")
        parts = peer.run_coacd(peer.Mesh(gear.vertices.numpy(), gear.faces.numpy()))
        found[version("coacd")] = [Mesh(v, f) for v, f in parts]

    bench.compare(
        "gear as convex parts", ours, {version("coacd"): peer and theirs}, repeats=1, warmup=0
    )
    low, high = gear.bounds()
    at = low + (high - low) * torch.rand(20_000, 3, generator=torch.Generator().manual_seed(0))
    own = ml.winding_number(at, gear) > 0.5
    for name, parts in found.items():
        inside = torch.zeros_like(own)
        for part in parts:
            inside |= ml.winding_number(at, part.to(at.dtype)) > 0.5
        bench.value(
            "overlap of convex parts",
            peer=None if name == "meshlearn" else name,
            iou=float((inside & own).sum() / (inside | own).sum()),
            parts=len(parts),
        )


def bending(bench: Bench, mesh: Mesh) -> None:
    """Handles at both ends, one of them turned; and how far the other library is from rest."""
    peer = optional("open3d")
    x = mesh.vertices[:, 0]
    low, high = x < x.min() + 0.15, x > x.max() - 0.15
    handles = (low | high).nonzero().squeeze(1)
    turned = mesh.rotate("x", 60).vertices
    goal = torch.where(high[:, None], turned, mesh.vertices)[handles]

    def theirs() -> None:
        other = peer.geometry.TriangleMesh(
            peer.utility.Vector3dVector(mesh.vertices.double().numpy()),
            peer.utility.Vector3iVector(mesh.faces.int().numpy()),
        )
        other.deform_as_rigid_as_possible(
            peer.utility.IntVector(handles.int().numpy()),
            peer.utility.Vector3dVector(goal.double().numpy()),
            max_iter=30,
        )

    bench.compare(
        f"as-rigid-as-possible, 30 steps, {mesh.num_faces:,} faces",
        lambda: geometry.deform(fresh(mesh), handles, goal, iterations=30),
        {version("open3d"): peer and theirs},
        repeats=1,
        warmup=0,
    )


def run(bench: Bench) -> None:
    mesh = bumpy(60 if bench.quick else 260)
    booleans(bench, mesh)
    simplification(bench, mesh)
    remeshing(bench, mesh)
    smoothing(bench, mesh)
    distances(bench, mesh)
    sections(bench, mesh)
    registration(bench, mesh, 5_000 if bench.quick else 100_000)
    rays(bench, mesh, 5_000 if bench.quick else 100_000)
    mending(bench, bumpy(60 if bench.quick else 120))
    bending(bench, bumpy(30 if bench.quick else 100))
    if not bench.quick:  # a minute
        convexes(bench)


if __name__ == "__main__":
    main(run)
