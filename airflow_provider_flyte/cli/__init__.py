"""The commands ``airflow flyte ...``, also as ``python -m airflow_provider_flyte ...``."""
