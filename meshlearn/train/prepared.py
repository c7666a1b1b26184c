"""What models are trained from: samples, voxels and surface points of one shape, in one file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from meshlearn._files import write_file
from meshlearn._seeds import seed_of
from meshlearn.data.families.shape import SIDE, occupied
from meshlearn.geometry import MeshBVH, sample_surface
from meshlearn.mesh import Mesh

FORMAT = "meshlearn-shape-1"
SUFFIX = ".shape.safetensors"


@dataclass(frozen=True)
class PrepareOptions:
    """What is kept of each shape.

    Attributes:
        near: points near the surface, half of them within about 0.005 of it and half within 0.025
            (standard deviations, in a box of side 1).
        space: points all over the unit box.
        surface: points on the surface, with normals (and labels where the shape has parts).
        voxels: resolutions of occupancy grids.
        seed: of the samples.
    """

    near: int = 20_000
    space: int = 8_000
    surface: int = 10_000
    voxels: tuple[int, ...] = (16, 32, 64)
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("near", "space", "surface", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: expected 0 or more, got {getattr(self, name)}")
        if any(not isinstance(r, int) or not 1 <= r <= 512 for r in self.voxels):
            raise ValueError(f"voxels: expected resolutions from 1 to 512, got {self.voxels}")

    def signature(self) -> str:
        """The options as text, to tell whether a file was made with them."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True)
class PreparedShape:
    """One shape, ready to train from; lengths are those of the unit box about the origin.

    Attributes:
        name: of the file it came from, or of the shape of a family.
        mesh: the shape, its longest side 0.9.
        near, space: (N, 4) float32: points and signed distances, negative inside.
        surface: (S, 6) float32: points and normals.
        label: (S,) int64 part of each surface point, or None.
        parts: names of the parts.
        packed: resolution -> bits of the occupancy grid.
        scale, centre: a point x of the shape was ``x / scale + centre`` in its file.
        closed: whether the mesh was watertight; else the signs are those of the winding number.
    """

    name: str
    mesh: Mesh
    near: Tensor
    space: Tensor
    surface: Tensor
    label: Tensor | None
    parts: tuple[str, ...]
    packed: dict[int, Tensor]
    scale: float
    centre: tuple[float, float, float]
    closed: bool

    def voxels(self, resolution: int) -> Tensor:
        """Occupancy (r, r, r) bool, x slowest, of the cells' centres in the unit box.

        Raises:
            ValueError: a resolution that was not prepared.
        """
        if resolution not in self.packed:
            raise ValueError(
                f"voxels: {self.name} was prepared with {sorted(self.packed)}, not {resolution}; "
                "prepare it anew"
            )
        return unpack_bits(self.packed[resolution], resolution)


def pack_bits(occupied: Tensor) -> Tensor:
    """Bool (r, r, r) as bytes, the first cell in the lowest bit."""
    bits = occupied.reshape(-1).to(torch.uint8)
    bits = torch.nn.functional.pad(bits, (0, -len(bits) % 8)).view(-1, 8)
    return (bits << torch.arange(8, dtype=torch.uint8)).sum(1, dtype=torch.uint8)


def unpack_bits(packed: Tensor, resolution: int) -> Tensor:
    """The bool grid (r, r, r) that `pack_bits` made bytes of."""
    bits = (packed[:, None] >> torch.arange(8, dtype=torch.uint8)) & 1
    return bits.reshape(-1)[: resolution**3].view((resolution,) * 3).bool()


