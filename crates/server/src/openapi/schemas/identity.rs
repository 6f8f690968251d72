//! Bodies and answers of the identity interface.

use serde_json::{Map, Value, json};

use super::{list, object};

/// A noun: what is shown of one, and what is asked for to make or to change one.
struct Noun {
    name: &'static str,
    shown: Value,
    asked: Value,
    needed: &'static [&'static str],
}

pub(super) fn all() -> Value {
    let text = json!({"type": "string"});
    let flag = json!({"type": "boolean"});
    let name = json!({"type": "string", "minLength": 1, "maxLength": 64});
    let mut all = Map::new();
    for noun in nouns(&text, &flag, &name) {
        noun.describe(&mut all);
    }
    let log_in = object(
        &["auth"],
        json!({"auth": object(&["identity"], json!({
            "identity": object(&["methods", "password"], json!({
                "methods": {"type": "array", "items": {"const": "password"}, "minItems": 1},
                "password": object(&["user"], json!({"user": object(&["password"], json!({
                    "name": text, "id": text, "password": text, "domain": {"type": "object"},
                }))})),
            })),
            "scope": {"type": "object"},
        }))}),
    );
    let token = object(
        &["methods", "expires_at", "issued_at", "user"],
        json!({
            "methods": {"type": "array", "items": text}, "expires_at": text, "issued_at": text,
            "user": object(&["id", "name", "domain"], json!({"id": text, "name": text})),
            "roles": {"type": "array", "items": {"type": "object"}},
        }),
    );
    let password =
        object(&["original_password", "password"], json!({"original_password": text, "password": text}));
    all.insert("LogIn".into(), log_in);
    all.insert("Token".into(), object(&["token"], json!({"token": token})));
    all.insert("NewPassword".into(), object(&["user"], json!({"user": password})));
    all.into()
}

fn nouns(text: &Value, flag: &Value, name: &Value) -> Vec<Noun> {
    let policy = json!({"type": "object"});
    vec![
        Noun {
            name: "User",
            shown: json!({"id": text, "name": text, "domain_id": text, "description": text, "enabled": flag}),
            asked: json!({"name": name, "password": text, "description": text, "enabled": flag}),
            needed: &["name"],
        },
        Noun {
            name: "Group",
            shown: json!({"id": text, "name": text, "domain_id": text, "description": text}),
            asked: json!({"name": name, "description": text}),
            needed: &["name"],
        },
        Noun {
            name: "Project",
            shown: json!({
                "id": text, "name": text, "domain_id": text, "description": text, "enabled": flag, "is_domain": flag,
            }),
            asked: json!({"name": name, "description": text, "enabled": flag}),
            needed: &["name"],
        },
        Noun {
            name: "Domain",
            shown: json!({"id": text, "name": text, "enabled": flag, "description": text}),
            asked: Value::Null,
            needed: &[],
        },
        Noun {
            name: "Role",
            shown: json!({"id": text, "name": text, "display_name": text, "description": text, "catalog": text}),
            asked: json!({"display_name": name, "description": text, "policy": policy}),
            needed: &["display_name", "policy"],
        },
        Noun {
            name: "Credential",
            shown: json!({"access": text, "user_id": text, "status": {"enum": ["active", "inactive"]}}),
            asked: json!({"user_id": text, "description": text, "status": {"enum": ["active", "inactive"]}}),
            needed: &[],
        },
    ]
}

impl Noun {
    /// The noun, one, a list of them, and what makes and changes one.
    fn describe(self, all: &mut Map<String, Value>) {
        let Self { name, shown, asked, needed } = self;
        let field = name.to_lowercase();
        let named = json!({"$ref": format!("#/components/schemas/{name}")});
        let shown_always: Vec<&str> =
            shown.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        all.insert(name.into(), object(&shown_always, shown.clone()));
        all.insert(format!("One{name}"), object(&[&field], json!({ &field: named })));
        let plural = format!("{field}s");
        all.insert(format!("{name}List"), object(&[&plural], json!({ &plural: list(name) })));
        if asked.is_object() {
            all.insert(
                format!("New{name}"),
                object(&[&field], json!({ &field: object(needed, asked.clone()) })),
            );
            all.insert(format!("Changed{name}"), object(&[&field], json!({ &field: object(&[], asked) })));
        }
    }
}
