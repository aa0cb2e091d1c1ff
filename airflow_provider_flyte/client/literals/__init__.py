"""Python values to Flyte literals and back."""
