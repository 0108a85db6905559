"""The HTTP API: events in, handoffs out, verbs on behalf of people.

Owns the routers, the schemas that OpenAPI shows, keys with scopes, the rate limit and the problem answers.
`handoff_site.urls` assembles them. Decides nothing: intake is `leads.intake`, moves are `leads.lifecycle`.
"""
