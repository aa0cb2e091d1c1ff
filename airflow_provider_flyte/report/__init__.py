"""What is reported to Airflow about a run: XCom, metrics, OpenLineage, OpenTelemetry; and what must not be shown."""
