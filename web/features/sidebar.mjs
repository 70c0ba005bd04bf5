// The sidebar tab: the servers that the user stored. Secrets go in and never come back.
import { app } from '../../../scripts/app.js'
import { BackendError, call } from '../lib/backend.mjs'
import { detailsOf, fixOf, gradeOf, lineOf } from '../lib/status_words.mjs'
import { words } from '../lib/strip.mjs'
import { t } from '../lib/text.mjs'
import { renewDefinitions } from './refresh.mjs'

const TLS_MODES = ['automatic', 'TLS', 'TLS, system certificates', 'plain text']

/**
 * @typedef {{
 *   name: string, address: string, tls: string, fingerprint: string,
 *   secret: 'stored' | 'environment' | 'none', default: boolean, builtin: boolean
 * }} Server
 */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} className
 * @param {...(Node | string)} content
 * @returns {HTMLElementTagNameMap[K]}
 */
function make(tag, className, ...content) {
  const element = document.createElement(tag)
  element.className = className
  element.append(...content)
  return element
}

/**
 * @param {string} label
 * @param {string} icon of PrimeIcons; "" shows the label
 * @param {() => void} onClick
 */
function button(label, icon, onClick) {
  const element = make('button', icon ? `dt-button dt-symbol pi pi-${icon}` : 'dt-button')
  element.type = 'button'
  element.title = label
  element.setAttribute('aria-label', label)
  if (!icon) element.textContent = label
  element.addEventListener('click', onClick)
  return element
}

/** One open tab. */
class Tab {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.list = make('div', 'dt-servers')
    this.form = make('div', 'dt-server-form')
    this.problem = make('div', 'dt-problem')
    this.problem.setAttribute('role', 'alert')
    const add = button(t('sidebar.add'), '', () => this.edit(null))
    const intro = make('p', 'dt-hint', t('sidebar.intro'))
    const help = make('p', 'dt-hint', t('sidebar.help'))
    const head = make('h2', 'dt-head', t('sidebar.title'))
    root.replaceChildren(
      make('div', 'dt-sidebar', head, intro, this.list, add, this.form, this.problem, help),
    )
    void this.ask('/servers', {})
  }

  /**
   * @param {string} route that answers the list
   * @param {Record<string, unknown>} body
   * @returns {Promise<boolean>} whether it worked
   */
  async ask(route, body) {
    this.problem.textContent = ''
    try {
      const { servers } = await call(route, body)
      this.show(servers)
      return true
    } catch (error) {
      this.problem.textContent = error instanceof BackendError ? error.message : String(error)
      return false
    }
  }

  /** @param {Server[]} servers */
  show(servers) {
    this.list.replaceChildren(...servers.map((server) => this.row(server)))
  }

  /** @param {Server} server */
  row(server) {
    const state = make('div', 'dt-server-state')
    const { name, builtin } = server
    const star = button(
      server.default ? t('sidebar.is_default') : t('sidebar.make_default'),
      server.default ? 'star-fill' : 'star',
      () => void this.ask('/servers/default', { name }),
    )
    const actions = [button(t('sidebar.test'), 'bolt', () => void this.test(server, state))]
    if (!builtin) {
      actions.push(
        button(t('sidebar.edit'), 'pencil', () => this.edit(server)),
        button(t('sidebar.remove'), 'trash', () => void this.remove(name)),
      )
    }
    const title = make('div', 'dt-server-name', builtin ? t('sidebar.builtin') : name)
    const place = make('div', 'dt-server-address', server.address)
    void this.test(server, state)
    return make(
      'div',
      'dt-server',
      make('div', 'dt-line', star, make('div', 'dt-server-title', title, place), ...actions),
      state,
    )
  }

  /**
   * @param {Server} server
   * @param {HTMLElement} state where the answer is shown
   */
  async test(server, state) {
    const { name, builtin, address, tls, fingerprint } = server
    const asked = builtin
      ? { address, tls, fingerprint, secret_name: '' }
      : /** @type {Record<string, string>} */ ({ saved: name })
    const asking = { code: 'asking', sentence: '', name: '', address: '' }
    this.tell(state, asking)
    try {
      this.tell(state, await call('/status', { server: asked }))
    } catch (error) {
      const sentence = error instanceof Error ? error.message : String(error)
      this.tell(state, { ...asking, code: 'failed', sentence })
    }
  }

  /**
   * @param {HTMLElement} state
   * @param {import('../lib/status_words.mjs').Status} status
   */
  tell(state, status) {
    const line = make('div', `dt-line dt-${gradeOf(status)}`, make('span', 'dt-dot'))
    line.append(words(lineOf({ ...status, name: '', address: '' })))
    line.title = detailsOf(status)
    const fix = fixOf(status)
    state.replaceChildren(line, ...(fix ? [make('div', 'dt-quiet', fix)] : []))
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
    await renewDefinitions()
  }

  /** @param {Server | null} server null for a new one */
  edit(server) {
    /**
     * @param {string} label
     * @param {HTMLInputElement | HTMLSelectElement} field
     */
    const labelled = (label, field) => make('label', 'dt-field', label, field)
    const name = make('input', '')
    name.value = server?.name ?? ''
    name.required = true
    const address = make('input', '')
    address.value = server?.address ?? ''
    address.placeholder = t('sidebar.address_hint')
    address.required = true
    const tls = make('select', '')
    tls.append(...TLS_MODES.map((mode) => new Option(mode, mode, false, mode === server?.tls)))
    const fingerprint = make('input', '')
    fingerprint.value = server?.fingerprint ?? ''
    const secret = make('input', '')
    secret.type = 'password'
    secret.autocomplete = 'off'
    const kept = server && server.secret !== 'none' ? t(`sidebar.secret_${server.secret}`) : ''
    secret.placeholder = kept
    const forget = make('input', '')
    forget.type = 'checkbox'
    const form = make(
      'form',
      'dt-form',
      labelled(t('sidebar.name'), name),
      labelled(t('sidebar.address'), address),
      labelled(t('sidebar.tls'), tls),
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
      const worked = await this.ask('/servers/save', {
        name: name.value,
        was: server?.name ?? '',
        address: address.value,
        tls: tls.value,
        fingerprint: fingerprint.value,
        ...(forget.checked ? { secret: '' } : typed),
      })
      if (!worked) return
      this.form.replaceChildren() // with the secret in it
      await renewDefinitions()
    })
    this.form.replaceChildren(form)
    name.focus()
  }
}

/** @type {import('@comfyorg/comfyui-frontend-types').ComfyExtension} */
export const sidebar = {
  name: 'drawthingsnodes.sidebar',
  setup() {
    app.extensionManager.registerSidebarTab({
      id: 'drawthingsnodes',
      icon: 'pi pi-palette',
      title: t('sidebar.title'),
      tooltip: t('sidebar.tooltip'),
      type: 'custom',
      render: (/** @type {HTMLElement} */ root) => void new Tab(root),
    })
  },
}
