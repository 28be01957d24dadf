"""Deployer: watches main, tests each new head, and puts it in front of the shoppers unless frozen."""

import asyncio
import json
import re
from collections.abc import Coroutine
from typing import Any

from crisis.errors import CrisisError
from crisis.sandbox.artefacts import Artefacts, Running
from crisis.sandbox.edge import Edge
from crisis.sandbox.memory import ENVIRONMENT, Deployment, Memory, now

FREEZE = "DEPLOY_FREEZE"
_POLL = 0.1
_DRAIN = 0.5
_SHA = re.compile(r"^[0-9a-f]{40}$")
_FIXES = ("fix/*", "hotfix/*")
_MAIN = {"main", "refs/heads/main", "heads/main"}
_WAITING = {"queued", "pending"}


class Deployer:
    """One lane to production: only one release is put live at a time."""

    def __init__(self, memory: Memory, artefacts: Artefacts, edge: Edge) -> None:
        self._memory, self._artefacts, self._edge = memory, artefacts, edge
        self._lane = asyncio.Lock()
        self._seen = ""
        self._live: Running | None = None
        self._work: set[asyncio.Task[None]] = set()
        self._known: set[str] = set()
        self._tried: set[str] = set()

    async def test_all(self, heads: list[str]) -> None:
        """Keep and test the first heads side by side."""
        await asyncio.gather(*(self._test(sha) for sha in heads))
        self._seen = heads[-1]

    async def watch(self) -> None:
        """Look at main until cancelled."""
        while True:
            if not self._memory.faults.get("deployer_down"):
                self._look()
            await asyncio.sleep(_POLL)

    def _look(self) -> None:
        try:
            head = self._artefacts.origin.head()
        except CrisisError:
            return  # the origin is away; the next look may find it
        if head != self._seen:
            self._seen = head
            self._do(self._build(head))
        for sha in set(self._artefacts.origin.branches(*_FIXES).values()) - self._tried:
            self._tried.add(sha)
            self._do(self._try(sha))

    async def _try(self, sha: str) -> None:
        """Test the tip of a fix branch; it is not released."""
        try:
            await self._test(sha)
        except CrisisError:
            self._tried.discard(sha)  # the origin went away in between

    async def _build(self, sha: str) -> None:
        try:
            passed = await self._test(sha)
        except CrisisError:
            self._seen = ""  # the origin went away in between: look at this head again
            return
        made = self._record(sha, ref="main", description="push to main", payload={}, rerelease=False)
        if passed:
            await self.release(made)
        else:
            self._say(made, "failure", "the tests failed")

    async def _test(self, sha: str) -> bool:
        await self._artefacts.keep(sha)
        self._known.add(sha)
        run: dict[str, Any] = {
            "id": self._memory.github.next_id(),
            "name": "tests",
            "head_sha": sha,
            "status": "in_progress",
            "conclusion": None,
            "started_at": now(),
            "output": {"title": "tests", "summary": "", "text": ""},
        }
        self._memory.github.check_runs.setdefault(sha, []).append(run)
        passed, short, text = await self._artefacts.test(sha)
        run.update(
            status="completed",
            conclusion="success" if passed else "failure",
            completed_at=now(),
            output={"title": short, "summary": short, "text": text},
        )
        return passed

    async def first(self, sha: str) -> None:
        """Release a head that was tested already."""
        await self.release(self._record(sha, ref="main", description="push to main", payload={}, rerelease=False))

    async def release(self, wish: Deployment) -> None:
        """Put a deployment live, or let it wait."""
        async with self._lane:
            if self._memory.faults.get("deployer_down") or wish.state not in _WAITING:
                return  # not now, or already dealt with
            if self._superseded(wish):
                self._say(wish, "inactive", "a newer commit is live")
            elif not self.allowed(wish.sha):
                if wish.state != "queued":
                    self._say(wish, "queued", "deployments are frozen")
            else:
                await self._put_live(wish)

    def _superseded(self, wish: Deployment) -> bool:
        newer = (one for one in self._memory.github.deployments if one.id > wish.id and not one.rerelease)
        return not wish.rerelease and any(one.state == "success" for one in newer)

    def allowed(self, sha: str) -> bool:
        """Tell whether the freeze lets a commit through."""
        freeze = self._memory.github.variables.get(FREEZE)
        if freeze is None:
            return True
        try:
            allow = json.loads(freeze["value"]).get("allow", [])
        except (ValueError, AttributeError):
            return False  # a freeze nobody can read still freezes
        return sha in allow

    async def _put_live(self, wish: Deployment) -> None:
        self._say(wish, "in_progress", "starting")
        if self._memory.faults.get("lying_deployer"):
            self._say(wish, "success", "live")
            return
        started = await self._artefacts.start(wish.sha)
        if started is None:
            self._say(wish, "failure", "the release did not become healthy")
            return
        before, self._live = self._live, started
        self._edge.turn_to(started.sha, started.url)
        self._say(wish, "success", "live")
        if before is not None:
            self._do(self._drain(before))

    async def _drain(self, old: Running) -> None:
        await asyncio.sleep(_DRAIN)
        await self._artefacts.stop(old.process)

    def request(self, sha: str, *, ref: str, description: str, payload: Any) -> Deployment:
        """Ask for a kept artefact to be released again."""
        wish = self._record(sha, ref=ref, description=description, payload=payload, rerelease=True)
        self._do(self.release(wish))
        return wish

    def reconsider(self) -> None:
        """Release the newest deployment that waits and may go; older ones are overtaken by it."""
        waiting = [one for one in self._memory.github.deployments if one.state in _WAITING and self.allowed(one.sha)]
        if not waiting or self._memory.faults.get("deployer_down"):
            return
        *overtaken, newest = waiting
        for one in overtaken:
            self._say(one, "inactive", "overtaken by a newer deployment")
        self._do(self.release(newest))

    def resolve(self, ref: str) -> str | None:
        """Turn a branch or a commit into the commit of a kept artefact."""
        sha = self._seen if ref in _MAIN else ref
        return sha if _SHA.match(sha) and sha in self._artefacts.kept() else None

    def knows(self, sha: str) -> bool:
        """Tell whether a commit exists; what was seen once is known while the origin is away."""
        if sha in self._known or not _SHA.match(sha):
            return sha in self._known
        try:
            found = self._artefacts.origin.knows(sha)
        except CrisisError:
            return False
        self._known |= {sha} if found else set()
        return found

    async def close(self) -> None:
        """Stop working."""
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    def _record(self, sha: str, *, ref: str, description: str, payload: Any, rerelease: bool) -> Deployment:
        made = Deployment(self._memory.github.next_id(), sha, ref, description, payload, rerelease)
        self._memory.github.deployments.append(made)
        return made

    def _say(self, wish: Deployment, state: str, description: str) -> None:
        said = {"state": state, "description": description, "environment": ENVIRONMENT, "created_at": now()}
        wish.statuses.append({"id": self._memory.github.next_id(), **said})

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
