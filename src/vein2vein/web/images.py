"""Figures of the reports as images of a page: the element that stands in a report becomes a file of its own."""

from __future__ import annotations

from starlette.responses import Response

from vein2vein.web.guard import DOCUMENT_POLICY

SPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
KIND = "image/svg+xml"


def as_file(svg: str) -> str:
    """The element of a figure as the text of an SVG file."""
    return svg if "xmlns=" in svg.partition(">")[0] else svg.replace("<svg ", f"<svg {SPACES} ", 1)


def image(svg: str) -> Response:
    """Send a figure; opened by itself it may look and do nothing."""
    return Response(svg, media_type=KIND, headers={"content-security-policy": DOCUMENT_POLICY})
