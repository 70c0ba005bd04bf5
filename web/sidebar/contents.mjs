// What the chosen server has, in the sidebar: by kind, with one search, to drag onto the canvas.
import { ageText } from '../lib/amounts.mjs'
import { catalogOf, known, renewCatalog } from '../lib/catalogs.mjs'
import { allChoices } from '../lib/choices.mjs'
import { isDragging, makeDraggable, onDragEnd } from './dragging.mjs'
import { button, make } from '../lib/elements.mjs'
import { FileList, matches, rowWords } from '../lib/file_list.mjs'
import { addEntry } from './placing.mjs'
import { nameOf, refOf } from './server_list.mjs'
import { fixOf, gradeOf } from '../lib/status_words.mjs'
import { t } from '../lib/text.mjs'
import { upload } from './uploads.mjs'

const ACCEPTED = '.ckpt,.ckpt-tensordata'

/**
 * @typedef {import('../lib/choices.mjs').Mark} Mark
 * @typedef {import('../lib/choices.mjs').Choice & { mark: Mark }} Item
 * @typedef {import('./server_list.mjs').Server} Server
 * @typedef {import('../lib/status_words.mjs').Status} Status
 */

/** @type {[name: string, marks: Mark[]][]} */
const TABS = [
  ['models', ['models']],
  ['loras', ['loras']],
  ['controls', ['controls']],
  ['upscalers', ['upscalers', 'face_restorers']],
  ['embeddings', ['embeddings']],
]

/** What was looked at, for the next time that the sidebar opens. */
const last = { tab: 'models', search: '' }

/** @type {Contents | null} */
let open = null
onDragEnd(() => open?.renew())

/** @param {Item} item */
function groupOf(item) {
  if (item.rank === 1) return t('browser.not_on_server')
  if (item.mark === 'face_restorers') return t('sidebar.face_restorers')
  return item.family
}

/** The lists of one server. */
export class Contents {
  /** @param {(server: Server) => Promise<void>} ask the server how it is, and so what it has */
  constructor(ask) {
    /** @type {Server | undefined} */
    this.server = undefined
    /** @type {Status | undefined} */
    this.status = undefined
    this.title = make('h3', 'dt-contents-title')
    const refresh = button(t('sidebar.refresh'), 'refresh', () => this.server && ask(this.server))
    const file = make('input', 'dt-file')
    file.type = 'file'
    file.multiple = true
    file.accept = ACCEPTED
    file.setAttribute('aria-label', t('sidebar.upload_files'))
    file.addEventListener('change', () => {
      this.take([...(file.files ?? [])])
      file.value = ''
    })
    const send = button(t('sidebar.upload'), 'upload', () => file.click())
    const head = make('div', 'dt-contents-head', this.title, send, refresh, file)
    this.tabs = make('div', 'dt-contents-tabs')
    this.search = make('input', 'dt-browser-search')
    this.search.placeholder = t('browser.search')
    this.search.value = last.search
    this.search.setAttribute('aria-label', t('browser.search'))
    this.search.addEventListener('input', () => {
      last.search = this.search.value
      this.list.scroller.scrollTop = 0
      this.renew()
    })
    this.list = new FileList('dt-contents-list', this.search, {
      fill: (row, choice) => this.fill(row, /** @type {Item} */ (choice)),
      take: (choice) => addEntry(this.entryOf(/** @type {Item} */ (choice))),
      click: () => {},
    })
    this.search.addEventListener('keydown', (event) => {
      this.list.onKey(event)
      if (event.defaultPrevented) event.stopPropagation() // the canvas has its own keys
    })
    this.empty = make('div', 'dt-contents-empty')
    this.foot = make('div', 'dt-contents-foot')
    this.root = make('section', 'dt-contents', head, this.tabs, this.search, this.list.scroller)
    this.root.append(this.empty, this.foot)
    open = this
  }

  /**
   * @param {Server | undefined} server
   * @param {Status | undefined} status as it was told last
   */
  show(server, status) {
    this.server = server
    this.status = status
    this.root.hidden = !server
    if (!server) return
    this.title.textContent = nameOf(server)
    this.title.title = server.address
    void catalogOf(refOf(server)).then(() => this.renew())
    this.renew()
  }

  /**
   * @param {Server} server
   * @param {Status} status as just asked; with it came what the server has
   */
  async hear(server, status) {
    if (server.name !== this.server?.name) return
    this.status = status
    if (status.code !== 'asking') await renewCatalog(refOf(server))
    this.renew()
  }

