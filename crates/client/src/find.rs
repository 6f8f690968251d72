//! From the names that people use to the ids that requests need.

use serde_json::Value;

use crate::api::{Api, with_query};
use crate::error::Error;

/// As many rows as one request may ask for.
const PAGE: usize = 1000;

/// A graph as it was found.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    pub(crate) id: String,
    /// The name, or again the id if that is how it was named.
    pub(crate) name: String,
}

/// A backup as it was found.
#[derive(Debug, Clone)]
pub(crate) struct Backup {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) graph_id: String,
    pub(crate) graph_name: String,
}

/// A graph by id or name. Names do not differ only in case.
pub(crate) fn graph(api: &Api, given: &str) -> Result<Graph, Error> {
    if is_uuid(given) {
        return Ok(Graph { id: given.into(), name: given.into() });
    }
    let fits = |row: &Value| row["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(given));
    let found = all(api, "/v2/{p}/graphs", "graphs", fits)?;
    let found = found.first().map(|row| Graph { id: text(row, "id"), name: text(row, "name") });
    found.ok_or_else(|| Error::Absent { code: "GES.7000", what: "graph", name: given.into() })
}

/// A backup of any graph by id or name. Two that were added in the same second have the same name.
pub(crate) fn backup(api: &Api, given: &str) -> Result<Backup, Error> {
    let fits = |row: &Value| row["id"] == given || row["name"] == given;
    let found = all(api, "/v2/{p}/graphs/backups", "backup_list", fits)?;
    match &found[..] {
        [row] => Ok(Backup {
            id: text(row, "id"),
            name: text(row, "name"),
            graph_id: text(row, "graph_id"),
            graph_name: text(row, "graph_name"),
        }),
        [] => Err(Error::Absent { code: "GES.7024", what: "backup", name: given.into() }),
        several => {
            let ids: Vec<String> = several.iter().map(|row| text(row, "id")).collect();
            Err(Error::Ambiguous { name: given.into(), ids: ids.join(", ") })
        }
    }
}

/// Rows of a list, page by page.
fn all(api: &Api, path: &str, list: &str, fits: impl Fn(&Value) -> bool) -> Result<Vec<Value>, Error> {
    let mut found = Vec::new();
    let mut offset = 0;
    loop {
        let page = with_query(path, &[("limit", &PAGE.to_string()), ("offset", &offset.to_string())]);
        let reply = api.get(&page)?;
        let rows = reply.list(list)?;
        found.extend(rows.iter().filter(|row| fits(row)).cloned());
        if rows.len() < PAGE {
            return Ok(found);
        }
        offset += rows.len();
    }
}

/// A text of a row; nothing where it has none.
pub(crate) fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap_or_default().to_owned()
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_told_from_a_name() {
        assert!(is_uuid("f1529b88-c958-493e-8452-fccfe932cde1"));
        for name in ["mine", "", "f1529b88c958493e8452fccfe932cde1", "f1529b88-c958-493e-8452-fccfe932cdeX"] {
            assert!(!is_uuid(name), "{name}");
        }
    }
}
