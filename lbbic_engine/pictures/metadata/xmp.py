"""XMP packets: adds properties and corrects those that describe the picture."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

from lbbic_engine.pictures.metadata.iptc import Properties

_NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
}
_LISTS = {
    **dict.fromkeys(("dc:title", "dc:description", "dc:rights", "exif:UserComment"), "Alt"),
    **dict.fromkeys(("dc:subject", "photoshop:SupplementalCategories"), "Bag"),
    "dc:creator": "Seq",
}
_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    f'<rdf:RDF xmlns:rdf="{_NAMESPACES["rdf"]}"></rdf:RDF>'
    '</x:xmpmeta><?xpacket end="w"?>'
).encode()
_END = re.compile(rb"</\w+:RDF\s*>")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # in XML
_ORIENTATION = re.compile(rb"""(tiff:Orientation(?:\s*=\s*["']|>)\s*)([0-9]+)""")
_COLOUR_SPACE = re.compile(rb"""(exif:ColorSpace(?:\s*=\s*["']|>)\s*)[0-9]+""")
_PLACE = (
    rb"[\w.-]+:G(?:PS|ps)\w*|photoshop:(?:City|State|Country)"
    rb"|Iptc4xmpCore:(?:Location|CountryCode)|Iptc4xmpExt:Location(?:Created|Shown)"
)
# Each begins where a run of white space does: a search from within it would repeat the work.
_PLACE_ATTRIBUTE = re.compile(rb"""(?<!\s)\s+(?:%s)\s*=\s*(?:"[^"]*"|'[^']*')""" % _PLACE)
_PLACE_START = re.compile(rb"<(%s)(?=[\s/>])" % _PLACE)
_PLACE_END = re.compile(rb"</(%s)\s*>" % _PLACE)
_PIECES = re.compile(rb"[^<>]+"), re.compile(rb"[^\"']+")
_MAX_SEARCHES = 20  # a packet may have megabytes, and IPTC a million values
_SIDES = (
    re.compile(rb"""((?:tiff:ImageWidth|exif:PixelXDimension)(?:\s*=\s*["']|>)\s*)[0-9]+"""),
    re.compile(rb"""((?:tiff:ImageLength|exif:PixelYDimension)(?:\s*=\s*["']|>)\s*)[0-9]+"""),
)


def orientation(xmp: bytes) -> int | None:
    """The orientation in a packet, or None."""
    match = _ORIENTATION.search(xmp)
    return int(match[2]) if match else None


def upright(xmp: bytes, width: int, height: int) -> bytes:
    """Set the orientation to 1 and sizes to those given, where the packet contains them."""
    xmp = _ORIENTATION.sub(rb"\g<1>1", xmp)
    for pattern, side in zip(_SIDES, (width, height), strict=True):
        xmp = pattern.sub(rb"\g<1>" + str(side).encode(), xmp)
    return xmp


def in_srgb(xmp: bytes) -> bytes:
    """Change the colour space to sRGB where the packet contains one."""
    return _COLOUR_SPACE.sub(rb"\g<1>1", xmp)


def without_places(xmp: bytes) -> bytes:
    """Remove positions and names of places; ValueError if the packet is not UTF-8."""
    if b"\0" in xmp:
        raise ValueError("not UTF-8")
    return _PLACE_ATTRIBUTE.sub(b"", _without_place_elements(xmp))


def _without_place_elements(xmp: bytes) -> bytes:
    """In one pass: a packet made for it may have any number of elements without an end."""
    ends: dict[bytes, list[tuple[int, int]]] = {}  # by name, the first ones last
    for end in reversed(list(_PLACE_END.finditer(xmp))):
        ends.setdefault(end[1], []).append(end.span())
    kept = []
    done = bracket = 0  # what is copied or removed; where the tag ends
    for start in _PLACE_START.finditer(xmp):
        if start.start() < done:
            continue
        if bracket < start.end():
            bracket = xmp.find(b">", start.end())
        if bracket < 0:
            break
        last = bracket + 1
        if xmp[bracket - 1 : bracket] != b"/":
            later = ends.get(start[1], [])
            while later and later[-1][0] < last:
                later.pop()
            if not later:
                continue
            _, last = later.pop()
        kept.append(xmp[done : start.start()])
        done = last
    return b"".join([*kept, xmp[done:]])


def with_properties(xmp: bytes | None, properties: Properties) -> tuple[bytes | None, list[str]]:
    """Add properties that a packet lacks; return it and the names of properties that are lost.

    Existing properties are kept; a different value for one of them is lost.
    """
    packet = xmp or _EMPTY
    ends = list(_END.finditer(packet))
    present = {name for name in properties if re.search(rb"\b" + name.encode() + rb"\b", packet)}
    kept_out = {
        name: {_escaped(value).encode() for value in properties[name]}
        for name in sorted(properties)
        if name in present or not ends
    }
    there = _pieces(packet, set().union(*kept_out.values()))
    lost = [name for name, values in kept_out.items() if not _contains(packet, values - there)]
    new = {name: values for name, values in properties.items() if name not in present}
    if not new or not ends:
        return xmp, lost
    at = ends[-1].start()
    return packet[:at] + _description(new).encode() + packet[at:], lost


def _pieces(packet: bytes, wanted: set[bytes]) -> set[bytes]:
    """Which of these are all there is between two tags or quotation marks; in one pass each."""
    return {
        piece[0]
        for pattern in _PIECES
        for piece in (pattern.finditer(packet) if wanted else ())
        if piece[0] in wanted
    }


def _contains(packet: bytes, values: set[bytes]) -> bool:
    """Whether all of these, which are no whole pieces, are in a packet; many are not looked for."""
    return len(values) <= _MAX_SEARCHES and all(value in packet for value in values)


def _description(properties: Properties) -> str:
    prefixes = sorted({"rdf"} | {name.partition(":")[0] for name in properties})
    names = " ".join(f'xmlns:{prefix}="{_NAMESPACES[prefix]}"' for prefix in prefixes)
    elements = "".join(f"<{name}>{_value(name, properties[name])}</{name}>" for name in properties)
    return f'<rdf:Description rdf:about="" {names}>{elements}</rdf:Description>'


def _value(name: str, values: list[str]) -> str:
    kind = _LISTS.get(name)
    together = "\n".join(values)  # where there is room for one
    if kind is None:
        return _escaped(together)
    language = ' xml:lang="x-default"' if kind == "Alt" else ""
    entries = [together] if kind == "Alt" else values
    items = "".join(f"<rdf:li{language}>{_escaped(value)}</rdf:li>" for value in entries)
    return f"<rdf:{kind}>{items}</rdf:{kind}>"


def _escaped(value: str) -> str:
    return escape(_FORBIDDEN.sub("\ufffd", value))
