// One entry "Draw Things" in the context menus, with what all features offer below it.

const TITLE = 'Draw Things'

/** @typedef {import('@comfyorg/comfyui-frontend-types').ComfyExtension} Extension */

/**
 * @param {any[]} options
 * @returns {any[]} one menu entry, or none if nothing is offered
 */
function submenu(options) {
  if (!options.length) return []
  // Nodes 2.0 opens only what says so.
  return [null, { content: TITLE, has_submenu: true, submenu: { options } }]
}

/**
 * @param {Extension[]} features
 * @returns {Extension[]} the same without menu entries of their own, and one that has them all
 */
export function withOneMenu(features) {
  /** @type {any} */
  const menu = {
    name: 'drawthingsnodes.menu',
    getNodeMenuItems: (/** @type {any} */ node) =>
      submenu(features.flatMap((feature) => feature.getNodeMenuItems?.(node) ?? [])),
    getCanvasMenuItems: (/** @type {any} */ canvas) =>
      submenu(features.flatMap((feature) => feature.getCanvasMenuItems?.(canvas) ?? [])),
  }
  const others = features.map(({ getNodeMenuItems, getCanvasMenuItems, ...others }) => others)
  return [...others, menu]
}
