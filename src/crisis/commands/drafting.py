"""Drafting: notices from the command line, with a list of what the law wants in each and what nobody knows yet."""

from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crisis.commands.clocks import COUNSEL
from crisis.disclosure import LANGUAGES, words_of, write_draft
from crisis.disclosure.drafting import Draft
from crisis.disclosure.folder import Folder, Kept
from crisis.disclosure.gathering import gather
from crisis.domain.clock import utc_now
from crisis.domain.law.duties import Ruling
from crisis.errors import ProtocolError
from crisis.journal.store import Journal
from crisis.law import library_of, read_law
from crisis.paper import PaperAbout, write_docx, write_pdf
from crisis.protocol_file import load_protocol
from crisis.settings import Settings

__all__ = ["draft_notices"]

_SIGNS = {"stated": ("✓", "green"), "derived": ("✓", "green"), "unknown": ("?", "bold yellow")}


def draft_notices(
    settings: Settings, incident: str, duties: list[str], language: str, into: Path | None, console: Console
) -> None:
    """Write the notices that the law asks for, or some of them, as Markdown; unchanged ones are not written again."""
    words_of(language)  # refused before anything is written
    protocol, entries = load_protocol(settings.protocol_file), Journal.open(settings.journal).entries(incident)
    library = library_of(protocol, settings.protocol_file)
    reading = read_law(library, protocol, incident, entries, settings.signing_key(), utc_now())
    wanted = _wanted(reading.rulings, duties)
    dossier = gather(incident, entries, reading, protocol)
    folder = Folder((into or settings.home / "disclosure") / incident)
    for ruling in wanted:
        draft = write_draft(ruling, dossier, language)
        kept = folder.keep(draft)
        about = "new" if kept.new else "unchanged"
        if not kept.markdown.with_suffix(".pdf").exists():  # new, or cut off before it was printed
            _print(draft, folder, kept, incident, dossier.now)
        console.print(Text.assemble((ruling.duty.id, "bold"), f": version {kept.version}, {about}: {kept.markdown}"))
        table = Table(box=None, pad_edge=False, show_header=False)
        for one in draft.passages:
            sign, style = _SIGNS[one.state]
            table.add_row(Text(sign, style), Text(f"{one.says} ({one.where})" if one.where else one.says))
        console.print(table)
    if reading.facts.contradictions():
        says = ", ".join(reading.facts.contradictions())
        console.print(f"contradicted, so left open: {says}", style="bold yellow", highlight=False)
    console.print(f"A draft goes to nobody by itself. {COUNSEL}", style="dim")


def _print(draft: Draft, folder: Folder, kept: Kept, incident: str, made: datetime) -> None:
    """Put a new version on paper beside its text: DOCX to edit, PDF to read and sign."""
    about = PaperAbout(
        title=draft.title,
        language=draft.language,
        version=kept.version,
        sha256=draft.sha256,
        incident=incident,
        made_at=made,
        draft=True,
    )
    folder.keep_paper(draft, kept.version, "docx", write_docx(draft.markdown, about))
    folder.keep_paper(draft, kept.version, "pdf", write_pdf(draft.markdown, about))


def _wanted(rulings: list[Ruling], duties: list[str]) -> list[Ruling]:
    """Return the rulings to draft for: the named ones whatever is ruled, else what applies or may."""
    able = {ruling.duty.id: ruling for ruling in rulings if ruling.duty.must_contain}
    unknown = [one for one in duties if one not in able]
    if unknown:
        then = "`crisis law duties --every` lists them; choose one that asks for a notice"
        raise ProtocolError(unknown[0][:60], wanted="a duty with a notice", saw="none", then=then)
    if duties:
        return [able[one] for one in dict.fromkeys(duties)]
    found = [ruling for ruling in able.values() if ruling.verdict != "no" and not ruling.is_remote]
    if not found:
        then = f"state facts first, see `crisis facts ask`; languages: {', '.join(LANGUAGES)}"
        raise ProtocolError("drafts", wanted="a duty that applies", saw="none", then=then)
    return found
