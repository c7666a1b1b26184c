"""Less drag at equal volume, by the code of a learned family of shapes.

    python examples/drag.py out                        # trains on cars first, some minutes
    python examples/drag.py out --model runs/cars      # a folder of `meshlearn train deepmesh`
    python examples/drag.py out --small                # a few cars, coarse: a minute

The surface is the level set of the trained network; the drag of its mesh is a plain function of the
vertices; `level_set_mesh` carries the gradient from the vertices through the network to the code.
The code moves in the directions in which the training codes vary, and a prior keeps it among them.

The drag is a surrogate, not a flow solver: local surface inclination (Newtonian impact theory) in
front, suction that grows with the square of the inclination behind, friction all over, and no
pressure on faces that others shade from the air. It ranks blunt against slender shapes and has
gradients; it knows neither separation nor lift, and its figures are not those of a wind tunnel.
"""

from __future__ import annotations

import argparse
import json
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from meshlearn import Mesh
from meshlearn.fields import DeepSDF
from meshlearn.geometry import MeshBVH
from meshlearn.isosurface import SurfaceTracker, level_set_mesh
from meshlearn.losses import normal_consistency_loss
from meshlearn.render import contact_sheet, plot_curves
from meshlearn.representations import DeepMesh
from meshlearn.train import PrepareOptions, open_data
from meshlearn.train.deepmesh import train_deepmesh

FLOW = (1.0, 0.0, 0.0)  # the air comes from -x
FRONT, BASE, FRICTION = 1.0, 0.35, 0.006  # pressure in front, suction behind, friction


@dataclass
class Forces:
    """Drag over dynamic pressure, an area in the mesh's unit squared."""

    total: Tensor
    pressure: Tensor
    base: Tensor
    friction: Tensor
    face: Tensor  # (F,) drag of each face per area


def shaded(mesh: Mesh) -> Tensor:
    """(F,) bool: faces towards the air that other faces hide from it."""
    mesh = mesh.detach()
    flow = mesh.vertices.new_tensor(FLOW)
    normal = mesh.face_normals()
    out = torch.zeros(mesh.num_faces, dtype=torch.bool)
    front = torch.nonzero((normal * flow).sum(1) < 0)[:, 0]
    if len(front):
        size = float((mesh.vertices.amax(0) - mesh.vertices.amin(0)).max())
        start = mesh.vertices[mesh.faces[front]].mean(1) + 1e-3 * size * normal[front]
        hits = MeshBVH(mesh).rays(start, (-flow).expand_as(start), any_hit=True)
        out[front] = hits.face >= 0
    return out


def drag(mesh: Mesh, hidden: Tensor | None = None) -> Forces:
    """Drag of a closed mesh in air that flows towards +x, differentiable in its vertices.

    With u the cosine between a face's outward normal and the flow, each face of area A adds
    ``FRONT |u|³ A`` where it meets the air (u < 0, not hidden), ``BASE u³ A`` where it looks back,
    and ``FRICTION (1 - u²) A``.

    Args:
        hidden: (F,) faces that get no pressure; default: `shaded`.
    """
    hidden = shaded(mesh) if hidden is None else hidden
    area, normal = mesh.face_areas(), mesh.face_normals()
    u = (normal * normal.new_tensor(FLOW)).sum(1)
    front = FRONT * (-u).clamp(min=0) ** 3 * ~hidden
    base = BASE * u.clamp(min=0) ** 3
    skin = FRICTION * (1 - u * u)
    pressure, at_base, friction = ((p * area).sum() for p in (front, base, skin))
    return Forces(
        total=torch.stack([pressure, at_base, friction]).sum(),
        pressure=pressure,
        base=at_base,
        friction=friction,
        face=(front + base + skin).detach(),
    )