def prepare_mesh(
    mesh: Mesh,
    options: PrepareOptions | None = None,
    *,
    name: str = "shape",
    part: Tensor | None = None,
    parts: tuple[str, ...] = (),
) -> PreparedShape:
    """Samples a mesh that may be open, self-intersecting, not manifold or inside out.

    Distances are those to its surface; inside is where the generalised winding number is above one
    half in magnitude, see `meshlearn.geometry.signed_distance`.

    Args:
        mesh: at least one face with area, finite.
        name: of the shape; the samples depend on it, the seed and the mesh alone.
        part, parts: label of each face (F,), and the names.

    Raises:
        ValueError: no faces, no area, nothing inside, or coordinates that are not finite.
    """
    options = options or PrepareOptions()
    if mesh.num_faces == 0:
        raise ValueError(f"{name}: the mesh has no faces")
    wide = mesh.detach().to("cpu").to(torch.float64)
    used = wide.vertices[torch.unique(wide.faces)]
    if not bool(torch.isfinite(used).all()):
        raise ValueError(f"{name}: the mesh has vertices that are not finite")
    low, high = used.amin(0), used.amax(0)
    side = float((high - low).max())
    if not side > 0 or not float(wide.area()) > 1e-12 * side * side:
        raise ValueError(f"{name}: the mesh has no area")
    scale, centre = SIDE / side, (low + high) / 2
    placed = Mesh(((wide.vertices - centre) * scale).float(), mesh.faces.cpu())
    tree = MeshBVH(placed)
    generator = torch.Generator().manual_seed(seed_of(options.seed, *name.encode()))
    surface = sample_surface(placed, options.surface, generator=generator)
    normals = placed.face_normals()[surface.faces]
    base = sample_surface(placed, options.near, generator=generator).points
    spread = torch.full((options.near, 1), 0.005)
    spread[::2] = 0.025
    near = base + spread * torch.randn(base.shape, generator=generator)
    space = torch.rand(options.space, 3, generator=generator) - 0.5
    values = tree.signed_distance(torch.cat((near, space)).clamp(-0.5, 0.5))
    points = torch.cat((torch.cat((near, space)).clamp(-0.5, 0.5), values[:, None]), 1)
    if len(values) and not bool((values < 0).any()):
        raise ValueError(
            f"{name}: the mesh encloses nothing (a sheet, or open); expected an inside to learn "
            "distances with a sign from"
        )
    return PreparedShape(
        name,
        placed,
        points[: options.near],
        points[options.near :],
        torch.cat((surface.points, normals), 1),
        None if part is None else part[surface.faces],
        parts,
        {r: pack_bits(occupied(tree, r)) for r in options.voxels},
        scale,
        tuple(centre.tolist()),
        placed.is_watertight,
    )


def save_prepared(shape: PreparedShape, path: Path, extra: dict[str, str] | None = None) -> None:
    """Writes one shape as safetensors, whole or not at all."""
    tensors = {
        "vertices": shape.mesh.vertices,
        "faces": shape.mesh.faces.to(torch.int32),
        "near": shape.near,
        "space": shape.space,
        "surface": shape.surface,
        **{f"voxels_{r}": bits for r, bits in shape.packed.items()},
    }
    if shape.label is not None:
        tensors["label"] = shape.label.to(torch.uint8)
    about = {
        "name": shape.name,
        "parts": shape.parts,
        "scale": shape.scale,
        "centre": shape.centre,
        "closed": shape.closed,
    }
    metadata = {"format": FORMAT, "about": json.dumps(about), **(extra or {})}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, save({k: v.contiguous() for k, v in tensors.items()}, metadata=metadata))


def read_metadata(path: Path) -> dict[str, str]:
    """The metadata of a prepared shape; {} where the file is none."""
    try:
        with safe_open(path, "pt") as file:
            found = file.metadata() or {}
    except (SafetensorError, OSError):
        return {}
    return found if found.get("format") == FORMAT else {}


def load_prepared(path: str | Path) -> PreparedShape:
    """Reads what `save_prepared` wrote.

    Raises:
        ValueError: not such a file.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"{path}: expected a prepared shape ({FORMAT})")
            found = {name: file.get_tensor(name) for name in file.keys()}
            about = json.loads(metadata["about"])
    except (SafetensorError, OSError, KeyError) as error:
        raise ValueError(f"{path}: not a readable prepared shape ({error})") from None
    label = found.get("label")
    return PreparedShape(
        about["name"],
        Mesh(found["vertices"], found["faces"].long()),
        found["near"],
        found["space"],
        found["surface"],
        None if label is None else label.long(),
        tuple(about["parts"]),
        {int(k.removeprefix("voxels_")): v for k, v in found.items() if k.startswith("voxels_")},
        float(about["scale"]),
        tuple(about["centre"]),
        bool(about["closed"]),
    )
