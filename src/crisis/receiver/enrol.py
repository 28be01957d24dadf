"""Enrol: a link by which one person registers a passkey and sets up one-time codes. GET shows and changes nothing."""

import asyncio
import json
import os
import secrets
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qsl

import pyotp
import qrcode
from fastapi import APIRouter, Request, Response
from markupsafe import Markup

from crisis.domain.clock import utc_now, write_time
from crisis.domain.passkey import LINK_LASTS, Codes, Link, passkeys_of, works_at
from crisis.domain.person import PEOPLE, matching_step
from crisis.domain.protocol import Person, Protocol
from crisis.domain.seal import seal
from crisis.engine.booth import Booth
from crisis.engine.passkeys import creation_options, register
from crisis.errors import ProtocolError
from crisis.journal.store import AlreadyRecordedError
from crisis.receiver.body import BadBodyError, read_body
from crisis.receiver.context import Context
from crisis.receiver.forgery import COOKIE, is_ours, token_of
from crisis.receiver.pages import PageError, page
from crisis.settings import Settings, make_home

__all__ = ["codes_file", "confirm_codes", "enrolment_routes", "make_link", "otpauth", "pending_secret", "qr_matrix"]

_BODY_LIMIT = 64 * 1024
_FAR_OFF = 40
_PENDING = "enrolment"
_ASK = "Ask whoever runs this for a new one: `crisis people enrol NAME`."


def make_link(booth: Booth, settings: Settings, who: str, codes: Codes, source: str) -> tuple[Link, str]:
    """Return a link for one person and its address; who made it where is on record."""
    link = Link(who, secrets.token_urlsafe(16), utc_now() + LINK_LASTS, codes)
    body = {"link": link.nonce, "ends": write_time(link.ends), "codes": codes, "from": source}
    booth.journal.append(PEOPLE, "enrolment offered", who, body)
    return link, f"{settings.address}/enrol/{link.write(booth.key)}"


def codes_file(person: Person) -> Path | None:
    """Return the file that keeps a person's secret, where it is one that we may write."""
    reference = person.proof.totp if person.proof else None
    return Path(reference.removeprefix("file:")) if reference and reference.startswith("file:") else None


def pending_secret(settings: Settings, link: Link) -> str:
    """Return the secret that waits for its first right code, made at the first call; those of old links go."""
    folder = settings.home / _PENDING
    make_home(folder)
    for old in folder.iterdir():
        with suppress(OSError):
            if old.stat().st_mtime + LINK_LASTS.total_seconds() < utc_now().timestamp():
                old.unlink()
    waiting = folder / link.nonce
    if not waiting.exists():
        _keep(waiting, pyotp.random_base32(), replace=False, first_wins=True)
    return _secret_in(waiting)


def confirm_codes(booth: Booth, settings: Settings, link: Link, code: str, source: str, now: datetime) -> str | None:
    """Put a pending secret into force when its code is typed back; say why not, or None."""
    file = codes_file(booth.protocol.people[link.who])
    if file is None or not link.codes:
        return "this link sets up no one-time codes"
    if link.codes == "new" and file.exists():
        return "there are one-time codes already; ask for a link that replaces them"
    waiting = settings.home / _PENDING / link.nonce
    secret = _secret_in(waiting)
    if not secret:
        return "scan the picture first, or ask for a new link where this one was used"
    step = matching_step(secret, code, now)
    if step is None:
        far = matching_step(secret, code, now, _FAR_OFF)
        return f"wrong code{'; the clock of your phone is minutes off' if far is not None else ''}"
    body = {"link": link.nonce, "from": source, "secret": _mark(booth, link, secret)}
    body["seal"] = seal(booth.key, "codes enrolled", {"who": link.who, **body})
    try:
        booth.journal.append(PEOPLE, "codes enrolled", link.who, body, key=f"enrolment:{link.nonce}:codes")
    except AlreadyRecordedError:
        if not _is_half_done(booth, settings, link):
            return "this link has been used for one-time codes already; ask for a new one"
    with suppress(AlreadyRecordedError):  # the code that was just typed decides nothing any more
        booth.journal.append(PEOPLE, "code accepted", link.who, {"incident": ""}, key=f"code:{link.who}:{step}")
    _keep(file, secret, replace=link.codes == "replace")
    waiting.unlink(missing_ok=True)
    return None


