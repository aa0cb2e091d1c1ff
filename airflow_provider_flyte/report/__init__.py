"""What Airflow is told of a run: XCom, metrics, OpenLineage; and what must not be shown."""
