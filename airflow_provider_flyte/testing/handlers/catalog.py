"""TaskService, ProjectService and AuthMetadataService: what there is to run, where, and with which credentials."""

from __future__ import annotations

from collections.abc import Callable

from airflow_provider_flyte.client import rpc
from airflow_provider_flyte.client.idl.auth import auth_service_pb2
from airflow_provider_flyte.client.idl.project import project_service_pb2
from airflow_provider_flyte.client.idl.task import task_definition_pb2, task_service_pb2
from airflow_provider_flyte.testing import answers, listing
from airflow_provider_flyte.testing.calls import Call, Refusal
from airflow_provider_flyte.testing.dispatch import Handlers
from airflow_provider_flyte.testing.store import Store, TaskVersion, require_project, task_not_found

DOMAINS = {"development": "Development", "production": "Production", "staging": "Staging"}


class TaskHandlers:
    """Deployed tasks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def table(self) -> Handlers:
        """The function that answers each method."""
        service = rpc.TaskService
        return {
            service.DeployTask: self.deploy_task,
            service.GetTaskDetails: self.get_task_details,
            service.ListTasks: self.list_tasks,
            service.ListVersions: self.list_versions,
        }

    def deploy_task(
        self, request: task_service_pb2.DeployTaskRequest, call: Call
    ) -> task_service_pb2.DeployTaskResponse:
        """Store a version; the same one again is OK (executor.json, call 1)."""
        given = request.task_id
        with self._store.lock:
            require_project(self._store, given.project)
            versions = self._store.tasks.setdefault((given.project, given.domain, given.name), {})
            spec = task_definition_pb2.TaskSpec()
            spec.CopyFrom(request.spec)
            versions[given.version] = TaskVersion(
                # The org is not kept: the answers of GetTaskDetails and ListTasks have none.
                id=task_definition_pb2.TaskIdentifier(
                    project=given.project, domain=given.domain, name=given.name, version=given.version
                ),
                spec=spec,
                deployed_ns=self._store.now_ns(),
                number=self._store.next_number(),
            )
        return task_service_pb2.DeployTaskResponse()

    def get_task_details(
        self, request: task_service_pb2.GetTaskDetailsRequest, call: Call
    ) -> task_service_pb2.GetTaskDetailsResponse:
        """A version's interface and defaults. Missing is NOT_FOUND here, UNKNOWN in CreateRun."""
        with self._store.lock:
            task = self._store.task(request.task_id)
            if task is None:
                raise Refusal("NOT_FOUND", task_not_found(request.task_id))
            return task_service_pb2.GetTaskDetailsResponse(
                details=task_definition_pb2.TaskDetails(task_id=task.id, metadata=_metadata(task), spec=task.spec)
            )

    def list_tasks(self, request: task_service_pb2.ListTasksRequest, call: Call) -> task_service_pb2.ListTasksResponse:
        """One row a task name, its latest version; in the order of deployment, which was not measured."""
        offset, limit = listing.page_of(request.request)
        listing.check(request.request.filters, listing.TASK_COLUMNS)
        with self._store.lock:
            latest = [max(versions.values(), key=_number) for versions in self._store.tasks.values()]
            if request.HasField("project_id"):
                scope = (request.project_id.name, request.project_id.domain)
                latest = [task for task in latest if (task.id.project, task.id.domain) == scope]
            found = listing.matches(request.request.filters, listing.TASK_COLUMNS, latest)
            rows, token = listing.cut(found, offset, limit)
            answer = task_service_pb2.ListTasksResponse(token=token)
            for task in rows:
                row = answer.tasks.add(task_id=task.id, metadata=_metadata(task))
                row.task_summary.SetInParent()
            answer.metadata.total = len(latest)
            answer.metadata.filtered_total = len(found)
            return answer

    def list_versions(
        self, request: task_service_pb2.ListVersionsRequest, call: Call
    ) -> task_service_pb2.ListVersionsResponse:
        """A task's versions; newest first, which was not measured."""
        offset, limit = listing.page_of(request.request)
        listing.check(request.request.filters, listing.TASK_COLUMNS)
        name = request.task_name
        with self._store.lock:
            versions = self._store.tasks.get((name.project, name.domain, name.name), {}).values()
            found = listing.matches(request.request.filters, listing.TASK_COLUMNS, versions)
            rows, token = listing.cut(sorted(found, key=_number, reverse=True), offset, limit)
            answer = task_service_pb2.ListVersionsResponse(token=token)
            for task in rows:
                answer.versions.add(version=task.id.version, deployed_at=answers.timestamp(task.deployed_ns))
            return answer


