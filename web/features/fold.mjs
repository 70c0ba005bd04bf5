// Folds the rows of DT LoRA that nothing uses yet. Comfort only: a hidden widget keeps and
// sends its value.
import { NONE } from '../lib/choices.mjs'
import { hideWidget, refit } from '../lib/faces.mjs'
import { allNodes, onGraphChange, widgetOf } from '../lib/graph.mjs'

const ROWS = [2, 3, 4]
const PARTS = ['lora', 'weight', 'mode', 'on', 'lora_file']

/**
 * @param {any} node
 * @param {number} row
 */
function isUsed(node, row) {
  const suffix = row === 1 ? '' : `_${row}`
  const names = [`lora${suffix}`, `lora_file${suffix}`]
  const linked = names.some((name) => {
    const slot = (node.inputs ?? []).findIndex((/** @type {any} */ input) => input.name === name)
    return slot >= 0 && node.isInputConnected?.(slot)
  })
  const [listed, typed] = names.map((name) => widgetOf(node, name)?.value)
  return linked || (listed ?? NONE) !== NONE || Boolean(typed)
}

/**
 * Show the used rows and one more; the node shrinks or grows with them.
 * @param {any} node
 */
export function foldRows(node) {
  let changed = false
  for (const row of ROWS) {
    const hidden = !isUsed(node, row) && !isUsed(node, row - 1)
    for (const part of PARTS) {
      const widget = widgetOf(node, `${part}_${row}`)
      if (widget && hideWidget(widget, hidden)) changed = true
    }
  }
  if (changed) refit(node, true)
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const fold = {
  name: 'drawthingsnodes.fold',
  nodeCreated(created) {
    const node = /** @type {any} */ (created)
    if (node.comfyClass !== 'DTLoRA') return
    for (const widget of node.widgets ?? []) {
      if (!/^lora(_file)?(_\d)?$/.test(widget.name)) continue
      const chosen = widget.callback
      widget.callback = function (/** @type {any[]} */ ...values) {
        const result = chosen?.apply(this, values)
        foldRows(node)
        return result
      }
    }
    foldRows(node)
  },
  loadedGraphNode(node) {
    if (node.comfyClass === 'DTLoRA') foldRows(node)
  },
  setup() {
    onGraphChange(() => allNodes('DTLoRA').forEach(foldRows))
  },
}
