// The one place that knows both renderers and both generations of the front end.
import { app } from '../../../scripts/app.js'

/** @returns {any} */
export function litegraph() {
  return /** @type {any} */ (globalThis).LiteGraph
}

/** @returns {boolean} whether nodes are drawn by Vue (Nodes 2.0) */
export function isVue() {
  return Boolean(litegraph()?.vueNodesMode)
}

/** @returns {[number, number]} major and minor version of the front end */
function version() {
  const text = String(/** @type {any} */ (globalThis).__COMFYUI_FRONTEND_VERSION__ ?? '')
  const [major = 0, minor = 0] = text.split('.').map(Number)
  return [major, minor]
}

/**
 * The first Vue renderer showed neither widgets that came after a node was made nor changes
 * of a combo.
 * @returns {boolean}
 */
export function hasDomWidgets() {
  const [major, minor] = version()
  return !isVue() || major > 1 || minor >= 40
}

/** Draw the canvas anew. */
export function redraw() {
  app.canvas?.setDirty(true, true)
}

/**
 * @param {MouseEvent} event over the canvas
 * @returns {any} the node below the mouse, or null
 */
export function nodeBelow(event) {
  const canvas = /** @type {any} */ (app.canvas)
  const graph = canvas.graph ?? app.graph
  const drawn = event.target instanceof Element && event.target.closest('[data-node-id]')
  if (drawn instanceof HTMLElement) return graph.getNodeById(drawn.dataset.nodeId) ?? null
  const [x, y] = canvasPlace(event)
  return graph.getNodeOnPos(x, y) ?? null
}

/**
 * @param {MouseEvent} event
 * @returns {[number, number]} in px of the canvas
 */
export function canvasPlace(event) {
  const { canvas, ds } = /** @type {any} */ (app.canvas)
  const { left, top } = canvas.getBoundingClientRect()
  return [
    (event.clientX - left) / ds.scale - ds.offset[0],
    (event.clientY - top) / ds.scale - ds.offset[1],
  ]
}

/**
 * @param {any} node
 * @returns {{ left: number, top: number, width: number, height: number }} in px of the window
 */
export function screenBox(node) {
  const drawn = document.querySelector(`[data-node-id="${CSS.escape(String(node.id))}"]`)
  if (isVue() && drawn) return drawn.getBoundingClientRect()
  const { canvas, ds } = /** @type {any} */ (app.canvas)
  const { left, top } = canvas.getBoundingClientRect()
  const [x, y, width, height] = node.boundingRect ?? node.getBounding()
  return {
    left: left + (x + ds.offset[0]) * ds.scale,
    top: top + (y + ds.offset[1]) * ds.scale,
    width: width * ds.scale,
    height: height * ds.scale,
  }
}

/**
 * Give a node the height that its widgets need, and never less than it has.
 * @param {any} node
 * @param {boolean} [shrink] to exactly what they need
 */
export function refit(node, shrink = false) {
  const needed = node.computeSize()[1]
  const height = shrink ? needed : Math.max(needed, node.size[1])
  if (Math.abs(height - node.size[1]) > 1) node.setSize([node.size[0], height])
  redraw()
}

/**
 * Fold a widget away or show it; call `refit` after the last one of a node.
 * @param {any} widget
 * @param {boolean} hidden
 * @returns {boolean} whether that is a change
 */
export function hideWidget(widget, hidden) {
  if (Boolean(widget.hidden) === hidden) return false
  widget.hidden = hidden
  // A new object, because Vue sees only that.
  widget.options = { ...widget.options, hidden }
  return true
}

/**
 * Give one combo its own values and labels; what is chosen stays.
 * @param {any} widget
 * @param {string[]} values
 * @param {(value: string) => string} labelOf
 */
export function setComboValues(widget, values, labelOf) {
  const getOptionLabel = (/** @type {unknown} */ value) => labelOf(String(value ?? ''))
  widget.options = { ...widget.options, values, getOptionLabel }
}