class Family:
    """The shapes of a trained auto-decoder, in coordinates in which its codes are normal."""

    def __init__(
        self, network: Callable[[Tensor, Tensor], Tensor], codes: Tensor, resolution: int
    ) -> None:
        self.network, codes = network, codes.detach()
        self.mean = codes.mean(0)
        _, self.spread, self.axes = torch.linalg.svd(codes - self.mean, full_matrices=False)
        self.spread = self.spread / math.sqrt(len(codes) - 1)
        keep = self.spread > 1e-4 * self.spread[0]
        self.spread, self.axes = self.spread[keep], self.axes[keep]
        self.known = (codes - self.mean) @ self.axes.T / self.spread  # (S, K)
        self.resolution = resolution
        self.tracker = self._tracker(resolution)

    @staticmethod
    def _tracker(resolution: int) -> SurfaceTracker:
        return SurfaceTracker(resolution, bounds=((-0.5,) * 3, (0.5,) * 3))

    def code(self, place: Tensor) -> Tensor:
        return self.mean + (place * self.spread) @ self.axes

    def mesh(self, place: Tensor, resolution: int | None = None) -> Mesh:
        """The largest piece of the shape at a place; gradients reach the place."""
        tracker = self.tracker if resolution is None else self._tracker(resolution)
        code = self.code(place)
        with warnings.catch_warnings():  # thin edges of a coarse network: clamped, no harm
            warnings.filterwarnings("ignore", message="the field's gradient vanishes")
            mesh = level_set_mesh(lambda p: self.network(p, code), tracker, min_slope=0.2)
        return largest_piece(mesh)


def largest_piece(mesh: Mesh) -> Mesh:
    """The component with the most faces."""
    if mesh.num_faces == 0:
        return mesh
    label, count = mesh.topology.components()
    if count == 1:
        return mesh
    keep = label == torch.bincount(label).argmax()
    used, faces = torch.unique(mesh.faces[keep], return_inverse=True)
    return Mesh(mesh.vertices[used], faces)


def at_volume(mesh: Mesh, volume: float) -> Mesh:
    """Scaled about the origin to a volume, so that drags can be compared."""
    factor = (volume / mesh.volume()) ** (1 / 3)
    return mesh.with_vertices(mesh.vertices * factor)


def optimise(family: Family, start: Tensor, *, steps: int = 150, lr: float = 0.08) -> dict:
    """Lowers the drag of the shape at `start` at equal volume.

    Minimises drag at the first volume (relative to the first drag) + 40 (volume / first - 1)²
    + 0.1 normal consistency (relative to the first) + 0.01 p + 0.5 max(p - 1, 0)², where
    p = |place|² / K is 1 for the mean training code.

    Returns:
        ``before``, ``after`` (meshes), ``history`` (columns), ``place``.
    """
    place = start.clone().requires_grad_()
    adam = torch.optim.Adam([place], lr=lr)
    history: dict[str, list[float]] = {}
    first: dict[str, float] = {}
    best, best_drag = start.clone(), math.inf
    for step in range(steps):
        for group in adam.param_groups:
            group["lr"] = lr * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        mesh = family.mesh(place)
        volume, rough = mesh.volume(), normal_consistency_loss(mesh)
        if not first:
            first = {"volume": float(volume.detach()), "rough": float(rough.detach())}
        force = drag(at_volume(mesh, first["volume"])).total
        first.setdefault("drag", float(force.detach()))
        off = volume / first["volume"] - 1
        prior = (place**2).mean()
        loss = force / first["drag"] + 40 * off**2 + 0.1 * rough / first["rough"]
        loss = loss + 0.01 * prior + 0.5 * (prior - 1).clamp(min=0) ** 2
        row = {
            "step": step,
            "drag": float(force.detach()) / first["drag"],
            "volume": float(volume.detach()) / first["volume"],
            "prior": float(prior.detach()),
            "roughness": float(rough.detach()) / first["rough"],
        }
        for key, value in row.items():
            history.setdefault(key, []).append(value)
        if row["drag"] < best_drag and abs(row["volume"] - 1) < 0.02:
            best, best_drag = place.detach().clone(), row["drag"]
        adam.zero_grad()
        loss.backward()
        if place.grad is None or not bool(torch.isfinite(place.grad).all()):
            raise RuntimeError(f"step {step}: the gradient of the code is not finite")
        adam.step()
    fine = family.resolution * 3 // 2
    fine += -fine % 16
    with torch.no_grad():
        before = family.mesh(start, fine)
        after = at_volume(family.mesh(best, fine), float(before.volume()))
    return {"before": before, "after": after, "history": history, "place": best}


