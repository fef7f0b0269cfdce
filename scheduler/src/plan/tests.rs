use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use reelfarm_model::ladder::{AudioRung, ChannelLayout, VideoCodec};
use reelfarm_model::profile::{Container, MediaFormat, MediaSetId};
use reelfarm_model::qc::{AudioProgramme, AudioSource, Conclusion, KeyFrameRun, VideoConclusion};
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::subtitles::SubtitlePurpose;
use reelfarm_model::title::SubtitleFile;
use reelfarm_model::{
    ArtifactKey, CuePoint, CuePurpose, Digest, Ladder, Profile, Rung, SourceReference, TaskKey, TaskKind,
    TaskSpec, TitleId,
};

use super::{Facts, First, Graph, Node, PlanError, PlanInput, Reduction};

mod chunked;
mod first;

struct World {
    title: TitleId,
    conclusion: Conclusion,
    ladder: Ladder,
    profiles: Vec<Profile>,
    subtitles: Vec<(SubtitleFile, Digest)>,
    tools: ToolVersions,
    cue_points: Vec<CuePoint>,
    /// The profiles that go first, and the largest picture of those.
    first: Option<(Vec<String>, Option<u32>)>,
}

fn rung(name: &str, width: u32, height: u32, crf: u8) -> Rung {
    Rung {
        codec: VideoCodec::H264,
        name: name.into(),
        width,
        height,
        min_source_kbps: 0,
        crf,
        maxrate_kbps: height * 5,
        bufsize_kbps: height * 10,
        preset: "medium".into(),
        profile: "high".into(),
    }
}

fn profile(key: &str, container: Container, media_set: &str, seconds: Option<u32>) -> Profile {
    let suffix = seconds.map(|seconds| format!("-{seconds}s")).unwrap_or_default();
    Profile {
        id: format!("{key}{suffix}"),
        container,
        drm: vec![],
        scheme: None,
        segment_seconds: seconds,
        media_set: MediaSetId(format!("{media_set}{suffix}")),
        purpose: String::new(),
    }
}

fn world() -> World {
    World {
        title: "film".parse().unwrap(),
        conclusion: Conclusion {
            video: VideoConclusion {
                stream: 0,
                frame_rate: 25,
                frame_count: 132,
                width: 1280,
                height: 720,
                rotation: 0,
                deinterlace: false,
                field_order: None,
                matrix: "bt709".into(),
                full_range: false,
            },
            rungs: vec!["720p".into(), "360p".into()],
            audio: vec![AudioProgramme {
                language: "en".into(),
                stereo: AudioSource::Track { stream: 1 },
                surround: Some(AudioSource::Track { stream: 1 }),
            }],
            decoding: Default::default(),
            complexity: None,
            fitted: None,
        },
        ladder: Ladder {
            name: "test".into(),
            description: String::new(),
            chunk_seconds: None,
            per_title: None,
            rungs: vec![
                rung("1080p", 1920, 1080, 21),
                rung("720p", 1280, 720, 21),
                rung("360p", 640, 360, 23),
            ],
            audio: vec![
                AudioRung { name: "stereo".into(), layout: ChannelLayout::Stereo, bitrate_kbps: 128 },
                AudioRung { name: "surround".into(), layout: ChannelLayout::Surround51, bitrate_kbps: 384 },
            ],
        },
        subtitles: Vec::new(),
        profiles: vec![
            profile("dash-clr", Container::Dash, "cmaf-clear", Some(2)),
            profile("dash-clr", Container::Dash, "cmaf-clear", Some(4)),
            profile("hls-clr", Container::HlsCmaf, "cmaf-clear", Some(2)),
            profile("ts-clr", Container::HlsTs, "ts-clear", Some(2)),
            profile("mp4-clr", Container::Progressive, "prog-clear", None),
        ],
        tools: ToolVersions(BTreeMap::from([
            ("ffmpeg".into(), "5.1".into()),
            ("x264".into(), "164".into()),
            ("packager".into(), "3.8.0".into()),
        ])),
        cue_points: Vec::new(),
        first: None,
    }
}

impl World {
    fn graph(&self) -> Graph {
        self.try_graph().unwrap()
    }

