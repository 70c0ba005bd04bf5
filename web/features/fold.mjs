// Folds the rows of DT LoRA that nothing uses yet. Comfort only: a hidden widget keeps and
// sends its value.
import { app } from '../../../scripts/app.js'

const NONE = 'none'
const ROWS = [2, 3, 4]
const PARTS = ['lora', 'weight', 'mode', 'on', 'lora_file']

/**
 * @typedef {{
 *   name: string, value: unknown, hidden?: boolean, options?: { hidden?: boolean },
 *   callback?: (...values: any[]) => unknown
 * }} Widget
 * @typedef {{
 *   widgets?: Widget[], size: ArrayLike<number>, computeSize(): ArrayLike<number>,
 *   setSize(size: [number, number]): void
 * }} Node
 */

/**
 * @param {Node} node
 * @param {number} row
 */
function isUsed(node, row) {
  const suffix = row === 1 ? '' : `_${row}`
  const value = (/** @type {string} */ name) =>
    node.widgets?.find((widget) => widget.name === `${name}${suffix}`)?.value
  return (value('lora') ?? NONE) !== NONE || Boolean(value('lora_file'))
}

/**
 * Show the used rows and one more; the node shrinks or grows with them.
 * @param {Node} node
 */
export function foldRows(node) {
  let changed = false
  for (const row of ROWS) {
    const hidden = !isUsed(node, row) && !isUsed(node, row - 1)
    const names = PARTS.map((part) => `${part}_${row}`)
    for (const widget of node.widgets ?? []) {
      if (!names.includes(widget.name) || Boolean(widget.hidden) === hidden) continue
      widget.hidden = hidden
      if (widget.options) widget.options.hidden = hidden
      changed = true
    }
  }
  if (changed) node.setSize([node.size[0], node.computeSize()[1]])
}

/**
 * Fold now and whenever a LoRA is chosen.
 * @param {Node} node
 * @param {() => void} redraw
 */
export function watchRows(node, redraw) {
  for (const widget of node.widgets ?? []) {
    if (!/^lora(_file)?(_\d)?$/.test(widget.name)) continue
    const chosen = widget.callback
    widget.callback = function (...values) {
      const result = chosen?.apply(this, values)
      foldRows(node)
      redraw()
      return result
    }
  }
  foldRows(node)
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const fold = {
  name: 'drawthingsnodes.fold',
  nodeCreated(node) {
    if (node.comfyClass !== 'DTLoRA') return
    watchRows(/** @type {any} */ (node), () => app.canvas?.setDirty(true, true))
  },
  loadedGraphNode(node) {
    if (node.comfyClass === 'DTLoRA') foldRows(/** @type {any} */ (node))
  },
}
