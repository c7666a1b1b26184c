"""Small CAD files: STEP with solids of known size, and an IGES surface of revolution."""

from __future__ import annotations

_UNITS = {
    "mm": "(LENGTH_UNIT()NAMED_UNIT(*)SI_UNIT(.MILLI.,.METRE.))",
    "m": "(LENGTH_UNIT()NAMED_UNIT(*)SI_UNIT($,.METRE.))",
    "cm": "(LENGTH_UNIT()NAMED_UNIT(*)SI_UNIT(.CENTI.,.METRE.))",
}


class Step:
    """A STEP file (ISO 10303-21, AP214) that grows by entities."""

    def __init__(self, unit: str = "mm") -> None:
        self.lines: list[str] = []
        context = self.add("APPLICATION_CONTEXT('automotive design')")
        self.product_context = self.add(f"PRODUCT_CONTEXT('',#{context},'mechanical')")
        self.definition_context = self.add(
            f"PRODUCT_DEFINITION_CONTEXT('part definition',#{context},'design')"
        )
        if unit == "in":
            milli = self.add(_UNITS["mm"])
            size = self.add(f"LENGTH_MEASURE_WITH_UNIT(LENGTH_MEASURE(25.4),#{milli})")
            exponents = self.add("DIMENSIONAL_EXPONENTS(1.,0.,0.,0.,0.,0.,0.)")
            length = self.add(
                f"(CONVERSION_BASED_UNIT('INCH',#{size})LENGTH_UNIT()NAMED_UNIT(#{exponents}))"
            )
        else:
            length = self.add(_UNITS[unit])
        angle = self.add("(NAMED_UNIT(*)PLANE_ANGLE_UNIT()SI_UNIT($,.RADIAN.))")
        solid = self.add("(NAMED_UNIT(*)SI_UNIT($,.STERADIAN.)SOLID_ANGLE_UNIT())")
        fine = self.add(
            f"UNCERTAINTY_MEASURE_WITH_UNIT(LENGTH_MEASURE(1.E-7),#{length},'distance','')"
        )
        self.context = self.add(
            "(GEOMETRIC_REPRESENTATION_CONTEXT(3)"
            f"GLOBAL_UNCERTAINTY_ASSIGNED_CONTEXT((#{fine}))"
            f"GLOBAL_UNIT_ASSIGNED_CONTEXT((#{length},#{angle},#{solid}))"
            "REPRESENTATION_CONTEXT('',''))"
        )

    def add(self, text: str) -> int:
        self.lines.append(f"#{len(self.lines) + 1}={text};")
        return len(self.lines)

    def point(self, at) -> int:
        return self.add(f"CARTESIAN_POINT('',({','.join(repr(float(v)) for v in at)}))")

    def vector(self, at) -> int:
        return self.add(f"DIRECTION('',({','.join(repr(float(v)) for v in at)}))")

    def frame(self, at, z=(0, 0, 1), x=(1, 0, 0)) -> int:
        return self.add(
            f"AXIS2_PLACEMENT_3D('',#{self.point(at)},#{self.vector(z)},#{self.vector(x)})"
        )

    def face(self, edges, surface: int, same: bool = True) -> int:
        """A face within loops of (edge, forward)."""
        bounds = []
        for number, loop in enumerate(edges):
            turned = [
                self.add(f"ORIENTED_EDGE('',*,*,#{edge},.{'T' if forward else 'F'}.)")
                for edge, forward in loop
            ]
            found = self.add(f"EDGE_LOOP('',({','.join(f'#{n}' for n in turned)}))")
            kind = "FACE_OUTER_BOUND" if number == 0 else "FACE_BOUND"
            bounds.append(self.add(f"{kind}('',#{found},.T.)"))
        inner = ",".join(f"#{n}" for n in bounds)
        return self.add(f"ADVANCED_FACE('',({inner}),#{surface},.{'T' if same else 'F'}.)")

    def box(self, name: str, low, high) -> None:
        """A box along the axes."""
        corners = [[high[k] if bit >> k & 1 else low[k] for k in range(3)] for bit in range(8)]
        vertex = [self.add(f"VERTEX_POINT('',#{self.point(c)})") for c in corners]
        edges: dict[tuple[int, int], int] = {}
        for a in range(8):
            for k in range(3):
                b = a | 1 << k
                if a != b:
                    step = [float(j == k) for j in range(3)]
                    along = self.add(f"VECTOR('',#{self.vector(step)},1.)")
                    line = self.add(f"LINE('',#{self.point(corners[a])},#{along})")
                    edges[a, b] = self.add(f"EDGE_CURVE('',#{vertex[a]},#{vertex[b]},#{line},.T.)")
        faces = []
        for k in range(3):
            i, j = 1 << (k + 1) % 3, 1 << (k + 2) % 3
            for side in (0, 1):
                base = side << k
                ring = [base, base | i, base | i | j, base | j]
                if not side:
                    ring.reverse()
                loop = [
                    (edges[min(a, b), max(a, b)], a < b)
                    for a, b in zip(ring, ring[1:] + ring[:1], strict=True)
                ]
                z = [float(m == k) * (1 if side else -1) for m in range(3)]
                x = [float(m == (k + 1) % 3) for m in range(3)]
                plane = self.add(f"PLANE('',#{self.frame(corners[base], z, x)})")
                faces.append(self.face([loop], plane))
        self._solid(name, faces)

    def cylinder(self, name: str, at, radius: float, height: float) -> None:
        """An upright cylinder on a centre of its lower end."""
        x, y, z = at
        low = self.add(f"VERTEX_POINT('',#{self.point((x + radius, y, z))})")
        high = self.add(f"VERTEX_POINT('',#{self.point((x + radius, y, z + height))})")
        up = self.add(f"VECTOR('',#{self.vector((0, 0, 1))},1.)")
        line = self.add(f"LINE('',#{self.point((x + radius, y, z))},#{up})")
        seam = self.add(f"EDGE_CURVE('',#{low},#{high},#{line},.T.)")
        rings = []
        for vertex, level in ((low, z), (high, z + height)):
            circle = self.add(f"CIRCLE('',#{self.frame((x, y, level))},{float(radius)!r})")
            rings.append(self.add(f"EDGE_CURVE('',#{vertex},#{vertex},#{circle},.T.)"))
        side = self.add(f"CYLINDRICAL_SURFACE('',#{self.frame(at)},{float(radius)!r})")
        loop = [(rings[0], True), (seam, True), (rings[1], False), (seam, False)]
        faces = [self.face([loop], side)]
        top = self.add(f"PLANE('',#{self.frame((x, y, z + height))})")
        bottom = self.add(f"PLANE('',#{self.frame(at, (0, 0, -1))})")
        faces += [self.face([[(rings[1], True)]], top), self.face([[(rings[0], False)]], bottom)]
        self._solid(name, faces)

    def _solid(self, name: str, faces: list[int]) -> None:
        shell = self.add(f"CLOSED_SHELL('',({','.join(f'#{f}' for f in faces)}))")
        solid = self.add(f"MANIFOLD_SOLID_BREP('{name}',#{shell})")
        shape = self.add(
            f"ADVANCED_BREP_SHAPE_REPRESENTATION('',(#{self.frame((0, 0, 0))},#{solid}),"
            f"#{self.context})"
        )
        product = self.add(f"PRODUCT('{name}','{name}','',(#{self.product_context}))")
        formation = self.add(f"PRODUCT_DEFINITION_FORMATION('','',#{product})")
        definition = self.add(
            f"PRODUCT_DEFINITION('design','',#{formation},#{self.definition_context})"
        )
        what = self.add(f"PRODUCT_DEFINITION_SHAPE('','',#{definition})")
        self.add(f"SHAPE_DEFINITION_REPRESENTATION(#{what},#{shape})")

    def text(self) -> str:
        body = "\n".join(self.lines)
        return (
            "ISO-10303-21;\nHEADER;\nFILE_DESCRIPTION((''),'2;1');\n"
            "FILE_NAME('a','',(''),(''),'','','');\n"
            "FILE_SCHEMA(('AUTOMOTIVE_DESIGN { 1 0 10303 214 1 1 1 1 }'));\nENDSEC;\nDATA;\n"
            f"{body}\nENDSEC;\nEND-ISO-10303-21;\n"
        )


