"""All operations of management API v2 through the official Python SDK, signed with an access key.

The tests of this file share a server and stand in the order of a story: the last one holds what
was called against what the SDK has.
"""

import re

import pytest
import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.retry.backoff_strategy import BackoffStrategies
from huaweicloudsdkcore.signer.signer import Signer
from huaweicloudsdkges.v2 import model

from sdk import Ges, by_key, mistyped, operations

UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
NOWHERE = "00000000-0000-4000-8000-000000000000"

SCHEMA = """<?xml version="1.0" encoding="UTF-8"?>
<PMML version="3.0" xmlns="http://www.dmg.org/PMML-3-0"><labels>
  <label name="person"><properties>
    <property name="age" cardinality="single" dataType="int"/>
  </properties></label>
  <label name="knows"/>
</labels></PMML>
"""


@pytest.fixture(scope="module")
def ges(server):
    server.upload("data/schema.xml", SCHEMA)
    server.upload("data/vertices.csv", "ann,person,31\nbob,person,45\ncleo,person,\n")
    server.upload("data/edges.csv", "ann,bob,knows\nbob,cleo,knows\n")
    return Ges(server.url, by_key(server.credentials))


@pytest.fixture(scope="module")
def graph(ges):
    """A graph of three people."""
    graph = ges.create("people")
    body = model.ImportGraphReq(
        schema_path="data/schema.xml",
        vertexset_path="data/vertices.csv",
        edgeset_path="data/edges.csv",
        log_dir="data/log/",
        parallel_edge=model.ImportGraphReqParallelEdge(action="allow"),
    )
    job = ges.finish(graph, ges.import_graph2(graph_id=graph, body=body))
    assert (job.job_name, job.job_type, job.related_graph) == ("ImportGraph", "GraphManagement", "people")
    lines = job.job_detail.edgeset_path[0]
    assert (lines.path, lines.status, lines.total_lines) == ("data/edges.csv", "success", 2)
    assert (lines.successful_lines, lines.failed_lines) == (2, 0)
    return graph


@pytest.fixture(scope="module")
def backup(ges, graph):
    answer = ges.create_backup2(graph_id=graph)
    job = ges.finish(graph, answer)
    assert TIME.fullmatch(job.begin_time) and TIME.fullmatch(job.end_time)
    # The model of the SDK does not have it, but the answer does.
    return answer.to_json_object()["backup_id"]


def counts(server, name):
    path = f"{server.url}/ges/v1.0/{server.project}/graphs/{name}/summary"
    data = requests.get(path, headers={"X-Auth-Token": server.token()}, timeout=30).json()["data"]
    return data["vertexNum"], data["edgeNum"]


def refused(code, call, status=400, **fields):
    """What the SDK makes of a refusal."""
    with pytest.raises(ClientRequestException) as caught:
        call(**fields)
    error = caught.value
    assert (error.status_code, error.error_code) == (status, code), error
    assert error.error_msg and error.request_id, error
    return error.error_msg


def test_a_graph_is_shown_with_typed_fields(server, ges, graph):
    shown = ges.show_graph2(graph_id=graph).graph
    assert UUID.fullmatch(graph) and (shown.id, shown.name, shown.status) == (graph, "people", "200")
    assert (shown.vpc_id, shown.graph_size_type_index, shown.is_multi_az) == ("vpc", "2", "false")
    assert shown.enable_https is False and shown.encrypted is False
    assert shown.replication == 1 and TIME.fullmatch(shown.created)
    assert shown.edgeset_path[0].path == "data/edges.csv"
    assert counts(server, "people") == (3, 2)


