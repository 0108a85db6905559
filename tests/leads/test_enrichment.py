"""Enrichment: the directory, the HTTP provider against a local double, and what its answers may do."""

from __future__ import annotations

import csv
import gzip
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from leads import company_files, completion, enrichment, invariants
from leads.choices import State
from leads.enrichment import CompanyDirectory, HttpProvider, ProviderFailed, consult_directory
from leads.models import Company, DuplicatePair, EnrichmentAttempt, Handoff, Lead
from tests import factories
from tests.conftest import NOW, Cast

MAPPING = {
    "company.name": "data.name",
    "company.industry": "data.industry",
    "company.employee_count": "data.metrics.employees",
    "company.technologies": "data.tech",
    "lead.job_title": "person.0.title",
    "lead.phone": "person.0.phone",
}
ANSWER = {
    "data": {
        "name": "Halvorsen Logistics",
        "industry": "Logistics",
        "metrics": {"employees": 420},
        "tech": ["SAP", "Kafka"],
    },
    "person": [{"title": "COO", "phone": "+49 30 901820"}],
}


class Double:
    """A service on 127.0.0.1 that answers as it is told and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.respond: Callable[[BaseHTTPRequestHandler], None] = lambda handler: self.json(handler, ANSWER)
        double = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                double.asked.append((self.path, dict(self.headers)))
                double.respond(self)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    @staticmethod
    def raw(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    @classmethod
    def json(cls, handler: BaseHTTPRequestHandler, answer: Any) -> None:
        cls.raw(handler, 200, json.dumps(answer).encode(), Content_Type="application/json")


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Double()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join(5)


@pytest.fixture
def provider(double: Double) -> HttpProvider:
    return HttpProvider(f"{double.url}/v1/lookup", MAPPING, key="secret", timeout=2, allow_plain=True)


@pytest.fixture
def switched_on(double: Double, settings: Any) -> Double:
    settings.DEBUG = True
    settings.ENRICHMENT_URL = f"{double.url}/v1/lookup"
    settings.ENRICHMENT_KEY = "secret"
    settings.ENRICHMENT_MAPPING = MAPPING
    return double


def person(email: str = "dana@halvorsen-logistics.com", **fields: Any) -> Lead:
    return factories.make_lead(email=email, **({"company": None, "job_title": ""} | fields))


# The HTTP provider


@pytest.mark.django_db
def test_it_asks_about_the_domain_with_the_key(double: Double, provider: HttpProvider) -> None:
    found = provider.look_up(person(), None)
    assert found == {
        "company.name": "Halvorsen Logistics",
        "company.industry": "Logistics",
        "company.employee_count": 420,
        "company.technologies": ["SAP", "Kafka"],
        "lead.job_title": "COO",
        "lead.phone": "+49 30 901820",
    }
    [(path, headers)] = double.asked
    assert urlsplit(path).path == "/v1/lookup"
    assert parse_qs(urlsplit(path).query) == {"domain": ["halvorsen-logistics.com"]}
    assert headers["Authorization"] == "Bearer secret" and headers["Accept-Encoding"] == "identity"


@pytest.mark.django_db
def test_placeholders_in_the_url_are_quoted(double: Double) -> None:
    asking = HttpProvider(
        f"{double.url}/c/{{domain}}?who={{email}}", MAPPING, key="", timeout=2, allow_plain=True
    )
    asking.look_up(person("a&b=c/../x@halvorsen-logistics.com"), None)
    [(path, headers)] = double.asked
    assert path == "/c/halvorsen-logistics.com?who=a%26b%3Dc%2F..%2Fx%40halvorsen-logistics.com"
    assert "Authorization" not in headers


@pytest.mark.django_db
def test_the_companys_own_domain_comes_first_and_free_mail_is_not_asked_about(
    double: Double, provider: HttpProvider
) -> None:
    provider.look_up(person(), Company(domain="halvorsen.de"))
    assert double.asked[0][0].endswith("domain=halvorsen.de")
    assert provider.look_up(person("dana@gmail.com"), None) == {}
    assert len(double.asked) == 1


def _slow(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(0.6)
    Double.json(handler, ANSWER)


def _drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(40):
        time.sleep(0.05)
        try:
            handler.wfile.write(b" ")
            handler.wfile.flush()
        except OSError:
            return


def _hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.close()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("respond", "said"),
    [
        (lambda h: Double.raw(h, 500, b"{}"), "answered 500"),
        (lambda h: Double.raw(h, 401, b"{}"), "answered 401"),
        (lambda h: Double.raw(h, 302, b"", Location="/elsewhere"), "answered 302"),
        (lambda h: Double.raw(h, 200, b"<html>"), "not JSON"),
        (lambda h: Double.raw(h, 200, b"\xff\xfe\x00"), "not JSON"),
        (lambda h: Double.raw(h, 200, b"[" * 100_000), "not JSON"),
        (lambda h: Double.raw(h, 200, b" " * (256 * 1024 + 1)), "more than 256 KiB"),
        (lambda h: Double.raw(h, 200, gzip.compress(b"{}"), Content_Encoding="gzip"), "compression"),
        (_slow, "no answer within 0.3 seconds"),
        (_drip, "too slowly"),
        (_hang_up, "could not be asked"),
    ],
)
def test_bad_answers_fail_with_a_reason(double: Double, respond: Callable, said: str) -> None:
    double.respond = respond
    asking = HttpProvider(f"{double.url}/x", MAPPING, key="secret", timeout=0.3, allow_plain=True)
    started = time.monotonic()
    with pytest.raises(ProviderFailed, match=said) as caught:
        asking.look_up(person(), None)
    assert time.monotonic() - started < 1.5 and len(double.asked) == 1
    assert "secret" not in str(caught.value) and "dana" not in str(caught.value)


@pytest.mark.django_db
def test_not_found_is_an_answer(double: Double, provider: HttpProvider) -> None:
    double.respond = lambda handler: Double.raw(handler, 404, b"no such company")
    assert provider.look_up(person(), None) == {}


@pytest.mark.parametrize("answer", [None, 7, "text", [], [1], {"data": None}, {"data": [1]}, {"person": {}}])
def test_answers_of_another_shape_give_nothing(answer: Any) -> None:
    assert all(enrichment.dig(answer, path) is None for path in MAPPING.values())


@pytest.mark.parametrize(
    ("url", "mapping", "said"),
    [
        ("http://enrich.example.com/", MAPPING, "must be an https"),
        ("file:///etc/passwd", MAPPING, "must be an https"),
        ("https:///x", MAPPING, "must be an https"),
        ("https://{domain}/x", MAPPING, "only after its host"),
        ("https://x.{domain}.example.com/", MAPPING, "only after its host"),
        ("https://enrich.example.com/", {}, "at least one field"),
        ("https://enrich.example.com/", {"lead.email": "email"}, "no field 'lead.email'"),
        ("https://enrich.example.com/", {"company.owner_id": "x"}, "no field"),
        ("https://enrich.example.com/", {"company.name": ""}, "needs a path"),
        ("https://enrich.example.com/", {"company.name": 3}, "needs a path"),
    ],
)
def test_what_cannot_work_is_refused_at_once(url: str, mapping: dict, said: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=said):
        HttpProvider(url, mapping)


def test_without_a_url_there_is_no_provider_and_plain_http_needs_debug(settings: Any) -> None:
    assert enrichment.http_provider() is None
    settings.ENRICHMENT_URL, settings.ENRICHMENT_MAPPING = "http://127.0.0.1:1/", MAPPING
    with pytest.raises(ImproperlyConfigured):
        enrichment.http_provider()
    settings.DEBUG = True
    assert enrichment.http_provider() is not None


# What is written


@pytest.mark.django_db
def test_apply_fills_and_makes_the_company() -> None:
    lead = person(country_code="")
    fields = {
        "company.name": " Halvorsen\tLogistics ", "company.employee_count": "420",
        "company.country_code": "de", "company.revenue_amount": "52000000",
        "company.revenue_currency": "eur", "company.website": "halvorsen.com",
        "lead.country_code": "de", "lead.phone": "030 901820",
    }  # fmt: skip
    filled, refused = enrichment.apply(lead, None, fields, NOW)
    assert refused == [] and set(filled) == {*fields, "company"}
    lead = Lead.objects.get(pk=lead.pk)
    company = lead.company
    assert company is not None and company.domain == "halvorsen-logistics.com"
    assert (company.name, company.name_key) == ("Halvorsen Logistics", "halvorsen logistics")
    assert (company.employee_count, company.size_band) == (420, "201-500")
    assert (company.revenue_amount, company.revenue_currency) == (Decimal(52_000_000), "EUR")
    assert company.website == "https://halvorsen.com" and company.country_code == "DE"
    assert lead.phone_key == "+4930901820"
    assert company.field_times["name"] == NOW.isoformat()
    again, _ = enrichment.apply(lead, company, fields, NOW + timedelta(days=1))
    assert again == []


@pytest.mark.django_db
def test_apply_replaces_nothing_but_placeholders() -> None:
    company = factories.make_company(name="n/a", industry="Shipping", employee_count=None, size_band="51-200")
    lead = person(company=company, job_title="CEO")
    fields = {"company.name": "Halvorsen", "company.industry": "Logistics", "company.employee_count": 420}
    filled, _ = enrichment.apply(lead, company, fields | {"lead.job_title": "COO"}, NOW)
    company.refresh_from_db()
    lead.refresh_from_db()
    assert sorted(filled) == ["company.employee_count", "company.name"]
    assert (company.name, company.industry, company.size_band) == ("Halvorsen", "Shipping", "51-200")
    assert lead.job_title == "CEO"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("target", "value"),
    [
        ("company.name", {"x": 1}), ("company.name", True), ("company.name", "x" * 301),
        ("company.employee_count", -3), ("company.employee_count", "12.5"), ("company.employee_count", "NaN"),
        ("company.employee_count", True), ("company.employee_count", "9" * 50), ("company.size_band", "huge"),
        ("company.country_code", "Germany"), ("company.country_code", 49), ("company.revenue_amount", "1e99"),
        ("company.revenue_amount", "-1"), ("company.revenue_currency", "EURO"),
        ("company.technologies", {"a": 1}), ("company.technologies", [["x"]]),
        ("company.technologies", ["x"] * 101),
        ("company.website", "javascript:alert(1)"), ("company.website", "data:text/html,x"),
        ("lead.linkedin_url", "javascript:alert(1)//.com"), ("lead.phone", "1" * 61),
    ],
)  # fmt: skip
def test_unusable_values_are_named_and_not_written(target: str, value: Any) -> None:
    lead = person()
    filled, refused = enrichment.apply(lead, None, {target: value}, NOW)
    assert refused == [target] and filled == []
    company = Company.objects.filter(domain="halvorsen-logistics.com").first()
    assert company is None or company.field_times == {}


@pytest.mark.django_db
def test_hostile_text_is_one_line_without_control_characters() -> None:
    lead = person()
    enrichment.apply(lead, None, {"company.name": "A\x00B\nC\u2028D <script>"}, NOW)
    assert Company.objects.get().name == "A B C D <script>"


@pytest.mark.django_db
def test_free_mail_leads_get_no_company() -> None:
    lead = person("dana@gmail.com")
    filled, _ = enrichment.apply(lead, None, {"company.name": "X", "lead.job_title": "COO"}, NOW)
    assert filled == ["lead.job_title"] and not Company.objects.exists()


# The directory


@pytest.mark.django_db
def test_the_directory_links_leads_set_wise_and_logs_each_attempt(django_assert_num_queries: Any) -> None:
    known = factories.make_company(domain="halvorsen-logistics.com", employee_count=420, size_band="")
    leads = [person(f"p{n}@halvorsen-logistics.com") for n in range(3)]
    leads += [person("x@unknown-co.com"), person("y@gmail.com"), factories.make_lead()]
    with django_assert_num_queries(4):
        changed = consult_directory(leads, NOW)
    assert changed == leads[:3]
    assert Lead.objects.filter(company=known).count() == 3
    known.refresh_from_db()
    assert known.size_band == "201-500"
    rows = EnrichmentAttempt.objects.order_by("lead_id").values_list("lead_id", "provider", "result")
    assert list(rows) == [
        *((lead.pk, "directory", "filled") for lead in leads[:3]),
        *((lead.pk, "directory", "nothing") for lead in leads[3:5]),
    ]
    with django_assert_num_queries(0):
        assert consult_directory([], NOW) == []


@pytest.mark.django_db
def test_the_directory_is_a_provider() -> None:
    factories.make_company(domain="halvorsen-logistics.com", name="Halvorsen")
    found = CompanyDirectory().look_up(person(), None)
    assert found["company.name"] == "Halvorsen" and "company.website" not in found
    assert CompanyDirectory().look_up(person("x@unknown-co.com"), None) == {}


# What waits is asked about and checked again


@pytest.fixture
def waiting(cast: Cast) -> Handoff:
    """Held for company name and size; ready to go to Femke once they are there."""
    factories.route_to(cast.femke)
    handoff = factories.make_handoff("incomplete", lead=person())
    assert handoff.missing == ["company_name", "company_size_band"]
    return handoff


def attempts() -> list[tuple[str, str]]:
    return list(EnrichmentAttempt.objects.order_by("pk").values_list("provider", "result"))


def test_what_waits_is_enriched_and_goes_to_sales(waiting: Handoff, switched_on: Double, cast: Cast) -> None:
    later = NOW + timedelta(minutes=1)
    assert completion.enrich_waiting(later) == 1
    waiting.refresh_from_db()
    assert (waiting.state, waiting.assignee, waiting.missing) == (State.ASSIGNED, cast.femke, [])
    assert waiting.ready_at == later and waiting.lead.company.name == "Halvorsen Logistics"
    row = EnrichmentAttempt.objects.get()
    assert (row.provider, row.result, row.at, row.detail) == ("http", "filled", later, "")
    assert {"company", "company.name", "company.employee_count", "lead.job_title"} <= set(row.fields)
    assert completion.enrich_waiting(later) == 0 and len(switched_on.asked) == 1
    assert list(invariants.violations()) == []


def test_an_attempt_without_result_is_logged_and_clears_the_size_check(
    waiting: Handoff, switched_on: Double
) -> None:
    switched_on.respond = lambda handler: Double.json(handler, {})
    assert completion.enrich_waiting(NOW) == 1
    waiting.refresh_from_db()
    assert waiting.missing == ["company_name"] and attempts() == [("http", "nothing")]
    assert completion.enrich_waiting(NOW + timedelta(hours=23)) == 0
    assert completion.enrich_waiting(NOW + timedelta(hours=24)) == 1


def test_a_failure_is_logged_and_tried_again_after_an_hour(waiting: Handoff, switched_on: Double) -> None:
    switched_on.respond = lambda handler: Double.raw(handler, 503, b"")
    assert completion.enrich_waiting(NOW) == 1
    row = EnrichmentAttempt.objects.get()
    assert (row.result, row.detail) == ("failed", "answered 503")
    assert completion.enrich_waiting(NOW + timedelta(minutes=59)) == 0
    switched_on.respond = lambda handler: Double.json(handler, ANSWER)
    assert completion.enrich_waiting(NOW + timedelta(hours=1)) == 1
    assert Handoff.objects.get(pk=waiting.pk).state == State.ASSIGNED


def test_a_provider_that_is_down_is_not_asked_for_ever(cast: Cast, switched_on: Double) -> None:
    for number in range(6):
        factories.make_handoff("incomplete", lead=person(f"p@co-{number}.com"))
    switched_on.respond = lambda handler: Double.raw(handler, 503, b"")
    assert completion.enrich_waiting(NOW) == 3 and len(switched_on.asked) == 3
    assert completion.enrich_waiting(NOW, limit=2) == 2


def test_a_crash_counts_as_a_failed_attempt(
    waiting: Handoff, switched_on: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(self: HttpProvider, lead: Lead, company: Company | None) -> dict[str, Any]:
        raise KeyboardInterrupt

    monkeypatch.setattr(HttpProvider, "look_up", crash)
    with pytest.raises(KeyboardInterrupt):
        completion.enrich_waiting(NOW)
    row = EnrichmentAttempt.objects.get()
    assert (row.result, row.detail) == ("failed", "did not finish")


@pytest.mark.django_db(transaction=True)
def test_the_provider_is_asked_outside_of_a_transaction(
    waiting: Handoff, switched_on: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import connection

    real, seen = HttpProvider.look_up, []

    def look_up(self: HttpProvider, lead: Lead, company: Company | None) -> dict[str, Any]:
        seen.append(connection.in_atomic_block)
        return real(self, lead, company)

    monkeypatch.setattr(HttpProvider, "look_up", look_up)
    completion.enrich_waiting(NOW)
    assert seen == [False]


def test_colleagues_who_wait_are_checked_again_too(waiting: Handoff, switched_on: Double, cast: Cast) -> None:
    lead = person("kim@halvorsen-logistics.com")
    colleague = factories.make_handoff("incomplete", lead=lead)
    company = Company.objects.create(domain="halvorsen-logistics.com", created_at=NOW, updated_at=NOW)
    Lead.objects.filter(email__endswith="@halvorsen-logistics.com").update(company=company)
    assert completion.enrich(waiting.pk, enrichment.http_provider(), NOW) is not None
    assert {Handoff.objects.get(pk=h.pk).state for h in (waiting, colleague)} == {State.ASSIGNED}


def test_what_enrichment_links_can_turn_out_a_duplicate(waiting: Handoff, switched_on: Double) -> None:
    company = factories.make_company(domain="halvorsen-logistics.com", name="", size_band="")
    lead = waiting.lead
    twin = person(
        "d.other@halvorsen.de", company=company, first_name=lead.first_name, last_name=lead.last_name
    )
    completion.enrich_waiting(NOW)
    pair = DuplicatePair.objects.get()
    assert {pair.first_id, pair.second_id} == {lead.pk, twin.pk}
    waiting.refresh_from_db()
    assert waiting.state == State.INCOMPLETE and waiting.missing == ["deduplication"]


def test_by_hand_it_can_be_asked_again(waiting: Handoff, switched_on: Double) -> None:
    switched_on.respond = lambda handler: Double.json(handler, {})
    asking = enrichment.http_provider()
    assert asking is not None
    assert completion.enrich(waiting.pk, asking, NOW) is not None
    assert completion.enrich(waiting.pk, asking, NOW) is None
    assert completion.enrich(waiting.pk, asking, NOW, again=True) is not None
    assert attempts() == [("http", "nothing"), ("http", "nothing")]


# The file of companies


def write(path: Path, rows: list[dict[str, str]], columns: tuple[str, ...] = company_files.COLUMNS) -> Path:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


ROW = {
    "domain": "https://www.Halvorsen-Logistics.com/about", "name": "Halvorsen Logistics",
    "industry": "Logistics",
    "employee_count": "4,200", "annual_revenue": "52000000", "currency": "eur", "country_code": "de",
    "technologies": "SAP; Kafka;SAP",
}  # fmt: skip


def run(path: Path, *flags: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("import_companies", str(path), *flags, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_companies_are_upserted_by_domain_and_waiting_leads_move_on(
    waiting: Handoff, cast: Cast, tmp_path: Path
) -> None:
    printed, _ = run(write(tmp_path / "c.csv", [ROW]), "--json")
    assert json.loads(printed) == {"made": 1, "changed": 0, "same": 0, "failed": 0, "checked": 1}
    company = Company.objects.get(domain="halvorsen-logistics.com")
    assert (company.name, company.name_key, company.employee_count, company.size_band) == (
        "Halvorsen Logistics", "halvorsen logistics", 4200, "1001-5000",
    )  # fmt: skip
    assert (company.revenue_amount, company.revenue_currency) == (Decimal(52_000_000), "EUR")
    assert company.technologies == ["SAP", "Kafka"]
    waiting.refresh_from_db()
    assert (waiting.state, waiting.assignee) == (State.ASSIGNED, cast.femke)
    assert attempts() == [("directory", "filled")]
    assert list(invariants.violations()) == []

    printed, _ = run(write(tmp_path / "c.csv", [ROW]), "--json")
    assert json.loads(printed) == {"made": 0, "changed": 0, "same": 1, "failed": 0, "checked": 0}
    changed = {"domain": "halvorsen-logistics.com", "employee_count": "12000", "industry": ""}
    printed, _ = run(write(tmp_path / "c.csv", [changed]))
    assert printed == "0 made, 1 changed, 0 same, 0 failed, 0 checked\n"
    company.refresh_from_db()
    assert (company.industry, company.size_band) == ("Logistics", "10001+")


@pytest.mark.django_db
def test_bad_rows_fail_alone_and_are_numbered_as_in_the_file(tmp_path: Path) -> None:
    rows = [
        ROW,
        {"domain": "gmail.com", "name": "Google"},
        {"domain": "not a domain", "name": "X"},
        {"domain": "b-co.com", "employee_count": "many"},
        {"domain": "c-co.com", "country_code": "Deutschland"},
        {"domain": "d-co.com", "size_band": "201 \u2013 500"},
        {"domain": ""},
        {"domain": "", "name": "Nameless"},
    ]
    path = write(tmp_path / "c.csv", rows)
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(CommandError, match="5 rows failed"):
        call_command("import_companies", str(path), stdout=out, stderr=err)
    told = err.getvalue().splitlines()
    assert [line.split(":")[0] for line in told] == ["row 3", "row 4", "row 5", "row 6", "row 9"]
    assert "free-mail" in told[0] and "employee_count 'many' is not a number" in told[2]
    assert sorted(Company.objects.values_list("domain", "size_band")) == [
        ("d-co.com", "201-500"),
        ("halvorsen-logistics.com", "1001-5000"),
    ]


@pytest.mark.django_db
def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    printed, _ = run(write(tmp_path / "c.csv", [ROW]), "--dry-run")
    assert printed.startswith("1 made") and not Company.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "column named domain"),
        ("name,industry\nx,y\n", "column named domain"),
        ("domain,colour\nx.com,red\n", "Unknown column colour"),
        ("domain,name,name\nx.com,a,b\n", "appears twice"),
    ],
)
def test_files_without_a_usable_header_are_refused(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "c.csv"
    path.write_text(content)
    with pytest.raises(CommandError, match=said):
        run(path)


@pytest.mark.django_db
def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        run(tmp_path / "none.csv")
    (tmp_path / "c.csv").write_bytes(b"domain\n\xff\xfe\n")
    with pytest.raises(CommandError):
        run(tmp_path / "c.csv")


@pytest.mark.django_db
def test_the_same_domain_twice_in_a_file_is_one_company(tmp_path: Path) -> None:
    rows = [ROW, {"domain": "mail.halvorsen-logistics.com", "industry": "Freight"}]
    printed, _ = run(write(tmp_path / "c.csv", rows))
    assert printed.startswith("1 made") and Company.objects.get().industry == "Freight"


@pytest.mark.django_db
def test_a_file_never_overwrites_a_newer_fact() -> None:
    company = factories.make_company(
        name="Newer", domain="x-co.com", field_times={"name": "2999-01-01T00:00:00+00:00"}
    )
    result = company_files.import_companies(
        io.StringIO("domain,name,industry\nx-co.com,Older,Freight\n"), NOW
    )
    company.refresh_from_db()
    assert (company.name, company.industry, result.changed) == ("Newer", "Freight", 1)


@pytest.mark.django_db
def test_queries_grow_with_chunks_not_rows(tmp_path: Path, django_assert_max_num_queries: Any) -> None:
    lines = "\n".join(f"co-{n}.com,Company {n}" for n in range(400))
    # SQLite takes a few hundred rows an insert; the words of search are some 1,600.
    with django_assert_max_num_queries(20):
        result = company_files.import_companies(io.StringIO(f"domain,name\n{lines}\n"), NOW)
    assert result.made == 400