def iges(unit: int = 2, name: str = "MM") -> str:
    """A line at x = 5, z from 0 to 10, turned whole around the z axis: a cylinder without ends."""
    parameters = ["110,0.,0.,0.,0.,0.,10.;", "110,5.,0.,0.,5.,0.,10.;"]
    parameters.append("120,1,3,0.,6.283185307179586;")
    fields = ["1H,", "1H;", "1Ha", "1Ha", "1Ha", "1Ha", "32", "38", "6", "308", "15", "1Ha", "1."]
    fields += [str(unit), f"{len(name)}H{name}", "1", "0.1", "15H20260101.000000", "1.E-7", "100."]
    fields += ["1Ha", "1Ha", "11", "0", "15H20260101.000000"]
    text = ",".join(fields) + ";"
    lines = [f"{'a':<72}S{1:>7}"]
    pieces = [text[k : k + 72] for k in range(0, len(text), 72)]
    lines += [f"{piece:<72}G{k + 1:>7}" for k, piece in enumerate(pieces)]
    for k, parameter in enumerate(parameters):
        kind = parameter[:3]
        used = "00010000" if kind == "110" else "00000000"
        first = [kind, str(k + 1), "0", "1", "0", "0", "0", "0"]
        lines.append("".join(f"{v:>8}" for v in first) + used + f"D{2 * k + 1:>7}")
        second = [kind, "0", "0", "1", "0", "", "", "", "0"]
        lines.append("".join(f"{v:>8}" for v in second) + f"D{2 * k + 2:>7}")
    for k, parameter in enumerate(parameters):
        lines.append(f"{parameter:<64}{2 * k + 1:>8}P{k + 1:>7}")
    counts = f"S{1:>7}G{len(pieces):>7}D{2 * len(parameters):>7}P{len(parameters):>7}"
    lines.append(f"{counts:<72}T{1:>7}")
    return "\n".join(lines) + "\n"
