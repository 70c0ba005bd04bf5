// Files on their way to servers, one after the other, whoever looks on.
import { app } from '../../../scripts/app.js'
import { api } from '../../../scripts/api.js'
import { BackendError, call, stream } from '../lib/backend.mjs'
import { sentenceOf } from '../lib/sentences.mjs'
import { t } from '../lib/text.mjs'

const EVENT = 'drawthingsnodes.upload'
const RATE_OVER_MS = 5000

/**
 * @typedef {'asking' | 'waiting' | 'receiving' | 'sending' | 'hashing' | 'done' | 'failed'
 *   | 'cancelled'} Phase receiving: by ComfyUI; sending: on to the server
 * @typedef {{
 *   id: string, file: File, server: import('../lib/graph.mjs').ServerRef, serverName: string,
 *   phase: Phase, sent: number, total: number, sentence: string, mayTryAgain: boolean,
 *   overwrite: boolean, samples: [at: number, sent: number][], abort: AbortController
 * }} Upload
 */

const ENDED = ['done', 'failed', 'cancelled']

/** @type {Upload[]} */
let all = []
/** @type {Set<() => void>} */
const listeners = new Set()
let running = false

/** @returns {readonly Upload[]} in the order in which they were given */
export function uploads() {
  return all
}

/**
 * @param {() => void} listener called at every change
 * @returns {() => void} to call no more
 */
export function onUploads(listener) {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

/** @param {Upload} upload */
export function hasEnded(upload) {
  return ENDED.includes(upload.phase)
}

/**
 * Send files to a server; asks the user before one there is overwritten.
 * @param {File[]} files
 * @param {import('../lib/graph.mjs').ServerRef} server
 * @param {string} serverName for people
 */
export async function upload(files, server, serverName) {
  const added = files.map((file) => ({ ...fresh(file), server, serverName }))
  all = [...all, ...added]
  tell()
  await check(added)
}

/** @param {Upload} one that failed */
export async function tryAgain(one) {
  const again = { ...fresh(one.file), server: one.server, serverName: one.serverName }
  all = all.map((other) => (other === one ? again : other))
  tell()
  await check([again])
}

/** @param {Upload} one */
export function cancel(one) {
  if (hasEnded(one)) return
  const began = one.phase !== 'asking' && one.phase !== 'waiting'
  end(one, 'cancelled')
  if (!began) return
  void call('/upload/cancel', { id: one.id })
    .catch(() => undefined) // ComfyUI is away, and with it the upload
    .finally(() => one.abort.abort())
}

/** @param {Upload} one that has ended */
export function dismiss(one) {
  all = all.filter((other) => other !== one)
  tell()
}

/**
 * @param {Upload} one
 * @returns {{ rate: number, left: number } | null} bytes per second, and seconds to go in this
 *   phase; null while nobody can tell
 */
export function speedOf(one) {
  const [first] = one.samples
  const last = one.samples.at(-1)
  if (!first || !last || last[0] - first[0] < 500 || last[1] <= first[1]) return null
  const rate = ((last[1] - first[1]) / (last[0] - first[0])) * 1000
  return { rate, left: (one.total - one.sent) / rate }
}

/**
 * @param {File} file
 * @returns {Upload}
 */
function fresh(file) {
  const random = crypto.getRandomValues(new Uint32Array(3)) // randomUUID wants a safe page
  return {
    id: [...random].map((part) => part.toString(36)).join(''),
    file,
    server: null,
    serverName: '',
    phase: 'asking',
    sent: 0,
    total: file.size,
    sentence: '',
    mayTryAgain: true,
    overwrite: false,
    samples: [],
    abort: new AbortController(),
  }
}

/**
 * Ask the server which of the files it has, and the user whether they may be replaced.
 * @param {Upload[]} added all for one server
 */
async function check(added) {
  const [{ server, serverName }] = added
  try {
    const names = added.map((one) => one.file.name)
    /** @type {{ files: { name: string, exists: boolean, refused: string }[] }} */
    const { files } = await call('/files/exist', { server, files: names })
    added.forEach((one, place) => {
      if (!files[place].refused) return
      one.mayTryAgain = false
      end(one, 'failed', sentenceOf(files[place], 'refused'))
    })
    const there = added.filter((one, place) => files[place].exists && !hasEnded(one))
    if (there.length) {
      const sure = await app.extensionManager.dialog.confirm({
        title: t('sidebar.overwrite_title'),
        message: t('sidebar.overwrite_sure', { server: serverName }),
        itemList: there.map((one) => one.file.name),
        type: 'overwrite',
      })
      for (const one of there) {
        one.overwrite = Boolean(sure)
        if (!sure) end(one, 'cancelled', t('sidebar.upload_kept'))
      }
    }
  } catch (error) {
    const sentence = error instanceof Error ? error.message : String(error)
    for (const one of added) if (!hasEnded(one)) end(one, 'failed', sentence)
  }
  for (const one of added) if (!hasEnded(one)) one.phase = 'waiting'
  tell()
  await work()
}

/** Send what waits, in order. */
async function work() {
  if (running) return
  running = true
  window.addEventListener('beforeunload', warn)
  for (let one = next(); one; one = next()) await send(one)
  window.removeEventListener('beforeunload', warn)
  running = false
}

function next() {
  return all.find((one) => one.phase === 'waiting')
}

/** @param {BeforeUnloadEvent} event closing the page ends the upload */
function warn(event) {
  event.preventDefault()
}

/** @param {Upload} one */
async function send(one) {
  one.phase = 'receiving'
  tell()
  const { id, file, server, overwrite } = one
  /** @type {Record<string, string>} */
  const query = { id, name: file.name, server: JSON.stringify(server) }
  if (overwrite) query.overwrite = '1'
  try {
    await stream('/upload', query, file, one.abort.signal)
    if (!hasEnded(one)) end(one, 'done')
  } catch (error) {
    if (hasEnded(one)) return
    const away = error instanceof BackendError && error.status === 0 && one.sentence
    end(one, 'failed', away || (error instanceof Error ? error.message : String(error)))
  }
}

/**
 * @param {Upload} one
 * @param {Phase} phase
 * @param {string} [sentence]
 */
function end(one, phase, sentence = '') {
  one.phase = phase
  one.sentence = sentence
  tell()
}

/** @param {{ id: string, phase: string, sent: number, total: number, sentence: string }} event */
function follow(event) {
  const one = all.find((other) => other.id === event.id)
  if (!one || hasEnded(one)) return
  one.sentence = sentenceOf(event, 'sentence')
  if (!['receiving', 'sending', 'hashing'].includes(event.phase)) return // the answer tells
  if (event.phase !== one.phase) one.samples = []
  one.phase = /** @type {Phase} */ (event.phase)
  one.sent = event.sent
  one.total = event.total || one.file.size
  const now = performance.now()
  one.samples = [...one.samples, [now, event.sent]]
  while (one.samples.length > 2 && now - one.samples[0][0] > RATE_OVER_MS) one.samples.shift()
  tell()
}

function tell() {
  for (const listener of listeners) listener()
}

/** Hear from the backend how far it is. */
export function listenToUploads() {
  api.addEventListener(/** @type {any} */ (EVENT), (/** @type {CustomEvent} */ { detail }) => {
    follow(detail)
  })
}
