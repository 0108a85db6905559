"""Values for templates: words, percentages and lists made from loaded rows.

Each room here is pure: rows and the viewer's `now` in, plain values out. Never queries, never writes,
never decides what somebody may see or do.
"""