def _is_half_done(booth: Booth, settings: Settings, link: Link) -> bool:
    """Say whether the very secret that waits is on record as the newest in force, and its file is not written yet."""
    file, waiting = codes_file(booth.protocol.people[link.who]), settings.home / _PENDING / link.nonce
    enrolled = [one for one in booth.journal.entries(PEOPLE) if one.kind == "codes enrolled" and one.actor == link.who]
    if file is None or not enrolled or enrolled[-1].body.get("link") != link.nonce:
        return False
    secret = _secret_in(waiting)
    # Another secret may wait by now: the link put one into force, and no second.
    recorded = enrolled[-1].body.get("secret") == _mark(booth, link, secret)
    return recorded and not (file.exists() and (link.codes == "new" or _secret_in(file) == secret))


def _mark(booth: Booth, link: Link, secret: str) -> str:
    """Return what tells a secret from another on record, and nothing about it."""
    return seal(booth.key, "codes", {"link": link.nonce, "secret": secret})[:16]


def _secret_in(file: Path) -> str:
    """Return the secret in a file; empty when it is gone."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return file.read_text(encoding="utf-8").strip()
    return ""


def _keep(file: Path, secret: str, *, replace: bool, first_wins: bool = False) -> None:
    """Write a secret that appears whole or not at all, readable for us alone; the `first` may win over this one."""
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(draft, secret)
        # Unlike a rename, a link never takes the place of a file that is there.
        (os.replace if replace else os.link)(draft, file)
    except OSError as error:
        if isinstance(error, FileExistsError) and (first_wins or _secret_in(file) == secret):
            return
        says = error.strerror or "an error"
        raise ProtocolError(str(file), wanted="a file to write", saw=says, then="mend it, then enrol again") from None
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _write(file: Path, secret: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as new:
        new.write(f"{secret}\n")
        new.flush()
        os.fsync(new.fileno())


def otpauth(protocol: Protocol, who: str, secret: str) -> str:
    """Return what an authenticator reads from the picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=who, issuer_name=f"Crisis {protocol.company}")


def qr_matrix(text: str, border: int = 4) -> list[list[bool]]:
    """Return the dark and light squares of a text."""
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_L, border=border)
    code.add_data(text)
    code.make(fit=True)
    return [[bool(dark) for dark in row] for row in code.get_matrix()]


def enrolment_routes(context: Context) -> APIRouter:
    """Return the routes of the enrolment pages."""
    router = APIRouter()
    where = "/enrol/{token}"

    @router.api_route(where, methods=["GET", "HEAD"])
    def show(request: Request, token: str) -> Response:
        """Show what the link allows. Changes nothing: mail scanners open links."""
        return _Desk(context, request, token).show()

    @router.post(where + "/passkey")
    async def passkey(request: Request, token: str) -> Response:
        """Register the passkey that the browser made."""
        fields = await _fields(request)
        return await asyncio.to_thread(lambda: _Desk(context, request, token).take_passkey(fields))

    @router.post(where + "/codes")
    async def codes(request: Request, token: str) -> Response:
        """Show the picture to scan; with a code, put its secret into force."""
        fields = await _fields(request)
        return await asyncio.to_thread(lambda: _Desk(context, request, token).take_codes(fields))

    return router


async def _fields(request: Request) -> dict[str, str]:
    try:
        body = await read_body(request, _BODY_LIMIT)
        return dict(parse_qsl(body.decode("ascii"), max_num_fields=20, errors="replace"))
    except BadBodyError as error:
        raise PageError(error.status, "That could not be read", f"{error.because}. Go back and try again.") from None
    except ValueError:
        return {}