    fn try_graph(&self) -> Result<Graph, PlanError> {
        Graph::build(&PlanInput {
            cue_points: &self.cue_points,
            title: &self.title,
            origin: "/origin",
            source: Digest::of(b"source"),
            conclusion: &self.conclusion,
            ladder: &self.ladder,
            profiles: &self.profiles,
            first: self.first.as_ref().map(|(profiles, up_to)| First { profiles, up_to: *up_to }),
            list: &self.profiles,
            subtitles: &self.subtitles,
            protection: None,
            tools: &self.tools,
        })
    }
}

fn everything_done(graph: &Graph) -> Facts {
    let available: BTreeSet<_> = graph.artifacts().collect();
    Facts {
        done: graph.nodes.iter().map(|node| node.task.key).collect(),
        at_origin: available.clone(),
        available,
        published: true,
        first_published: false,
    }
}

fn kinds_to_run(graph: &Graph, facts: &Facts, tools: &ToolVersions) -> BTreeMap<TaskKind, usize> {
    let mut kinds = BTreeMap::new();
    for task in Reduction::of(graph, facts, tools).to_run() {
        *kinds.entry(task.spec.kind()).or_default() += 1;
    }
    kinds
}

#[test]
fn profiles_of_equal_bytes_share_a_media_set() {
    let graph = world().graph();
    let count = |kind| graph.nodes.iter().filter(|node| node.task.spec.kind() == kind).count();
    assert_eq!(count(TaskKind::EncodeVideo), 1);
    assert_eq!(count(TaskKind::EncodeAudio), 1);
    assert_eq!(count(TaskKind::Package), 4);
    assert_eq!(count(TaskKind::Upload), 4);
    assert_eq!(count(TaskKind::Manifest), 4, "a progressive file has no manifest");
    assert_eq!(count(TaskKind::Verify), 5);
    assert_eq!(graph.goal().unwrap().task.spec.kind(), TaskKind::Publish);
}

#[test]
fn nothing_is_uploaded_before_every_profile_was_read_back() {
    let graph = world().graph();
    let verifications: BTreeSet<_> = graph
        .nodes
        .iter()
        .filter(|node| node.task.spec.kind() == TaskKind::Verify)
        .map(|node| node.task.key)
        .collect();
    for node in graph.nodes.iter().filter(|node| node.task.spec.kind() == TaskKind::Upload) {
        assert!(verifications.is_subset(&node.needs));
    }
}

#[test]
fn a_progressive_file_holds_the_largest_picture_and_the_stereo_sound() {
    let graph = world().graph();
    let package = graph.nodes.iter().find_map(|node| match &node.task.spec {
        TaskSpec::Package(spec) if spec.media_set.0 == "prog-clear" => Some(spec),
        _ => None,
    });
    let package = package.unwrap();
    assert_eq!(package.video.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), ["720p"]);
    assert_eq!(package.audio.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), ["audio-en-stereo"]);
}

fn subtitles(language: &str, content: &str) -> (SubtitleFile, Digest) {
    let file =
        SourceReference { path: format!("/film.{language}.srt").into(), size: 1, modified_ns: 0, etag: None };
    let subtitles = SubtitleFile { file, language: language.to_owned(), purpose: SubtitlePurpose::Dialogue };
    (subtitles, Digest::of(content.as_bytes()))
}

#[test]
fn changed_subtitles_encode_and_package_nothing() {
    let mut world = world();
    world.subtitles = vec![subtitles("en", "hello"), subtitles("de", "hallo")];
    let before = everything_done(&world.graph());
    assert!(kinds_to_run(&world.graph(), &before, &world.tools).is_empty());
    world.subtitles[1] = subtitles("de", "guten Tag");
    let before = Facts { published: false, ..before };
    let expected = [
        (TaskKind::Subtitles, 1),
        (TaskKind::Manifest, 4),
        // All but the progressive file, which carries none.
        (TaskKind::Verify, 4),
        (TaskKind::Upload, 1),
        (TaskKind::Publish, 1),
    ];
    assert_eq!(kinds_to_run(&world.graph(), &before, &world.tools), expected.into());
}

