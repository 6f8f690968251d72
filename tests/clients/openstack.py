"""OpenStack's own Keystone in a temporary directory, and what is managed there."""

import grp
import os
import pwd
import socket
import subprocess
import tempfile
from pathlib import Path

import requests
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from gestalt import PATIENCE

CONFIGURATION = """
[DEFAULT]
public_endpoint = {url}
[database]
connection = sqlite:///{home}/keystone.db
[fernet_tokens]
key_repository = {home}/keys
[fernet_receipts]
key_repository = {home}/keys
[identity]
password_hash_rounds = 4
"""

# Its standard input is the socket to listen on.
SERVE = """
from keystone.wsgi.api import application
from werkzeug.serving import make_server
make_server("127.0.0.1", 0, application, threaded=True, fd=0).serve_forever()
"""

PASSWORD = "correct horse 7"


class Keystone:
    """A Keystone as `keystone-manage bootstrap` leaves it; `python` is one that has it installed."""

    def __init__(self, python):
        self._home = tempfile.TemporaryDirectory()
        self.home = Path(self._home.name)
        self._log = open(self.home / "log", "wb")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            self.url = f"{address}/v3"
            configuration = self.home / "keystone.conf"
            configuration.write_text(CONFIGURATION.format(url=address, home=self.home))
            manage = [Path(python).with_name("keystone-manage"), "--config-file", configuration]
            owner = ["--keystone-user", pwd.getpwuid(os.geteuid()).pw_name]
            owner += ["--keystone-group", grp.getgrgid(os.getegid()).gr_name]
            first = ["--bootstrap-password", PASSWORD, "--bootstrap-region-id", "here"]
            first += ["--bootstrap-public-url", self.url]
            for command in (["db_sync"], ["fernet_setup", *owner], ["bootstrap", *first]):
                status = self._start([*manage, *command]).wait()
                assert status == 0, f"keystone-manage {command[0]}: {status}\n{self.log()}"
            serve = [python, "-c", SERVE, "--config-file", configuration]
            self._process = self._start(serve, stdin=listener)
        try:
            requests.get(self.url, timeout=PATIENCE).raise_for_status()
        except requests.RequestException as error:
            self._process.kill()
            raise AssertionError(f"Keystone does not answer:\n{self.log()}") from error
        self.admin = self.session("admin", project_name="admin", project_domain_id="default")

    def _start(self, command, **more):
        """Starts something of Keystone's where the modules of these tests cannot be found."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        out = {"stdout": self._log, "stderr": self._log}
        return subprocess.Popen(command, env=environment, cwd=self.home, **out, **more)

    def session(self, user, **scope):
        """A log-in by password."""
        auth = v3.Password(self.url, username=user, password=PASSWORD, user_domain_id="default", **scope)
        return self.session_by(auth)

    def session_by(self, auth):
        return Session(auth=auth, timeout=PATIENCE)

    def make(self, kind, **fields):
        """Makes one of a kind and returns its id."""
        made = self.admin.post(f"{self.url}/{kind}s", json={kind: fields})
        return made.json()[kind]["id"]

    def user(self, name, project, *roles):
        """A new user with these roles in a project, logged in to it."""
        user = self.make("user", name=name, password=PASSWORD, domain_id="default")
        for role in roles:
            self.admin.put(f"{self.url}/projects/{project}/users/{user}/roles/{self.role(role)}")
        return self.session(name, project_id=project)

    def role(self, name):
        """The id of a role, which is made if it is not there."""
        found = self.admin.get(f"{self.url}/roles", params={"name": name}).json()["roles"]
        return found[0]["id"] if found else self.make("role", name=name)

    def log(self):
        return (self.home / "log").read_text(errors="replace")

    def stop(self):
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._log.close()
        self._home.cleanup()
