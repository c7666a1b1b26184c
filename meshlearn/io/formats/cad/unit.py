"""The unit of length that a STEP or IGES file counts in.

Sources: ISO 10303-21 and -41 (SI_UNIT, CONVERSION_BASED_UNIT); IGES 5.3, section 2.2.4.3.
"""

from __future__ import annotations

import re

_PREFIXES = {"$": "m", ".MILLI.": "mm", ".CENTI.": "cm", ".DECI.": "dm", ".KILO.": "km"}
_PREFIXES |= {".MICRO.": "um"}
_NAMES = {"INCH": "in", "FOOT": "ft", "YARD": "yd", "MILLIMETRE": "mm", "MILLIMETER": "mm"}
_NAMES |= {"METRE": "m", "METER": "m", "CENTIMETRE": "cm", "MICRON": "um"}
_IGES = {1: "in", 2: "mm", 4: "ft", 6: "m", 7: "km", 9: "um", 10: "cm"}
_ASSIGNED = re.compile(rb"GLOBAL_UNIT_ASSIGNED_CONTEXT\s*\(\s*\(([^)]*)\)")
_LENGTH = re.compile(rb"#(\d+)\s*=\s*\(([^;]{0,600}?LENGTH_UNIT[^;]{0,600}?)\)\s*;")
_SI = re.compile(r"SI_UNIT\s*\(\s*(\$|\.[A-Z]+\.)\s*,\s*\.METRE\.")
_CONVERTED = re.compile(r"CONVERSION_BASED_UNIT\s*\(\s*'([^']*)'")


def step_unit(data: bytes) -> str | None:
    """The unit of a STEP file; None where it has none, or several."""
    assigned = {n for found in _ASSIGNED.findall(data) for n in re.findall(rb"#(\d+)", found)}
    units = set()
    for number, body in _LENGTH.findall(data):
        if assigned and number not in assigned:
            continue
        text = body.decode("latin-1").upper()
        converted, plain = _CONVERTED.search(text), _SI.search(text)
        if converted:
            units.add(_NAMES.get(converted[1].strip()))
        elif plain:
            units.add(_PREFIXES.get(plain[1]))
    return units.pop() if len(units) == 1 else None


def iges_unit(data: bytes) -> str | None:
    """The unit of an IGES file; None where it has none of ours."""
    lines = data[:40_000].decode("latin-1").splitlines()
    text = "".join(line[:72].ljust(72) for line in lines if line[72:73] == "G")
    fields: list[str] = []
    at = 0
    ends = ",;"
    while at < len(text) and len(fields) < 14:
        held = re.compile(r"\s*(\d{1,4})H").match(text, at)
        if held:
            value = text[held.end() : held.end() + int(held[1])]
            at = held.end() + int(held[1])
            if not fields and value:
                ends = value + ends[1:]
            elif len(fields) == 1 and value:
                ends = ends[0] + value
        else:
            stop = min([k for k in (text.find(e, at) for e in ends) if k >= 0], default=len(text))
            value, at = text[at:stop].strip(), stop
        fields.append(value)
        at = text.find(ends[0], at) + 1
        if at == 0:
            break
    flag = fields[13] if len(fields) == 14 else ""
    return _IGES.get(int(flag)) if flag.isdigit() else None
