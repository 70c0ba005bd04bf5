// Entries of the sidebar on their way to the canvas: what the mouse would do, and the drop.
import { make } from '../lib/elements.mjs'
import { canvasPlace, nodeBelow, screenBox } from '../lib/faces.mjs'
import { placeEntry, targetOf, wordsFor } from './placing.mjs'

const CONTAINER = '#graph-canvas-container'
const TYPE = 'application/x-drawthings-entry'

/** @typedef {import('./placing.mjs').Entry} Entry */

/** @type {Entry | null} */
let dragged = null
/** @type {(() => void)[]} */
const atEnd = []
const frame = make('div', 'dt-drop-frame')
const label = make('div', 'dt-drop-label')

/** @returns {boolean} whether an entry is on its way */
export function isDragging() {
  return dragged !== null
}

/** @param {() => void} listener called after every drag */
export function onDragEnd(listener) {
  atEnd.push(listener)
}

/**
 * Let a row be dragged onto the canvas.
 * @param {HTMLElement} row
 * @param {Entry} entry
 */
export function makeDraggable(row, entry) {
  row.draggable = true
  row.addEventListener('dragstart', (event) => {
    const { dataTransfer } = event
    if (!dataTransfer) return
    dragged = entry
    dataTransfer.effectAllowed = 'copy'
    dataTransfer.setData(TYPE, entry.value)
  })
  row.addEventListener('dragend', end)
}

function end() {
  dragged = null
  unmark()
  for (const listener of atEnd) listener()
}

function unmark() {
  frame.remove()
  label.remove()
}

/**
 * Show what a drop here would do.
 * @param {DragEvent} event
 * @param {Entry} entry
 */
function mark(event, entry) {
  const target = targetOf(nodeBelow(event), entry)
  label.textContent = wordsFor(target, entry)
  label.style.left = `${event.clientX}px`
  label.style.top = `${event.clientY}px`
  document.body.append(label)
  if (!target.node) {
    frame.remove()
    return
  }
  const box = screenBox(target.node)
  for (const side of /** @type {const} */ (['left', 'top', 'width', 'height'])) {
    frame.style[side] = `${box[side]}px`
  }
  document.body.append(frame)
}

/** @param {DragEvent} event */
function onDragOver(event) {
  if (!dragged) return
  event.preventDefault()
  if (event.dataTransfer) event.dataTransfer.dropEffect = 'copy'
  mark(event, dragged)
}

/** @param {DragEvent} event */
function onDrop(event) {
  const entry = dragged
  if (!entry) return
  event.preventDefault()
  event.stopPropagation()
  unmark()
  placeEntry(targetOf(nodeBelow(event), entry), entry, canvasPlace(event))
}

/** Let the canvas take what is dragged. */
export function listenToDrops() {
  const container = /** @type {HTMLElement | null} */ (document.querySelector(CONTAINER))
  container?.addEventListener('dragover', onDragOver)
  container?.addEventListener('drop', onDrop)
  container?.addEventListener('dragleave', (event) => {
    if (!container.contains(/** @type {Node | null} */ (event.relatedTarget))) unmark()
  })
}
