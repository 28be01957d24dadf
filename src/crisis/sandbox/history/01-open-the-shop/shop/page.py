"""Page: the one page of the shop."""

from html import escape
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse

from shop import words

_TEMPLATE = Template((Path(__file__).parent / "static" / "index.html").read_text(encoding="utf-8"))


async def front(_: Request) -> HTMLResponse:
    """Show the shop."""
    texts = {name.lower(): escape(text) for name, text in vars(words).items() if name.isupper()}
    return HTMLResponse(_TEMPLATE.safe_substitute(texts))
