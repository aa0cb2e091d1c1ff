"""Apache Airflow provider for Flyte 2. Importing this package imports nothing else."""

__version__ = "0.1.0"
