// The dialog that lists what a server has: grouped by family, with a search, by mouse or keys.
import { catalogOf, onCatalog } from './catalogs.mjs'
import { choicesOf, chosenIn, listInputs, mayBeNone, NONE } from './choices.mjs'
import { serverRef, widgetOf } from './graph.mjs'
import { asOneStep, setValues } from './recipe.mjs'
import { t } from './text.mjs'

const ROW = 44 // px, as style.css has it
const HEADING = 30
const SPARE = 6 // rows drawn above and below what is seen

/**
 * @typedef {import('./choices.mjs').Choice} Choice
 * @typedef {{ top: number, height: number, heading?: string, choice?: Choice }} Line
 */

/** @type {(() => void) | null} */
let listsChanged = null
onCatalog(() => listsChanged?.())

/**
 * @param {string} tag
 * @param {string} className
 * @param {string} [text]
 * @returns {HTMLElement}
 */
function element(tag, className, text) {
  const made = document.createElement(tag)
  made.className = className
  if (text !== undefined) made.textContent = text
  return made
}

/**
 * @param {any} node
 * @returns {string} the input to begin with: the first shown one that holds nothing
 */
function firstInput(node) {
  const inputs = shownInputs(node)
  return inputs.find((input) => chosenIn(node, input) === NONE) ?? inputs[0]
}

/** @param {any} node */
function shownInputs(node) {
  return listInputs(node).filter((input) => !widgetOf(node, input)?.hidden)
}

/**
 * @param {Choice} choice
 * @param {import('./catalogs.mjs').Entry | undefined} model
 */
function groupOf(choice, model) {
  if (choice.rank === 2) return t('browser.unfit', { model: model?.name ?? '' })
  return choice.rank === 1 ? t('browser.not_on_server') : choice.family
}

/**
 * @param {Choice[]} choices in order
 * @param {import('./catalogs.mjs').Entry | undefined} model
 * @returns {Line[]} with headings between the groups
 */
function linesOf(choices, model) {
  /** @type {Line[]} */
  const lines = []
  let top = 0
  let before = ''
  for (const choice of choices) {
    const heading = groupOf(choice, model)
    if (heading && heading !== before) {
      lines.push({ top, height: HEADING, heading })
      top += HEADING
    }
    before = heading
    lines.push({ top, height: ROW, choice })
    top += ROW
  }
  return lines
}

/**
 * @param {Choice} choice
 * @param {string} search several words, all of which must occur
 */
function matches(choice, search) {
  const text = `${choice.name} ${choice.value} ${choice.family}`.toLowerCase()
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}

/**
 * Let the user choose for a node; the choice is written into its combo.
 * @param {any} node
 * @param {string} [input] the first free one by default
 */