class _Desk:
    """One request to an enrolment page whose link is good."""

    def __init__(self, context: Context, request: Request, token: str) -> None:
        self.context, self.request, self.token = context, request, token
        self.booth = Booth.of(context.journal, context.protocol, context.settings)
        self.link = self._link()
        self.person = context.protocol.people[self.link.who]
        client = request.client
        self.source = f"page, {client.host}" if client else "page"

    def _link(self) -> Link:
        link = Link.read(self.booth.key, self.token)
        if link is None or link.who not in self.context.protocol.people:
            raise PageError(HTTPStatus.FORBIDDEN, "This link is not good", _ASK)
        if utc_now() > link.ends:
            raise PageError(HTTPStatus.GONE, "This link has run out", f"It was good for 15 minutes. {_ASK}")
        return link

    def take_passkey(self, fields: dict[str, str]) -> Response:
        problem = self._not_ours(fields)
        if problem is None and not self._admits_passkeys():
            problem = "protocol.yaml admits no passkey for you"
        if problem is None:
            made, label = fields.get("made", ""), fields.get("label", "")
            problem = register(self.booth, self.link, made, label, self.context.settings.address, self.source)
        return self.show(problem, done="" if problem else "Your passkey is enrolled")

    def take_codes(self, fields: dict[str, str]) -> Response:
        problem = self._not_ours(fields)
        code = "".join(fields.get("code", "").split())
        if problem is None and code:
            settings = self.context.settings
            problem = confirm_codes(self.booth, settings, self.link, code, self.source, utc_now())
            return self.show(problem, done="" if problem else "Your one-time codes are set up", scan=bool(problem))
        return self.show(problem, scan=problem is None)

    def show(self, problem: str | None = None, *, done: str = "", scan: bool = False) -> Response:
        """Show the page; `scan` with the picture of the pending secret, which only a POST may ask for."""
        settings, protocol = self.context.settings, self.context.protocol
        codes_open = bool(self.link.codes) and codes_file(self.person) is not None and self._codes_left()
        passkey_open = self._admits_passkeys() and works_at(settings.address) and not self._used("passkey")
        secret = pending_secret(settings, self.link) if scan and codes_open else ""
        form = token_of(self.request)
        uri = otpauth(protocol, self.link.who, secret) if secret else ""
        response = page(
            "enrol.html",
            HTTPStatus.FORBIDDEN if problem else HTTPStatus.OK,
            person=self.person,
            company=protocol.company,
            address=f"/enrol/{self.token}",
            token=form,
            ends=self.link.ends,
            problem=problem or "",
            done=done,
            known=passkeys_of(self.booth.journal.entries(PEOPLE), self.booth.key, self.link.who),
            admits_passkeys=self._admits_passkeys(),
            works_here=works_at(settings.address),
            options=json.dumps(creation_options(self.booth, self.link, settings.address)) if passkey_open else "",
            codes_open=codes_open,
            uri=uri,
            picture=_svg(qr_matrix(uri)) if uri else "",
            secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        )
        secure = self.request.url.scheme == "https" or settings.address.startswith("https://")
        response.set_cookie(COOKIE, form, path="/enrol", secure=secure, httponly=True, samesite="strict")
        return response

    def _not_ours(self, fields: dict[str, str]) -> str | None:
        if is_ours(self.request, fields.get("token", ""), self.context.settings.address):
            return None
        return "this form was not sent from this page, or it was open too long; try again here"

    def _admits_passkeys(self) -> bool:
        return self.person.proof is not None and self.person.proof.passkeys

    def _codes_left(self) -> bool:
        return not self._used("codes") or _is_half_done(self.booth, self.context.settings, self.link)

    def _used(self, what: str) -> bool:
        return self.context.journal.recorded(PEOPLE, f"enrolment:{self.link.nonce}:{what}") is not None


def _svg(matrix: list[list[bool]]) -> Markup:
    squares = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(matrix) for x, dark in enumerate(row) if dark)
    start = Markup('<svg class="qr" role="img" aria-label="QR code for your authenticator" viewBox="0 0 {0} {0}">')
    return (start + Markup('<rect width="{0}" height="{0}" fill="#fff"/><path d="{1}"/></svg>')).format(
        len(matrix), squares
    )