#[test]
fn subtitles_are_published_with_every_profile_that_carries_them() {
    let mut world = world();
    world.subtitles = vec![subtitles("en", "hello"), subtitles("pt-BR", "hello")];
    let graph = world.graph();
    let Some(TaskSpec::Publish(spec)) = graph.goal().map(|goal| &goal.task.spec) else { panic!("a goal") };
    let ids: Vec<_> = spec.subtitles.iter().map(|subtitles| subtitles.track.id.as_str()).collect();
    assert_eq!(ids, ["subtitles-en", "subtitles-pt-br"]);
    assert!(spec.subtitles_left_out.is_empty());
    // Equal files are read once, and lie at the origin once for each track.
    let paths: BTreeSet<_> = spec.subtitles.iter().map(|subtitles| &subtitles.track.path).collect();
    assert_eq!(paths.len(), 2);
    let count = |kind| graph.nodes.iter().filter(|node| node.task.spec.kind() == kind).count();
    assert_eq!((count(TaskKind::Subtitles), count(TaskKind::Upload)), (1, 6));
    for node in &graph.nodes {
        match &node.task.spec {
            TaskSpec::Manifest(spec) => assert_eq!(spec.subtitles.len(), 2, "{}", spec.profile.id),
            TaskSpec::Verify(spec) => {
                let expected = if spec.profile.container == Container::Progressive { 0 } else { 2 };
                assert_eq!(spec.subtitles.len(), expected, "{}", spec.profile.id);
            }
            _ => {}
        }
    }
}

/// A file that no player gets to see must not fail a title either.
#[test]
fn subtitles_that_no_profile_carries_are_not_made() {
    let mut world = world();
    world.subtitles = vec![subtitles("en", "hello"), subtitles("pt-BR", "hello")];
    world.profiles.retain(|profile| profile.container == Container::Progressive);
    world.profiles.push(profile("hss-clr", Container::Smooth, "smooth-clear", Some(2)));
    let graph = world.graph();
    let is_of_subtitles = |spec: &TaskSpec| match spec {
        TaskSpec::Subtitles(_) => true,
        TaskSpec::Upload(spec) => spec.media_path.contains("subtitles"),
        _ => false,
    };
    assert!(graph.nodes.iter().all(|node| !is_of_subtitles(&node.task.spec)));
    let Some(TaskSpec::Publish(spec)) = graph.goal().map(|goal| &goal.task.spec) else { panic!("a goal") };
    assert_eq!(spec.profiles.len(), 2);
    assert!(spec.subtitles.is_empty());
    assert_eq!(spec.subtitles_left_out, ["subtitles-en", "subtitles-pt-br"]);
}

#[test]
fn two_programmes_in_one_language_get_ids_of_their_own() {
    let mut world = world();
    let again = world.conclusion.audio[0].clone();
    world.conclusion.audio.push(AudioProgramme { stereo: AudioSource::Track { stream: 2 }, ..again });
    let graph = world.graph();
    let ids: Vec<_> = graph
        .nodes
        .iter()
        .filter(|node| node.task.spec.kind() == TaskKind::EncodeAudio)
        .flat_map(|node| node.task.outputs.iter().map(|output| output.name.as_str()))
        .collect();
    assert_eq!(ids, ["audio-en-stereo", "audio-en-surround", "audio-en-stereo-2", "audio-en-surround-2"]);
}

#[test]
fn a_plan_that_contradicts_itself_is_refused() {
    let mut none = world();
    none.profiles.clear();
    assert!(matches!(none.try_graph(), Err(PlanError::NoProfiles { .. })));
    let mut unknown = world();
    unknown.conclusion.rungs.push("4k".into());
    assert!(matches!(unknown.try_graph(), Err(PlanError::UnknownRung { .. })));
    let mut conflict = world();
    conflict.profiles[1].media_set = conflict.profiles[0].media_set.clone();
    assert!(matches!(conflict.try_graph(), Err(PlanError::MediaSetConflict { .. })));
}

#[test]
fn a_finished_title_runs_nothing_even_where_intermediate_artifacts_are_gone() {
    let world = world();
    let graph = world.graph();
    let mut facts = everything_done(&graph);
    facts.available.clear();
    assert_eq!(kinds_to_run(&graph, &facts, &world.tools), BTreeMap::new());
}

