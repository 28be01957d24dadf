"""Orders: the checkout."""

from collections import deque
from dataclasses import dataclass
from itertools import count

from starlette.requests import Request
from starlette.responses import JSONResponse

from shop import accounts, cart, pricing

_numbers = count(1001)


@dataclass(frozen=True)
class Order:
    """A cart somebody has paid for."""

    number: int
    user: str
    total_cents: int


ORDERS: deque[Order] = deque(maxlen=1000)


async def checkout(request: Request) -> JSONResponse:
    """Sell the cart to whoever is logged in."""
    user = accounts.who(request)
    if user is None:
        return JSONResponse({"error": "please log in first"}, 401)
    try:
        lines = cart.read((await request.json()).get("items"))
    except (ValueError, AttributeError) as error:
        return JSONResponse({"error": str(error)}, 422)
    order = Order(next(_numbers), user, pricing.total(lines))
    ORDERS.append(order)
    return JSONResponse({"status": "paid", "order": order.number, "total_cents": order.total_cents}, 201)
