"""Mirror: what the Prefect UI shows of a run. The truth is the journal's; a Prefect that is away delays nothing."""

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol
from uuid import UUID

from crisis.domain.entry import Entry
from crisis.domain.redaction import Mask
from crisis.engine.masked import overwrite_deleted
from crisis.errors import CrisisError, JournalError

__all__ = ["PUT_ASIDE", "Form", "Mirror", "NoMirror", "PrefectMirror"]

PUT_ASIDE = "Put aside"
"""How Prefect calls a run that waits for people without a process; not `Suspended`, which is a person's wish."""

_POLL_SECONDS = 0.5
_REST_SECONDS = 30 * 86400
"""Prefect fails a run that is paused for longer: ours come back before that."""

_MASK = Mask()


class Form(Protocol):
    """A question shown in the Prefect UI: its description, its fields, and who checks an answer."""

    @property
    def key(self) -> str:
        """Names this question among those of the run."""
        ...

    @property
    def description(self) -> str:
        """What is asked, in Markdown."""
        ...

    @property
    def schema(self) -> dict[str, Any]:
        """The fields, as JSON Schema."""
        ...

    def answer(self, fields: Mapping[str, Any]) -> bool:
        """Take what somebody sent with Resume; True when that settled the question."""
        ...


class Mirror(Protocol):
    """What a run tells the Prefect UI."""

    def say(self, entry: Entry) -> None:
        """Write an entry to the run's log."""
        ...

    def show(self, key: str, kind: str, data: object, description: str = "") -> None:
        """Show an artifact: `markdown`, `table`, `progress`."""
        ...

    def ask(self, form: Form) -> None:
        """Show the run as paused, with a form."""
        ...

    def answered(self, key: str) -> None:
        """Show the run as running again, once the question of this key is settled."""
        ...

    @property
    def has_listened(self) -> bool:
        """Whether what was filled in before the question was shown again is heard: until then a run stays."""
        ...

    def put_aside(self) -> None:
        """Show the run as waiting without a process; Resume starts one, with what was filled in."""
        ...

    def close(self) -> None:
        """Send what is still waiting, for a few seconds at most."""
        ...


