"""The table of who may what, held to what the domain says of each role."""

from leads.roles import ALL_VERBS, ALLOWED, EDITS, MAY, Can
from routing.people import ADMIN, MANAGER, MARKETING, REP, ROLES, VIEWER

BY_ROLE = {
    REP: {Can.ACT, Can.SEE_PERSONAL_DATA, Can.READ_AGREEMENT},
    MANAGER: {
        Can.ACT, Can.SEE_TEAMS, Can.SEE_PERSONAL_DATA, Can.WATCH_TEAMS, Can.SHARE_VIEWS, Can.READ_ROUTING,
        Can.READ_SYNC_AUDIT, Can.READ_FIGURES, Can.WRITE_REPORTS, Can.ASK_WHAT_IF, Can.READ_AGREEMENT,
        Can.SIGN_FOR_SALES,
    },
    MARKETING: set(Can) - {
        Can.SEE_TEAMS, Can.KEEP_KEYS, Can.KEEP_SITE, Can.READ_ACCESS, Can.KEEP_PEOPLE, Can.SIGN_FOR_SALES
    },
    VIEWER: {Can.SEE_ALL, Can.READ_FIGURES, Can.READ_AGREEMENT},
    # Admins complete nothing, import nothing, edit no routing and sign nothing.
    ADMIN: set(Can) - {
        Can.SEE_TEAMS, Can.COMPLETE, Can.IMPORT, Can.EDIT_ROUTING, Can.SIGN_FOR_MARKETING, Can.SIGN_FOR_SALES
    },
}  # fmt: skip


def test_each_role_may_what_the_domain_says() -> None:
    assert {role: {what for what in MAY if role in MAY[what]} for role in ROLES} == BY_ROLE


def test_the_table_leaves_nothing_out() -> None:
    assert set(MAY) == set(Can)
    assert set().union(*ALLOWED.values()) == set(ALL_VERBS)
    assert set().union(*MAY.values()) == set(ROLES)
    assert set(EDITS) <= set(ROLES)