def _number(task: TaskVersion) -> int:
    return task.number


def _metadata(task: TaskVersion) -> task_definition_pb2.TaskMetadata:
    return task_definition_pb2.TaskMetadata(
        short_name=task.spec.short_name,
        deployed_at=answers.timestamp(task.deployed_ns),
        environment_name=task.spec.environment.name,
    )


class ProjectHandlers:
    """Projects, each with the three usual domains."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def table(self) -> Handlers:
        """The function that answers each method."""
        service = rpc.ProjectService
        return {service.GetProject: self.get_project, service.ListProjects: self.list_projects}

    def get_project(
        self, request: project_service_pb2.GetProjectRequest, call: Call
    ) -> project_service_pb2.GetProjectResponse:
        """One project."""
        if not request.id:
            raise Refusal("INVALID_ARGUMENT", "id is required")
        if request.id not in self._store.projects:
            raise Refusal("NOT_FOUND", f"project not found: {request.id}")
        return project_service_pb2.GetProjectResponse(project=_project(request.id))

    def list_projects(
        self, request: project_service_pb2.ListProjectsRequest, call: Call
    ) -> project_service_pb2.ListProjectsResponse:
        """All projects, on one page."""
        with self._store.lock:
            projects = [_project(name) for name in self._store.projects]
        return project_service_pb2.ListProjectsResponse(projects=project_service_pb2.Projects(projects=projects))


def _project(name: str) -> project_service_pb2.Project:
    domains = [project_service_pb2.Domain(id=id_, name=title) for id_, title in DOMAINS.items()]
    return project_service_pb2.Project(id=name, name=name, domains=domains)


class AuthHandlers:
    """Where to get a token. As in the open-source services, nothing here checks one: to simulate a proxy that does,
    inject ``status("UNAUTHENTICATED", ..., when=...)``.
    """

    def __init__(self, address: Callable[[], str]) -> None:
        self.oauth2: auth_service_pb2.GetOAuth2MetadataResponse | None = None
        """Set it to simulate a deployment with an external authorization server."""
        self.public = auth_service_pb2.GetPublicClientConfigResponse(authorization_metadata_key="authorization")
        """Change it as needed."""
        self._address = address

    def table(self) -> Handlers:
        """The function that answers each method."""
        service = rpc.AuthMetadataService
        return {
            service.GetOAuth2Metadata: self.get_oauth2_metadata,
            service.GetPublicClientConfig: self.get_public_client_config,
        }

    def get_oauth2_metadata(
        self, request: auth_service_pb2.GetOAuth2MetadataRequest, call: Call
    ) -> auth_service_pb2.GetOAuth2MetadataResponse:
        """The authorization server; UNIMPLEMENTED without one."""
        if self.oauth2 is None:
            raise Refusal(
                "UNIMPLEMENTED",
                "oauth2 metadata is not configured; set runs.authMetadata.externalAuthServerBaseUrl",
            )
        return self.oauth2

    def get_public_client_config(
        self, request: auth_service_pb2.GetPublicClientConfigRequest, call: Call
    ) -> auth_service_pb2.GetPublicClientConfigResponse:
        """The metadata key that carries the token, scopes and audience; always there."""
        answer = auth_service_pb2.GetPublicClientConfigResponse()
        answer.CopyFrom(self.public)
        if not answer.dataplane_domain:
            answer.dataplane_domain = self._address()
        return answer
