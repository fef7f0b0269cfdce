//! What goes first of a title, and what follows.

use reelfarm_model::task::PublishSpec;
use reelfarm_model::{Task, TaskKey};

use super::*;
use crate::plan::Node;

fn going_first(profiles: &[&str], up_to: Option<u32>) -> World {
    let profiles = profiles.iter().map(|id| (*id).to_owned()).collect();
    World { first: Some((profiles, up_to)), ..world() }
}

fn publication(node: &Node) -> &PublishSpec {
    let TaskSpec::Publish(spec) = &node.task.spec else { panic!("{:?}", node.task.spec) };
    spec
}

/// All that a node needs, directly or not.
fn needed(graph: &Graph, node: &Node) -> BTreeSet<TaskKey> {
    let mut needed = node.needs.clone();
    for earlier in graph.nodes.iter().rev() {
        if needed.contains(&earlier.task.key) {
            needed.extend(&earlier.needs);
        }
    }
    needed
}

fn labels(graph: &Graph, keys: &BTreeSet<TaskKey>) -> BTreeSet<String> {
    let nodes = graph.nodes.iter().filter(|node| keys.contains(&node.task.key));
    nodes.map(|node| node.task.spec.label()).collect()
}

#[test]
fn what_goes_first_waits_for_nothing_of_the_rest() {
    let graph = going_first(&["dash-clr-2s", "hls-clr-2s"], None).graph();
    let first = graph.first_publication().unwrap();
    let ids: Vec<_> = publication(first).profiles.iter().map(|profile| profile.profile.id.as_str()).collect();
    assert_eq!(ids, ["dash-clr-2s", "hls-clr-2s"]);
    let labels = labels(&graph, &needed(&graph, first));
    let media: Vec<_> = labels.iter().filter(|label| label.starts_with("upload")).collect();
    assert!(media.len() == 1 && media[0].starts_with("upload media/cmaf-clear-2s/"), "{media:?}");
    for label in
        ["encode-video", "encode-audio", "package cmaf-clear-2s", "verify dash-clr-2s", "verify hls-clr-2s"]
    {
        assert!(labels.contains(label), "{label} of {labels:?}");
    }
    assert!(!labels.iter().any(|label| label.contains("4s") || label.contains("ts-clear")), "{labels:?}");
}

#[test]
fn the_whole_follows_with_all_profiles_and_the_same_media() {
    let graph = going_first(&["dash-clr-2s"], None).graph();
    let (first, goal) = (graph.first_publication().unwrap(), graph.goal().unwrap());
    assert!(goal.needs.contains(&first.task.key), "the last to write there is the whole");
    let (first, goal) = (publication(first), publication(goal));
    assert_eq!((goal.profiles.len(), goal.more_follow, first.more_follow), (5, false, true));
    assert!(goal.profiles.contains(&first.profiles[0]), "what plays already plays on");
    assert_eq!(goal.kept, []);
    // What is asked for is the same, whatever goes first.
    assert_eq!(world().graph().goal().unwrap().task, graph.goal().unwrap().task);
}

#[test]
fn smaller_pictures_alone_go_first_and_stay_for_those_who_watch_them() {
    let graph = going_first(&["dash-clr-2s", "ts-clr-2s"], Some(360)).graph();
    let encodes: Vec<Vec<&str>> = graph
        .nodes
        .iter()
        .filter_map(|node| match &node.task.spec {
            TaskSpec::EncodeVideo(spec) => {
                Some(spec.rungs.iter().map(|rung| rung.rung.name.as_str()).collect())
            }
            _ => None,
        })
        .collect();
    assert_eq!(encodes, [["360p"], ["720p"]]);
    let first = graph.first_publication().unwrap();
    let needed = needed(&graph, first);
    let video = graph.nodes.iter().filter(|node| needed.contains(&node.task.key));
    let renditions = video.filter(|node| node.task.spec.kind() == TaskKind::EncodeVideo).count();
    assert_eq!(renditions, 1);
    let (first, goal) = (publication(first), publication(graph.goal().unwrap()));
    let receipts = |spec: &PublishSpec| -> BTreeSet<_> { spec.profiles.iter().map(|p| p.receipt).collect() };
    assert!(receipts(first).is_disjoint(&receipts(goal)));
    assert_eq!(goal.kept.iter().copied().collect::<BTreeSet<_>>(), receipts(first));
    // The renditions are the same artifacts as without.
    let plain = world().graph();
    let outputs = |graph: &Graph| -> BTreeSet<_> {
        let encodes = graph.nodes.iter().filter(|node| node.task.spec.kind() == TaskKind::EncodeVideo);
        encodes.flat_map(|node| node.task.outputs.clone()).collect()
    };
    assert_eq!(outputs(&plain), outputs(&graph));
}

