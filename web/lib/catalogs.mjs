// What servers have, asked once for all nodes.
import { api } from '../../../scripts/api.js'
import { call } from './backend.mjs'

/**
 * @typedef {import('./graph.mjs').ServerRef} ServerRef
 * @typedef {{
 *   file: string, name: string, family: string, family_name: string, installed: boolean,
 *   modifier?: string, type?: string, keyword?: string, scale_factor?: number,
 *   default_weight?: number, described_weight?: number | null, lower_weight?: number, upper_weight?: number
 * }} Entry
 * @typedef {'models' | 'loras' | 'controls' | 'upscalers' | 'face_restorers' | 'embeddings'} Kind
 * @typedef {{
 *   known: boolean, address: string, stale: boolean, asked_at: number, browsable: boolean,
 *   refiners?: Record<string, string[]>, error?: string, code?: string
 * } & Record<Kind, Entry[]>} Catalog
 */

/** @type {Map<string, Promise<Catalog>>} */
const asked = new Map()
/** @type {Map<string, Catalog>} */
const answers = new Map()
/** @type {Set<() => void>} */
const listeners = new Set()

/** @type {Record<Kind, Entry[]>} */
const NOTHING = {
  models: [],
  loras: [],
  controls: [],
  upscalers: [],
  face_restorers: [],
  embeddings: [],
}

/** @param {ServerRef} ref */
export function keyOf(ref) {
  return JSON.stringify(ref)
}

/**
 * @param {ServerRef} ref
 * @param {boolean} [refresh] ask the server again, in the background
 * @returns {Promise<Catalog>} never rejects: `error` tells why it is empty
 */
export function catalogOf(ref, refresh = false) {
  const key = keyOf(ref)
  const known = asked.get(key)
  if (known && !refresh) return known
  const answer = fetchCatalog(ref, refresh)
  asked.set(key, answer)
  return answer
}

/**
 * @param {ServerRef} ref of a server that was asked just now
 * @returns {Promise<Catalog>} as `catalogOf`; the server is not asked a second time
 */
export function renewCatalog(ref) {
  asked.delete(keyOf(ref))
  return catalogOf(ref)
}

/**
 * @param {ServerRef} ref
 * @param {boolean} refresh
 * @returns {Promise<Catalog>}
 */
async function fetchCatalog(ref, refresh) {
  const empty = { known: false, address: '', stale: true, asked_at: 0, browsable: false }
  let answer
  try {
    answer = { ...empty, ...NOTHING, ...(await call('/catalog', { server: ref, refresh })) }
  } catch (error) {
    const { message, code } = /** @type {import('./backend.mjs').BackendError} */ (error)
    answer = { ...empty, ...NOTHING, error: message, code }
  }
  const before = answers.get(keyOf(ref))
  // An answer that knows nothing does not wipe out what was known.
  if (answer.known || !before?.known) answers.set(keyOf(ref), answer)
  if (JSON.stringify(before) !== JSON.stringify(answer)) for (const tell of listeners) tell()
  return answer
}

/**
 * @param {ServerRef} ref
 * @returns {Catalog | undefined} the last answer, without asking
 */
export function known(ref) {
  return answers.get(keyOf(ref))
}

/** @param {() => void} listener called when an answer brought news */
export function onCatalog(listener) {
  listeners.add(listener)
}

/** Ask the backend again for every server that was asked for. */
export function forgetCatalogs() {
  const keys = [...asked.keys()]
  asked.clear()
  for (const key of keys) void catalogOf(JSON.parse(key))
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const catalogWatch = {
  name: 'drawthingsnodes.catalogs',
  setup() {
    api.addEventListener(/** @type {any} */ ('drawthingsnodes.lists'), forgetCatalogs)
    api.addEventListener(/** @type {any} */ ('reconnected'), forgetCatalogs)
  },
}
