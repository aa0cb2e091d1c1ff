"""The example DAGs: read without a warning or a heavy import, and run by ``dag.test()`` on either Airflow."""
