//! Tokens: `/v3/auth/tokens`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::app::App;
use crate::audit::Actor;
use crate::codes::Code;
use crate::http::address::Address;
use crate::http::body::Fields;
use crate::http::error::ApiError;
use crate::http::{Parameters, auth, blocking};
use crate::identity::lockout::Subject;
use crate::identity::session::{self, Scoped, Session};
use crate::identity::token::{self, Proof, Scope, User};
use crate::identity::{IdentityError, change, password};

const SUBJECT: HeaderName = HeaderName::from_static("x-subject-token");

/// What somebody wants to log in as.
struct LogIn {
    proof: Offered,
    scope: Scope,
}

enum Offered {
    Password(Claim),
    Token(String),
}

/// A user and a password that is said to be his.
pub(crate) struct Claim {
    pub(crate) name: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) domain: Option<String>,
    pub(crate) password: String,
}

pub(crate) async fn log_in(
    State(app): State<App>,
    address: Address,
    parameters: Parameters,
    body: Result<Fields, ApiError>,
) -> Result<Response, IdentityError> {
    let wanted = body.and_then(|body| LogIn::parse(&body));
    let wanted = wanted.map_err(|_| ApiError::new(Code::IdentityBadRequest))?;
    if app.keystone().is_some() {
        let elsewhere = "Tokens of this server come from the Keystone that it is configured with.";
        return Err(ApiError::about(Code::IdentityForbidden, elsewhere).into());
    }
    let lifetime = app.token_seconds();
    let (user, method, expires) = match wanted.proof {
        Offered::Password(claim) => {
            let user = check_password(&app, &address, claim).await?;
            (user.id, "password", app.now().plus_seconds(lifetime))
        }
        // A token got with a token ends when that one does.
        Offered::Token(token) => {
            let session = auth::check_token(&app, &token).await;
            let session = session.map_err(|_| ApiError::new(Code::IdentityUnauthorized))?;
            (session.user.clone(), "token", session.expires)
        }
    };
    let text = app.ambient().token();
    let scope = wanted.scope;
    let issuing = (app.clone(), text.clone());
    let issued = blocking(move || {
        let (app, text) = issuing;
        let proof = Proof { user: &user, method, expires };
        app.db().write(|db| token::issue(db, &text, &proof, &scope, app.now()))?;
        session::of_token(&app, &text)?.ok_or_else(|| ApiError::new(Code::IdentityUnauthorized))
    });
    let session = issued.await?;
    let body = describe(&app, &session, !parameters.contains_key("nocatalog"));
    Ok((StatusCode::CREATED, [(SUBJECT, text)], Extension(Actor::of(&session)), Json(body)).into_response())
}

impl LogIn {
    /// The parts of Keystone's body that matter.
    fn parse(body: &Fields) -> Result<Self, ApiError> {
        let auth = body.required_object("auth")?;
        let identity = auth.required_object("identity")?;
        let methods = identity.list("methods")?.unwrap_or_default();
        let scope = Scope::parse(auth.object("scope")?)?;
        if methods.iter().any(|method| method == "password") {
            let user = identity.required_object("password")?.required_object("user")?;
            return Ok(Self { proof: Offered::Password(Claim::parse(&user)?), scope });
        }
        if methods.iter().any(|method| method == "token") {
            let token = identity.required_object("token")?.text("id")?;
            return Ok(Self { proof: Offered::Token(token), scope });
        }
        Err(ApiError::about(Code::BadParameter, "[auth.identity.methods]"))
    }
}

impl Claim {
    fn parse(user: &Fields) -> Result<Self, ApiError> {
        let domain = match user.object("domain")? {
            Some(domain) => domain.optional_text("name")?.or(domain.optional_text("id")?),
            None => None,
        };
        let (name, user_id) = (user.optional_text("name")?, user.optional_text("id")?);
        let password = user.optional_text("password")?;
        let password = password.ok_or_else(|| ApiError::new(Code::ParameterMissing))?;
        if name.is_none() && user_id.is_none() {
            return Err(ApiError::about(Code::ParameterMissing, "[auth.identity.password.user.name]"));
        }
        Ok(Self { name, user_id, domain, password })
    }

