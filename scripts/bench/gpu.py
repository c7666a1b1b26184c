"""On a GPU: extraction, rasterising, queries, half-spaces and a fit, beside what others offer.

Peers: the authors' pure-torch FlexiCubes where its folder is on PYTHONPATH, diso, nvdiffrast; and
our own CPU operators. Without a GPU there is nothing to measure, and that is said.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from _common import Bench, main, optional
from extraction import torus
from rendering import ball

import meshlearn as ml
from meshlearn.convex import intersect_halfspaces
from meshlearn.data import shapes
from meshlearn.reconstruct import reconstruct
from meshlearn.render.backends import get_backend
from meshlearn.render.camera_formats import clip_matrix


def waited(work: Callable[[], object] | None) -> Callable[[], object] | None:
    """`work`, until the GPU has done it."""
    if work is None:
        return None

    def run() -> object:
        found = work()
        torch.cuda.synchronize()
        return found

    return run


def compare(bench: Bench, case: str, ours: Callable, peers: dict | None = None, **options) -> None:
    """Times work on the GPU; its peak memory above what is held stands in a row of its own."""
    peers = {name: waited(work) for name, work in (peers or {}).items()}
    bench.compare(case, waited(ours), peers, repeats=20, warmup=3, **options)
    for name, work in {"": waited(ours), **peers}.items():
        if work is None or name.endswith("CPU"):
            continue
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        work()
        above = (torch.cuda.max_memory_allocated() - before) / 2**20
        bench.value(f"{case}: peak memory", peer=name or None, MB=round(above, 1))


def weights(grid: ml.VoxelGrid) -> dict[str, torch.Tensor]:
    """FlexiCubes' weights for a grid, the same on every device."""
    generator = torch.Generator().manual_seed(0)
    n, c = grid.num_vertices, grid.num_cells
    sizes = {"deform": (n, 3), "alpha": (c, 8), "beta": (c, 12), "gamma": (c,)}
    draw = lambda size: 0.1 * torch.randn(*size, generator=generator)  # noqa: E731
    return {k: draw(size).to(grid.device).requires_grad_() for k, size in sizes.items()}


def flexicubes_step(n: int, device: str) -> Callable:
    _, field = torus(n)
    grid = ml.VoxelGrid(n, device=device)
    sdf, own = field.reshape(-1).to(device).requires_grad_(), weights(grid)

    def step() -> ml.Mesh:
        for leaf in (sdf, *own.values()):
            leaf.grad = None
        out = ml.flexicubes(grid, sdf, training=True, **own)
        (out.mesh.vertices.square().sum() + out.dev_loss.sum()).backward()
        return out.mesh

    return step


def public_step(n: int) -> Callable | None:
    """A step of the authors' FlexiCubes, or None where it is not installed."""
    module = optional("flexicubes")
    if module is None:
        return None
    public = module.FlexiCubes(device="cuda")
    points, cells = public.construct_voxel_grid(n)
    points = 2 * points
    x, y, z = points.unbind(1)
    sdf = (((x * x + y * y).sqrt() - 0.55).square() + z * z).sqrt().sub(0.25).requires_grad_()
    own = weights(ml.VoxelGrid(n, device="cuda"))
    deform, rest = own["deform"], {"beta_fx12": own["beta"], "alpha_fx8": own["alpha"]}

    def step() -> None:
        for leaf in (sdf, *own.values()):
            leaf.grad = None
        moved = points + (1 - 1e-8) / n * torch.tanh(deform)
        vertices, _, deviation = public(
            moved, sdf, cells, n, gamma_f=own["gamma"], training=True, **rest
        )
        (vertices.square().sum() + deviation.sum()).backward()

    return step


def cubes_step(n: int, dual: bool) -> Callable:
    _, field = torus(n)
    grid, sdf = ml.VoxelGrid(n, device="cuda"), field.cuda().requires_grad_()
    extract = ml.dual_marching_cubes if dual else ml.marching_cubes

    def step() -> ml.Mesh:
        sdf.grad = None
        mesh = extract(grid, sdf.reshape(-1))
        mesh.vertices.square().sum().backward()
        return mesh

    return step


def diso_step(n: int, dual: bool) -> Callable | None:
    module = optional("diso")
    if module is None:
        return None
    extract = (module.DiffDMC if dual else module.DiffMC)(dtype=torch.float32)
    sdf = torus(n)[1].cuda().requires_grad_()

    def step() -> None:
        sdf.grad = None
        vertices, _ = extract(sdf, None)
        vertices.square().sum().backward()

    return step


def image_step(faces: int, size: int) -> tuple[Callable, Callable]:
    """Rasterising; and a step of a fit to a mask: forward, antialiased, and backward."""
    own = get_backend("native")
    mesh, cam = ball(faces).to("cuda"), ml.Camera.look_at((0.5, 0.8, 3.0), fov=45.0).to("cuda")
    leaf = mesh.vertices.clone().requires_grad_()

    def step() -> None:
        leaf.grad = None
        shape = mesh.with_vertices(leaf)
        fragments = own.rasterize(shape, cam, size)
        mask = own.antialias(fragments.mask.float(), fragments, shape, cam)
        (mask.square().mean() + fragments.depth.mean()).backward()

    return lambda: own.rasterize(mesh, cam, size), step


