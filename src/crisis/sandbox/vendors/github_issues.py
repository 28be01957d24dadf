"""GitHub issues: the tickets of this world."""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from crisis.sandbox.memory import GitHub, now
from crisis.sandbox.vendors.desk import Page, Refusal, body_of, note
from crisis.sandbox.vendors.github_pages import NOT_FOUND, page_of


@dataclass(frozen=True)
class Issues:
    """Open, list, comment and change issues."""

    github: GitHub

    def pages(self) -> list[Page]:
        """List the addresses."""
        return [
            ("/issues", {"GET": self.listing, "POST": self.open}),
            ("/issues/{number:int}", {"GET": self.show, "PATCH": self.change}),
            ("/issues/{number:int}/comments", {"GET": self.comments, "POST": self.comment}),
        ]

    async def open(self, request: Request) -> Response:
        """POST a new issue."""
        body = await body_of(request)
        if not body.get("title"):
            missing = {"resource": "Issue", "field": "title", "code": "missing_field"}
            raise Refusal(422, {"message": "Validation Failed", "errors": [missing]})
        number = len(self.github.issues) + 1
        milestone = body.get("milestone")
        issue = {
            "id": self.github.next_id(),
            "number": number,
            "title": body["title"],
            "body": body.get("body"),
            "labels": _labels(body.get("labels")),
            "assignees": [{"login": login} for login in body.get("assignees") or []],
            "milestone": {"number": milestone} if milestone else None,
            "state": "open",
            "comments": 0,
            "created_at": now(),
            "updated_at": now(),
            "html_url": f"{request.base_url}sandbox/shop/issues/{number}",
        }
        self.github.issues.append(issue)
        note(request, f"open #{number}: {issue['title']}")
        return JSONResponse(issue, 201)

    async def listing(self, request: Request) -> Response:
        """GET issues, the newest first."""
        asked = request.query_params
        state = asked.get("state", "open")
        labels = {name for name in asked.get("labels", "").split(",") if name}
        found = [
            issue
            for issue in reversed(self.github.issues)
            if state in {"all", issue["state"]} and labels <= {label["name"] for label in issue["labels"]}
        ]
        return page_of(request, found)

    async def show(self, request: Request) -> Response:
        """GET one issue."""
        return JSONResponse(self._find(request))

    async def change(self, request: Request) -> Response:
        """PATCH an issue."""
        body, issue = await body_of(request), self._find(request)
        issue.update({name: body[name] for name in ("title", "body", "state", "state_reason") if name in body})
        if "labels" in body:
            issue["labels"] = _labels(body["labels"])
        issue["updated_at"] = now()
        note(request, f"change #{issue['number']}: {', '.join(sorted(body))}")
        return JSONResponse(issue)

    async def comments(self, request: Request) -> Response:
        """GET what was said about an issue."""
        return page_of(request, self.github.comments.get(self._find(request)["number"], []))

    async def comment(self, request: Request) -> Response:
        """POST a comment."""
        body, issue = await body_of(request), self._find(request)
        said = {"id": self.github.next_id(), "body": str(body.get("body", "")), "created_at": now()}
        self.github.comments.setdefault(issue["number"], []).append(said)
        issue["comments"] += 1
        note(request, f"comment on #{issue['number']}")
        return JSONResponse(said, 201)

    def _find(self, request: Request) -> dict[str, Any]:
        number = request.path_params["number"]
        if not 1 <= number <= len(self.github.issues):
            raise Refusal(*NOT_FOUND)
        found: dict[str, Any] = self.github.issues[number - 1]
        return found


def _labels(given: Any) -> list[dict[str, Any]]:
    names = (label["name"] if isinstance(label, dict) else label for label in given or [])
    return [{"name": str(name)} for name in names]