#[test]
fn a_new_title_runs_everything() {
    let world = world();
    let graph = world.graph();
    let reduction = Reduction::of(&graph, &Facts::default(), &world.tools);
    assert_eq!(reduction.to_run().count(), graph.nodes.len());
}

#[test]
fn a_changed_rung_encodes_that_rung_alone() {
    let before = world();
    let mut facts = everything_done(&before.graph());
    facts.published = false;
    let mut after = world();
    after.ladder.rungs[2].crf = 30;
    let graph = after.graph();
    let reduction = Reduction::of(&graph, &facts, &after.tools);
    let encodes: Vec<_> = reduction
        .to_run()
        .filter_map(|task| match &task.spec {
            TaskSpec::EncodeVideo(spec) => Some(spec),
            _ => None,
        })
        .collect();
    assert_eq!(encodes.len(), 1);
    assert_eq!(encodes[0].rungs.iter().map(|r| r.rung.name.as_str()).collect::<Vec<_>>(), ["360p"]);
    let kinds = kinds_to_run(&graph, &facts, &after.tools);
    assert_eq!(kinds.get(&TaskKind::EncodeAudio), None);
    assert_eq!(kinds[&TaskKind::Package], 3, "the progressive file holds the 720p rung only");
}

#[test]
fn a_renamed_rung_encodes_nothing() {
    let mut facts = everything_done(&world().graph());
    facts.published = false;
    let mut after = world();
    after.ladder.rungs[2].name = "small".into();
    after.conclusion.rungs[1] = "small".into();
    let kinds = kinds_to_run(&after.graph(), &facts, &after.tools);
    assert_eq!(kinds.get(&TaskKind::EncodeVideo), None);
}

#[test]
fn another_packager_packages_again_and_encodes_nothing() {
    let mut facts = everything_done(&world().graph());
    facts.published = false;
    let mut after = world();
    after.tools.0.insert("packager".into(), "3.9.0".into());
    let kinds = kinds_to_run(&after.graph(), &facts, &after.tools);
    assert_eq!(kinds.get(&TaskKind::EncodeVideo), None);
    assert_eq!(kinds[&TaskKind::Package], 3, "the progressive file is not Shaka Packager's");
}

#[test]
fn an_added_profile_makes_only_its_manifest() {
    let mut before = world();
    let added = before.profiles.remove(2);
    assert_eq!(added.id, "hls-clr-2s");
    let mut facts = everything_done(&before.graph());
    facts.published = false;
    let after = world();
    let kinds = kinds_to_run(&after.graph(), &facts, &after.tools);
    let expected = [(TaskKind::Manifest, 1), (TaskKind::Verify, 1), (TaskKind::Publish, 1)];
    assert_eq!(kinds, expected.into());
}

#[test]
fn a_media_set_that_vanished_from_the_origin_is_copied_again() {
    let world = world();
    let graph = world.graph();
    let mut facts = everything_done(&graph);
    facts.published = false;
    let upload = graph.nodes.iter().find(|node| node.task.spec.kind() == TaskKind::Upload).unwrap();
    facts.at_origin.remove(&upload.task.only_output().unwrap());
    let kinds = kinds_to_run(&graph, &facts, &world.tools);
    assert_eq!(kinds, [(TaskKind::Upload, 1), (TaskKind::Publish, 1)].into());
}

#[test]
fn media_that_is_made_again_is_read_back_again_before_it_is_copied() {
    let world = world();
    let graph = world.graph();
    let mut facts = everything_done(&graph);
    facts.published = false;
    let package = graph.nodes.iter().find(|node| node.task.spec.label() == "package ts-clear-2s").unwrap();
    facts.available.remove(&package.task.only_output().unwrap());
    let upload =
        graph.nodes.iter().find(|node| node.task.spec.label().starts_with("upload media/ts-clear-2s"));
    facts.at_origin.remove(&upload.unwrap().task.only_output().unwrap());
    let kinds = kinds_to_run(&graph, &facts, &world.tools);
    let expected =
        [TaskKind::Package, TaskKind::Verify, TaskKind::Upload, TaskKind::Publish].map(|kind| (kind, 1));
    assert_eq!(kinds, expected.into());
}

