"""
Sentinel: Sentry's lists of issues and metric alerts, as its documentation and its own source have them.

Pages by a cursor in `Link`, which names a next page also where none is and says so by `results`; a search that knows
the two terms we use; issues by their numbers, whatever the search says; incidents that had not closed before `start`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crisis.domain.clock import parse_time, utc_now, write_time

_SEARCH = re.compile(r"is:unresolved lastSeen:>=(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
_OPEN, _CLOSED, _CRITICAL = 1, 2, 20


@dataclass
class Sentinel:
    """A Sentry with one organization."""

    token: str
    organization: str = "acme"
    issues: list[dict[str, Any]] = field(default_factory=list)
    incidents: list[dict[str, Any]] = field(default_factory=list)
    has_metric_alerts: bool = True
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    refuses: Response | None = None
    page: int = 100

    def app(self) -> Starlette:
        """Return it as an application."""
        base = "/api/0/organizations/{organization}"
        return Starlette(
            routes=[Route(base + "/issues/", self._list_issues), Route(base + "/incidents/", self._list_incidents)]
        )

    def issue(
        self, number: int, *, first: timedelta = timedelta(), last: timedelta = timedelta(), substatus: str = "new"
    ) -> dict[str, Any]:
        """Add an issue that was seen first and last so long ago."""
        issue = {
            "id": str(number), "shortId": f"SHOP-{number}", "title": f"KeyError: {number}", "culprit": "cart.total",
            "level": "error", "status": "unresolved", "substatus": substatus, "platform": "python",
            "permalink": f"https://acme.sentry.example/issues/{number}/",
            "project": {"id": "1", "name": "shop", "slug": "shop", "platform": "python"},
            "metadata": {"type": "KeyError", "value": str(number)}, "type": "error",
            "count": "12", "userCount": 3, "firstSeen": write_time(utc_now() - first),
            "lastSeen": write_time(utc_now() - last), "stats": {"24h": []},
        }  # fmt: skip
        self.issues.append(issue)
        return issue

    def incident(self, number: int, *, began: timedelta = timedelta(), status: int = _CRITICAL) -> dict[str, Any]:
        """Add a metric alert that fired so long ago."""
        incident = {
            "id": str(number), "identifier": "1", "organizationId": "5", "projects": ["shop"], "status": status,
            "alertRule": {"id": "7", "name": "Too many errors", "environment": "production", "query": "level:error"},
            "title": "Too many errors", "dateStarted": write_time(utc_now() - began), "dateClosed": None,
        }  # fmt: skip
        self.incidents.append(incident)
        return incident

    def close(self, incident: dict[str, Any]) -> None:
        """Let a metric alert be over."""
        incident.update(status=_CLOSED, dateClosed=write_time(utc_now()))

    def _refusal(self, request: Request) -> Response | None:
        self.asked.append((request.url.path, dict(request.query_params)))
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"detail": "Invalid token"}, 401)
        if request.path_params["organization"] != self.organization:
            return JSONResponse({"detail": "The requested resource does not exist"}, 404)
        return self.refuses

    async def _list_issues(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        groups = request.query_params.getlist("group")
        if groups:
            return JSONResponse([one for one in self.issues if one["id"] in groups])
        search = _SEARCH.fullmatch(request.query_params["query"])
        if search is None or request.query_params.get("project") != "-1":
            return JSONResponse({"detail": "Error parsing search query"}, 400)
        since = parse_time(search[1])
        found = [one for one in self.issues if one["status"] == "unresolved" and parse_time(one["lastSeen"]) >= since]
        found.sort(key=lambda one: str(one["lastSeen"]), reverse=True)
        return self._page(request, found, "limit")

    async def _list_incidents(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        if not self.has_metric_alerts:
            return JSONResponse({"detail": "The requested resource does not exist"}, 404)
        start = parse_time(request.query_params["start"]) if "start" in request.query_params else None
        found = [
            one
            for one in self.incidents
            if start is None or one["dateClosed"] is None or parse_time(one["dateClosed"]) >= start
        ]
        found.sort(key=lambda one: str(one["dateStarted"]), reverse=True)
        return self._page(request, found, "per_page")

    def _page(self, request: Request, found: list[dict[str, Any]], limit: str) -> Response:
        size = min(self.page, int(request.query_params.get(limit, "25")))
        start = int(request.query_params.get("cursor", "0:0:0").split(":")[1])
        parts = [("previous", start - size, start > 0), ("next", start + size, start + size < len(found))]
        links = [
            f'<{request.url.replace(query="")}?&cursor=0:{at}:0>; rel="{rel}"; results="{str(there).lower()}"; '
            f'cursor="0:{at}:0"'
            for rel, at, there in parts
        ]
        return JSONResponse(found[start : start + size], headers={"Link": ", ".join(links)})
