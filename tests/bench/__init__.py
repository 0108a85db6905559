"""The benchmark: what the site costs beside bare Django views on the same server and database.

`python -m tests.bench` loads handoffs in bulk, serves the site under gunicorn, and prints ratios. Figures are
printed and written, never asserted.
"""
