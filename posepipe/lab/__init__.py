"""The laboratory: how data are made, networks trained, and every figure measured."""
