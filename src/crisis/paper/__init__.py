"""Paper: turn a Markdown draft into a DOCX and a PDF that counsel could sign. No clock, no network, no system font."""

from crisis.paper.about import PaperAbout
from crisis.paper.pdf import name_missing_characters, write_pdf
from crisis.paper.word import write_docx

__all__ = ["PaperAbout", "name_missing_characters", "write_docx", "write_pdf"]
