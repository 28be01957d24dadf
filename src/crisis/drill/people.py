"""People: a simulated decision maker, who reads the page on a phone and decides with a real one-time code."""

import html
import re
import time
from collections.abc import Callable

import httpx

from crisis.errors import RefusedError

__all__ = ["Authenticator", "answer_page"]

_LOOK_AGAIN = 0.2
_HIDDEN = re.compile(r'<input[^>]*type="hidden"[^>]*>')
_ATTRIBUTE = re.compile(r'(name|value)="([^"]*)"')


def answer_page(page: str, who: str, answer: str, code: Callable[[], str], *, reads: float, reason: str) -> None:
    """
    Open a decision page, read it for some seconds, and send an answer as a browser would.

    Raises RefusedError with the page's status when the answer did not count.
    """
    with httpx.Client(trust_env=False, timeout=10) as phone:
        seen = phone.get(page).raise_for_status()
        hidden = [dict(_ATTRIBUTE.findall(tag)) for tag in _HIDDEN.findall(seen.text)]
        fields = {one["name"]: html.unescape(one.get("value", "")) for one in hidden}
        time.sleep(reads)
        fields |= {"person": who, "answer": answer, "code": code(), "reason": reason}
        sent = phone.post(page, data=fields, headers={"Origin": page.partition("/decide/")[0]})
    if not sent.is_success:
        raise RefusedError(
            who, vendor="receiver", operation="decide", wanted="a vote that counts", saw=f"{sent.status_code}"
        )


class Authenticator:
    """The phones of simulated people: a code counts once, so whoever has used one waits for the next."""

    def __init__(self, code_of: Callable[[str], str]) -> None:
        self._code_of = code_of
        self._shown: dict[str, str] = {}
        self._used: dict[str, str] = {}

    def fresh(self, who: str) -> str:
        """Return a code of this person that is not used, waiting for up to half a minute."""
        while (code := self._code_of(who)) == self._used.get(who):
            time.sleep(_LOOK_AGAIN)
        self._shown[who] = code
        return code

    def is_spent(self, who: str) -> bool:
        """Whether this person has used the code of now, and would have to wait for the next."""
        return self._code_of(who) == self._used.get(who)

    def spend(self, who: str) -> None:
        """Remember that this person's last code was taken, or turned down."""
        self._used[who] = self._shown.get(who, "")
