"""The pages of integrations: connections, what goes out and comes in, events, mapping, keys.

Owns no page itself; `frame` has what they share. Every edit is `leads.connecting`.
"""
