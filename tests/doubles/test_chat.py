"""Slack, Teams and the receiver of Standard Webhooks: what they take, and in which words they refuse."""

from typing import Any

import httpx
import pytest

from tests.doubles import Doubles, signing

CARD = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None,
        "content": {"type": "AdaptiveCard", "version": "1.4", "body": []}}  # fmt: skip
HEADER = {"type": "header", "text": {"type": "plain_text", "text": "SLA breach"}}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def section(text: str = "", fields: list[str] | None = None) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "section"}
    if text:
        block["text"] = {"type": "mrkdwn", "text": text}
    if fields is not None:
        block["fields"] = [{"type": "mrkdwn", "text": each} for each in fields]
    return block


def test_slack_takes_a_message(outer: Doubles, control: httpx.Client) -> None:
    value = {"text": "SLA breach", "blocks": [HEADER, section("x" * 3000), section(fields=["y"] * 10)]}
    answer = control.post("/slack/hook/T/B/X", json=value)
    assert (answer.status_code, answer.text) == (200, "ok")
    assert [message.value for message in outer.slack.messages] == [value]
    assert control.post("/slack/hook", data={"payload": '{"text": "as a form"}'}).text == "ok"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "invalid_payload"),
        (b"[]", "invalid_payload"),
        (b"", "invalid_payload"),
        (b"{}", "no_text"),
        (b'{"text": ""}', "no_text"),
    ],
)
def test_slack_refuses_in_plain_text(
    outer: Doubles, control: httpx.Client, content: bytes, says: str
) -> None:
    answer = control.post("/slack/hook", content=content)
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (
        400, says, "text/plain; charset=utf-8"
    )  # fmt: skip
    assert outer.slack.messages == []


@pytest.mark.parametrize(
    "blocks",
    [
        [section("x")] * 51,
        [{**HEADER, "text": {"type": "plain_text", "text": "x" * 151}}],
        [{**HEADER, "text": {"type": "mrkdwn", "text": "x"}}],
        [section("x" * 3001)],
        [section(fields=["x"] * 11)],
        [section(fields=["x" * 2001])],
        [section()],
        ["text"],
        "text",
    ],
)
def test_slack_refuses_blocks_past_their_limits(control: httpx.Client, blocks: Any) -> None:
    answer = control.post("/slack/hook", json={"text": "x", "blocks": blocks})
    assert (answer.status_code, answer.text) == (400, "invalid_blocks")


@pytest.mark.parametrize(
    ("state", "status", "says"),
    [
        ("prohibited", 403, "action_prohibited"),
        ("revoked", 404, "no_service"),
        ("archived", 410, "channel_is_archived"),
    ],
)
def test_slack_s_hook_can_be_gone(
    outer: Doubles, control: httpx.Client, state: str, status: int, says: str
) -> None:
    outer.slack.configure(state=state)
    answer = control.post("/slack/hook", json={"text": "x"})
    assert (answer.status_code, answer.text) == (status, says)


def test_slack_takes_one_a_second(outer: Doubles, control: httpx.Client) -> None:
    outer.slack.configure(enforce_limits=True)
    answers = [control.post("/slack/hook", json={"text": "x"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].headers["retry-after"] == "1"
    outer.clock.advance(1)
    assert control.post("/slack/hook", json={"text": "x"}).status_code == 200


def test_teams_says_202_whatever_comes(outer: Doubles, control: httpx.Client) -> None:
    good = {"type": "message", "attachments": [CARD]}
    bodies = [good, {"text": "plain"}, {**good, "type": "note"}, {**good, "attachments": []}, []]
    answers = [control.post("/teams/hook", json=body) for body in bodies]
    assert [(answer.status_code, answer.content) for answer in answers] == [(202, b"")] * 5
    assert [message.shown for message in outer.teams.messages] == [True, False, False, False, False]


def test_teams_wants_its_secret_and_a_small_card(outer: Doubles, control: httpx.Client) -> None:
    outer.teams.configure(sig="s3cret")
    good = {"type": "message", "attachments": [CARD], "more": "x" * 28_000}
    assert control.post("/teams/hook", json={}).status_code == 401
    assert control.post("/teams/hook?sig=s3cret", json={**good, "more": ""}).status_code == 202
    assert control.post("/teams/hook?sig=s3cret", json={**good, "more": "x" * 29_000}).status_code == 413


@pytest.mark.parametrize("path", ["/slack/hook", "/teams/hook", "/hooks/x"])
def test_only_posts(control: httpx.Client, path: str) -> None:
    assert control.get(path).status_code == 405


def send(client: httpx.Client, outer: Doubles, key: str, secret: str = SECRET) -> httpx.Response:
    body, now = b'{"type":"handoff.accepted"}', int(outer.clock.now())
    headers = {
        "webhook-id": key,
        "webhook-timestamp": str(now),
        "webhook-signature": signing.standard(secret, key, now, body),
    }
    return client.post("/hooks/ours", content=body, headers=headers)


def test_the_receiver_keeps_and_judges(outer: Doubles, control: httpx.Client) -> None:
    assert send(control, outer, "msg_0").status_code == 200
    outer.hooks.configure(secrets={"ours": SECRET})
    for key, secret in (("msg_1", SECRET), ("msg_1", SECRET), ("msg_2", "whsec_b3RoZXI=")):
        assert send(control, outer, key, secret).status_code == 200
    outer.clock.advance(1)
    assert [(message.id, message.problem) for message in outer.hooks.of("ours")] == [
        ("msg_0", None), ("msg_1", ""), ("msg_1", ""), ("msg_2", "no signature matches")
    ]  # fmt: skip
    assert outer.hooks.received[0].json() == {"type": "handoff.accepted"}
    assert outer.hooks.repeats() == {"msg_1": 2}
    outer.hooks.configure(refuse_unsigned=True)
    assert send(control, outer, "msg_3", "whsec_b3RoZXI=").status_code == 401
