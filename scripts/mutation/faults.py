"""The faults that `scripts/mutate` plants: where, what becomes what, and the nearest tests.

A fault's `old` text stands once in its file, which a test of the default suite checks. Where code
moves or is rewritten, its faults move along; a fault that no test can see keeps its place in the
list with the reason in `equivalent`.
"""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """One fault.

    Attributes:
        name: of the fault, room first.
        file: path from the root of the project.
        old, new: text that stands once in the file, and what takes its place.
        tests: what pytest is given: the nearest tests, done in seconds.
        equivalent: why no test can see it; "" where one should.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    equivalent: str = ""


def place_of(mutant: Mutant, text: str) -> tuple[str, str]:
    """Why the fault cannot be planted in a file's text ("" if it can), and the text with it."""
    found = text.count(mutant.old)
    if found != 1:
        return f"{mutant.file}: expected {mutant.old!r} once, found it {found} times", text
    return "", text.replace(mutant.old, mutant.new)


_ISO = "tests/isosurface/"
_GEO = "tests/geometry/"
_MESH = "tests/mesh/"
_RENDER = "tests/render/"

ISOSURFACE = [
    Mutant(
        "isosurface: diagonal of a quad, reference",
        "meshlearn/isosurface/flexicubes_parts.py",
        "split_faces(quads, g02 > g13)",
        "split_faces(quads, g02 < g13)",
        (_ISO + "test_operators.py", _ISO + "test_flexicubes.py"),
    ),
    Mutant(
        "isosurface: share of a crossing, reference",
        "meshlearn/isosurface/flexicubes_parts.py",
        "t = (weighted[:, i] / gap).unsqueeze(2)",
        "t = (weighted[:, j] / gap).unsqueeze(2)",
        (_ISO + "test_operators.py",),
    ),
    Mutant(
        "isosurface: deviation is of absolute values, reference",
        "meshlearn/isosurface/flexicubes_parts.py",
        "(length - mean[owner]).abs()",
        "(length - mean[owner])",
        (_ISO + "test_operators.py",),
    ),
    Mutant(
        "isosurface: problem cases meet face to face, reference",
        "meshlearn/isosurface/flexicubes_parts.py",
        "(table[case_of[number], PROBLEM_FACE] == face ^ 1)",
        "(table[case_of[number], PROBLEM_FACE] == face)",
        (_ISO + "test_operators.py",),
    ),
    Mutant(
        "csrc: problem cases meet face to face",
        "csrc/kernels/flexicubes.h",
        "== (face ^ 1))",
        "== face)",
        (_ISO + "test_topology.py", _ISO + "test_operators.py"),
    ),
    Mutant(
        "csrc: weight of a dual vertex",
        "csrc/kernels/flexicubes.h",
        "sum[p] = sum[p] + u[e] * data.beta[e];",
        "sum[p] = sum[p] + u[e];",
        (_ISO + "test_operators.py",),
    ),
    Mutant(
        "csrc: centre of a quad by gamma",
        "csrc/kernels/flexicubes.h",
        "const T g02 = gamma[0] * gamma[2], g13 = gamma[1] * gamma[3];",
        "const T g02 = gamma[0] * gamma[1], g13 = gamma[2] * gamma[3];",
        (_ISO + "test_operators.py",),
    ),
    Mutant(
        "csrc: cells around an edge turn the right way",
        "csrc/kernels/flexicubes.h",
        "c[v] -= (k == 0 || k == 1);",
        "c[v] -= (k == 2 || k == 3);",
        (_ISO + "test_topology.py", _ISO + "test_operators.py"),
    ),
    Mutant(
        "csrc: gradient of a crossing to its start",
        "csrc/kernels/flexicubes_backward.h",
        "const T gwi = -along * wj",
        "const T gwi = along * wj",
        (_ISO + "test_operators.py",),
    ),
    Mutant(
        "csrc: gradient of the deviation",
        "csrc/kernels/flexicubes_backward.h",
        "(sign(length[e] - mean[p]) - sign_mean[p])",
        "(sign(length[e] - mean[p]))",
        (_ISO + "test_operators.py",),
    ),
    Mutant(
        "csrc: gradient to gamma",
        "csrc/kernels/flexicubes_backward.h",
        "return apart * opposite * inverse;",
        "return apart * mine * inverse;",
        (_ISO + "test_operators.py",),
    ),
    Mutant(
        "csrc: gradient to beta about the dual vertex",
        "csrc/kernels/flexicubes_backward.h",
        "T apart = dot(gv[p], u[e] - v[p]);",
        "T apart = dot(gv[p], u[e]);",
        (_ISO + "test_operators.py",),
    ),
    Mutant(
        "csrc: marching cubes, crossing of an edge",
        "csrc/kernels/marching_cubes.h",
        "const T t = sa / (sa - sb);",
        "const T t = T(0.5);",
        (_ISO + "test_operators.py", _ISO + "test_topology.py"),
    ),
    Mutant(
        "csrc: marching cubes, gradient to displacement",
        "csrc/kernels/marching_cubes.h",
        "gx = gx + gv * (back ? t : 1 - t);",
        "gx = gx + gv * (back ? 1 - t : t);",
        (_ISO + "test_operators.py",),
    ),
    Mutant(
        "csrc: marching tetrahedra, diagonal between positive corners",
        "csrc/kernels/tets.h",
        "s = value[q[1]] > T(0) && value[q[3]] > T(0)",
        "s = value[q[0]] > T(0) && value[q[3]] > T(0)",
        (_ISO + "test_gshell.py", _ISO + "test_tets.py"),
        "both fields are linear in a tetrahedron, so that a line parts the quad's corners and no "
        "two opposite ones are alone positive but by rounding",
    ),
    Mutant(
        "csrc: marching tetrahedra, gradient to sdf",
        "csrc/kernels/tets.h",
        "gs += lower ? -along * sdf[b] : along * sdf[a];",
        "gs += lower ? along * sdf[b] : along * sdf[a];",
        (_ISO + "test_tets.py",),
    ),
    Mutant(
        "csrc: G-Shell's cut at msdf zero",
        "csrc/kernels/cut.h",
        "const T t = value[p] / (value[p] - value[q]);",
        "const T t = value[p] / (value[p] + value[q]);",
        (_ISO + "test_gshell.py",),
    ),
    Mutant(
        "csrc: G-Shell's cut, gradient to msdf",
        "csrc/kernels/cut.h",
        "gv += side == 0 ? -along * (value[q] * inverse)",
        "gv += side == 0 ? along * (value[q] * inverse)",
        (_ISO + "test_gshell.py",),
    ),
    Mutant(
        "csrc: G-Shell's cut, orientation of the tip",
        "csrc/kernels/cut.h",
        "out[0] = rank[v[0]], out[1] = vertex(v[0], v[1]), out[2] = vertex(v[0], v[2]);",
        "out[0] = rank[v[0]], out[1] = vertex(v[0], v[2]), out[2] = vertex(v[0], v[1]);",
        (_ISO + "test_gshell.py",),
    ),
]

