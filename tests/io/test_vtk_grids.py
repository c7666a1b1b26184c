"""Images, rectilinear and structured grids of VTK: their skins, and surfaces inside."""

import numpy as np
import pytest

from meshlearn import io as mio
from meshlearn.io.formats.vtk.packing import lz4_block, unpacked
from meshlearn.io.volume import load_volume
from meshlearn.io.volumes.samples import Wanted
from meshlearn.io.volumes.table import is_volume, read_samples
from meshlearn.reconstruct.volume import extract_volume

vtk = pytest.importorskip("vtkmodules.all")
from vtkmodules.util import numpy_support  # noqa: E402

SIZE = (5, 4, 6)
PACKERS = ("none", "zlib", "lz4", "lzma")


def field(points):
    """Negative in an ellipsoid."""
    return np.linalg.norm((points - points.mean(0)) / np.ptp(points, axis=0), axis=1) - 0.35


def grid(kind, direction=None):
    """A lattice of VTK with an array of points and one of cells."""
    if kind == "image":
        out = vtk.vtkImageData()
        out.SetExtent(2, SIZE[0] + 1, 0, SIZE[1] - 1, -1, SIZE[2] - 2)
        out.SetSpacing(0.5, 0.8, 2)
        out.SetOrigin(10, -20, 30)
        if direction is not None:
            out.SetDirectionMatrix(*np.asarray(direction, float).reshape(-1))
    elif kind == "rectilinear":
        out = vtk.vtkRectilinearGrid()
        out.SetDimensions(*SIZE)
        axes = [np.cumsum(np.arange(1, n + 1)) * 0.5 for n in SIZE]
        if direction is not None:
            axes[1] = axes[1][::-1].copy()
        for axis, values in zip("XYZ", axes, strict=True):
            getattr(out, f"Set{axis}Coordinates")(numpy_support.numpy_to_vtk(values, deep=1))
    else:
        out = vtk.vtkStructuredGrid()
        out.SetDimensions(*SIZE)
        index = np.stack(np.unravel_index(np.arange(np.prod(SIZE)), SIZE, order="F"), -1)
        bent = index * [1, 1.5, 1] + 0.15 * np.sin(index[:, [1, 2, 0]])
        if direction is not None:
            bent[:, 0] *= -1
        points = vtk.vtkPoints()
        points.SetDataTypeToDouble()
        points.SetData(numpy_support.numpy_to_vtk(bent, deep=1))
        out.SetPoints(points)
    places = np.array([out.GetPoint(k) for k in range(out.GetNumberOfPoints())])
    values = numpy_support.numpy_to_vtk(field(places), deep=1)
    values.SetName("distance")
    out.GetPointData().SetScalars(values)
    numbers = numpy_support.numpy_to_vtk(np.arange(out.GetNumberOfCells(), dtype=np.int32), deep=1)
    numbers.SetName("number")
    out.GetCellData().AddArray(numbers)
    return out


def array(data, name):
    return numpy_support.vtk_to_numpy(data.GetArray(name))


def check_skin(part, source):
    """The faces of a part, with their data, are those of VTK's own skin."""
    surface = vtk.vtkDataSetSurfaceFilter()
    surface.SetInputData(source)
    surface.Update()
    wanted = surface.GetOutput()
    points = numpy_support.vtk_to_numpy(wanted.GetPoints().GetData()).astype(np.float64)
    cells = wanted.GetPolys()
    index = numpy_support.vtk_to_numpy(cells.GetConnectivityArray()).reshape(-1, 4)
    numbers = array(wanted.GetCellData(), "number")
    assert part.num_faces == len(index) and (part.sizes == 4).all()
    corners = part.vertices[part.polygon_index.reshape(-1, 4)]

    def keyed(corners, numbers):
        centres = np.round(corners.mean(1), 4)
        order = np.lexsort((*centres.T, numbers))
        return centres[order], numbers[order], corners[order]

    got = keyed(corners, part.face_fields["number"])
    want = keyed(points[index], numbers)
    np.testing.assert_allclose(got[0], want[0], atol=1e-3)
    np.testing.assert_array_equal(got[1], want[1])
    np.testing.assert_allclose(part.vertex_fields["distance"], field_of(part, source), atol=1e-5)
    middle = part.vertices.mean(0)
    a, b, c = (corners[:, k] for k in (0, 1, 2))
    normals = np.cross(b - a, c - a)
    assert (np.einsum("fk,fk->f", normals, corners.mean(1) - middle) > 0).all()  # outward


