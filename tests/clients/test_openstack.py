"""Gestalt with OpenStack's own Keystone, which knows the users, their roles and their projects.

The last test stops the Keystone.
"""

import os

import pytest
import requests
from keystoneauth1.identity import v3

from gestalt import PATIENCE, Server, until
from openstack import Keystone

pytestmark = pytest.mark.skipif(
    "KEYSTONE_PYTHON" not in os.environ,
    reason="KEYSTONE_PYTHON names no Python with keystone-requirements.txt installed",
)


@pytest.fixture(scope="module")
def keystone():
    keystone = Keystone(os.environ["KEYSTONE_PYTHON"])
    yield keystone
    keystone.stop()


@pytest.fixture(scope="module")
def server(keystone):
    server = Server(GESTALT_KEYSTONE_URL=keystone.url)
    service = keystone.make("service", type="ges", name="gestalt")
    url = f"{server.url}/v2/$(project_id)s"
    keystone.make("endpoint", service_id=service, interface="public", region_id="here", url=url)
    keystone.admin.invalidate()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def project(keystone):
    return keystone.make("project", name="research", domain_id="default")


@pytest.fixture(scope="module")
def graph(keystone, server, project):
    """A graph of the project, made by somebody with a role that Keystone itself does not have."""
    return create(keystone.user("owner", project, "GES FullAccess"), "people")


def ask(session, path, method="GET", **more):
    """Asks the server that Keystone's catalog names."""
    found = {"service_type": "ges", "interface": "public"}
    return session.request(path, method, endpoint_filter=found, raise_exc=False, **more)


def graphs(server, project, token):
    """The list of graphs with a token of one's own choice: a session would log in again."""
    url = f"{server.url}/v2/{project}/graphs"
    return requests.get(url, headers={"X-Auth-Token": token}, timeout=PATIENCE)


def refused(answer, status, code):
    body = answer.json()
    found = answer.status_code, body.get("error_code") or body.get("errorCode")
    assert found == (status, code), answer.text


def graph_called(name):
    size = {"graph_size_type_index": "2", "crypt_algorithm": "generalCipher", "enable_https": False}
    network = {"vpc_id": "vpc", "subnet_id": "subnet", "security_group_id": "group"}
    return {"graph": {"name": name} | size | network}


def create(session, name):
    """Creates a graph and waits until it runs."""
    answer = ask(session, "/graphs", "POST", json=graph_called(name))
    assert answer.status_code == 200, answer.text
    graph = answer.json()["id"]
    until(f"graph {name}", lambda: ask(session, f"/graphs/{graph}").json()["graph"]["status"] == "200")
    return graph


def back_up(session, graph):
    """Adds a backup and waits until it is there."""
    answer = ask(session, f"/graphs/{graph}/backups", "POST")
    assert answer.status_code == 200, answer.text
    job = f"/graphs/{graph}/jobs/{answer.json()['job_id']}/status"
    status = lambda: ask(session, job).json()["status"]
    assert until("the backup", lambda: (now := status()) in ("success", "failed") and now) == "success"
    backups = ask(session, f"/graphs/{graph}/backups").json()["backup_list"]
    assert answer.json()["backup_id"] in [backup["id"] for backup in backups]


def names(session):
    answer = ask(session, "/graphs")
    assert answer.status_code == 200, answer.text
    return [graph["name"] for graph in answer.json()["graphs"]]


def test_an_administrator_may_everything(keystone, server):
    admin = keystone.admin
    assert names(admin) == []
    graph = create(admin, "first")
    back_up(admin, graph)
    assert names(admin) == ["first"]
    assert ask(admin, f"{server.url}/gestalt/v1/audit").status_code == 200


