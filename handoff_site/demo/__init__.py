"""The demo organisation: people, rules, past and a living inbox, for whoever looks at Handoff first.

Everything is made through the doors that real data takes (intake, lifecycle, the import of history, the
sweep), so what is shown is what users get. The same arguments make the same rows: the only clock is the
`now` that is handed in. Never touches a database that holds anybody else's leads.
"""
