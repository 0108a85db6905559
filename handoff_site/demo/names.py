"""Names of people and firms from many places, to be drawn from by a seeded generator.

Pure data and its drawing; no clock, no database. Every address ends in `.example`, which no mail reaches.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from leads import identity
from leads.choices import size_band


@dataclass(frozen=True)
class Place:
    """A country with its names. `given` and `family` are drawn independently of each other."""

    country: str
    zone: str
    language: str
    currency: str
    phone: str
    regions: tuple[str, ...]
    given: tuple[str, ...]
    family: tuple[str, ...]
    firms: tuple[str, ...]
    legal: tuple[str, ...]


@dataclass(frozen=True)
class Firm:
    """A company as the marketing platform knows it; revenue in whole units of `currency` a year."""

    name: str
    domain: str
    industry: str
    employees: int
    country: str
    revenue: int = 0
    currency: str = "EUR"
    technologies: tuple[str, ...] = ()
    news: tuple[tuple[str, int], ...] = ()  # title, days ago

    @property
    def band(self) -> str:
        return size_band(self.employees)


@dataclass(frozen=True)
class Somebody:
    """A lead: who they are and where. `number` is their id in the marketing platform."""

    number: int
    first: str
    last: str
    email: str
    country: str
    title: str = ""
    region: str = ""
    zone: str = ""
    language: str = ""
    phone: str = ""


def _split(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


PLACES = (
    Place(
        "DE", "Europe/Berlin", "de", "EUR", "+49 40 555 ", _split("Hamburg, Bayern, Sachsen, Hessen"),
        _split("Katharina, Jürgen, Anke, Bastian, Meike, Thorsten, Aylin, Cem, Friederike, Günther, Nele"),
        _split("Schäfer, von der Heide, Öztürk, Kowalewski, Brüggemann, Weiß, Nguyen-Hartmann, Lüders"),
        _split("Steinbach, Nordlicht, Grünthal, Elbkontor, Falkenried, Weserbogen, Bergmann & Söhne"),
        _split("GmbH, AG, GmbH & Co. KG"),
    ),
    Place(
        "AT", "Europe/Vienna", "de", "EUR", "+43 1 555 ", _split("Wien, Tirol, Steiermark"),
        _split("Leopold, Magdalena, Gernot, Valentina, Ferdinand, Elfriede, Xaver, Marlies"),
        _split("Hofstätter, Leitgeb, Pichlmayr, Fuchsthaller, Zöchling, Moosbrugger, Wurzinger"),
        _split("Alpenblick, Donauwerk, Karwendel, Salzkammer, Almtal"),
        _split("GmbH, KG"),
    ),
    Place(
        "PL", "Europe/Warsaw", "pl", "PLN", "+48 22 555 ", _split("Mazowieckie, Małopolskie, Pomorskie"),
        _split("Agnieszka, Krzysztof, Małgorzata, Wojciech, Łucja, Bartłomiej, Halina, Grzegorz"),
        _split("Szczepańska, Wróblewski, Dąbrowska-Lis, Gołąb, Jabłoński, Źrebiec, Mazurkiewicz"),
        _split("Bursztyn, Wawel, Orlęta, Żubrówka Leśna, Bałtyk"),
        _split("S.A., Sp. z o.o."),
    ),
    Place(
        "TR", "Europe/Istanbul", "tr", "TRY", "+90 212 555 ", _split("İstanbul, İzmir, Ankara"),
        _split("Elif, Çağlar, Şebnem, Oğuz, Zeynep, Ümit, Gülşen, Barış"),
        _split("Yıldız, Çelikkol, Şahin, Özdemir, Karaağaç, Doğan, Güneş"),
        _split("Anadolu Işık, Boğaziçi, Ege Yıldızı, Toros"),
        _split("A.Ş., Ltd. Şti."),
    ),
    Place(
        "FR", "Europe/Paris", "fr", "EUR", "+33 1 55 55 ", _split("Île-de-France, Bretagne, Occitanie"),
        _split("Anne-Sophie, Jérôme, Maëlys, Gaël, Ségolène, Ibrahima, Noémie, Théophile, Yacine"),
        _split("Beauchêne, Le Goff, de La Rochette, Diallo, Péron, Château-Renaud, Benkhelifa, Ménard"),
        _split("Val d’Orge, Armor, Cévennes, Rivière & Fils, Clairvallon, Belle-Isle"),
        _split("SAS, SARL, S.A."),
    ),
    Place(
        "NL", "Europe/Amsterdam", "nl", "EUR", "+31 20 555 ", _split("Noord-Holland, Utrecht, Zeeland"),
        _split("Joris, Marieke, Sjoerd, Fenna, Diederik, Yasmina, Wouter, Lotte"),
        _split("van der Meulen, ’t Hooft, Bakhuizen, de Vries-Akkerman, el Amrani, Zijlstra, Hoogland"),
        _split("Waddenzee, Kanaalstreek, De Gouden Tulp, Polderwind, Noorderhaven"),
        _split("B.V., N.V."),
    ),
    Place(
        "IT", "Europe/Rome", "it", "EUR", "+39 02 555 ", _split("Lombardia, Piemonte, Puglia"),
        _split("Beatrice, Lorenzo, Niccolò, Ginevra, Ruggero, Ornella, Fabrizio, Chiara"),
        _split("D’Alessandro, Pellegrini, Montanari, Lo Presti, Bevilacqua, Degl’Innocenti, Rinaldi"),
        _split("Aurora, Fratelli Marchetti, Valtellina, Adriatica, Monteverde"),
        _split("S.p.A., S.r.l."),
    ),
    Place(
        "ES", "Europe/Madrid", "es", "EUR", "+34 91 555 ", _split("Cataluña, Andalucía, País Vasco"),
        _split("Íñigo, Begoña, Ximena, Andrés, Núria, Joaquín, Rocío, Álvaro"),
        _split("Etxeberria, Muñoz de la Fuente, Ibáñez, Puigvert, Castaño, Peña-Ortiz"),
        _split("Sierra Alta, Mar Menor, Hermanos Quintana, Ribera Verde"),
        _split("S.A., S.L."),
    ),
    Place(
        "GB", "Europe/London", "en", "GBP", "+44 20 7946 ", _split("Greater London, Scotland, Wales"),
        _split("Imogen, Callum, Priyanka, Rhys, Oluwafemi, Georgina, Hamish, Zainab, Alistair"),
        _split("Featherstonehaugh, ap Rhydderch, Chaudhry, MacKinnon, Ashworth-Bell, Oyelaran, Pemberton"),
        _split("Thornbury, Kestrel, Pennine, Harrow & Finch, Silverdale, Tidewater"),
        _split("Ltd, plc, LLP"),
    ),
    Place(
        "IE", "Europe/Dublin", "en", "EUR", "+353 1 555 ", _split("Leinster, Munster, Connacht"),
        _split("Caoimhe, Diarmuid, Gráinne, Fionn, Róisín, Tadhg"),
        _split("Ó Súilleabháin, Kavanagh, Nic Giolla, Breathnach, Fitzgerald, O’Donoghue"),
        _split("Claddagh, Shannonside, Glenmalure, Emerald Bay"),
        _split("Ltd, DAC"),
    ),
    Place(
        "SE", "Europe/Stockholm", "sv", "SEK", "+46 8 555 ", _split("Skåne, Stockholm, Norrbotten"),
        _split("Åsa, Gustav, Linnéa, Björn, Siv, Amir, Tuva, Håkan"),
        _split("Sjöström, Åkerblom, Hägglund, Norén, Öberg, Strömqvist, Ahmadi"),
        _split("Norrsken, Vättern, Björkhaga, Kustlinjen, Mälardal"),
        _split("AB, AB (publ)"),
    ),
    Place(
        "DK", "Europe/Copenhagen", "da", "DKK", "+45 5555 ", _split("Hovedstaden, Syddanmark"),
        _split("Søren, Freja, Mikkel, Ditte, Jørgen, Asger"),
        _split("Kjærgaard, Østergaard, Bødker, Thygesen, Møller-Hansen"),
        _split("Øresund, Bornholm, Lillebælt, Havnegade"),
        _split("A/S, ApS"),
    ),
    Place(
        "MX", "America/Mexico_City", "es", "MXN", "+52 55 5555 ", _split("Jalisco, Nuevo León, Puebla"),
        _split("Guadalupe, Emiliano, Itzel, Santiago, Citlali, Joaquín, Renata"),
        _split("Xicoténcatl, Villaseñor, de la Garza, Ordóñez, Zúñiga, Treviño"),
        _split("Popocatépetl, Quetzal, Sierra Madre, Agave Azul"),
        _split("S.A. de C.V., S. de R.L."),
    ),
    Place(
        "BR", "America/Sao_Paulo", "pt", "BRL", "+55 11 5555 ", _split("São Paulo, Paraná, Bahia"),
        _split("João Pedro, Thaís, Rogério, Conceição, Caetano, Luíza"),
        _split("Gonçalves, da Conceição, Araújo, Simões, Magalhães, Fukushima"),
        _split("Ipê Amarelo, Serra do Mar, Jacarandá, Guaraná do Norte"),
        _split("S.A., Ltda."),
    ),
    Place(
        "ZA", "Africa/Johannesburg", "en", "ZAR", "+27 11 555 ", _split("Gauteng, Western Cape"),
        _split("Sibusiso, Annelie, Lerato, Pieter, Nomvula, Riaan, Ayanda"),
        _split("Dlamini, van Niekerk, Mokoena, Pillay, Nxumalo, Botha, Ngcobo"),
        _split("Table Bay, Drakensberg, Protea, Highveld"),
        _split("(Pty) Ltd"),
    ),
    Place(
        "JP", "Asia/Tokyo", "ja", "JPY", "+81 3 5555 ", _split("Tokyo, Osaka, Hokkaido"),
        _split("Haruka, Daisuke, Ayumi, Shinji, Kaori, Takumi, Naomi"),
        _split("Yamamoto, Ōnishi, Kobayashi, Hasegawa, Saitō, Miyazaki, Fujiwara"),
        _split("Sakura, Fujimori, Hokusei, Kamakura, Aoba"),
        _split("K.K., Co., Ltd."),
    ),
    Place(
        "IN", "Asia/Kolkata", "en", "INR", "+91 22 5555 ", _split("Maharashtra, Karnataka, Tamil Nadu"),
        _split("Ananya, Vikram, Meenakshi, Rohan, Lakshmi, Farhan, Sushmita"),
        _split("Subramaniam, Chatterjee, Deshpande, Iyengar, Qureshi, Bhattacharya"),
        _split("Kaveri, Sahyadri, Banyan, Nilgiri, Ganga Deep"),
        _split("Pvt Ltd, Ltd"),
    ),
    Place(
        "US", "America/New_York", "en", "USD", "+1 212 555 ", _split("New York, Ohio, Texas"),
        _split("Shaniqua, Brett, Guadalupe, Wyatt, Mei-Ling, Ezekiel, Savannah"),
        _split("Washington, Kowalczyk, Whitehorse, Delacroix, O’Malley, Tran, Rosenthal"),
        _split("Lakeshore, Bluestem, Redwood Harbor, Copperline, Prairie Star"),
        _split("Inc., LLC"),
    ),
)  # fmt: skip

TRADES = (
    ("Freight and logistics", "Logistics"),
    ("Machine building", "Machine Works"),
    ("Food and drink", "Foods"),
    ("Medical technology", "Medical Systems"),
    ("Renewable energy", "Wind & Solar"),
    ("Insurance", "Insurance"),
    ("Retail", "Stores"),
    ("Software", "Software"),
    ("Chemicals", "Specialty Chemicals"),
    ("Construction", "Construction"),
    ("Education", "Learning"),
    ("Telecommunications", "Telecom"),
    ("Electronics", "Electronics"),
    ("Tourism", "Hotels"),
    ("Printing and packaging", "Packaging"),
)
TITLES = (
    "Head of Sales Operations", "VP Marketing", "Managing Director", "Revenue Operations Manager",
    "Chief Operating Officer", "Director of Business Development", "CRM Manager", "Head of Growth",
    "Sales Enablement Lead", "Chief Revenue Officer", "IT Director", "Head of Customer Success",
    "Demand Generation Manager", "Regional Sales Director", "Marketing Automation Specialist",
)  # fmt: skip
TECHNOLOGIES = (
    "SAP S/4HANA", "Entra ID", "Salesforce", "HubSpot", "Okta", "Snowflake", "Power BI", "Jira",
    "ServiceNow", "Odoo", "Microsoft Dynamics", "Zendesk", "Mautic", "Google Workspace", "Slack",
)  # fmt: skip
NEWS = (
    "{firm} opens a second site", "{firm} names a new chief of sales", "{firm} buys a smaller rival",
    "{firm} raises fresh capital", "{firm} wins an export award", "{firm} to hire forty people",
)  # fmt: skip
SIZES = (
    (4, 10, 6),
    (14, 50, 20),
    (52, 200, 34),
    (210, 480, 18),
    (520, 960, 10),
    (1_050, 4_800, 9),
    (5_200, 18_000, 3),
)


class Crowd:
    """Draws firms and people; no family name comes twice within a firm, and so no address, and no number at a
    place while it has others."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self._firms: set[str] = set()
        self._people: set[str] = set()
        self._phones: set[str] = set()
        self._number = 1000

    def firm(self, place: Place, sizes: tuple[int, int] | None = None) -> Firm:
        """A firm of that place; `sizes` bounds its head count."""
        rng = self.rng
        for _ in range(60):
            industry, word = rng.choice(TRADES)
            name = f"{rng.choice(place.firms)} {word}"
            if name not in self._firms:
                break
        else:
            name = f"{name} {len(self._firms)}"
        self._firms.add(name)
        low, high = sizes or rng.choices([row[:2] for row in SIZES], [row[2] for row in SIZES])[0]
        employees = rng.randint(low, high)
        full = f"{name} {rng.choice(place.legal)}"
        news = ((rng.choice(NEWS).format(firm=name), rng.randint(5, 90)),) if rng.random() < 0.4 else ()
        return Firm(
            name=full,
            domain=f"{_slug(name)}.example",
            industry=industry,
            employees=employees,
            country=place.country,
            revenue=employees * rng.randint(90, 260) * 1000,
            currency=place.currency,
            technologies=tuple(sorted(rng.sample(TECHNOLOGIES, rng.randint(1, 4)))),
            news=news,
        )

    def person(self, place: Place, firm: Firm) -> Somebody:
        """Somebody who works there."""
        rng = self.rng
        for attempt in range(200):
            first, last = rng.choice(place.given), rng.choice(place.family)
            # Two people of one firm share no family name: a similar name is a possible duplicate. A whole
            # name comes again only when the place has no other left.
            taken = {f"{_slug(last)}@{firm.domain}", *([f"{first} {last}"] if attempt < 60 else [])}
            if not taken & self._people:
                break
        email = f"{_slug(first)}.{_slug(last)}@{firm.domain}"
        self._people |= {f"{first} {last}", f"{_slug(last)}@{firm.domain}"}
        return Somebody(
            number=self.next_number(),
            first=first,
            last=last,
            title=rng.choice(TITLES),
            email=email,
            country=place.country,
            region=rng.choice(place.regions),
            zone=place.zone,
            language=place.language,
            phone=self._phone(place),
        )

    def _phone(self, place: Place) -> str:
        """The number that is drawn, else the next that nobody has: two who share one and are alike in name
        are a possible duplicate, and such a lead waits for marketing."""
        drawn = self.rng.randint(100, 999)
        numbers = [f"{place.phone}0{number}" for number in (*range(drawn, 1000), *range(100, drawn))]
        phone = next((number for number in numbers if number not in self._phones), numbers[0])
        self._phones.add(phone)
        return phone

    def next_number(self) -> int:
        self._number += 1
        return self._number


def _slug(text: str) -> str:
    """Plain letters and hyphens for an address: "Ó Súilleabháin" gives "o-suilleabhain"."""
    for letters, plain in (("ß", "ss"), ("ø", "o"), ("æ", "ae"), ("ł", "l"), ("ı", "i"), ("đ", "d")):
        text = text.replace(letters, plain).replace(letters.upper(), plain)
    key = identity.text_key(text)
    return "-".join("".join(char for char in key if char.isascii()).split()) or "firm"