#[test]
fn a_better_wording_of_a_profiles_purpose_changes_no_key() {
    let before = world().graph();
    let mut after = world();
    after.profiles[0].purpose = "browsers".into();
    assert_eq!(after.graph(), before);
}

#[test]
fn a_raised_recipe_makes_its_own_work_again_and_no_other() {
    let mut facts = everything_done(&world().graph());
    facts.published = false;
    let mut after = world();
    after.tools.0.insert(ToolVersions::PACKAGE_RECIPE.into(), "2".into());
    let kinds = kinds_to_run(&after.graph(), &facts, &after.tools);
    assert_eq!(kinds.get(&TaskKind::EncodeVideo), None);
    assert_eq!(kinds[&TaskKind::Package], 4);
}

proptest! {
    /// Whatever has been made so far: each step stands after its needs, all that a running step reads is there or
    /// is made before it, and nothing that is there is made again.
    #[test]
    fn a_reduced_plan_is_sound(
        made in proptest::collection::vec(any::<bool>(), 160),
        done in proptest::collection::vec(any::<bool>(), 160),
        in_chunks: bool,
        first in proptest::option::of(proptest::option::of(100..800u32)),
        first_published: bool,
    ) {
        let first = first.map(|up_to| (vec!["dash-clr-2s".to_owned(), "ts-clr-2s".to_owned()], up_to));
        let world = World { first, ..if in_chunks { chunked::film() } else { world() } };
        let graph = world.graph();
        prop_assert!(graph.nodes.len() < 80);
        let facts = Facts {
            available: graph.artifacts().zip(&made).filter_map(|(key, made)| made.then_some(key)).collect(),
            done: graph.nodes.iter().zip(&done).filter_map(|(node, done)| done.then_some(node.task.key)).collect(),
            at_origin: graph.artifacts().zip(made.iter().rev()).filter_map(|(key, made)| made.then_some(key)).collect(),
            published: false,
            first_published,
        };
        let reduction = Reduction::of(&graph, &facts, &world.tools);
        let mut seen = BTreeSet::new();
        let mut there = facts.available.clone();
        let mut remade = BTreeSet::new();
        for step in &reduction.steps {
            prop_assert!(step.needs.is_subset(&seen), "{} comes before its needs", step.task.spec.label());
            seen.insert(step.task.key);
            if step.task.spec.kind() == TaskKind::Verify && !step.run {
                prop_assert!(step.task.spec.inputs().is_disjoint(&remade), "made again and not read back again");
            }
            if step.run {
                for input in step.task.spec.inputs() {
                    prop_assert!(there.contains(&input), "{} reads what is not there", step.task.spec.label());
                }
                if step.task.spec.kind() == TaskKind::EncodeVideo {
                    prop_assert!(step.task.outputs.iter().all(|output| !facts.available.contains(&output.key)));
                }
                if step.task.spec.kind() == TaskKind::Package {
                    remade.extend(step.task.outputs.iter().map(|output| output.key));
                }
                there.extend(step.task.outputs.iter().map(|output| output.key));
            }
        }
        prop_assert!(reduction.to_run().any(|task| task.spec.kind() == TaskKind::Publish));
    }
}

