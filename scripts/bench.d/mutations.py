"""Small films in every container that sources may have, and ways to damage them.

All is made from a seed alone, so that a file which did harm can be made again.
"""

import pathlib
import random
import re
import subprocess

PICTURE = "-f lavfi -i testsrc2=size=320x180:rate=25:duration=1.04"
SOUND = "-f lavfi -i aevalsrc=0.1*sin(440*t)|0.1*sin(550*t):sample_rate=48000:duration=1.04"
SIX = "-f lavfi -i aevalsrc=0.1*sin(440*t)|0.1*sin(550*t)|0|0|0|0:channel_layout=5.1:sample_rate=48000:duration=1.04"
H264 = "-c:v libx264 -preset veryfast -g 12 -pix_fmt yuv420p"

# By the name that FFmpeg's allow-list has for the container: the file, and how FFmpeg makes it.
SEEDS: dict[str, list[tuple[str, str]]] = {
    "mov": [
        ("h264.mov", f"{PICTURE} {SOUND} {H264} -c:a pcm_s16le -timecode 01:00:00:00"),
        ("prores.mov", f"{PICTURE} {SOUND} -c:v prores_ks -profile:v 0 -q:v 20 -c:a pcm_s24le"),
        ("mjpeg.mov", f"{PICTURE} {SIX} -c:v mjpeg -q:v 20 -c:a alac"),
        ("raw.mov", f"{PICTURE} -frames:v 2 -c:v rawvideo -pix_fmt uyvy422"),
    ],
    "mp4": [
        ("h264.mp4", f"{PICTURE} {SOUND} {H264} -bf 2 -c:a aac -movflags +faststart"),
        ("fragmented.mp4", f"{PICTURE} {SOUND} {H264} -c:a aac -movflags +frag_keyframe+empty_moov+default_base_moof"),
        ("hevc.mp4", f"{PICTURE} {SIX} -c:v libx265 -preset ultrafast -x265-params log-level=error -c:a ac3 -tag:v hvc1"),
        ("mpeg4.mp4", f"{PICTURE} {SOUND} -c:v mpeg4 -q:v 10 -c:a libmp3lame"),
        ("text.mp4", f"{PICTURE} -i TEXT {H264} -c:s mov_text"),
    ],
    "m4a": [("aac.m4a", f"{SOUND} -c:a aac -f ipod"), ("alac.m4a", f"{SOUND} -c:a alac -f ipod")],
    "3gp": [("mpeg4.3gp", f"{PICTURE} {SOUND} -c:v mpeg4 -q:v 10 -c:a aac"), ("h264.3gp", f"{PICTURE} {H264}")],
    "3g2": [("mpeg4.3g2", f"{PICTURE} {SOUND} -c:v mpeg4 -q:v 10 -c:a aac")],
    "mj2": [("jpeg2000.mj2", f"{PICTURE} -frames:v 8 -q:v 20 -c:v jpeg2000 -f mov"), ("sound.mj2", f"{SOUND} -c:a pcm_s16be -f mov")],
    "matroska": [
        ("h264.mkv", f"{PICTURE} {SOUND} -i TEXT {H264} -c:a ac3 -c:s srt"),
        ("ffv1.mkv", f"{PICTURE} {SIX} -frames:v 10 -c:v ffv1 -level 3 -c:a flac"),
        ("mpeg2.mkv", f"{PICTURE} {SOUND} -c:v mpeg2video -q:v 10 -c:a pcm_s16le -attach TEXT -metadata:s:t mimetype=text/plain"),
        ("huffyuv.mkv", f"{PICTURE} -frames:v 6 -c:v ffvhuff"),
        ("dts.mkv", f"{PICTURE} {SIX} {H264} -c:a dca -strict -2"),
    ],
    "webm": [
        ("vp9.webm", f"{PICTURE} {SOUND} -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus"),
        ("vp8.webm", f"{PICTURE} {SOUND} -c:v libvpx -deadline realtime -cpu-used 8 -c:a libvorbis"),
    ],
    "mpegts": [
        ("h264.ts", f"{PICTURE} {SOUND} {H264} -c:a aac"),
        ("mpeg2.ts", f"{PICTURE} {SOUND} -c:v mpeg2video -q:v 10 -c:a mp2"),
        ("hevc.ts", f"{PICTURE} {SIX} -c:v libx265 -preset ultrafast -x265-params log-level=error -c:a eac3"),
        ("h264.m2ts", f"{PICTURE} {SOUND} {H264} -c:a ac3 -mpegts_m2ts_mode 1 -f mpegts"),
    ],
    "mpeg": [
        ("mpeg1.mpg", f"{PICTURE} {SOUND} -c:v mpeg1video -c:a mp2 -f mpeg"),
        ("mpeg2.vob", f"{PICTURE} {SOUND} -c:v mpeg2video -q:v 10 -c:a ac3 -f vob"),
    ],
    "mxf": [
        ("mpeg2.mxf", f"{PICTURE} {SOUND} -c:v mpeg2video -q:v 10 -c:a pcm_s16le"),
        ("h264.mxf", f"{PICTURE} {SOUND} {H264} -bf 0 -c:a pcm_s24le"),
        ("jpeg2000.mxf", f"{PICTURE} -frames:v 8 -q:v 20 -c:v jpeg2000"),
    ],
    "avi": [
        ("mpeg4.avi", f"{PICTURE} {SOUND} -c:v mpeg4 -q:v 10 -c:a libmp3lame"),
        ("mjpeg.avi", f"{PICTURE} {SOUND} -c:v mjpeg -q:v 20 -c:a pcm_s16le"),
        ("huffyuv.avi", f"{PICTURE} -frames:v 6 -c:v huffyuv"),
        ("utvideo.avi", f"{PICTURE} -frames:v 6 -c:v utvideo"),
    ],
    "wav": [("pcm.wav", f"{SOUND} -c:a pcm_s16le"), ("float.wav", f"{SIX} -c:a pcm_f32le"), ("adpcm.wav", f"{SOUND} -c:a adpcm_ima_wav")],
    "flac": [("stereo.flac", f"{SOUND} -c:a flac"), ("six.flac", f"{SIX} -c:a flac -sample_fmt s32")],
}