GEOMETRY = [
    Mutant(
        "geometry: samples are uniform in a triangle",
        "meshlearn/geometry/sampling.py",
        "root = r[:, 0].sqrt()",
        "root = r[:, 0]",
        (_GEO + "test_sampling.py",),
    ),
    Mutant(
        "geometry: samples by area",
        "meshlearn/geometry/sampling.py",
        "areas = mesh.detach().to(torch.float64).face_areas().cpu()",
        "areas = (mesh.detach().to(torch.float64).face_areas().cpu() > 0).double()",
        (_GEO + "test_sampling.py",),
    ),
    Mutant(
        "geometry: strata of samples",
        "meshlearn/geometry/sampling.py",
        "u = (u + torch.arange(int(n), dtype=torch.float64)) / n",
        "u = u",
        (_GEO + "test_sampling.py",),
    ),
    Mutant(
        "geometry: cotangents are halved",
        "meshlearn/geometry/laplacian.py",
        "reshape(-1, 1) / 2  # edge k",
        "reshape(-1, 1) / 1  # edge k",
        (_GEO + "test_laplacian.py",),
    ),
    Mutant(
        "geometry: cotangent gradient of the area",
        "meshlearn/geometry/laplacian.py",
        "shrink = -0.5 * torch.linalg.cross(normals, opposite)",
        "shrink = -torch.linalg.cross(normals, opposite)",
        (_GEO + "test_laplacian.py",),
    ),
    Mutant(
        "geometry: full solid angle, reference",
        "meshlearn/geometry/reference.py",
        "torch.atan2(top, bottom)) / (2 * math.pi)",
        "torch.atan2(top, bottom)) / (4 * math.pi)",
        (_GEO + "test_bvh.py",),
    ),
    Mutant(
        "geometry: a segment's foot stays on it, reference",
        "meshlearn/geometry/reference.py",
        "return (t * (length > 0)).clamp(0, 1)",
        "return (t * (length > 0)).clamp(0, 2)",
        (_GEO + "test_closest.py", _GEO + "test_bvh.py"),
    ),
    Mutant(
        "csrc: full solid angle near by",
        "csrc/kernels/winding.h",
        "near.total() / 6.283185307179586)",
        "near.total() / 12.566370614359172)",
        (_GEO + "test_bvh.py",),
    ),
    Mutant(
        "csrc: winding number, second order",
        "csrc/kernels/winding.h",
        "const double third = factor / 3;",
        "const double third = factor / 2;",
        (_GEO + "test_bvh.py", _GEO + "test_winding.py"),
    ),
    Mutant(
        "csrc: winding number, first order",
        "csrc/kernels/winding.h",
        "first[3] += 0.5 * (n[0] * d[1] + n[1] * d[0]);",
        "first[3] += 0.5 * (n[0] * d[1] - n[1] * d[0]);",
        (_GEO + "test_bvh.py", _GEO + "test_winding.py"),
    ),
    Mutant(
        "csrc: winding number, moment of a triangle",
        "csrc/kernels/winding.h",
        "m[a] += u[k][a] * u[k][a] / 12;",
        "m[a] += u[k][a] * u[k][a] / 6;",
        (_GEO + "test_bvh.py", _GEO + "test_winding.py"),
    ),
    Mutant(
        "csrc: closest point, inside of a triangle",
        "csrc/kernels/closest.h",
        "if (lc >= 0 && lb >= 0 && lb + lc <= 1) {",
        "if (lc >= 0 && lb >= 0 && lb + lc <= 2) {",
        (_GEO + "test_closest.py", _GEO + "test_bvh.py"),
    ),
    Mutant(
        "csrc: closest point, ties go to the first face",
        "csrc/kernels/closest.h",
        "if (d > best || id < 0 || (d == best && id > face)) continue;",
        "if (d > best || id < 0 || (d == best && id < face)) continue;",
        (_GEO + "test_closest.py", _GEO + "test_bvh.py"),
    ),
    Mutant(
        "csrc: nearest neighbours, ties go to the first point",
        "csrc/kernels/knn.h",
        "if (id < 0 || (d == best && id > index)) continue;",
        "if (id < 0 || (d == best && id < index)) continue;",
        (_GEO + "test_neighbours.py",),
    ),
    Mutant(
        "csrc: nearest neighbours, order of the heap",
        "csrc/kernels/knn.h",
        "if (child + 1 < size && worse(child + 1, child)) ++child;",
        "if (child + 1 < size && worse(child, child + 1)) ++child;",
        (_GEO + "test_neighbours.py",),
    ),
]

