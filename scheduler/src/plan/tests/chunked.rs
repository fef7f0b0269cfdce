//! Films that are encoded in chunks: what is made again of them, task by task.

use reelfarm_model::qc::{DecodingStarts, KeyFrameRun};
use reelfarm_model::task::{AssembleVideoSpec, EncodeVideoSpec};

use super::*;

/// A minute of HD with a key frame in each second: six chunks.
pub(super) fn film() -> World {
    let mut world = world();
    world.conclusion.video.frame_count = 1_500;
    world.conclusion.decoding = DecodingStarts {
        key_frames: vec![KeyFrameRun { first: 0, distance: 25, count: 60 }],
        open_groups: false,
        film_start_us: Some(0),
    };
    world
}

fn encodes(graph: &Graph, facts: &Facts, tools: &ToolVersions) -> Vec<EncodeVideoSpec> {
    let reduction = Reduction::of(graph, facts, tools);
    let specs = reduction.to_run().filter_map(|task| match &task.spec {
        TaskSpec::EncodeVideo(spec) => Some(spec.clone()),
        _ => None,
    });
    specs.collect()
}

fn assembled(graph: &Graph) -> Vec<&AssembleVideoSpec> {
    let specs = graph.nodes.iter().filter_map(|node| match &node.task.spec {
        TaskSpec::AssembleVideo(spec) => Some(spec),
        _ => None,
    });
    specs.collect()
}

fn after(before: &World) -> Facts {
    Facts { published: false, ..everything_done(&before.graph()) }
}

#[test]
fn each_chunk_is_encoded_with_all_rungs_and_each_rung_is_joined_of_all_chunks() {
    let graph = film().graph();
    let encodes = encodes(&graph, &Facts::default(), &film().tools);
    assert_eq!(encodes.len(), 6);
    assert!(encodes.iter().all(|spec| spec.rungs.len() == 2 && spec.frame_count() == 250));
    let joined = assembled(&graph);
    assert_eq!(joined.iter().map(|spec| spec.rung.rung.name.as_str()).collect::<Vec<_>>(), ["720p", "360p"]);
    assert!(joined.iter().all(|spec| (spec.chunks.len(), spec.frame_count()) == (6, 1_500)));
    let labels: Vec<_> = graph.nodes.iter().take(8).map(|node| node.task.spec.label()).collect();
    assert_eq!(labels[1], "encode-video 10 to 20 s");
    assert_eq!(labels[6], "assemble-video 720p");
    assert_eq!(
        graph.nodes.iter().map(|node| node.task.key).collect::<BTreeSet<_>>().len(),
        graph.nodes.len()
    );
}

#[test]
fn where_decoding_begins_changes_no_key() {
    let keys = |world: &World| world.graph().nodes.iter().map(|node| node.task.key).collect::<Vec<_>>();
    let mut other = film();
    other.conclusion.decoding.key_frames[0].distance = 125;
    assert_eq!(keys(&other), keys(&film()));
    // Another start would be other frames.
    other.conclusion.decoding.film_start_us = Some(40_000);
    assert_ne!(keys(&other), keys(&film()));
    other.conclusion.decoding.film_start_us = None;
    assert!(assembled(&other.graph()).is_empty(), "frames that can't be numbered are not cut");
}

#[test]
fn a_changed_rung_makes_its_own_chunks_again_and_no_others() {
    let facts = after(&film());
    let mut world = film();
    world.ladder.rungs[2].crf = 30;
    let graph = world.graph();
    for there in [true, false] {
        let mut facts = facts.clone();
        if !there {
            // Chunks of renditions that are there may be gone.
            let chunks =
                |spec: &AssembleVideoSpec| spec.chunks.iter().map(|chunk| chunk.artifact).collect::<Vec<_>>();
            let before = film().graph();
            for chunk in assembled(&before).into_iter().flat_map(chunks) {
                facts.available.remove(&chunk);
            }
        }
        let encodes = encodes(&graph, &facts, &world.tools);
        assert_eq!(encodes.len(), 6);
        assert!(encodes.iter().all(|spec| spec.rungs.len() == 1 && spec.rungs[0].rung.name == "360p"));
        let kinds = kinds_to_run(&graph, &facts, &world.tools);
        assert_eq!((kinds[&TaskKind::AssembleVideo], kinds.get(&TaskKind::EncodeAudio)), (1, None));
    }
}

#[test]
fn a_chunk_that_vanished_is_made_again_alone() {
    let world = film();
    let graph = world.graph();
    let mut facts = after(&world);
    let joined = assembled(&graph)[1];
    let rendition = graph.nodes.iter().find(|node| node.task.spec == TaskSpec::AssembleVideo(joined.clone()));
    facts.available.remove(&rendition.unwrap().task.only_output().unwrap());
    assert_eq!(
        encodes(&graph, &facts, &world.tools),
        [],
        "all of its chunks are there, and nobody reads the rendition"
    );
    // A media set of it is gone as well.
    let package = graph.nodes.iter().find(|node| node.task.spec.label() == "package ts-clear-2s").unwrap();
    let upload =
        graph.nodes.iter().find(|node| node.task.spec.label().starts_with("upload media/ts-clear-2s"));
    facts.available.remove(&package.task.only_output().unwrap());
    facts.at_origin.remove(&upload.unwrap().task.only_output().unwrap());
    facts.available.remove(&joined.chunks[3].artifact);
    let encodes = encodes(&graph, &facts, &world.tools);
    assert_eq!(encodes.len(), 1);
    assert_eq!(encodes[0].chunk.unwrap().first_frame, 750);
    assert_eq!(encodes[0].rungs.iter().map(|rung| rung.rung.name.as_str()).collect::<Vec<_>>(), ["360p"]);
    assert_eq!(kinds_to_run(&graph, &facts, &world.tools)[&TaskKind::AssembleVideo], 1);
}

#[test]
fn the_same_again_makes_nothing_and_another_packager_encodes_nothing() {
    let facts = everything_done(&film().graph());
    assert!(kinds_to_run(&film().graph(), &facts, &film().tools).is_empty());
    let mut world = film();
    world.tools.0.insert("packager".into(), "3.9.0".into());
    let kinds = kinds_to_run(&world.graph(), &after(&film()), &world.tools);
    for kind in [TaskKind::EncodeVideo, TaskKind::AssembleVideo, TaskKind::EncodeAudio] {
        assert_eq!(kinds.get(&kind), None, "{kind:?}");
    }
}

#[test]
fn chunks_of_what_goes_first_wait_for_no_others() {
    let world = World { first: Some((vec!["dash-clr-2s".to_owned()], Some(360))), ..film() };
    let graph = world.graph();
    let encodes = encodes(&graph, &Facts::default(), &world.tools);
    assert_eq!(encodes.len(), 12);
    assert!(encodes.iter().all(|spec| spec.rungs.len() == 1));
    // The same artifacts as without.
    let outputs = |graph: &Graph| graph.artifacts().collect::<BTreeSet<_>>();
    let chunks = |graph: &Graph| -> BTreeSet<_> {
        assembled(graph).iter().flat_map(|spec| spec.chunks.iter().map(|chunk| chunk.artifact)).collect()
    };
    assert_eq!(chunks(&graph), chunks(&film().graph()));
    assert!(chunks(&graph).is_subset(&outputs(&graph)));
}
