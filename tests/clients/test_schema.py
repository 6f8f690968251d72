"""Requests made up from the server's own description, by schemathesis: whatever fits the
description must neither break the server nor get an answer that the description does not have."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import requests

from sdk import Ges, by_key

SEED = "20261"

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_headers_conformance,response_schema_conformance"
)

# This part of all operations must have been done at least once: a run in which everything was
# refused would prove little.
DONE = 0.5

POLICY = {"Version": "1.1", "Statement": [{"Effect": "Allow", "Action": ["ges:backup:*"]}]}

SCHEMA = """<PMML version="3.0"><labels>
  <label name="person"><properties><property name="age" cardinality="single" dataType="int"/></properties></label>
  <label name="knows"/>
</labels></PMML>"""


def people(server, headers):
    """Users, groups, roles, projects and keys, one to look at and one to be changed; by parameter."""
    found = {}
    for kind, path, fields in (
        ("user", "/v3/users", {"password": "correct horse 7"}),
        ("group", "/v3/groups", {}),
        ("project", "/v3/projects", {}),
        ("role", "/v3.0/OS-ROLE/roles", {"policy": POLICY}),
        ("credential", "/v3.0/OS-CREDENTIAL/credentials", {}),
    ):
        for use in ("known", "expendable"):
            wanted = {"display_name": use, "name": use} | fields
            if kind == "credential":
                wanted = {"user_id": found["user" if use == "known" else "expendable_user"][0]}
            made = requests.post(f"{server.url}{path}", json={kind: wanted}, headers=headers)
            assert made.status_code == 201, made.text
            made = made.json()[kind]
            name = "access" if kind == "credential" else kind
            found[name if use == "known" else f"expendable_{name}"] = [made.get("id") or made["access"]]
    domains = requests.get(f"{server.url}/v3/domains", headers=headers).json()["domains"]
    return found | {"domain": [domains[0]["id"]]}


def furnish(server):
    """Graphs with some content, backups, metadata and files; returns their names by parameter."""
    server.upload("data/schema.xml", SCHEMA)
    server.upload("data/v.csv", "ann,person,31\nbob,person,\n")
    server.upload("data/e.csv", "ann,bob,knows\n")
    ges = Ges(server.url, by_key(server.credentials))
    names = ["steady", "doomed_one", "doomed_two", "doomed_three"]
    graphs = [ges.create(name) for name in names]
    headers = {"X-Auth-Token": server.token()}
    base = f"{server.url}/v2/{server.project}/graphs"
    files = {"schema_path": "data/schema.xml", "vertexset_path": "data/v.csv", "edgeset_path": "data/e.csv"}
    backups, jobs = [], []
    for graph in graphs:
        answer = requests.post(f"{base}/{graph}/import-graph", json=files, headers=headers).json()
        assert ended(base, graph, answer["job_id"], headers)
        answer = requests.post(f"{base}/{graph}/backups", headers=headers).json()
        assert ended(base, graph, answer["job_id"], headers)
        backups.append(answer["backup_id"])
        jobs.append(answer["job_id"])
    metadata = {"name": "known", "metadata_path": "data/schema.xml"}
    uploaded = requests.post(f"{base}/metadata/upload-from-obs", json=metadata, headers=headers).json()
    names_of = people(server, headers)
    known = ["ann", "bob"]
    return names_of | {
        "project": [server.project],
        "project_id": [server.project],
        "graph": graphs[:1],
        "graph_name": names[:1],
        "expendable_graph": graphs[1:],
        "backup": backups[:1],
        "backup_id": backups,
        "expendable_backup": backups[1:],
        "job": jobs[:1],
        "metadata": [uploaded["id"]],
        "bucket": ["data"],
        "key": ["schema.xml", "v.csv", "folder/new.csv"],
        "vertexIds": ["ann", "ann,bob"],
        "vertex": known,
        "source": known,
        "target": known,
        "label": ["person", "knows"],
        ".vertex": known + ["cleo"],
        ".source": known,
        ".target": known,
        ".user_id": names_of["expendable_user"],
        ".original_password": ["correct horse 7"],
        ".label": ["person", "knows"],
        ".graph_backup_id": backups,
        ".schema_path": ["data/schema.xml"],
        ".vertexset_path": ["data/v.csv"],
        ".edgeset_path": ["data/e.csv"],
        ".metadata_path": ["data/schema.xml", "data/made.xml"],
        ".graph_export_path": ["data/out/"],
        ".export_path": ["data/copy/"],
        ".import_path": ["data/copy/"],
        ".eip_id": ["eip-1", "eip-2"],
        ".security_group_id": ["group"],
        ".dataType": ["string", "int", "long", "double", "date", "bool"],
    }


def ended(base, graph, job, headers):
    while True:
        status = requests.get(f"{base}/{graph}/jobs/{job}/status", headers=headers).json()["status"]
        if status in ("success", "failed"):
            return status == "success"


def fuzz(server, known):
    """Runs schemathesis; returns how it ended and what it said."""
    tool = Path(sys.executable).with_name("schemathesis")
    seconds = os.environ.get("SCHEMA_SECONDS", "60")
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "schema_hooks", "SCHEMA_KNOWN": json.dumps(known)}
    environment["PYTHONPATH"] = str(Path(__file__).parent)
    here = Path(__file__).parent
    run = [tool, "--config-file", here / "schemathesis.toml"]
    run += ["run", f"{server.url}/openapi.json", "--header", f"X-Auth-Token: {server.token()}"]
    run += ["--checks", CHECKS, "--mode", "positive", "--phases", "coverage,fuzzing"]
    run += ["--seed", SEED, "--max-time", seconds, "--workers", "2", "--generation-database", "none"]
    run += ["--generation-with-security-parameters", "false", "--continue-on-failure", "--no-color"]
    run += ["--warnings", "off", "--output-sanitize", "false"]
    return subprocess.run(run, env=environment, cwd=server.home, capture_output=True, text=True)


def answers(server):
    """What the server counted: statuses by method and route."""
    text = requests.get(f"{server.url}/metrics").text
    line = re.compile(r'gestalt_http_requests_total\{method="(\w+)",route="([^"]+)",status="(\d+)"\} (\d+)')
    found = {}
    for method, route, status, _ in line.findall(text):
        found.setdefault((method.lower(), route.replace("{*", "{")), set()).add(int(status))
    return found


def test_whatever_fits_the_description_is_answered_as_described(server):
    known = furnish(server)
    described = requests.get(f"{server.url}/openapi.json").json()["paths"]
    operations = {(method, path) for path, methods in described.items() for method in methods}
    ran = fuzz(server, known)
    assert server.alive(), server.log()
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    counted = answers(server)
    assert operations - set(counted) == set(), "every operation is asked"
    done = {operation for operation in operations if any(status < 300 for status in counted[operation])}
    assert len(done) >= DONE * len(operations), f"only refused: {sorted(operations - done)}"
