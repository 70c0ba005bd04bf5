// A field to type in on top of the menus of our combos on the classic canvas: the front end has
// one only for menus without labels of their own, and takes what is typed for its shortcuts.
import { make } from '../lib/elements.mjs'
import { litegraph } from '../lib/faces.mjs'
import { t } from '../lib/text.mjs'

const FEW = 5 // entries that need no search

/**
 * Let the menu of a combo be searched.
 * @param {any} widget
 */
export function makeSearchable(widget) {
  const open = widget?.onClick
  if (typeof open !== 'function') return
  widget.onClick = function (/** @type {any[]} */ ...values) {
    const before = new Set(menus())
    const result = open.apply(this, values)
    const menu = menus().find((one) => !before.has(one))
    if (menu && !menu.querySelector('input')) addField(menu)
    return result
  }
}

/** @returns {HTMLElement[]} that are open */
function menus() {
  return [...document.querySelectorAll('.litecontextmenu')].filter(
    (one) => one instanceof HTMLElement,
  )
}

/**
 * ComfyUI's own colours of menus are important ones.
 * @param {HTMLElement | undefined} entry
 * @param {string} background
 * @param {string} color
 */
function paint(entry, background, color) {
  entry?.style.setProperty('background-color', background, 'important')
  entry?.style.setProperty('color', color, 'important')
}

/** @param {HTMLElement} menu */
function addField(menu) {
  const entries = /** @type {HTMLElement[]} */ ([...menu.querySelectorAll('.litemenu-entry')])
  if (entries.length <= FEW) return
  const field = make('input', 'comfy-context-menu-filter') // ComfyUI's own look for it
  field.placeholder = t('pickers.filter')
  field.setAttribute('aria-label', field.placeholder)
  menu.prepend(field)
  let shown = entries
  let active = -1

  /** @param {number} place in what is shown: the entry that Enter takes */
  function point(place) {
    paint(shown[active], '', '')
    active = shown.length ? (place + shown.length) % shown.length : -1
    paint(shown[active], '#ccc', '#000')
    shown[active]?.scrollIntoView({ block: 'nearest' })
  }

  field.addEventListener('input', () => {
    paint(shown[active], '', '')
    const words = field.value.toLowerCase().split(/\s+/)
    shown = entries.filter((entry) => {
      const text = `${entry.textContent} ${entry.dataset.value ?? ''}`.toLowerCase()
      const fits = words.every((word) => text.includes(word))
      entry.style.display = fits ? '' : 'none'
      return fits
    })
    point(0)
  })
  field.addEventListener('keydown', (event) => {
    event.stopPropagation() // the canvas has its own keys
    if (event.isComposing) return
    if (event.key === 'ArrowDown') point(active + 1)
    else if (event.key === 'ArrowUp') point(active < 0 ? -1 : active - 1)
    else if (event.key === 'Enter') shown[active]?.click()
    else if (event.key === 'Escape') litegraph().closeAllContextMenus?.(window)
    else return
    event.preventDefault()
  })
  requestAnimationFrame(() => field.focus())
}