def field_of(part, source):
    """What VTK has at the vertices of a part."""
    values = array(source.GetPointData(), "distance")
    places = np.array([source.GetPoint(k) for k in range(source.GetNumberOfPoints())])
    return np.array([values[np.linalg.norm(places - v, axis=1).argmin()] for v in part.vertices])


WRITERS = {"image": "Image", "rectilinear": "RectilinearGrid", "structured": "StructuredGrid"}
SUFFIX = {"image": ".vti", "rectilinear": ".vtr", "structured": ".vts"}


def write_xml(path, source, kind, *, mode="raw", packer="zlib", big=False, wide=True):
    writer = getattr(vtk, f"vtkXML{WRITERS[kind].replace('Image', 'ImageData')}Writer")()
    writer.SetFileName(str(path))
    writer.SetInputData(source)
    {"none": writer.SetCompressorTypeToNone, "zlib": writer.SetCompressorTypeToZLib}.get(
        packer, getattr(writer, f"SetCompressorTypeTo{packer.upper()}", None)
    )()
    getattr(writer, f"SetDataModeTo{'Appended' if mode in ('raw', 'encoded') else mode}")()
    writer.SetEncodeAppendedData(mode == "encoded")
    (writer.SetByteOrderToBigEndian if big else writer.SetByteOrderToLittleEndian)()
    (writer.SetHeaderTypeToUInt64 if wide else writer.SetHeaderTypeToUInt32)()
    writer.SetBlockSize(64)  # several blocks an array
    assert writer.Write()


@pytest.mark.parametrize("turned", [None, [0, 1, 0, 1, 0, 0, 0, 0, 1]])
@pytest.mark.parametrize("kind", SUFFIX)
def test_skins_are_those_of_vtk(tmp_path, kind, turned):
    source = grid(kind, turned)
    path = tmp_path / f"a{SUFFIX[kind]}"
    write_xml(path, source, kind)
    document = mio.load_document(path)
    check_skin(document.parts[0], source)
    (loss,) = document.left_out
    assert loss.name == "points inside a grid" and loss.count == 3 * 2 * 4


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("mode", ["raw", "encoded", "Binary", "Ascii"])
@pytest.mark.parametrize("big, wide", [(False, True), (True, False)])
def test_data_of_xml(tmp_path, mode, packer, big, wide):
    source = grid("structured")
    options = {"mode": mode, "packer": packer, "big": big, "wide": wide}
    write_xml(tmp_path / "a.vts", source, "structured", **options)
    check_skin(mio.load_document(tmp_path / "a.vts").parts[0], source)


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("mode", ["raw", "encoded", "Binary"])
def test_data_of_surfaces(tmp_path, mode, packer):
    sphere = vtk.vtkSphereSource()
    sphere.SetThetaResolution(40)
    sphere.Update()
    writer = vtk.vtkXMLPolyDataWriter()
    writer.SetFileName(str(tmp_path / "a.vtp"))
    writer.SetInputData(sphere.GetOutput())
    kind = {"none": "None", "zlib": "ZLib"}.get(packer, packer.upper())
    getattr(writer, f"SetCompressorTypeTo{kind}")()
    getattr(writer, f"SetDataModeTo{'Appended' if mode in ('raw', 'encoded') else mode}")()
    writer.SetEncodeAppendedData(mode == "encoded")
    assert writer.Write()
    part = mio.load_document(tmp_path / "a.vtp").parts[0]
    points = numpy_support.vtk_to_numpy(sphere.GetOutput().GetPoints().GetData())
    np.testing.assert_array_equal(part.vertices, points)
    assert part.num_faces == sphere.GetOutput().GetNumberOfPolys()
    assert set(part.vertex_fields) == {"normal"}


def test_lz4_of_our_own(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "lz4.block", None)
    source = grid("structured")
    write_xml(tmp_path / "a.vts", source, "structured", packer="lz4")
    check_skin(mio.load_document(tmp_path / "a.vts").parts[0], source)
    # a literal of 3, a match of 13 that reaches 1 back, a last literal
    block = bytes([0x39]) + b"abc" + bytes([1, 0]) + bytes([0x20]) + b"de"
    assert lz4_block(block, 99) == b"abc" + b"c" * 13 + b"de"
    for bad in (block[:5], bytes([0x39]) + b"abc\x09\x00", bytes([0xF0, 255])):
        with pytest.raises(ValueError, match="is damaged"):
            lz4_block(bad, 99)
    with pytest.raises(ValueError, match="is damaged"):
        lz4_block(block, 10)


