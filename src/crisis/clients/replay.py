"""Replay: the missing test, written from the journey that failed, and the proof that it would have caught the fault."""

import json
import re
import textwrap
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from string import Template
from typing import Any

from crisis.clients.checkout import exported, fill, last_line, run_in
from crisis.clients.git import Repository
from crisis.clients.untested import summary
from crisis.clients.web import is_reference
from crisis.domain.protocol import Build, Journey, Request
from crisis.errors import ProtocolError
from crisis.settings import host_environment

__all__ = ["Proof", "prove_test", "replay_path", "replay_test"]

_WIDTH = 60
_TAIL = 40
_NAMES = re.compile(r'os\.environ(?:\.get\(|\[)"([A-Z][A-Z0-9_]*)"')
_FAILED = 1
_PLACES = {"{python}": "sys.executable", "{port}": "port"}

_FILE = Template('''\
"""
The journey "$name", as it failed in incident $incident.

Starts the service from this checkout on a free port and sends what a customer sends.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 20.0


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Shows a redirect instead of following it."""

    def redirect_request(self, *_):
        """Follow nothing."""


class Customer:
    """Sends requests one after the other and keeps the cookies."""

    def __init__(self, address):
        self.address = address
        jar = urllib.request.HTTPCookieProcessor(CookieJar())
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect(), jar)

    def ask(self, method, path, body=None, headers=None):
        """Send one request; return its status and text."""
        data = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, data, {**kind, **(headers or {})}, method=method)
        try:
            with self.opener.open(request, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()


@pytest.fixture
def customer():
    """A customer of the service that this checkout starts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = $serve
    environment = $environment
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.DEVNULL) as service:
        try:
            wait_for(service, int(port))
            yield Customer(f"http://127.0.0.1:{port}")
        finally:
            service.terminate()


def wait_for(service, port):
    """Wait until the service listens."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and service.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the service did not start")


def has(seen, wanted):
    """Tell whether an answer holds all that is wanted; it may hold more."""
    if isinstance(wanted, dict):
        return isinstance(seen, dict) and all(key in seen and has(seen[key], part) for key, part in wanted.items())
    if isinstance(wanted, list):
        return isinstance(seen, list) and len(seen) == len(wanted) and all(map(has, seen, wanted))
    return seen == wanted


def test_$function(customer):
    """A customer can do the whole journey "$name"."""
$steps
''')


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether a test fails with the fault and passes without it, and what it printed."""

    fails_on_bad: bool
    passes_on_good: bool
    output: str


def replay_path(incident: str, name: str) -> str:
    """Return where in the service's repository the test belongs."""
    return f"tests/test_{_word(incident)}_{_word(name)}.py"


def replay_test(build: Build, journey: Journey, incident: str, name: str) -> str:
    """
    Write a self-contained pytest file that replays a journey against the service of the checkout it stands in.

    No secret is in it: `env:NAME` becomes `os.environ["NAME"]`; other kinds of reference are a ProtocolError.
    """
    # What the service is told in its environment the test may choose itself, so that it runs without any secret.
    own = {value for value in build.environment.values() if is_reference(value)}
    steps = "\n\n".join(_step(request, own) for request in journey)
    return _FILE.substitute(
        name=name, incident=incident, function=_word(name), steps=steps,
        serve=_rows("[]", [_spell(word) for word in build.serve]),
        environment=_rows("{}", [f"{_quote(key)}: {_spell(value, own)}" for key, value in build.environment.items()]),
    )  # fmt: skip


def prove_test(
    repository: Repository, build: Build, text: str, good: str, bad: str, *, timeout: float = 120.0
) -> Proof:
    """Run a replay test in checkouts of both commits. Failing counts only when the test ran and said no."""
    bad_code, bad_output = _run(repository, build, text, bad, timeout)
    good_code, good_output = _run(repository, build, text, good, timeout)
    said = summary(bad_output.encode())
    fails = bad_code == _FAILED and "failed" in said and "error" not in said
    output = f"With {bad[:7]}:\n{bad_output}\n\nWith {good[:7]}:\n{good_output}\n"
    return Proof(fails, good_code == 0, output)


