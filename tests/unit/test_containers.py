"""The compose file names the environment variables that exist, and no password that works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from regrow.api.settings import ApiSettings
from regrow.worker.settings import WorkerSettings

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
KNOWN = {f"REGROW_{name.upper()}" for cls in (ApiSettings, WorkerSettings) for name in cls.model_fields}


@pytest.mark.parametrize("service", ["api", "worker", "sweeper"])
def test_services_set_only_variables_that_exist(service: str) -> None:
    assert set(COMPOSE["services"][service]["environment"]) <= KNOWN


@pytest.mark.parametrize("service", ["api", "worker", "sweeper"])
def test_images_run_what_the_integration_tests_run(service: str) -> None:
    text = (ROOT / COMPOSE["services"][service]["build"]["dockerfile"]).read_text()
    assert f'CMD ["python", "-m", "regrow.{service}"]' in text
    assert set(re.findall(r"REGROW_\w+(?==)", text)) <= KNOWN


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for reference in re.findall(r"\$\{REGROW_S3_[^}]*\}", text):
        assert ":?" in reference
    for line in (ROOT / ".env.example").read_text().splitlines():
        if line.startswith("REGROW_S3"):
            assert line.endswith("=")


def test_only_loopback_is_published() -> None:
    for service in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
