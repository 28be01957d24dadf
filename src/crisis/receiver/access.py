"""Access: who may see incidents. A signed link opens a session; a proxy that asks for a login may vouch instead."""

from datetime import timedelta
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from crisis.engine.links import LINK, LINK_LASTS, link_for, read_token, sign_token
from crisis.receiver.context import Context
from crisis.receiver.pages import SAFE_HEADERS, PageError
from crisis.receiver.question import INCIDENT_NAME
from crisis.settings import Settings

__all__ = ["COOKIE", "LINK_LASTS", "SESSION_LASTS", "access_routes", "link_for", "visitor", "welcome"]

COOKIE = "crisis_session"
SESSION_LASTS = timedelta(hours=12)
_SESSION = "session"
_PAGES = ("/incidents", "/inbox")
"""What a session is for. A cookie for all paths would also go to whatever else serves this host, on any port."""

_ASK = "Ask somebody who can log in to the machine that runs this for a new one: `crisis link NAME`"


def welcome(response: Response, context: Context, who: str) -> Response:
    """Let a person who has proved themselves in: put a session into the answer's cookie."""
    name = context.protocol.person(who) or who
    token = sign_token(context.settings, _SESSION, {"who": name}, SESSION_LASTS)
    lasts, secure = int(SESSION_LASTS.total_seconds()), context.settings.address.startswith("https://")
    for path in _PAGES:
        # Lax, because people come by a link in a message, which is another site.
        response.set_cookie(COOKIE, token, lasts, path=path, secure=secure, httponly=True, samesite="lax")
    return response


def visitor(context: Context, request: Request) -> str:
    """Return the short name of the person who looks; PageError 403 says how to get in."""
    who = _vouched(context, request) or _in_session(context, request)
    if who is None:
        raise PageError(HTTPStatus.FORBIDDEN, "This page needs a link of your own", f"{_ASK}.")
    return who


def access_routes(context: Context) -> APIRouter:
    """Return the route that a signed link leads to."""
    router = APIRouter()

    @router.api_route("/in/{token}", methods=["GET", "HEAD"])
    def enter(token: str) -> Response:
        """Open a session. Changes nothing: a preview of the link costs its owner nothing."""
        return _enter(context, token)

    return router


def _enter(context: Context, token: str) -> Response:
    said = read_token(context.settings, LINK, token)
    if said is None:
        raise PageError(HTTPStatus.FORBIDDEN, "This link is not good, or not good any more", f"{_ASK}.")
    who, to = str(said["who"]), str(said["to"])
    if who not in context.protocol.people:
        raise PageError(HTTPStatus.FORBIDDEN, "You are not in the protocol any more", "Ask who keeps protocol.yaml.")
    where = f"/incidents/{quote(to, safe='')}" if INCIDENT_NAME.fullmatch(to) else "/incidents"
    return welcome(RedirectResponse(where, HTTPStatus.SEE_OTHER, headers=SAFE_HEADERS), context, who)


def _in_session(context: Context, request: Request) -> str | None:
    said = read_token(context.settings, _SESSION, request.cookies.get(COOKIE, ""))
    who = str(said["who"]) if said is not None else ""
    return who if who in context.protocol.people else None  # who left the protocol is out at once


def _vouched(context: Context, request: Request) -> str | None:
    """Return the person whom the proxy vouches for; None unless it is set up and the request came from it."""
    header = context.settings.proxy_header
    if header is None or not _from_proxy(context.settings, request):
        return None
    said = request.headers.getlist(header)
    if not said:
        return None
    who = context.protocol.person(said[0].strip()) if len(said) == 1 else None
    if who is None:
        title = "The proxy says that you are somebody this protocol does not know"
        says = "Have your login added to your aliases in protocol.yaml, or come by a link of your own."
        if len(said) > 1:
            # One of them may be the visitor's own, which the proxy should have taken away.
            title, says = "The proxy says twice who you are", f"Let it replace the header {header}, and not add to it."
        raise PageError(HTTPStatus.FORBIDDEN, title, says)
    return who


def _from_proxy(settings: Settings, request: Request) -> bool:
    try:
        peer = _plain(ip_address(request.client.host if request.client else ""))
    except ValueError:
        return False
    return any(peer in network for network in settings.proxies)


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    # What listens on IPv6 sees IPv4 peers as ::ffff:10.0.0.5.
    return getattr(address, "ipv4_mapped", None) or address
