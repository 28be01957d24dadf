"""Third GitHub: credential revocation, which takes no login, deploy keys and fine-grained tokens."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from crisis.sandbox.keyring import Keyring
from crisis.sandbox.memory import Memory
from crisis.sandbox.vendors.desk import Answer, Desk, Refusal, body_of, note
from crisis.sandbox.vendors.third_counter import Counter, bearer_of

__all__ = ["mount"]

_MOST = 1000


@dataclass(frozen=True)
class Revocation:
    """The one address that anybody may use, and nobody with a login."""

    ring: Keyring

    def accepts(self, request: Request) -> bool:
        """Refuse whoever logs in, or asks too often."""
        if request.headers.get("authorization"):
            raise Refusal(403, {"message": "This endpoint takes no authentication"})
        after = self.ring.throttle("github")
        if after is not None:
            raise Refusal(429, {"message": "API rate limit exceeded"}, {"Retry-After": str(after)})
        return True

    async def revoke(self, request: Request) -> Response:
        """POST: end whatever of it is a token of ours, and say yes to all."""
        given = (await body_of(request)).get("credentials")
        if not isinstance(given, list) or not 0 < len(given) <= _MOST:
            raise Refusal(422, {"message": "Validation Failed"})
        self.ring.revoke_calls.append(len(given))
        # An installation's token is none that this address takes.
        keys = self.ring.keys.get("github", {}).values()
        held = {key.secret: key.id for key in keys if not key.secret.startswith("ghs_")}
        for secret in given:
            self.ring.end("github", held.get(str(secret), ""))
        note(request, f"revoked {len(given)} credentials")
        return JSONResponse({}, 202)


def _login(request: Request) -> str:
    # A refresh token is good for nothing but a new token: as a login it is refused, dead or alive.
    given = bearer_of(request)
    return "" if given.startswith("ghr_") else given


def _listing(counter: Counter, kind: str) -> Answer:
    async def answer(request: Request) -> Response:
        counter.managing(request)
        at = request.path_params
        mine = "token:" if kind == "token" else f"{kind}:{at['owner']}/{at['name']}:"
        living = counter.ring.living("github", mine)
        return JSONResponse([{"id": int(key.id.removeprefix(mine))} for key in living])

    return answer


def mount(memory: Memory, ring: Keyring) -> Mount:
    """Serve the API below /third/github."""
    counter = Counter(
        "github", memory, ring, _login, refused=(401, {"message": "Bad credentials"}),
        forbidden=lambda lacks: (403, {"message": f"Resource not accessible by integration: {lacks}"}),
        missing=(404, {"message": "Not Found"}),
    )  # fmt: skip

    async def delete(request: Request) -> Response:
        at = request.path_params
        at["key"] = f"deploy-key:{at['owner']}/{at['name']}:{at['key']}"
        return await counter.ending(204)(request)

    revocation = Revocation(ring)
    front = Desk("github", memory, revocation.accepts, counter.refused, counter.missing)
    inner = counter.mount(
        ("/rate_limit", {"GET": counter.harmless({"resources": {}})}),
        ("/repos/{owner}/{name}/keys", {"GET": _listing(counter, "deploy-key")}),
        ("/repos/{owner}/{name}/keys/{key}", {"DELETE": delete}),
        ("/orgs/{owner}/personal-access-tokens", {"GET": _listing(counter, "token")}),
        ("/orgs/{owner}/personal-access-tokens/{key}", {"POST": counter.ending(204, kind="token:")}),
    )
    return Mount(
        "/third/github",
        routes=[front.mount("/credentials", ("/revoke", {"POST": revocation.revoke})), *inner.routes],
    )
