"""What a column probably means: by its heading, as products and people write it, else by what it holds.

Owns the headings of the products and of nine languages. A guess is only where the page begins; what is not
known is left out. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leads import identity
from leads.imports import cells

# The column that the file of failed rows adds; never a lead's.
ERROR_HEADING = "What is wrong"
_FORM = frozenset(
    {"form", "form name", "formular", "formulaire", "formulario", "modulo", "formulier", "formularz"}
)
_DATE = frozenset({"date", "datum", "fecha", "data", "timestamp", "zeitstempel"})
_DAY = re.compile(r"\d{1,4}([-./])\d{1,2}\1\d{1,4}(?!\d)")
# A column is taken for addresses when that much of what was looked at is one.
_MOSTLY = 0.8

_WORDS: Mapping[str, str] = {
    "email": "email, e mail, email address, e mail address, work email, business email, mail, e mail adresse,"
    " email adresse, adresse email, adresse e mail, courriel, correo, correo electronico, posta elettronica,"
    " e mailadres, endereco de email, adres e mail, e post, epost, emailaddress1, contact email",
    "first_name": "first name, firstname, given name, forename, vorname, prenom, nombre, nome, voornaam,"
    " primeiro nome, imie, fornamn, fname",
    "last_name": "last name, lastname, surname, family name, nachname, name de famille, nom, nom de famille,"
    " apellido, apellidos, cognome, achternaam, sobrenome, ultimo nome, nazwisko, efternamn, lname",
    "full_name": "full name, fullname, contact name, person name, name, contact, lead name, ansprechpartner,"
    " nom complet, nombre completo, nome completo, volledige naam, imie i nazwisko, namn, lead",
    "job_title": "job title, jobtitle, title, position, role, function, berufsbezeichnung, funktion,"
    " poste, fonction, cargo, puesto, ruolo, functie, stanowisko, titel, jobb titel",
    "phone": "phone, phone number, telephone, tel, mobile, mobile phone, mobile phone number, work phone,"
    " telefon, telefonnummer, telephone number, telefono, telefoon, telefoonnummer, telefone, telephone1",
    "country": "country, country region, country code, land, pays, pais, paese, kraj, contact country,"
    " country name, ip country, address1 country, address country",
    "region": "state, region, state region, province, bundesland, estado, provincia, provincie, wojewodztwo",
    "postal_code": "postal code, zip, zip code, zip postal code, postcode, plz, postleitzahl, code postal,"
    " codigo postal, cap, cep, kod pocztowy, postnummer, zipcode",
    "timezone": "time zone, timezone, zeitzone, fuseau horaire",
    "language": "language, preferred language, sprache, langue, idioma, lingua, taal, jezyk, sprak, locale",
    "linkedin_url": "linkedin, linkedin url, linkedin profile, linkedin profile url, person linkedin url,"
    " hs linkedin url, linkedin bio",
    "email_opt_out": "email opt out, e mail opt out, opted out of email, unsubscribed from all email,"
    " hs email optout, has opted out of email, hasoptedoutofemail, unsubscribed, do not email, donotemail",
    "do_not_call": "do not call, donotcall, do not phone, donotphone",
    "record_id": "record id, contact id, lead id, hs object id, hubspot id, salesforce id, mautic id,"
    " prospect id, person id, contactid, leadid, external id, id",
    "company": "company, company name, organization, organisation, organization name, account, account name,"
    " associated company, employer, firma, firmenname, unternehmen, societe, entreprise, empresa, azienda,"
    " bedrijf, bedrijfsnaam, organisatie, firma nazwa, foretag, companyname, organization 1 name",
    "domain": "domain, company domain, company domain name, website domain, email domain",
    "website": "website, website url, company website, web site, homepage, url, webseite, internetseite,"
    " site web, sitio web, sito web, strona www, hemsida, companywebsite, websiteurl",
    "industry": "industry, branche, secteur, industria, sector, settore, sektor, bransch, companyindustry,"
    " industrycode, business industry",
    "employees": "employees, number of employees, employee count, company size, company size band, size band,"
    " size, numemployees, numberofemployees, num employees, mitarbeiter, anzahl mitarbeiter, mitarbeiterzahl,"
    " effectif, nombre d employes, empleados, numero de empleados, dipendenti, medewerkers,"
    " aantal medewerkers, funcionarios, liczba pracownikow, antal anstallda, headcount,"
    " companynumber of employees, employee range",
    "revenue": "annual revenue, annualrevenue, revenue, turnover, jahresumsatz, umsatz, chiffre d affaires,"
    " ingresos, fatturato, omzet, receita, przychod, omsattning",
    "currency": "currency, currency iso code, currencyisocode, revenue currency, wahrung, devise, moneda,"
    " valuta, moeda, waluta",
    "company_country": "company country, account country, billing country",
    "technologies": "technologies, web technologies, tech stack, technologien",
    "score": "score, lead score, leadscore, total score, hubspot score, hubspotscore, points, punkte,"
    " score total, combined score, msdyn leadscore, pi score c, marketing score, einstein score",
    "score_fit": "fit score, score fit, fit, demographic score, profile score, hubspot fit score",
    "score_intent": "intent score, score intent, intent",
    "score_behavior": "behavior score, behaviour score, score behavior, score behaviour, engagement score,"
    " behavior, behaviour, engagement",
    "scored_at": "scored at, score date, last scored",
    "lead_source": "lead source, leadsource, original source, source, hs analytics source, latest source,"
    " lead quelle, quelle, leadquelle, origine, fuente, fonte, bron, zrodlo, kalla, leadsourcecode,"
    " original traffic source, acquisition source",
    "channel": "channel, kanal, canal, canale, kanaal",
    "utm_source": "utm source, utmsource",
    "utm_medium": "utm medium, utmmedium",
    "utm_campaign": "utm campaign, utmcampaign, campaign, campaign name, kampagne, campagne, campana",
    "utm_term": "utm term, utmterm",
    "utm_content": "utm content, utmcontent",
    "referrer": "referrer, referer, first referring site",
    "landing_page": "landing page, first page seen, landingpage",
    "trigger": "trigger, trigger kind, trigger event, conversion event, ausloser",
    "trigger_reason": "trigger reason, reason, recent conversion, conversion, grund",
    "triggered_at": "triggered at, trigger date, mql date, mql at, became a marketing qualified lead date,"
    " date became mql, converted at, recent conversion date, submitted at, submission date",
    "activity": "activity, activity kind, activity type, interaction, response type",
    "activity_title": "activity title, event name, webinar, asset",
    "activity_at": "activity date, attended at, activity at, registration time, join time",
    "event_id": "event id, row id, submission id, conversion id",
    "as_of": "last modified date, lastmodifieddate, updated at, last modified, date modified, modified on,"
    " system modstamp, systemmodstamp, geandert am",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Product:
    """A product whose files are known: where its headings mean something of their own, and what its records
    are called where one has their ids."""

    name: str
    system: str
    words: Mapping[str, str]


PRODUCTS: Mapping[str, Product] = {
    "hubspot": Product(
        "HubSpot", "hubspot",
        {"lead_source": "original source, hs analytics source", "score": "hubspotscore, hubspot score"},
    ),
    "salesforce": Product(
        "Salesforce", "salesforce",
        {"full_name": "name", "job_title": "title", "region": "state, state province", "record_id": "id"},
    ),
    "mautic": Product(
        "Mautic", "mautic",
        {"job_title": "position", "score": "points", "region": "state", "postal_code": "zipcode",
         "lead_source": "attribution", "as_of": "date modified", "record_id": "id"},
    ),
    "marketo": Product("Marketo", "marketo", {"job_title": "title", "record_id": "id"}),
    "dynamics": Product(
        "Dynamics 365", "dynamics",
        {"job_title": "job title, jobtitle", "full_name": "name, fullname", "company": "company name"},
    ),
}  # fmt: skip


def key(heading: str) -> str:
    return identity.text_key(heading)


def _table(words: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for code, names in words.items():
        for name in names.split(","):
            found.setdefault(" ".join(name.split()), code)
    return found


_KNOWN = _table(_WORDS)
_OF_PRODUCT = {code: _table(product.words) for code, product in PRODUCTS.items()}
# Of two columns that could be the same field, the one whose heading is listed first.
_RANK = {
    (code, " ".join(name.split())): rank
    for code, names in _WORDS.items()
    for rank, name in enumerate(names.split(","))
}


def guess(header: Sequence[str], samples: Sequence[Sequence[str]], product: str = "") -> list[str]:
    """For each column what it is probably read as, "" where nothing is known. `samples` are some rows."""
    own = _OF_PRODUCT.get(product, {})
    best: dict[str, tuple[int, int]] = {}
    codes = set(_WORDS)
    for place, heading in enumerate(header):
        if heading == ERROR_HEADING:
            continue
        name = key(heading)
        # "lead_source" is our own word for it.
        ours = name.replace(" ", "_")
        code = own.get(name) or _KNOWN.get(name) or (ours if ours in codes else "")
        if not code:
            continue
        rank = -1 if name in own or ours == code else _RANK.get((code, name), 0)
        if code not in best or rank < best[code][0]:
            best[code] = (rank, place)
    targets = [""] * len(header)
    for code, (_, place) in best.items():
        targets[place] = code
    if "email" not in best:
        _by_contents(targets, samples)
    _by_both(header, targets, samples)
    if "full_name" in best and {"first_name", "last_name"} <= best.keys():
        targets[best["full_name"][1]] = ""
    return targets


def _by_contents(targets: list[str], samples: Sequence[Sequence[str]]) -> None:
    for place, target in enumerate(targets):
        held = [row[place] for row in samples if row[place]]
        if target == "" and held:
            addresses = sum(bool(identity.normalise_email(value)) for value in held)
            if addresses / len(held) >= _MOSTLY:
                targets[place] = "email"
                return


def _by_both(header: Sequence[str], targets: list[str], samples: Sequence[Sequence[str]]) -> None:
    """Headings that say too little by themselves: a form, which may be a trigger, and a date, which is that
    of the trigger or else of what they did."""
    for place, heading in enumerate(header):
        held = [row[place] for row in samples if row[place]]
        if targets[place] or not held:
            continue
        if key(heading) in _FORM:
            asked = [_is_trigger(cell) for cell in held]
            # Of a mixed column the demo requests are found as such, and no row fails for the others.
            code = "trigger" if all(asked) else "activity" if any(asked) else "activity_title"
            targets[place] = "" if code in targets else code
    for place, heading in enumerate(header):
        held = [row[place] for row in samples if row[place]]
        if targets[place] or not held or key(heading) not in _DATE:
            continue
        did = "trigger" not in targets and {"activity", "activity_title"} & set(targets)
        code = "activity_at" if did else "triggered_at"
        days = sum(_DAY.match(cell.strip()) is not None for cell in held)
        if code not in targets and days / len(held) >= _MOSTLY:
            targets[place] = code


def _is_trigger(cell: str) -> bool:
    try:
        return bool(cells.trigger(cell))
    except ValueError:
        return False


def product_of(header: Sequence[str]) -> str:
    """The product whose file this seems to be, by headings that only it writes; "" for none."""
    names = {key(heading) for heading in header}
    if names & {"hs object id", "hs analytics source", "hubspotscore", "hs email optout"} or (
        "record id" in names and names & {"lifecycle stage", "associated company", "original source"}
    ):
        return "hubspot"
    if names & {"numberofemployees", "hasoptedoutofemail", "isconverted", "systemmodstamp", "leadsource"}:
        return "salesforce"
    if names & {"companynumber of employees", "companywebsite", "date identified", "utmtags"}:
        return "mautic"
    if names & {"emailaddress1", "statecode", "address1 country"}:
        return "dynamics"
    return ""
