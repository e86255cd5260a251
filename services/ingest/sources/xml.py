"""Hardened XML: no DOCTYPE, no entities, no network, bounded tags, depth and size."""

import re
from collections.abc import Iterator

from lxml import etree

from services.ingest.errors import FeedRejected
from services.ingest.limits import Limits, forbid_html

XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_SOAP = ("http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope")

Element = etree._Element


def parse_xml(body: bytes, limits: Limits) -> Element:
    """Root element of a hardened parse.

    Raises
    ------
    FeedRejected
        `doctype_forbidden`, `xml_limit`, `invalid_utf8` or `decode_error`.
    """
    forbid_html(body)
    if body[:2] in (b"\xff\xfe", b"\xfe\xff") or body[:4] in (b"\x00<\x00?", b"<\x00?\x00"):
        raise FeedRejected("invalid_utf8", "XML must be UTF-8; UTF-16 and UTF-32 are not read")
    if _DOCTYPE.search(body):
        raise FeedRejected("doctype_forbidden", "the document has a DOCTYPE or declares entities")
    long_tag = re.search(rb"<[^<>]{%d}" % limits.xml_tag_bytes, body)
    if long_tag:
        raise FeedRejected("xml_limit", f"a tag of more than {limits.xml_tag_bytes} bytes", f"byte {long_tag.start()}")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True, strip_cdata=True, recover=False,
    )  # fmt: skip
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise FeedRejected(_code(str(error)), f"not well-formed XML: {error}") from error
    except ValueError as error:
        raise FeedRejected("decode_error", f"not XML: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise FeedRejected("doctype_forbidden", "the document has a DOCTYPE")
    _check_shape(root, limits)
    return root


def _code(message: str) -> str:
    if "huge" in message or "too long" in message or "depth" in message:
        return "xml_limit"
    if "not proper UTF-8" in message or "encoding" in message.lower():
        return "invalid_utf8"
    return "decode_error"


def _check_shape(root: Element, limits: Limits) -> None:
    depth = count = 0
    for event, _ in etree.iterwalk(root, events=("start", "end")):
        if event == "end":
            depth -= 1
            continue
        depth += 1
        count += 1
        if depth > limits.xml_depth:
            raise FeedRejected("xml_limit", f"elements are nested deeper than {limits.xml_depth}")
        if count > limits.xml_elements:
            raise FeedRejected("xml_limit", f"more than {limits.xml_elements} elements")


def local_name(element: Element) -> str:
    """Tag without namespace."""
    return str(etree.QName(element).localname)


def namespace(element: Element) -> str:
    """Namespace of the tag, or the empty string."""
    return str(etree.QName(element).namespace or "")


def xsi_type(element: Element) -> str:
    """Value of xsi:type without prefix."""
    return (element.get(XSI_TYPE) or "").rpartition(":")[2]


def child(element: Element | None, *names: str) -> Element | None:
    """First descendant along child `names`, any namespace."""
    for name in names:
        if element is None:
            return None
        element = element.find("{*}" + name)
    return element


def text(element: Element | None, *names: str) -> str:
    """Trimmed text of the element found along `names`; empty where there is none."""
    found = child(element, *names)
    return (found.text or "").strip() if found is not None else ""


def children(element: Element, name: str) -> Iterator[Element]:
    """Children called `name`, any namespace."""
    return element.iterchildren("{*}" + name)


def unwrap_soap(root: Element) -> tuple[Element, bool]:
    """Content of a SOAP envelope's body (first element) and True, or the root itself and False."""
    if local_name(root) != "Envelope" or namespace(root) not in _SOAP:
        return root, False
    body = child(root, "Body")
    content = next((element for element in body if isinstance(element.tag, str)), None) if body is not None else None
    if content is None:
        raise FeedRejected("decode_error", "the SOAP envelope has no content")
    return content, True
