"""Tokens as OpenStack's own client library handles them."""

import pytest
from keystoneauth1 import exceptions, token_endpoint
from keystoneauth1.identity import v3
from keystoneauth1.session import Session


def password(server, **changed):
    known = server.credentials
    fields = {"username": known["user"], "password": known["password"], "user_domain_name": known["domain"]}
    fields |= {"project_name": known["project_name"], "project_domain_name": known["domain"]}
    return v3.Password(auth_url=f"{server.url}/v3", **(fields | changed))


@pytest.fixture
def session(server):
    return Session(auth=password(server))


def graphs(session, token):
    """The list of graphs with a token of one's own choice."""
    headers = {"X-Auth-Token": token}
    found = {"service_type": "ges", "interface": "public"}
    return session.get("/graphs", endpoint_filter=found, authenticated=False, headers=headers)


def test_a_log_in_finds_its_project_and_the_catalog(server, session):
    access = session.auth.get_access(session)
    assert (access.username, access.project_id) == (server.credentials["user"], server.project)
    assert access.project_scoped and not access.will_expire_soon(3600)
    assert access.user_domain_name == access.project_domain_name == server.credentials["domain"]
    endpoint = session.get_endpoint(service_type="ges", interface="public")
    assert endpoint == f"{server.url}/v2/{server.project}"
    assert session.get("/graphs", endpoint_filter={"service_type": "ges"}).json()["graph_count"] == 0


def test_a_token_is_reused(server, session):
    first = session.get_token()
    session.get("/graphs", endpoint_filter={"service_type": "ges"})
    assert session.get_token() == first
    elsewhere = Session(auth=token_endpoint.Token(f"{server.url}/v2/{server.project}", first))
    assert elsewhere.get("/graphs", endpoint_filter={"service_type": "ges"}).status_code == 200


def test_a_project_may_be_named_by_id_or_not_at_all(server):
    by_id = password(server, project_id=server.project, project_name=None, project_domain_name=None)
    assert Session(auth=by_id).get_project_id() == server.project
    unscoped = password(server, project_name=None, project_domain_name=None)
    access = unscoped.get_access(Session(auth=unscoped))
    assert not access.project_scoped
    of_domain = password(
        server, project_name=None, project_domain_name=None, domain_name=server.credentials["domain"]
    )
    assert of_domain.get_access(Session(auth=of_domain)).domain_scoped


def test_projects_and_domains_are_listed(server, session):
    read = lambda path: session.get(f"{server.url}/v3{path}").json()
    for path in ("/projects", "/auth/projects"):
        assert [row["id"] for row in read(path)["projects"]] == [server.project]
    assert [row["name"] for row in read("/auth/domains")["domains"]] == [server.credentials["domain"]]


def test_a_token_is_examined_and_revoked(server, session):
    token = session.get_token()
    other = Session(auth=password(server)).get_token()
    subject = {"X-Subject-Token": other}
    examined = session.get(f"{server.url}/v3/auth/tokens", headers=subject)
    assert examined.headers["X-Subject-Token"] == other
    assert examined.json()["token"]["project"]["id"] == server.project
    assert graphs(session, other).status_code == 200

    assert session.delete(f"{server.url}/v3/auth/tokens", headers=subject).status_code == 204
    with pytest.raises(exceptions.Unauthorized):
        graphs(session, other)
    with pytest.raises(exceptions.NotFound):
        session.get(f"{server.url}/v3/auth/tokens", headers=subject)
    assert graphs(session, token).status_code == 200, "the one who revoked is still there"


def test_a_session_whose_token_was_revoked_logs_in_again(server, session):
    before = session.get_token()
    subject = {"X-Subject-Token": before}
    assert session.delete(f"{server.url}/v3/auth/tokens", headers=subject).status_code == 204
    answer = session.get("/graphs", endpoint_filter={"service_type": "ges"})
    assert answer.status_code == 200 and session.get_token() != before


@pytest.mark.parametrize("changed", [{"password": "wrong"}, {"username": "nobody"}, {"project_name": "nowhere"}])
def test_a_wrong_log_in_is_refused(server, changed):
    session = Session(auth=password(server, **changed))
    with pytest.raises(exceptions.Unauthorized) as caught:
        session.get_token()
    assert caught.value.response.headers["X-Request-Id"]