MESH = [
    Mutant(
        "mesh: area is half the cross product",
        "meshlearn/mesh/measure.py",
        "return 0.5 * safe_norm(",
        "return 0.25 * safe_norm(",
        (_MESH + "test_mesh.py",),
    ),
    Mutant(
        "mesh: volume by the divergence theorem",
        "meshlearn/mesh/measure.py",
        ".sum(1)) / 6",
        ".sum(1)) / 3",
        (_MESH + "test_mesh.py",),
    ),
    Mutant(
        "mesh: vertex normals by area",
        "meshlearn/mesh/measure.py",
        "normals = torch.linalg.cross((b - a) / scale, (c - a) / scale)",
        "normals = safe_normalize(torch.linalg.cross((b - a) / scale, (c - a) / scale))",
        (_MESH + "test_mesh.py",),
    ),
    Mutant(
        "mesh: angle at the second corner",
        "meshlearn/mesh/measure.py",
        "-(u * w).sum(1), (v * w).sum(1)], 1)",
        "(u * w).sum(1), (v * w).sum(1)], 1)",
        (_MESH + "test_mesh.py",),
    ),
    Mutant(
        "mesh: Euler number counts used vertices",
        "meshlearn/mesh/topology.py",
        "return int(self.referenced.sum()) - self.num_edges + self.num_faces",
        "return self.num_vertices - self.num_edges + self.num_faces",
        (_MESH + "test_topology.py",),
    ),
    Mutant(
        "mesh: genus of several components",
        "meshlearn/mesh/topology.py",
        "return (2 * self.components().count - self.euler_number) // 2",
        "return (2 - self.euler_number) // 2",
        (_MESH + "test_topology.py",),
    ),
    Mutant(
        "mesh: non-manifold edges have more than two faces",
        "meshlearn/mesh/topology.py",
        "(self.edge_face_counts > 2).nonzero()",
        "(self.edge_face_counts > 3).nonzero()",
        (_MESH + "test_topology.py", _MESH + "test_report.py"),
    ),
    Mutant(
        "mesh: merging at exactly the tolerance",
        "meshlearn/mesh/repair.py",
        ".square().sum(1) <= tol * tol",
        ".square().sum(1) <= 4 * tol * tol",
        (_MESH + "test_edit.py",),
    ),
    Mutant(
        "mesh: closed components turn outward",
        "meshlearn/mesh/repair.py",
        "turn ^= (closed & (volume < 0))",
        "turn ^= (closed & (volume > 0))",
        (_MESH + "test_edit.py",),
    ),
    Mutant(
        "mesh: the smaller class of a component turns",
        "meshlearn/mesh/repair.py",
        "turn = (sizes[kept] < sizes[turned])",
        "turn = (sizes[kept] > sizes[turned])",
        (_MESH + "test_edit.py",),
    ),
    Mutant(
        "mesh: corner attributes turn with their face",
        "meshlearn/mesh/mesh.py",
        "index=lambda index: index.gather(1, order)",
        "index=lambda index: index",
        (_MESH + "test_edit.py",),
    ),
    Mutant(
        "csrc: corners joined around their vertex",
        "csrc/kernels/topology.h",
        "unite(parent, a, same ? b : next_b);",
        "unite(parent, a, same ? next_b : b);",
        (_MESH + "test_topology.py",),
    ),
    Mutant(
        "csrc: minus zero equals zero",
        "csrc/kernels/topology.h",
        "double value = static_cast<double>(p[k]) + 0.0;  // -0 to 0",
        "double value = static_cast<double>(p[k]);  // -0 to 0",
        (_MESH + "test_edit.py",),
    ),
    Mutant(
        "csrc: edges in the order of their larger vertex",
        "csrc/kernels/topology.h",
        "(high[a] == high[b] && a < b);",
        "(high[a] == high[b] && a > b);",
        (_MESH + "test_topology.py",),
    ),
]

FIELDS = [
    Mutant(
        "fields: distance inside a box",
        "meshlearn/fields/analytic.py",
        "            q = p.abs() - as_like(half, p)\n"
        "            return length(q.clamp(min=0)) + q.amax(-1).clamp(max=0)\n",
        "            q = p.abs() - as_like(half, p)\n            return length(q.clamp(min=0))\n",
        ("tests/fields/test_analytic.py",),
    ),
    Mutant(
        "fields: a turn is counter-clockwise",
        "meshlearn/fields/analytic.py",
        "angle = -as_like(degrees, p)",
        "angle = as_like(degrees, p)",
        ("tests/fields/test_analytic.py",),
    ),
    Mutant(
        "fields: fillet of a smooth union",
        "meshlearn/fields/analytic.py",
        "overlap * overlap / (4 * k)",
        "overlap * overlap / (2 * k)",
        ("tests/fields/test_analytic.py",),
    ),
    Mutant(
        "fields: gradient of an ellipsoid by one step of Newton",
        "meshlearn/fields/analytic.py",
        "t = root - left / slope",
        "t = root",
        ("tests/fields/test_analytic.py",),
    ),
    Mutant(
        "fields: interpolation in a hash grid",
        "meshlearn/fields/hashgrid.py",
        "part[:, a] if c else 1 - part[:, a]",
        "1 - part[:, a] if c else part[:, a]",
        ("tests/fields/test_neural.py",),
    ),
    Mutant(
        "fields: slope of tanh",
        "meshlearn/fields/slopes.py",
        "seed = 1 - value * value if tanh",
        "seed = 1 - value if tanh",
        ("tests/fields",),
    ),
]

