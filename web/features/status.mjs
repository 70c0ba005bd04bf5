// How the connection to a server is, on the nodes that name it.
import { app } from '../../../scripts/app.js'
import { api } from '../../../scripts/api.js'
import { call } from '../lib/backend.mjs'
import { keyOf } from '../lib/catalogs.mjs'
import { allNodes, onGraphChange, serverNodeOf, serverRef } from '../lib/graph.mjs'
import {
  acceptCertificate,
  ASKING,
  askStatus,
  detailsOf,
  fixOf,
  gradeOf,
  lineOf,
} from '../lib/status_words.mjs'
import { fill, sectionButton, words } from '../lib/strip.mjs'
import { t } from '../lib/text.mjs'
import { renewDefinitions } from './refresh.mjs'

const FRESH_MS = 60_000
const RECENT_MS = 3000 // what is younger is not asked for again because something happened
const LOOK_MS = 5000
const SETTING = 'drawthingsnodes.status_line'

/**
 * @typedef {import('../lib/status_words.mjs').Status} Status
 * @typedef {import('../lib/graph.mjs').ServerRef} ServerRef
 * @typedef {{
 *   status: Status, asked: number, asking: boolean, again: boolean, lost: boolean
 * }} State
 */

/** @type {Map<string, State>} */
const states = new Map()

const LOST = ['unreachable'] // by itself, not by what the user entered

/**
 * Ask a server how it is, unless the answer is young enough; never twice at the same time.
 * @param {ServerRef} ref
 * @param {number} [age] ms that the answer may be old
 * @param {boolean} [changed] whether an answer under way may be outdated already
 */
async function refresh(ref, age = FRESH_MS, changed = false) {
  const key = keyOf(ref)
  const known = states.get(key)
  if (known?.asking) {
    known.again ||= changed
    return
  }
  if (known && Date.now() - known.asked < age) return
  const before = known?.status
  const lost = known?.lost ?? false
  const state = { status: before ?? ASKING, asked: Date.now(), asking: true, again: false, lost }
  states.set(key, state)
  if (changed) show()
  const status = await askStatus(ref)
  const now = announce(before, status, lost)
  states.set(key, { status, asked: Date.now(), asking: false, again: false, lost: now })
  show()
  if (state.again) await refresh(ref, 0)
}

/**
 * Ask for every server that is shown.
 * @param {number} age ms that an answer may be old
 * @param {boolean} [changed] whether answers under way may be outdated
 */
function refreshShown(age, changed = false) {
  if (document.visibilityState !== 'visible') return
  const shown = allNodes().filter(tellsStatus).map(serverRef)
  const byKey = new Map(shown.map((ref) => [keyOf(ref), ref]))
  for (const ref of byKey.values()) void refresh(ref, age, changed)
}

/**
 * One toast for each change between there and away; none for the first answer.
 * @param {Status | undefined} before
 * @param {Status} after
 * @param {boolean} lost whether it was there once, and then away
 * @returns {boolean} whether it is lost now
 */
function announce(before, after, lost) {
  if (after.code === 'busy') return lost // neither there nor away
  const is = gradeOf(after) !== 'bad'
  const was = before && before.code !== 'asking' && gradeOf(before) !== 'bad'
  const server = after.name || after.address || before?.name || before?.address || ''
  const toast = (/** @type {'success' | 'warn'} */ severity, /** @type {string} */ detail) =>
    app.extensionManager.toast.add({ severity, summary: 'Draw Things', detail, life: 6000 })
  // A server that was just added, or whose secret was, is not back: it was never lost.
  if (is && lost) toast('success', t('status.back', { server }))
  if (!is && was && !lost) toast('warn', after.sentence || t('status.lost', { server }))
  return !is && (lost || (Boolean(was) && LOST.includes(after.code)))
}

