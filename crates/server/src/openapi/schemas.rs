//! Bodies and answers that operations name. What is not required may be absent; unknown fields
//! are ignored in requests and may come in answers.

mod identity;

use serde_json::{Value, json};

fn object(required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "required": required, "properties": properties})
}

fn list(name: &str) -> Value {
    json!({"type": "array", "items": {"$ref": format!("#/components/schemas/{name}")}})
}

/// All schemas by name.
pub(super) fn all() -> Value {
    let (text, count) = (json!({"type": "string"}), json!({"type": "integer", "minimum": 0}));
    let flag = json!({"type": "boolean"});
    let named = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let mut all = json!({
        "Any": {"type": "object"},
        "Error": object(
            &["error_code", "error_msg"],
            json!({"error_code": text, "error_msg": text, "request_id": text}),
        ),
        "DataError": object(&["errorCode", "errorMessage"], json!({"errorCode": text, "errorMessage": text})),
        "IdentityError": object(
            &["error"],
            json!({"error": object(&["code", "message", "title"], json!({"code": count, "message": text, "title": text}))}),
        ),
        "JobId": object(&["job_id"], json!({"job_id": text})),
        "NewBackup": object(&["job_id", "backup_id"], json!({"job_id": text, "backup_id": text})),
        "GraphName": object(&["id", "name"], json!({"id": text, "name": text})),
    });
    for part in [
        identity::all(),
        management(&text, &count, &flag, &named),
        around(&text, &count, &flag),
        data(&text, &flag, &named),
    ] {
        if let (Value::Object(all), Value::Object(part)) = (&mut all, part) {
            all.extend(part);
        }
    }
    all
}

fn management(text: &Value, count: &Value, flag: &Value, named: &dyn Fn(&str) -> Value) -> Value {
    let paged = |count_name: &str, list_name: &str, item: &str| {
        object(&[count_name, list_name], json!({count_name: count, list_name: list(item)}))
    };
    json!({
        "Graph": object(&["id", "name", "status"], json!({
            "id": text, "name": text, "status": text, "graph_size_type_index": text, "created": text,
            "updated": text, "created_by": text, "schema_mode": text, "data_store_version": text,
        })),
        "OneGraph": object(&["graph"], json!({"graph": named("Graph")})),
        "GraphList": paged("graph_count", "graphs", "Graph"),
        "NewGraph": object(&["graph"], json!({"graph": object(&["name", "graph_size_type_index"], json!({
            "name": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{3,49}$"},
            "graph_size_type_index": {"enum": ["0", "1", "2", "3", "4", "401", "5", "6"]},
            "schema_mode": {"enum": ["closed", "open"]},
            "enable_multi_label": flag,
        }))})),
        "Start": object(&[], json!({"graph_backup_id": text})),
        "Resize": object(&["resize"], json!({"resize": object(&["graph_size_type_index"], json!({
            "graph_size_type_index": {"enum": ["2", "3", "4", "5"]},
        }))})),
        "Expand": object(&["expand"], json!({"expand": object(&["replication"], json!({
            "replication": {"type": "integer", "minimum": 1, "maximum": 99},
        }))})),
        "Upgrade": object(&["upgrade_version"], json!({"upgrade_version": text, "force_upgrade": flag})),
        "Eip": object(&["eip_id"], json!({"eip_id": text})),
        "SecurityGroup": object(&["security_group_id"], json!({"security_group_id": text})),
        "Scenes": object(&["scenes"], json!({"scenes": {
            "type": "array", "items": object(&["name"], json!({"name": text})),
        }})),
        "BackupExport": object(&["backup_id", "export_path"], json!({"backup_id": text, "export_path": text})),
        "BackupImport": object(&["import_path"], json!({"import_path": text})),
        "BackupPolicy": object(&[], json!({
            "enabled": flag, "interval_seconds": {"type": "integer", "minimum": 1},
            "keep": {"type": "integer", "minimum": 1},
        })),
        "Import": object(&[], json!({
            "schema_path": text, "vertexset_path": text, "edgeset_path": text, "log_dir": text,
            "vertexset_format": {"enum": ["csv", "txt"]}, "edgeset_format": {"enum": ["csv", "txt"]},
            "delimiter": text, "trim_quote": text, "offline": flag,
            "parallel_edge": object(&[], json!({
                "action": {"enum": ["allow", "ignore", "override"]}, "ignore_label": flag,
            })),
        })),
        "Export": object(&["graph_export_path", "edge_set_name", "vertex_set_name", "schema_name"], json!({
            "graph_export_path": text, "edge_set_name": text, "vertex_set_name": text, "schema_name": text,
            "paginate": object(&[], json!({"enable": flag, "row_count_per_file": count})),
        })),
        "Backup": object(&["id", "name", "graph_id", "status"], json!({
            "id": text, "name": text, "graph_id": text, "graph_name": text, "status": text,
            "backup_method": text, "start_time": text, "end_time": {"type": ["string", "null"]},
            "size": count, "duration": count,
        })),
        "BackupList": paged("backup_count", "backup_list", "Backup"),
        "Job": object(&["job_id", "job_name", "job_type", "status", "begin_time", "job_progress"], json!({
            "job_id": text, "job_name": text, "job_type": text, "related_graph": text,
            "status": {"enum": ["pending", "running", "success", "failed"]},
            "submit_time": text, "begin_time": text, "end_time": text, "fail_reason": text,
            "job_progress": {"type": "number", "minimum": 0, "maximum": 100},
            "job_detail": {"type": "object"},
        })),
        "JobList": paged("job_count", "job_list", "Job"),
    })
}

