"""Search: people and companies by a word of theirs, the same on every database.

`folding` makes words of a text, free of case, accents and scripts; `indexing` keeps them beside the leads and
companies that have them; `finding` answers what somebody types with what that person may see.
"""
