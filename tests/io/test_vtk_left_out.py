"""Arrays of VTK files that are not read are told: text, other lengths, those of the whole."""

import pytest

from meshlearn import io as mio
from meshlearn.io.left_behind import LossKind

LEGACY = """# vtk DataFile Version 3.0
made by hand
ASCII
DATASET POLYDATA
{whole}POINTS 3 float
0 0 0 1 0 0 0 1 0
POLYGONS 1 4
3 0 1 2
{more}"""
POINTS = "POINT_DATA 3\nFIELD FieldData 2\n"
HEAT = "heat 1 3 float\n1 2 3\n"


def told(text, name):
    document = mio.read_document(bytearray(text.encode()), name)
    assert document.parts[0].vertex_fields.keys() <= {"heat"}
    return [(x.kind, x.domain, x.name, x.count) for x in document.left_out]


@pytest.mark.parametrize(
    ("more", "loss"),
    [
        (
            f"{POINTS}mood 1 3 string\ngood\nbad\nnone\n{HEAT}",
            (LossKind.FIELD, "vertex", "mood", 3),
        ),
        (f"{POINTS}odd%20one 1 2 int\n7 8\n{HEAT}", (LossKind.FIELD, "vertex", "odd one", 2)),
        ("CELL_DATA 1\nFIELD F 1\nodd 2 2 int\n7 8 9 10\n", (LossKind.FIELD, "cell", "odd", 2)),
        (
            "POINT_DATA 3\nSCALARS heat float\nLOOKUP_TABLE t\n1 2 3\nLOOKUP_TABLE t 2\n"
            "0 0 0 1 1 1 1 1\n",
            (LossKind.OTHER, "", "lookup table 't'", 2),
        ),
    ],
)
def test_arrays_of_a_legacy_file(more, loss):
    assert told(LEGACY.format(whole="", more=more), "a.vtk") == [loss]


def test_arrays_of_a_whole_legacy_file():
    text = LEGACY.format(whole="FIELD FieldData 1\nmass 1 1 double\n0.5\n", more="")
    assert told(text, "a.vtk") == [(LossKind.METADATA, "", "mass", 1)]
    assert told(LEGACY.format(whole="", more=""), "a.vtk") == []


@pytest.mark.parametrize("name", ["TIME", "CYCLE", "TimeValue", "avtOriginalBounds"])
def test_the_time_of_a_file_is_no_loss_but_said(tmp_path, name):
    legacy = LEGACY.format(whole=f"FIELD FieldData 1\n{name} 1 1 double\n0.5\n", more="")
    whole = f"<FieldData>{array(name, '0.5')}</FieldData>"
    head = '<VTKFile type="ImageData"><ImageData WholeExtent="0 1 0 1 0 1">'
    image = f'{head}{whole}<Piece Extent="0 1 0 1 0 1"/></ImageData></VTKFile>'
    blocks = '<VTKFile type="vtkMultiBlockDataSet"><vtkMultiBlockDataSet>'
    blocks += '<DataSet index="0" file="a.vtp"/></vtkMultiBlockDataSet></VTKFile>'
    files = {"a.vtk": legacy, "a.vtp": xml(whole=whole), "a.vti": image, "a.vtm": blocks}
    for file, text in files.items():
        (tmp_path / file).write_text(text)
        document = mio.load_document(tmp_path / file)
        assert document.left_out == []
        assert [said for said in document.remarks if repr(name) in said], file


def array(name, text, kind="Float64", width=1):
    return (
        f'<DataArray type="{kind}" Name="{name}" NumberOfComponents="{width}" format="ascii">'
        f"{text}</DataArray>"
    )


def xml(whole="", points=""):
    polys = array("connectivity", "0 1 2", "Int64") + array("offsets", "3", "Int64")
    return (
        f'<VTKFile type="PolyData" version="1.0"><PolyData>{whole}'
        f'<Piece NumberOfPoints="3" NumberOfPolys="1"><PointData>{points}</PointData>'
        f"<Points>{array('Points', '0 0 0 1 0 0 0 1 0', width=3)}</Points><Polys>{polys}</Polys>"
        "</Piece></PolyData></VTKFile>"
    )


WORDS = '<Array type="String" Name="mood" NumberOfTuples="3" format="ascii">65 0 66 0 67 0</Array>'


def test_arrays_of_an_xml_file():
    assert told(xml(points=WORDS + array("heat", "1 2 3")), "a.vtp") == [
        (LossKind.FIELD, "vertex", "mood", 3)
    ]
    mass = f"<FieldData>{array('mass', '0.5')}{array('offset', '1 2 3')}</FieldData>"
    assert told(xml(whole=mass), "a.vtp") == [(LossKind.METADATA, "", "mass", 1)]
    assert told(xml(), "a.vtp") == []


def test_arrays_of_an_image():
    box = '="0 1 0 1 0 1"'
    head = f'<VTKFile type="ImageData"><ImageData WholeExtent{box}><Piece Extent{box}>'
    text = f"{head}<CellData>{WORDS}</CellData></Piece></ImageData></VTKFile>"
    assert told(text, "a.vti") == [(LossKind.FIELD, "cell", "mood", 3)]