/// Metadata, quotas, scenes, and what a backup and a bucket consist of.
fn around(text: &Value, count: &Value, flag: &Value) -> Value {
    let paged = |count_name: &str, list_name: &str, item: &str| {
        object(&[count_name, list_name], json!({count_name: count, list_name: list(item)}))
    };
    json!({
        "NewMetadata": object(&["name", "metadata_path", "ges_metadata"], json!({
            "name": {"type": "string", "pattern": "^[A-Za-z0-9_]{1,64}$"}, "metadata_path": text,
            "description": text, "is_overwrite": flag,
            "ges_metadata": object(&["labels"], json!({"labels": list("Label")})),
        })),
        "MetadataFile": object(&["name", "metadata_path"], json!({
            "name": {"type": "string", "pattern": "^[A-Za-z0-9_]{1,64}$"}, "metadata_path": text,
        })),
        "OneMetadata": object(&["ges_metadata"], json!({"ges_metadata": object(&["labels"], json!({
            "labels": {"type": "array", "items": object(&["name"], json!({
                "name": text,
                "properties": {"type": ["array", "null"], "items": {"type": "object", "additionalProperties": text}},
            }))},
        }))})),
        "MetadataName": object(&["id", "name"], json!({"id": text, "name": text})),
        "Metadata": object(&["id", "name", "metadata_path", "status"], json!({
            "id": text, "name": text, "description": text, "metadata_path": text, "status": {"const": "200"},
            "start_time": text, "last_update_time": text, "encrypted": flag,
            "master_key_id": text, "master_key_name": text,
        })),
        "MetadataList": paged("schema_count", "schema_list", "Metadata"),
        "Quotas": object(&["quotas"], json!({"quotas": object(&["resources"], json!({
            "resources": {"type": "array", "items": object(&["type", "available"], json!({
                "type": {"enum": ["graph", "backup", "metadata"]}, "available": count, "edge_volume": count,
            }))},
        }))})),
        "BackupFiles": object(&["bucket", "files"], json!({"bucket": text, "files": {
            "type": "array", "items": object(&["name", "size", "download_link", "link_expired_time"], json!({
                "name": text, "size": count, "download_link": {"type": "string", "format": "uri"},
                "link_expired_time": text,
            })),
        }})),
        "BackupPolicyInForce": object(&["enabled", "interval_seconds", "keep", "next_time"], json!({
            "enabled": flag, "interval_seconds": count, "keep": count, "next_time": {"type": ["string", "null"]},
        })),
        "SceneList": object(&["results"], json!({"results": {"type": "array", "maxItems": 0}})),
        "UnregisteredScenes": object(&["success", "failure"], json!({
            "success": {"type": "array", "items": text}, "failure": {"type": "array", "items": text},
        })),
        "ObjectList": object(&["bucket", "objects", "is_truncated"], json!({
            "bucket": text, "prefix": text, "is_truncated": flag, "next_marker": {"type": ["string", "null"]},
            "objects": {"type": "array", "items": object(&["key", "size"], json!({"key": text, "size": count}))},
        })),
        "Empty": {"type": "object", "maxProperties": 0},
    })
}

fn data(text: &Value, flag: &Value, named: &dyn Fn(&str) -> Value) -> Value {
    // One value may come without brackets.
    let values = json!({"type": "object", "additionalProperties": true});
    let count = json!({"type": "integer", "minimum": 0});
    json!({
        "Summary": object(&["data"], json!({"data": object(&["vertexNum", "edgeNum", "contentRoot"], json!({
            "vertexNum": count, "edgeNum": count, "contentRoot": text, "labelDetails": {"type": "object"},
        }))})),
        "Property": object(&["name"], json!({
            "name": text, "cardinality": {"enum": ["single", "list", "set"]}, "dataType": text, "type": text,
        })),
        "Label": object(&["name"], json!({"name": text, "type": text, "properties": list("Property")})),
        "Labels": object(&["labels"], json!({"labels": list("Label")})),
        "LabelName": object(&["label"], json!({"label": text})),
        "Properties": object(&["properties"], json!({"properties": list("Property"), "override": flag})),
        "NewVertex": object(&["vertex"], json!({"vertex": text, "label": text, "properties": values})),
        "Vertices": object(&["vertices"], json!({
            "vertices": {"type": "array", "items": {"anyOf": [text, named("NewVertex")]}, "maxItems": 10_000},
            "overrideExists": flag, "ignoreError": flag,
        })),
        "Change": object(&["properties"], json!({"label": text, "properties": values})),
        "NewEdge": object(&["source", "target"], json!({
            "source": text, "target": text, "label": text, "properties": values,
            "createNotExists": flag, "parallelEdge": {"type": "object"},
        })),
        "Edges": object(&["edges"], json!({
            "edges": {"type": "array", "items": named("NewEdge"), "maxItems": 10_000},
            "createNotExists": flag, "ignoreError": flag, "parallelEdge": {"type": "object"},
        })),
    })
}