  /** @param {File[]} files to send to this server */
  take(files) {
    if (this.server && files.length) void upload(files, refOf(this.server), nameOf(this.server))
  }

  /** @param {Item} item */
  entryOf({ mark, value, name }) {
    const server = this.server && !this.server.default ? refOf(this.server) : null
    return { mark, value, name, server }
  }

  /**
   * @param {HTMLElement} row
   * @param {Item} item
   */
  fill(row, item) {
    const entry = this.entryOf(item)
    const add = button(t('sidebar.add_entry', { name: item.name }), 'plus', () => addEntry(entry))
    add.tabIndex = -1 // Enter in the search field does the same
    row.append(rowWords(item.name, item.value), add)
    const absent = item.installed ? '' : t('browser.not_on_server')
    const lines = [item.name, item.value, item.family, absent, t('sidebar.drag')]
    row.title = lines.filter((line, place) => line && lines.indexOf(line) === place).join('\n')
    row.addEventListener('dblclick', () => addEntry(entry))
    makeDraggable(row, entry)
  }

  /** Show what is known by now. */
  renew() {
    const { server, search } = this
    if (!server || isDragging()) return // a row that is being dragged has to stay
    const catalog = known(refOf(server))
    const words = search.value.trim()
    /** @type {Map<string, { all: number, found: Item[] }>} */
    const kinds = new Map()
    for (const [name, marks] of TABS) {
      const all = marks.flatMap((mark) =>
        allChoices(catalog, mark).map((choice) => ({ ...choice, mark })),
      )
      const found = words ? all.filter((item) => matches(item, words)) : all
      kinds.set(name, { all: all.length, found })
    }
    const total = [...kinds.values()].reduce((sum, kind) => sum + kind.all, 0)
    const shown = total > 0
    for (const part of [this.tabs, search, this.list.scroller]) part.hidden = !shown
    this.drawTabs(kinds)
    const { all, found } = /** @type {{ all: number, found: Item[] }} */ (kinds.get(last.tab))
    this.list.show(found, (choice) => groupOf(/** @type {Item} */ (choice)))
    this.drawFoot(catalog, shown ? t('browser.count', { shown: found.length, all }) : '')
    this.drawEmpty(catalog, shown ? (found.length ? '' : words ? 'nothing' : 'empty') : 'all')
  }

  /** @param {Map<string, { all: number, found: Item[] }>} kinds */
  drawTabs(kinds) {
    this.tabs.replaceChildren(
      ...[...kinds].map(([name, { found }]) => {
        const count = make('span', 'dt-count', String(found.length))
        const tab = make('button', 'dt-browser-tab', t(`sidebar.${name}`), ' ', count)
        tab.type = 'button'
        tab.setAttribute('aria-pressed', String(name === last.tab))
        tab.addEventListener('click', () => {
          last.tab = name
          this.list.scroller.scrollTop = 0
          this.renew()
          this.search.focus()
        })
        return tab
      }),
    )
  }

  /**
   * @param {import('../lib/catalogs.mjs').Catalog | undefined} catalog
   * @param {string} count
   */
  drawFoot(catalog, count) {
    const parts = [make('span', '', count)]
    if (catalog?.known && count) {
      const age = ageText(catalog.asked_at)
      const away = this.status && gradeOf(this.status) === 'bad'
      const words = t(away ? 'sidebar.stale' : 'sidebar.as_of', { age })
      parts.push(make('span', away ? 'dt-stale' : '', words))
    }
    this.foot.replaceChildren(...parts)
    this.foot.hidden = !count
  }

  /**
   * @param {import('../lib/catalogs.mjs').Catalog | undefined} catalog
   * @param {'' | 'nothing' | 'empty' | 'all'} what is empty
   */
  drawEmpty(catalog, what) {
    this.empty.hidden = !what
    if (!what) return
    this.empty.textContent = what === 'all' ? this.whyEmpty(catalog) : t(`browser.${what}`)
  }

  /**
   * @param {import('../lib/catalogs.mjs').Catalog | undefined} catalog
   * @returns {string} why nothing at all is listed
   */
  whyEmpty(catalog) {
    const { status } = this
    if (!status || status.code === 'asking') return t('status.asking')
    if (status.code === 'browsing_off') return fixOf(status)
    if (gradeOf(status) !== 'good') return t('sidebar.unknown')
    return catalog?.known ? t('browser.empty') : t('status.asking')
  }

  /** The sidebar closes. */
  close() {
    if (open === this) open = null
  }
}
