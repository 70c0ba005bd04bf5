// One quiet area below the widgets of a node, where features say something about it. It is
// never saved, and takes no room while it is empty.
import { app } from '../../../scripts/app.js'
import { hasDomWidgets, hideWidget, isVue, redraw } from './faces.mjs'

/** The features that share it, from top to bottom. */
const ORDER = ['status', 'recommend', 'fit', 'matters', 'progress', 'notes']
const NAME = 'drawthingsnodes_strip'
const PICTURE = '$$canvas-image-preview'
const MARGIN = 6 // px that the classic renderer leaves around it

/**
 * @typedef {{
 *   widget: any, root: HTMLElement, inner: HTMLElement, sections: Map<string, HTMLElement>,
 *   height: number, added: number
 * }} Strip
 */

/** @type {WeakMap<object, Strip>} */
const strips = new WeakMap()

/**
 * @param {any} node of ours
 * @param {string} name of the feature
 * @returns {HTMLElement} an element to fill; empty it takes no room
 */
export function section(node, name) {
  const strip = strips.get(node) ?? makeStrip(node)
  const known = strip.sections.get(name)
  if (known) return known
  const element = document.createElement('div')
  element.className = `dt-section dt-section-${name}`
  strip.sections.set(name, element)
  strip.inner.replaceChildren(
    ...ORDER.filter((key) => strip.sections.has(key)).map(
      (key) => /** @type {HTMLElement} */ (strip.sections.get(key)),
    ),
  )
  return element
}

/**
 * Fill a section; nothing leaves it empty.
 * @param {any} node
 * @param {string} name
 * @param {...(Node | string)} content
 */
export function fill(node, name, ...content) {
  if (!content.length && !strips.get(node)?.sections.has(name)) return
  section(node, name).replaceChildren(...content)
  const strip = /** @type {Strip} */ (strips.get(node))
  takePlace(node, strip)
  measure(node, strip)
}

/**
 * After an undo Nodes 2.0 goes on showing the strip of the node that was there before.
 * @param {any} node
 * @param {Strip} strip
 */
function takePlace(node, strip) {
  if (!isVue() || strip.root.isConnected || node.graph !== app.canvas?.graph) return
  const id = CSS.escape(String(node.id))
  document.querySelector(`[data-node-id="${id}"] .dt-strip`)?.replaceWith(strip.root)
}

/**
 * @param {string} label
 * @param {() => void} onClick
 * @param {string} [tooltip]
 * @returns {HTMLButtonElement}
 */
export function sectionButton(label, onClick, tooltip = '') {
  const button = document.createElement('button')
  button.type = 'button'
  button.className = 'dt-button'
  button.textContent = label
  if (tooltip) button.title = tooltip
  button.addEventListener('click', (event) => {
    event.stopPropagation()
    onClick()
  })
  // The canvas below would start to drag the node.
  button.addEventListener('pointerdown', (event) => event.stopPropagation())
  return button
}

/**
 * @param {string} text
 * @param {string} [kind] a class without "dt-"
 * @param {string} [tooltip]
 * @returns {HTMLSpanElement}
 */
export function words(text, kind = 'text', tooltip = '') {
  const span = document.createElement('span')
  span.className = `dt-${kind}`
  span.textContent = text
  if (tooltip) span.title = tooltip
  return span
}

/**
 * @param {any} node
 * @returns {Strip}
 */
function makeStrip(node) {
  const root = document.createElement('div')
  const inner = document.createElement('div')
  root.className = 'dt-strip'
  inner.className = 'dt-strip-inner'
  root.append(inner)
  /** @type {Strip} */
  const strip = { widget: null, root, inner, sections: new Map(), height: 0, added: 0 }
  strips.set(node, strip)
  if (!hasDomWidgets()) return strip
  strip.widget = node.addDOMWidget(NAME, 'drawthings', root, {
    getValue: () => undefined,
    setValue: () => undefined,
    margin: MARGIN,
    getMinHeight: () => strip.height,
    getMaxHeight: () => strip.height,
    hideOnZoom: false,
    serialize: false,
  })
  putBeforePicture(node, strip.widget)
  strip.widget.serialize = false
  strip.widget.label = ''
  hideWidget(strip.widget, true)
  keepOutOfFiles(node, strip)
  new ResizeObserver(() => measure(node, strip)).observe(inner)
  return strip
}

/**
 * The classic canvas shows a node's picture in a widget too, which may have come first.
 * @param {any} node
 * @param {any} widget the last one of the node
 */
function putBeforePicture(node, widget) {
  const place = node.widgets.findIndex((/** @type {any} */ one) => one.name === PICTURE)
  if (place < 0) return
  node.widgets.splice(node.widgets.indexOf(widget), 1)
  node.widgets.splice(place, 0, widget)
}

/**
 * The room that the strip took is saved only where the user gave the node more: a line that
 * comes or goes is no change of the workflow, and nothing to undo.
 * @param {any} node
 * @param {Strip} strip
 */
function keepOutOfFiles(node, strip) {
  const before = node.onSerialize
  node.onSerialize = function (/** @type {any} */ saved) {
    before?.call(this, saved)
    if (!strip.added || !saved.size || node.size[1] > node.computeSize()[1] + 1) return
    saved.size = [saved.size[0], saved.size[1] - strip.added]
  }
}

/**
 * Let the node have the room that the content needs, and give it back afterwards.
 * @param {any} node
 * @param {Strip} strip
 */
function measure(node, strip) {
  if (!strip.widget) return
  const filled = [...strip.sections.values()].some((element) => element.hasChildNodes())
  const shown = hideWidget(strip.widget, !filled)
  const content = Math.ceil(strip.inner.offsetHeight) || 22
  const height = filled ? content + 2 * MARGIN : 0
  if (height === strip.height && !shown) return
  strip.height = height
  const [width, now] = node.size
  const needed = node.computeSize()[1]
  if (needed > now) {
    strip.added += needed - now
    node.setSize([width, needed])
  } else if (strip.added) {
    // Only what it took: the rest is the user's.
    const given = Math.min(strip.added, now - needed)
    strip.added -= given
    if (given > 1) node.setSize([width, now - given])
  }
  redraw()
}
