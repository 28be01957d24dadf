"""Revoke: end what a Vault has issued, and say so only when it is gone."""

from crisis.clients import vault
from crisis.clients.vault import Left, TokenInfo
from crisis.domain.change import Change
from crisis.engine.action import action
from crisis.engine.look import progress
from crisis.errors import RefusedError, UnprovenError
from tasks.list_vault import vault_of


@action(
    kind="destroy",
    needs=("vault:auth/token/lookup-accessor:update", "vault:auth/token/revoke-accessor:update"),
    undo="none",
)
def revoke_vault_token(system: str, accessor: str) -> Change:
    """
    End a token by its accessor, with its children and their leases.

    Again  finds the token dead and changes nothing.
    Undo   none: its holder logs in again.
    Fails  RefusedError for our own token, which goes last; UnprovenError when the token lives afterwards.
    """
    target = f"{system} token {accessor}"
    with vault.connect(vault_of(system)) as client:
        me = client.tokens.me()
        if accessor == me.accessor:
            raise _would_end_us(target, "it is our own", "end it last, with revoke_own_vault_token")
        found = client.tokens.look_up(accessor)
        if found is None:
            return Change.none(target, because="dead already")
        if not me.orphan:
            raise _would_end_us(target, "ours may be its child", "give crisis an orphan token")
        client.tokens.revoke(accessor)
        if client.tokens.look_up(accessor) is not None:
            raise UnprovenError(target, wanted="a dead token", saw="a living one", then="revoke it by hand")
    return Change.done(target, f"revoked, with all that it had made; it was {found.name} from {found.path}")


@action(
    kind="destroy",
    needs=(
        "vault:sys/leases/lookup/*:list,sudo",
        "vault:sys/leases/revoke-prefix/*:update,sudo",
        "vault:sys/leases/count:read",
    ),
    undo="none",
)
def revoke_vault_leases(system: str, prefix: str) -> Change:
    """
    End everything lent under a prefix, and wait until the count of its leases is 0.

    Again  finds no lease and changes nothing.
    Undo   none: who needs one asks for a new one.
    Fails  RefusedError when protocol.yaml does not list the prefix or our token is below it; UnprovenError when
           leases are left: the queue does not drain, or their backend does not answer.
    """
    to, target = vault_of(system), f"{system} leases {prefix}"
    if prefix.strip("/") not in {one.strip("/") for one in to.prefixes}:
        saw, then = "a prefix that protocol.yaml does not list", f"add {prefix} to systems.{system}.prefixes"
        raise RefusedError(target, vendor="vault", operation="revoke leases", saw=saw, then=then)
    with vault.connect(to) as client:
        if _is_below(client.tokens.me(), prefix):
            raise _would_end_us(target, "our own token was issued there", "give crisis a token from elsewhere")
        count = len(client.leases.below(prefix))
        if not count:
            return Change.none(target, because="nothing is lent there")
        seconds = to.patience.total_seconds()
        left = client.leases.drain(
            prefix, seconds, lambda now: progress(count - now, count, f"{now} leases of {prefix} are left")
        )  # fmt: skip
    if left.leases:
        raise UnprovenError(target, wanted="no lease left", saw=_says(left), then=_then(left))
    note = f"{count} leases revoked"
    elsewhere = f"; {left.irrevocable} irrevocable leases elsewhere on this server" if left.irrevocable else ""
    return Change.done(target, note + elsewhere, leases=count, irrevocable=left.irrevocable)


@action(kind="destroy", needs=("vault:auth/token/revoke-self:update",), undo="none")
def revoke_own_vault_token(system: str) -> Change:
    """
    End the token that we ourselves use; nothing can be done on this server afterwards.

    Again  finds the token refused and changes nothing.
    Undo   none: make a new token and put it where the reference points.
    Fails  UnprovenError when the server still takes the token.
    """
    target = f"{system} own token"
    with vault.connect(vault_of(system)) as client:
        if not client.tokens.alive():
            return Change.none(target, because="refused already")
        accessor = client.tokens.me().accessor
        client.tokens.revoke_self()
        if client.tokens.alive():
            raise UnprovenError(target, wanted="a dead token", saw="a living one", then=f"revoke {accessor} by hand")
    return Change.done(target, "revoked; make a new one before the next incident", accessor=accessor)


def _is_below(me: TokenInfo, prefix: str) -> bool:
    return f"{me.path}/".startswith(f"{prefix.strip('/')}/")


def _would_end_us(target: str, saw: str, then: str) -> RefusedError:
    wanted = "our own token to stay until the end"
    return RefusedError(target, vendor="vault", operation="revoke", wanted=wanted, saw=saw, then=then)


def _says(left: Left) -> str:
    given_up = f", {left.irrevocable} irrevocable ones on the server" if left.irrevocable else ""
    return f"{left.leases} left{given_up}"


def _then(left: Left) -> str:
    if left.irrevocable:
        return "mend their backend and run again; revoke-force only drops the record, the credentials live on"
    return "look at the server's log and load, then run again"
