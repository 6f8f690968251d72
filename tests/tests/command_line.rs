//! `gestalt` as a client: the real binary against a real server.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use harness::{Server, Value, gestalt, sample};
use tempfile::TempDir;

/// Somebody at a shell: a home, a working directory, and what `gestalt` is told there.
struct Person {
    home: TempDir,
    environment: Vec<(String, String)>,
}

impl Person {
    fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a home"), environment: Vec::new() }
    }

    /// Logged in as the first user.
    fn at(server: &Server) -> Self {
        let person = Self::new();
        let credentials = server.data().join("credentials.json").display().to_string();
        let said = person.ok(&["login", "--url", &server.url(), "--credentials", &credentials]);
        assert!(said.contains("project default"), "{said}");
        person
    }

    fn with(self, environment: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { environment: environment.iter().map(own).collect(), ..self }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = gestalt(arguments);
        command.env("HOME", self.home.path()).env_remove("XDG_CONFIG_HOME");
        command.envs(self.environment.iter().cloned()).current_dir(self.home.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary starts")
    }

    /// With something on standard input.
    fn feed(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("the binary starts");
        process.stdin.take().expect("a pipe").write_all(input).expect("it reads");
        process.wait_with_output().expect("it ends")
    }

    /// What it prints when all goes well.
    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let printed = self.ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {printed}"))
    }

    /// The one line about what went wrong.
    #[track_caller]
    fn fails(&self, code: i32, arguments: &[&str]) -> String {
        complaint(code, &self.run(arguments))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[track_caller]
fn complaint(code: i32, output: &Output) -> String {
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.starts_with("gestalt: ") && error.lines().count() == 1, "{error}");
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    error
}

