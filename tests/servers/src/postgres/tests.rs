use std::process::{Command, Stdio};

use super::*;

async fn ask(server: &Postgres, url: &str, statement: &str) -> String {
    let mut psql = tokio::process::Command::new(server.programs.join("psql"));
    psql.args(["--no-psqlrc", "--tuples-only", "--no-align", "--command", statement, url]);
    let output = psql.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn processes_with(text: &str) -> usize {
    let listed = Command::new("pgrep").args(["--full", "--count", text]).output().unwrap();
    String::from_utf8(listed.stdout).unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn what_was_confirmed_survives_a_kill_and_a_restart_on_the_same_port() {
    let mut server = Postgres::start().await.unwrap();
    let url = server.create_database().await.unwrap();
    ask(&server, &url, "CREATE TABLE kept (number INT); INSERT INTO kept VALUES (7)").await;
    server.kill().await.unwrap();
    assert!(!server.is_up());
    assert!(server.execute("SELECT 1").await.is_err());
    server.start_again().await.unwrap();
    assert_eq!(ask(&server, &url, "SELECT number FROM kept").await, "7");
    server.restart().await.unwrap();
    assert_eq!(ask(&server, &url, "SELECT number FROM kept").await, "7");
    assert_eq!(ask(&server, &url, "SHOW fsync").await, "on");
}

#[tokio::test]
async fn a_query_answers_its_rows_and_says_what_is_wrong_with_it() {
    let server = Postgres::start_fast().await.unwrap();
    let rows = server.query("VALUES (1, 'one row'), (2, NULL)").await.unwrap();
    assert_eq!(rows, [["1", "one row"], ["2", ""]]);
    let refused = server.query("SELECT nothing").await.unwrap_err();
    assert!(refused.to_string().contains("column \"nothing\" does not exist"), "{refused}");
}

#[tokio::test]
async fn a_dropped_server_leaves_no_process_and_no_folder() {
    let server = Postgres::start_fast().await.unwrap();
    let folder = server.socket_folder().to_owned();
    let name = folder.to_str().unwrap().to_owned();
    assert!(processes_with(&name) > 0);
    server.pause().unwrap();
    drop(server);
    assert!(!folder.exists());
    assert_eq!(processes_with(&name), 0);
}

/// Not a test by itself: the process that the next test kills.
#[tokio::test]
async fn a_server_for_as_long_as_somebody_listens() {
    if std::env::var_os("REELFARM_TEST_HOLDS_A_SERVER").is_none() {
        return;
    }
    let server = Postgres::start_fast().await.unwrap();
    println!("\nfolder={}", server.socket_folder().display());
    std::future::pending::<()>().await;
}

#[test]
fn a_server_whose_test_is_killed_leaves_no_process_and_no_folder() {
    use std::io::{BufRead as _, BufReader};
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "--nocapture", "postgres::tests::a_server_for_as_long_as_somebody_listens"]);
    test.env("REELFARM_TEST_HOLDS_A_SERVER", "1").stdout(Stdio::piped());
    let mut test = test.spawn().unwrap();
    let mut lines = BufReader::new(test.stdout.take().unwrap()).lines().map_while(Result::ok);
    let folder = lines.find_map(|line| line.strip_prefix("folder=").map(PathBuf::from)).unwrap();
    let mut children = Command::new("pgrep");
    let shell = children.args(["--parent", &test.id().to_string()]).output().unwrap();
    let shell: i32 = String::from_utf8(shell.stdout).unwrap().trim().parse().unwrap();
    test.kill().unwrap();
    test.wait().unwrap();
    // The shell is not this process's child: its end is waited for by a handle to it.
    let shell = rustix::process::Pid::from_raw(shell).unwrap();
    if let Ok(handle) = rustix::process::pidfd_open(shell, rustix::process::PidfdFlags::empty()) {
        let mut poll = [rustix::event::PollFd::new(&handle, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut poll, None).unwrap();
    }
    assert!(!folder.exists());
    assert_eq!(processes_with(folder.to_str().unwrap()), 0);
}

#[tokio::test]
async fn a_port_that_somebody_else_has_is_no_end_of_its_folder() {
    let mut server = Postgres::start_fast().await.unwrap();
    server.stop().await.unwrap();
    let taken = std::net::TcpListener::bind(("127.0.0.1", server.port)).unwrap();
    assert!(server.launch().await.is_err());
    assert!(server.socket_folder().exists());
    drop(taken);
    server.launch().await.unwrap();
    assert_eq!(server.query("SELECT 1").await.unwrap(), [["1"]]);
}
