"""Pages: HTML that runs nothing but its own script, is kept nowhere and tells other sites nothing."""

import secrets
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from crisis.domain.clock import say_duration, write_time
from crisis.domain.timeline import say_name

__all__ = ["SAFE_HEADERS", "PageError", "fragment", "page", "plain"]

SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class PageError(Exception):
    """What somebody wanted is not to be had; becomes a page that says so and what to do."""

    def __init__(self, status: HTTPStatus, title: str, says: str) -> None:
        super().__init__(title)
        self.status, self.title, self.says = status, title, says

    def as_page(self) -> Response:
        """Return the page."""
        headers = {"Retry-After": "5"} if self.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        inside = self.status != HTTPStatus.FORBIDDEN  # who is kept out needs no way to the next closed door
        return page("message.html", self.status, headers=headers, title=self.title, says=self.says, inside=inside)


def page(
    template: str,
    status: int = HTTPStatus.OK,
    *,
    headers: dict[str, str] | None = None,
    live: bool = False,
    **values: Any,
) -> Response:
    """
    Fill in a template and send it with a policy that admits only its own style and script.

    The script of a `live` page may ask our own server for more.
    """
    nonce = secrets.token_urlsafe(16)
    html = _TEMPLATES.get_template(template).render(nonce=nonce, **values)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'" + ("; connect-src 'self'" if live else "")
    )
    return HTMLResponse(html, status, headers={**SAFE_HEADERS, "Content-Security-Policy": policy, **(headers or {})})


def fragment(template: str, **values: Any) -> str:
    """Fill in a template that is a part of a page: it has no style and no script."""
    return _TEMPLATES.get_template(template).render(**values)


def plain(content: str, media_type: str) -> Response:
    """Send a document that is no page: a picture, a report."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    return Response(content, media_type=media_type, headers={**SAFE_HEADERS, "Content-Security-Policy": policy})


def _ticked(text: str) -> Markup:
    # What stands between back ticks is a name to type.
    parts = str(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(Markup("<code>{}</code>").format(part) if n % 2 else part for n, part in enumerate(parts))


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S} UTC"


def _lasting(length: timedelta | float | None) -> str:
    if length is None:
        return ""
    length = length if isinstance(length, timedelta) else timedelta(seconds=length)
    return say_duration(length).replace(".0 s", " s")


_TEMPLATES = Environment(
    loader=PackageLoader("crisis.receiver"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {
    "clock": _clock,
    "lasting": _lasting,
    "words": say_name,
    "ticked": _ticked,
    "machine_time": write_time,
}
