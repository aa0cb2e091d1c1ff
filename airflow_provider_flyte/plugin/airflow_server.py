"""Names of Airflow's API server. They are there from 3.1 on, at the same paths, and only where FastAPI is."""

from __future__ import annotations

from airflow._shared.secrets_masker.secrets_masker import redact as redact
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity as DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep as GetUserDep
from airflow.api_fastapi.core_api.security import requires_access_dag as requires_access_dag
from airflow.models.dagrun import DagRun as DagRun
from airflow.models.serialized_dag import SerializedDagModel as SerializedDagModel
from airflow.models.taskinstance import TaskInstance as TaskInstance
from airflow.models.taskinstancehistory import TaskInstanceHistory as TaskInstanceHistory
from airflow.models.xcom import XComModel as XComModel
from airflow.utils.session import create_session as create_session
