//! Users and projects, as an administrator makes them.

use serde_json::{Value, json};

use crate::client::{Client, Reply, log_in_body};

impl Client {
    /// Makes a project and returns its id.
    pub fn create_project(&self, name: &str) -> String {
        self.created("/v3/projects", "project", json!({"name": name}))
    }

    /// Makes a user and returns his id.
    pub fn create_user(&self, name: &str, password: &str) -> String {
        self.created("/v3/users", "user", json!({"name": name, "password": password}))
    }

    /// Makes a role with a policy of these statements and returns its id.
    pub fn create_role(&self, name: &str, statements: Value) -> String {
        let policy = json!({"Version": "1.1", "Statement": statements});
        let role = json!({"display_name": name, "type": "XA", "description": "", "policy": policy});
        self.created("/v3.0/OS-ROLE/roles", "role", role)
    }

    /// Makes one of something and returns its id.
    pub fn created(&self, path: &str, kind: &str, fields: Value) -> String {
        let reply = self.post(path, json!({ kind: fields }));
        assert_eq!(reply.status, 201, "{reply}");
        reply.json()[kind]["id"].as_str().expect("an id").to_owned()
    }

    /// The id of a role by its name.
    pub fn role(&self, name: &str) -> String {
        let roles = self.get("/v3/roles").ok()["roles"].clone();
        let role = roles.as_array().expect("a list").iter().find(|role| role["name"] == name).cloned();
        role.unwrap_or_else(|| panic!("no role {name}"))["id"].as_str().expect("an id").to_owned()
    }

    /// Gives a user a role in a project.
    pub fn assign(&self, user: &str, project: &str, role: &str) {
        self.send("PUT", &assignment(user, project, role), ()).done();
    }

    /// Takes it away.
    pub fn withdraw(&self, user: &str, project: &str, role: &str) {
        self.delete(&assignment(user, project, role)).done();
    }

    /// Makes a user with the roles of these names in a project, and logs him in there.
    pub fn user_in(&self, project: &str, name: &str, roles: &[&str]) -> Client {
        let id = self.create_user(name, "correct horse");
        for role in roles {
            self.assign(&id, project, &self.role(role));
        }
        self.without_token().in_project(project).log_in(name, "correct horse")
    }

    /// What a log-in answers.
    pub fn try_log_in(&self, name: &str, password: &str) -> Reply {
        self.post("/v3/auth/tokens", log_in_body(name, password, json!({"project": {"id": self.project}})))
    }
}

fn assignment(user: &str, project: &str, role: &str) -> String {
    format!("/v3/projects/{project}/users/{user}/roles/{role}")
}

impl Reply {
    /// Asserts a success without a body, as identity answers changes.
    pub fn done(&self) {
        assert_eq!((self.status, self.body.len()), (204, 0), "{self}");
    }

    /// Asserts a refusal in the shape of identity and returns its text.
    pub fn refused_identity(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self}");
        let error = self.json()["error"].clone();
        assert_eq!(error["code"], status, "{self}");
        error["message"].as_str().expect("a text").to_owned()
    }
}