fn credential(server: &Server, name: &str) -> String {
    server.credentials()[name].as_str().expect("a text").to_owned()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

fn put_people(person: &Person) {
    person.write("schema.xml", sample::PEOPLE_XML);
    person.write("vertices.csv", sample::PEOPLE_VERTICES);
    person.write("edges.csv", sample::PEOPLE_EDGES);
    person.ok(&["obs", "put", "schema.xml", "vertices.csv", "edges.csv", "data/people/"]);
}

const IMPORT: [&str; 8] = [
    "import",
    "people",
    "--schema",
    "data/people/schema.xml",
    "--vertices",
    "data/people/vertices.csv",
    "--edges",
    "data/people/edges.csv",
];

#[test]
fn the_whole_story() {
    let server = Server::start();
    let person = Person::at(&server);
    assert!(person.ok(&["graph", "create", "people"]).starts_with("graph people runs"));
    put_people(&person);
    let listed = person.ok(&["obs", "list", "data/people"]);
    assert_eq!(listed.lines().count(), 4, "{listed}");
    let imported = person.ok(&IMPORT);
    assert!(imported.contains("data/people/vertices.csv  success  4 "), "{imported}");

    let admin = server.admin();
    let summary = || admin.get("/ges/v1.0/{p}/graphs/people/summary?label_details=true").ok()["data"].clone();
    let before = summary();
    assert_eq!((&before["vertexNum"], &before["edgeNum"]), (&4.into(), &5.into()));
    assert!(person.ok(&["backup", "add", "people"]).contains("is complete, with id "));
    let backups = person.json(&["backup", "list", "PEOPLE"]);
    let backup = backups["backup_list"][0]["name"].as_str().expect("a name");

    admin.delete("/ges/v1.0/{p}/graphs/people/vertices/ann").ok();
    assert_ne!(summary(), before);
    person.fails(2, &["backup", "restore", backup]);
    let restored = person.ok(&["backup", "restore", backup, "--yes"]);
    assert!(restored.starts_with("graph people runs as in backup people-"), "{restored}");
    assert_eq!(summary(), before);

    person.ok(&["export", "people", "data/out/"]);
    person.ok(&["obs", "get", "data/out/", "here"]);
    let vertices = fs::read_to_string(person.path("here/set_vertex.csv")).expect("a file");
    assert_eq!(vertices.lines().count(), 4, "{vertices}");
    person.ok(&["graph", "stop", "people"]);
    assert!(person.ok(&["graph", "show", "people"]).contains("stopped"));
    person.ok(&["graph", "start", "people"]);
    person.ok(&["backup", "delete", backup, "--yes"]);
    person.ok(&["graph", "delete", "people", "--yes"]);
    assert_eq!(person.ok(&["graph", "list"]).lines().count(), 1, "the heading alone");
    let jobs = person.ok(&["job", "list", "--graph", "people"]);
    for job in ["CreateGraph", "ImportGraph", "CreateBackup", "StopGraph", "StartGraph", "DeleteGraph"] {
        assert!(jobs.contains(job), "{job}: {jobs}");
    }
}

#[test]
fn json_is_the_servers() {
    let server = Server::start();
    let (person, admin) = (Person::at(&server), server.admin());
    let created = person.json(&["graph", "create", "some", "--schema-mode", "open"]);
    let id = created["id"].as_str().expect("an id");
    let same = |arguments: &[&str], path: &str| {
        let printed = person.ok(&[arguments, &["--json"]].concat());
        assert_eq!(printed.trim_end().as_bytes(), admin.get(path).body, "{arguments:?}");
    };
    let added = person.json(&["backup", "add", "some"]);
    assert_eq!(added["backup_id"].as_str().map(str::len), Some(36));
    let job = added["job_id"].as_str().expect("a job");
    same(&["graph", "list"], "/v2/{p}/graphs");
    same(&["graph", "show", "some"], &format!("/v2/{{p}}/graphs/{id}"));
    same(&["backup", "list"], "/v2/{p}/graphs/backups");
    same(&["backup", "list", id], &format!("/v2/{{p}}/graphs/{id}/backups"));
    same(&["job", "list", "--status", "success"], "/v2/{p}/graphs/jobs?status=success");
    same(&["job", "wait", "some", job], &format!("/v2/{{p}}/graphs/{id}/jobs/{job}/status"));
    person.write("x", "x");
    assert_eq!(person.json(&["obs", "put", "x", "data/x"])["size"], 1);
    same(&["obs", "list", "data"], "/obs/data");
    assert!(person.json(&["graph", "stop", "some"])["job_id"].is_string());
    let backup = added["backup_id"].as_str().expect("an id");
    assert!(person.json(&["backup", "restore", backup, "--yes"])["job_id"].is_string());
    assert_eq!(person.json(&["backup", "delete", backup, "--yes"]), serde_json::json!({}));
    let deleted = person.json(&["graph", "delete", "some", "--yes", "--no-wait"]);
    assert!(deleted["job_id"].is_string());
}

#[test]
fn every_way_to_log_in() {
    let server = Server::start();
    let (url, project) = (server.url(), credential(&server, "project_id"));
    let (password, secret) = (credential(&server, "password"), credential(&server, "secret_key"));
    let access = credential(&server, "access_key");
    let works = |person: &Person| person.json(&["graph", "list"])["graph_count"] == 0;

    let person = Person::new();
    let login = ["login", "--url", &url, "--user", "admin", "--password-stdin"];
    let said = person.feed(&login, format!("{password}\n").as_bytes());
    assert_eq!(said.status.code(), Some(0), "{}", text(&said.stderr));
    assert!(!text(&said.stdout).contains(&password));
    assert!(works(&person));
    let kept = person.path(".config/gestalt/profiles.toml");
    assert_eq!(mode(&kept), 0o600);
    let profiles = fs::read_to_string(&kept).expect("a file");
    assert!(!profiles.contains(&password), "a token is enough");

    let login = ["login", "--profile", "key", "--url", &url, "--project", &project];
    let login = [&login[..], &["--access-key", &access, "--secret-key-stdin"]].concat();
    assert_eq!(person.feed(&login, secret.as_bytes()).status.code(), Some(0));
    assert_eq!(person.json(&["graph", "list", "--profile", "key"])["graph_count"], 0);
    person.ok(&["graph", "create", "signed", "--profile", "key"]);
    person.write("a b", "bytes");
    person.ok(&["obs", "put", "a b", "data/f/a b", "--profile", "key"]);
    assert_eq!(person.ok(&["obs", "get", "data/f/a b", "-", "--profile", "key"]), "bytes");
    person.ok(&["graph", "delete", "signed", "--yes", "--profile", "key"]);

    let token = server.admin().token.expect("a token");
    for environment in [
        &[("GESTALT_URL", &*url), ("GESTALT_USER", "admin"), ("GESTALT_PASSWORD", &password)][..],
        &[("GESTALT_URL", &url), ("GESTALT_TOKEN", &token), ("GESTALT_PROJECT", "default")],
        &[
            ("GESTALT_URL", &url),
            ("GESTALT_ACCESS_KEY", &access),
            ("GESTALT_SECRET_KEY", &secret),
            ("GESTALT_PROJECT", &project),
        ],
    ] {
        let stranger = Person::new().with(environment);
        assert!(works(&stranger));
        assert!(!stranger.path(".config").exists(), "the environment is not kept");
    }

    person.ok(&["logout"]);
    assert!(person.fails(1, &["graph", "list"]).contains("gestalt login"));
    assert_eq!(person.json(&["graph", "list", "--profile", "key"])["graph_count"], 0);
}

#[test]
fn what_fails_says_what_to_do() {
    let mut server = Server::start();
    let person = Person::at(&server);
    person.ok(&["graph", "create", "some", "--schema-mode", "open"]);
    person.write("x", "x");
    for (arguments, code, advice) in [
        (&["graph", "show", "none"][..], "GES.7000", "graph list"),
        (&["graph", "show", "f1529b88-c958-493e-8452-fccfe932cde1"], "GES.7000", "graph list"),
        (&["graph", "create", "some"], "GES.7013", "another name"),
        (&["graph", "create", "x"], "GES.7012", "letters"),
        (&["graph", "create", "other", "--size", "77"], "GES.7023", "size"),
        (&["graph", "start", "some"], "GES.7037", "graph stop"),
        (&["backup", "delete", "none", "--yes"], "GES.7024", "backup list"),
        (&["backup", "restore", "none", "--yes"], "GES.7024", "backup list"),
        (&["backup", "export", "none", "data/x/"], "GES.7024", "backup list"),
        (&["backup", "import", "none", "data/x/"], "GES.7000", "graph list"),
        (&["job", "wait", "some", "none"], "GES.8301", "job list"),
        (&["import", "some", "--edges", "data/none.csv"], "GES.", "obs list"),
        (&["export", "some", "data/?/"], "GES.7011", "path"),
        (&["obs", "get", "data/none", "y"], "OBS.000", "obs list"),
        (&["obs", "get", "data/none/", "y"], "OBS.000", "obs list"),
        (&["obs", "put", "x", "NO/x"], "OBS.0001", "lower-case"),
    ] {
        let error = person.fails(1, arguments);
        assert!(
            error.starts_with(&format!("gestalt: {code}")) && error.contains(advice),
            "{arguments:?}: {error}"
        );
    }
    assert!(!person.path("y").exists(), "no half of a file");
    assert!(person.fails(1, &["obs", "put", "missing", "data/x"]).contains("missing: "));
    person.ok(&["graph", "stop", "some"]);
    for verb in [&["graph", "stop", "some"][..], &["backup", "add", "some"]] {
        let error = person.fails(1, verb);
        assert!(error.starts_with("gestalt: GES.700") && error.contains("graph start"), "{error}");
    }
    let wrong = person.feed(&["login", "--user", "admin", "--password-stdin"], b"wrong\n");
    assert!(complaint(1, &wrong).starts_with("gestalt: 401 "), "{wrong:?}");
    person.ok(&["graph", "list"]);
    let revoked = Person::new().with(&[("GESTALT_URL", &server.url()), ("GESTALT_TOKEN", "revoked")]);
    assert!(revoked.fails(1, &["graph", "list"]).contains("gestalt login"));

    server.kill();
    let error = person.fails(1, &["graph", "list"]);
    assert!(error.contains("cannot be reached") && error.contains("gestalt serve"), "{error}");
    server.start_again();
}

#[test]
fn wrong_usage_exits_with_2() {
    let server = Server::start();
    let person = Person::at(&server);
    for arguments in [
        &["graph"][..],
        &["graph", "frobnicate"],
        &["graph", "create"],
        &["import", "some"],
        &["obs", "put", "x"],
        &["completions", "none"],
        &["backup", "list", "--limit", "many"],
    ] {
        assert_eq!(person.run(arguments).status.code(), Some(2), "{arguments:?}");
    }
    person.ok(&["graph", "create", "some"]);
    for (arguments, word) in [
        (&["graph", "delete", "some"][..], "--yes"),
        (&["graph", "list", "--url", "nowhere"], "address"),
        (&["graph", "list", "--url", "https://nowhere"], "--profile"),
        // A login is never shown to another server.
        (&["graph", "list", "--url", "http://127.0.0.1:9"], "--profile"),
        (&["graph", "list", "--project", "other"], "--profile"),
        (&["login", "--profile", "fresh", "--user", "admin"], "--password-stdin"),
        (&["login", "--profile", "fresh"], "--user"),
        (&["obs", "put", "a", "b", "data/one"], "slash"),
        (&["obs", "list", ""], "bucket/"),
    ] {
        let error = person.fails(2, arguments);
        assert!(error.contains(word), "{arguments:?}: {error}");
    }
    assert!(person.ok(&["graph", "list"]).contains("some"), "nobody deleted it");
}

#[test]
fn jobs_can_be_left_alone_and_waited_for() {
    let server = Server::start();
    let person = Person::at(&server);
    let id = person.json(&["graph", "create", "people"])["id"].as_str().expect("an id").to_owned();
    put_people(&person);
    let begun = person.ok(&[&IMPORT[..], &["--no-wait"]].concat());
    let job = begun.split(' ').nth(1).expect("a job");
    assert!(begun.contains(&format!("gestalt job wait {id} {job}")), "{begun}");
    let ended = person.ok(&["job", "wait", "people", job]);
    assert!(ended.contains("ImportGraph") && ended.contains("success"), "{ended}");
    // The last of the two wins.
    assert!(person.ok(&["backup", "add", "people", "--no-wait", "--wait"]).contains("is complete"));

    let failing = person.run(&["import", "people", "--vertices", "data/none.csv", "--no-wait"]);
    let begun = text(&failing.stdout);
    if let Some(job) = begun.split(' ').nth(1) {
        assert!(person.fails(1, &["job", "wait", &id, job]).contains(&format!("(job {job})")));
    }
}

#[test]
fn refused_lines_are_pointed_out() {
    let server = Server::start();
    let person = Person::at(&server);
    person.ok(&["graph", "create", "people"]);
    put_people(&person);
    person.write("more.csv", "eve,person,12\nfay,nothing of the kind\n");
    person.ok(&["obs", "put", "more.csv", "data/"]);
    let import = ["import", "people", "--schema", "data/people/schema.xml", "--vertices", "data/more.csv"];
    let output = person.run(&[&import[..], &["--log-dir", "data/log/"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("partFailed  2"), "{}", text(&output.stdout));
    assert!(text(&output.stderr).starts_with("1 lines were refused; data/log/"), "{}", text(&output.stderr));
}

#[test]
fn objects_go_and_come_unchanged() {
    let server = Server::start();
    let person = Person::at(&server);
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| (at * 7 % 251) as u8).collect();
    fs::write(person.path("big"), &bytes).expect("a file");
    fs::write(person.path("empty"), b"").expect("a file");
    person.ok(&["obs", "put", "big", "empty", "data/dir/"]);
    let piped = person.feed(&["obs", "put", "-", "data/dir/sub/pi ped?.csv"], &bytes);
    assert_eq!(piped.status.code(), Some(0), "{}", text(&piped.stderr));
    person.ok(&["obs", "get", "data/dir/", "back"]);
    assert_eq!(fs::read(person.path("back/big")).expect("a file"), bytes);
    assert_eq!(fs::read(person.path("back/empty")).expect("a file"), b"");
    assert_eq!(fs::read(person.path("back/sub/pi ped?.csv")).expect("a file"), bytes);
    assert_eq!(person.run(&["obs", "get", "data/dir/big", "-"]).stdout, bytes);
    person.ok(&["obs", "get", "data/dir/empty", "back/big"]);
    assert_eq!(fs::read(person.path("back/big")).expect("a file"), b"");
    assert_eq!(fs::read_dir(person.path("back")).expect("a folder").count(), 3, "no drafts");
}

#[test]
fn a_closed_pipe_is_no_complaint() {
    let server = Server::start();
    let person = Person::at(&server);
    for arguments in [&["graph", "list"][..], &["completions", "zsh"], &["graph", "list", "--json"]] {
        let mut command = person.command(arguments);
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = command.stdout(writer).stderr(Stdio::piped()).output().expect("it starts");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{arguments:?}");
    }
}

#[test]
fn completions_know_the_verbs() {
    let person = Person::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = person.ok(&["completions", shell]);
        for word in ["gestalt", "serve", "backup", "restore", "no-wait"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn help_names_no_secret() {
    let person = Person::new().with(&[("GESTALT_PASSWORD", "geheim"), ("GESTALT_SECRET_KEY", "geheim")]);
    for arguments in [&["login", "--help"][..], &["graph", "list", "--help"]] {
        assert!(!person.ok(arguments).contains("geheim"));
    }
}