RENDERING = [
    Mutant(
        "csrc: a pixel on an edge belongs to one face",
        "csrc/kernels/rasterize.h",
        "return value > 0 || (value == 0 && (a > 0 || (a == 0 && b > 0)));",
        "return value >= 0;",
        (_RENDER + "test_rasterize.py", _RENDER + "test_near_plane.py"),
    ),
    Mutant(
        "csrc: the near plane is a test per pixel",
        "csrc/kernels/rasterize.h",
        "return z >= near && (e0",
        "return (e0",
        (_RENDER + "test_near_plane.py",),
    ),
    Mutant(
        "csrc: depth is interpolated with perspective",
        "csrc/kernels/rasterize.h",
        "z = (e0 * p[0].z + e1 * p[1].z + e2 * p[2].z) / total;",
        "z = (p[0].z + p[1].z + p[2].z) / 3;",
        (_RENDER + "test_rasterize.py",),
    ),
    Mutant(
        "csrc: which surface ends at a silhouette",
        "csrc/kernels/silhouette.h",
        "int32_t side = f < 0 || (g >= 0 && depth[b] < depth[a]);",
        "int32_t side = f < 0 || (g >= 0 && depth[b] > depth[a]);",
        (_RENDER + "test_antialias.py",),
    ),
    Mutant(
        "csrc: texels have their centres at halves",
        "csrc/kernels/texture.h",
        "const T place = c * size - (nearest ? T(0) : T(0.5))",
        "const T place = c * size - (nearest ? T(0) : T(0))",
        (_RENDER + "test_texture.py",),
    ),
    Mutant(
        "csrc: texture coordinates run upward",
        "csrc/kernels/texture.h",
        "gv -= part * y.slope *",
        "gv += part * y.slope *",
        (_RENDER + "test_texture.py",),
    ),
]

_IO = "tests/io/"

