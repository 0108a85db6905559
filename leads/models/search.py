"""The words by which search finds leads and companies, one row a word, and the look-up by their beginning."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.lookups import StartsWith

from leads.models.company import Company
from leads.models.lead import Lead
from leads.search.folding import LONGEST_WORD
from routing.lean import Lean

# Behind every letter: no word holds it, so it ends the range of words that begin alike.
_LAST = "\U0010ffff"


class SearchWord(Lean):
    """A folded word of a lead or of a company; which words those are is `leads.search.folding`.

    Kept by `leads.search.indexing` alone, in the transaction that changes a name, an address or a domain.
    """

    word = models.CharField(max_length=LONGEST_WORD)
    lead = models.ForeignKey(Lead, null=True, on_delete=models.CASCADE, related_name="+", db_index=False)
    company = models.ForeignKey(
        Company, null=True, on_delete=models.CASCADE, related_name="+", db_index=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["lead", "word"], condition=Q(lead__isnull=False), name="search_word_of_lead"
            ),
            models.UniqueConstraint(
                fields=["company", "word"], condition=Q(company__isnull=False), name="search_word_of_company"
            ),
        ]
        indexes = [
            # searching: all that has a word with this beginning; PostgreSQL needs the operators named
            # where the collation is not C
            models.Index(
                fields=["word", "lead", "company"],
                opclasses=["varchar_pattern_ops", "int8_ops", "int8_ops"],
                name="search_by_word",
            ),
            # searching: the companies among them, of which there are few for a word that many people have
            models.Index(
                fields=["word", "company"],
                opclasses=["varchar_pattern_ops", "int8_ops"],
                condition=Q(company__isnull=False),
                name="search_company_by_word",
            ),
        ]

    def __str__(self) -> str:
        return self.word


@models.CharField.register_lookup
class Begins(StartsWith):
    """`word__begins`: as `startswith`, and by the index on both databases.

    SQLite's LIKE minds no case and so looks into no index; a range does.
    """

    lookup_name = "begins"

    def get_rhs_op(self, connection: Any, rhs: str) -> str:
        return str(connection.operators["startswith"] % rhs)

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        left, params = self.process_lhs(compiler, connection)
        return f"({left} >= %s AND {left} < %s)", [*params, self.rhs, *params, f"{self.rhs}{_LAST}"]
