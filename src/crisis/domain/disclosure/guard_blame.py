"""Guard of blame: sentences that say of somebody, by name or role, that it was their doing."""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from crisis.domain.disclosure.finding import Spot
from crisis.domain.disclosure.sentences import pieces_with
from crisis.domain.disclosure.word_index import Words

__all__ = ["blame_in"]

_ROLE_RULE = (
    r"(?:engineers?|developers?|administrators?|sysadmins?|admins?|employees?|staff(?: members?)?|contractors?"
    r"|operators?"
    r"|interns?|colleagues?|technicians?|analysts?|programmers?|managers?|executives?|ciso|cto|cio|team|department"
    r"|suppliers?|vendors?|provider|processor|consultants?|workers?|somebody|someone|he|she"
    r"|mitarbeiter\w*|angestellte\w*|beschaftigte\w*|techniker\w*|entwickler\w*|administrator\w*|ingenieur\w*"
    r"|kolleg(?:e|en|in|innen)"
    r"|praktikant\w*|werkstudent\w*|\w{0,12}dienstleister\w*|auftragsverarbeiter\w*|lieferant\w*"
    r"|programmierer\w*|abteilung"
    r"|\w{0,12}leiter(?:s|in)?|berater\w*"
    r"|employee?s?|salariee?s?|collaborat(?:eur|rice)s?|ingenieure?s?|developpeu(?:r|se)s?|administrat(?:eur|rice)s?"
    r"|technicien(?:ne)?s?|stagiaires?|prestataires?|sous-traitants?|fournisseurs?|equipes?|operat(?:eur|rice)s?)"
)
_ROLE = re.compile(rf"\b{_ROLE_RULE}\b", re.IGNORECASE)