IO = [
    Mutant(
        "io: indices of 32 bits are called so",
        "meshlearn/io/formats/gltf/write.py",
        '"u4": 5125',
        '"u4": 5123',
        (_IO + "test_gltf.py",),
    ),
    Mutant(
        "io: 65535 is no index of 16 bits",
        "meshlearn/io/formats/gltf/write.py",
        "<= 65535 else np.uint32",
        "<= 65536 else np.uint32",
        (_IO + "test_gltf.py",),
    ),
    Mutant(
        "io: glTF counts v from the top",
        "meshlearn/io/formats/gltf/material.py",
        "uv[:, 1] = 1 - uv[:, 1]",
        "uv[:, 1] = uv[:, 1]",
        (_IO + "test_texture_direction.py",),
    ),
    Mutant(
        "io: mirrored polygons run the other way round",
        "meshlearn/io/changes/join.py",
        "return first + last - np.arange(len(part.polygon_index))",
        "return np.arange(len(part.polygon_index))",
        (_IO + "test_joined.py",),
    ),
    Mutant(
        "io: groups of joined parts are renumbered",
        "meshlearn/io/changes/join.py",
        "np.where(label < 0, label, label + len(out.groups))",
        "np.where(label < 0, label, label)",
        (_IO + "test_joined.py",),
    ),
    Mutant(
        "io: values of corners of joined parts are renumbered",
        "meshlearn/io/changes/join.py",
        "np.where(label < 0, -1, label + base)",
        "np.where(label < 0, -1, label)",
        (_IO + "test_joined.py",),
    ),
    Mutant(
        "io: quads are polygons that triangles cannot hold",
        "meshlearn/io/capability.py",
        "count=int((part.sizes > 3).sum())",
        "count=int((part.sizes > 4).sum())",
        (_IO + "test_matrix.py::test_what_differs_is_what_the_report_says",),
    ),
    Mutant(
        "io: losses of parts are summed",
        "meshlearn/io/left_behind.py",
        "count=before.count + loss.count",
        "count=loss.count",
        (_IO + "test_joined.py",),
    ),
    Mutant(
        "io: 31 bits end below 2^31",
        "meshlearn/io/formats/ply/write.py",
        "values.max() < 2**31)",
        "values.max() <= 2**31)",
        (_IO + "test_joined.py",),
    ),
    Mutant(
        "io: a suffix that is taken stays",
        "meshlearn/io/registry.py",
        "        if suffix not in _formats:\n            _formats[suffix] = format",
        "        if True:\n            _formats[suffix] = format",
        (_IO + "test_other_formats.py",),
    ),
    Mutant(
        "io: strict refuses losses",
        "meshlearn/io/conversion/pipeline.py",
        "if options.strict and report:",
        "if options.strict and not report:",
        ("tests/cli/test_convert.py",),
    ),
    Mutant(
        "io: files outside the folder are refused",
        "meshlearn/io/resolver.py",
        "if target.is_relative_to(folder):",
        "if True:",
        (
            _IO + "test_refusals.py",
            _IO + "test_tricky.py",
        ),
    ),
    Mutant(
        "io: bytes of a packed colour",
        "meshlearn/io/formats/pcd/read.py",
        "(16, 8, 0) if key",
        "(0, 8, 16) if key",
        (_IO + "test_matrix.py::test_what_differs_is_what_the_report_says",),
    ),
    Mutant(
        "io: an inch is 25.4 mm",
        "meshlearn/io/changes/placement.py",
        "0.0254",
        "0.0253",
        (_IO + "test_operations.py",),
    ),
    Mutant(
        "io: a unit that the user says is no loss",
        "meshlearn/io/conversion/pipeline.py",
        "LossKind.UNIT_UNSAID: options.unit",
        "LossKind.UNIT: options.unit",
        (_IO + "test_joined.py",),
    ),
    Mutant(
        "io: new files have the usual permissions",
        "meshlearn/_files.py",
        "0o666 & ~_umask()",
        "0o600",
        (_IO + "test_joined.py",),
    ),
    Mutant(
        "io: a failed write leaves nothing",
        "meshlearn/_files.py",
        "        Path(name).unlink(missing_ok=True)\n",
        "",
        (_IO + "test_refusals.py",),
    ),
    Mutant(
        "io: 32 bits end below 2^32",
        "meshlearn/io/formats/ply/write.py",
        "values.max() < 2**32:",
        "values.max() <= 2**32:",
        (_IO + "test_joined.py",),
    ),
    Mutant(
        "io: normalised numbers reach -1",
        "meshlearn/io/formats/gltf/file.py",
        "/ top, -1.0)",
        "/ top, 0.0)",
        (_IO + "test_gltf.py",),
    ),
    Mutant(
        "io: triangles of a strip alternate",
        "meshlearn/io/formats/gltf/read.py",
        "swap = k % 2",
        "swap = 0 * k",
        (_IO + "test_formats.py",),
    ),
    Mutant(
        "io: the opacity of an .mtl is alpha",
        "meshlearn/io/formats/obj/material.py",
        'alpha = _numbers(said.get("d", ""), 1) or [1.0]',
        "alpha = [1.0]",
        (_IO + "test_joined.py",),
    ),
    Mutant(
        "io: rows of a pixel run alike",
        "meshlearn/io/formats/vtk/data.py",
        "run[[0, 1, 3, 2]]",
        "run[[0, 1, 2, 3]]",
        (_IO + "test_meanings.py",),
    ),
    Mutant(
        "io: triangles of a strip of VTK alternate",
        "meshlearn/io/formats/vtk/data.py",
        "if k % 2 == 0 else",
        "if k % 2 == 1 else",
        (_IO + "test_tricky.py",),
    ),
    Mutant(
        "io: nodes of Gmsh are named by their tags",
        "meshlearn/io/formats/gmsh/read.py",
        "return order[at]",
        "return at",
        (_IO + "test_tricky.py",),
    ),
    Mutant(
        "io: MEDIT counts from one",
        "meshlearn/io/formats/medit/write.py",
        "np.column_stack([index + 1, ref])",
        "np.column_stack([index, ref])",
        (_IO + "test_matrix.py::test_what_differs_is_what_the_report_says",),
    ),
    Mutant(
        "io: inches of 3MF",
        "meshlearn/io/formats/threemf/read.py",
        '"inch": "in"',
        '"inch": "ft"',
        (_IO + "test_meanings.py",),
    ),
    Mutant(
        "io: normals are unit vectors up to a tenth",
        "meshlearn/io/points.py",
        "(np.abs(length - 1) < 0.1)",
        "(np.abs(length - 1) < 1.0)",
        (_IO + "test_meanings.py",),
    ),
    Mutant(
        "io: vertices are merged by placed distance",
        "meshlearn/io/changes/repair.py",
        "reach = tol / max(float(np.linalg.norm(matrix, 2)), 1e-300)",
        "reach = tol",
        (_IO + "test_meanings.py",),
    ),
    Mutant(
        "io: members of an archive that expand too far are refused",
        "meshlearn/io/archive.py",
        "info.file_size > FREE and",
        "False and",
        (
            _IO + "test_refusals.py",
            _IO + "test_tricky.py",
        ),
    ),
    Mutant(
        "io: significant digits",
        "meshlearn/io/changes/operations.py",
        "places = digits - 1 - np.floor",
        "places = digits - np.floor",
        (_IO + "test_operations.py",),
    ),
    Mutant(
        "io: relative indices of OBJ",
        "meshlearn/io/formats/obj/read.py",
        "else len(pool) + value",
        "else len(pool) + value + 1",
        (_IO + "test_formats.py",),
    ),
    Mutant(
        "io: polylines of lossless arrays",
        "meshlearn/io/lossless_arrays.py",
        "np.split(index, start[1:-1])",
        "np.split(index, start[1:])",
        (_IO + "test_matrix.py::test_what_differs_is_what_the_report_says",),
    ),
    Mutant(
        "io: opaque in bytes is 255",
        "meshlearn/io/formats/off/write.py",
        'top = 1.0 if colour.dtype.kind == "f" else 255',
        'top = 1.0 if colour.dtype.kind == "f" else 1',
        (_IO + "test_meanings.py",),
    ),
    Mutant(
        "io: parts share the triangles of a simplification",
        "meshlearn/io/conversion/pipeline.py",
        "round(target * mesh.num_faces / max(total, 1))",
        "round(target)",
        (_IO + "test_meanings.py",),
    ),
    Mutant(
        "io: fields of all parts are no loss",
        "meshlearn/io/capability.py",
        "if held < len(tables) and",
        "if held <= len(tables) and",
        (_IO + "test_joined.py",),
    ),
    Mutant(
        "io: as many components as a format has are held",
        "meshlearn/io/capability.py",
        "values.size > holds.width * len(values)",
        "values.size >= holds.width * len(values)",
        (_IO + "test_meanings.py",),
    ),
    Mutant(
        "io: a header's promise is held against the file",
        "meshlearn/io/numpy_files.py",
        "    if promised > held:",
        "    if promised < 0:",
        (_IO + "test_volume.py",),
    ),
]

