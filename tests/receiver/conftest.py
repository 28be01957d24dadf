"""A receiver with a real journal in a file, and a browser that talks to it in this process."""

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pyotp
import pytest
from fastapi import FastAPI
from ruamel.yaml import YAML

from crisis.domain.clock import utc_now, write_time
from crisis.domain.entry import Entry
from crisis.domain.plan import Plan
from crisis.domain.protocol import Protocol
from crisis.journal.inbox import Delivery, Inbox
from crisis.journal.store import Journal
from crisis.receiver.access import link_for
from crisis.receiver.app import create_app
from crisis.receiver.context import Context
from crisis.settings import Settings
from tests.domain.story import INCIDENT, RUN, a_plan

ROOT = Path(__file__).parents[2]
CAPTURED = ROOT.parent / "shared" / "webhooks"
TOKEN = "a-token-of-the-sender"
SECRETS = {who: pyotp.random_base32() for who in ("ada", "ben", "cleo", "dan")}


def code_of(who: str, *, ago: float = 0) -> str:
    """Return the code that a person's authenticator shows, or showed so many seconds ago."""
    return pyotp.TOTP(SECRETS[who]).at(utc_now() - timedelta(seconds=ago))


def yes(who: str = "ada", **fields: str) -> dict[str, str]:
    """Return the fields of a good answer."""
    return {"person": who, "answer": "revert", "code": code_of(who), **fields}


@dataclass
class Browser:
    """Requests to the receiver, with one cookie jar, as one browser makes them."""

    context: Context
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)
    _served: tuple[Context, FastAPI] | None = None

    @property
    def app(self) -> FastAPI:
        """The receiver of this context, made at the first request: making it takes longer than most requests."""
        if self._served is None or self._served[0] is not self.context:
            self._served = self.context, create_app(self.context)
        return self._served[1]

    def send(self, method: str, path: str, **parts: Any) -> httpx.Response:
        """Send one request and return the answer."""
        return asyncio.run(self._send(method, path, **parts))

    async def _send(self, method: str, path: str, **parts: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        address = self.context.settings.address
        async with httpx.AsyncClient(transport=transport, base_url=address, cookies=self.cookies) as client:
            answer = await client.request(method, path, **parts)
            self.cookies.update(client.cookies)
            return answer

    def enter(self, who: str = "ada", incident: str = "") -> httpx.Response:
        """Open a link of this person's; from then on the browser has a session."""
        settings = self.context.settings
        return self.send("GET", link_for(settings, who, incident).removeprefix(settings.address))

    def alert(self, raw: bytes | AsyncIterator[bytes], sender: str = "alertmanager", **headers: str) -> httpx.Response:
        """Post a delivery as a sender that proves itself."""
        headers = {"Authorization": f"Bearer {TOKEN}", **{n.replace("_", "-"): v for n, v in headers.items()}}
        return self.send("POST", f"/alerts/{sender}", content=raw, headers=headers)

    def answer(self, path: str, headers: dict[str, str] | None = None, /, **fields: str) -> httpx.Response:
        """Open a decision page and send its form, filled in with these fields."""
        html = self.send("GET", path).text
        hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', html))
        return self.send("POST", path, data={**hidden, "reason": "", **fields}, headers=headers)


@asynccontextmanager
async def served(context: Context, host: str = "127.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    """Talk to one receiver for as long as this lasts, from an address of one's own."""
    transport = httpx.ASGITransport(create_app(context), raise_app_exceptions=False, client=(host, 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:4280") as client:
        yield client


@dataclass
class Wakes:
    """How often the responder was woken."""

    times: int = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def wakes() -> Wakes:
    """Count the times the responder is woken."""
    return Wakes()


@pytest.fixture
def protocol() -> Protocol:
    """Read the sandbox's protocol."""
    return Protocol.model_validate(YAML(typ="safe").load((ROOT / "protocol.yaml").read_text(encoding="utf-8")))


@pytest.fixture
def journal(tmp_path: Path, migrated: Path) -> Iterator[Journal]:
    """Open a fresh journal."""
    shutil.copyfile(migrated, tmp_path / "journal.db")
    journal = Journal.open(f"sqlite:///{tmp_path / 'journal.db'}")
    yield journal
    journal.close()


@pytest.fixture
def context(
    journal: Journal, protocol: Protocol, wakes: Wakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Context:
    """Put a receiver together, with the secrets that the protocol names."""
    monkeypatch.setenv("CRISIS_SANDBOX_ALERT_TOKEN", TOKEN)
    for who, secret in SECRETS.items():
        monkeypatch.setenv(f"CRISIS_SANDBOX_TOTP_{who.upper()}", secret)
    settings = Settings(home=tmp_path, public_url="http://receiver.test")
    context = Context(journal, Inbox(journal.database), protocol, settings, wakes, "http://prefect.test")
    context.beats.update(inbox=time.monotonic(), prefect=time.monotonic())  # as if `crisis up` had just come round
    return context


@pytest.fixture
def browser(context: Context) -> Browser:
    """Open a browser."""
    return Browser(context)


@pytest.fixture
def inside(context: Context) -> Browser:
    """Open a browser whose owner came in by a link of her own."""
    browser = Browser(context)
    browser.enter("ada")
    return browser


@dataclass
class Room:
    """An incident whose decision makers can be asked."""

    journal: Journal

    def ask(self, plan: Plan | None = None, wait: float = 600, **more: Any) -> str:
        """Ask for a plan and return the path of its page."""
        plan = plan or a_plan()
        body: dict[str, Any] = {"run": RUN, "gate": plan.gate, "plan": plan.model_dump(mode="json"), "hash": plan.hash}
        body |= {"people": ["ada", "ben"], "needed": 1, "silence": "stop", "requester": "", **more}
        deadline = write_time(utc_now() + timedelta(seconds=wait))
        self.journal.append(INCIDENT, "asked", "responder", {**body, "deadline": deadline})
        return f"/decide/{INCIDENT}/{RUN}/{plan.gate}"

    def entries(self, kind: str = "") -> list[Entry]:
        """Return the incident's entries, of one kind or of all."""
        return [entry for entry in self.journal.entries(INCIDENT) if kind in ("", entry.kind)]


@pytest.fixture
def room(journal: Journal) -> Room:
    """Open an incident by hand."""
    opened = {"service": "shop", "playbook": "bad-deploy", "source": "cli", "requester": "", "drill": False}
    journal.append(INCIDENT, "opened", "cli", {**opened, "summary": "checkout answers 500"}, key="opened")
    journal.append(INCIDENT, "level", "responder", {"level": 1, "because": "checkout fails"}, key="level:1")
    journal.append(INCIDENT, "started", "responder", {"run": RUN, "playbook": "bad-deploy", "start": 1})
    return Room(journal)


def damage(context: Context, sql: str) -> None:
    """Change what stands in the store behind the journal's back."""
    with context.journal.database.writing() as connection:
        guards = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'trigger'").scalars().all()
        for name in guards:
            connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
        connection.exec_driver_sql(sql)


def delivered(context: Context) -> list[Delivery]:
    """Return what waits in the inbox."""
    return context.inbox.new()