#[test]
fn a_picture_smaller_than_all_is_the_smallest_and_one_larger_than_all_is_all() {
    let of = |up_to| {
        let graph = going_first(&["dash-clr-2s"], Some(up_to)).graph();
        graph.nodes.iter().filter(|node| node.task.spec.kind() == TaskKind::EncodeVideo).count()
    };
    assert_eq!([of(1), of(360), of(719), of(720), of(2160)], [2, 2, 2, 1, 1]);
}

#[test]
fn all_at_once_is_no_first() {
    let all: Vec<String> = world().profiles.iter().map(|profile| profile.id.clone()).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(going_first(&all, None).graph(), world().graph());
    assert!(going_first(&all, Some(360)).graph().first_publication().is_some());
}

#[test]
fn subtitles_go_with_what_carries_them() {
    let mut world = going_first(&["mp4-clr"], None);
    world.subtitles = vec![subtitles("en", "hello")];
    let graph = world.graph();
    let first = publication(graph.first_publication().unwrap()).clone();
    assert_eq!(
        (first.subtitles.len(), first.subtitles_left_out.as_slice()),
        (0, ["subtitles-en".to_owned()].as_slice())
    );
    let labels = labels(&graph, &needed(&graph, graph.first_publication().unwrap()));
    assert!(!labels.iter().any(|label| label.starts_with("subtitles")), "{labels:?}");
    world.first = Some((vec!["hls-clr-2s".to_owned()], None));
    let graph = world.graph();
    assert_eq!(publication(graph.first_publication().unwrap()).subtitles.len(), 1);
}

#[test]
fn what_went_first_does_not_go_again_and_what_is_whole_goes_not_at_all() {
    let graph = going_first(&["dash-clr-2s"], Some(360)).graph();
    let publications = |facts: &Facts| -> Vec<bool> {
        let reduction = Reduction::of(&graph, facts, &world().tools);
        let specs = reduction.to_run().filter_map(|task| match &task.spec {
            TaskSpec::Publish(spec) => Some(spec.more_follow),
            _ => None,
        });
        specs.collect()
    };
    assert_eq!(publications(&Facts::default()), [true, false]);
    assert_eq!(publications(&Facts { first_published: true, ..Facts::default() }), [false]);
    let done = everything_done(&graph);
    assert!(publications(&done).is_empty());
    let gone = Facts { published: false, ..done };
    assert_eq!(publications(&gone), [true, false], "it was put online once, and is there no more");
}

#[test]
fn each_task_knows_how_long_it_is_until_what_goes_first_is_online() {
    let graph = going_first(&["dash-clr-2s"], Some(360)).graph();
    let reduction = Reduction::of(&graph, &Facts::default(), &world().tools);
    let cost_ms = |task: &Task| if task.spec.kind() == TaskKind::EncodeVideo { 100 } else { 1 };
    let (first, whole) = (reduction.first_tails(cost_ms), reduction.tails(cost_ms));
    let key = |rung: &str| {
        let encode = reduction.to_run().find(|task| task.output(rung).is_some());
        encode.unwrap().key
    };
    // Encode, package, manifest, verification, upload, publication.
    assert_eq!(first.get(&key("360p")), Some(&105));
    assert_eq!(first.get(&key("720p")), None);
    // After that the whole: nothing on its way is longer.
    assert_eq!((whole[&key("360p")], whole[&key("720p")]), (106, 105));
    let plain = Reduction::of(&world().graph(), &Facts::default(), &world().tools);
    assert!(plain.first_tails(cost_ms).is_empty());
}
