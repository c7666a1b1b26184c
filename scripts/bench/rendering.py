"""Rasterising, antialiasing, textures at 512², cost by covered pixels; exact self-intersections."""

from __future__ import annotations

import math

import torch
from _common import Bench, main, optional

from meshlearn import Camera, Mesh, antialias, interpolate, rasterize, texture
from meshlearn.metrics import self_intersections
from meshlearn.render import barycentric_derivatives

# PyTorch3D 0.7.9's CPU rasteriser on 5,120 faces at 512², in ms, taken once on two cores
PYTORCH3D_MS = 3720.0


def ball(faces: int) -> Mesh:
    """A bumpy sphere of about so many faces."""
    rings = max(3, round(math.sqrt(faces / 4)))
    around = 2 * rings
    a = math.pi * torch.arange(rings + 1).double() / rings
    b = 2 * math.pi * torch.arange(around).double() / around
    a, b = torch.meshgrid(a, b, indexing="ij")
    r = 1 + 0.1 * torch.sin(7 * a) * torch.cos(5 * b)
    x = torch.stack((a.sin() * b.cos(), a.cos(), a.sin() * b.sin()), -1) * r[..., None]
    i, j = torch.meshgrid(torch.arange(rings), torch.arange(around), indexing="ij")
    p, q = i * around + j, i * around + (j + 1) % around
    quads = torch.stack((p, q, q + around, p + around), -1).reshape(-1, 4)
    return Mesh(x.reshape(-1, 3).float(), torch.cat((quads[:, [0, 1, 2]], quads[:, [0, 2, 3]])))


def pytorch3d(mesh: Mesh, cam: Camera, size: int):
    """PyTorch3D's CPU rasteriser on the same image, or None where it is not installed."""
    if optional("pytorch3d") is None:
        return None
    from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
    from pytorch3d.structures import Meshes

    place = cam.project(mesh.vertices, size)
    ndc = torch.stack((1 - 2 * place[:, 0] / size, 1 - 2 * place[:, 1] / size, place[:, 2]), 1)
    meshes = Meshes([ndc], [mesh.faces])
    return lambda: rasterize_meshes(meshes, size, faces_per_pixel=1, perspective_correct=True)


def cgal(mesh: Mesh):
    """libigl's self-intersections by CGAL's exact kernel, or None where it is not installed."""
    module = optional("igl.copyleft.cgal")
    if module is None:
        return None
    vertices, faces = mesh.vertices.double().numpy(), mesh.faces.numpy()
    return lambda: module.remesh_self_intersections(vertices, faces, detect_only=True)


def textures(bench: Bench, mesh: Mesh, cam: Camera) -> None:
    """Lookups in a texture of 1024² at 512² pixels, beside torch's own bilinear one."""
    fragments = rasterize(mesh, cam, 512)
    change = barycentric_derivatives(fragments, mesh, cam)
    uv, slope = interpolate(mesh.vertices[:, :2], fragments, mesh.faces, derivatives=change)
    tex = torch.rand(1024, 1024, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    image = tex.detach().permute(2, 0, 1)[None].contiguous().requires_grad_()

    def theirs() -> None:
        sample = torch.nn.functional.grid_sample(image, uv[None] * 2 - 1, align_corners=False)
        torch.autograd.grad(sample.sum(), image)

    bench.compare(
        "bilinear texture, forward and backward",
        lambda: torch.autograd.grad(texture(tex, uv, mask=fragments.mask).sum(), tex),
        {"torch grid_sample": theirs},
    )
    bench.compare(
        "mipmapped texture, forward and backward",
        lambda: torch.autograd.grad(texture(tex, uv, slope, mask=fragments.mask).sum(), tex),
    )


def run(bench: Bench) -> None:
    cam = Camera.look_at((0.5, 0.8, 3.0), fov=45.0)
    for faces in (5_120,) if bench.quick else (5_120, 70_000, 500_000):
        mesh = ball(faces)
        covered = int(rasterize(mesh, cam, 512).mask.sum())
        name = f"{mesh.num_faces:,} faces at 512²"
        times = bench.compare(
            f"rasterise {name}",
            lambda m=mesh: rasterize(m, cam, 512),
            {"PyTorch3D CPU": pytorch3d(mesh, cam, 512) if faces < 100_000 else None},
            covered=covered,
        )
        if faces == 5_120:
            ratio = PYTORCH3D_MS / times[""].min_ms
            bench.value(f"rasterise {name}", peer="PyTorch3D CPU, recorded", ratio=ratio)
        leaf = mesh.vertices.clone().requires_grad_()

        def both(m=mesh, leaf=leaf) -> None:
            out = rasterize(m.with_vertices(leaf), cam, 512)
            torch.autograd.grad(out.depth.sum() + (out.barycentric**2).sum(), leaf)

        bench.compare(f"rasterise {name}, forward and backward", both)
        fragments = rasterize(mesh, cam, 512)
        mask = fragments.mask.float()
        bench.compare(
            f"antialias a mask of {name}",
            lambda m=mesh, f=fragments, image=mask: antialias(image, f, m, cam),
        )
        colors = mesh.vertices.abs().requires_grad_()

        def step(m=mesh, leaf=leaf, colors=colors, colored=False) -> None:
            shape = m.with_vertices(leaf)
            f = rasterize(shape, cam, 512)
            image = interpolate(colors, f, m.faces) if colored else f.mask.float()
            antialias(image, f, shape, cam).square().mean().backward()

        case = f"rasterise and antialias {name}, forward and backward"
        bench.compare(f"{case}: mask", step)
        bench.compare(f"{case}: colours", lambda step=step: step(colored=True))
    mesh = ball(5_120)
    textures(bench, mesh, cam)
    for distance in (3.0, 12.0):
        far = Camera.look_at((0, 0, distance))
        covered = int(rasterize(mesh, far, 1024).mask.sum())
        bench.compare(
            f"rasterise at 1024² from {distance:g}",
            lambda c=far: rasterize(mesh, c, 1024),
            covered=covered,
        )
    mesh = ball(5_120 if bench.quick else 70_000)
    bench.compare(
        f"self-intersections of {mesh.num_faces:,} faces",
        lambda: self_intersections(mesh),
        {"libigl with CGAL": cgal(mesh)},
        repeats=3,
    )


if __name__ == "__main__":
    main(run)