def test_graphs_are_listed_in_pages(ges, graph):
    other = ges.create("other", tags=[model.ListGraphsRespTags(key="team", value="graphs")])
    listed = ges.list_graphs2(offset=0, limit=1)
    assert (listed.graph_count, len(listed.graphs)) == (2, 1)
    names = {row.name: row for row in ges.list_graphs2().graphs}
    assert set(names) == {"people", "other"} and names["other"].tags[0].value == "graphs"
    job = ges.finish(other, ges.delete_graph2(graph_id=other, keep_backup=False, delete_eip=True))
    assert job.job_name == "DeleteGraph"
    refused("GES.7000", ges.show_graph2, status=404, graph_id=other)
    assert ges.list_graphs2().graph_count == 1


def test_a_backup_is_listed_both_ways(ges, graph, backup):
    for listed in (ges.list_graph_backups2(graph_id=graph, limit=120), ges.list_backups2(offset=0, limit=5)):
        row = next(row for row in listed.backup_list if row.id == backup)
        assert listed.backup_count == len(listed.backup_list) == 1
        assert (row.graph_id, row.graph_name, row.graph_status) == (graph, "people", "200")
        assert (row.backup_method, row.status, row.encrypted) == ("manual", "success", False)
        assert row.name.startswith("people-") and row.size >= 1 and row.duration >= 0
        assert row.start_timestamp > 1_600_000_000_000 and row.end_timestamp >= row.start_timestamp
        assert TIME.fullmatch(row.start_time) and TIME.fullmatch(row.end_time)


def test_a_restore_brings_back_what_was_cleared(server, ges, graph, backup):
    job = ges.finish(graph, ges.clear_graph2(graph_id=graph, clear_metadata=True))
    assert job.job_name == "ClearGraph" and counts(server, "people") == (0, 0)
    start = model.StartGraphReq(graph_backup_id=backup)
    refused("GES.7037", ges.start_graph2, graph_id=graph, body=start)
    ges.finish(graph, ges.stop_graph2(graph_id=graph))
    assert ges.show_graph2(graph_id=graph).graph.status == "900"
    refused("GES.7003", ges.create_backup2, graph_id=graph)
    ges.finish(graph, ges.start_graph2(graph_id=graph, body=start))
    assert counts(server, "people") == (3, 2)
    ges.finish(graph, ges.restart_graph2(graph_id=graph))
    assert counts(server, "people") == (3, 2)


def test_a_backup_goes_out_and_comes_in(server, ges, graph, backup):
    body = model.ExportBackupReq(backup_id=backup, export_path="data/backups/")
    ges.finish(graph, ges.export_backup2(graph_id=graph, body=body))
    answer = ges.import_backup2(graph_id=graph, body=model.ImportBackupReq(import_path="data/backups/"))
    ges.finish(graph, answer)
    methods = [row.backup_method for row in ges.list_graph_backups2(graph_id=graph).backup_list]
    assert methods == ["import", "manual"], "newest first"
    links = ges.show_backup_download_link(graph_id=graph, backup_id=backup)
    assert links.bucket and links.files
    for file in links.files:
        assert file.name and file.size >= 0
        assert re.fullmatch(rf"{TIME.pattern}[+-]\d{{4}}", file.link_expired_time)
        assert requests.get(file.download_link, timeout=30).status_code == 200, "a link needs no token"


def test_a_graph_goes_out(server, ges, graph):
    body = model.ExportGraphReq(
        graph_export_path="data/out/",
        edge_set_name="edges",
        vertex_set_name="vertices",
        schema_name="schema",
        paginate=model.ExportGraphReqPaginate(enable=False),
    )
    ges.finish(graph, ges.export_graph2(graph_id=graph, body=body))
    listed = requests.get(
        f"{server.url}/obs/data?prefix=out/", headers={"X-Auth-Token": server.token()}, timeout=30
    )
    assert listed.ok and all(name in listed.text for name in ("edges", "vertices", "schema")), listed.text


