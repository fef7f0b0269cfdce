"""The film that encoding and checking are measured with."""

import pathlib
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parents[2] / ".reelfarm" / "bench"
FRAMES_PER_SECOND = 25


def make_source(seconds: int) -> pathlib.Path:
    """A clip with what films have and test cards lack: fine moving detail, soft areas, a cut every 4 s, grain, and a pan."""
    source = FOLDER / f"source-{seconds}s.mp4"
    if source.exists():
        return source
    print(f"making the input: {source}", file=sys.stderr)
    source.parent.mkdir(parents=True, exist_ok=True)
    scratch = source.with_suffix(".part.mp4")
    rate = FRAMES_PER_SECOND
    picture = (
        # Two views of one deep zoom, cut against each other; the second panned and soft, like a background out of focus.
        f"mandelbrot=size=960x540:rate={rate}:maxiter=300:start_scale=0.8:end_scale=0.001:end_pts={seconds * rate},"
        "format=yuv420p,eq=saturation=0.5:contrast=0.8,split[near][far];"
        "[near]scale=1920:1080:flags=lanczos[sharp];"
        "[far]crop=480:270:x='240+220*sin(t/2)':y='135+110*cos(t/3)',gblur=sigma=0.7,scale=1920:1080:flags=bicubic[soft];"
        "[sharp][soft]overlay=enable='lt(mod(t,8),4)',noise=alls=6:allf=t[picture];"
        "anoisesrc=color=pink:amplitude=0.2:sample_rate=48000:seed=1[left];"
        "sine=frequency=440:sample_rate=48000:beep_factor=3[right];"
        "[left][right]join=inputs=2:channel_layout=stereo[sound]"
    )
    subprocess.run(
        ["ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-filter_complex", picture]
        + ["-map", "[picture]", "-map", "[sound]", "-t", str(seconds)]
        + ["-c:v", "libx264", "-preset", "veryfast", "-b:v", "20M", "-maxrate", "25M", "-bufsize", "40M"]
        + ["-color_range", "tv", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
        + ["-c:a", "aac", "-b:a", "256k", "-metadata:s:a:0", "language=eng", str(scratch)],
        check=True,
    )
    scratch.replace(source)
    return source
