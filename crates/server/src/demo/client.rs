//! What the demonstration needs of the client that `gestalt` is itself.

use std::path::Path;
use std::time::Duration;

use ::client::{Access, Api, Credentials, Error, Trust, wait_until};
use serde_json::Value;

use super::DemoError;

/// How long a server may take to be ready, or a graph to be in a state.
const PATIENCE: Duration = Duration::from_secs(300);

/// Waits for the server, reads the credentials that its first start left, and gets a token.
pub(super) fn log_in(url: &str, data: &Path) -> Result<(Api, Credentials), DemoError> {
    let server = Api::new(url, "", Access::None, &Trust::System);
    wait_until("the server to be ready", PATIENCE, || match server.get("/readyz") {
        Ok(_) => Ok(Some(())),
        Err(Error::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    })?;
    let credentials = Credentials::read(&data.join("credentials.json"))?;
    let (api, _) = credentials.log_in().at(&server)?;
    Ok((api, credentials))
}

/// Waits until the management plane shows a graph in a state.
pub(super) fn wait_status(api: &Api, graph: &str, status: &str) -> Result<(), DemoError> {
    wait_until(&format!("status {status} of the graph"), PATIENCE, || {
        let shown = api.get(&format!("/v2/{{p}}/graphs/{graph}"))?;
        Ok((shown.body["graph"]["status"] == status).then_some(()))
    })
}

/// A list in the `data` of an answer of the data plane.
pub(super) fn data_list(api: &Api, path: &str, asked: &Value, list: &str) -> Result<Vec<Value>, DemoError> {
    let reply = api.post(path, Some(asked))?;
    let found = reply.body["data"][list].as_array().cloned();
    Ok(found.ok_or_else(|| reply.lacks(list))?)
}
