"""GitHub's way to cut long answers into pages, and to say that something is not there."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

NOT_FOUND: tuple[int, dict[str, Any]] = (
    404,
    {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"},
)
_MOST = 100


def page_of(request: Request, found: list[dict[str, Any]]) -> Response:
    """Answer with one page, and with a link to the next when there is one."""
    size = max(1, min(_number(request, "per_page", 30), _MOST))
    page = max(1, _number(request, "page", 1))
    answer = JSONResponse(found[(page - 1) * size : page * size])
    if len(found) > page * size:
        after = request.url.include_query_params(page=page + 1)
        answer.headers["Link"] = f'<{after}>; rel="next"'
    return answer


def _number(request: Request, name: str, otherwise: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isdecimal() else otherwise
