"""The heart model: primitive, flow and pose, and meshes of it at any density."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from meshlearn.heart.model.flow import Flow
from meshlearn.heart.model.parameters import SIZE, roughness
from meshlearn.heart.model.primitive import Primitive
from meshlearn.heart.model.tessellation import Tessellation, primitive_vertices, tessellation
from meshlearn.mesh import Mesh
from meshlearn.representations.base import Representation, RepresentationOutput


def rotation(quaternion: Tensor) -> Tensor:
    """Rotation matrices (B, 3, 3) of quaternions (B, 4), w first, of any length but zero."""
    w, x, y, z = torch.nn.functional.normalize(quaternion, dim=-1).unbind(-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def quaternion(matrix: Tensor) -> Tensor:
    """A quaternion (4,) of a rotation matrix (3, 3)."""
    m = matrix.double()
    xx, yy, zz = m[0, 0], m[1, 1], m[2, 2]
    xy, xz, yz = m[1, 0] + m[0, 1], m[2, 0] + m[0, 2], m[2, 1] + m[1, 2]
    wx, wy, wz = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
    rows = [
        [xx - yy - zz, xy, xz, wx],
        [xy, yy - xx - zz, yz, wy],
        [xz, yz, zz - xx - yy, wz],
        [wx, wy, wz, xx + yy + zz],
    ]
    k = torch.stack([torch.stack(row) for row in rows])
    top = torch.linalg.eigh(k)[1][:, -1]
    return top[[3, 0, 1, 2]].to(matrix.dtype)


class HeartModel(Representation):
    """A bi-ventricular heart x = c + R φ(s): primitive s, flow φ, rigid pose (c, R) (H1).

    Surfaces: "lv" the LV cavity, "rv" the RV cavity, "epi" the epicardium of both, "wall" the LV
    with its muscle, "muscle" the closed muscle of both ventricles. The same (row, column) is the
    same place in every heart, so meshes of one density correspond. Everything is in mm.

    Args:
        latent: size of the code z of the flow; 0 for a heart of its own flow.
        width, features, steps: of the flow, see `Flow`.
        rv: False for a model of the LV alone.
        dtype: of all parameters.
        generator: of the flow's inner layers.

    Example:
        >>> heart = HeartModel()
        >>> heart.mesh("lv", rows=64, columns=96, closed=True).volume() / 1000     # mL
    """

    default_weights = {"energy": 1e-3, "prior": 1e-2, "rough": 1e-2}  # noqa: RUF012

    def __init__(
        self,
        *,
        latent: int = 0,
        width: int = 64,
        features: int = 128,
        steps: int = 5,
        rv: bool = True,
        density: tuple[int, int] = (16, 40),
        dtype: torch.dtype = torch.float32,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.zeros(1, SIZE))
        self.quaternion = nn.Parameter(torch.tensor([[1.0, 0, 0, 0]]))
        self.centre = nn.Parameter(torch.zeros(1, 3))
        self.code = nn.Parameter(torch.zeros(1, latent)) if latent else None
        generator = generator or torch.Generator().manual_seed(0)
        self.flow = Flow(
            latent=latent, width=width, features=features, steps=steps, generator=generator
        )
        self.has_rv, self.density = rv, density
        self.to(dtype)

    @property
    def scale(self) -> float:
        """A millimetre."""
        return 1.0

    @property
    def surfaces(self) -> tuple[str, ...]:
        """Names that `mesh` takes."""
        return ("lv", "rv", "epi", "wall", "muscle") if self.has_rv else ("lv", "wall", "muscle")

    def tessellation(self, rows: int | None = None, columns: int | None = None) -> Tessellation:
        """The tessellation of a density, by default the model's own."""
        rows, columns = rows or self.density[0], columns or self.density[1]
        return tessellation(rows, columns, dtype=self.theta.dtype)

    # --- points ---------------------------------------------------------------------------------

    def to_world(self, points: Tensor) -> Tensor:
        """From the heart's frame (..., 3) to the patient's."""
        return points @ rotation(self.quaternion)[0].T + self.centre[0]

    def to_heart(self, points: Tensor) -> Tensor:
        """From the patient's frame (..., 3) to the heart's."""
        return (points - self.centre[0]) @ rotation(self.quaternion)[0]

    def deform(self, points: Tensor, *, inverse: bool = False, steps: int = 0) -> Tensor:
        """The flow on points (K, 3) of the heart's frame."""
        return self.flow(points[None], self.code, inverse=inverse, steps=steps)[0][0]

    def vertices(self, tess: Tessellation, *, flow: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """Vertices of a tessellation in the patient's frame and before the flow in the heart's,
        both (V, 3), and the flow's energy (0-d, mm²)."""
        before = primitive_vertices(Primitive(self.theta), tess)
        if not flow:
            return self.to_world(before[0]), before[0], before.new_zeros(())
        after, energy = self.flow(before, self.code)
        return self.to_world(after[0]), before[0], energy[0]

    def points(self, sheet: str, row: Tensor, column: Tensor) -> Tensor:
        """Points (K, 3) in the patient's frame at (row, column) (K,) of a sheet; differentiable.
        See `Primitive.sheet` for what they mean."""
        flat = Primitive(self.theta).sheet(sheet, row[None], column[None])
        return self.to_world(self.flow(flat, self.code)[0][0])

    # --- meshes ---------------------------------------------------------------------------------

    def mesh(
        self,
        surface: str = "muscle",
        *,
        rows: int | None = None,
        columns: int | None = None,
        closed: bool = True,
    ) -> Mesh:
        """A mesh of one surface; differentiable in all parameters.

        Args:
            surface: one of `surfaces`; "muscle" is always closed.
            rows, columns: of its tessellation; default `density`.
            closed: with a lid over the valves; without, open at the base.
        """
        tess = self.tessellation(rows, columns)
        vertices, _, _ = self.vertices(tess)
        return part_of(vertices, tess, surface, closed=closed, rv=self.has_rv)

    def forward(self) -> RepresentationOutput:
        """The muscle as a closed mesh; the flow's energy, |θ|² and the roughness of the splines."""
        tess = self.tessellation()
        vertices, _, energy = self.vertices(tess)
        losses = {
            "energy": energy,
            "prior": (self.theta**2).mean(),
            "rough": roughness(self.theta),
        }
        mesh = part_of(vertices, tess, "muscle", closed=True, rv=self.has_rv)
        return RepresentationOutput(mesh, losses)


def part_of(
    vertices: Tensor, tess: Tessellation, surface: str, *, closed: bool = True, rv: bool = True
) -> Mesh:
    """One surface of a tessellation's vertices (V, 3) as a mesh of its own, outward."""
    f = {name: faces.to(vertices.device) for name, faces in tess.faces.items()}
    names = {
        "lv": ["lv", *["lv_lid"] * closed],
        "rv": ["septum", "free", *["rv_lid"] * closed],
        "epi": ["epi", *["lv_lid", "rv_lid", "base"] * closed],
        "wall": ["wall", *["wall_base", "lv_lid"] * closed],
        "muscle": ["epi", "base"] if rv else ["wall", "wall_base"],
    }
    if surface not in names or (not rv and surface in ("rv", "epi")):
        which = ("lv", "rv", "epi", "wall", "muscle") if rv else ("lv", "wall", "muscle")
        raise ValueError(f"surface: expected one of {', '.join(which)}, got {surface!r}")
    faces = [f[name] for name in names[surface]]
    if surface == "muscle":
        faces += [f[name].flip(1) for name in (["lv", "septum", "free"] if rv else ["lv"])]
    packed = torch.cat(faces)
    used, index = torch.unique(packed, return_inverse=True)
    return Mesh(vertices[used], index.to(packed.dtype))
