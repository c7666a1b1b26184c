"""Rasterising at 512², forward and backward, cost by covered pixels; exact self-intersections."""

from __future__ import annotations

import math

import torch
from _common import Bench, main, optional

from meshlearn import Camera, Mesh, rasterize
from meshlearn.metrics import self_intersections


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


def run(bench: Bench) -> None:
    cam = Camera.look_at((0.5, 0.8, 3.0), fov=45.0)
    for faces in (5_120,) if bench.quick else (5_120, 70_000, 500_000):
        mesh = ball(faces)
        covered = int(rasterize(mesh, cam, 512).mask.sum())
        name = f"{mesh.num_faces:,} faces at 512²"
        bench.compare(
            f"rasterise {name}",
            lambda m=mesh: rasterize(m, cam, 512),
            {"PyTorch3D CPU": pytorch3d(mesh, cam, 512) if faces < 100_000 else None},
            covered=covered,
        )
        leaf = mesh.vertices.clone().requires_grad_()

        def both(m=mesh, leaf=leaf) -> None:
            out = rasterize(m.with_vertices(leaf), cam, 512)
            torch.autograd.grad(out.depth.sum() + (out.barycentric**2).sum(), leaf)

        bench.compare(f"rasterise {name}, forward and backward", both)
    mesh = ball(5_120)
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
