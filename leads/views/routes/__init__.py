"""The routing pages: what is in force, the draft beside it, and everything that rules point at.

One module for each thing that is edited; `frame` holds what they share. Seen by managers, marketing ops and
admins; edited by marketing ops.
"""
