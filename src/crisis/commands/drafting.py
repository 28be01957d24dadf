"""Drafting: notices from the command line, with a list of what the law wants in each and what nobody knows yet."""

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crisis.commands.clocks import COUNSEL
from crisis.disclosure import LANGUAGES, PAPERS, Draft, Paper, words_of, write_draft, write_paper
from crisis.disclosure.checking import check_draft
from crisis.disclosure.folder import Folder, Kept
from crisis.disclosure.gathering import gather
from crisis.domain.clock import utc_now
from crisis.domain.disclosure.dossier import Dossier
from crisis.domain.disclosure.guard import Finding
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
    settings: Settings,
    incident: str,
    duties: list[str],
    papers: list[str],
    language: str,
    into: Path | None,
    console: Console,
) -> None:
    """
    Write the notices that the law asks for, or some of them, and papers, as Markdown.

    Who asks for papers alone gets no notices. Unchanged ones are not written again.
    """
    words_of(language)  # refused before anything is written
    kinds = [_paper(one) for one in dict.fromkeys(papers)]
    protocol, entries = load_protocol(settings.protocol_file), Journal.open(settings.journal).entries(incident)
    library = library_of(protocol, settings.protocol_file)
    reading = read_law(library, protocol, incident, entries, settings.signing_key(), utc_now())
    wanted = _wanted(reading.rulings, duties) if duties or not kinds else []
    dossier = gather(incident, entries, reading, protocol)
    folder = Folder((into or settings.home / "disclosure") / incident)
    drafts = [write_draft(ruling, dossier, language) for ruling in wanted]
    drafts += [write_paper(kind, dossier, reading, language) for kind in kinds]
    found = 0
    for draft in drafts:
        _keep(draft, language, folder, dossier, console)
        found += _warn(check_draft(draft, protocol), console)
    if found:
        console.print(f"{found} things must not go out: mend them before anybody approves", style="bold red")
    if reading.facts.contradictions():
        says = ", ".join(reading.facts.contradictions())
        console.print(f"contradicted, so left open: {says}", style="bold yellow", highlight=False)
    console.print(f"A draft goes to nobody by itself. {COUNSEL}", style="dim")


def _warn(findings: list[Finding], console: Console) -> int:
    for one in findings:
        where = f"line {one.line}, column {one.column}: {one.rule}"
        console.print(Text.assemble((where, "bold red"), f": {one.shown}; {one.says}"))
    return len(findings)


def _print(draft: Draft, folder: Folder, kept: Kept, dossier: Dossier) -> None:
    """Put a version on paper beside its text: DOCX to edit, PDF to read and sign."""
    about = PaperAbout.model_validate({
        "title": draft.title,
        "language": draft.language,
        "version": kept.version,
        "sha256": draft.sha256,
        "incident": dossier.incident,
        "made_at": dossier.now,
        "draft": True,
    })  # fmt: skip
    folder.keep_paper(draft, kept.version, "docx", write_docx(draft.markdown, about))
    folder.keep_paper(draft, kept.version, "pdf", write_pdf(draft.markdown, about))


def _keep(draft: Draft, language: str, folder: Folder, dossier: Dossier, console: Console) -> None:
    """Keep a draft, and show what had to be in it and what of that nobody knows yet."""
    kept = folder.keep(draft)
    if not kept.markdown.with_suffix(".pdf").exists():  # new, or cut off before it was printed
        _print(draft, folder, kept, dossier)
    about = "new" if kept.new else "unchanged"
    only = "" if draft.language == language else f", in {words_of(draft.language).name}: this one has no other language"
    console.print(Text.assemble((draft.duty, "bold"), f": version {kept.version}, {about}{only}: {kept.markdown}"))
    table = Table(box=None, pad_edge=False, show_header=False)
    for one in draft.passages:
        sign, style = _SIGNS[one.state]
        table.add_row(Text(sign, style), Text(f"{one.says} ({one.where})" if one.where else one.says))
    console.print(table)


def _paper(name: str) -> Paper:
    """Return a kind of paper; ProtocolError for a name that is none."""
    found = next((one for one in PAPERS if one == name), None)
    if found is None:
        raise ProtocolError(f"paper {name[:20]!r}", wanted=f"one of: {', '.join(PAPERS)}", saw="none of them")
    return found


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
