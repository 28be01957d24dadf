"""Markup: the one way from what python-docx offers to the XML it does not cover."""

from typing import Any

from docx.oxml import OxmlElement
from docx.oxml.ns import qn

__all__ = ["element", "element_of"]


def element(tag: str, **attributes: object) -> Any:
    """Make a WordprocessingML element, such as `element("tab", val="right")`."""
    made = OxmlElement(f"w:{tag}")
    for name, value in attributes.items():
        made.set(qn(f"w:{name}"), str(value))
    return made


def element_of(piece: Any) -> Any:
    """Give the element behind a paragraph, row or cell: the library has no public name for it."""
    return piece._element  # noqa: SLF001
