"""How the site itself is doing: figures for a monitor (`/metrics`) and in words for admins (`/status/`).

Owns no figure that the database does not hold: several web processes and workers answer for one site, so
nothing is counted in a process. Beside the rooms lie example alert rules and a dashboard, held to the names
that are really given. Never acts: what is wrong is mended by the sweep, the supervisor and people.
"""
