// A list of what a server has: grouped under headings, by mouse or keys. It may have thousands
// of rows; only those that can be seen are drawn.
import { make } from './elements.mjs'

const ROW = 44 // px, as style/browser.css has it
const HEADING = 30
const SPARE = 6 // rows drawn above and below what is seen

/**
 * @typedef {import('./choices.mjs').Choice} Choice
 * @typedef {{ top: number, height: number, heading?: string, choice?: Choice }} Line
 */

/**
 * @param {Choice} choice
 * @param {string} search several words, all of which must occur
 * @returns {boolean}
 */
export function matches(choice, search) {
  const text = `${choice.name} ${choice.value} ${choice.family}`.toLowerCase()
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}

/**
 * @param {Choice[]} choices in order
 * @param {(choice: Choice) => string} groupOf "" for none
 * @returns {Line[]} with headings between the groups
 */
function linesOf(choices, groupOf) {
  /** @type {Line[]} */
  const lines = []
  let top = 0
  let before = ''
  for (const choice of choices) {
    const heading = groupOf(choice)
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

/** One list and the search field whose keys move in it. */
export class FileList {
  /**
   * @param {string} id unique in the page
   * @param {HTMLInputElement} search
   * @param {{
   *   fill: (row: HTMLElement, choice: Choice) => void, take: (choice: Choice) => void,
   *   click?: (choice: Choice) => void
   * }} own what a row shows; what Enter does, and a click if not the same
   */
  constructor(id, search, own) {
    this.id = id
    this.search = search
    this.own = own
    /** @type {Line[]} */
    this.lines = []
    this.active = -1 // place in `lines`
    this.chosen = ''
    /** @type {Map<number, HTMLElement>} */
    this.seen = new Map() // the lines that are drawn, by place
    this.sheet = make('div', 'dt-browser-sheet')
    this.sheet.id = id
    this.sheet.setAttribute('role', 'listbox')
    this.scroller = make('div', 'dt-browser-scroller', this.sheet)
    this.scroller.addEventListener('scroll', () => this.draw(), { passive: true })
    new ResizeObserver(() => this.draw()).observe(this.scroller)
    search.type = 'search'
    search.setAttribute('role', 'combobox')
    search.setAttribute('aria-controls', id)
    search.setAttribute('aria-expanded', 'true')
  }

  /**
   * @param {Choice[]} choices in order
   * @param {(choice: Choice) => string} groupOf
   * @param {string} [chosen] the value that is marked, and begun with
   */
  show(choices, groupOf, chosen = '') {
    this.lines = linesOf(choices, groupOf)
    this.chosen = chosen
    this.seen.clear()
    this.sheet.replaceChildren()
    this.active = this.lines.findIndex((line) => chosen && line.choice?.value === chosen)
    if (this.active < 0) this.active = this.lines.findIndex((line) => line.choice)
    const last = this.lines.at(-1)
    this.sheet.style.height = `${last ? last.top + last.height : 0}px`
    this.reveal()
  }

  /** Draw the lines that can be seen. */
  draw() {
    const from = this.scroller.scrollTop - SPARE * ROW
    const to = this.scroller.scrollTop + this.scroller.clientHeight + SPARE * ROW
    /** @type {Map<number, HTMLElement>} */
    const seen = new Map()
    for (let place = this.#firstBelow(from); place < this.lines.length; place++) {
      if (this.lines[place].top > to) break
      seen.set(place, this.seen.get(place) ?? this.#drawn(this.lines[place], place))
    }
    // Rows that stay are not touched: one of them may be below the mouse.
    for (const [place, row] of this.seen) if (!seen.has(place)) row.remove()
    let next = this.sheet.firstChild
    for (const row of seen.values()) {
      if (row === next) next = next.nextSibling
      else this.sheet.insertBefore(row, next)
    }
    this.seen = seen
    this.#point()
  }

  /**
   * @param {number} height in px
   * @returns {number} the place of the first line that reaches below it
   */
  #firstBelow(height) {
    let [low, high] = [0, this.lines.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.lines[middle].top + this.lines[middle].height < height) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Tell which line is the active one. */
  #point() {
    const id = this.active < 0 ? '' : `${this.id}-${this.active}`
    this.search.setAttribute('aria-activedescendant', id)
    for (const row of this.sheet.children) row.classList.toggle('dt-active', row.id === id)
  }

  /**
   * @param {Line} line
   * @param {number} place
   * @returns {HTMLElement}
   */
  #drawn(line, place) {
    const { choice } = line
    const drawn = make('div', choice ? 'dt-browser-row' : 'dt-browser-heading', line.heading ?? '')
    drawn.style.top = `${line.top}px`
    if (!choice) return drawn
    drawn.id = `${this.id}-${place}`
    drawn.setAttribute('role', 'option')
    drawn.setAttribute('aria-selected', String(choice.value === this.chosen))
    drawn.classList.toggle('dt-unfit', choice.rank > 0)
    this.own.fill(drawn, choice)
    drawn.addEventListener('click', () => {
      this.active = place
      this.#point() // the row itself stays: a second click makes a double one
      const act = this.own.click ?? this.own.take
      act(choice)
    })
    return drawn
  }

  /** Scroll until the active line is in sight. */
  reveal() {
    const line = this.lines[this.active]
    if (line) {
      const { scroller } = this
      const above = this.lines[this.active - 1]?.heading ? HEADING : 0
      const bottom = line.top + line.height - scroller.clientHeight
      if (line.top - above < scroller.scrollTop) scroller.scrollTop = line.top - above
      else if (bottom > scroller.scrollTop) scroller.scrollTop = bottom
    }
    this.draw()
  }

  /** @param {number} steps rows to go on; headings are passed over */
  move(steps) {
    const rows = this.lines.flatMap((line, place) => (line.choice ? [place] : []))
    if (!rows.length) return
    const next = rows.indexOf(this.active) + steps
    this.active = rows[Math.max(0, Math.min(rows.length - 1, next))]
    this.reveal()
  }

  /**
   * Answer the keys of a list; others are left alone.
   * @param {KeyboardEvent} event
   */
  onKey(event) {
    if (event.target !== this.search || event.isComposing) return
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / ROW) - 1)
    /** @type {Record<string, number>} */
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page }
    if (steps[event.key]) this.move(steps[event.key])
    else if (event.key === 'Enter') {
      const { choice } = this.lines[this.active] ?? {}
      if (choice) this.own.take(choice)
    } else return
    event.preventDefault()
  }
}

/**
 * @param {string} name
 * @param {string} file
 * @returns {HTMLElement} the two lines of a row
 */
export function rowWords(name, file) {
  return make(
    'div',
    'dt-browser-words',
    make('div', 'dt-browser-name', name),
    make('div', 'dt-browser-file', file),
  )
}