/** @param {any} node */
function tellsStatus(node) {
  if (node.comfyClass === 'DTServer') return true
  // A loader speaks for the default server; a linked DT Server speaks for itself.
  return node.comfyClass === 'DTModelLoader' && !serverNodeOf(node)
}

/**
 * @param {any} node
 * @param {ServerRef} ref
 * @param {Status} status
 */
function draw(node, ref, status) {
  const line = document.createElement('div')
  line.className = `dt-line dt-${gradeOf(status)}`
  line.title = detailsOf(status)
  const dot = document.createElement('span')
  dot.className = 'dt-dot'
  line.append(dot, words(lineOf(status)))
  if (status.code !== 'asking') {
    line.append(refreshButton(ref))
  }
  const rows = [line]
  const fix = fixOf(status)
  if (fix) {
    const more = document.createElement('div')
    more.className = 'dt-line dt-quiet'
    more.append(words(fix, 'text', status.sentence))
    if (status.code === 'unknown_server') {
      more.append(sectionButton(t('status.add'), () => void addServer(ref)))
    }
    const { presented } = status
    if (presented) {
      more.append(sectionButton(t('status.accept'), () => void accept(ref, presented)))
    }
    rows.push(more)
  }
  fill(node, 'status', ...rows)
}

/** @param {ServerRef} ref */
function refreshButton(ref) {
  const again = sectionButton('', () => void refresh(ref, 0, true), t('status.again'))
  again.setAttribute('aria-label', t('status.again'))
  again.classList.add('pi', 'pi-refresh', 'dt-symbol')
  return again
}

/**
 * Store the server that a node names, under a name that the user gives.
 * @param {ServerRef} ref
 */
async function addServer(ref) {
  if (!ref || !('address' in ref)) return
  const name = await app.extensionManager.dialog.prompt({
    title: t('status.add_title'),
    message: t('status.add_name', { address: ref.address }),
    defaultValue: ref.address.replace(/:\d+$/, ''),
  })
  if (!name) return
  const { address, tls, secret_name = '', fingerprint, ca_file = '' } = ref
  try {
    await call('/servers/save', { name, address, tls, secret_name, fingerprint, ca_file })
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    app.extensionManager.toast.add({ severity: 'error', summary: 'Draw Things', detail })
  }
  await renewDefinitions()
  void refresh(ref, 0, true)
}

/**
 * @param {ServerRef} ref
 * @param {string} fingerprint of the certificate that the server presents now
 */
async function accept(ref, fingerprint) {
  try {
    await acceptCertificate(ref, fingerprint)
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    app.extensionManager.toast.add({ severity: 'error', summary: 'Draw Things', detail })
  }
  void refresh(ref, 0, true)
}

/** Draw every node's line, and ask for what is not known yet. */
function show() {
  const off = app.extensionManager.setting?.get(/** @type {any} */ (SETTING)) === false
  for (const node of allNodes()) {
    if (!tellsStatus(node) || off) {
      fill(node, 'status')
      continue
    }
    const ref = serverRef(node)
    const known = states.get(keyOf(ref))
    const busy = known?.asking ? { ...known.status, code: 'asking' } : known?.status
    draw(node, ref, busy ?? ASKING)
    if (!known) void refresh(ref)
  }
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const status = {
  name: 'drawthingsnodes.status',
  setup() {
    onGraphChange(show)
    // Lists come with every answer of a server, so this must not ask again at once.
    const soon = ['drawthingsnodes.lists', 'execution_success', 'reconnected']
    for (const event of soon) {
      api.addEventListener(/** @type {any} */ (event), () => {
        show()
        refreshShown(RECENT_MS)
      })
    }
    // However young the answer is: the server may just have died.
    for (const event of ['execution_error', 'execution_interrupted']) {
      api.addEventListener(/** @type {any} */ (event), () => refreshShown(0, true))
    }
    window.addEventListener('visibilitychange', () => refreshShown(RECENT_MS))
    setInterval(() => refreshShown(FRESH_MS), LOOK_MS)
  },
}
