"""Tokens for calls."""
