"""No page is an error of the site by what it is asked with, and a hole that is found. `make storm` asks each
name by itself, and sends the forms."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from django.test import override_settings

from tests.conftest import NOW, Cast
from tests.site import world
from tests.site.sweeping import Sweep

LATER = NOW + timedelta(minutes=10)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    with time_machine.travel(LATER, tick=False):
        yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def sweep(cast: Cast) -> Sweep:
    return Sweep(world.build(cast))


def test_no_page_breaks_by_what_it_is_asked_for(sweep: Sweep) -> None:
    sweep.pages()
    assert not sweep.broke, "\n".join(sweep.broke)


def test_the_theme_and_a_file_break_by_nothing_that_is_sent(sweep: Sweep) -> None:
    sweep.is_thorough = True
    sweep.forms({"theme/", "imports/"})
    assert not sweep.broke, "\n".join(sweep.broke)


@override_settings(ROOT_URLCONF="tests.site.planted")
def test_holes_are_found(sweep: Sweep) -> None:
    sweep.pages({"status/"})
    sweep.forms({"team/<int:pk>/absences/"})
    assert {line.partition(" by ")[0] for line in sweep.broke} == {
        "GET status/",
        "POST team/<int:pk>/absences/",
    }