def nvdiffrast_step(faces: int, size: int) -> tuple[Callable, Callable] | None:
    """The same by nvdiffrast's own calls, without what turns its images into ours."""
    module = optional("nvdiffrast.torch")
    if module is None:
        return None
    mesh, cam = ball(faces).to("cuda"), ml.Camera.look_at((0.5, 0.8, 3.0), fov=45.0).to("cuda")
    context, index = module.RasterizeCudaContext(), mesh.faces.int()
    matrix = clip_matrix(cam, size).float().cuda()
    leaf = mesh.vertices.clone().requires_grad_()
    with_one = torch.nn.functional.pad

    def clip(v: torch.Tensor) -> torch.Tensor:
        return (with_one(v, (0, 1), value=1.0) @ matrix.T)[None].contiguous()

    fixed = clip(mesh.vertices)

    def step() -> None:
        leaf.grad = None
        place = clip(leaf)
        image, _ = module.rasterize(context, place, index, (size, size))
        mask = (image[..., 3:] > 0).float()
        soft = module.antialias(mask, image, place, index)
        (soft.square().mean() + image[..., 2].mean()).backward()

    return lambda: module.rasterize(context, fixed, index, (size, size)), step


def run(bench: Bench) -> None:
    if not torch.cuda.is_available():
        bench.value("GPU", note="no CUDA device here: nothing to measure")
        return
    for n in (32,) if bench.quick else (64, 128, 256):
        step, cpu = flexicubes_step(n, "cuda"), flexicubes_step(n, "cpu")
        peers = {"public FlexiCubes (pure torch)": public_step(n) if n < 256 else None}
        compare(
            bench,
            f"FlexiCubes, all weights, training, forward + backward, torus {n}³",
            step,
            peers | ({"our CPU": cpu} if n < 256 else {}),
            faces=step().num_faces,
        )
        for dual, name in ((False, "marching cubes"), (True, "dual marching cubes")):
            step = cubes_step(n, dual)
            peer = "diso DiffDMC" if dual else "diso DiffMC"
            case = f"{name}, forward + backward, torus {n}³"
            compare(bench, case, step, {peer: diso_step(n, dual)}, faces=step().num_faces)
    for faces in (5_120,) if bench.quick else (5_120, 70_000, 500_000):
        for size in (512,) if bench.quick else (512, 1024):
            own, other = image_step(faces, size), nvdiffrast_step(faces, size)
            case = f"{faces:,} faces at {size}²"
            other = other or (None, None)
            compare(bench, f"rasterise {case}", own[0], {"nvdiffrast": other[0]})
            name = f"rasterise and antialias {case}, forward + backward"
            compare(bench, name, own[1], {"nvdiffrast": other[1]})
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.rand(20_000, 3, generator=generator) for _ in range(2))
    a, b, c = x.cuda().requires_grad_(), y.cuda(), x.clone().requires_grad_()
    brute = lambda: (torch.cdist(a, b).amin(1).mean() + torch.cdist(b, a).amin(1).mean()).backward()  # noqa: E731
    compare(
        bench,
        "chamfer distance, 20k x 20k points, forward + backward",
        lambda: ml.chamfer_distance(a, b).backward(),
        {"torch.cdist": brute, "our CPU": lambda: ml.chamfer_distance(c, y).backward()},
    )
    mesh = ball(70_000)
    there, points = mesh.to("cuda"), 0.9 * torch.randn(100_000, 3, generator=generator)
    far = points.cuda()
    compare(
        bench,
        "signed distance of 100k points to 70k faces, tree built anew",
        lambda: ml.signed_distance(far, there),
        {"our CPU": lambda: ml.signed_distance(points, mesh)},
    )
    planes = torch.randn(2048, 32, 4, generator=generator)
    planes[..., 3] = -0.5 * planes[..., :3].norm(dim=-1)
    box, gpu = ((-1.0,) * 3, (1.0,) * 3), planes.cuda()
    compare(
        bench,
        "half-space intersection, 2,048 x 32",
        lambda: intersect_halfspaces(gpu, bounds=box),
        {"our CPU": lambda: intersect_halfspaces(planes, bounds=box)},
    )
    gear = shapes.gear()
    options = {"resolution": 32 if bench.quick else 64, "progress": False}
    reconstruct(gear, device="cuda", steps=2, **options)
    found = {d: reconstruct(gear, device=d, **options) for d in ("cuda", "cpu")}
    for device, result in found.items():
        far = ml.metrics.compare(result.mesh.to("cpu"), gear, samples=20_000)["chamfer"]
        bench.value(
            f"reconstruct a gear at {options['resolution']}³ on {device}",
            seconds=round(result.seconds, 2),
            chamfer=f"{far:.2e}",
        )


if __name__ == "__main__":
    main(run)