# FFmpeg has no muxer for Motion JPEG 2000 files: they are MOV files of another brand.
BRANDS = {"mj2": (b"ftypqt  ", b"ftypmjp2")}

NAMES = re.compile(
    rb"ftyp|moov|mvhd|trak|tkhd|edts|elst|mdia|mdhd|hdlr|minf|dinf|dref|stbl|stsd|stts|ctts|stsc|stsz|stco|co64|stss|avcC|hvcC"
    rb"|esds|moof|mfhd|traf|tfhd|tfdt|trun|mdat|udta|meta|RIFF|LIST|hdrl|avih|strh|strf|movi|idx1|fmt |data|fLaC"
    rb"|\x1a\x45\xdf\xa3|\x18\x53\x80\x67|\x16\x54\xae\x6b|\x15\x49\xa9\x66|\x1f\x43\xb6\x75|\x1c\x53\xbb\x6b"
    rb"|\x06\x0e\x2b\x34|\x00\x00\x01[\xb3\xba\xbb\xbd\xc0\xe0]|\x47[\x40\x41]"
)
FOUR_BYTES = [0, 1, 2, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]
EIGHT_BYTES = [0, 1, 1 << 32, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]
MOST_MUTATIONS = 4


def make_seeds(folder: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Every seed as a file; those that are there already are taken."""
    folder.mkdir(parents=True, exist_ok=True)
    text = folder / "text.srt"
    text.write_text("1\n00:00:00,100 --> 00:00:00,600\nHello\n\n2\n00:00:00,700 --> 00:00:01,000\nthere\n", encoding="utf-8")
    made: dict[str, list[pathlib.Path]] = {}
    for container, seeds in SEEDS.items():
        for name, arguments in seeds:
            path = folder / name
            if not path.exists():
                scratch = folder / f"part-{name}"
                words = [str(text) if word == "TEXT" else word for word in arguments.split()]
                quiet = ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y"]
                exact = ["-threads", "1", "-fflags", "+bitexact", "-flags", "+bitexact"]
                subprocess.run([*quiet, *words, *exact, str(scratch)], check=True)
                if container in BRANDS:
                    scratch.write_bytes(scratch.read_bytes().replace(*BRANDS[container], 1))
                scratch.replace(path)
            made.setdefault(container, []).append(path)
    return made


def mutate(original: bytes, chance: random.Random) -> bytes:
    """The bytes with one to four faults."""
    content = bytearray(original)
    for _ in range(chance.randint(1, MOST_MUTATIONS)):
        if content:
            chance.choice(MUTATIONS)(content, chance)
    return bytes(content)


def flip_bits_of_the_header(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 16)):
        content[chance.randrange(min(4096, len(content)))] ^= 1 << chance.randrange(8)


def flip_bits(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 64)):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def truncate(content: bytearray, chance: random.Random) -> None:
    del content[chance.randrange(len(content)) :]


def stretch(content: bytearray, chance: random.Random) -> tuple[int, int]:
    """Where a stretch of bytes begins and ends, mostly a short one."""
    start = chance.randrange(len(content))
    longest = chance.choice([4, 64, 1024, len(content)])
    return start, min(len(content), start + chance.randint(1, longest))


def clear(content: bytearray, chance: random.Random) -> None:
    start, end = stretch(content, chance)
    content[start:end] = bytes([chance.choice([0, 0, 0xFF])]) * (end - start)


def remove(content: bytearray, chance: random.Random) -> None:
    start, end = stretch(content, chance)
    del content[start:end]


def repeat(content: bytearray, chance: random.Random) -> None:
    start, end = stretch(content, chance)
    content[end:end] = content[start:end] * chance.randint(1, 8)


def swap(content: bytearray, chance: random.Random) -> None:
    size = min(chance.choice([4, 188, 2048]), len(content) // 2)
    first = chance.randrange(len(content) - size + 1)
    second = chance.randrange(len(content) - size + 1)
    content[first : first + size], content[second : second + size] = content[second : second + size], content[first : first + size]


def overwrite(content: bytearray, chance: random.Random, at: int) -> None:
    size, values = chance.choice([(4, FOUR_BYTES), (4, FOUR_BYTES), (8, EIGHT_BYTES)])
    field = chance.choice(values).to_bytes(size, chance.choice(["big", "big", "little"]))
    content[at : at + size] = field[: max(0, len(content) - at)]


def overwrite_anywhere(content: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 4)):
        overwrite(content, chance, chance.randrange(len(content)))


def overwrite_beside_a_name(content: bytearray, chance: random.Random) -> None:
    """Lengths stand before the names of boxes, after those of chunks and elements, and counts a little later."""
    found = [match.start() for match in NAMES.finditer(content)]
    if found:
        overwrite(content, chance, max(0, chance.choice(found) + chance.choice([-8, -4, 4, 4, 8, 12, 16, 20, 24])))


def insert(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content) + 1)
    content[at:at] = chance.randbytes(chance.choice([1, 4, 64, 1024]))


MUTATIONS = [
    flip_bits_of_the_header,
    flip_bits,
    truncate,
    clear,
    remove,
    repeat,
    swap,
    overwrite_anywhere,
    overwrite_beside_a_name,
    overwrite_beside_a_name,
    insert,
]
