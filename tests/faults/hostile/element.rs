//! Matroska files, element by element (RFC 8794, RFC 9559), whatever they claim.

/// An element whose length is written in eight bytes.
pub(super) fn element(id: u32, content: &[u8]) -> Vec<u8> {
    [&id_bytes(id)[..], &((1 << 56) | content.len() as u64).to_be_bytes(), content].concat()
}

/// An element that says nothing of its length.
pub(super) fn endless(id: u32, content: &[u8]) -> Vec<u8> {
    [&id_bytes(id)[..], &[0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], content].concat()
}

fn id_bytes(id: u32) -> Vec<u8> {
    id.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
}

/// An element of a whole number.
pub(super) fn number(id: u32, value: u64) -> Vec<u8> {
    element(id, &value.to_be_bytes())
}

/// A track of pictures without compression, I420 unless another codec is named.
pub(super) struct Track {
    pub codec: &'static str,
    pub width: u64,
    pub height: u64,
    /// How long each picture is shown, in nanoseconds.
    pub duration: u64,
    /// Further elements of the track.
    pub further: Vec<u8>,
}

impl Track {
    /// A track that is as it should be.
    pub(super) fn sound() -> Self {
        Self { codec: "V_UNCOMPRESSED", width: 64, height: 48, duration: 40_000_000, further: Vec::new() }
    }

    /// The bytes of one of its pictures.
    pub(super) fn picture(&self) -> Vec<u8> {
        vec![0x80; (self.width * self.height * 3 / 2) as usize]
    }

    /// Its entry among the tracks.
    pub(super) fn written(&self, id: u64) -> Vec<u8> {
        let video =
            [number(0xB0, self.width), number(0xBA, self.height), element(0x2E_B524, b"I420")].concat();
        let entry = [
            number(0xD7, id),
            number(0x73C5, id),
            number(0x83, 1),
            element(0x86, self.codec.as_bytes()),
            number(0x23_E383, self.duration),
            self.further.clone(),
            element(0xE0, &video),
        ];
        element(0xAE, &entry.concat())
    }
}

/// A block of a track, shown so many milliseconds after its cluster.
pub(super) fn block(track: u8, milliseconds: i16, flags: u8, content: &[u8]) -> Vec<u8> {
    element(0xA3, &[&[0x80 | track][..], &milliseconds.to_be_bytes(), &[flags], content].concat())
}

/// Frames that can be decoded by themselves.
pub(super) const KEY_FRAME: u8 = 0x80;

/// The head of a file of this version's kind.
pub(super) fn head() -> Vec<u8> {
    let contents = [
        number(0x4286, 1),
        number(0x42F7, 1),
        number(0x42F2, 4),
        number(0x42F3, 8),
        element(0x4282, b"matroska"),
        number(0x4287, 4),
        number(0x4285, 2),
    ];
    element(0x1A45_DFA3, &contents.concat())
}

/// What is in a segment before its tracks: `scale` nanoseconds a tick, and a length of one second.
pub(super) fn information(scale: u64) -> Vec<u8> {
    let duration = element(0x4489, &1000f64.to_be_bytes());
    element(
        0x1549_A966,
        &[number(0x2A_D7B1, scale), element(0x4D80, b"t"), element(0x5741, b"t"), duration].concat(),
    )
}

/// The list of tracks.
pub(super) fn tracks(entries: &[Vec<u8>]) -> Vec<u8> {
    element(0x1654_AE6B, &entries.concat())
}

/// Blocks from a time on, in ticks.
pub(super) fn cluster(time: u64, blocks: &[Vec<u8>]) -> Vec<u8> {
    element(0x1F43_B675, &[number(0xE7, time), blocks.concat()].concat())
}

/// A whole file.
pub(super) fn file(entries: &[Vec<u8>], clusters: &[Vec<u8>]) -> Vec<u8> {
    let contents = [information(1_000_000), tracks(entries), clusters.concat()].concat();
    [head(), element(0x1853_8067, &contents)].concat()
}
