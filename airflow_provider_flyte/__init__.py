"""Apache Airflow provider for Flyte 2. Importing this package imports nothing else."""

__version__ = "0.1.0"

DISTRIBUTION = "airflow-provider-flyte2"
"""What is installed. Without the 2 it is another package, for Flyte 1."""

USER_AGENT = f"{DISTRIBUTION}/{__version__}"
"""How Flyte, its token servers and proxies see who calls."""
