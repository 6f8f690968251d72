"""A real server process in a temporary directory, and what the object area needs of HTTP."""

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import requests

PATIENCE = 30


class Server:
    """`gestalt serve` on a fresh data directory."""

    def __init__(self, **settings):
        self._home = tempfile.TemporaryDirectory()
        self.home = Path(self._home.name)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GESTALT_")}
        environment |= {"GESTALT_AUTO_BACKUP_SECONDS": "0"} | settings
        ready = self.home / "ready.json"
        self._log = open(self.home / "log", "wb")
        serve = ["serve", "--data", self.home / "data", "--listen", "127.0.0.1:0", "--ready-file", ready]
        self._process = subprocess.Popen(
            [os.environ["GESTALT_BIN"], *serve], env=environment, stdout=self._log, stderr=self._log
        )
        until("the server", lambda: ready.exists() or self._process.poll() is not None)
        assert ready.exists(), f"the server ended:\n{self.log()}"
        self.url = json.loads(ready.read_text())["url"]
        self.credentials = json.loads((self.home / "data" / "credentials.json").read_text())
        self.project = self.credentials["project_id"]

    def token(self):
        """A token of the first user for the first project."""
        user = {"name": self.credentials["user"], "password": self.credentials["password"]}
        user["domain"] = {"name": self.credentials["domain"]}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": {"project": {"id": self.project}}}}
        answer = requests.post(f"{self.url}/v3/auth/tokens", json=body, timeout=PATIENCE)
        assert answer.status_code == 201, answer.text
        return answer.headers["X-Subject-Token"]

    def upload(self, path, content):
        """Stores a file in the object area."""
        headers = {"X-Auth-Token": self.token()}
        answer = requests.put(f"{self.url}/obs/{path}", data=content, headers=headers, timeout=PATIENCE)
        assert answer.ok, answer.text

    def log(self):
        return (self.home / "log").read_text(errors="replace")

    def alive(self):
        return self._process.poll() is None

    def stop(self):
        """Stops in order; a server that crashed or complained of itself fails the run."""
        assert self.alive(), f"the server crashed:\n{self.log()}"
        self._process.send_signal(signal.SIGTERM)
        try:
            status = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        log = self.log()
        self._log.close()
        self._home.cleanup()
        assert status == 0, f"SIGTERM: {status}\n{log}"
        complaints = [line for line in log.splitlines() if " ERROR " in line or "panicked" in line]
        assert not complaints, "\n".join(complaints)


def until(what, ask):
    """Asks again and again until the answer is true, and returns it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        if answer := ask():
            return answer
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.02)
