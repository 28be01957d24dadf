"""App: the web front. Alerts come in, decisions are made, incidents are shown."""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from crisis.errors import CrisisError
from crisis.receiver.access import access_routes
from crisis.receiver.challenge import challenge_routes
from crisis.receiver.context import Context
from crisis.receiver.decide import decision_routes
from crisis.receiver.enrol import enrolment_routes
from crisis.receiver.health import health_routes
from crisis.receiver.inbox_page import inbox_routes
from crisis.receiver.incidents import incident_routes
from crisis.receiver.intake import add_intake
from crisis.receiver.live import Live
from crisis.receiver.metrics import Metrics, metrics_routes
from crisis.receiver.pages import PageError
from crisis.receiver.slack import slack_routes
from crisis.receiver.task_page import task_routes
from crisis.receiver.telephone import telephone_routes

__all__ = ["create_app"]

_LOG = logging.getLogger(__name__)


def create_app(context: Context) -> FastAPI:
    """Return the receiver as an ASGI application; ProtocolError when its signing key cannot be used."""
    context.settings.signing_key()
    app = FastAPI(title="Crisis Protocols", openapi_url=None)
    metrics = Metrics(context)
    add_intake(app.router, context, metrics)
    app.include_router(health_routes(context))
    app.include_router(metrics_routes(context, metrics))
    app.include_router(decision_routes(context))
    app.include_router(challenge_routes(context))
    app.include_router(enrolment_routes(context))
    app.include_router(slack_routes(context))
    app.include_router(telephone_routes(context))
    app.include_router(access_routes(context))
    app.include_router(inbox_routes(context))
    app.state.live = Live(context)
    app.include_router(task_routes(context))
    app.include_router(incident_routes(context, app.state.live))

    app.exception_handler(PageError)(_page_error)
    app.exception_handler(HTTPException)(_http_error)
    app.exception_handler(CrisisError)(_crisis_error)
    app.exception_handler(Exception)(_last_line)
    return app


async def _page_error(_request: Request, error: PageError) -> Response:
    return error.as_page()


async def _http_error(request: Request, error: HTTPException) -> Response:
    status = HTTPStatus(error.status_code)
    if request.url.path.startswith("/alerts/"):
        return JSONResponse({"error": status.phrase}, status, headers=error.headers)
    says = "Check the link, or look at the list of incidents."
    # What stands behind these lets somebody in: no page shows it.
    door = next((door for door in ("/in/", "/enrol/") if request.url.path.startswith(door)), "")
    where = f"{door}…" if door else request.url.path
    answer = PageError(status, f"{status.phrase}: {where}"[:120], says).as_page()
    answer.headers.update(error.headers or {})
    return answer


async def _crisis_error(_request: Request, error: CrisisError) -> Response:
    _LOG.error("%s", error)
    says = "It is not certain that anything was recorded. Wait a few seconds, open the page again, and look."
    return PageError(HTTPStatus.SERVICE_UNAVAILABLE, "The record cannot be used right now", says).as_page()


async def _last_line(_request: Request, error: Exception) -> Response:
    # The type alone: a message could quote what was sent to us.
    _LOG.error("a request failed: %s", type(error).__name__)
    says = "Nothing is known to have been recorded. Look at the incident's page, then try again."
    return PageError(HTTPStatus.INTERNAL_SERVER_ERROR, "That went wrong on our side", says).as_page()
