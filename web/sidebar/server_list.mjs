// The sidebar's list of servers: how each is, which one counts, and the form that changes one.
// Secrets go in and never come back.
import { app } from '../../../scripts/app.js'
import { BackendError, call } from '../lib/backend.mjs'
import { checkServer } from './check_dialog.mjs'
import { discovered } from './discovered.mjs'
import { button, make } from '../lib/elements.mjs'
import {
  acceptCertificate,
  ASKING,
  askStatus,
  detailsOf,
  fixOf,
  gradeOf,
  lineOf,
} from '../lib/status_words.mjs'
import { words } from '../lib/strip.mjs'
import { t } from '../lib/text.mjs'

const OWN_AUTHORITY = 'TLS, own authority'
const TLS_MODES = ['automatic', 'TLS', 'TLS, system certificates', OWN_AUTHORITY, 'plain text']

/**
 * @typedef {import('../lib/status_words.mjs').Status} Status
 * @typedef {{
 *   name: string, address: string, tls: string, fingerprint: string, ca_file?: string,
 *   secret: 'stored' | 'environment' | 'none', secret_name?: string,
 *   default: boolean, builtin: boolean
 * }} Server
 * @typedef {{ servers: Server[], secret_wanted?: string }} Answer
 */

/**
 * @param {Server} server
 * @returns {NonNullable<import('../lib/graph.mjs').ServerRef>} in the form that the backend takes
 */
export function refOf(server) {
  const { name, builtin, address, tls, fingerprint, ca_file = '' } = server
  if (!builtin) return { saved: name }
  const ref = { address, tls, secret_name: '', fingerprint, ca_file }
  return ref
}

/**
 * @param {Server} server
 * @returns {string} for people
 */
export function nameOf(server) {
  return server.builtin ? t('sidebar.builtin') : server.name
}

/** The list and its form. */
export class ServerCards {
  /**
   * @param {{
   *   onChosen: (server: Server | undefined, status: Status | undefined) => void,
   *   onStatus: (server: Server, status: Status) => void,
   *   onChanged: () => Promise<void>
   * }} told of what the user chose, how a server is, and that the list changed
   * @param {string} [chosen] the name of the server to begin with; the default one
   */
  constructor(told, chosen) {
    this.told = told
    this.chosen = chosen
    /** @type {Server[]} */
    this.servers = []
    /** @type {Map<string, HTMLElement>} */
    this.states = new Map()
    /** @type {Map<string, Status>} */
    this.statuses = new Map()
    this.list = make('div', 'dt-servers')
    this.form = make('div', 'dt-server-form')
    this.problem = make('div', 'dt-problem')
    this.problem.setAttribute('role', 'alert')
    const add = button(t('sidebar.add'), '', () => this.edit(null))
    this.root = make('div', 'dt-server-part', this.list, add, this.form, this.problem)
    this.help = make('details', 'dt-hint', make('summary', '', t('sidebar.help_title')))
    this.help.append(this.ways())
    this.root.append(this.help)
    void this.ask('/servers', {})
  }

  /**
   * How to get a server that is not on the list.
   * @returns {HTMLElement}
   */
  ways() {
    return make(
      'div',
      'dt-ways',
      t('sidebar.help'),
      discovered((found) => this.edit(null, found)),
    )
  }

  /**
   * @param {string} route that answers the list
   * @param {Record<string, unknown>} body
   * @returns {Promise<Answer | null>} null where it did not work
   */
  async ask(route, body) {
    this.problem.textContent = ''
    try {
      const answer = await call(route, body)
      this.show(answer.servers)
      return answer
    } catch (error) {
      this.problem.textContent = error instanceof BackendError ? error.message : String(error)
      return null
    }
  }

  /** @param {Server[]} servers */
  show(servers) {
    this.servers = servers
    this.states.clear()
    this.statuses.clear()
    this.list.replaceChildren(...servers.map((server) => this.card(server)))
    this.list.classList.toggle('dt-single', servers.length === 1)
    this.help.open = servers.length === 1
    const known = servers.some((server) => server.name === this.chosen)
    this.choose(known ? this.chosen : servers.find((server) => server.default)?.name)
    for (const server of servers) void this.test(server)
  }

  /** @param {string | undefined} name */
  choose(name) {
    this.chosen = name
    this.servers.forEach((server, place) => {
      const card = this.list.children[place]
      const is = server.name === name
      card.classList.toggle('dt-chosen', is)
      card.querySelector('.dt-server-title')?.setAttribute('aria-pressed', String(is))
    })
    const server = this.servers.find((one) => one.name === name)
    this.told.onChosen(server, server && this.statuses.get(server.name))
  }

  /** @param {Server} server */
  card(server) {
    const state = make('div', 'dt-server-state')
    this.states.set(server.name, state)
    const { name, builtin } = server
    const star = button(
      server.default ? t('sidebar.is_default') : t('sidebar.make_default'),
      server.default ? 'star-fill' : 'star',
      () => void this.ask('/servers/default', { name }),
    )
    const actions = [
      button(t('sidebar.test'), 'bolt', () => void this.test(server)),
      button(t('check.open'), 'list-check', () => checkServer(refOf(server), nameOf(server))),
    ]
    if (!builtin) {
      actions.push(
        button(t('sidebar.edit'), 'pencil', () => this.edit(server)),
        button(t('sidebar.remove'), 'trash', () => void this.remove(name)),
      )
    }
    const title = make(
      'button',
      'dt-server-title',
      make('span', 'dt-server-name', nameOf(server)),
      make('span', 'dt-server-address', server.address),
    )
    title.type = 'button'
    title.title = t('sidebar.show_contents')
    title.addEventListener('click', () => this.choose(name))
    return make('div', 'dt-server', make('div', 'dt-line', star, title, ...actions), state)
  }