_HEART = "tests/heart/"
_KNOWN = _HEART + "test_known_values.py"

HEART = [
    Mutant(
        "heart: sign of the population's prior in a step",
        "meshlearn/heart/fit/gauss_newton.py",
        "right[:SIZE] -= prior @ (theta - self.mean) + rough @ theta",
        "right[:SIZE] += prior @ (theta - self.mean) + rough @ theta",
        (_KNOWN,),
    ),
    Mutant(
        "heart: wall a tenth too thick",
        "meshlearn/heart/model/primitive.py",
        '(at("wall") * _waves(v)).sum(-1).clamp(*WALL_LOG).exp()',
        '1.1 * (at("wall") * _waves(v)).sum(-1).clamp(*WALL_LOG).exp()',
        (_KNOWN,),
    ),
    Mutant(
        "heart: offset of Huber's loss",
        "meshlearn/heart/fit/data_term.py",
        "delta * (root - delta / 2)",
        "delta * (root - delta)",
        (_KNOWN,),
    ),
    Mutant(
        "heart: angle of the base",
        "meshlearn/heart/model/constants.py",
        "U_BASE = 0.35 ",
        "U_BASE = 0.30 ",
        (_KNOWN,),
    ),
    Mutant(
        "heart: angle u of a read-out",
        "meshlearn/heart/results/clinical.py",
        "u[:n] = angle_from_apex(at.t[0]).double()",
        "u[:n] = (at.t[0] * (math.pi / 2 + 0.30) - math.pi / 2).double()",
        (_KNOWN,),
    ),
    Mutant(
        "heart: radius that a fit begins with",
        "meshlearn/heart/fit/settings.py",
        "MEAN_RADIUS = 25.0",
        "MEAN_RADIUS = 35.0",
        (_KNOWN,),
    ),
    Mutant(
        "heart: length of the average LV",
        "meshlearn/heart/model/constants.py",
        "LENGTH, LENGTH_SPREAD = 88.0, 0.1 ",
        "LENGTH, LENGTH_SPREAD = 84.0, 0.1 ",
        (_KNOWN,),
    ),
    Mutant(
        "heart: spread of the LV's radius",
        "meshlearn/heart/model/constants.py",
        "RADIUS, RADIUS_SPREAD = 27.0, 0.16 ",
        "RADIUS, RADIUS_SPREAD = 27.0, 0.20 ",
        (_KNOWN,),
    ),
    Mutant(
        "heart: a turn of the axis bends it the other way",
        "meshlearn/heart/model/primitive.py",
        'torch.stack([c * x - s * y + at("bend_x"), s * x + c * y + at("bend_y"), z], -1)',
        'torch.stack([c * x + s * y + at("bend_x"), s * x + c * y + at("bend_y"), z], -1)',
        (_KNOWN,),
    ),
    Mutant(
        "heart: weights of the Runge-Kutta steps",
        "meshlearn/heart/model/flow.py",
        "x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)",
        "x = x + h / 6 * (k1 + 3 * k2 + k3 + k4)",
        (_KNOWN,),
    ),
    Mutant(
        "heart: energy of a flow in the network's unit",
        "meshlearn/heart/model/flow.py",
        "energy * FLOW_UNIT**2",
        "energy * FLOW_UNIT",
        (_KNOWN,),
    ),
    Mutant(
        "heart: damping after a step that held",
        "meshlearn/heart/fit/settings.py",
        "DAMPING_LESS, DAMPING_MORE = 4.0, 8.0",
        "DAMPING_LESS, DAMPING_MORE = 2.0, 8.0",
        (_KNOWN,),
    ),
    Mutant(
        "heart: longest step of a coefficient",
        "meshlearn/heart/fit/settings.py",
        "STEP_THETA = 1.5",
        "STEP_THETA = 2.5",
        (_KNOWN,),
    ),
    Mutant(
        "heart: prior of the shifts of slices",
        "meshlearn/heart/fit/data_term.py",
        "(self.shifts / self.settings.shift).square().sum(1).mean()",
        "(self.shifts / self.settings.shift).square().mean()",
        (_KNOWN,),
    ),
    Mutant(
        "heart: near points follow the normal",
        "meshlearn/heart/fit/gauss_newton.py",
        "(distance < TOUCHING)",
        "(distance > TOUCHING)",
        (_KNOWN,),
    ),
    Mutant(
        "heart: density of muscle",
        "meshlearn/heart/results/clinical.py",
        "DENSITY_OF_MUSCLE = 1.05 ",
        "DENSITY_OF_MUSCLE = 1.00 ",
        (_KNOWN,),
    ),
    Mutant(
        "heart: border of basal and middle segments",
        "meshlearn/heart/results/clinical.py",
        "MID, BASAL = 0.387, 0.693",
        "MID, BASAL = 0.387, 0.6",
        (_KNOWN,),
    ),
    Mutant(
        "heart: error of a volume by the number of slices",
        "meshlearn/heart/results/clinical.py",
        "torch.stack(means).std() / len(means) ** 0.5",
        "torch.stack(means).std() / len(means)",
        (_KNOWN,),
    ),
    Mutant(
        "heart: where the LV ends above its apex point",
        "meshlearn/heart/fit/settings.py",
        "APEX_WALL = 6.0",
        "APEX_WALL = 9.0",
        (_KNOWN,),
    ),
    Mutant(
        "heart: weight of a valve point",
        "meshlearn/heart/fit/settings.py",
        "    valve: float = 6.0",
        "    valve: float = 4.0",
        (_KNOWN,),
    ),
    Mutant(
        "heart: neighbours in time",
        "meshlearn/heart/fit/series.py",
        "((i - 1, 1.0), (i, -2.0), (i + 1, 1.0))",
        "((i - 1, 1.0), (i, -1.0), (i + 1, 1.0))",
        (_HEART + "test_series.py::test_expected_vertices_make_second_differences_least",),
    ),
    Mutant(
        "heart: sag of the RV's roof",
        "meshlearn/heart/fit/valves.py",
        "sag = 4 * along * (1 - along) * down",
        "sag = 2 * along * (1 - along) * down",
        (
            _HEART + "test_valves.py::test_the_roof_sags_from_annulus_to_annulus",
            _HEART
            + "test_valves.py::test_the_wall_between_mitral_and_aortic_valve_is_fitted_by_the_lid",
        ),
    ),
    Mutant(
        "heart: wall between the valves",
        "meshlearn/heart/fit/settings.py",
        "CURTAIN = 4.0",
        "CURTAIN = 12.0",
        (
            _HEART + "test_valves.py::test_the_roof_sags_from_annulus_to_annulus",
            _HEART
            + "test_valves.py::test_the_wall_between_mitral_and_aortic_valve_is_fitted_by_the_lid",
        ),
    ),
    Mutant(
        "heart: error of an ejection fraction",
        "meshlearn/heart/results/clinical.py",
        "math.hypot(errors[1], errors[0] * small / big)",
        "math.hypot(errors[1], errors[0])",
        (_HEART + "test_fit.py::test_ejection_fraction",),
    ),
    Mutant(
        "heart: NIfTI has x to the right",
        "meshlearn/heart/data/segmentation.py",
        "world[:, :2] *= -1",
        "world[:, :1] *= -1",
        (_HEART + "test_contours.py",),
    ),
    Mutant(
        "io: metres of a yard",
        "meshlearn/io/changes/placement.py",
        '"yd": 0.9144',
        '"yd": 0.9044',
        ("tests/io/test_operations.py",),
    ),
    Mutant(
        "reconstruct: steps of the stages",
        "meshlearn/reconstruct/fitting.py",
        "shares = [settings.GROWTH**k for k in range(len(levels))]",
        "shares = [1.0**k for k in range(len(levels))]",
        (
            "tests/reconstruct/test_fit.py::test_each_resolution_gets_twice_the_steps_of_the_one_before",
        ),
    ),
]