def test_a_role_counts_by_its_name(keystone, server, project, graph):
    member = keystone.user("member", project, "member")
    assert names(member) == ["people"]
    back_up(member, graph)
    summary = f"{server.url}/ges/v1.0/{project}/graphs/people/summary"
    assert ask(member, summary).status_code == 200
    refused(ask(member, "/graphs", "POST", json=graph_called("other")), 403, "GES.7041")
    refused(ask(member, f"{server.url}/gestalt/v1/audit"), 403, "APIGW.0306")

    reader = keystone.user("reader", project, "reader")
    assert names(reader) == ["people"]
    refused(ask(reader, f"/graphs/{graph}/backups", "POST"), 403, "GES.7041")
    refused(ask(reader, summary), 403, "GES.8020")

    nobody = keystone.user("nobody", project, "a role of theirs")
    refused(ask(nobody, "/graphs"), 403, "GES.7041")


def test_projects_do_not_see_each_other(keystone, server, project, graph):
    elsewhere = keystone.make("project", name="elsewhere", domain_id="default")
    stranger = keystone.user("stranger", elsewhere, "GES FullAccess")
    assert names(stranger) == []
    for path in ("/graphs", f"/graphs/{graph}", f"/graphs/{graph}/backups"):
        refused(ask(stranger, f"{server.url}/v2/{project}{path}"), 400, "GES.0016")
    refused(ask(stranger, f"/graphs/{graph}"), 404, "GES.7000")


@pytest.mark.parametrize("scope", [{"unscoped": True}, {"system_scope": "all"}])
def test_a_token_without_a_project_opens_none(keystone, server, project, scope):
    token = keystone.session("admin", **scope).get_token()
    refused(graphs(server, project, token), 403, "APIGW.0310")


def test_an_application_credential_serves_as_well(keystone, server, project, graph):
    owner = keystone.user("automated", project, "member", "GES FullAccess")

    def session(name, **more):
        wanted = {"application_credential": {"name": name, "roles": [{"name": "member"}]} | more}
        url = f"{keystone.url}/users/{owner.get_user_id()}/application_credentials"
        made = owner.post(url, json=wanted).json()["application_credential"]
        return keystone.session_by(v3.ApplicationCredential(keystone.url, made["secret"], made["id"]))

    fewer_roles = session("fewer roles")
    assert names(fewer_roles) == ["people"]
    refused(ask(fewer_roles, "/graphs", "POST", json=graph_called("other")), 403, "GES.7041")
    # Keystone vouches for rules on calls only where they are known to be kept.
    fewer_calls = session("fewer calls", access_rules=[{"service": "ges", "method": "GET", "path": "/v2/**"}])
    refused(ask(fewer_calls, f"/graphs/{graph}/backups", "POST"), 401, "APIGW.0301")


def test_a_token_that_keystone_does_not_know_is_refused(keystone, server, project):
    good = keystone.admin.get_token()
    for token in ("gibberish", good[:-12], good[:40] + good[40:].swapcase(), "x" * 9000):
        refused(graphs(server, project, token), 401, "APIGW.0301")


def test_a_token_that_keystone_took_back_is_refused(keystone, server, project):
    user = keystone.user("leaver", project, "reader")
    again = lambda: keystone.session("leaver", project_id=project).get_token()
    revoked, kept, known = user.get_token(), again(), again()
    subject = {"X-Subject-Token": revoked}
    assert user.delete(f"{keystone.url}/auth/tokens", headers=subject).status_code == 204
    refused(graphs(server, project, revoked), 401, "APIGW.0301")
    assert graphs(server, project, known).status_code == 200
    disabled = {"user": {"enabled": False}}
    keystone.admin.patch(f"{keystone.url}/users/{user.get_user_id()}", json=disabled)
    refused(graphs(server, project, kept), 401, "APIGW.0301")


def test_nobody_new_gets_in_while_keystone_is_away(keystone, server, project):
    user = keystone.user("late", project, "reader")
    known, fresh = user.get_token(), keystone.session("late", project_id=project).get_token()
    assert graphs(server, project, known).status_code == 200
    keystone.stop()
    assert graphs(server, project, known).status_code == 200
    answer = graphs(server, project, fresh)
    refused(answer, 503, "GES.7005")
    assert int(answer.headers["Retry-After"]) > 0
