"""What Airflow gets to know of a run: XCom, metrics, OpenLineage; and what must not be shown."""
