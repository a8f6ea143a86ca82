"""Exercise: what, how many, how well."""
