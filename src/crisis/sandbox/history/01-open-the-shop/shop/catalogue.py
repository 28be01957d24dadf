"""Catalogue: what can be bought."""

from dataclasses import asdict, dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse


@dataclass(frozen=True)
class Product:
    """One thing on the shelf; money is in cents."""

    sku: str
    name: str
    cents: int
    words: str
    hue: int


PRODUCTS = {
    product.sku: product
    for product in (
        Product("mug", "Stoneware mug", 1400, "Heavy, matt, keeps the heat for half an hour.", 18),
        Product("coffee", "Harbour roast, 500 g", 1650, "Chocolate first, then plum. Roasted on Mondays.", 28),
        Product("tea", "First flush Darjeeling", 1890, "Light and a little grassy. Steep it for three minutes.", 95),
        Product("kettle", "Gooseneck kettle", 6900, "Pours where you point it.", 205),
        Product("grinder", "Hand grinder", 8900, "Steel burrs, thirty-six settings, no cable.", 225),
        Product("filter", "Paper filters, 100 pieces", 650, "Unbleached, for one or two cups.", 48),
        Product("teapot", "Glass teapot", 3400, "Holds a litre and hides nothing.", 170),
        Product("biscuits", "Almond biscuits", 790, "Twice baked. For dipping.", 38),
    )
}


async def listing(_: Request) -> JSONResponse:
    """Answer with every product, in the order of the shelf."""
    return JSONResponse([asdict(product) for product in PRODUCTS.values()])