def test_the_task_centre_is_filtered(ges, graph, backup):
    jobs = ges.list_jobs2(status="success", graph_name="people", limit="2", offset="0")
    assert jobs.job_count > 2 and len(jobs.job_list) == 2
    for job in jobs.job_list:
        assert (job.status, job.related_graph, job.job_type) == ("success", "people", "GraphManagement")
    day = jobs.job_list[0].begin_time[:10]
    assert ges.list_jobs2(start_time=day, end_time=day).job_count >= jobs.job_count
    assert ges.list_jobs2(end_time="2020-01-01").job_list == []
    assert "ff80" in refused("GES.8301", ges.show_job2, graph_id=graph, job_id="ff80")


def test_sizes_replicas_and_versions(ges, graph):
    resize = model.ResizeGraphReq(resize=model.ResizeGraphReqResize(graph_size_type_index="3"))
    ges.finish(graph, ges.resize_graph2(graph_id=graph, body=resize))
    expand = model.ExpandGraphReq(expand=model.ExpandGraphReqExpand(replication=1))
    ges.finish(graph, ges.expand_graph2(graph_id=graph, body=expand))
    shown = ges.show_graph2(graph_id=graph).graph
    assert (shown.graph_size_type_index, shown.origin_graph_size_type_index) == ("3", "2")
    assert shown.replication == 2 and TIME.fullmatch(shown.resize_time) and TIME.fullmatch(shown.expand_time)
    # A graph is always at the version of the server.
    upgrade = model.UpgradeGraphReq(upgrade_version=shown.data_store_version, force_upgrade=False)
    refused("GES.7036", ges.upgrade_graph2, graph_id=graph, body=upgrade)


def test_addresses_and_security_groups_are_recorded(ges, graph):
    assert ges.attach_eip2(graph_id=graph, body=model.AttachEipReq(eip_id="eip-1")).to_json_object() == {}
    refused("GES.7038", ges.attach_eip2, graph_id=graph, body=model.AttachEipReq(eip_id="eip-2"))
    assert "eip-1" in ges.show_graph2(graph_id=graph).graph.public_ip
    ges.detach_eip2(graph_id=graph, body=model.DetachEipReq(eip_id="eip-1"))
    refused("GES.7039", ges.detach_eip2, graph_id=graph, body=model.DetachEipReq(eip_id="eip-1"))
    body = model.ChangeSecurityGroupReq(security_group_id="another")
    ges.change_security_group(graph_id=graph, body=body)
    assert ges.show_graph2(graph_id=graph).graph.security_group_id == "another"


def test_metadata(ges):
    labels = [
        model.CreateMetadataReqGesMetadataLabels(
            name="movie", properties=[{"name": "year", "cardinality": "single", "dataType": "int"}]
        ),
        model.CreateMetadataReqGesMetadataLabels(name="rated"),
    ]
    body = model.CreateMetadataReq(
        name="movies",
        metadata_path="data/movies.xml",
        description="films",
        is_overwrite=False,
        ges_metadata=model.CreateMetadataReqGesMetadata(labels=labels),
    )
    created = ges.create_metadata2(body=body)
    assert created.name == "movies"
    shown = ges.show_metadata2(metadata_id=created.id)
    by_name = {label.name: label.properties for label in shown.ges_metadata.labels}
    assert by_name["movie"][0]["dataType"] == "int" and not by_name["rated"]
    upload = model.UploadFromObsReq(name="people", metadata_path="data/schema.xml", description="people")
    uploaded = ges.upload_from_obs2(body=upload)
    listed = ges.list_metadatas2(offset=0, limit=100)
    rows = {row.name: row for row in listed.schema_list}
    assert listed.schema_count == 2 and set(rows) == {"movies", "people"}
    assert (rows["movies"].status, rows["movies"].description) == ("200", "films")
    assert rows["people"].id == uploaded.id and rows["people"].encrypted is False
    ges.delete_metadata2(metadata_id=created.id)
    refused("GES.2067", ges.show_metadata2, metadata_id=created.id)
    assert ges.list_metadatas2().schema_count == 1


