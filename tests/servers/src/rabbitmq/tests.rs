use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::*;

/// The ids of the broker's own processes, as they wrote them down.
fn processes(folder: &Path) -> Vec<Pid> {
    let files = fs_err::read_dir(folder.join("processes")).unwrap();
    let id = |file: io::Result<fs_err::DirEntry>| {
        let text = fs_err::read_to_string(file.unwrap().path()).unwrap();
        Pid::from_raw(text.trim().parse().unwrap()).unwrap()
    };
    files.map(id).collect()
}

/// Waits until a process that is no child of this one has ended.
fn wait_for_end(process: Pid) {
    if let Ok(handle) = pidfd_open(process, PidfdFlags::empty()) {
        let mut poll = [rustix::event::PollFd::new(&handle, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut poll, None).unwrap();
    }
}

/// What a broker answers to the protocol's header: the start of a handshake.
fn answers(broker: &RabbitMq) -> bool {
    let Ok(mut stream) = TcpStream::connect(broker.address()) else { return false };
    stream.write_all(b"AMQP\0\0\x09\x01").unwrap();
    let mut first = [0];
    stream.read_exact(&mut first).is_ok() && first == [1]
}

#[tokio::test]
async fn a_broker_keeps_its_folder_and_address_and_leaves_nothing() {
    let mut broker = RabbitMq::start_with(&["one", "two/three"]).await.unwrap();
    assert!(answers(&broker));
    let hosts = broker.control(&["list_vhosts"]).await.unwrap();
    assert!(hosts.contains("one") && hosts.contains("two/three"), "{hosts}");
    assert_eq!(
        broker.url(User::Scheduler, "two/three"),
        format!("amqp://reelfarm-scheduler:scheduler%2Fsecret@{}/two%2Fthree", broker.address())
    );
    let permissions = broker.control(&["list_permissions", "--vhost", "two/three"]).await.unwrap();
    assert!(permissions.contains("reelfarm-worker"), "{permissions}");
    assert!(broker.purge("one", "there-is-none").await.is_err());

    broker.control(&["add_vhost", "kept"]).await.unwrap();
    broker.kill().await.unwrap();
    assert!(!broker.is_up() && !answers(&broker));
    broker.start_again().await.unwrap();
    assert!(answers(&broker));
    assert!(broker.control(&["list_vhosts"]).await.unwrap().contains("kept"));
    broker.restart().await.unwrap();
    assert!(answers(&broker));

    let folder = broker.keeper.folder().to_owned();
    let processes = processes(&folder);
    assert_eq!(processes.len(), 2, "epmd and the node");
    drop(broker);
    assert!(!folder.exists());
    processes.into_iter().for_each(wait_for_end);
}

/// Not a test by itself: the process that the next test kills.
#[tokio::test]
async fn a_broker_for_as_long_as_somebody_listens() {
    if std::env::var_os("REELFARM_TEST_HOLDS_A_BROKER").is_none() {
        return;
    }
    let broker = RabbitMq::start().await.unwrap();
    println!("\nfolder={}", broker.keeper.folder().display());
    println!("keeper={}", broker.keeper.id());
    std::future::pending::<()>().await;
}

#[test]
fn a_broker_whose_test_is_killed_leaves_no_process_and_no_folder() {
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "--nocapture", "rabbitmq::tests::a_broker_for_as_long_as_somebody_listens"]);
    test.env("REELFARM_TEST_HOLDS_A_BROKER", "1").stdout(Stdio::piped());
    let mut test = test.spawn().unwrap();
    let mut lines = BufReader::new(test.stdout.take().unwrap()).lines().map_while(Result::ok);
    let folder = lines.find_map(|line| line.strip_prefix("folder=").map(PathBuf::from)).unwrap();
    let keeper = lines.find_map(|line| line.strip_prefix("keeper=").map(str::to_owned)).unwrap();
    let processes = processes(&folder);
    test.kill().unwrap();
    test.wait().unwrap();
    wait_for_end(Pid::from_raw(keeper.parse().unwrap()).unwrap());
    assert!(!folder.exists() && !folder.with_extension("gone").exists());
    processes.into_iter().for_each(wait_for_end);
}
