"""Search: find products by any word of their name or text."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse

from shop.catalogue import PRODUCTS, Product


def matches(product: Product, question: str) -> bool:
    """Tell whether every word of the question occurs."""
    text = f"{product.sku} {product.name} {product.words}".lower()
    return all(word in text for word in question.lower().split())


async def find(request: Request) -> JSONResponse:
    """Answer with the products that fit `q`; no question fits everything."""
    question = request.query_params.get("q", "")
    found = [asdict(product) for product in PRODUCTS.values() if matches(product, question)]
    return JSONResponse({"q": question, "results": found})