# What the subject, some words before it, is said to have done.
_DID = re.compile(
    r"\b(?:failed to|failed in|has failed us|forgot|forgotten|neglected|omitted to|ignored|disregarded"
    r"|overlooked|mishandled"
    r"|misconfigured|mistakenly|accidentally|inadvertently|clicked(?: on)?|fell for|(?:was|were) tricked"
    r"|did(?: not|n't) (?:follow|apply|patch|install|rotate|revoke|check|lock|close|secure|test)|should have"
    r"|made an? (?:\w+ )?(?:mistake|error)"
    r"|(?:is|was|are|were) (?:\w+ )?(?:to blame|at fault|responsible for (?:the|this) (?:breach|incident|leak"
    r"|attack|loss|outage|error))"
    r"|left (?:\w+ ){1,5}(?:open|exposed|unlocked|unprotected)|leaked|caused (?:the|this) (?:breach|incident"
    r"|leak|loss|outage|error)"
    r"|violated|breached (?:our|the|company) (?:policy|rules)"
    r"|(?:shared|reused|published|wrote down) (?:his|her|their) (?:\w+ )?(?:password|key|token|credential)s?"
    r"|vergessen|vergass(?:en)?|versaumt\w{0,3}|unterlassen|unterliess\w{0,2}|missachtet\w{0,2}|ignoriert\w{0,2}"
    r"|ubersehen|ubersah(?:en)?"
    r"|geklickt|falsch konfiguriert|fehlkonfiguriert|nicht (?:eingespielt|installiert|beachtet|befolgt"
    r"|gewechselt|gesperrt|geschlossen)"
    r"|hereingefallen|verschuldet|offen gelassen|preisgegeben|schuld"
    r"|(?:a|ont|avait|avaient) (?:\w+ )?(?:oublie|omis|neglige|ignore|commis (?:une|l')|laisse|clique|manque a)"
    r"|n'(?:a|ont|avait|avaient) pas (?:\w+ )?(?:respecte|applique|suivi|installe|corrige|change|verrouille"
    r"|ferme)|auraient du|aurait du"
    r"|(?:est|sont) (?:\w+ )?(?:fautifs?|coupables?|responsables? (?:de |du )(?:l'|la |cet |cette )?(?:incident"
    r"|violation|fuite|attaque|erreur)))\b",
    re.IGNORECASE,
)
# What somebody named after it did.
_DONE_BY = re.compile(
    r"\b(?:caused|triggered|forgotten|misconfigured|leaked|ignored|overlooked|left (?:\w+ ){0,3}(?:open|exposed)"
    r"|mistakes?|errors?"
    r"|oversight|failures?|misconduct|lapse|faute|erreur(?: humaine)?|oubli|manquements?|maladresse|fehler"
    r"|versehen|versagen"
    r"|fehlverhalten|verschulden|versaumnis(?:se)?|schuld (?:ist|hat|tragt|tragen|liegt bei|daran ist|war)"
    r"|verursacht|ausgelost"
    r"|causee?|provoquee?)"
    r"(?:(?: (?:was|were|is|est|war|wurde))? (?:made|committed|commise?|imputable|begangen))?[ ]{0,2}(?:by|of"
    r"|on the part of|from|de la part de|par|de|d'|du|des|a|durch|von|bei|unseres|unserer|eines|einer"
    r"|der|die|ein|eine|unser|unsere)\b[ ']?",
    re.IGNORECASE,
)
# What blames whoever is meant.
_PLAIN = re.compile(
    r"\bnegligen(?:t|ce|tly)\b|\bcareless(?:ly|ness)?\b|\breckless(?:ly|ness)?\b|\bincompeten\w{1,5}\b"
    r"|\bslopp(?:y|iness)\b"
    r"|(?<!no )\bfault of (?!(?:the |a |an |our |one )?(?:\w+ )?(?:disk|server|power|network|software|hardware"
    r"|system|device|line|cable"
    r"|component|storage|switch|your))|\w's (?:own )?fault\b|\b(?:their|his|her) (?:own )?fault\b|\b(?:is|are"
    r"|was|were|be) (?:\w+ )?(?:at fault|to blame)\b"
    r"|\bblame[ds]? (?:lies|falls|rests|for|on)\b|\bwe blame\b|\bhuman error (?:by|of|on the part of)\b"
    r"|\bknown better\b"
    r"|\b(?:grob )?fahrla?e?ssig\w{0,5}|\bnachla?e?ssig\w{0,5}|\bleichtsinnig\w{0,2}|\bschlampig\w{0,2}"
    r"|\bschlamperei\b|\bunachtsam\w{0,6}"
    rf"|\b(?:von|durch) (?:\w{{1,30}} ){{0,3}}{_ROLE_RULE} (?:\w{{1,30}} ){{0,4}}(?:verursacht|ausgelost"
    rf"|verschuldet)\b"
    rf"|\b(?:par|de) (?:\w{{1,30}} ){{0,2}}{_ROLE_RULE} (?:a|ont) (?:cause|provoque)\b"
    r"|\b(?:ist|war|sind|waren|selbst|allein) schuld\b|\bschuld (?:an|daran|tragt|tragen|liegt)\b"
    r"|\bpar la faute d|\bfaute (?:en )?(?:revient|incombe)\b|\bc'est (?:de )?la faute\b|\bnegligemment\b"
    r"|\bimpruden(?:t|te|ts|ce)\b",
    re.IGNORECASE,
)
# A machine that failed is nobody's fault; what follows these words is not about the person before them.
_OTHER_SUBJECT = re.compile(
    r"\b(?:servers?|services?|systems?|jobs?|backups?|process|scripts?|requests?|logins?|checks?|disks?|nodes?"
    r"|hosts?|components?"
    r"|software|applications?|devices?|connections?|gateways?|replicas?|probes?|certificates?|attempts?|alerts?"
    r"|monitor\w{0,3}"
    r"|that|what|which|when|because|where|if|dass|weil|wenn|was|wie|ob|quand|lorsque|customers?|users?|kunden|clients"
    r"|you|sie|vous)\b|'s\b|\bbe $",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"fail|forg|neglect|omit|ignor|disregard|overlook|mis|accident|inadvert|click|fell|trick|did|should|made"
    r"|blame|fault|respons|reused|publ|wrote|left|leak"
    r"|cause|trigger|violat|breach|shared|negl|careless|reckless|incomp|slopp|human|known|error|oversight|lapse|"
    r"verg|vers|unterl|ubers|geklickt|falsch|fehl|nicht|herein|offen|preisg|schuld|verursacht|ausgelost|fahrl"
    r"|nachl|leichts|schlamp|unacht"
    r"|oubli|omis|commis|laiss|cliqu|manqu|pas|aurai|faut|coupab|erreur|maladr|provoq|imprud"
)
_NEAR, _NEAR_AFTER = 80, 30
_SAYS = "Say what happened, not whose doing it was."


def blame_in(words: Words, people: Sequence[tuple[int, int]]) -> Iterator[Spot]:
    """Yield what blames somebody in a flowing text; `people` are the places where persons are named, in order."""
    at = 0
    for begin, end in pieces_with(words, lambda low: _ASKS.match(low) is not None):
        while at < len(people) and people[at][1] <= begin:
            at += 1
        ahead = at
        while ahead < len(people) and people[ahead][0] < end:
            ahead += 1
        named = [(max(begin, first) - begin, min(end, last) - begin) for first, last in people[at:ahead]]
        for first, last in _blamed(words.text[begin:end], named):
            yield Spot("blame", begin + first, begin + last, "blame", _SAYS)


def _blamed(piece: str, named: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    who = sorted([*named, *(match.span() for match in _ROLE.finditer(piece))])
    for match in _PLAIN.finditer(piece):
        yield match.span()
    if not who:
        return
    starts = [first for first, _ in who]
    for match in _DID.finditer(piece):
        at = bisect_left(starts, match.start()) - 1
        near = at >= 0 and match.start() - _NEAR <= who[at][1] <= match.start()
        if near and not _OTHER_SUBJECT.search(piece, who[at][1], match.start()):
            yield who[at][0], match.end()
    for match in _DONE_BY.finditer(piece):
        at = bisect_left(starts, match.end() - 1)
        near = at < len(who) and who[at][0] <= match.end() + _NEAR_AFTER
        if near and not _OTHER_SUBJECT.search(piece, match.end(), min(len(piece), who[at][1] + 2)):
            yield match.start(), who[at][1]