    /// What is counted if the password is wrong, the same whether there is such a user or not.
    fn subjects(&self, address: &Address) -> [Subject; 2] {
        let name = self.user_id.as_ref().or(self.name.as_ref()).cloned().unwrap_or_default();
        // A name that is longer than any user's is not kept.
        let name = name.chars().take(password::LONGEST_NAME).collect();
        [Subject::User(name), Subject::Address(address.to_string())]
    }
}

/// The user if the password is right. Whoever fails too often is refused without a look.
pub(crate) async fn check_password(
    app: &App,
    address: &Address,
    claim: Claim,
) -> Result<User, IdentityError> {
    let subjects = claim.subjects(address);
    // Each check takes 19 MiB: there are only so many at a time.
    let _permit = app.password_checks().acquire_owned().await.map_err(ApiError::internal)?;
    if let Some(seconds) = app.lockouts().locked(&subjects, app.now()) {
        let wait = format!("Too many attempts have failed. Try again in {seconds} seconds.");
        return Err(ApiError::about(Code::IdentityUnauthorized, wait).into());
    }
    let checking = app.clone();
    let checked = blocking(move || {
        let found =
            checking.db().read(|db| token::find_user(db, &claim.name, &claim.user_id, &claim.domain))?;
        let hash = found.as_ref().map(|user| user.password_hash.as_str());
        // Checked even if there is no such user: both take the same time and look the same.
        let right = password::verify(&claim.password, hash);
        Ok((found, right))
    });
    match checked.await? {
        (Some(user), true) => {
            app.lockouts().succeeded(&subjects[0]);
            Ok(user)
        }
        (found, _) => {
            app.lockouts().failed(&subjects, app.now());
            let error = ApiError::new(Code::IdentityUnauthorized);
            let about = found.map(|user| Actor { id: user.id.0, name: user.name });
            Err(IdentityError { error, about })
        }
    }
}

/// The token that is asked about, if it is one of the caller's account; others' are none of
/// anybody's business, and of one's own account only an administrator's.
async fn subject(
    app: &App,
    caller: &Session,
    headers: &HeaderMap,
) -> Result<(String, Arc<Session>), ApiError> {
    let text = headers.get(SUBJECT).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let absent = || ApiError::new(Code::IdentityNotFound);
    let session = auth::check_token(app, &text).await.map_err(|_| absent())?;
    if session.domain != caller.domain || !caller.manages(&session.user) {
        return Err(absent());
    }
    Ok((text, session))
}

pub(crate) async fn examine(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Response, IdentityError> {
    let (text, session) = subject(&app, &caller, &headers).await?;
    let body = describe(&app, &session, !parameters.contains_key("nocatalog"));
    Ok(([(SUBJECT, text)], Json(body)).into_response())
}

pub(crate) async fn revoke(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
    headers: HeaderMap,
) -> Result<StatusCode, IdentityError> {
    let (text, _) = subject(&app, &caller, &headers).await?;
    if app.keystone().is_some() {
        let elsewhere = "Tokens of this server are revoked at the Keystone that it is configured with.";
        return Err(ApiError::about(Code::IdentityForbidden, elsewhere).into());
    }
    change(&app, move |_, db| Ok(token::revoke(db, &text)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn catalog(
    State(app): State<App>,
    Extension(caller): Extension<Arc<Session>>,
) -> Json<Value> {
    Json(json!({"catalog": app.catalog(caller.project()), "links": {"self": "/v3/auth/catalog"}}))
}

/// The body of a token, as Keystone shows it.
fn describe(app: &App, session: &Session, catalog: bool) -> Value {
    let domain = json!({"id": session.domain.as_str(), "name": session.domain_name});
    let roles: Vec<Value> =
        session.roles.iter().map(|role| json!({"id": role.id, "name": role.name})).collect();
    let mut token = json!({
        "methods": [session.method],
        "issued_at": session.issued.precise(),
        "expires_at": session.expires.precise(),
        "user": {
            "id": session.user.as_str(), "name": session.user_name, "password_expires_at": "", "domain": domain,
        },
        "roles": roles,
        "catalog": if catalog { app.catalog(session.project()) } else { json!([]) },
    });
    match &session.scope {
        Scoped::Project { id, name } => {
            token["project"] = json!({"id": id.as_str(), "name": name, "domain": domain});
        }
        Scoped::Domain => token["domain"] = domain,
        Scoped::Nothing => {}
    }
    json!({"token": token})
}
