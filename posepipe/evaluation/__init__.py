"""How every published number was measured."""