def report(family: Family, found: dict, out: Path, name: str) -> dict[str, float]:
    """Figures, ``drag.json``, the curve and the picture."""
    before, after = found["before"], found["after"]
    forces = [drag(m) for m in (before, after)]
    volumes = [float(m.volume()) for m in (before, after)]
    drags = [float(f.total) for f in forces]
    sizes = [float((family.known[k] ** 2).mean()) for k in range(len(family.known))]
    figures = {
        "drag_before": drags[0],
        "drag_after": drags[1],
        "lower_percent": 100 * (1 - drags[1] / drags[0]),
        "volume_ratio": volumes[1] / volumes[0],
        "code_size": float((found["place"] ** 2).mean()),
        "code_size_training_median": sorted(sizes)[len(sizes) // 2],
        "pressure_percent": 100 * float(1 - forces[1].pressure / forces[0].pressure),
        "base_percent": 100 * float(1 - forces[1].base / forces[0].base),
    }
    (out / "drag.json").write_text(json.dumps(figures, indent=1))
    top = float(forces[0].face.quantile(0.98))
    for mesh, force in zip((before, after), forces, strict=True):
        heat = (force.face / top).clamp(0, 1)[:, None]
        cold, hot = torch.tensor([0.72, 0.76, 0.82]), torch.tensor([0.84, 0.28, 0.16])
        mesh.face_attributes["color"] = cold + (hot - cold) * heat
    contact_sheet(
        [before, after],
        out / "drag.png",
        views=[(-55.0, 18.0), (0.0, 5.0), (-90.0, 5.0), (130.0, 18.0)],
        labels=[f"{name} before", f"{name} after"],
        captions=[
            f"drag {d:.4f}, volume {v:.4f}; red: drag of the face"
            for d, v in zip(drags, volumes, strict=True)
        ],
        columns=1,
        size=260,
        title=f"Drag {figures['lower_percent']:.0f} % lower at equal volume",
    )
    history = {k: v for k, v in found["history"].items() if k != "prior"}
    plot_curves(history, out / "drag_curve.png", log=False, y_label="relative to the start")
    return figures


def learned(args: argparse.Namespace, out: Path) -> DeepMesh:
    """The model of a folder, or one trained now."""
    if args.model is not None:
        return DeepMesh.load(Path(args.model) / "model.safetensors")
    small = args.small
    spec = f"families:{args.family}:{10 if small else 100}"
    options = PrepareOptions(3000, 1500, 0, ()) if small else PrepareOptions(12_000, 6000, 0, ())
    data = open_data(spec, options=options, points=256 if small else 640)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = (
            DeepSDF(8, hidden=64, layers=4, skip=2, tanh=False)
            if small
            else DeepSDF(32, hidden=128, layers=6, skip=3, tanh=False)
        )
    steps = 250 if small else 3000
    done = train_deepmesh(
        data, network=network, steps=steps, batch=4 if small else 8, folder=out / "model",
        lr=3e-3 if small else 1e-3,
    )  # fmt: skip
    assert isinstance(done.model, DeepMesh)
    return done.model


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Runs the example; see the module."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for pictures and figures")
    parser.add_argument("--model", type=Path, help="folder of a trained DeepMesh")
    parser.add_argument("--family", default="cars", help="cars or wings, where it is trained now")
    parser.add_argument("--shape", type=int, help="row to start from; default: the most drag")
    parser.add_argument("--steps", type=int, help="of the optimisation")
    parser.add_argument("--small", action="store_true", help="test-sized: few shapes, coarse")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    model = learned(args, args.out)
    network = model.network.eval().requires_grad_(False)
    family = Family(network, model.codes, 32 if args.small else 64)
    row = args.shape
    if row is None:  # the shape whose drag at equal volume is the 90th percentile
        with torch.no_grad():
            coarse = [family.mesh(p, 32) for p in family.known[:40]]
        values = torch.tensor(
            [float(drag(at_volume(m, 0.05)).total) if m.num_faces else math.inf for m in coarse]
        )
        order = values.argsort()
        finite = int(torch.isfinite(values).sum())
        row = int(order[int(0.9 * (finite - 1))])
    steps = args.steps or (20 if args.small else 150)
    found = optimise(family, family.known[row], steps=steps)
    figures = report(family, found, args.out, f"shape {row}")
    print(json.dumps(figures, indent=1))
    return figures


if __name__ == "__main__":
    main()
