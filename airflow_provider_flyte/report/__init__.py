"""What is reported to Airflow about a run: XCom, metrics, OpenLineage; and what must not be shown."""
