"""The API does what its document says: schemathesis asks it everything the document allows, and much it does not."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.service import Service

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
ROLES = {"admin": ("admin",), "coordinator": ("coordinator", "--site", "lille", "--network", "hpsm")}
PHASES = {
    "admin": "examples,coverage,fuzzing,stateful",
    "coordinator": "examples,fuzzing,stateful",  # every boundary once is enough: it is read before anybody is asked
}
EXAMPLES = 4  # a phase and operation


async def asked(service: Service, token: str, phases: str, folder: Path) -> str:
    """Run every check with a token; what was found, empty where all is well."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        f"--config-file={CONFIGURATION}",
        "run", f"{service.url}/openapi.json", f"--header=Authorization: Bearer {token}",
        "--checks=all", f"--phases={phases}", f"--max-examples={EXAMPLES}",
        "--continue-on-failure", "--seed=1", "--no-color",
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    return "" if process.returncode == 0 else out.decode(errors="replace")[-20_000:]


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """Where schemathesis keeps its notes, a folder a role."""
    found = {name: tmp_path / name for name in ROLES}
    for folder in found.values():
        folder.mkdir()
    return found


async def test_no_server_error_and_no_answer_that_is_not_documented(tmp_path: Path, folders: dict[str, Path]) -> None:
    service = Service(tmp_path, f"sqlite:///{tmp_path}/perinat.db")
    tokens = {name: await service.token(*options) for name, options in ROLES.items()}
    await service.start()
    try:
        found = await asyncio.gather(
            *(asked(service, token, PHASES[name], folders[name]) for name, token in tokens.items())
        )
    finally:
        status = await service.stop()

    assert dict(zip(tokens, found, strict=True)) == dict.fromkeys(tokens, ""), "\n".join(found)
    assert status == 0
    assert '"action": "failed"' not in service.log.read_text()
