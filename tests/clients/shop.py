"""A small real shop in git, whose checkout breaks inside a merged feature branch."""

from dataclasses import dataclass

from crisis.domain.protocol import Answer, Build, Journey, Request
from tests.clients.history import Origin

APP = '''\
"""A shop that needs nothing but Python."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from shop.prices import total


class Shop(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, {"release": os.environ["RELEASE_ID"], "secrets": sorted(os.environ)})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/login":
            right = body["password"] == os.environ["SHOP_PASSWORD"]
            self.answer(200 if right else 401, {}, {"Set-Cookie": "session=s1; Path=/"} if right else {})
        elif "session=s1" not in self.headers.get("Cookie", ""):
            self.answer(401, {})
        else:
            try:
                self.answer(201, {"status": "paid", "cents": total(body["quantity"])})
            except ValueError:
                self.answer(500, {})

    def answer(self, status, body, headers=()):
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**dict(headers), "Content-Length": len(text)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    HTTPServer(("127.0.0.1", int(sys.argv[1])), Shop).serve_forever()
'''

GOOD = """\
def total(quantity):
    return 100 * quantity
"""
HINT = """\
def total(quantity):
    return 100 * quantity


def hint(
    quantity,
):
    return "Take three"
"""
BAD = """\
def total(quantity):
    if quantity > 1:
        raise ValueError(
            "no such bundle",
        )
    return 100 * quantity
"""
BROKEN = "def total(quantity:\n"
TEST = """\
from shop.prices import total


def test_one():
    assert total(1) == 100


def test_none():
    assert total(0) == 0
"""

BUILD = Build(
    serve=("{python}", "-m", "shop.app", "{port}"),
    source="shop",
    environment={"RELEASE_ID": "{release}", "SHOP_PASSWORD": "env:A_PASSWORD"},
)
CHECKOUT: Journey = (
    Request(request="POST /api/login", json={"password": "env:A_PASSWORD"}),
    Request(request="POST /api/checkout", json={"quantity": 3}, answers=Answer(status=201, json={"status": "paid"})),
)


@dataclass(frozen=True)
class Story:
    """The commits that matter."""

    origin: Origin
    good: str
    hint: str
    culprit: str
    merge: str
    bad: str


def open_shop(origin: Origin) -> str:
    """Commit a shop that works, with its tests."""
    config = "[tool.pytest.ini_options]\nfilterwarnings = ['error']\naddopts = ['-p', 'no:cacheprovider']\n"
    (origin.path / "pyproject.toml").write_text(config + 'pythonpath = ["."]\n', encoding="utf-8")
    origin.commit("Sell", shop__app_py=APP, shop__prices_py=GOOD)
    (origin.path / "shop" / "__init__.py").touch()
    return origin.commit("Test", tests__test_prices_py=TEST)


def break_shop(origin: Origin) -> Story:
    """Merge a branch whose second commit breaks the checkout of three, with harmless commits around it."""
    good = open_shop(origin)
    origin.branch("bundles")
    hint = origin.commit("Hint at bundles", shop__prices_py=HINT)
    culprit = origin.commit("Price bundles", shop__prices_py=BAD)
    origin.commit("Describe bundles", notes="bundles\n")
    origin.git("checkout", "--quiet", "main")
    origin.commit("Say hello", hello="hello\n")
    merge = origin.merge("bundles")
    bad = origin.commit("Say goodbye", goodbye="goodbye\n")
    return Story(origin, good, hint, culprit, merge, bad)