  /**
   * Ask a server how it is.
   * @param {Server} server
   */
  async test(server) {
    this.tell(server, ASKING)
    this.tell(server, await askStatus(refOf(server)))
  }

  /**
   * @param {Server} server
   * @param {Status} status
   */
  tell(server, status) {
    const state = this.states.get(server.name)
    if (!state) return
    this.statuses.set(server.name, status)
    const line = make('div', `dt-line dt-${gradeOf(status)}`, make('span', 'dt-dot'))
    line.append(words(lineOf({ ...status, name: '', address: '' })))
    line.title = detailsOf(status)
    const fix = gradeOf(status) === 'bad' ? fixOf(status) : '' // others where lists would be
    state.replaceChildren(line, ...(fix ? [make('div', 'dt-quiet', fix)] : []))
    const { presented } = status
    if (presented) {
      state.append(button(t('status.accept'), '', () => void this.accept(server, presented)))
    }
    this.told.onStatus(server, status)
  }

  /**
   * @param {Server} server
   * @param {string} fingerprint of the certificate that it presents now
   */
  async accept(server, fingerprint) {
    try {
      await acceptCertificate(refOf(server), fingerprint)
      this.problem.textContent = ''
    } catch (error) {
      this.problem.textContent = error instanceof Error ? error.message : String(error)
    }
    await this.test(server)
  }

  /** @param {string} name */
  async remove(name) {
    const sure = await app.extensionManager.dialog.confirm({
      title: t('sidebar.remove_title'),
      message: t('sidebar.remove_sure', { name }),
      type: 'delete',
    })
    if (!sure) return
    await this.ask('/servers/remove', { name })
    await this.told.onChanged()
  }

  /**
   * @param {Server | null} server null for a new one
   * @param {import('./discovered.mjs').Found} [found] what a new one begins with
   */
  edit(server, found = { name: '', address: '', tls: TLS_MODES[0] ?? '' }) {
    /**
     * @param {string} label
     * @param {HTMLInputElement | HTMLSelectElement} field
     */
    const labelled = (label, field) => make('label', 'dt-field', label, field)
    const name = make('input', '')
    name.value = server?.name ?? found.name
    name.required = true
    const address = make('input', '')
    address.value = server?.address ?? found.address
    address.placeholder = t('sidebar.address_hint')
    address.required = true
    const tls = make('select', '')
    const mode = server?.tls ?? found.tls
    tls.append(...TLS_MODES.map((one) => new Option(one, one, false, one === mode)))
    const authority = make('input', '')
    authority.value = server?.ca_file ?? ''
    const fingerprint = make('input', '')
    fingerprint.value = server?.fingerprint ?? ''
    const secret = make('input', '')
    secret.type = 'password'
    secret.autocomplete = 'off'
    const kept = server && server.secret !== 'none' ? t(`sidebar.secret_${server.secret}`) : ''
    secret.placeholder = kept
    const forget = make('input', '')
    forget.type = 'checkbox'
    const authorityField = labelled(t('sidebar.authority'), authority)
    const showAuthority = () => (authorityField.hidden = tls.value !== OWN_AUTHORITY)
    tls.addEventListener('change', showAuthority)
    showAuthority()
    const form = make(
      'form',
      'dt-form',
      labelled(t('sidebar.name'), name),
      labelled(t('sidebar.address'), address),
      labelled(t('sidebar.tls'), tls),
      authorityField,
      labelled(t('sidebar.secret'), secret),
    )
    if (server?.secret === 'stored') form.append(labelled(t('sidebar.secret_forget'), forget))
    const save = button(t('sidebar.save'), '', () => {})
    save.type = 'submit'
    const cancel = button(t('sidebar.cancel'), '', () => this.form.replaceChildren())
    form.append(labelled(t('sidebar.fingerprint'), fingerprint))
    form.append(make('div', 'dt-line', save, cancel))
    form.addEventListener('submit', async (event) => {
      event.preventDefault()
      const typed = secret.value ? { secret: secret.value } : {}
      const before = this.chosen
      this.chosen = name.value.trim() // shown once it is on the list
      const answer = await this.ask('/servers/save', {
        name: name.value,
        was: server?.name ?? '',
        address: address.value,
        tls: tls.value,
        ca_file: authority.value,
        fingerprint: fingerprint.value,
        ...(forget.checked ? { secret: '' } : typed),
      })
      if (!answer) {
        this.chosen = before
        return
      }
      this.form.replaceChildren() // with the secret in it
      const moved = this.servers.find((one) => one.name === answer.secret_wanted)
      if (moved) {
        this.edit(moved)
        this.problem.textContent = t('sidebar.secret_wanted', { name: moved.name })
        /** @type {HTMLInputElement | null} */
        const field = this.form.querySelector('input[type=password]')
        field?.focus()
      }
      await this.told.onChanged()
    })
    this.form.replaceChildren(form)
    name.focus()
  }
}
