"""How every shipped weight was made."""
