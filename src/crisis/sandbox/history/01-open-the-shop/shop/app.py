"""The application: which address answers with what."""

from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from shop import accounts, catalogue, health, orders, page

app = Starlette(
    routes=[
        Route("/", page.front),
        Route("/healthz", health.report),
        Route("/api/products", catalogue.listing),
        Route("/api/login", accounts.login, methods=["POST"]),
        Route("/api/checkout", orders.checkout, methods=["POST"]),
        Mount("/static", StaticFiles(packages=[("shop", "static")])),
    ]
)
