//! The catalogue of error codes. Each has a page under `docs/errors/` that `reelfarm explain` opens.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::failure::FailureClass;

macro_rules! codes {
    ($($variant:ident = $text:literal, $class:ident, $summary:literal;)*) => {
        /// One kind of error, with a stable text such as `RF-QC-003`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $summary] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the catalogue.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The stable text, such as `RF-QC-003`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text,)* }
            }

            /// The class that a failure with this code has unless the place that reports it knows better.
            pub const fn class(self) -> FailureClass {
                match self { $(Code::$variant => FailureClass::$class,)* }
            }

            /// What the code stands for, in a few words.
            pub const fn summary(self) -> &'static str {
                match self { $(Code::$variant => $summary,)* }
            }
        }
    };
}

codes! {
    SourceNotFound = "RF-SRC-001", Permanent, "the source file does not exist";
    SourceNotAFile = "RF-SRC-002", Permanent, "the source is not a regular file";
    SourceEmpty = "RF-SRC-003", Permanent, "the source file is empty";
    SourceUnreadable = "RF-SRC-004", Environment, "the source file cannot be read";
    SourceChanged = "RF-SRC-005", Permanent, "the source changed while it was being worked on";
    SourceUnreachable = "RF-SRC-006", Environment, "the store that the source lies in does not answer";
    ChecksumInvalid = "RF-SRC-007", Permanent, "the checksum delivered with the source cannot be read";

    TitleNameInvalid = "RF-TTL-001", Permanent, "the file's name gives no usable title name";
    TitleNameTaken = "RF-TTL-002", Permanent, "another source already uses this title name";
    TitleNotFound = "RF-TTL-003", Permanent, "no title of this name is known";
    TitleStateWrong = "RF-TTL-004", Permanent, "the title is in a state in which this cannot be done";

    FactsContradict = "RF-TTL-005", Permanent, "what is said of the title cannot be true together";
    ExpeditesSpent = "RF-TTL-006", Permanent, "the route has no expedites left today";
    ReviewRejected = "RF-TTL-007", Permanent, "a person looked at the title and rejected it";
    ReviewOutdated = "RF-TTL-008", Permanent, "the title is not any more what was looked at";

    SubtitlesName = "RF-SUB-001", Permanent, "a subtitle file's name does not say its language";
    SubtitlesInvalid = "RF-SUB-002", Permanent, "a subtitle file cannot be read";
    SubtitlesForeign = "RF-SUB-003", Permanent, "a subtitle file does not fit the film";

    QcUnreadable = "RF-QC-001", Permanent, "the file is not a media file that the farm opens";
    QcDecodeErrors = "RF-QC-002", Permanent, "parts of the file cannot be decoded";
    QcVideoTrack = "RF-QC-003", Permanent, "there is not exactly one usable video track";
    QcFrameRateFractional = "RF-QC-004", Permanent, "the frame rate is not one of the integral rates";
    QcFrameRateVariable = "RF-QC-005", Permanent, "the frame rate is not constant";
    QcProportions = "RF-QC-006", Permanent, "the picture's proportions are outside the accepted range";
    QcPictureSize = "RF-QC-007", Permanent, "the picture is too small or too large, or changes size";
    QcAudioMissing = "RF-QC-008", Permanent, "there is no usable audio";
    QcAudioLanguage = "RF-QC-009", Permanent, "the audio's language is not known";
    QcBitrate = "RF-QC-010", Permanent, "the bitrate or the size supports no rung of the ladder";
    QcTruncated = "RF-QC-011", Permanent, "the file ends before its header says";
    QcDuration = "RF-QC-012", Permanent, "the duration is not plausible";
    QcAudioVideoLength = "RF-QC-013", Permanent, "audio and video do not run together";
    QcContainer = "RF-QC-014", Permanent, "the container or codec is not on the accepted list";
    QcTimestamps = "RF-QC-015", Permanent, "time stamps run backwards or are missing";
    QcColour = "RF-QC-016", Permanent, "the colour is one that the ladders cannot carry";
    QcBlack = "RF-QC-017", Permanent, "the picture is black for too long";
    QcFreeze = "RF-QC-018", Permanent, "the picture stands still for too long";
    QcBars = "RF-QC-019", Permanent, "black bars surround the picture";
    QcInterlacing = "RF-QC-020", Permanent, "the pictures' fields are not as the file says";
    QcRepeatedFields = "RF-QC-021", Permanent, "fields are repeated, as telecine leaves them";
    QcRepeatedFrames = "RF-QC-022", Permanent, "frames are repeated to reach the frame rate";
    QcFlashes = "RF-QC-023", Permanent, "the picture flashes too often";
    QcLumaRange = "RF-QC-024", Permanent, "the picture is darker than black or brighter than white";
    QcDetail = "RF-QC-025", Permanent, "the picture holds less detail than its size promises";
    QcCompression = "RF-QC-026", Permanent, "the picture is compressed too much";
    QcColourDescription = "RF-QC-027", Permanent, "what the file says of its colour is missing or contradicts itself";
    QcKeyFrames = "RF-QC-028", Permanent, "key frames are too far apart, or the film does not begin with one";
    QcGaps = "RF-QC-029", Permanent, "there are gaps between frames or in the sound";
    QcFileSize = "RF-QC-030", Permanent, "the file's size does not fit what is in it";
    QcLoudness = "RF-QC-031", Permanent, "the programme is too loud or too quiet";
    QcTruePeak = "RF-QC-032", Permanent, "the sound's true peak is too high";
    QcSilence = "RF-QC-033", Permanent, "the sound is silent for too long";
    QcSilentChannel = "RF-QC-034", Permanent, "a channel of the programme is silent";
    QcClipping = "RF-QC-035", Permanent, "the sound is clipped";
    QcPhase = "RF-QC-036", Permanent, "left and right are out of phase";
    QcDcOffset = "RF-QC-037", Permanent, "the sound has a DC offset";
    QcDualMono = "RF-QC-038", Permanent, "a stereo track holds one channel twice";
    QcSampleRate = "RF-QC-039", Permanent, "the sample rate is not that of television sound";
    QcChannelLayout = "RF-QC-040", Permanent, "the channels are not those that the layout says";
    QcSubtitles = "RF-QC-041", Permanent, "the subtitles in the file have a fault";
    QcRule = "RF-QC-042", Permanent, "a rule of the policy applies";
    QcChecksum = "RF-QC-043", Permanent, "the file is not what was sent";
    ExternalReportInvalid = "RF-QC-044", Permanent, "the external QC report is refused";
    ExternalReportForeign = "RF-QC-045", Permanent, "the external QC report is about another file";
    QcExcess = "RF-QC-046", Permanent, "the file asks for more than a film of its size can";
    QcEditList = "RF-QC-047", Permanent, "the edit list hides pictures, or repeats some";
    QcSamples = "RF-QC-048", Permanent, "the picture's bit depth or chroma is not accepted";
    QcHeader = "RF-QC-049", Permanent, "the container states what picture or sound are not";

    LadderInvalid = "RF-CFG-001", Permanent, "the ladder file is refused";
    ProfilesInvalid = "RF-CFG-002", Permanent, "the profile list is refused";
    PolicyInvalid = "RF-CFG-003", Permanent, "the QC policy file is refused";
    UnknownName = "RF-CFG-004", Permanent, "no ladder, profile, policy or language has this name";

    SettingsInvalid = "RF-CFG-005", Permanent, "a setting is refused";
    OrderInvalid = "RF-CFG-008", Permanent, "the file of rules of order is refused";
    WorkloadInvalid = "RF-CFG-009", Permanent, "the workload is refused";
    RightsLeaveNothing = "RF-CFG-006", Permanent, "the rights rules leave no profile";
    TitleRightsLeaveNothing = "RF-CFG-007", Permanent, "the title's own rights rules leave no profile";

    EncodeFailed = "RF-ENC-001", Transient, "the encoder failed";
    EncodeFrameCount = "RF-ENC-002", Permanent, "the encoder's frame count differs from the source's";
    EncodeCrashed = "RF-ENC-003", Transient, "the media process died";
    EncodeHung = "RF-ENC-004", Transient, "the media process made no progress";
    EncodeNotAsReported = "RF-ENC-005", Permanent, "the film is not what its QC report says";

    PackagerMissing = "RF-PKG-001", Environment, "Shaka Packager cannot be started";
    PackagerFailed = "RF-PKG-002", Transient, "Shaka Packager failed";
    PackagerHung = "RF-PKG-003", Transient, "Shaka Packager made no progress";
    ManifestFailed = "RF-PKG-004", Permanent, "a profile's manifest could not be derived";
    KeysFileInvalid = "RF-KEY-001", Permanent, "the file of content keys is refused";
    MasterSecretUnusable = "RF-KEY-002", Environment, "the master secret cannot be used";
    KeyServerUnreachable = "RF-KEY-003", Transient, "the key server does not answer";
    KeyServerAnswerInvalid = "RF-KEY-004", Permanent, "the key server's answer is not what was asked for";
    KeyMissing = "RF-KEY-005", Permanent, "there is no content key for the title";
    KeysDiffer = "RF-KEY-006", Permanent, "the title has keys from elsewhere already";
    KeyServerLoginRefused = "RF-KEY-007", Environment, "the key server refuses the farm's credentials";
    KeyOutOfReach = "RF-KEY-008", Permanent, "a profile's players could not get the key server's key";

    VerifyFailed = "RF-VER-001", Permanent, "a profile did not read back as it was meant to be";

    OriginUnreachable = "RF-ORG-001", Environment, "the origin cannot be written";
    OriginFull = "RF-ORG-002", Environment, "the origin is full";
    OriginMismatch = "RF-ORG-003", Transient, "a file at the origin is not what was sent";

    ArtifactMissing = "RF-ART-001", Transient, "an artifact that a task needs is missing or damaged";
    DiskFull = "RF-ART-002", Environment, "the disk of the state folder is full";
    StateUnreachable = "RF-STO-001", Environment, "the state folder or its database cannot be used";
    StateBusy = "RF-STO-002", Environment, "another process uses the state folder";

    RequestInvalid = "RF-API-001", Permanent, "the request is not one that the farm takes";
    TokenRefused = "RF-API-002", Permanent, "there is no valid token with the request";
    ScopeTooSmall = "RF-API-003", Permanent, "the token does not allow this";
    RequestTooLarge = "RF-API-004", Permanent, "the request is too large";
    NotFound = "RF-API-005", Permanent, "there is no such task, worker, token, upload or address";
    KeyReused = "RF-API-006", Permanent, "the idempotency key stands for another request";
    UploadRefused = "RF-API-007", Permanent, "the upload does not fit what the farm has of it";
    FarmUnreachable = "RF-API-008", Environment, "the farm cannot be reached";
    FarmBusy = "RF-API-009", Environment, "the farm is answering too many requests";
    TimedOut = "RF-API-010", Environment, "the time to wait is over";

    BrokerUnreachable = "RF-BRK-001", Environment, "the broker cannot be reached or refuses";

    WorkerLost = "RF-WRK-001", Transient, "the worker stopped answering";
    ToolMismatch = "RF-WRK-002", Environment, "the worker's tools differ from those the task was planned for";
    Internal = "RF-INT-001", Transient, "an error inside the farm";
}

impl Code {
    /// Whether a failure with this code is the fault of the one host that met it, so that another may do better.
    pub const fn is_of_the_host(self) -> bool {
        matches!(
            self,
            Self::DiskFull
                | Self::StateUnreachable
                | Self::PackagerMissing
                | Self::MasterSecretUnusable
                | Self::ToolMismatch
        )
    }
}

/// A text is no known code.
#[derive(Debug, thiserror::Error)]
#[error("no error has the code {0:?}")]
pub struct UnknownCode(pub String);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Code::ALL
            .iter()
            .find(|code| code.as_str().eq_ignore_ascii_case(text))
            .copied()
            .ok_or_else(|| UnknownCode(text.to_owned()))
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_survive_their_text_form() {
        let texts: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(code.as_str().parse::<Code>().unwrap(), *code);
        }
        assert!("RF-QC-999".parse::<Code>().is_err());
    }

    #[test]
    fn what_is_of_the_host_is_of_the_environment() {
        for code in Code::ALL.iter().filter(|code| code.is_of_the_host()) {
            assert_eq!(code.class(), FailureClass::Environment, "{code}");
        }
    }
}
