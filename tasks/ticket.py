"""Ticket: leave the follow-up where the team works."""

from crisis.clients import github
from crisis.domain.change import Change
from crisis.engine.action import action
from crisis.engine.run import current_run
from crisis.errors import UnprovenError


@action(kind="inform", needs=("github:issues:write",), undo="none")
def file_ticket(service: str, title: str, report: str) -> Change:
    """
    File the analysis of an incident as a ticket.

    Again  finds the incident's marker in a ticket and files none.
    Undo   none: close the ticket.
    Fails  RefusedError without permission; UnprovenError when it cannot be found afterwards.
    """
    incident = current_run().incident
    tickets = current_run().protocol.services[service].tickets
    mark = github.marker(incident)
    with github.connect(tickets) as client:
        found = client.find_issue(mark, tickets.labels)
        if found is not None:
            because = f"ticket {found.number} stands already"
            return Change.none(service, because=because, ticket=found.number, url=found.url, report=report)
        client.create_issue(title, f"{report}\n\n{mark}\n", tickets.labels)
        found = client.find_issue(mark, tickets.labels)
    if found is None:
        raise UnprovenError(f"{service} ticket", wanted="a ticket with our mark", saw="none", then="file it by hand")
    return Change.done(service, f"filed ticket {found.number}", ticket=found.number, url=found.url, report=report)
