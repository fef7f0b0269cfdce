//! Titles as the scheduler plans them once they are checked, and what no-op attempts answer for their tasks.

use std::collections::BTreeSet;
use std::path::Path;

use reelfarm_model::attempt::ArtifactRecord;
use reelfarm_model::ladder::Ladder;
use reelfarm_model::qc::{AudioProgramme, AudioSource, Conclusion, VideoConclusion};
use reelfarm_model::recipe::ToolVersions;
use reelfarm_model::task::UploadSpec;
use reelfarm_model::title::{LadderText, Submission};
use reelfarm_model::{
    ArtifactKey, Digest, KeyDivision, KeySource, KeyUris, Protection, SourceReference, Task, TaskKind,
    TaskSpec, TitleState,
};
use reelfarm_packaging::profiles::{BUILT_IN, ProfileList};
use reelfarm_scheduler::plan::{Graph, PlanInput};
use reelfarm_store::{PlannedCost, PlannedTask, Store, TitleChange};
use reelfarm_workers::Made;

use crate::Fault;

const LADDER: &str = include_str!("../../../../ladders/default.toml");

/// The tools that tasks are planned for.
pub(crate) fn tools() -> ToolVersions {
    ToolVersions::default().with_recipes()
}

/// What a no-op attempt answers: a record for each output.
pub(crate) fn made(task: &Task) -> Made {
    let record = |key: ArtifactKey| ArtifactRecord { key, digest: Digest::of(b""), size: 0 };
    let artifacts = task.outputs.iter().map(|output| record(output.key)).collect();
    // Of the tasks of a planned title, the scheduler reads this one's result alone: the digest of the index.
    let is_publication = task.spec.kind() == TaskKind::Publish;
    let result = is_publication.then(|| serde_json::Value::String(Digest::of(b"").to_string()));
    Made { artifacts, result }
}

/// Stores titles whose sources differ and have passed QC, with all of their tasks; answers how many tasks there are.
pub(crate) async fn plan(store: &dyn Store, count: usize, state: &Path) -> Result<usize, Fault> {
    let list = ProfileList::parse("profiles.toml", BUILT_IN)?;
    let (ladder, tools) = (Ladder::parse("default.toml", LADDER)?, tools());
    let mut tasks = 0;
    for number in 0..count {
        let submission = submission(&format!("title-{number}"), state)?;
        let source = Digest::of(submission.title.as_str().as_bytes());
        let graph = Graph::build(&PlanInput {
            title: &submission.title,
            origin: &submission.origin,
            source,
            conclusion: &conclusion(&ladder),
            cue_points: &[],
            ladder: &ladder,
            profiles: list.all(),
            first: None,
            list: list.all(),
            subtitles: &[],
            protection: submission.protection.as_ref(),
            tools: &tools,
        })?;
        tasks += graph.nodes.len();
        let planned = graph.nodes.into_iter().map(|node| PlannedTask {
            source: reads_source(&node.task.spec).then(|| submission.source.clone()),
            task: node.task,
            needs: node.needs,
            redo: false,
            cost: PlannedCost::default(),
        });
        prepare(store, &submission, source, &planned.collect::<Vec<_>>()).await?;
    }
    Ok(tasks)
}

/// Stores titles whose tasks need each the one before; answers how many tasks there are.
pub(crate) async fn plan_chains(
    store: &dyn Store,
    count: usize,
    length: usize,
    state: &Path,
) -> Result<usize, Fault> {
    for chain in 0..count {
        let submission = submission(&format!("chain-{chain}"), state)?;
        let mut planned: Vec<PlannedTask> = Vec::with_capacity(length);
        for number in 0..length {
            let spec = TaskSpec::Upload(UploadSpec {
                origin: submission.origin.clone(),
                title: submission.title.clone(),
                media_path: format!("media/{number}"),
                media: ArtifactKey(Digest::of(b"media")),
            });
            let needs: BTreeSet<_> = planned.last().map(|before| before.task.key).into_iter().collect();
            let task = Task::new(spec, &tools());
            planned.push(PlannedTask {
                task,
                source: None,
                needs,
                redo: false,
                cost: PlannedCost::default(),
            });
        }
        prepare(store, &submission, Digest::of(b"chain"), &planned).await?;
    }
    Ok(count * length)
}

async fn prepare(
    store: &dyn Store,
    submission: &Submission,
    source: Digest,
    planned: &[PlannedTask],
) -> Result<(), Fault> {
    let title = store.submit(submission).await?.title;
    let (id, generation) = (&submission.title, title.generation);
    store.plan(id, generation, planned).await?.ok_or("a new title that cannot be planned")?;
    let change = TitleChange {
        to: Some(TitleState::Preparing),
        source_digest: Some(source),
        ..TitleChange::default()
    };
    store
        .advance(id, generation, TitleState::Checking, change)
        .await?
        .ok_or("a new title that is not checked")?;
    Ok(())
}

const fn reads_source(spec: &TaskSpec) -> bool {
    matches!(spec, TaskSpec::EncodeVideo(_) | TaskSpec::EncodeAudio(_))
}

fn submission(title: &str, state: &Path) -> Result<Submission, Fault> {
    Ok(Submission {
        title: title.parse()?,
        source: SourceReference {
            path: format!("/films/{title}.mp4").into(),
            size: 10_000_000_000,
            modified_ns: 1,
            etag: None,
        },
        ladder: LadderText { file: "default.toml".into(), text: LADDER.to_owned() },
        profiles: vec!["all".to_owned()],
        audio_language: None,
        subtitles: Vec::new(),
        checksums: Vec::new(),
        qc_report: None,
        protection: Some(Protection {
            source: KeySource::MasterSecret { secret: Digest::of(b"secret") },
            division: KeyDivision::Title,
            uris: KeyUris {
                fairplay: "skd://{kid}".into(),
                clearkey: "https://keys.example/{kid}".into(),
                verimatrix: "https://vcas.example/{title}".into(),
            },
        }),
        rights: Default::default(),
        facts: Default::default(),
        cue_points: Vec::new(),
        origin: state.join("origin").to_string_lossy().into_owned(),
        tools: tools(),
    })
}

/// A film of an hour and a half that every rung fits, with one programme.
fn conclusion(ladder: &Ladder) -> Conclusion {
    Conclusion {
        video: VideoConclusion {
            stream: 0,
            frame_rate: 25,
            frame_count: 135_000,
            width: 1920,
            height: 1080,
            rotation: 0,
            deinterlace: false,
            field_order: None,
            matrix: "bt709".into(),
            full_range: false,
        },
        rungs: ladder.rungs.iter().map(|rung| rung.name.clone()).collect(),
        audio: vec![AudioProgramme {
            language: "en".into(),
            stereo: AudioSource::Track { stream: 1 },
            surround: None,
        }],
        decoding: Default::default(),
        complexity: None,
        fitted: None,
    }
}
