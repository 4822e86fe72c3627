"""Where everything is: the paths of HUB v1 and of our extensions, and the headers and fields that go with them."""

from __future__ import annotations

API_KEY_HEADER = "x-api-key"
ATTEMPT_HEADER = "hub-callbacks-attempt"  # when the training began, as ``run.startedAt`` says it
SHA256_FIELD = "sha256"  # a text field of the upload form, before the file part

HUB = "/v1/hub"
HEALTH = "/healthz"
READY = "/readyz"
NUMBERS = "/metrics"
AUTH = "/v1/auth"
SIGN_IN = "/v1/auth/browser"
SIGN_IN_AUTO = "/v1/auth/auto"  # HUB's way in for notebooks on Colab
SIGN_IN_EMAIL = "/v1/auth/email"  # what ULTRALYTICS_FIREBASE_AUTH_URL is to name, behind the hub's root
MODELS = "/v1/models"
DATASETS = "/v1/datasets"
PROJECTS = "/v1/projects"
USERS = "/v1/users"
KEYS = "/v1/keys"
AUDIT = "/v1/audit"
RUNS = "/v1/runs"
RESET = "/model-reset"  # HUB's, outside of /v1


def model(model_id: str) -> str:
    """Path of one model: GET, PATCH, DELETE, and POST of `MetricsBody`."""
    return f"{MODELS}/{model_id}"


def metrics(model_id: str) -> str:
    """Path of a model's metrics: GET."""
    return f"{MODELS}/{model_id}/metrics"


def run(run_id: str) -> str:
    """Path of one run, as a list of runs tells of it (feature ``runs``): GET."""
    return f"{RUNS}/{run_id}"


def export(form: str, model_id: str = "") -> str:
    """Path of metrics as a file, ``csv``, ``json`` or ``parquet``, of a model or of those that the query names: GET."""
    return f"{model(model_id) if model_id else RUNS}/metrics.{form}"


def upload(model_id: str) -> str:
    """Path that takes a model's checkpoints: POST, multipart."""
    return f"{MODELS}/{model_id}/upload"


def uploads(model_id: str) -> str:
    """Path that makes a tus upload of a model's checkpoint: POST (feature ``tus``); its ``Location`` takes the rest."""
    return f"{MODELS}/{model_id}/uploads"


def checkpoints(model_id: str) -> str:
    """Path of a model's published checkpoints: GET, a list of `Stored`."""
    return f"{MODELS}/{model_id}/checkpoints"


def artifacts(model_id: str) -> str:
    """Path of a model's artifacts (feature ``artifacts``): POST, multipart, and GET, a list of `StoredArtifact`."""
    return f"{MODELS}/{model_id}/artifacts"


def artifact(model_id: str, artifact_id: str) -> str:
    """Path of an artifact's bytes: GET."""
    return f"{artifacts(model_id)}/{artifact_id}"


def dataset(dataset_id: str) -> str:
    """Path of one data set: GET, PATCH, DELETE."""
    return f"{DATASETS}/{dataset_id}"


def project(project_id: str) -> str:
    """Path of one project: GET, PATCH, DELETE."""
    return f"{PROJECTS}/{project_id}"


def members(project_id: str) -> str:
    """Path of the users that a project is shared with: GET; below it, by a user's id, PUT and DELETE."""
    return f"{PROJECTS}/{project_id}/members"


def user(user_id: str) -> str:
    """Path of one user: GET, PATCH, DELETE."""
    return f"{USERS}/{user_id}"


def key(key_id: str) -> str:
    """Path of one API key, by its id: DELETE."""
    return f"{KEYS}/{key_id}"


def commands(model_id: str) -> str:
    """Path that takes commands for a model's trainer: POST of `CommandBody` (feature ``commands``)."""
    return f"{MODELS}/{model_id}/commands"


def state(model_id: str) -> str:
    """Path that takes a run's state: POST of `StateBody` (feature ``run-state``)."""
    return f"{MODELS}/{model_id}/state"


def heartbeat(model_id: str) -> str:
    """Path that takes the heartbeats of a model's agent: POST of `HeartbeatBody`."""
    return f"/v1/agent/heartbeat/models/{model_id}"


def page(model_id: str) -> str:
    """Path of a model's page on the hub's web root."""
    return f"/models/{model_id}"
