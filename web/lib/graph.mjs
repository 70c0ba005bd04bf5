// Which nodes of ours belong together, and when the graph changed.
import { api } from '../../../scripts/api.js'
import { allGraphs, downstream, rootGraph, upstream, widgetOf, widgetValue } from './links.mjs'

export {
  allGraphs,
  downstream,
  isLinked,
  linkedFrom,
  rootGraph,
  upstream,
  widgetOf,
  widgetValue,
} from './links.mjs'

/**
 * @typedef {import('./links.mjs').Node} Node
 * @typedef {null | { saved: string } | {
 *   address: string, tls: string, secret_name: string, fingerprint: string,
 *   ca_file?: string
 * }} ServerRef
 */

const AS_ABOVE = 'as above'
const CONSUMERS = ['DTSampler', 'DTUpscale']

/** @param {Node} node */
export function isOurs(node) {
  return /^DT[A-Z]/.test(node?.comfyClass ?? node?.type ?? '')
}

/**
 * @param {string} id as the server says it; "7:3" is node 3 inside the subgraph node 7
 * @returns {any} the node, or null
 */
export function nodeOfPath(id) {
  let graph = rootGraph()
  let node = null
  for (const part of String(id).split(':')) {
    node = graph?.getNodeById(Number(part)) ?? graph?.getNodeById(part)
    graph = node?.subgraph
  }
  return node
}

/**
 * @param {string} [kind] a node class; all of ours by default
 * @returns {Node[]} nodes of the workflow, those in subgraphs too
 */
export function allNodes(kind) {
  const found = []
  for (const graph of allGraphs()) {
    for (const node of graph._nodes ?? []) {
      if (kind ? node.comfyClass === kind : isOurs(node)) found.push(node)
    }
  }
  return found
}

/**
 * @param {Node} node of ours
 * @param {Set<Node>} [seen]
 * @returns {Node[]} the samplers and upscale nodes that it finally feeds; itself if it is one
 */
export function samplersOf(node, seen = new Set()) {
  if (!node || seen.has(node)) return []
  const first = seen.size === 0
  seen.add(node)
  if (CONSUMERS.includes(node.comfyClass)) return [node]
  if (!isOurs(node)) return []
  const next = (node.outputs ?? []).flatMap(
    (/** @type {any} */ output, /** @type {number} */ slot) =>
      // A text that was checked for a model may go to the sampler of another.
      first || output.type !== 'STRING' ? downstream(node, slot) : [],
  )
  return [...new Set(next.flatMap((/** @type {Node} */ other) => samplersOf(other, seen)))]
}

/**
 * @param {Node} node of ours
 * @returns {Node | null} the DT Model Loader that counts for it
 */
export function modelNodeOf(node) {
  if (node.comfyClass === 'DTModelLoader') return node
  const own = upstream(node, 'model')
  if (own?.comfyClass === 'DTModelLoader') return own
  for (const sampler of samplersOf(node)) {
    const loader = sampler === node ? null : upstream(sampler, 'model')
    if (loader?.comfyClass === 'DTModelLoader') return loader
  }
  return null
}

/**
 * @param {Node} node of ours
 * @returns {Node | null} the DT Server that counts for it; null where the default one does
 */
export function serverNodeOf(node) {
  if (node.comfyClass === 'DTServer') return node
  const own = upstream(node, 'server')
  if (own?.comfyClass === 'DTServer') return own
  const loader = modelNodeOf(node)
  const server = loader && loader !== node ? upstream(loader, 'server') : null
  return server?.comfyClass === 'DTServer' ? server : null
}

/**
 * @param {Node} server a DT Server
 * @returns {string} the stored server that it names; "" where its other fields count
 */
export function savedServer(server) {
  const saved = widgetValue(server, 'saved_server')
  return typeof saved === 'string' && saved !== AS_ABOVE ? saved : ''
}

/**
 * @param {Node} node of ours
 * @returns {ServerRef} the server that counts for it, in the form that the backend takes
 */
export function serverRef(node) {
  const server = serverNodeOf(node)
  if (!server) return null
  const saved = savedServer(server)
  if (saved) return { saved }
  const text = (/** @type {string} */ name) => String(widgetValue(server, name) ?? '')
  return {
    address: text('address'),
    tls: text('tls'),
    secret_name: text('secret_name'),
    fingerprint: text('fingerprint'),
    ca_file: text('ca_file'),
  }
}

/** @type {Set<() => void>} */
const listeners = new Set()
let told = false

/** Tell the listeners soon, once for many changes. */
export function graphChanged() {
  if (told) return
  told = true
  setTimeout(() => {
    told = false
    for (const listener of listeners) listener()
  }, 80)
}

/**
 * @param {() => void} listener called after links, values, nodes or the workflow changed
 */
export function onGraphChange(listener) {
  listeners.add(listener)
}

/**
 * Watch a node of ours: its links and its values.
 * @param {Node} node
 */
function watch(node) {
  const connections = node.onConnectionsChange
  node.onConnectionsChange = function (/** @type {any[]} */ ...values) {
    graphChanged()
    return connections?.apply(this, values)
  }
  const removed = node.onRemoved
  node.onRemoved = function (/** @type {any[]} */ ...values) {
    graphChanged()
    return removed?.apply(this, values)
  }
  for (const widget of node.widgets ?? []) {
    const chosen = widget.callback
    widget.callback = function (/** @type {any[]} */ ...values) {
      const result = chosen?.apply(this, values)
      graphChanged()
      return result
    }
  }
  graphChanged()
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const graphWatch = {
  name: 'drawthingsnodes.graph',
  nodeCreated(node) {
    if (isOurs(node)) watch(node)
  },
  afterConfigureGraph() {
    graphChanged()
  },
  setup() {
    // Reroutes and subgraphs change without a word to our nodes; ComfyUI says that the
    // workflow changed.
    api.addEventListener(/** @type {any} */ ('graphChanged'), graphChanged)
  },
}