@pytest.mark.parametrize("packer", ["ZLib", "LZMA"])
def test_blocks_are_held_against_their_checksums(packer):
    import lzma
    import zlib

    data, name = bytes(range(250)) * 4, f"vtk{packer}DataCompressor"
    packed = {"ZLib": zlib.compress, "LZMA": lzma.compress}[packer](data)
    assert unpacked(name, [packed], [len(data)]) == data
    with pytest.raises(ValueError, match=r"a DataArray is damaged: .* before its checksum"):
        unpacked(name, [packed[:-2]], [len(data)])
    other = packed[:-1] + bytes([packed[-1] ^ 1])
    with pytest.raises(ValueError, match="a DataArray is damaged"):
        unpacked(name, [other], [len(data)])


def test_blocks_that_lie():
    import lzma
    import zlib

    for name, packed in (
        ("vtkZLibDataCompressor", zlib.compress(bytes(100))),
        ("vtkLZMADataCompressor", lzma.compress(bytes(100))),
        ("vtkLZ4DataCompressor", bytes([0x1F, 0, 1, 0, 75, 0x50, 0, 0, 0, 0, 0])),
    ):
        assert len(unpacked(name, [packed], [100])) == 100
        for size in (99, 101):
            with pytest.raises(ValueError, match="DataArray"):
                unpacked(name, [packed], [size])
        with pytest.raises(ValueError, match="promises more bytes than"):
            unpacked(name, [packed], [10**13])
        with pytest.raises(ValueError, match="DataArray"):
            unpacked(name, [packed[: len(packed) // 2]], [100])


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("kind", SUFFIX)
@pytest.mark.parametrize("version", [42, 51])
def test_legacy_files(tmp_path, kind, binary, version):
    source = grid(kind)
    name = WRITERS[kind].replace("Image", "StructuredPoints")
    writer = getattr(vtk, f"vtk{name}Writer")()
    writer.SetFileName(str(tmp_path / "a.vtk"))
    writer.SetInputData(source)
    (writer.SetFileTypeToBinary if binary else writer.SetFileTypeToASCII)()
    writer.SetFileVersion(version)
    assert writer.Write()
    check_skin(mio.load_document(tmp_path / "a.vtk").parts[0], source)
    assert is_volume(tmp_path / "a.vtk") == (kind == "image")
    check_surface(tmp_path / "a.vtk", source)


def check_surface(path, source, atol=2e-2):
    """The ball inside, where VTK's own contour has it, outward."""
    mesh = extract_volume(load_volume(path, key="distance"), level=0)
    if isinstance(source, vtk.vtkImageData):  # the contour of an image may not be turned with it
        points = vtk.vtkImageDataToPointSet()
        points.SetInputData(source)
        points.Update()
        source = points.GetOutput()
    contour = vtk.vtkContourFilter()
    contour.SetInputData(source)
    contour.SetInputArrayToProcess(0, 0, 0, 0, "distance")
    contour.SetValue(0, 0)
    contour.Update()
    points = numpy_support.vtk_to_numpy(contour.GetOutput().GetPoints().GetData())
    got = np.unique(np.round(mesh.vertices.double().numpy(), 3), axis=0)
    want = np.unique(np.round(points.astype(np.float64), 3), axis=0)
    distance = np.linalg.norm(got[:, None] - want[None], axis=-1)
    assert distance.min(0).max() < atol and distance.min(1).max() < atol
    assert mesh.is_watertight and float(mesh.volume()) > 0


@pytest.mark.parametrize("turned", [None, [0, 1, 0, 1, 0, 0, 0, 0, 1]])
@pytest.mark.parametrize("kind", SUFFIX)
def test_surfaces_inside(tmp_path, kind, turned):
    source = grid(kind, turned)
    path = tmp_path / f"a{SUFFIX[kind]}"
    write_xml(path, source, kind)
    check_surface(path, source)


def test_values_of_cells_lie_at_their_centres(tmp_path):
    write_xml(tmp_path / "a.vti", grid("image"), "image")
    samples = read_samples(tmp_path / "a.vti", Wanted(key="number"))
    assert samples.values.shape == (4, 3, 5) and samples.values[1, 0, 0] == 1
    np.testing.assert_allclose(samples.affine[:3, 3], [11.25, -19.6, 29])
    assert "at their centres" in samples.remarks[0]
    for name, key in (("rectilinear", "number"), ("structured", "number")):
        path = tmp_path / f"a{SUFFIX[name]}"
        write_xml(path, grid(name), name)
        points = read_samples(path, Wanted(key=key)).points
        centre = grid(name).GetCell(1)
        wanted = np.mean([grid(name).GetPoint(centre.GetPointId(k)) for k in range(8)], axis=0)
        np.testing.assert_allclose(points[1, 0, 0], wanted)


@pytest.mark.parametrize("turned", [None, [0, 1, 0, 1, 0, 0, 0, 0, 1]])
@pytest.mark.parametrize("kind", SUFFIX)
def test_labels_at_the_border_are_closed(tmp_path, kind, turned):
    """Straight or curved: the surface reaches half a step beyond the samples of the label."""
    source = grid(kind, turned)
    size = SIZE
    index = np.indices(size).reshape(3, -1, order="F")
    # from one side of the grid to the other along x, up to one side along y, and inside along z
    values = ((index[1] < 2) & (index[2] > 0) & (index[2] < 3)).astype(np.float32)
    extra = numpy_support.numpy_to_vtk(values, deep=1)
    extra.SetName("label")
    source.GetPointData().AddArray(extra)
    path = tmp_path / f"a{SUFFIX[kind]}"
    write_xml(path, source, kind)
    volume = load_volume(path, key="label", label=1)
    assert volume.values.shape == (size[0] + 2, 4, 4)
    mesh = extract_volume(volume)
    assert mesh.is_watertight and mesh.num_faces
    if volume.points is None:
        return
    points = read_samples(path, Wanted(key="label")).points
    np.testing.assert_array_equal(volume.points[1:-1, 1:-1], points[:, :2, 0:4])
    np.testing.assert_allclose(volume.points[0], 2 * volume.points[1] - volume.points[2])
    middle = points[:, 0] - 0.5 * (points[:, 1] - points[:, 0])  # half a step beyond that side
    seen = mesh.vertices.double().numpy()
    for at in (middle[1, 1], middle[-2, 2]):
        assert np.linalg.norm(seen - at, axis=1).min() < 1e-4


def test_a_frame_of_a_grid_is_refused(tmp_path):
    write_xml(tmp_path / "a.vti", grid("image"), "image")
    assert load_volume(tmp_path / "a.vti", frame=0, key="distance").values.numel()
    with pytest.raises(ValueError, match="there is no frame 1; it holds one"):
        load_volume(tmp_path / "a.vti", frame=1, key="distance")


def test_arrays_are_named(tmp_path):
    source = grid("image")
    more = numpy_support.numpy_to_vtk(np.zeros((120, 3)), deep=1)
    more.SetName("flow")
    source.GetPointData().AddArray(more)
    other = numpy_support.numpy_to_vtk(np.zeros(120), deep=1)
    other.SetName("zero")
    source.GetPointData().AddArray(other)
    write_xml(tmp_path / "a.vti", source, "image")
    with pytest.raises(ValueError, match=r"2 arrays, \['distance', 'zero'\]; name one by key"):
        load_volume(tmp_path / "a.vti")
    with pytest.raises(ValueError, match="'flow' has several numbers a point"):
        load_volume(tmp_path / "a.vti", key="flow")
    with pytest.raises(ValueError, match="no array 'heat'; it holds"):
        load_volume(tmp_path / "a.vti", key="heat")
    assert not load_volume(tmp_path / "a.vti", key="zero").values.any()


@pytest.mark.parametrize("kind", SUFFIX)
def test_pieces_of_a_parallel_file_are_one(tmp_path, kind):
    source = grid(kind)
    name = WRITERS[kind].replace("Image", "ImageData")
    writer = getattr(vtk, f"vtkXMLP{name}Writer")()
    writer.SetFileName(str(tmp_path / f"a{SUFFIX[kind].replace('.', '.p')}"))
    writer.SetInputData(source)
    writer.SetNumberOfPieces(3)
    writer.SetStartPiece(0)
    writer.SetEndPiece(2)
    assert writer.Write()
    path = tmp_path / f"a{SUFFIX[kind].replace('.', '.p')}"
    document = mio.load_document(path)
    assert len(document.parts) == 1
    check_skin(document.parts[0], source)
    check_surface(path, source)
    gone = sorted(tmp_path.glob(f"*{SUFFIX[kind]}"))[1]
    gone.unlink()
    document = mio.load_document(path)
    assert document.left_out[0].name == gone.name
    with pytest.raises(ValueError, match="which it names, is not there"):
        load_volume(path, key="distance")


def test_pieces_of_a_parallel_mesh_without_what_others_have(tmp_path):
    head = '<VTKFile type="{0}"><{0}>{1}</{0}></VTKFile>'

    def values(kind, name, text, width=1):
        return (
            f'<DataArray type="{kind}" Name="{name}" format="ascii" '
            f'NumberOfComponents="{width}">{text}</DataArray>'
        )

    points = values("Float32", "p", "0 0 0 1 0 0 0 1 0 1 1 0", 3)
    cells = values("Int32", "connectivity", "0 1 2 1 3 2") + values("Int32", "offsets", "3 6")
    cells += values("UInt8", "types", "5 5")
    for k, ghosts in enumerate(("0 1", "0 0")):
        data = values("UInt8", "vtkGhostType", ghosts)
        data += values("Int32", "number", f"{k} {k + 10}")
        piece = (
            f"<Piece><Points>{points}</Points><Cells>{cells}</Cells>"
            f"<CellData>{data}</CellData></Piece>"
        )
        (tmp_path / f"part {k}.vtu").write_text(head.format("UnstructuredGrid", piece))
    named = '<Piece Source="part%200.vtu"/><Piece Source="part 1.vtu"/><Piece Source="gone.vtu"/>'
    (tmp_path / "a.pvtu").write_text(head.format("PUnstructuredGrid", named))
    document = mio.load_document(tmp_path / "a.pvtu")
    assert [p.face_fields["number"].tolist() for p in document.parts] == [[0], [1, 11]]
    assert [loss.name for loss in document.left_out] == ["gone.vtu"]


def test_blocks_are_parts_by_name(tmp_path):
    blocks = vtk.vtkMultiBlockDataSet()
    inner = vtk.vtkMultiBlockDataSet()
    cube = vtk.vtkCubeSource()
    cube.Update()
    inner.SetBlock(0, cube.GetOutput())
    inner.GetMetaData(0).Set(vtk.vtkCompositeDataSet.NAME(), "cube")
    blocks.SetBlock(0, inner)
    blocks.GetMetaData(0).Set(vtk.vtkCompositeDataSet.NAME(), "solid")
    blocks.SetBlock(1, grid("image"))
    blocks.GetMetaData(1).Set(vtk.vtkCompositeDataSet.NAME(), "image")
    writer = vtk.vtkXMLMultiBlockDataWriter()
    writer.SetFileName(str(tmp_path / "a.vtm"))
    writer.SetInputData(blocks)
    assert writer.Write()
    parts = mio.load_document(tmp_path / "a.vtm").parts
    assert [part.name for part in parts] == ["solid/cube", "image"]
    assert parts[0].num_faces == 6
    check_skin(parts[1], grid("image"))


def test_hidden_cells_have_no_faces(tmp_path):
    source = grid("image")
    source.AllocateCellGhostArray()
    source.BlankCell(0)
    source.BlankCell(30)
    write_xml(tmp_path / "a.vti", source, "image")
    part = mio.load_document(tmp_path / "a.vti").parts[0]
    seen = np.ones(60, int)
    seen[[0, 30]] = 0
    padded = np.pad(seen.reshape(4, 3, 5, order="F"), 1)
    assert part.num_faces == sum(int((np.diff(padded, axis=k) != 0).sum()) for k in range(3))
    assert not np.isin(part.face_fields["number"], [0, 30]).any()
    assert "vtkGhostType" not in part.face_fields


def test_flat_grids(tmp_path):
    image = vtk.vtkImageData()
    image.SetDimensions(4, 1, 3)
    image.AllocateScalars(vtk.VTK_FLOAT, 1)
    write_xml(tmp_path / "a.vti", image, "image")
    part = mio.load_document(tmp_path / "a.vti").parts[0]
    assert part.num_faces == 6 and len(part.vertices) == 12
    image.SetDimensions(1, 5, 1)
    image.AllocateScalars(vtk.VTK_FLOAT, 1)
    write_xml(tmp_path / "b.vti", image, "image")
    part = mio.load_document(tmp_path / "b.vti").parts[0]
    assert len(part.lines) == 4 and part.num_faces == 0
