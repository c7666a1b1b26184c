"""Draws one item into the scene, and keeps its drawing as the look asks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from meshlearn.mesh import Mesh
from meshlearn.metrics import sharp_edges
from meshlearn.viewer.coarse import clustered
from meshlearn.viewer.glb import smooth_normals, surface_glb
from meshlearn.viewer.items import Item, drawable_faces
from meshlearn.viewer.page import Page

COLORS = (
    (122, 166, 214), (226, 154, 92), (128, 184, 132), (190, 134, 190),
    (214, 190, 96), (112, 190, 190), (214, 126, 138), (160, 160, 160),
)  # fmt: skip
BACK = (196, 92, 82)
EDGES = {
    "boundary": (230, 126, 20),
    "non-manifold": (214, 30, 70),
    "sharp": (30, 70, 160),
}
SHADINGS = ("smooth", "flat", "wireframe")
SHARP_DEGREES = 30.0
LARGE = 300_000  # faces; beyond, back faces are not tinted and a simplified mesh is drawn in motion
COARSE_CELLS = 96  # of the grid that simplifies, along the longest side


@dataclass
class Frame:
    """From a file's own unit to the scene's: (v - center) * scale; the scene fits in a ball of 1.

    Float64 positions far from the origin keep their detail that way.
    """

    center: np.ndarray
    scale: float

    @classmethod
    def around(cls, items: list[Item]) -> Frame:
        middle = [item for item in items if not item.around] or items
        boxes = [box for box in (item.bounds() for item in middle) if box is not None]
        if not boxes:
            return cls(np.zeros(3), 1.0)
        low = np.min([b[0] for b in boxes], 0)
        high = np.max([b[1] for b in boxes], 0)
        size = float(np.linalg.norm(high - low))
        return cls((low + high) / 2, 2.0 / size if math.isfinite(size) and size > 0 else 1.0)

    def into(self, positions: np.ndarray) -> np.ndarray:
        """float32, of the same shape."""
        return ((np.asarray(positions, np.float64) - self.center) * self.scale).astype(np.float32)

    def back(self, positions: np.ndarray) -> np.ndarray:
        return np.asarray(positions, np.float64) / self.scale + self.center


@dataclass
class Look:
    """How surfaces are drawn; one for the whole scene.

    Attributes:
        shading: "smooth", "flat" or "wireframe".
        opacity: 0 to 1.
        edges: of `EDGES`, those that are drawn.
        colors: whether colours and textures of the files are used.
        back: whether back faces are tinted.
        normals: whether normals are drawn as short lines.
    """

    shading: str = "smooth"
    opacity: float = 1.0
    edges: frozenset[str] = frozenset()
    colors: bool = True
    back: bool = True
    normals: bool = False


class Drawing:
    """One item in the scene.

    Args:
        page: whose scene it is drawn into.
        item: what is drawn.
        index: its place in the scene; picks the colour and the node's name.
        frame: see `Frame`.
    """

    def __init__(self, page: Page, item: Item, index: int, frame: Frame) -> None:
        self.scene, self.item, self.frame = page.scene, item, frame
        self.root = f"/{index + 1} {item.name.replace('/', '_')}"
        self.color = COLORS[index % len(COLORS)]
        self.node = page.scene.add_frame(self.root, show_axes=False)
        self.shift = np.zeros(3)
        self.values: np.ndarray | None = None  # (V|F, 3) uint8 colours of a field
        self.values_on = "vertex"
        self.blank: np.ndarray | None = None  # (V|F,) bool, where the field has none: not drawn
        self._rest = item.mesh  # before it is taken apart
        self._version = 0  # of shape and colours
        self._parts: dict[str, list] = {}
        self._drawn: dict[str, object] = {}

    # --- what is drawn --------------------------------------------------------------------------

    def place(self, shift: np.ndarray) -> None:
        """Moves the item within the scene (side by side); in the scene's unit."""
        self.shift = np.asarray(shift, float)
        x, y, z = self.shift.tolist()
        self.node.position = (x, y, z)

    @property
    def mesh(self) -> Mesh:
        """The mesh of an item that has one."""
        if self.item.mesh is None:
            raise ValueError(f"{self.item.name}: it has no mesh")
        return self.item.mesh

    @property
    def visible(self) -> bool:
        return bool(self.node.visible)

    def show(self, visible: bool) -> None:
        self.node.visible = visible

    def paint(
        self,
        colors: np.ndarray | None,
        domain: str = "vertex",
        *,
        blank: np.ndarray | None = None,
    ) -> None:
        """Colours of a field, (V, 3) or (F, 3) uint8, None for the item's own; and where it is not
        drawn, (V,) or (F,) bool."""
        if colors is None and self.values is None:
            return
        self.values, self.values_on, self.blank = colors, domain, blank
        self._version += 1

    def replace(self, item: Item) -> None:
        """Shows another shape in place of this one (a step of a run)."""
        self.item, self.values, self.blank, self._rest = item, None, None, item.mesh
        self._version += 1

    def take_apart(self, share: float) -> None:
        """Moves the parts away from the middle of all, by a share of where they are from it."""
        parts, rest = self.item.parts, self._rest
        if parts is None or rest is None:
            return
        at = rest.vertices.double().nan_to_num().numpy()
        count = np.bincount(parts)[:, None]
        middle = np.stack([np.bincount(parts, at[:, k]) for k in range(3)], 1) / count
        shift = torch.from_numpy(share * (middle - middle.mean(0))[parts]).to(rest.dtype)
        self.item.mesh = rest.with_vertices(rest.vertices + shift)
        self._version += 1

    def apply(self, look: Look) -> None:
        """Brings the drawing up to date; only what changed is sent."""
        key = self._surface_key(look)
        self._part("surface", key, lambda: self._surface(look))
        self._fade("surface", look)
        for kind in EDGES:
            on = kind in look.edges and self.item.has_faces
            self._part(kind, on and (True, self._version), lambda kind=kind: self._edges(kind))
        self._part("normals", look.normals and (True, self._version), self._normals)
        self._part("points", len(self.item.points) and (True, self._version), self._points)
        self._part("lines", len(self.item.lines) and (True, self._version), self._lines)

    def apply_coarse(self, look: Look) -> None:
        """Brings what stands in for a large surface in motion up to date."""
        key = self._surface_key(look) if is_large(self.item) else None
        self._part("coarse", key, lambda: self._coarse(look))
        self._fade("coarse", look)

    def _fade(self, name: str, look: Look) -> None:
        for handle in self._parts[name]:
            if hasattr(handle, "opacity"):
                handle.opacity = look.opacity if look.opacity < 1 else None

    def _part(self, name: str, key: object, make) -> None:
        if self._drawn.get(name) == key and name in self._parts:
            return
        old = self._parts.pop(name, [])
        self._parts[name] = make() if key else []
        self._drawn[name] = key
        for handle in old:
            if all(handle is not new and handle.name != new.name for new in self._parts[name]):
                handle.remove()

    def remove(self) -> None:
        self.node.remove()

    # --- parts ----------------------------------------------------------------------------------

    def _own_colors(self, look: Look) -> tuple[np.ndarray | None, bool]:
        """Colours of a field or of the file, or None; and whether they are on faces."""
        if self.values is not None:
            return self.values, self.values_on == "face"
        on_vertices = vertex_colors(self.item) if look.colors else None
        on_faces = face_colors(self.item) if look.colors and on_vertices is None else None
        return (on_vertices, False) if on_faces is None else (on_faces, True)

    def _surface_key(self, look: Look) -> object:
        if not self.item.has_faces:
            return None
        in_file = self._own_colors(look)[0] is not None or self._dressed(look)
        transparent = look.opacity if in_file else 1.0
        return (look.shading, look.back, look.colors, transparent, self._version)

    def _kept(self) -> np.ndarray:
        """(K,) faces that are drawn."""
        mesh = self.mesh
        keep = drawable_faces(mesh)
        if self.blank is None:
            return keep
        on_faces = self.values_on == "face"
        return keep[~(self.blank if on_faces else self.blank[mesh.faces.numpy()].any(1))[keep]]

    def _surface(self, look: Look) -> list:
        mesh = self.mesh
        keep = self._kept()
        vertices = np.nan_to_num(self.frame.into(mesh.vertices.numpy()))
        if self._dressed(look) and look.shading != "wireframe":
            return self._patches(vertices, keep, look)
        colors, on_faces = self._own_colors(look)
        if colors is not None and on_faces:
            colors = colors[keep]
        faces = mesh.faces.numpy()
        faces = faces if len(keep) == len(faces) else faces[keep]
        return self._shell("surface", vertices, faces, colors, on_faces, look)

    def _coarse(self, look: Look) -> list:
        """A simplified surface, hidden: the page shows it while the camera moves."""
        mesh = self.mesh
        keep = self._kept()
        points, faces, one, whole = clustered(
            mesh.vertices.numpy(), mesh.faces.numpy()[keep], COARSE_CELLS
        )
        colors, on_faces = self._own_colors(look)
        if colors is not None:
            colors = colors[keep[whole]] if on_faces else colors[one]
        return self._shell("coarse", self.frame.into(points), faces, colors, on_faces, look)

    def _shell(
        self,
        name: str,
        vertices: np.ndarray,
        faces: np.ndarray,
        colors: np.ndarray | None,
        on_faces: bool,
        look: Look,
    ) -> list:
        """Sends a surface as the look asks; `colors` are of its vertices or faces."""
        if not len(faces):
            return []
        add, hidden = self.scene, name == "coarse"
        path, smooth = f"{self.root}/{name}", look.shading == "smooth"
        if colors is not None and look.shading != "wireframe":
            data = surface_glb(
                vertices,
                faces,
                vertex_colors=None if on_faces else colors,
                face_colors=colors if on_faces else None,
                smooth=smooth,
                opacity=look.opacity,
            )
            return [add.add_glb(path, data, cast_shadow=False, visible=not hidden)]
        common: dict[str, Any] = {"vertices": vertices, "faces": faces, "cast_shadow": False}
        common["flat_shading"] = look.shading == "flat"
        tinted = look.back and look.shading != "wireframe" and not is_large(self.item)
        made = [add.add_mesh_simple(
            path, **common, color=self.color, wireframe=look.shading == "wireframe",
            side="front" if tinted else "double", visible=not hidden,
        )]  # fmt: skip
        if tinted:
            made.append(add.add_mesh_simple(
                f"{self.root}/back", **common, color=BACK, side="back"
            ))  # fmt: skip
        return made

    def _dressed(self, look: Look) -> bool:
        """Whether materials are drawn, their textures and colours times those of vertices."""
        return bool(self.item.patches) and look.colors and self.values is None

    def _patches(self, vertices: np.ndarray, keep: np.ndarray, look: Look) -> list:
        """One surface for each material; triangles are parted, as coordinates differ at seams."""
        faces, smooth = self.mesh.faces.numpy(), look.shading == "smooth"
        normals = smooth_normals(vertices, faces[keep]) if smooth else None
        colors, made = vertex_colors(self.item), []
        for number, patch in enumerate(self.item.patches):
            there = np.isin(patch.faces, keep)
            corner = faces[patch.faces[there]].reshape(-1)
            if not len(corner):
                continue
            data = surface_glb(
                vertices[corner],
                np.arange(len(corner)).reshape(-1, 3),
                normals=None if normals is None else normals[corner],
                vertex_colors=None if colors is None else colors[corner],
                uv=None if patch.uv is None else patch.uv[there].reshape(-1, 2),
                image=patch.image,
                smooth=smooth,
                opacity=look.opacity,
                looks=patch.looks,
            )
            made.append(self.scene.add_glb(f"{self.root}/surface{number}", data, cast_shadow=False))
        return made

    def edge_vertices(self, kind: str) -> np.ndarray:
        """(E, 2) vertex indices of the edges of a kind."""
        mesh = self.mesh
        if kind == "sharp":
            return sharp_edges(mesh, degrees=SHARP_DEGREES).numpy()
        topology = mesh.topology
        index = topology.boundary_edges if kind == "boundary" else topology.non_manifold_edges
        return topology.edges[index].numpy()

    def _edges(self, kind: str) -> list:
        pairs = self.edge_vertices(kind)
        ends = self.frame.into(self.mesh.vertices.numpy())[pairs]
        ends = ends[np.isfinite(ends).all((1, 2))]
        if not len(ends):
            return []
        return [self.scene.add_line_segments(
            f"{self.root}/{kind} edges", ends, EDGES[kind], thickness=4.0, thickness_units="screen"
        )]  # fmt: skip

    def _normals(self) -> list:
        if self.item.has_faces:
            at = self.mesh.vertices.double().numpy()
            along = self.mesh.vertex_normals().double().numpy()
        elif self.item.normals is not None:
            at, along = self.item.points, self.item.normals
        else:
            return []
        step = max(1, len(at) // 5000)
        at, along = self.frame.into(at[::step]), along[::step]
        ends = np.stack([at, at + 0.04 * along], 1)
        ends = ends[np.isfinite(ends).all((1, 2))]
        if not len(ends):
            return []
        return [self.scene.add_line_segments(
            f"{self.root}/normals", ends, (40, 120, 80), thickness=1.5, thickness_units="screen"
        )]  # fmt: skip

    def _points(self) -> list:
        points = self.frame.into(self.item.points)
        known = (self.values, self.item.point_colors, vertex_colors(self.item))
        fit = (c for c in known if c is not None and len(c) == len(points))
        colors = next(fit, self.color)
        size = self.item.point_size
        if size is None:
            size = float(np.clip(1.2 / math.sqrt(max(1, len(points))), 0.002, 0.03))
        return [self.scene.add_point_cloud(
            f"{self.root}/points", points, colors, point_size=size, point_shape="circle",
            precision="float32",
        )]  # fmt: skip

    def _lines(self) -> list:
        ends = self.frame.into(self.item.lines)
        colors: np.ndarray | tuple[int, int, int] = self.color
        if self.item.line_colors is not None:
            colors = np.repeat(self.item.line_colors[:, None], 2, 1)
        return [self.scene.add_line_segments(
            f"{self.root}/lines", ends, colors, thickness=2.5, thickness_units="screen"
        )]  # fmt: skip


def is_large(item: Item) -> bool:
    """Whether drawing its faces takes a software renderer longer than the eye likes."""
    return item.mesh is not None and item.mesh.num_faces > LARGE


def vertex_colors(item: Item) -> np.ndarray | None:
    """(V, 3) uint8 colours that a file gives its vertices, or None."""
    if item.mesh is None:
        return None
    return _bytes(item.mesh.vertex_attributes.get("color"))


def face_colors(item: Item) -> np.ndarray | None:
    """(F, 3) uint8 colours that a file gives its faces, or None."""
    return None if item.mesh is None else _bytes(item.mesh.face_attributes.get("color"))


def _bytes(color: torch.Tensor | None) -> np.ndarray | None:
    if color is None or color.dim() != 2 or color.shape[1] not in (3, 4):
        return None
    values = color[:, :3].double().numpy()
    if color.is_floating_point():
        values = values * 255
    return np.nan_to_num(values).clip(0, 255).astype(np.uint8)
