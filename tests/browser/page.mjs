// Opens a page in headless Chromium and says what became of it, as JSON on standard output.
//
// Standard input: {"page": URL}. The folder of the packages is the first argument.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const packages = path.resolve(process.argv[2])
const { chromium } = createRequire(path.join(packages, 'package.json'))('playwright-core')
const { page: address } = JSON.parse(readFileSync(0, 'utf8'))

const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [
    '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update',
    '--disable-sync',
  ],
})
try {
  const page = await browser.newPage()
  const [requests, errors] = [[], []]
  page.on('request', (request) => {
    if (request.url() !== address && !request.url().startsWith('data:')) requests.push(request.url())
  })
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('console', (message) => errors.push(message.text()))
  await page.goto(address, { waitUntil: 'load' })
  const seen = await page.evaluate(async () => {
    const images = []
    for (const image of document.images) {
      await image.decode().catch(() => {})
      const { naturalWidth: width, naturalHeight: height, alt: alternative } = image
      images.push({ width, height, alternative, light: light(image, width, height) })
    }
    // The mean of all samples, from 0 to 255.
    function light(image, width, height) {
      if (width * height === 0) return 0
      const canvas = Object.assign(document.createElement('canvas'), { width, height })
      const context = canvas.getContext('2d')
      context.drawImage(image, 0, 0)
      const samples = context.getImageData(0, 0, width, height).data.filter((_, index) => index % 4 < 3)
      return samples.reduce((sum, sample) => sum + sample, 0) / samples.length
    }
    const drawing = document.querySelector('svg')?.getBoundingClientRect().height ?? 0
    return { title: document.title, images, drawing }
  })
  console.log(JSON.stringify({ ...seen, requests, errors }))
} finally {
  await browser.close()
}
