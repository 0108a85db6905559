"""A bare Django app: what a request costs before anything of ours is done."""
