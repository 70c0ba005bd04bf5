// What the server is doing while it generates, on the node that waits for it.
import { api } from '../../../scripts/api.js'
import { timeLeft } from '../lib/amounts.mjs'
import { hasDomWidgets } from '../lib/faces.mjs'
import { allNodes, nodeOfPath } from '../lib/graph.mjs'
import { fill, words } from '../lib/strip.mjs'
import { t } from '../lib/text.mjs'

const LONG_WAIT_S = 3

/**
 * @typedef {{
 *   node: string, phase: string, number?: number, requests?: number, waited?: number,
 *   received?: number, expected?: number, item?: number, items?: number, stage?: string,
 *   step?: number, steps?: number, done?: number, left?: number | null, size?: number
 * }} Progress
 */

/**
 * @param {number} bytes
 * @returns {string}
 */
function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1)
}

/**
 * @param {Progress} event
 * @returns {string}
 */
function phaseOf(event) {
  switch (event.phase) {
    case 'waiting': {
      const seconds = event.waited ?? 0
      if (seconds < LONG_WAIT_S) return t('progress.waiting')
      return t('progress.waiting_long', { seconds })
    }
    case 'downloading': {
      const { received = 0, expected = 0, item = 1, items = 1 } = event
      const share = expected
        ? `${Math.round((received / expected) * 100)} %`
        : `${megabytes(received)} MB`
      return t('progress.downloading', { item, items, share })
    }
    case 'stage':
      return t(`progress.${event.stage}`, { step: event.step ?? 0, steps: event.steps ?? 0 })
    case 'receiving':
      return t('progress.receiving', { megabytes: megabytes(event.size ?? 0) })
    default:
      return t(`progress.${event.phase}`)
  }
}

/**
 * @param {Progress} event
 * @returns {string} one line
 */
function lineOf(event) {
  let text = phaseOf(event)
  const { number = 1, requests = 1 } = event
  if (requests > 1) text = t('progress.of', { number, requests, text })
  return event.left ? `${text} · ${timeLeft(event.left)}` : text
}

/**
 * @param {any} node
 * @param {Progress} event
 */
function draw(node, event) {
  const text = lineOf(event)
  const outer = String(event.node).split(':')[0]
  if (outer !== String(event.node)) tellByComfyui(outer, text)
  if (!hasDomWidgets()) {
    tellByComfyui(event.node, text)
    return
  }
  const line = document.createElement('div')
  line.className = 'dt-line dt-strong'
  line.append(words(text))
  const track = document.createElement('div')
  track.className = 'dt-track'
  const bar = document.createElement('div')
  bar.style.width = `${Math.round((event.done ?? (event.phase === 'receiving' ? 1 : 0)) * 100)}%`
  track.append(bar)
  fill(node, 'progress', line, track)
}

/**
 * A line of ComfyUI's own on a node, gone when the job ends: for subgraph nodes, which have no
 * strip, and for the first Vue renderer, which shows no widgets of ours.
 * @param {string} nodeId
 * @param {string} text
 */
function tellByComfyui(nodeId, text) {
  const events = /** @type {any} */ (api)
  events.dispatchCustomEvent?.('progress_text', { nodeId, text })
}

/** Nothing is running any more, or nobody knows. */
function clear() {
  for (const node of allNodes()) fill(node, 'progress')
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const progress = {
  name: 'drawthingsnodes.progress',
  setup() {
    api.addEventListener(/** @type {any} */ ('drawthingsnodes.progress'), (message) => {
      const event = /** @type {Progress} */ (/** @type {any} */ (message).detail)
      const node = nodeOfPath(event.node)
      if (!node) return
      if (event.phase === 'done') fill(node, 'progress')
      else draw(node, event)
    })
    const ends = ['execution_success', 'execution_error', 'execution_interrupted', 'reconnecting']
    for (const end of ends) api.addEventListener(/** @type {any} */ (end), clear)
    // The end of a run is not told to a page that was away then; that the queue is empty is.
    api.addEventListener('status', (message) => {
      if (/** @type {any} */ (message).detail?.exec_info?.queue_remaining === 0) clear()
    })
  },
}