class NoMirror:
    """Shows nothing; for runs outside Prefect and for tests."""

    def say(self, entry: Entry) -> None:
        """Write nothing."""

    def show(self, key: str, kind: str, data: object, description: str = "") -> None:
        """Show nothing."""

    def ask(self, form: Form) -> None:
        """Ask nobody."""

    def answered(self, key: str) -> None:
        """Do nothing."""

    @property
    def has_listened(self) -> bool:
        """Nobody can fill in anything."""
        return True

    def put_aside(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class PrefectMirror:
    """
    Sends artifacts and the paused state from a thread of its own.

    Every call returns at once; what cannot be sent within a few tries is dropped and logged.
    """

    def __init__(self, flow_run: UUID, logger: logging.Logger | logging.LoggerAdapter[Any]) -> None:
        self._run, self._log = flow_run, logger
        self._work: queue.Queue[Callable[[Any], None] | None] = queue.Queue()
        self._forms: list[Form] = []
        self._artifacts: dict[str, UUID] = {}
        self._thread: threading.Thread | None = None
        self._heard = ""  # what was filled in, heard, and not yet deleted
        self._unheard: Form | None = None  # the newest question, until Prefect was asked what was filled in

    @property
    def _form(self) -> Form | None:
        """The question to show: of several open ones the newest, for Prefect has room for one."""
        return self._forms[-1] if self._forms else None

    def say(self, entry: Entry) -> None:
        """Write an entry to the run's log in the Prefect UI."""
        body = entry.body
        parts = [body.get("action") or body.get("look") or body.get("gate"), body.get("target")]
        parts.append(body.get("note") or body.get("says") or body.get("error") or body.get("outcome"))
        self._log.info("%03d %s: %s", entry.seq, entry.kind, " · ".join(str(part) for part in parts if part))

    def show(self, key: str, kind: str, data: object, description: str = "") -> None:
        """Show an artifact under a key; a `progress` one is updated in place, others get a new version."""
        shown, about = _MASK.within(data), _MASK(description)
        self._do(lambda client: self._send(client, key, kind, shown, about))

    def started_with(self, name: str, given: Mapping[str, Any]) -> None:
        """Show the run under this name and with these parameters, in the place of what somebody typed."""
        self._do(lambda client: self._rename(client, name, dict(given)))

    def ask(self, form: Form) -> None:
        """Show the run as paused with a form, until `answered`."""
        self._forms.append(form)
        self._unheard = form
        self._do(lambda client: self._ask(client, form))

    @property
    def has_listened(self) -> bool:
        """Whether Prefect was asked what was filled in while no process was there."""
        return self._unheard is None

    def put_aside(self) -> None:
        """Show the run as waiting without a process. Its form stays; Resume makes Prefect schedule the run again."""
        form, self._forms = self._form, []
        if form is not None:
            self._do(lambda client: self._pause(client, form, leave=True))
        else:
            self._do(self._rest)

    def answered(self, key: str) -> None:
        """Show the run as running again and forget the form; where another question is open, show that one."""
        form = next((one for one in self._forms if one.key == key), None)
        if form is None:
            return
        self._forms = [one for one in self._forms if one is not form]
        self._do(lambda client: self._resume(client, form))
        other = self._form
        if other is not None:
            self._do(lambda client: self._ask(client, other))

    def close(self) -> None:
        """Send what is waiting, for five seconds at most."""
        if self._thread is not None:
            self._work.put(None)
            self._thread.join(timeout=5)

    def _do(self, work: Callable[[Any], None]) -> None:
        # Started with the first thing to show, not with the run: its client takes a tenth of a second to make, and
        # containment must not share the interpreter with that.
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="prefect mirror", daemon=True)
            self._thread.start()
        self._work.put(work)

    def _serve(self) -> None:
        import httpx  # noqa: PLC0415
        from prefect.client.orchestration import get_client  # noqa: PLC0415 - a second, paid off the critical path
        from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError  # noqa: PLC0415
        from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings  # noqa: PLC0415

        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 1}), get_client(sync_client=True) as client:
            while True:
                try:
                    work = self._work.get(timeout=_POLL_SECONDS if self._form else None)
                except queue.Empty:
                    work = self._look
                if work is None:
                    return
                try:
                    work(client)
                except (httpx.HTTPError, PrefectHTTPStatusError, ObjectNotFound, CrisisError, ValueError) as error:
                    self._log.warning("Prefect did not take a view of this run: %s", type(error).__name__)

    def _send(self, client: Any, key: str, kind: str, data: object, description: str) -> None:
        from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate  # noqa: PLC0415

        if kind == "progress" and key in self._artifacts:
            client.update_artifact(self._artifacts[key], ArtifactUpdate(data=data, description=description))
            return
        made = ArtifactCreate(key=key, type=kind, data=data, description=description, flow_run_id=self._run)
        self._artifacts[key] = client.create_artifact(made).id

    def _rename(self, client: Any, name: str, given: dict[str, Any]) -> None:
        client.update_flow_run(self._run, name=name, parameters=given)
        overwrite_deleted()

    def _ask(self, client: Any, form: Form) -> None:
        # Filled in while no process was there: it is what started this one.
        if not self._hear(client, form):
            self._pause(client, form)

    def _pause(self, client: Any, form: Form, *, leave: bool = False) -> None:
        from prefect.client.schemas.objects import State  # noqa: PLC0415
        from prefect.input.run_input import keyset_from_base_key  # noqa: PLC0415
        from prefect.states import Paused  # noqa: PLC0415

        now = client.read_flow_run(self._run).state
        if (self._form is not form and not leave) or now is None or not (now.is_running() or now.is_paused()):
            return  # answered, or cancelled, in the meantime
        keys = keyset_from_base_key(f"paused-{form.key}")
        self._put_input(client, keys["schema"], form.schema)
        self._put_input(client, keys["description"], form.description)
        state: State[Any] = Paused(timeout_seconds=_REST_SECONDS, pause_key=form.key)
        if leave:
            state.name = PUT_ASIDE
            state.state_details.pause_reschedule = True
        state.state_details.run_input_keyset = {str(name): key for name, key in keys.items()}
        client.set_flow_run_state(self._run, state, force=True)

    def _rest(self, client: Any) -> None:
        """Show the run as paused without a question: Resume makes it look again."""
        from prefect.client.schemas.objects import State  # noqa: PLC0415
        from prefect.states import Paused  # noqa: PLC0415

        now = client.read_flow_run(self._run).state
        if now is None or not (now.is_running() or now.is_paused()):
            return
        state: State[Any] = Paused(timeout_seconds=_REST_SECONDS, reschedule=True)
        state.name = PUT_ASIDE
        client.set_flow_run_state(self._run, state, force=True)

    def _put_input(self, client: Any, key: str, value: object) -> None:
        import httpx  # noqa: PLC0415
        import orjson  # noqa: PLC0415

        # Written again after a restart of the run, when the old one still stands.
        with suppress(httpx.HTTPStatusError):
            client.delete_flow_run_input(self._run, key)
        client.create_flow_run_input(flow_run_id=self._run, key=key, value=orjson.dumps(_MASK.within(value)).decode())

    def _resume(self, client: Any, form: Form) -> None:
        import httpx  # noqa: PLC0415
        from prefect.states import Running  # noqa: PLC0415

        with suppress(httpx.HTTPStatusError):  # as a rule nobody has filled it in, or it was heard
            client.delete_flow_run_input(self._run, _response(form))
        state = client.read_flow_run(self._run).state
        if state is not None and state.is_paused():
            client.set_flow_run_state(self._run, Running(), force=True)

    def _look(self, client: Any) -> None:
        form = self._form
        if form is None:
            return
        # The state first: what was filled in stands there once Resume has changed it. What comes late is heard as well.
        state = client.read_flow_run(self._run).state
        settled = self._hear(client, form)
        if state is not None and state.is_running() and not settled and self._form is form:
            self._pause(client, form)

    def _hear(self, client: Any, form: Form) -> bool:
        """
        Take what somebody filled in; True when that settled the question.

        Resume proves nothing: the answer goes through the same check as any other, once, and is deleted after that.
        """
        settled = self._take(client, form)
        if self._unheard is form:
            self._unheard = None
        return settled

    def _take(self, client: Any, form: Form) -> bool:
        import httpx  # noqa: PLC0415

        key, settled = _response(form), False
        try:
            said = str(client.read_flow_run_input(self._run, key))
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise  # it may be there: the next look finds it
            self._heard = ""
            return False  # nobody pressed Resume, or without an answer
        if said != self._heard:
            self._heard = said
            fields = _fields(said)
            try:
                settled = fields is not None and form.answer(fields)
            except JournalError:
                self._heard = ""  # the store is away: it is heard again
                raise
        # A one-time code stands in it: it is spent now, and it does not stay in Prefect's database.
        client.delete_flow_run_input(self._run, key)
        self._heard = ""
        if _MASK(said) != said:
            overwrite_deleted()
        return settled


def _response(form: Form) -> str:
    return f"paused-{form.key}-response"


def _fields(said: str) -> Mapping[str, Any] | None:
    import orjson  # noqa: PLC0415

    try:
        fields = orjson.loads(said)
    except ValueError:
        return None  # written past the form
    return fields if isinstance(fields, dict) else None