# fits and trainings
FITS = [
    Mutant(
        "reconstruct: warm-up of the rate",
        "meshlearn/reconstruct/fitting.py",
        "        return (step + 1) / warm\n",
        "        return step / warm\n",
        ("tests/reconstruct/test_terms.py",),
    ),
    Mutant(
        "reconstruct: steps of a stage",
        "meshlearn/reconstruct/fitting.py",
        "shares = [settings.GROWTH**k for k in range(len(levels))]",
        "shares = [settings.GROWTH**-k for k in range(len(levels))]",
        ("tests/reconstruct/test_terms.py",),
    ),
    Mutant(
        "reconstruct: weights of terms",
        "meshlearn/reconstruct/fitting.py",
        "loss = sum(self.weights.get(k, 1.0) * v for k, v in used.items())",
        "loss = sum(v for k, v in used.items())",
        ("tests/reconstruct/test_terms.py",),
    ),
    Mutant(
        "reconstruct: distance in cells",
        "meshlearn/reconstruct/targets/base.py",
        "return stable_mean((squared / scale**2 + settings.SOFT).sqrt())",
        "return stable_mean((squared / scale + settings.SOFT).sqrt())",
        ("tests/reconstruct/test_terms.py",),
    ),
    Mutant(
        "reconstruct: normals both ways",
        "meshlearn/reconstruct/targets/mesh.py",
        "stable_mean(1 - cosines[0]) + stable_mean(1 - cosines[1])",
        "stable_mean(1 - cosines[0])",
        ("tests/reconstruct/test_terms.py",),
    ),
    Mutant(
        "reconstruct: which edges are sharp",
        "meshlearn/reconstruct/targets/mesh.py",
        "cosine < math.cos(math.radians(angle))",
        "cosine > math.cos(math.radians(angle))",
        ("tests/reconstruct/test_terms.py",),
    ),
    Mutant(
        "reconstruct: distance to first order",
        "meshlearn/reconstruct/targets/field.py",
        "distance = (value.detach() / length)",
        "distance = value.detach()",
        ("tests/reconstruct/test_terms.py",),
    ),
    Mutant(
        "reconstruct: points along contours",
        "meshlearn/reconstruct/targets/contours.py",
        "+ 0.5) / samples",
        "+ 0.0) / samples",
        ("tests/reconstruct/test_terms.py",),
    ),
    Mutant(
        "reconstruct: spacing in the distance from points",
        "meshlearn/reconstruct/targets/points.py",
        "(near[:, 0] - self.spacing**2)",
        "(near[:, 0] - self.spacing)",
        ("tests/reconstruct/test_terms.py",),
    ),
    Mutant(
        "reconstruct: noise in the distance of points",
        "meshlearn/reconstruct/targets/points.py",
        "soft = (self.noise / scale) ** 2",
        "soft = self.noise / scale",
        ("tests/reconstruct/test_terms.py",),
    ),
    Mutant(
        "reconstruct: freedom of a plane in the noise",
        "meshlearn/reconstruct/targets/point_normals.py",
        "[:, 0].clamp(min=0) * k / freedom",
        "[:, 0].clamp(min=0)",
        ("tests/reconstruct/test_terms.py",),
    ),
    Mutant(
        "reconstruct: depth across the surface",
        "meshlearn/reconstruct/targets/images.py",
        "along * slope.clamp(min=settings.LEAST_COSINE) / scale",
        "along / scale",
        ("tests/reconstruct/test_terms.py",),
    ),
    Mutant(
        "reconstruct: least resolution of a coarse stage",
        "meshlearn/reconstruct/methods.py",
        "if cells >= self.source.coarse_from else",
        "if cells > self.source.coarse_from else",
        ("tests/reconstruct/test_methods.py",),
    ),
    Mutant(
        "reconstruct: first grid of a sparse fit",
        "meshlearn/reconstruct/methods.py",
        "while stages[0] > SPARSE_START and",
        "while stages[0] >= SPARSE_START and",
        ("tests/reconstruct/test_methods.py",),
    ),
    Mutant(
        "reconstruct: distance that asks for float64",
        "meshlearn/reconstruct/sources.py",
        "return torch.float64 if far > settings.FAR * size else torch.float32",
        "return torch.float64 if far > 2 * settings.FAR * size else torch.float32",
        ("tests/reconstruct/test_methods.py",),
    ),
    Mutant(
        "reconstruct: hollows by normals alone",
        "meshlearn/reconstruct/sources.py",
        "images.normals is not None and images.depth is None",
        "images.normals is not None",
        ("tests/reconstruct/test_methods.py",),
    ),
    Mutant(
        "train: cosine of the rate",
        "meshlearn/train/training_stages.py",
        "min(1.0, (step + 1) / 5) * (0.05 + 0.475",
        "min(1.0, (step + 1) / 5) * (0.05 + 0.45",
        ("tests/train/test_stages.py",),
    ),
    Mutant(
        "train: rate of the codes",
        "meshlearn/train/deepmesh.py",
        '{"params": [model.codes], "lr": 2 * lr}',
        '{"params": [model.codes], "lr": lr}',
        ("tests/train/test_stages.py",),
    ),
    Mutant(
        "train: prior of the codes",
        "meshlearn/train/deepmesh.py",
        "stable_mean((codes.float() ** 2).sum(1))",
        "stable_mean((codes.float() ** 2).mean(1))",
        ("tests/train/test_stages.py",),
    ),
    Mutant(
        "train: spread of samples near a surface",
        "meshlearn/train/prepared.py",
        "spread[::2] = 0.025",
        "spread[::2] = 0.05",
        ("tests/train/test_stages.py",),
    ),
    Mutant(
        "train: share of samples near a surface",
        "meshlearn/train/dataset.py",
        "close = round(self.points * self.near)",
        "close = round(self.points * (1 - self.near))",
        ("tests/train/test_stages.py",),
    ),
    Mutant(
        "train: warm-up of BSP-Net",
        "meshlearn/train/bspnet.py",
        "return min(1.0, 0.1 + 18 * done)",
        "return min(1.0, 0.1 + 9 * done)",
        ("tests/train/test_stages.py",),
    ),
    Mutant(
        "run folder: gap of a history",
        "meshlearn/run_folder.py",
        "[math.nan] * done)",
        "[0.0] * done)",
        ("tests/train/test_stages.py",),
    ),
    Mutant(
        "run folder: snapshots that are forgotten",
        "meshlearn/run_folder.py",
        "int(number) > after:",
        "int(number) >= after:",
        ("tests/train/test_stages.py",),
    ),
    Mutant(
        "train: mean over accumulated batches",
        "meshlearn/train/training.py",
        "sums.get(name, 0.0) + value / self.accumulate",
        "sums.get(name, 0.0) + value",
        ("tests/train/test_loop.py::test_accumulated_batches_equal_a_larger_one",),
    ),
    Mutant(
        "train: order of an epoch",
        "meshlearn/train/stream.py",
        "seed_of(self.seed, 1, epoch)",
        "seed_of(self.seed, 1, 0)",
        ("tests/train/test_loop.py::test_stream_is_one_permutation_after_another",),
    ),
    Mutant(
        "reconstruct: random state of a resumed fit",
        "meshlearn/reconstruct/fitting.py",
        "        self.generator.set_state(random_state)\n",
        "        pass\n",
        ("tests/reconstruct/test_fit.py::test_resumes_to_the_same_result",),
    ),
]

MUTANTS: list[Mutant] = [*ISOSURFACE, *GEOMETRY, *MESH, *FIELDS, *RENDERING, *IO, *HEART, *FITS]