export function openBrowser(node, input = firstInput(node)) {
  if (!input) return
  document.querySelector('dialog.dt-browser')?.remove()
  const dialog = /** @type {HTMLDialogElement} */ (element('dialog', 'dt-browser'))
  const title = node.title || node.type
  const head = element('div', 'dt-browser-head')
  const close = element('button', 'dt-browser-close pi pi-times')
  close.setAttribute('aria-label', t('browser.close'))
  head.append(element('h2', 'dt-browser-title', t('browser.title', { node: title })), close)
  const tabs = element('div', 'dt-browser-tabs')
  const search = /** @type {HTMLInputElement} */ (element('input', 'dt-browser-search'))
  search.type = 'search'
  search.placeholder = t('browser.search')
  search.setAttribute('role', 'combobox')
  search.setAttribute('aria-controls', 'dt-browser-list')
  search.setAttribute('aria-expanded', 'true')
  const scroller = element('div', 'dt-browser-scroller')
  const sheet = element('div', 'dt-browser-sheet')
  sheet.id = 'dt-browser-list'
  sheet.setAttribute('role', 'listbox')
  scroller.append(sheet)
  const foot = element('div', 'dt-browser-foot')
  dialog.append(head, tabs, search, scroller, foot)
  document.body.append(dialog)

  /** @type {Line[]} */
  let lines = []
  let active = -1 // place in `lines`

  function renew() {
    const { choices, catalog, model } = choicesOf(node, input)
    const none = { value: NONE, name: t('browser.none'), family: '', reason: '' }
    const all = mayBeNone(node, input)
      ? [{ ...none, installed: true, rank: 0 }, ...choices]
      : choices
    const found = search.value.trim() ? all.filter((one) => matches(one, search.value)) : all
    lines = linesOf(found, model)
    const chosen = chosenIn(node, input)
    active = lines.findIndex((line) => line.choice?.value === chosen)
    if (active < 0) active = lines.findIndex((line) => line.choice)
    const last = lines.at(-1)
    sheet.style.height = `${last ? last.top + last.height : 0}px`
    const hint = !catalog?.known
      ? (catalog?.error ?? t('browser.unknown'))
      : catalog.browsable
        ? ''
        : t('browser.not_browsable')
    const count = t('browser.count', { shown: found.length, all: all.length })
    foot.textContent = lines.length
      ? [count, hint].filter(Boolean).join(' · ')
      : hint || t(choices.length ? 'browser.nothing' : 'browser.empty')
    reveal()
  }

  function drawTabs() {
    const inputs = shownInputs(node)
    tabs.replaceChildren(
      ...(inputs.length < 2 ? [] : inputs).map((name) => {
        const tab = element('button', 'dt-browser-tab', widgetOf(node, name)?.label ?? name)
        tab.setAttribute('aria-pressed', String(name === input))
        tab.addEventListener('click', () => {
          input = name
          drawTabs()
          renew()
          search.focus()
        })
        return tab
      }),
    )
  }

  /** Draw the lines that can be seen, and no others: there may be thousands. */
  function draw() {
    const from = scroller.scrollTop - SPARE * ROW
    const to = scroller.scrollTop + scroller.clientHeight + SPARE * ROW
    const chosen = chosenIn(node, input)
    const seen = lines.flatMap((line, place) =>
      line.top + line.height < from || line.top > to ? [] : [drawLine(line, place, chosen)],
    )
    sheet.replaceChildren(...seen)
    search.setAttribute('aria-activedescendant', active < 0 ? '' : `dt-browser-${active}`)
  }

  /**
   * @param {Line} line
   * @param {number} place
   * @param {string} chosen
   */
  function drawLine(line, place, chosen) {
    const { choice } = line
    const drawn = element('div', choice ? 'dt-browser-row' : 'dt-browser-heading', line.heading)
    drawn.style.top = `${line.top}px`
    if (!choice) return drawn
    drawn.id = `dt-browser-${place}`
    drawn.setAttribute('role', 'option')
    drawn.setAttribute('aria-selected', String(choice.value === chosen))
    drawn.classList.toggle('dt-active', place === active)
    drawn.classList.toggle('dt-unfit', choice.rank > 0)
    const file = choice.value === NONE ? t('browser.none_means') : choice.value
    const absent = choice.installed ? '' : t('browser.not_on_server_short')
    const why = [choice.reason, absent].filter(Boolean).join(' · ')
    const right = why || (choice.value === chosen ? t('browser.chosen') : '')
    const words = element('div', 'dt-browser-words')
    words.append(
      element('div', 'dt-browser-name', choice.name),
      element('div', 'dt-browser-file', file),
    )
    drawn.append(words, element('div', 'dt-browser-why', right))
    drawn.title = [choice.name, file, why].filter(Boolean).join('\n')
    drawn.addEventListener('click', () => take(choice))
    return drawn
  }

  /** Scroll until the active line is in sight. */
  function reveal() {
    const line = lines[active]
    if (line) {
      const above = lines[active - 1]?.heading ? HEADING : 0
      const bottom = line.top + line.height - scroller.clientHeight
      if (line.top - above < scroller.scrollTop) scroller.scrollTop = line.top - above
      else if (bottom > scroller.scrollTop) scroller.scrollTop = bottom
    }
    draw()
  }

  /** @param {number} steps rows to go on; headings are passed over */
  function move(steps) {
    const rows = lines.flatMap((line, place) => (line.choice ? [place] : []))
    if (!rows.length) return
    const next = rows.indexOf(active) + steps
    active = rows[Math.max(0, Math.min(rows.length - 1, next))]
    reveal()
  }

  /** @param {Choice} choice */
  function take(choice) {
    asOneStep(() => setValues(node, { [input]: choice.value }))
    dialog.close()
  }

  const page = () => Math.max(1, Math.floor(scroller.clientHeight / ROW) - 1)
  /** @type {Record<string, () => void>} */
  const keys = {
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    PageDown: () => move(page()),
    PageUp: () => move(-page()),
    Enter: () => {
      const { choice } = lines[active] ?? {}
      if (choice) take(choice)
    },
  }
  dialog.addEventListener('keydown', (event) => {
    event.stopPropagation() // the canvas has its own keys
    if (event.target !== search || event.isComposing || !keys[event.key]) return
    event.preventDefault()
    keys[event.key]()
  })
  dialog.addEventListener('pointerdown', (event) => {
    if (event.target === dialog) dialog.close()
  })
  dialog.addEventListener('close', () => {
    listsChanged = null
    dialog.remove()
  })
  close.addEventListener('click', () => dialog.close())
  search.addEventListener('input', () => {
    scroller.scrollTop = 0
    renew()
  })
  scroller.addEventListener('scroll', draw, { passive: true })

  dialog.showModal()
  drawTabs()
  renew()
  search.focus()
  listsChanged = renew
  void catalogOf(serverRef(node), true)
}
