// Walks along links: through reroutes, bypassed nodes and the borders of subgraphs.
import { app } from '../../../scripts/app.js'

/**
 * LiteGraph's nodes and graphs: their published types know no subgraphs.
 * @typedef {any} Node
 * @typedef {any} Graph
 */

const SUBGRAPH_INPUT = -10 // ids that LiteGraph gives the borders of a subgraph
const SUBGRAPH_OUTPUT = -20
const BYPASSED = 4 // node.mode
const MUTED = 2
const DEPTH = 200 // links followed before a loop is suspected

/** @returns {Graph} */
export function rootGraph() {
  const anyApp = /** @type {any} */ (app)
  return anyApp.rootGraph ?? anyApp.graph?.rootGraph ?? anyApp.graph
}

/**
 * @param {Graph} [graph]
 * @returns {Generator<Graph>} the graph and those inside its subgraph nodes, each once
 */
export function* allGraphs(graph = rootGraph(), seen = new Set()) {
  if (!graph || seen.has(graph)) return
  seen.add(graph)
  yield graph
  for (const node of graph._nodes ?? []) {
    if (node.subgraph) yield* allGraphs(node.subgraph, seen)
  }
}

/**
 * A graph's links, read as a whole: the newest front end warns of `input.link` and
 * `output.links`, and subgraph nodes answer `getInputLink` for their outputs.
 * @param {Graph} graph
 * @returns {any[]}
 */
function linksOf(graph) {
  const links = graph?.links ?? graph?._links
  if (!links) return []
  return (typeof links.values === 'function' ? [...links.values()] : Object.values(links)).filter(
    Boolean,
  )
}

/**
 * Ids are numbers in one front end and texts in another.
 * @param {unknown} end of a link
 * @param {unknown} id
 */
function isAt(end, id) {
  return String(end) === String(id)
}

/**
 * @param {Node} node
 * @param {number} slot of an input
 */
function linkInto(node, slot) {
  return linksOf(node.graph).find(
    (link) => isAt(link.target_id, node.id) && link.target_slot === slot,
  )
}

/**
 * @param {Graph} inner
 * @returns {Node[]} the subgraph nodes whose inside it is
 */
function hostsOf(inner) {
  return [...allGraphs()].flatMap((graph) =>
    (graph._nodes ?? []).filter((/** @type {Node} */ node) => node.subgraph === inner),
  )
}

/**
 * @typedef {{ node: Node, slot: number }} Place an output of a node
 * @typedef {Node[]} Path the subgraph nodes through which a walk went down
 */

/**
 * The output behind one input.
 * @param {Node} node
 * @param {number} slot
 * @param {Path} [path]
 * @param {number} [depth]
 * @returns {Place | null}
 */
function source(node, slot, path = [], depth = 0) {
  const link = linkInto(node, slot)
  return link ? origin(node.graph, link, path, depth) : null
}

/**
 * @param {Graph} graph
 * @param {any} link
 * @param {Path} path
 * @param {number} depth
 * @returns {Place | null}
 */
function origin(graph, link, path, depth) {
  if (depth > DEPTH) return null
  if (isAt(link.origin_id, SUBGRAPH_INPUT)) {
    const hosts = path.length ? path.slice(-1) : hostsOf(graph)
    for (const host of hosts) {
      const outside = source(host, link.origin_slot, path.slice(0, -1), depth + 1)
      if (outside) return outside
    }
    return null
  }
  const from = graph.getNodeById(link.origin_id)
  if (!from || from.mode === MUTED) return null
  if (from.mode === BYPASSED) {
    const through = passed(from, link.origin_slot)
    return through < 0 ? null : source(from, through, path, depth + 1)
  }
  if (from.subgraph) {
    const inner = linksOf(from.subgraph).find(
      (other) => isAt(other.target_id, SUBGRAPH_OUTPUT) && other.target_slot === link.origin_slot,
    )
    return inner ? origin(from.subgraph, inner, [...path, from], depth + 1) : null
  }
  if (from.type === 'Reroute') return source(from, 0, path, depth + 1)
  if (from.isVirtualNode && !from.inputs?.length) {
    const elsewhere = from.getInputLink?.(link.origin_slot) // "Get" nodes of other packs
    if (elsewhere) return origin(graph, elsewhere, path, depth + 1)
  }
  return { node: from, slot: link.origin_slot }
}

/**
 * Which input a bypassed node hands on for one of its outputs; -1 if none: the one of the same
 * place if it has the type, else the first that has it.
 * @param {Node} node
 * @param {number} slot
 */
function passed(node, slot) {
  const type = node.outputs?.[slot]?.type
  const inputs = node.inputs ?? []
  if (inputs[slot]?.type === type) return slot
  return inputs.findIndex((/** @type {any} */ input) => input.type === type)
}

