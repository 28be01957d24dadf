"""Guard of attribution: whom a draft names as the attacker: a group, a nation, somebody believed to be it."""

import re
from collections.abc import Iterator

from crisis.domain.disclosure.finding import Spot
from crisis.domain.disclosure.sentences import pieces_with
from crisis.domain.disclosure.word_index import Words

__all__ = ["attribution_in"]

_GROUPS = re.compile(
    r"\bAPT[ -]?(?:[1-9]\d{0,2}|C-\d{1,2})\b|\b(?:UNC|TA|TEMP|DEV|Storm)-?\d{3,4}\b|\bFIN\d{1,2}\b"
    r"|\b(?i:lazarus|sandworm|kimsuky|turla|hafnium|nobelium|midnight blizzard|equation group|carbanak"
    r"|evil ?corp|magecart|lockbit(?: ?\d\.\d)?"
    r"|cl0p|clop|black ?cat|alphv|revil|sodinokibi|dark ?side|black ?basta|rhysida|ransomhub|lapsus\$?"
    r"|shiny ?hunters|scattered lapsus"
    r"|guccifer|killnet|noname057|scattered spider|qilin|blackmatter|8base|dragonforce)\b"
    r"|\b[A-Z][a-z]+ (?:Bear|Panda|Kitten|Spider|Chollima|Typhoon|Blizzard|Sandstorm|Sleet|Tempest|Jackal|Leopard)\b"
    r"|\b(?:Conti|Akira|Medusa|Play|Hive|Anonymous|Maze|Ryuk|Royal)(?:[- ](?:\w+[- ])?(?:[Rr]ansomware"
    r"|[Gg]roups?|[Gg]ang|[Gg]ruppe|[Hh]ackers?))\b"
    r"|\b(?:gang|groupe|gruppe|group|ransomware|collective|kollektiv|collectif) (?:\w+ )?[\"']?(?:Conti|Akira"
    r"|Medusa|Play|Hive|Anonymous|Maze|Ryuk|Royal)\b"
)
_LAND = (
    r"(?:russia|china|north korea|iran|belarus|ukraine|israel|turkey|vietnam|india|pakistan|syria|nigeria"
    r"|romania|eastern europe"
    r"|russland|nordkorea|weissrussland|turkei|osteuropa|russie|chine|coree du nord|bielorussie|turquie"
    r"|europe de l'est)"
)
_OF_LAND = (
    r"(?:russian|chinese|(?:north[ -])?korean|iranian|israeli|ukrainian|belarusian|turkish|vietnamese|indian"
    r"|pakistani|syrian|nigerian|romanian"
    r"|eastern european|foreign)"
)
_OF_LAND_DE = (
    r"(?:russisch|chinesisch|(?:nord)?koreanisch|iranisch|israelisch|ukrainisch|belarussisch|turkisch|vietnamesisch"
    r"|osteuropaisch|auslandisch)\w{0,2}"
)
_OF_LAND_FR = (
    r"(?:russes?|chinois(?:es?)?|(?:nord-)?coreen(?:ne)?s?|iranien(?:ne)?s?|israelien(?:ne)?s?|ukrainien(?:ne)?s?"
    r"|turcs?|etrangers?)"
)
_ACTOR = (
    r"(?:(?:threat )?actors?|hackers?|attackers?|intruders?|adversar(?:y|ies)|perpetrators?|cyber ?criminals?"
    r"|criminals?|gangs?|hacking|spies|spy"
    r"|intelligence|operatives?|espionage|ransomware|hacker\w{0,10}|angreifer\w{0,2}|tater\w{0,8}|gruppier\w+"
    r"|hackergruppe|gruppe|geheimdienst\w{0,2}"
    r"|akteur\w{0,2}|cyberkriminelle\w?|kriminelle\w?|pirates?(?: informatiques?)?|attaquants?|cybercriminels?"
    r"|acteurs?|assaillants?"
    r"|(?:hacker |criminal )?groups?|groupes?|services secrets)"
)
_NATIONS = re.compile(
    rf"\b{_ACTOR} (?:is|are|was|were|appear to be|seem to be|may be)(?: (?:likely|probably"
    rf"|believed to be))? {_OF_LAND}\b"
    rf"|\b{_OF_LAND} (?:\w+ )?{_ACTOR}\b|\b{_OF_LAND_DE} (?:\w+ )?{_ACTOR}\b|\b{_ACTOR} {_OF_LAND_FR}\b"
    rf"|\b{_ACTOR},?(?: (?:are|is|was|were|to|be|believed|thought|appear|seem|likely|probably|based|located"
    rf"|operating|linked|tied|connected|sponsored"
    rf"|backed|directed|working|affiliated"
    rf"|traced|originating|stammen|stammt|kommen|kommt|vermutlich|wohl|mit|sitz|originaires?|bases?|venus?|lies?"
    rf"|est|sont|probablement)){{0,5}}"
    rf" (?:from|in|to|by|for|with|out of|aus|a|en|de|du|au) (?:the |der |dem |la |l')?{_LAND}\b"
    rf"|\b(?:attack|intrusion|breach|angriff|attaque|intrusion)\w{{0,2}} (?:\w+ ){{0,3}}(?:came|originated"
    rf"|launched|carried out|traced|linked|directed"
    rf"|kam|stammt|stammte|ging|provient|venait|vient|lancee?)(?: \w+)? (?:from|in|to|by|back to|aus|von|de|du"
    rf"|depuis)(?: la| l'| der| dem| the)? ?{_LAND}\b"
    r"|\b(?:state|nation[- ]state|government|regime)[- ](?:sponsored|backed|affiliated|linked|directed|aligned"
    r"|actors?|hackers?)\b|\bnation[- ]state\b"
    r"|\bstaatlich\w{0,2} (?:gesteuert|gelenkt|unterstutzt|gefordert|beauftragt|akteur|hacker|angreifer)\w{0,3}"
    r"|\bim auftrag ein(?:es|er) (?:\w+ )?(?:staates|regierung)\b"
    r"|\b(?:soutenu|parraine|commandite|finance|appuye|pilote)e?s? par (?:un |l'|des |le )(?:\w+ )?(?:etats?"
    r"|gouvernement)\b|\b(?:acteurs?|groupes?|pirates?) etatiques?\b",
    re.IGNORECASE,
)
_WHO = r"(?:attackers?|hackers?|intruders?|threat actors?|perpetrators?|culprits?)"
_IS = r"(?:is|are|was|were|to be|must be|may be|might be|could be)"
_BELIEVED = re.compile(
    rf"\b(?:the|this|these|our) {_WHO} {_IS} (?:(?:most )?(?:likely|probably|believed to be|thought to be"
    rf"|suspected to be|known as|identified as|allegedly) )?"
    rf"(?:an? (?!few|while|matter|short|long|lot)|the (?!first|only|same|subject)|from |based |part of |linked "
    rf"|affiliated |associated |connected |one of |members? of |located "
    rf"|known as |identified as |somebody |someone |our |former |likely (?!to|able)|(?-i:[A-Z][a-z]+))"
    rf"|\b{_WHO} (?:known as|calling (?:itself|himself|themselves))\b"
    r"|\b(?:angreifer|tater|hacker)\w{0,2} (?:vermutlich |wohl |wahrscheinlich )?ein\w{0,2} (?:\w+ ){1,4}(?:ist"
    r"|sind|war|waren)\b"
    rf"|\bidentif(?:y|ied) (?:the|this) {_WHO} as\b|\b(?:is|are|was|were|be|stands?|stood|groups?|gang|hackers?"
    rf"|actors?) behind (?:the|this) (?:\w+ )?(?:attack|breach|incident|intrusion)\b"
    r"|\battribut(?:e|ed|es|ing) (?:the|this|that) (?:\w+ )?(?:attack|intrusion|incident|breach|activity) to\b"
    r"|\b(?:attack|intrusion|incident|breach|activity) (?:\w+ ){1,3}attributed to (?!human|a fault|a bug"
    r"|an? (?:\w+ )?(?:configuration|software|hardware|technical|programming|outage|error))"
    r"|\bclaimed (?:responsibility|credit)\b|\b(?:suspect|believe)\w{0,2} (?:that )?(?:an?|our"
    r"|one of our) (?:former |disgruntled |ex-)\w+"
    r"|\b(?:former|disgruntled) (?:employee|contractor|worker)s? (?:\w+ ){0,2}(?:is|are|was|were) (?:suspected"
    r"|responsible|behind)|\binside job\b|\bmalicious insider\b"
    r"|\bhinter (?:dem|diesem) (?:\w+ )?(?:angriff|vorfall) (?:steht|stehen|steckt|stecken)\b|\b(?:steht|stehen"
    r"|steckt|stecken) (?:[\w.-]+ ){0,8}hinter (?:dem|diesem) (?:\w+ )?angriff"
    r"|\b(?:angreifer|tater|hacker)\w{0,2} (?:ist|sind|war|waren|handelt es sich (?:\w+ )?um) (?:vermutlich "
    r"|wohl |wahrscheinlich |offenbar |mutmasslich )?(?:ein\w{0,2} (?!halb)|der |die |das |mitglied\w{0,3} |teil )"
    r"|\bbei (?:dem|den) (?:angreifer|tater|hacker)\w{0,2} (?:handelt|handele) es sich\b"
    r"|\bangreifer\w{0,2} (?:um|als) (?:ein\w{0,2}|die|den) \w+ (?:handelt|identifiziert)"
    r"|\bsich (?:\w+ ){0,3}zu (?:dem|diesem) angriff bekannt|\bbekannten? sich\b"
    r"|\bangriff\w{0,2} (?:[\w.-]+ ){0,6}(?:zuzuschreiben|zugeschrieben|zuzuordnen)\b|\bgeht auf das konto\b"
    r"|\behemalige\w? (?:mitarbeiter|angestellte|beschaftigte)\w{0,3} (?:\w+ ){0,4}(?:verdacht\w{0,4}|tater)\b"
    r"|\b(?:l'attaquant|les attaquants|le pirate|les pirates|l'auteur|les auteurs)(?: de l'attaque)? (?:est|sont"
    r"|serait|seraient|etait|etaient) (?:probablement |sans doute )?"
    r"(?:une? |des |l'|le |la |les |issus? |lies? |originaires? |membres? |bases? )|\bderriere (?:cette"
    r"|l') ?attaque\b"
    r"|\battribu\w{1,4} (?:a|au|aux) (?:une? |la |le |l')?(?:groupe|etat|gang|pirates?|hackers?|acteur|russie"
    r"|chine|iran|coree)|\brevendiqu\w{1,4} (?:l'|cette )(?:attaque|intrusion)|\battaque (?:\w+ ){0,3}revendiquee\b"
    r"|\b(?:soupconn|suspect)\w{1,4} (?:un|une|notre) (?:ancien|ancienne|ex-)",
    re.IGNORECASE,
)
# Who says that nobody knows names nobody.
_UNKNOWN = re.compile(
    r"\b(?:unknown|not (?:yet )?(?:known|been|identified|attributed)|(?:do|does) not (?:yet )?know|cannot say"
    r"|no (?:indication|evidence|information)|unclear|whether"
    r"|not (?:attribute|speculate)|unbekannt\w{0,2}|nicht (?:\w+ )?(?:bekannt|geklart)"
    r"|wissen (?:\w+ )?(?:noch )?nicht|keine? (?:hinweis|erkenntnis|angabe)\w{0,3}"
    r"|ne savons pas|inconnue?s?|aucune?|n'est pas connue?|pas (?:encore )?(?:connu|identifi)\w{0,2})\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"apt|unc|ta\d|temp|dev\d?|storm|fin\d|lazarus|sandworm|kimsuky|turla|hafnium|nobelium|midnight|equation"
    r"|carbanak|evil|magecart|lockbit|cl[0o]p|black"
    r"|alphv|revil|sodin|dark|rhysida|ransom|lapsus|shiny|scattered|guccifer|killnet|noname|qilin|8base|dragonf"
    r"|bear|panda|kitten|spider|chollima|typhoon"
    r"|blizzard|sandstorm|sleet|tempest|jackal|leopard|group|gang|grupp|collecti|kollektiv|conti|akira|medusa"
    r"|play|hive|anonymous|maze|ryuk|royal"
    r"|actor|hacker|attack|intru|advers|perpet|culprit|cyber|crimin|krimin|hacking|sp[iy]|intell|operati|espion"
    r"|angr|tater|geheim|akteur|pirat|attaqu"
    r"|acteur|assaill|services|state|nation|government|regime|staat|auftrag|soutenu|parrain|commandit|financ"
    r"|appuy|pilot|etat"
    r"|attribu|claimed|suspect|believ|former|disgrunt|inside|malicious|hinter|bekannt|zuge|zuzu|konto|ehemal"
    r"|auteur|derriere|revend|soupconn|breach|incident"
)
_SAYS = "Say 'an unauthorised third party'; who it was is for the police."


def attribution_in(words: Words) -> Iterator[Spot]:
    """Yield what names an attacker in a flowing text."""
    for begin, end in pieces_with(words, lambda low: _ASKS.match(low) is not None):
        piece = words.text[begin:end]
        # A name of a group or a nation stays one where it is denied.
        patterns = (_GROUPS, _NATIONS, _BELIEVED)[: 2 if _UNKNOWN.search(piece) else 3]
        for pattern in patterns:
            for match in pattern.finditer(piece):
                yield Spot("attribution", begin + match.start(), begin + match.end(), "attribution", _SAYS)
