"""The weekly report: frozen when made, shown, mailed, compared, and what its call decides.

Owns the content of a report and its ways out. Never changes one that was made, and what counts is
`metrics.measures` as everywhere.
"""