/**
 * @param {Node} node
 * @param {string} name of an input
 */
function slotOf(node, name) {
  return (node.inputs ?? []).findIndex((/** @type {any} */ input) => input.name === name)
}

/**
 * @param {Node} node
 * @param {string} name of an input
 * @returns {Node | null} the node that feeds it
 */
export function upstream(node, name) {
  const slot = slotOf(node, name)
  return slot < 0 ? null : (source(node, slot)?.node ?? null)
}

/**
 * @param {Node} node
 * @param {string} name of an input
 * @returns {boolean} whether a link leads into it, whatever comes through
 */
export function isLinked(node, name) {
  const slot = slotOf(node, name)
  return slot >= 0 && Boolean(linkInto(node, slot))
}

/**
 * The node and output from which another node could be fed in place of this input; null where
 * nothing is linked, undefined where a subgraph's border feeds it.
 * @param {Node} node
 * @param {string} name of an input
 * @returns {{ node: Node, slot: number } | null | undefined}
 */
export function linkedFrom(node, name) {
  const slot = slotOf(node, name)
  const link = slot < 0 ? undefined : linkInto(node, slot)
  if (!link) return null
  const from = node.graph.getNodeById(link.origin_id)
  return from ? { node: from, slot: link.origin_slot } : undefined
}

/**
 * @param {Node} node
 * @param {number | string} output its place or its name
 * @returns {Node[]} the nodes that it feeds
 */
export function downstream(node, output = 0) {
  const slot =
    typeof output === 'number'
      ? output
      : (node.outputs ?? []).findIndex((/** @type {any} */ other) => other.name === output)
  return [...new Set(fed(node, slot, [], 0))]
}

/**
 * @param {Node} node
 * @param {number} slot of an output
 * @param {Path} path
 * @param {number} depth
 * @returns {Node[]}
 */
function fed(node, slot, path, depth) {
  if (depth > DEPTH) return []
  return linksOf(node.graph)
    .filter((link) => isAt(link.origin_id, node.id) && link.origin_slot === slot)
    .flatMap((link) => targets(node.graph, link, path, depth + 1))
}

/**
 * @param {Graph} graph
 * @param {any} link
 * @param {Path} path
 * @param {number} depth
 * @returns {Node[]}
 */
function targets(graph, link, path, depth) {
  if (isAt(link.target_id, SUBGRAPH_OUTPUT)) {
    const hosts = path.length ? path.slice(-1) : hostsOf(graph)
    return hosts.flatMap((host) => fed(host, link.target_slot, path.slice(0, -1), depth))
  }
  const to = graph.getNodeById(link.target_id)
  if (!to || to.mode === MUTED) return []
  if (to.mode === BYPASSED) {
    return [...(to.outputs ?? []).keys()].flatMap((slot) =>
      passed(to, slot) === link.target_slot ? fed(to, slot, path, depth) : [],
    )
  }
  if (to.subgraph) {
    return linksOf(to.subgraph)
      .filter((inner) => isAt(inner.origin_id, SUBGRAPH_INPUT))
      .filter((inner) => inner.origin_slot === link.target_slot)
      .flatMap((inner) => targets(to.subgraph, inner, [...path, to], depth + 1))
  }
  return to.type === 'Reroute' ? fed(to, 0, path, depth) : [to]
}

/**
 * @param {Node} node
 * @param {string} name
 * @returns {any} the widget, or undefined
 */
export function widgetOf(node, name) {
  return node.widgets?.find((/** @type {any} */ widget) => widget.name === name)
}

/**
 * @param {Node} node
 * @param {string} name of an input
 * @returns {unknown} its value: of a linked primitive where there is one; undefined if only a
 *   run can tell
 */
export function widgetValue(node, name) {
  const slot = slotOf(node, name)
  const link = slot < 0 ? undefined : linkInto(node, slot)
  return link ? linkedValue(node.graph, link) : widgetOf(node, name)?.value
}

/**
 * @param {Graph} graph
 * @param {any} link into a widget
 * @returns {unknown}
 */
function linkedValue(graph, link) {
  if (isAt(link.origin_id, SUBGRAPH_INPUT)) {
    const host = hostsOf(graph)[0]
    const input = host?.inputs?.[link.origin_slot]
    if (!input) return undefined
    const outer = linkInto(host, link.origin_slot)
    return outer ? linkedValue(host.graph, outer) : promoted(host, input)?.value
  }
  const from = origin(graph, link, [], 0)?.node
  return /^Primitive/.test(from?.type ?? '') ? from.widgets?.[0]?.value : undefined
}

/**
 * @param {Node} host a subgraph node
 * @param {any} input of it
 * @returns {any} the widget that it shows for a widget inside
 */
function promoted(host, input) {
  return input._widget ?? widgetOf(host, input.widget?.name ?? input.name)
}
