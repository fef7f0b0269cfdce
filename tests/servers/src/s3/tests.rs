use super::*;

fn processes_with(text: &str) -> usize {
    let listed = Command::new("pgrep").args(["--full", "--count", text]).output().unwrap();
    String::from_utf8(listed.stdout).unwrap().trim().parse().unwrap()
}

async fn get(server: &S3Server, path: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.address());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn two_servers_run_beside_each_other_and_take_no_unsigned_requests() {
    let (one, two) = tokio::join!(S3Server::start(), S3Server::start());
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.endpoint(), two.endpoint());
    one.create_bucket("another").await.unwrap();
    for (server, bucket) in [(&one, BUCKET), (&two, BUCKET), (&one, "another")] {
        let answer = get(server, &format!("/{bucket}")).await;
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("AccessDenied"), "{answer}");
    }
}

#[tokio::test]
async fn a_dropped_server_leaves_no_process_no_folder_and_no_socket() {
    let server = S3Server::start().await.unwrap();
    let folder = server.folder().to_owned();
    let block = server.block / BLOCK;
    let name = folder.to_str().unwrap().to_owned();
    assert!(processes_with(&name) > 0);
    drop(server);
    assert!(!folder.exists());
    assert_eq!(processes_with(&name), 0);
    let left: Vec<_> = fs_err::read_dir("/tmp")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("seaweedfs-") && name.contains(&format!("-{block}")))
        .collect();
    assert_eq!(left, [""; 0]);
}

/// Not a test by itself: the process that the next test kills.
#[tokio::test]
async fn a_server_for_as_long_as_somebody_listens() {
    if std::env::var_os("REELFARM_TEST_HOLDS_A_SERVER").is_none() {
        return;
    }
    let server = S3Server::start().await.unwrap();
    println!("\nheld={} {}", server.shell(), server.folder().display());
    std::future::pending::<()>().await;
}

#[test]
fn a_server_whose_test_is_killed_leaves_no_process_and_no_folder() {
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "--nocapture", "s3::tests::a_server_for_as_long_as_somebody_listens"]);
    test.env("REELFARM_TEST_HOLDS_A_SERVER", "1").stdout(Stdio::piped());
    let mut test = test.spawn().unwrap();
    let mut lines = BufReader::new(test.stdout.take().unwrap()).lines().map_while(Result::ok);
    let held = lines.find_map(|line| line.strip_prefix("held=").map(str::to_owned)).unwrap();
    let (shell, folder) = held.split_once(' ').unwrap();
    // The shell is not this process's child: its end is waited for by a handle to it, taken while it lives.
    let shell = rustix::process::Pid::from_raw(shell.parse().unwrap()).unwrap();
    let handle = rustix::process::pidfd_open(shell, rustix::process::PidfdFlags::empty()).unwrap();
    test.kill().unwrap();
    test.wait().unwrap();
    let mut poll = [rustix::event::PollFd::new(&handle, rustix::event::PollFlags::IN)];
    rustix::event::poll(&mut poll, None).unwrap();
    assert!(!Path::new(folder).exists());
    assert_eq!(processes_with(folder), 0);
}
