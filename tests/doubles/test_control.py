"""The control paths do over HTTP what the objects do in Python; the doubles run in a process of their own."""

import re
import signal
import subprocess
import sys

import httpx
import pytest

from tests.doubles import Doubles
from tests.processes import ROOT, alive, descendants, kill, wait_for

CONTACTS = "/hubspot/crm/objects/2026-09/contacts"
KEY = {"Authorization": "Bearer pat-eu1-double"}


def seeded(control: httpx.Client) -> str:
    body = {"system": "hubspot", "contacts": [{"email": "jane@acme.example"}], "settings": {"search_lag": 3}}
    key: str = control.post("/__seed", json=body).json()["contacts"][0]
    return key


def test_seed_write_look(outer: Doubles, control: httpx.Client) -> None:
    key = seeded(control)
    assert outer.hubspot.search_lag == 3
    body = {"properties": {"hs_lead_status": "OPEN"}}
    assert control.patch(f"{CONTACTS}/{key}", json=body, headers=KEY).status_code == 200
    record = control.get(f"/__state/hubspot/contacts/{key}").json()
    assert record["values"] == {"email": "jane@acme.example", "hs_lead_status": "OPEN"}
    assert [(write["by"], write["values"]) for write in record["history"]] == [
        ("user", {"email": "jane@acme.example"}), ("api", {"hs_lead_status": "OPEN"})
    ]  # fmt: skip


def test_a_user_s_edit_and_its_webhook(outer: Doubles, control: httpx.Client) -> None:
    key = seeded(control)
    control.post("/__seed", json={"system": "hubspot", "webhooks": outer.url + "/hooks/in"})
    edited = control.post("/__record", json={"system": "hubspot", "id": key, "values": {"phone": "1"}}).json()
    assert edited["values"]["phone"] == "1"
    assert control.post("/__emit", json={"wait": 5}).json() == {"settled": True}
    sent = control.get("/__sent?system=hubspot").json()
    assert (sent["matching"], sent["sent"][0]["status"]) == (1, 200)
    assert len(outer.hooks.of("in")) == 1
    emitted = control.post(
        "/__emit", json={"system": "hubspot", "events": [{"objectId": 1}], "wait": 5}
    ).json()
    assert emitted == {"sent": 0, "settled": True}
    assert len(outer.hooks.of("in")) == 2


def test_salesforce_converts(outer: Doubles, control: httpx.Client) -> None:
    [key] = control.post(
        "/__seed", json={"system": "salesforce", "leads": [{"LastName": "Doe", "Company": "Acme"}]}
    ).json()["leads"]
    body = {"system": "salesforce", "do": "convert", "id": key, "opportunity": {"Amount": 5}}
    values = control.post("/__record", json=body).json()["values"]
    assert values["IsConverted"] is True
    opportunities = control.get("/__state/salesforce/opportunities").json()
    assert opportunities[values["ConvertedOpportunityId"]]["values"]["Amount"] == 5


def test_faults_are_set_seen_and_lifted(outer: Doubles, control: httpx.Client) -> None:
    key = seeded(control)
    made = control.post(
        "/__fault", json={"system": "hubspot", "kind": "locked", "times": 2, "seed": 3}
    ).json()
    assert (made["id"], made["times"]) == (1, 2)
    assert control.get(f"{CONTACTS}/{key}", headers=KEY).status_code == 423
    assert [fault["struck"] for fault in control.get("/__fault").json()["faults"]] == [1]
    control.delete("/__fault")
    assert control.get(f"{CONTACTS}/{key}", headers=KEY).status_code == 200


def test_the_log_is_bounded_and_filtered(outer: Doubles, control: httpx.Client) -> None:
    key = seeded(control)
    control.get(f"{CONTACTS}/{key}?properties=email", headers=KEY)
    control.post("/slack/hook", json={"text": "x" * 10_000})
    log = control.get("/__log?system=slack").json()
    assert (log["matching"], len(log["entries"][0]["request"])) == (1, 4000)
    assert log["counts"] == {"hubspot": {"200": 1}, "slack": {"200": 1}}
    entry = control.get("/__log?path=properties&method=GET&last=1").json()["entries"][0]
    assert (entry["path"], entry["status"]) == (f"{CONTACTS}/{key}?properties=email", 200)
    assert control.get("/__log?last=0").json()["entries"] == []


def test_the_clock_moves(outer: Doubles, control: httpx.Client) -> None:
    control.post("/__clock", json={"offset": 3600})
    assert control.post("/__clock", json={"advance": 60}).json()["offset"] == 3660
    assert control.get("/__clock").json()["offset"] == 3660


def test_reset_puts_everything_back(outer: Doubles, control: httpx.Client) -> None:
    seeded(control)
    control.post("/__fault", json={"system": "hubspot", "kind": "locked"})
    control.post("/__clock", json={"offset": 3600})
    control.post("/slack/hook", json={"text": "x"})
    assert control.post("/__reset").status_code == 200
    assert (len(outer.hubspot.contacts), outer.hubspot.search_lag, outer.clock.offset) == (0, 0.0, 0.0)
    assert (outer.slack.messages, outer.faults.as_json(), list(outer.log.entries)) == ([], [], [])
    assert seeded(control) == "101"


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/__seed", {"system": "oracle"}, "system"),
        ("/__seed", {"system": "hubspot", "settings": {"colour": 1}}, "colour"),
        ("/__record", {"system": "hubspot", "id": "999", "values": {}}, "id"),
        ("/__record", {"system": "mautic", "id": "999", "values": {}}, "id"),
        ("/__record", {"system": "slack"}, "records"),
        ("/__emit", {"system": "salesforce"}, "webhooks"),
        ("/__clock", {"offset": "soon"}, "soon"),
    ],
)
def test_senseless_control_is_refused(
    control: httpx.Client, path: str, body: dict[str, object], says: str
) -> None:
    answer = control.post(path, json=body)
    assert answer.status_code == 400
    assert says in answer.json()["error"]


def test_unknown_control(control: httpx.Client) -> None:
    assert [control.get("/__nothing").status_code, control.get("/__seed").status_code] == [404, 404]
    assert control.post("/__seed", content=b"[]").status_code == 400
    assert control.get("/__state/hubspot/contacts/999").status_code == 400


def test_a_process_of_its_own() -> None:
    command = [
        sys.executable,
        "-m",
        "tests.doubles",
        "--port",
        "0",
        "--webhooks-to",
        "mautic=http://127.0.0.1:9/in",
    ]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert said is not None
        assert httpx.post(said.group() + "/slack/hook", json={"text": "x"}).text == "ok"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()


def test_a_wrong_target_stops_the_start() -> None:
    command = [
        sys.executable,
        "-m",
        "tests.doubles",
        "--port",
        "0",
        "--webhooks-to",
        "oracle=http://127.0.0.1:9/",
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "--webhooks-to" in done.stderr


def test_a_port_that_is_taken_is_said(outer: Doubles) -> None:
    command = [sys.executable, "-m", "tests.doubles", "--port", str(outer.port)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "Address already in use" in done.stderr and "Traceback" not in done.stderr


def test_with_its_parent_it_ends_however_that_ends() -> None:
    command = f"{sys.executable} -m tests.doubles --port 0 --with-parent & read _"
    shell = subprocess.Popen(
        ["sh", "-c", command], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert shell.stdout is not None and "answer on" in shell.stdout.readline()
    [child] = descendants(shell.pid)
    kill(shell.pid)
    shell.wait(timeout=10)
    wait_for(lambda: not alive(child), 10, "it stayed behind")
