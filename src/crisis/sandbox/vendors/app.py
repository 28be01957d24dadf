"""All vendors behind one address, as the drill ground serves them."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from crisis.sandbox.deployer import Deployer
from crisis.sandbox.keys import Keys
from crisis.sandbox.memory import Memory
from crisis.sandbox.vendors import github, phones, slack, switchboard, third, twilio, vercel
from crisis.sandbox.vendors.control import Control
from crisis.sandbox.vendors.desk import Refusal


def build(memory: Memory, deployer: Deployer, control: Control, keys: Keys) -> Starlette:
    """Put the vendors side by side."""
    routes = [
        github.mount(memory, deployer, keys),
        twilio.mount(memory, keys),
        slack.mount(memory, keys),
        switchboard.mount(memory, keys),
        vercel.mount(memory, deployer, keys),
        phones.mount(memory, keys),
        *third.mounts(memory, memory.third),
        *control.routes(),
    ]
    return Starlette(routes=routes, exception_handlers={Refusal: _refuse})


async def _refuse(_: Request, error: Exception) -> Response:
    if not isinstance(error, Refusal):
        raise error
    return JSONResponse(error.body, error.status, error.headers)