#[test]
fn hevc_goes_into_fragmented_mp4_alone() {
    let mut world = world();
    let hevc = Rung { codec: VideoCodec::Hevc, profile: "main".into(), ..rung("240p-hevc", 426, 240, 24) };
    world.conclusion.rungs.push(hevc.name.clone());
    world.ladder.rungs.push(hevc);
    world.profiles.push(profile("hss-clr", Container::Smooth, "smooth-clear", Some(2)));
    world.profiles.push(profile("ts-clr", Container::HlsTs, "ts-clear", Some(2)));
    assert!(matches!(world.try_graph(), Err(PlanError::NoEncoder { .. })), "there is no x265");
    world.tools.0.insert("x265".into(), "199 3.5".into());
    let graph = world.graph();
    let mut formats = BTreeSet::new();
    for node in &graph.nodes {
        if let TaskSpec::Package(spec) = &node.task.spec {
            let carries = spec.video.iter().any(|video| video.name == "240p-hevc");
            formats.insert(format!("{:?} {carries}", spec.format));
            assert!(spec.video.iter().any(|video| video.codec == VideoCodec::H264), "{}", spec.media_set);
        }
    }
    let expected = ["Cmaf true", "Progressive false", "Smooth false", "Ts false"];
    assert_eq!(formats, expected.map(str::to_owned).into());

    // A rung's key depends on its own encoder, whatever is encoded beside it.
    let keys = |world: &World| -> BTreeMap<String, ArtifactKey> {
        let graph = world.graph();
        let encodes = graph.nodes.iter().filter(|node| node.task.spec.kind() == TaskKind::EncodeVideo);
        encodes.flat_map(|node| &node.task.outputs).map(|output| (output.name.clone(), output.key)).collect()
    };
    let before = keys(&world);
    world.tools.0.insert("x265".into(), "another".into());
    let after = keys(&world);
    let other: Vec<&String> = before.keys().filter(|name| before[*name] != after[*name]).collect();
    assert_eq!(other, ["240p-hevc"]);

    // What goes first has a picture that every container carries, even where one of HEVC is smaller.
    let small = Rung { codec: VideoCodec::Hevc, profile: "main".into(), ..rung("144p-hevc", 256, 144, 24) };
    world.conclusion.rungs.push(small.name.clone());
    world.ladder.rungs.push(small);
    world.first = Some((vec!["ts-clr-2s".into()], Some(144)));
    let graph = world.graph();
    let packages = graph.nodes.iter().filter_map(|node| match &node.task.spec {
        TaskSpec::Package(spec) if spec.format == MediaFormat::Ts => Some(spec.video.len()),
        _ => None,
    });
    assert_eq!(packages.min(), Some(1));

    world.conclusion.rungs = vec!["240p-hevc".into()];
    assert!(matches!(world.try_graph(), Err(PlanError::NoRungCarried { .. })));
}

#[test]
fn a_cue_point_changes_the_chunk_that_it_lies_in_and_no_other() {
    let mut world = world();
    world.conclusion.video.frame_rate = 25;
    world.conclusion.video.frame_count = 25 * 60;
    world.conclusion.decoding.film_start_us = Some(0);
    world.conclusion.decoding.key_frames = vec![KeyFrameRun { first: 0, distance: 25, count: 60 }];
    world.ladder.chunk_seconds = Some(20);
    let encodes = |world: &World| -> Vec<(Vec<u64>, TaskKey)> {
        let graph = world.graph();
        let encode = |node: &Node| match &node.task.spec {
            TaskSpec::EncodeVideo(spec) => Some((spec.cue_frames.clone(), node.task.key)),
            _ => None,
        };
        graph.nodes.iter().filter_map(encode).collect()
    };
    let before = encodes(&world);
    assert_eq!(before.len(), 3);
    let cue = |at_ms, purpose| CuePoint { at_ms, purpose };
    // In the second chunk, twice the same, and on the grid.
    world.cue_points = vec![
        cue(20_000, CuePurpose::Chapter),
        cue(23_200, CuePurpose::Break),
        cue(23_210, CuePurpose::Chapter),
        cue(40_000, CuePurpose::Credits),
    ];
    let after = encodes(&world);
    let frames: Vec<_> = after.iter().map(|(frames, _)| frames.clone()).collect();
    assert_eq!(frames, [vec![], vec![580], vec![]]);
    assert_eq!((after[0].1, after[2].1), (before[0].1, before[2].1));
    assert_ne!(after[1].1, before[1].1);
    let goal = world.graph().goal().unwrap().task.clone();
    let TaskSpec::Publish(spec) = goal.spec else { panic!("a goal") };
    assert_eq!(spec.cue_points, world.cue_points);

    // Where credits end no frame begins.
    world.cue_points = vec![cue(60_000, CuePurpose::Credits)];
    assert!(encodes(&world).iter().all(|(frames, _)| frames.is_empty()));

    world.cue_points = vec![cue(60_100, CuePurpose::Break)];
    let error = world.try_graph().unwrap_err().to_string();
    assert!(error.contains("break@0:01:00.100 lies beyond the film's end at 60.000 s"), "{error}");
}