def _run(repository: Repository, build: Build, text: str, sha: str, timeout: float) -> tuple[int | None, str]:
    host = host_environment()
    more = {name: host[name] for name in _NAMES.findall(text) if name in host}
    with exported(repository, sha) as folder:
        path = folder / "tests" / "test_crisis_replay.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        done = run_in(folder, build, [*fill(build.test), str(path.relative_to(folder))], more=more, timeout=timeout)
    shown = done.out if last_line(done.out) else done.err
    return done.code, "\n".join(shown.decode(errors="replace").strip().splitlines()[-_TAIL:])


def _step(request: Request, own: AbstractSet[str]) -> str:
    """Spell one request and what it must answer; what does not fit into its line gets a name and lines of its own."""
    before: list[str] = []
    asked = [_quote(request.method), _quote(request.path)]
    if request.json_body is not None:
        asked.append(_named("body", _literal(request.json_body, own), before))
    if request.headers:
        asked.append(f"headers={_named('headers', _literal(dict(request.headers), own), before)}")
    after = [f"assert status == {request.answers.status}, text"]
    if request.answers.json_has:
        after.append(f"assert has(json.loads(text), {_named('wanted', _literal(request.answers.json_has), before)})")
    if request.answers.text:
        after.append(f"assert {_quote(request.answers.text)} in text")
    lines = [*before, f"status, text = customer.ask({', '.join(asked)})", "", *after]
    return textwrap.indent("\n".join(lines), "    ")


def _named(name: str, spelled: str, before: list[str]) -> str:
    if "\n" not in spelled:
        return spelled
    before.append(f"{name} = {spelled}")
    return name


def _rows(brackets: str, spelled: list[str]) -> str:
    line = f"{brackets[0]}{', '.join(spelled)}{brackets[1]}"
    if len(line) <= _WIDTH:
        return line
    return f"{brackets[0]}\n" + "".join(f"        {word},\n" for word in spelled) + f"    {brackets[1]}"


def _spell(word: str, own: AbstractSet[str] = frozenset()) -> str:
    """Spell a word of the build as Python that fills in what only the test knows."""
    if is_reference(word):
        return _reference(word, own)
    text = word.replace("{release}", "replay")
    if text in _PLACES:
        return _PLACES[text]
    calls = (f".replace({_quote(place)}, {name})" for place, name in _PLACES.items() if place in text)
    return _quote(text) + "".join(calls)


def _literal(value: Any, own: AbstractSet[str] = frozenset(), pad: str = "") -> str:
    """Spell a value as Python, on one line where it fits; a reference becomes a look into the environment."""
    if isinstance(value, str):
        return _reference(value, own) if is_reference(value) else _quote(value)
    if not isinstance(value, dict | list) or not value:
        return repr(value)
    inner = f"{pad}    "
    if isinstance(value, dict):
        parts = [f"{_quote(str(key))}: {_literal(part, own, inner)}" for key, part in value.items()]
    else:
        parts = [_literal(part, own, inner) for part in value]
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    line = f"{opening}{', '.join(parts)}{closing}"
    if "\n" not in line and len(line) <= _WIDTH:
        return line
    return f"{opening}\n" + "".join(f"{inner}{part},\n" for part in parts) + f"{pad}{closing}"


def _reference(reference: str, own: AbstractSet[str]) -> str:
    kind, _, name = reference.partition(":")
    if kind != "env":
        raise ProtocolError(
            reference, wanted="env:NAME in the journey", saw=f"{kind}:", then="a test can read the environment only"
        )
    return f'os.environ.get("{name}", "any-will-do")' if reference in own else f'os.environ["{name}"]'


def _word(text: str) -> str:
    return re.sub(r"\W+", "_", text.lower()).strip("_")


def _quote(text: str) -> str:
    """Spell a string as a formatter would leave it."""
    return repr(text) if '"' in text and "'" not in text else json.dumps(text, ensure_ascii=False)
