//! Sets of plain text: what the schema has for pictures, sound and samples says nothing of a file of WebVTT.

use super::{AdaptationSet, Representation};

impl AdaptationSet {
    /// Whether the set and its representations say nothing that is for pictures, sound or samples alone.
    pub(crate) fn is_of_plain_text(&self) -> bool {
        // Taken apart by name, so that a new field cannot be forgotten here.
        let Self {
            id: _,
            content_type: _,
            language: _,
            width: None,
            height: None,
            _max_width: None,
            _max_height: None,
            frame_rate: None,
            _max_frame_rate: None,
            _picture_aspect: None,
            segment_alignment: None,
            subsegment_alignment: None,
            _start_with_sap: None,
            _subsegment_starts_with_sap: None,
            content_protections,
            supplemental_properties,
            roles: _,
            labels: _,
            representations,
        } = self
        else {
            return false;
        };
        content_protections.is_empty()
            && supplemental_properties.is_empty()
            && representations.iter().all(Representation::is_plain_text)
    }
}

impl Representation {
    fn is_plain_text(&self) -> bool {
        let Self {
            id: _,
            bandwidth: _,
            codecs,
            mime_type: _,
            sample_aspect: None,
            width: None,
            height: None,
            frame_rate: None,
            audio_sampling_rate: None,
            content_protections,
            channels: None,
            base_url: _,
            segment_base: None,
            segment_template: None,
        } = self
        else {
            return false;
        };
        codecs.is_empty() && content_protections.is_empty()
    }
}
