// Plays a manifest to its end in headless Chromium and says what was seen, as JSON on standard output.
//
// Standard input: {"player": "shaka" or "hls", "manifest": URL, "keys": {KID: key in hexadecimal, …} or absent,
// "subtitles": the language of those to show, or absent}.
// The folder of the players' packages is the first argument.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const packages = path.resolve(process.argv[2])
const { chromium } = createRequire(path.join(packages, 'package.json'))('playwright-core')
const { player, manifest, keys, subtitles } = JSON.parse(readFileSync(0, 'utf8'))
const script = { shaka: 'shaka-player/dist/shaka-player.compiled.js', hls: 'hls.js/dist/hls.js' }[player]

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required',
  ],
})
try {
  const page = await browser.newPage()
  const errors = []
  page.on('pageerror', (error) => errors.push(String(error)))
  // EME works in secure contexts alone, which a page at the loopback address is.
  const address = new URL('/player.html', manifest).href
  await page.route(address, (route) =>
    route.fulfill({ contentType: 'text/html', body: '<!doctype html><video muted width="320" height="180"></video>' }))
  await page.goto(address)
  await page.addScriptTag({ path: path.join(packages, 'node_modules', script) })
  // What is on the screen, and not what a script may read: of encrypted video that is nothing.
  const pictures = new Set()
  let playing = true
  const looking = (async () => {
    while (playing) {
      const picture = await page.locator('video').screenshot({ animations: 'allow' })
      pictures.add(createHash('sha256').update(picture).digest('hex'))
    }
  })()
  const seen = await page.evaluate(play, { player, manifest, keys: keys ?? {}, subtitles })
  playing = false
  await looking
  console.log(JSON.stringify({ ...seen, pictures: pictures.size, errors: [...seen.errors, ...errors] }))
} finally {
  await browser.close()
}

// Runs in the page.
async function play({ player, manifest, keys, subtitles }) {
  const video = document.querySelector('video')
  const errors = []
  const cues = []
  const show = (track) => {
    track.addEventListener('cuechange', () => {
      for (const { startTime, endTime, text } of track.activeCues ?? []) {
        if (!cues.some((cue) => cue.start === startTime && cue.text === text)) {
          cues.push({ start: startTime, end: endTime, text })
        }
      }
    })
  }
  video.textTracks.addEventListener('addtrack', ({ track }) => show(track))
  const ended = new Promise((resolve) => {
    video.addEventListener('ended', () => resolve('ended'))
    const fail = (error) => {
      errors.push(String(error?.message ?? JSON.stringify(error)))
      resolve('failed')
    }
    video.addEventListener('error', () => fail(video.error))
    setTimeout(() => resolve(`stuck at ${video.currentTime}`), 60_000)
    if (player === 'hls') {
      const hls = new Hls(subtitles ? { subtitlePreference: { lang: subtitles } } : {})
      hls.on(Hls.Events.ERROR, (_, data) => data.fatal && fail({ message: `${data.type} ${data.details}` }))
      hls.loadSource(manifest)
      hls.attachMedia(video)
    } else {
      shaka.polyfill.installAll()
      const instance = new shaka.Player()
      instance.addEventListener('error', (event) => fail({ message: `shaka ${event.detail.code} ${event.detail.data}` }))
      instance
        .attach(video)
        .then(() => {
          instance.configure({ drm: { clearKeys: keys } })
          return instance.load(manifest)
        })
        .then(() => {
          const track = instance.getTextTracks().find(({ language }) => language === subtitles)
          if (track) {
            instance.selectTextTrack(track)
            instance.setTextTrackVisibility?.(true)
          }
        })
        .catch((error) => fail({ message: `shaka ${error.code} ${error.data}` }))
    }
    video.addEventListener('canplay', () => video.play().catch(fail), { once: true })
  })
  const end = await ended
  return {
    end,
    duration: video.duration,
    position: video.currentTime,
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
    cues,
    errors,
  }
}
