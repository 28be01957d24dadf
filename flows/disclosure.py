"""Playbook: the law asks to tell somebody of an incident; it follows the clocks until everything is on record."""

from crisis.engine.action import attempt
from crisis.engine.playbook import ServiceName, playbook
from tasks.disclose import look_at_clocks, rest_until_news, show_clocks, warn_of_clocks
from tasks.notify import call_for_help


@playbook(escalate=call_for_help, ends=("told", "every notice that applies is on record"))
def disclosure(service: ServiceName) -> None:
    """
    Follow the legal clocks of an incident for as long as it takes, and call named people as time runs down.

    Starts  a person, with `crisis law follow`
    Asks    nobody for a decision: people state facts, and record what was filed
    Proves  every duty that applies has a receipt, or people stated that there was no breach
    """
    clocks = look_at_clocks(service)
    show_clocks(clocks)
    told = [attempt(warn_of_clocks, who, news) for who, news in clocks.alarms.items()]
    if not clocks.is_over:
        rest_until_news(clocks, told)