def test_there_are_no_scenes(ges, graph):
    assert ges.list_scenes2(graph_id=graph).results == []
    body = model.RegisterScenesReq(scenes=[model.RegisterScenesReqScenes(name="fraud")])
    assert "fraud" in refused("GES.0001", ges.register_scenes2, graph_id=graph, body=body)
    body = model.DeregisterScenesReq(scenes=[model.DeregisterScenesReqScenes(name="fraud")])
    answer = ges.deregister_scenes2(graph_id=graph, body=body)
    assert (answer.success, answer.failure) == ([], ["fraud"])


def test_quotas(ges, graph, backup):
    rows = {row.type: row for row in ges.list_quotas2().quotas.resources}
    assert set(rows) >= {"graph", "backup", "metadata"}
    assert rows["graph"].available == 99 and 0 < rows["backup"].available < 1000
    assert rows["graph"].edge_volume > 0


def test_a_backup_is_deleted_and_outlives_its_graph_otherwise(ges, graph, backup):
    imported = ges.list_graph_backups2(graph_id=graph, limit=1).backup_list[0].id
    assert ges.delete_backup2(graph_id=graph, backup_id=imported).status_code == 200
    refused("GES.7024", ges.delete_backup2, graph_id=graph, backup_id=imported)
    ges.finish(graph, ges.delete_graph2(graph_id=graph, keep_backup=True))
    kept = ges.list_backups2().backup_list
    assert [(row.id, row.graph_status) for row in kept] == [(backup, "400")]


def test_what_is_not_there_is_refused(ges):
    for call in (ges.create_backup2, ges.list_graph_backups2, ges.stop_graph2, ges.delete_graph2):
        message = refused("GES.7000", call, graph_id=NOWHERE)
        assert message == "The graph does not exist or has been deleted."
    refused("GES.0001", ges.list_graphs2, limit=-1)


def test_a_wrong_key_is_refused(server):
    keys = server.credentials | {"secret_key": "wrong"}
    stranger = Ges(server.url, by_key(keys))
    assert "signature" in refused("APIGW.0301", stranger.list_graphs2, status=401).lower()


def test_another_project_is_refused(server):
    elsewhere = Ges(server.url, by_key(server.credentials | {"project_id": "0" * 32}))
    with pytest.raises(ClientRequestException) as caught:
        elsewhere.list_graphs2()
    assert caught.value.status_code in (400, 401, 403) and caught.value.request_id


def test_a_token_serves_as_well(server):
    """The SDK has no credentials that are a token; an application can give it some."""

    token = server.token()

    class Token(BasicCredentials):
        def sign_request(self, request):
            request.header_params["X-Auth-Token"] = token
            Signer.process_request_uri(request)
            return request

    Token.__name__ = BasicCredentials.__name__
    by_token = Ges(server.url, Token("none", "none", server.project))
    graph = by_token.create("token_graph")
    by_token.finish(graph, by_token.create_backup2(graph_id=graph))
    assert by_token.list_graph_backups2(graph_id=graph).backup_count == 1


def test_calls_can_be_retried(ges):
    """The SDK's own retries stand still at the first success."""
    answers = []
    invoker = ges.client.list_graphs2_invoker(model.ListGraphs2Request(limit=5))
    wants_more = lambda answer, error: answers.append(answer or error) or error is not None
    invoker.with_retry(wants_more, 2, BackoffStrategies.NONE).invoke()
    assert [answer.status_code for answer in answers] == [200]


def test_mistakes_of_type_would_be_seen():
    wrong = {"id": 7, "is_multi_az": False, "replication": "1", "enable_https": "false", "tags": {}}
    places = {place.split(":")[0] for place in mistyped("ShowGraphRespGraph", wrong, "g")}
    assert places == {f"g.{key}" for key in wrong}


def test_every_operation_of_the_sdk_was_called(ges):
    assert len(operations()) == 34, sorted(operations())
    assert operations() - ges.called == set()
